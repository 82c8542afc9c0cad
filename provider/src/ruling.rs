//! What policy says, in words for a person.

use assent_client::wire::{Ruling, Said, Stage};

use crate::value::{Number, Type, Value};

/// The ruling on what is done, in words.
pub(crate) fn summary(kind: &str, ruling: &Ruling) -> String {
    match ruling.outcome {
        Said::Permit => format!("{kind} is permitted; nobody needs to be asked"),
        Said::Require => format!("{kind} needs approval by {}", asked(ruling)),
        Said::Refuse => format!("{kind} is refused: {}", refused(ruling)),
    }
}

/// The type of [`stages`].
pub(crate) fn stages_type() -> Type {
    let stage = [("name", Type::String), ("approvals", Type::Number), ("from", Type::texts())];
    Type::List(Box::new(Type::object(stage)))
}

/// Who must approve: each stage with its name, how many approvals it needs and from whom.
pub(crate) fn stages(ruling: &Ruling) -> Value {
    let stage = |stage: &Stage| {
        Value::object([
            ("name", Value::text(&stage.name)),
            ("approvals", Value::Number(Number::Unsigned(stage.approvals.into()))),
            ("from", Value::texts(stage.asks())),
        ])
    };
    Value::List(ruling.stages.iter().map(stage).collect())
}

/// Who must approve: `2 of release-managers (rule prod-apply) and 1 of …`.
pub(crate) fn asked(ruling: &Ruling) -> String {
    let stages: Vec<_> = ruling.stages.iter().map(stage).collect();
    stages.join("; and ")
}

/// Why it is refused: each reason with its rule.
pub(crate) fn refused(ruling: &Ruling) -> String {
    let reasons: Vec<_> = ruling
        .reasons
        .iter()
        .map(|reason| format!("{} (rule {})", reason.message.trim_end_matches('.'), reason.rule))
        .collect();
    if reasons.is_empty() { "no rule allows it".to_owned() } else { reasons.join("; ") }
}

/// One stage in words.
fn stage(stage: &Stage) -> String {
    let from = stage.asks();
    let from: Vec<_> = from.iter().map(|approver| bare(approver)).collect();
    let rules: Vec<_> = stage.rules.iter().map(String::as_str).collect();
    let after = stage.after.as_ref().map(|after| format!(", after {after}")).unwrap_or_default();
    let noun = if rules.len() == 1 { "rule" } else { "rules" };
    let (approvals, from, rules) = (stage.approvals, from.join(" or "), rules.join(", "));
    format!("{approvals} of {from} ({noun} {rules}{after})")
}

/// A group or person without the word that says which it is.
fn bare(approver: &str) -> &str {
    approver.split_once(':').map_or(approver, |(_, name)| name)
}

#[cfg(test)]
pub(crate) mod tests {
    use assent_client::wire::{RefusalReason, Said};

    use super::*;

    /// A ruling of this outcome by one rule.
    pub(crate) fn ruling(outcome: Said) -> Ruling {
        Ruling {
            outcome,
            rules: ["prod-apply".to_owned()].into(),
            policy: "sha256:00".to_owned(),
            stages: Vec::new(),
            expires_after: None,
            credential: None,
            reasons: Vec::new(),
            notify: Vec::new(),
            post_reviews: Vec::new(),
            risk: None,
        }
    }

    /// A stage of that rule.
    pub(crate) fn a_stage(approvals: u32, from: &[&str]) -> Stage {
        Stage {
            name: "prod-apply/managers".to_owned(),
            rules: ["prod-apply".to_owned()].into(),
            approvals,
            from: from.iter().map(|name| (*name).to_owned()).collect(),
            elsewhere: None,
            exclude: Vec::new(),
            after: None,
            login_within: None,
            signature: None,
            acr: Vec::new(),
            amr: Vec::new(),
            expires_after: None,
            escalate: None,
            remind: None,
        }
    }

    #[test]
    fn every_stage_is_said() {
        let mut asked_for = ruling(Said::Require);
        asked_for.stages = vec![
            a_stage(2, &["group:release-managers"]),
            a_stage(1, &["group:dba", "person:dave"]),
        ];
        let words =
            "2 of release-managers (rule prod-apply); and 1 of dba or dave (rule prod-apply)";
        assert_eq!(asked(&asked_for), words);
    }

    #[test]
    fn every_reason_is_said() {
        let mut refusal = ruling(Said::Refuse);
        assert_eq!(refused(&refusal), "no rule allows it");
        let reason =
            RefusalReason { rule: "freeze".into(), message: "No changes on Friday.".into() };
        refusal.reasons = vec![reason];
        assert_eq!(refused(&refusal), "No changes on Friday (rule freeze)");
    }
}

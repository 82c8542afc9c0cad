//! What is about to be done. Immutable; it has one digest, which everything else is bound to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::canonical;
use crate::digest::Digest;
use crate::time::Span;

/// The longest duration one intent may ask for: a credential's whole life.
pub use crate::credential::MAX_LIFE as MAX_DURATION;

/// What somebody is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    kind: String,
    environment: String,
    target: BTreeMap<String, String>,
    subject: Option<Digest>,
    plan: Option<Digest>,
    context: Map<String, Value>,
    reason: String,
    duration: Option<Span>,
}

/// An intent as it was stated, before any rule was checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnverifiedIntent {
    /// Dotted name of what is done: `terraform.apply`.
    pub kind: String,
    /// Where: `production`.
    pub environment: String,
    /// What it is done to: repository, workspace, database …
    pub target: BTreeMap<String, String>,
    /// Digest of the exact thing, such as a saved plan's bytes.
    pub subject: Option<Digest>,
    /// Digest of the plan's JSON, which the authority has read.
    pub plan: Option<Digest>,
    /// The requester's free JSON. A claim, never a proof.
    pub context: Map<String, Value>,
    /// Why, in the requester's words.
    pub reason: String,
    /// How long the credential is wanted for.
    pub duration: Option<Span>,
}

/// One thing that is wrong with a stated intent, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct IntentFault {
    /// The field, as JSON spells it: `kind`, `target.repository`.
    pub field: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl UnverifiedIntent {
    /// Checks everything and reports every fault at once.
    ///
    /// # Errors
    /// Each [`IntentFault`] there is; never an empty list.
    pub fn verify(mut self) -> Result<Intent, Vec<IntentFault>> {
        let mut faults = Vec::new();
        let mut fault = |field: &str, problem: &str| {
            faults.push(IntentFault { field: field.to_owned(), problem: problem.to_owned() });
        };
        if !is_dotted(&self.kind) {
            fault("kind", "expected a dotted name in lower case, such as terraform.apply");
        }
        if !is_label(&self.environment) {
            fault("environment", "expected 1 to 63 letters, digits, `-`, `_`, `.` or `/`");
        }
        if self.target.len() > 32 {
            fault("target", "at most 32 entries");
        }
        for (key, value) in &self.target {
            if !is_label(key) || value.is_empty() || value.len() > 512 {
                let field = format!("target.{}", key.chars().take(64).collect::<String>());
                fault(&field, "expected a short name and a value of 1 to 512 bytes");
            }
        }
        if self.reason.trim().is_empty() || self.reason.len() > 2_000 {
            fault("reason", "say why, in 1 to 2000 bytes");
        }
        match canonical::settled(&self.context) {
            Some(context) => self.context = context,
            None => fault("context", "at most 32 levels, and whole numbers to 2^53 - 1 (RFC 7493)"),
        }
        if canonical::bytes(&Value::Object(self.context.clone())).len() > 65_536 {
            fault("context", "at most 64 KiB of canonical JSON");
        }
        let whole = |d: Span| Span::seconds(d.as_seconds()) == d;
        if self.duration.is_some_and(|d| d == Span::ZERO || d > MAX_DURATION || !whole(d)) {
            fault("duration", "expected 1s to 7d in whole seconds");
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let Self { kind, environment, target, subject, plan, context, reason, duration } = self;
        Ok(Intent { kind, environment, target, subject, plan, context, reason, duration })
    }
}

impl Intent {
    /// Dotted name of what is done.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it is done.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// What it is done to.
    pub fn target(&self) -> &BTreeMap<String, String> {
        &self.target
    }

    /// Digest of the exact thing, where there is one.
    pub fn subject(&self) -> Option<Digest> {
        self.subject
    }

    /// Digest of the plan's JSON, where the intent names one.
    pub fn plan(&self) -> Option<Digest> {
        self.plan
    }

    /// The requester's free JSON.
    pub fn context(&self) -> &Map<String, Value> {
        &self.context
    }

    /// Why, in the requester's words.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// How long the credential is wanted for.
    pub fn duration(&self) -> Option<Span> {
        self.duration
    }

    /// The same, stated without the exact thing and its plan: what was known before there was one.
    #[must_use]
    pub fn stated(&self) -> Self {
        Self { subject: None, plan: None, ..self.clone() }
    }

    /// The same, bound to this exact thing and, where the authority has read it, to its plan.
    #[must_use]
    pub fn bound_to(&self, subject: Digest, plan: Option<Digest>) -> Self {
        Self { subject: Some(subject), plan, ..self.clone() }
    }

    /// Whether this is the same, whatever is said about why.
    #[must_use]
    pub fn is_as(&self, other: &Self) -> bool {
        let Self { kind, environment, target, subject, plan, context, reason: _, duration } = self;
        (kind, environment, target) == (&other.kind, &other.environment, &other.target)
            && (subject, plan) == (&other.subject, &other.plan)
            && (context, duration) == (&other.context, &other.duration)
    }

    /// The JSON whose canonical form is digested. Fields that were not stated are left out, so a
    /// field added later does not change the digest of an intent that does not use it.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("kind", json!(self.kind));
        put("environment", json!(self.environment));
        put("reason", json!(self.reason));
        if !self.target.is_empty() {
            put("target", json!(self.target));
        }
        if let Some(subject) = self.subject {
            put("digest", json!(subject.to_string()));
        }
        if let Some(plan) = self.plan {
            put("plan", json!(plan.to_string()));
        }
        if !self.context.is_empty() {
            put("context", Value::Object(self.context.clone()));
        }
        if let Some(duration) = self.duration {
            put("duration", json!(duration.to_string()));
        }
        Value::Object(object)
    }

    /// The intent's own digest: SHA-256 over `assent/intent/v1`, a zero byte and the canonical
    /// bytes (RFC 8785). The prefix keeps it from ever being the digest of something else.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[b"assent/intent/v1\0", &canonical::bytes(&self.to_json())])
    }
}

/// Whether this can be a kind.
pub(crate) fn is_dotted(kind: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    kind.len() <= 63 && kind.split('.').all(part)
}

/// Whether this can be an environment, or a name within a target.
pub fn is_label(text: &str) -> bool {
    !text.is_empty() && text.len() <= 63 && text.chars().all(crate::membership::is_name_character)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn stated(kind: &str, environment: &str) -> UnverifiedIntent {
        UnverifiedIntent {
            kind: kind.to_owned(),
            environment: environment.to_owned(),
            reason: "because".to_owned(),
            ..UnverifiedIntent::default()
        }
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let faults = UnverifiedIntent { kind: "Terraform Apply".into(), ..Default::default() }
            .verify()
            .unwrap_err();
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["kind", "environment", "reason"]);
    }

    #[test]
    fn the_digest_is_of_the_prefixed_canonical_bytes() {
        let intent = stated("terraform.apply", "production").verify().unwrap();
        let text = r#"{"environment":"production","kind":"terraform.apply","reason":"because"}"#;
        let wanted = Digest::of(format!("assent/intent/v1\0{text}").as_bytes());
        assert_eq!(intent.digest(), wanted);
    }

    #[test]
    fn two_contexts_with_one_canonical_form_are_one_intent_or_none() {
        let with = |context: &str| {
            let mut stated = stated("terraform.apply", "production");
            stated.context = serde_json::from_str(context).unwrap();
            stated.verify()
        };
        assert_eq!(with(r#"{"n": 1.0}"#), with(r#"{"n": 1}"#));
        let faults = with(r#"{"n": 9007199254740993}"#).unwrap_err();
        assert_eq!(faults[0].field, "context");
    }

    #[test]
    fn what_is_bound_to_a_thing_is_another_intent_but_states_the_same() {
        let stated = stated("terraform.apply", "production").verify().unwrap();
        let (subject, plan) = (Digest::of(b"plan"), Digest::of(b"{}"));
        let bound = stated.bound_to(subject, Some(plan));
        assert_eq!((bound.subject(), bound.plan()), (Some(subject), Some(plan)));
        assert_ne!(bound.digest(), stated.digest());
        assert_ne!(bound.digest(), stated.bound_to(subject, None).digest());
        assert_eq!(bound.stated(), stated);
        assert_eq!(stated.stated(), stated);
    }

    #[test]
    fn a_duration_is_whole_seconds_up_to_a_week() {
        for (millis, fits) in [
            (0, false),
            (999, false),
            (1_000, true),
            (1_500, false),
            (604_800_000, true),
            (604_801_000, false),
        ] {
            let mut stated = stated("terraform.apply", "production");
            stated.duration = Some(Span::from_millis(millis));
            assert_eq!(stated.verify().is_ok(), fits, "{millis}");
        }
    }

    #[test]
    fn t03_any_changed_field_is_another_intent() {
        let base = stated("terraform.apply", "production");
        let changed: [fn(&mut UnverifiedIntent); 8] = [
            |i| i.kind = "terraform.destroy".into(),
            |i| i.environment = "staging".into(),
            |i| i.reason = "because!".into(),
            |i| i.subject = Some(Digest::of(b"plan")),
            |i| i.plan = Some(Digest::of(b"plan")),
            |i| i.duration = Some(Span::minutes(5)),
            |i| drop(i.target.insert("workspace".into(), "orders".into())),
            |i| drop(i.context.insert("ticket".into(), json!(1))),
        ];
        let first = base.clone().verify().unwrap();
        let digest = first.digest();
        for (at, change) in changed.into_iter().enumerate() {
            let mut other = base.clone();
            change(&mut other);
            let other = other.verify().unwrap();
            assert_ne!(other.digest(), digest);
            assert_eq!(first.is_as(&other), at == 2, "only why it is asked may differ");
        }
    }
}

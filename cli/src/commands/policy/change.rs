//! How two rulings on one intent differ, in words.

use std::collections::BTreeMap;

use assent_client::wire::{Escalation, Ruling, Stage};
use assent_core::policy::ruling;
use serde::Serialize;

use crate::output::{Paint, clean};

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// `outcome`, `stage release/first`, `max_ttl`.
    pub(super) what: String,
    /// As it was; nothing, where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) was: Option<String>,
    /// As it is; nothing, where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is: Option<String>,
}

/// Everything that differs but the policy's revision: the outcome first, then by name.
pub(super) fn between(was: &ruling::Ruling, is: &ruling::Ruling) -> Vec<Change> {
    let (was, is) = (parts(&was.into()), parts(&is.into()));
    let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let change = |name: &(u8, String)| {
        let (was, is) = (was.get(name), is.get(name));
        (was != is).then(|| Change { what: name.1.clone(), was: was.cloned(), is: is.cloned() })
    };
    names.into_iter().filter_map(change).collect()
}

/// Everything a ruling says, in the order in which it is told.
fn parts(ruling: &Ruling) -> BTreeMap<(u8, String), String> {
    let mut parts = BTreeMap::new();
    let mut put = |rank: u8, what: &str, said: String| {
        parts.insert((rank, what.to_owned()), said);
    };
    put(0, "outcome", ruling.outcome.word().to_owned());
    put(1, "rules", ruling.rules.iter().cloned().collect::<Vec<_>>().join(", "));
    for reason in &ruling.reasons {
        put(2, &format!("reason {}", reason.rule), reason.message.clone());
    }
    for stage in &ruling.stages {
        put(3, &format!("stage {}", stage.name), in_words(stage));
    }
    if let Some(span) = &ruling.expires_after {
        put(4, "expires_after", span.clone());
    }
    if let Some(terms) = &ruling.credential {
        put(5, "max_ttl", terms.max_ttl.clone());
        put(5, "uses", terms.uses.to_string());
        put(5, "grant_window", terms.grant_window.clone());
        let audiences = terms.audiences.as_ref();
        put(
            5,
            "audiences",
            audiences.map_or("anybody".to_owned(), |all| {
                all.iter().cloned().collect::<Vec<_>>().join(", ")
            }),
        );
        for (what, said) in [
            ("broker", &terms.broker),
            ("role", &terms.role),
            ("dpop", &terms.dpop),
            ("heartbeat", &terms.heartbeat),
        ] {
            said.iter().for_each(|said| put(5, what, said.clone()));
        }
        if terms.reuse_within_run {
            put(5, "reuse_within_run", "true".to_owned());
        }
    }
    for review in &ruling.post_reviews {
        let said =
            format!("{} of {} within {}", review.approvals, review.by.join(", "), review.within);
        put(6, &format!("later review {}", review.rule), said);
    }
    if !ruling.notify.is_empty() {
        put(7, "notify", ruling.notify.join(", "));
    }
    if let Some(risk) = ruling.risk {
        let (least, most) = (risk.least, risk.most);
        let said = if least == most { least.to_string() } else { format!("{least} to {most}") };
        put(8, "risk", said);
    }
    parts
}

fn in_words(stage: &Stage) -> String {
    let mut text = format!("{} of {}", stage.approvals, stage.asks().join(", "));
    let mut add = |words: &str, what: &str| text.push_str(&format!(", {words} {what}"));
    if !stage.exclude.is_empty() {
        add("without", &stage.exclude.join(", "));
    }
    for (words, what) in [
        ("after", &stage.after),
        ("signed in within", &stage.login_within),
        ("signed with", &stage.signature.as_ref().map(ToString::to_string)),
        ("expires after", &stage.expires_after),
        ("reminded every", &stage.remind),
    ] {
        what.iter().for_each(|what| add(words, what));
    }
    if let Some(Escalation { after, to, then_expire_after }) = &stage.escalate {
        add(&format!("after {after} also"), &to.join(", "));
        then_expire_after.iter().for_each(|span| add("and expires after another", span));
    }
    text
}

/// Each change on its line.
pub(super) fn text(changes: &[Change], paint: Paint) -> String {
    let said = |said: &Option<String>| said.as_deref().map(clean);
    let line = |change: &Change| {
        let what = paint.faint(&clean(&change.what));
        match (said(&change.was), said(&change.is)) {
            (Some(was), Some(is)) => format!("  {what}: {was} → {is}"),
            (Some(was), None) => format!("  {what}: {} {was}", paint.bad("-")),
            (None, is) => format!("  {what}: {} {}", paint.good("+"), is.unwrap_or_default()),
        }
    };
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `alice, terraform.apply in production`.
pub(super) fn headline(recorded: &super::recorded::Recorded) -> String {
    let (intent, requester) = (&recorded.intent, &recorded.requester.id);
    clean(&format!("{requester}, {} in {}", intent.kind(), intent.environment()))
}

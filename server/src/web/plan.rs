//! A plan as people read it before they decide: what is destroyed first, and nothing left out.

use assent_core::wire::plan::{Change, Plan};

use crate::web::text::plain;

/// How many changes are shown at once; the others are one press away.
const AT_ONCE: usize = 30;
/// How many paths of one change are shown.
const PATHS: usize = 12;

/// A plan in words.
pub(super) struct PlanView {
    pub(super) digest: String,
    pub(super) headline: String,
    pub(super) warnings: Vec<String>,
    pub(super) first: Vec<ChangeLine>,
    pub(super) more: Vec<ChangeLine>,
    pub(super) outputs: String,
}

/// One change in words.
pub(super) struct ChangeLine {
    pub(super) what: String,
    pub(super) address: String,
    pub(super) notes: Vec<String>,
    pub(super) risky: bool,
}

impl PlanView {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut first: Vec<ChangeLine> = plan.changes.iter().map(ChangeLine::of).collect();
        let more = first.split_off(first.len().min(AT_ONCE));
        let outputs: Vec<_> = plan.outputs.iter().map(|output| plain(&output.name)).collect();
        Self {
            digest: plan.digest.clone(),
            headline: headline(plan),
            warnings: warnings(plan),
            first,
            more,
            outputs: outputs.join(", "),
        }
    }
}

fn headline(plan: &Plan) -> String {
    let facts = &plan.facts;
    let counts = [
        (facts.deletes, "to destroy"),
        (facts.replaces, "to replace"),
        (facts.updates, "to change"),
        (facts.creates, "to create"),
        (facts.forgets, "to forget"),
        (facts.imports, "to import"),
        (facts.moves, "to move"),
        (facts.deferred, "deferred"),
    ];
    let said: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if said.is_empty() { "No resource changes".to_owned() } else { said.join(", ") }
}

/// What a reader must not miss, and what is not known.
fn warnings(plan: &Plan) -> Vec<String> {
    let facts = &plan.facts;
    let mut warnings = Vec::new();
    let mut warn = |says: bool, text: &str| {
        if says {
            warnings.push(text.to_owned());
        }
    };
    warn(facts.errored == Some(true), "Planning failed halfway: this is not the whole plan.");
    warn(facts.complete == Some(false), "The plan leaves some of the configuration undone.");
    warn(facts.touches_iam == Some(true), "It touches who may do what.");
    warn(facts.touches_iam.is_none(), "Whether it touches who may do what is not known.");
    warn(facts.public_exposure == Some(true), "It opens something to everybody.");
    warn(facts.public_exposure.is_none(), "Whether it opens something to everybody is not known.");
    warn(facts.provisioners == Some(true), "It can run provisioners: programs of its own.");
    warn(facts.provisioners.is_none(), "Whether it runs provisioners is not known.");
    warn(facts.drifts > 0, "Something was changed outside of Terraform.");
    warnings
}

impl ChangeLine {
    fn of(change: &Change) -> Self {
        let does = |action: &str| change.actions.iter().any(|done| done == action);
        let what = match () {
            () if does("delete") && does("create") => "replace",
            () if does("delete") => "destroy",
            () if does("forget") && does("create") => "replace",
            () if does("forget") => "forget",
            () if does("update") => "change",
            () if does("create") => "create",
            () if does("read") => "read",
            () if change.importing => "import",
            () if change.previous_address.is_some() => "move",
            () => "nothing",
        };
        let marked = [change.touches_iam, change.public_exposure, change.provisioners];
        Self {
            what: what.to_owned(),
            address: plain(&change.address),
            notes: notes(change),
            risky: does("delete") || marked.contains(&Some(true)),
        }
    }
}

fn notes(change: &Change) -> Vec<String> {
    let mut notes = Vec::new();
    if change.touches_iam == Some(true) {
        notes.push("touches who may do what".to_owned());
    }
    if change.public_exposure == Some(true) {
        notes.push("opens something to everybody".to_owned());
    }
    if change.provisioners == Some(true) {
        notes.push("can run a provisioner".to_owned());
    }
    if !change.replace_reasons.is_empty() {
        notes.push(format!("because of {}", some(&change.replace_reasons)));
    }
    if let Some(before) = &change.previous_address {
        notes.push(format!("was {}", plain(before)));
    }
    if change.importing {
        notes.push("imported".to_owned());
    }
    if let Some(deposed) = &change.deposed {
        notes.push(format!("left over from before: {}", plain(deposed)));
    }
    if let Some(why) = &change.deferred {
        notes.push(format!("deferred: {}", plain(why)));
    }
    if !change.paths.is_empty() {
        notes.push(some(&change.paths));
    }
    notes
}

fn some(texts: &[String]) -> String {
    let shown: Vec<_> = texts.iter().take(PATHS).map(|text| plain(text)).collect();
    let more = texts.len().saturating_sub(PATHS);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join(", "))
}

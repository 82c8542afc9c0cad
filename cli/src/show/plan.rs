//! A plan in words, riskiest first.

use assent_core::plan::{Change, Facts, Plan, Risk};

use crate::output::{Paint, clean, facts};

/// The whole plan.
pub(crate) fn plan(plan: &Plan, paint: Paint) -> String {
    let mut parts = vec![head(plan, paint)];
    let something = plan.changes.iter().filter(|it| it.does_something());
    parts.extend(something.map(|it| change(it, paint)));
    if !plan.drift.is_empty() {
        parts.push(paint.strong("changed outside of Terraform"));
        parts.extend(plan.drift.iter().map(|it| change(it, paint)));
    }
    if !plan.outputs.is_empty() {
        let name = |it: &assent_core::plan::OutputChange| {
            format!("{} ({})", shown(&it.name, paint), it.actions.join(", "))
        };
        let names: Vec<_> = plan.outputs.iter().map(name).collect();
        parts.push(format!("{} {}", paint.strong("outputs"), names.join(", ")));
    }
    parts.join("\n")
}

fn head(plan: &Plan, paint: Paint) -> String {
    let told = &plan.facts;
    let version =
        told.terraform_version.as_deref().unwrap_or("(the plan does not say which version)");
    let mut lines = vec![
        (
            "made by",
            format!("Terraform {} (format {})", clean(version), clean(&told.format_version)),
        ),
        ("does", counts(told)),
        ("state", state(told, paint)),
    ];
    let risks: Vec<_> = [
        ("touches IAM", told.touches_iam),
        ("exposes to the public", told.public_exposure),
        ("can run provisioners", told.provisioners),
        ("tags only", told.tags_only),
    ]
    .into_iter()
    .map(|(name, fact)| format!("{name}: {}", answer(name, fact, paint)))
    .collect();
    lines.push(("facts", risks.join("\n")));
    lines.push(("digest", plan.digest.to_string()));
    format!("{}\n", facts(&lines, paint))
}

/// `1 destroyed, 2 created`
fn counts(facts: &Facts) -> String {
    let all = [
        (facts.deletes, "destroyed"),
        (facts.replaces, "replaced"),
        (facts.forgets, "forgotten"),
        (facts.updates, "updated"),
        (facts.creates, "created"),
        (facts.deferred, "deferred"),
        (facts.imports, "imported"),
        (facts.moves, "moved"),
        (facts.reads, "read"),
        (facts.drifts, "changed outside of Terraform"),
        (facts.outputs, "changed among the outputs"),
    ];
    let some = all.iter().filter(|(count, _)| *count > 0);
    let words: Vec<_> = some.map(|(count, word)| format!("{count} {word}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Whether it is a whole plan that can be applied.
fn state(facts: &Facts, paint: Paint) -> String {
    let mut words = Vec::new();
    if facts.errored == Some(true) {
        words.push(paint.bad("planning failed"));
    }
    words.push(match facts.complete {
        Some(true) => "complete".to_owned(),
        Some(false) => paint.bad("not complete: something of the configuration is left out"),
        None => paint.open("the plan does not say whether it is complete"),
    });
    match facts.applyable {
        Some(true) => {}
        Some(false) => words.push(paint.open("not applyable")),
        None => words.push(paint.open("the plan does not say whether it can be applied")),
    }
    words.join(", ")
}

/// `yes` in the colour of what it means.
fn answer(name: &str, fact: Option<bool>, paint: Paint) -> String {
    match fact {
        Some(true) if name == "tags only" => paint.good("yes"),
        Some(true) => paint.bad("yes"),
        Some(false) => "no".to_owned(),
        None => paint.open("unknown"),
    }
}

/// One change and, below it, why and what.
fn change(change: &Change, paint: Paint) -> String {
    let mut text = headline(change, paint);
    for line in details(change, paint) {
        text.push_str(&format!("\n{}{line}", " ".repeat(10)));
    }
    text
}

/// What is done, and to what.
pub(crate) fn headline(change: &Change, paint: Paint) -> String {
    let word = verb(change);
    let gap = " ".repeat(10_usize.saturating_sub(word.len()));
    let word = match change.risk() {
        Risk::Destroys | Risk::Replaces | Risk::Rights | Risk::Exposes => paint.bad(word),
        Risk::Provisions | Risk::Forgets | Risk::Deferred | Risk::Updates => paint.open(word),
        Risk::Creates => paint.good(word),
        Risk::Moves | Risk::Reads | Risk::Nothing => paint.faint(word),
    };
    format!("{word}{gap}{}", paint.strong(&shown(&change.address, paint)))
}

fn verb(change: &Change) -> &str {
    if change.replaces() {
        return "replace";
    }
    match change.actions.first().map(String::as_str) {
        Some("delete") => "destroy",
        Some("no-op") if change.importing => "import",
        Some("no-op") if change.previous_address.is_some() => "move",
        Some(action) => action,
        None => "nothing",
    }
}

fn details(change: &Change, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut put = |label: &str, text: String| lines.push(format!("{} {text}", paint.faint(label)));
    let risks = risks(change, paint);
    if !risks.is_empty() {
        put("risk:", risks.join(", "));
    }
    if change.replaces() {
        put("order:", change.actions.join(", then "));
    }
    if !change.replace_reasons.is_empty() {
        put("because of:", list(&change.replace_reasons, paint));
    } else if let Some(reason) = &change.reason {
        put("because:", clean(reason));
    }
    if !change.paths.is_empty() {
        put("alters:", list(&change.paths, paint));
    }
    if let Some(previous) = &change.previous_address {
        put("from:", shown(previous, paint));
    }
    if change.importing && !change.does("no-op") {
        put("imported:", "yes".to_owned());
    }
    if let Some(deposed) = &change.deposed {
        put("left over:", shown(deposed, paint));
    }
    if let Some(reason) = &change.deferred {
        put("deferred:", clean(reason));
    }
    lines
}

fn risks(change: &Change, paint: Paint) -> Vec<String> {
    let all = [
        (change.touches_iam, "touches IAM", "may touch IAM"),
        (change.public_exposure, "exposes to the public", "may expose to the public"),
        (change.provisioners, "can run a provisioner", "may run a provisioner"),
    ];
    let word = |(fact, yes, perhaps): &(Option<bool>, &str, &str)| match fact {
        Some(true) => Some(paint.bad(yes)),
        Some(false) => None,
        None => Some(paint.open(perhaps)),
    };
    all.iter().filter_map(word).collect()
}

fn list(texts: &[String], paint: Paint) -> String {
    texts.iter().map(|text| shown(text, paint)).collect::<Vec<_>>().join(", ")
}

/// A name from the plan; that an eye would not see all of it is said.
pub(crate) fn shown(text: &str, paint: Paint) -> String {
    let safe = clean(text);
    match safe == text {
        true => safe,
        false => format!("{safe} {}", paint.bad("(hidden characters)")),
    }
}

#[cfg(test)]
mod tests {
    use assent_core::plan::Limits;
    use serde_json::json;

    use super::*;

    fn read(name: &str) -> Plan {
        let path = format!("{}/../tests/plans/{name}", env!("CARGO_MANIFEST_DIR"));
        Plan::parse(&std::fs::read(path).unwrap(), &Limits::default()).unwrap()
    }

    #[test]
    fn a_plan_is_told_riskiest_first() {
        let text = plan(&read("own/made-many.json"), Paint::new(false));
        let wanted = "\
made by  Terraform 1.11.4 (format 1.2)
does     1 destroyed, 1 replaced, 1 forgotten, 2 updated, 1 created, 1 imported, 1 moved, 1 read, \
2 changed among the outputs
state    complete
facts    touches IAM: no
         exposes to the public: no
         can run provisioners: yes
         tags only: no
digest   sha256:411ce259aa9b11924fe141c7f62edbcfacd79d350b5b5d14fbc46daf492cd204

destroy   terraform_data.gone
          risk: may run a provisioner
          because: delete_because_no_resource_config
replace   terraform_data.plain
          risk: can run a provisioner
          order: create, then delete
          because of: replace_because_cannot_update, triggers_replace
          alters: id, output, triggers_replace
forget    terraform_data.left
          because: delete_because_no_resource_config
update    terraform_data.imported
          alters: input, output
          imported: yes
update    terraform_data.secret
          alters: input.name, output
create    terraform_data.cbd
move      terraform_data.new
          from: terraform_data.old
read      data.terraform_remote_state.later
          because: read_because_dependency_pending
outputs added (create), open (update)";
        assert_eq!(text, wanted);
    }

    #[test]
    fn nothing_to_do_is_said() {
        let text = plan(&read("own/made-empty.json"), Paint::new(false));
        assert!(text.contains("does     nothing\nstate    complete, not applyable"), "{text}");
    }

    #[test]
    fn t37_hidden_characters_of_a_plan_are_shown_escaped() {
        let given = json!({
            "format_version": "1.2",
            "planned_values": {},
            "resource_changes": [{
                "address": "aws_vpc.a[\"x\u{202e}\u{1b}[2J\"]",
                "mode": "managed", "type": "aws_vpc", "name": "a", "index": "x",
                "provider_name": "aws",
                "change": {"actions": ["update"], "before": {"k": {"\u{200b}": 1}}, "after": {"k": {}}},
            }],
            "output_changes": {"o\nkay": {"actions": ["create"]}},
        });
        let given = Plan::parse(given.to_string().as_bytes(), &Limits::default()).unwrap();
        let text = plan(&given, Paint::new(false));
        let all_seen = text.chars().all(|c| c == '\n' || assent_core::principal::is_visible(c));
        assert!(all_seen, "{text}");
        assert!(text.contains("aws_vpc.a[\"x\\u{202e}\\u{1b}[2J\"] (hidden characters)"), "{text}");
        assert!(text.contains("k[\"\\u{200b}\"] (hidden characters)"), "{text}");
        assert!(text.contains("o kay (hidden characters)"), "{text}");
    }
}

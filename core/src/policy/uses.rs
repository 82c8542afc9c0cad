//! What leans on a document: everything it gives a name, and who says that name elsewhere.

use std::collections::BTreeSet;
use std::fmt;

use crate::membership::Approver;
use crate::policy::attribute::Attribute;
use crate::policy::compile::{self, stages_of};
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{Effect, EngineText, Place, PolicyDocument, Rule};
use crate::policy::ruling::Addressee;

/// Something that has a name in a policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A group of people.
    Group(String),
    /// A calendar.
    Calendar(String),
    /// A rule.
    Rule(String),
    /// A module, or data for one.
    File(String),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(name) => write!(f, "group `{name}`"),
            Self::Calendar(name) => write!(f, "calendar `{name}`"),
            Self::Rule(name) => write!(f, "rule `{name}`"),
            Self::File(name) => write!(f, "`{name}`"),
        }
    }
}

/// One use of something that has a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// What is used.
    pub named: Named,
    /// By what: ``rule `prod` ``.
    pub by: String,
    /// Where that stands.
    pub place: Place,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is used by {} at {}", self.named, self.by, self.place)
    }
}

/// Everything in `others` that uses what `document` defines and they do not define themselves.
pub fn uses_of(document: &PolicyDocument, others: &[PolicyDocument]) -> Vec<Use> {
    let mut gone = defined(std::slice::from_ref(document));
    let still = defined(others);
    gone.retain(|named| !still.contains(named));
    if gone.is_empty() {
        return Vec::new();
    }
    let mut found = Found { gone, uses: BTreeSet::new() };
    // All together, because a condition is read only where the calendar it names is there.
    let all: Vec<PolicyDocument> = others.iter().chain([document]).cloned().collect();
    let written = compile::read(&all, &mut Vec::new());
    let is_other = |place: &Place| place.file != document.file;
    for rule in written.rules.iter().filter(|rule| is_other(&rule.place)) {
        found.see_rule(rule);
    }
    for factor in written.factors.iter().filter(|factor| is_other(&factor.place)) {
        let by = format!("risk factor `{}`", factor.value.id);
        found.see_conditions(&factor.value.when, &by, &factor.place);
    }
    for (_, half) in &written.halves {
        for placed in half.sections.owners.iter().filter(|placed| is_other(&placed.place)) {
            for owner in &placed.value.owners {
                found.see_approver(owner, "`owners`", &placed.place);
            }
        }
    }
    found.uses.into_iter().collect()
}

/// What these documents give a name that rules can say.
fn defined(documents: &[PolicyDocument]) -> BTreeSet<Named> {
    let mut all = BTreeSet::new();
    let written = compile::read(documents, &mut Vec::new());
    for (_, half) in &written.halves {
        all.extend(half.sections.groups.keys().cloned().map(Named::Group));
        all.extend(half.sections.calendars.keys().cloned().map(Named::Calendar));
    }
    all.extend(written.rules.iter().map(|rule| Named::Rule(rule.id.clone())));
    let files = documents.iter().filter(|file| file.is_attachment() && !file.is_test());
    let base = |file: &str| file.rsplit_once('/').map_or(file, |(_, name)| name).to_owned();
    all.extend(files.map(|file| Named::File(base(&file.file))));
    all
}

struct Found {
    gone: BTreeSet<Named>,
    uses: BTreeSet<Use>,
}

impl Found {
    fn see(&mut self, named: Named, by: &str, place: &Place) {
        if self.gone.contains(&named) {
            self.uses.insert(Use { named, by: by.to_owned(), place: place.clone() });
        }
    }

    fn see_rule(&mut self, rule: &Rule) {
        let by = &format!("rule `{}`", rule.id);
        self.see_conditions(&rule.when, by, &rule.place);
        for stage in stages_of(&rule.effect) {
            let escalated = stage.escalate.iter().flat_map(|escalation| &escalation.to);
            for approver in stage.from.iter().chain(&stage.exclude).chain(escalated) {
                self.see_approver(approver, by, &stage.place);
            }
        }
        match &rule.effect {
            Effect::Deny { notify, .. } => self.see_told(notify, by, &rule.place),
            Effect::Require(require) => self.see_told(&require.notify, by, &rule.place),
            Effect::Allow(allow) => {
                self.see_rules(&allow.waives, by);
                self.see_told(&allow.notify, by, &rule.place);
                let Some(review) = &allow.post_review else { return };
                self.see_rules(review.suspend.as_slice(), by);
                self.see_told(&review.notify, by, &review.place);
                for approver in &review.by {
                    self.see_approver(approver, by, &review.place);
                }
            }
            Effect::Ask(ask) => {
                self.see_rules(&ask.waives, by);
                if let EngineText::Rego { files, data, .. } = &ask.engine {
                    for (place, name) in files.iter().chain(data) {
                        self.see(Named::File(name.clone()), by, place);
                    }
                }
            }
        }
    }

    fn see_rules(&mut self, ids: &[(Place, String)], by: &str) {
        for (place, id) in ids {
            self.see(Named::Rule(id.clone()), by, place);
        }
    }

    fn see_told(&mut self, told: &BTreeSet<Addressee>, by: &str, place: &Place) {
        for addressee in told {
            if let Addressee::Approver(approver) = addressee {
                self.see_approver(approver, by, place);
            }
        }
    }

    fn see_approver(&mut self, approver: &Approver, by: &str, place: &Place) {
        if let Approver::Group(group) = approver {
            self.see(Named::Group(group.clone()), by, place);
        }
    }

    fn see_conditions(&mut self, conditions: &[Condition], by: &str, place: &Place) {
        let mut named = Vec::new();
        for condition in conditions {
            condition.each_test(&mut |attribute, test| match (attribute, test) {
                (Attribute::RequesterGroups, Test::Contains { items, .. }) => {
                    named.extend(items.iter().filter_map(|item| match item {
                        Constant::Text(group) => Some(Named::Group(group.clone())),
                        Constant::Boolean(_)
                        | Constant::Number(_)
                        | Constant::Span(_)
                        | Constant::Instant(_) => None,
                    }));
                }
                (_, Test::Within(calendar)) => {
                    named.extend(calendar.name.clone().map(Named::Calendar));
                }
                _ => {}
            });
        }
        for named in named {
            self.see(named, by, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\n";

    fn file(name: &str, text: &str) -> PolicyDocument {
        PolicyDocument { file: name.to_owned(), text: format!("{HEAD}{text}") }
    }

    /// Who uses what `document` defines, as told.
    #[track_caller]
    fn check(document: &str, other: &str, wanted: &[&str]) {
        let found = uses_of(&file("gone.yaml", document), &[file("policy/p.yaml", other)]);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, wanted);
    }

    #[test]
    fn each_way_to_use_a_group_is_one() {
        let group = "groups: {g: [person:bob]}";
        for (rule, by) in [
            ("require: {stages: [{approvals: 1, from: [group:g]}]}", "3:36"),
            ("require: {stages: [{approvals: 1, from: [person:a], exclude: [group:g]}]}", "3:36"),
            (
                "require: {stages: [{approvals: 1, from: [person:a]}], escalate: {after: 1m, to: [group:g]}}",
                "3:36",
            ),
            ("require: {stages: [{approvals: 1, from: [person:a]}], notify: [group:g]}", "3:9"),
            ("when: {requester.groups: {contains: g}}, allow: {}", "3:9"),
            ("deny: {message: m, notify: [group:g]}", "3:9"),
            ("allow: {notify: [group:g]}", "3:9"),
            ("allow: {post_review: {by: [group:g], within: 1h}}", "3:38"),
            (
                "allow: {post_review: {by: [person:a], within: 1h, if_missed: {notify: [group:g]}}}",
                "3:38",
            ),
        ] {
            let told = format!("group `g` is used by rule `r` at policy/p.yaml:{by}");
            check(group, &format!("rules: [{{id: r, {rule}}}]"), &[&told]);
        }
        check(
            group,
            "owners: [{target: {a: b}, owners: [group:g]}]",
            &["group `g` is used by `owners` at policy/p.yaml:3:10"],
        );
        check(group, "rules: [{id: g, allow: {notify: [group:h]}}]", &[]);
    }

    #[test]
    fn calendars_and_rules_are_used_too() {
        check(
            "calendars: {c: {days: [monday]}}",
            "rules: [{id: r, when: {now: {within: c}}, allow: {}}]",
            &["calendar `c` is used by rule `r` at policy/p.yaml:3:9"],
        );
        check(
            "calendars: {c: {days: [monday]}}",
            "risk: [{id: f, weight: 1, when: {now: {within: c}}}]",
            &["calendar `c` is used by risk factor `f` at policy/p.yaml:3:8"],
        );
        let rule = "rules: [{id: x, deny: {message: m, waivable: true}}]";
        check(
            rule,
            "rules: [{id: r, allow: {waives: [x]}}]",
            &["rule `x` is used by rule `r` at policy/p.yaml:3:34"],
        );
    }

    #[test]
    fn what_others_define_too_is_not_gone() {
        let group = "groups: {g: [person:bob]}";
        check(group, &format!("{group}\nrules: [{{id: r, allow: {{notify: [group:g]}}}}]"), &[]);
    }

    #[test]
    fn a_module_is_used_by_the_rule_that_asks_it() {
        let module =
            PolicyDocument { file: "api:/m.rego".to_owned(), text: "package m".to_owned() };
        let rule = "rules: [{id: r, ask: {engine: rego, dialect: assent, files: [m.rego]}}]";
        let found = uses_of(&module, &[file("api:/p.yaml", rule)]);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["`m.rego` is used by rule `r` at api:/p.yaml:3:62"]);
    }
}

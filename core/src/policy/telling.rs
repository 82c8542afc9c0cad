//! Rules as people read them: what must hold, what follows, and who is asked.

use std::collections::BTreeSet;

use crate::membership::Approver;
use crate::policy::calendar::Calendar;
use crate::policy::condition::{Condition, Order, Test};
use crate::policy::document::{Limits, Place};
use crate::policy::ruling::{PostReview, Stage};
use crate::policy::{Effect, Policy, Requiring, Rule};
use crate::time::Span;

/// One rule in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub rule: String,
    /// `deny`, `require`, `allow` or `ask`.
    pub effect: &'static str,
    /// Where it stands.
    pub place: Place,
    /// What its author says of it.
    pub description: Option<String>,
    /// What must hold, each in one sentence; nothing where it is for everything.
    pub when: Vec<String>,
    /// What follows, each in one sentence.
    pub then: Vec<String>,
    /// Who may approve by it.
    pub approvers: BTreeSet<Approver>,
}

impl Policy {
    /// Every rule in words, in order of id; groups and people are named like this.
    pub fn told(&self, named: impl Fn(&Approver) -> String) -> impl Iterator<Item = Told> {
        self.rules.iter().map(move |rule| Told {
            rule: rule.id.clone(),
            effect: rule.effect.word(),
            place: rule.place.clone(),
            description: rule.description.clone(),
            when: rule.when.iter().map(condition).collect(),
            then: follows(rule, &named),
            approvers: approvers(rule),
        })
    }

    /// The named calendars, in order.
    pub fn calendars(&self) -> impl Iterator<Item = (&str, &Calendar)> {
        self.records.calendars.iter().map(|(name, calendar)| (name.as_str(), &**calendar))
    }

    /// The named environments, in order.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.records.environments.keys().map(String::as_str)
    }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Test { attribute, test } => {
            format!("{} {}", called(&attribute.to_string()), tested(test))
        }
        Condition::Not(inner) => format!("not: {}", joined(inner, " and ")),
        Condition::Any(branches) => branched(branches, "; or "),
        Condition::All(branches) => branched(branches, "; and "),
    }
}

fn branched(branches: &[Vec<Condition>], word: &str) -> String {
    branches.iter().map(|branch| joined(branch, " and ")).collect::<Vec<_>>().join(word)
}

fn joined(conditions: &[Condition], word: &str) -> String {
    conditions.iter().map(condition).collect::<Vec<_>>().join(word)
}

/// The attributes that most rules look at have names that people use.
fn called(attribute: &str) -> String {
    let known = [
        ("intent.environment", "the environment"),
        ("intent.kind", "the kind"),
        ("intent.category", "the category"),
        ("environment.tier", "the tier of the environment"),
        ("requester.groups", "the requester's groups"),
        ("requester.kind", "the requester"),
        ("now", "now"),
    ];
    let name = known.iter().find(|(name, _)| *name == attribute).map(|(_, words)| *words);
    name.unwrap_or(attribute).to_owned()
}

fn tested(test: &Test) -> String {
    match test {
        Test::In(items) => match items.as_slice() {
            [one] => format!("is {one}"),
            many => {
                let each: Vec<_> = many.iter().map(ToString::to_string).collect();
                format!("is one of {}", each.join(", "))
            }
        },
        Test::Compare { order, bound } => {
            let word = match order {
                Order::Gt => "more than",
                Order::Gte => "at least",
                Order::Lt => "less than",
                Order::Lte => "at most",
            };
            format!("is {word} {bound}")
        }
        Test::Within(named) => match &named.name {
            Some(name) => format!("is within the calendar {name}"),
            None => format!("is within {}", named.calendar),
        },
        Test::Some(inner) => format!("has one with {}", joined(inner, " and ")),
        Test::Every(inner) => format!("has only those with {}", joined(inner, " and ")),
        Test::Not(inner) => format!("not: {}", tested(inner)),
        Test::Any(tests) => tests.iter().map(tested).collect::<Vec<_>>().join(" or "),
        Test::All(tests) => tests.iter().map(tested).collect::<Vec<_>>().join(" and "),
        other @ (Test::Contains { .. }
        | Test::Prefix(_)
        | Test::Suffix(_)
        | Test::Glob(_)
        | Test::Cidr(_)
        | Test::Exists(_)
        | Test::SameAs(_)) => other.to_string(),
    }
}

/// What groups and people are called.
type Named<'a> = &'a dyn Fn(&Approver) -> String;

fn follows(rule: &Rule, named: Named<'_>) -> Vec<String> {
    match &rule.effect {
        Effect::Deny { message, waivable, .. } => {
            let waived = waivable.then(|| "A rule that names it may waive it.".to_owned());
            [format!("It is refused: {message}")].into_iter().chain(waived).collect()
        }
        Effect::Require(requiring) => asked(requiring, named),
        Effect::Allow { waives, limits, post_review, .. } => {
            let mut then = vec!["It is allowed, and nobody is asked.".to_owned()];
            if !waives.is_empty() {
                let waives: Vec<_> = waives.iter().cloned().collect();
                then.push(format!("It waives {}.", waives.join(", ")));
            }
            then.extend(post_review.as_ref().map(|review| looked_at(review, named)));
            then.extend(limited(limits));
            then
        }
        Effect::Ask(asking) => {
            let mut then =
                vec!["An engine is asked; it may refuse, or want people asked:".to_owned()];
            then.extend(asked(&asking.stages, named));
            then
        }
    }
}

fn asked(requiring: &Requiring, named: Named<'_>) -> Vec<String> {
    let stages = requiring.stages.iter();
    let mut then: Vec<String> = stages.flat_map(|s| stage(s, requiring, named)).collect();
    let expires = requiring.expires_after.map(Span::in_words);
    then.extend(expires.map(|span| format!("People have {span}.")));
    then.extend(limited(&requiring.limits));
    then
}

fn all(some: &BTreeSet<Approver>, named: Named<'_>) -> String {
    some.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn stage(stage: &Stage, requiring: &Requiring, named: Named<'_>) -> Vec<String> {
    let people = if stage.approvals == 1 { "One person" } else { "people" };
    let count = match stage.approvals {
        1 => String::new(),
        many => format!("{many} "),
    };
    let owners = requiring.owners.contains(&stage.name).then(|| "the target's owners".to_owned());
    let elsewhere = stage.elsewhere.iter().map(ToString::to_string);
    let from: Vec<_> = stage.from.iter().map(named).chain(elsewhere).chain(owners).collect();
    let after = stage.after.as_ref().map(|after| format!(", after {after}")).unwrap_or_default();
    let verb = if stage.approvals == 1 { "approves" } else { "approve" };
    let mut then = vec![format!("{count}{people} of {} {verb}{after}.", from.join(", "))];
    if !stage.exclude.is_empty() {
        then.push(format!("Not {}.", all(&stage.exclude, named)));
    }
    let within = stage.login_within.map(Span::in_words);
    then.extend(within.map(|span| format!("They signed in at most {span} before.")));
    for (by, lists) in [("of class", &stage.means.acr), ("by", &stage.means.amr)] {
        let any = |list: &BTreeSet<String>| list.iter().cloned().collect::<Vec<_>>().join(" or ");
        then.extend(lists.iter().map(|list| format!("They signed in {by} {}.", any(list))));
    }
    then.extend(stage.signature.map(|demand| format!("They sign with {demand}.")));
    let remind = stage.remind.map(Span::in_words);
    then.extend(remind.map(|span| format!("They are told again every {span}.")));
    if let Some(escalation) = &stage.escalate {
        let to = all(&escalation.to, named);
        then.push(format!("After {}, {to} too.", escalation.after.in_words()));
    }
    then
}

fn looked_at(review: &PostReview, named: Named<'_>) -> String {
    let late = review.suspend.as_ref().map(|rule| format!("; until then {rule} does not match"));
    format!(
        "Afterwards {} of {} look at it within {}{}.",
        review.approvals,
        all(&review.by, named),
        review.within.in_words(),
        late.map(|late| format!(", and if they do not{late}")).unwrap_or_default(),
    )
}

fn limited(limits: &Limits) -> Vec<String> {
    let mut then = Vec::new();
    let longest = limits.max_ttl.map(Span::in_words);
    then.extend(longest.map(|span| format!("A credential lasts at most {span}.")));
    then.extend(limits.uses.map(|uses| match uses {
        1 => "One credential.".to_owned(),
        many => format!("Up to {many} credentials."),
    }));
    if let Some(audiences) = &limits.audiences {
        let all: Vec<_> = audiences.iter().cloned().collect();
        then.push(format!("Only for {}.", all.join(", ")));
    }
    then.extend(limits.broker.as_ref().map(|broker| format!("The broker {broker} opens it.")));
    then
}

fn approvers(rule: &Rule) -> BTreeSet<Approver> {
    let of = |requiring: &Requiring| -> BTreeSet<Approver> {
        let stages = requiring.stages.iter();
        let each = stages.flat_map(|stage| {
            stage.from.iter().chain(stage.escalate.iter().flat_map(|escalation| &escalation.to))
        });
        each.cloned().collect()
    };
    match &rule.effect {
        Effect::Require(requiring) => of(requiring),
        Effect::Ask(asking) => of(&asking.stages),
        Effect::Allow { post_review, .. } => {
            post_review.iter().flat_map(|review| review.by.iter().cloned()).collect()
        }
        Effect::Deny { .. } => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::PolicyDocument;

    fn told(text: &str) -> Vec<Told> {
        let head = "apiVersion: assent/v1\nkind: Policy\n\
            groups: {a: [person:bob, person:carol], leads: [person:lena]}\n";
        let text = format!("{head}{text}");
        let policy = Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]);
        policy.unwrap().told(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_is_told_in_sentences() {
        let all = told(
            "rules:\n\
             - id: big\n  description: Large changes\n\
             \x20 when: {intent.environment: production, plan.deletes: {gt: 3}}\n\
             \x20 require: {stages: [{name: look, approvals: 2, from: [group:a]}], \
             escalate: {after: 30m, to: [group:leads]}, request_expires: 4h}\n\
             - id: freeze\n  when: {intent.kind: {in: [db.drop, db.grant]}}\n\
             \x20 deny: {message: not now, waivable: true}\n\
             - id: glass\n  when: {requester.groups: {contains: leads}}\n\
             \x20 allow: {waives: [freeze], post_review: {approvals: 1, by: [group:a], within: 24h}}\n",
        );
        let [big, freeze, glass] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(big.description.as_deref(), Some("Large changes"));
        assert_eq!(big.when, ["the environment is production", "plan.deletes is more than 3"]);
        assert_eq!(
            big.then,
            ["2 people of group:a approve.", "After 30 min, group:leads too.", "People have 4 h."]
        );
        let approvers: Vec<_> = big.approvers.iter().map(ToString::to_string).collect();
        assert_eq!(approvers, ["group:a", "group:leads"]);
        assert_eq!(freeze.when, ["the kind is one of db.drop, db.grant"]);
        assert_eq!(freeze.then, ["It is refused: not now", "A rule that names it may waive it."]);
        assert_eq!(glass.when, ["the requester's groups contains leads"]);
        assert_eq!(
            glass.then,
            [
                "It is allowed, and nobody is asked.",
                "It waives freeze.",
                "Afterwards 1 of group:a look at it within 1 d."
            ]
        );
    }
}

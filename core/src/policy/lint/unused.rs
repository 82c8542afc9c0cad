//! What has a name that nobody says.

use std::collections::BTreeSet;

use crate::membership::Approver;
use crate::policy::attribute::Attribute;
use crate::policy::compile::{Written, stages_of};
use crate::policy::condition::{Constant, Test};
use crate::policy::document::{Effect, Rule};
use crate::policy::lint::Findings;
use crate::policy::ruling::Addressee;

pub(super) fn look(written: &Written<'_>, findings: &mut Findings) {
    let mut used = Used::default();
    written.rules.iter().for_each(|rule| used.see(rule));
    for factor in &written.factors {
        used.see_conditions(&factor.value.when);
    }
    for (_, half) in &written.halves {
        used.groups.extend(half.sections.owner.as_deref().and_then(group_named));
        for owner in half.sections.owners.iter().flat_map(|placed| &placed.value.owners) {
            used.see_approver(owner);
        }
    }
    for (_, half) in &written.halves {
        for (name, group) in &half.sections.groups {
            if !used.groups.contains(name.as_str()) && !used.spoken.contains(name) {
                let message = format!("group `{name}` is never used");
                findings.warning("unused-group", &group.place, message);
            }
        }
        for (name, placed) in &half.sections.calendars {
            if !used.calendars.contains(name.as_str()) {
                let message =
                    format!("calendar `{name}` is never used; test `now: {{within: {name}}}`");
                findings.warning("unused-calendar", &placed.place, message);
            }
        }
        if let (Some(first), false) = (half.sections.owners.first(), used.owners) {
            let message = "owners are never asked: no stage is `from: [owners_of(target)]`";
            findings.warning("unused-owners", &first.place, message);
        }
    }
    let tests_risk = used.risk;
    if let (Some(first), false) = (written.factors.first(), tests_risk) {
        let message = "no rule tests `risk.score`, so what is risky changes no ruling";
        findings.warning("unused-risk", &first.place, message);
    }
}

fn group_named(owner: &str) -> Option<&str> {
    owner.strip_prefix("group:")
}

/// What rules speak of.
#[derive(Default)]
struct Used<'w> {
    groups: BTreeSet<&'w str>,
    /// Groups that conditions name.
    spoken: BTreeSet<String>,
    calendars: BTreeSet<String>,
    owners: bool,
    risk: bool,
}

impl<'w> Used<'w> {
    fn see(&mut self, rule: &'w Rule) {
        self.see_conditions(&rule.when);
        for stage in stages_of(&rule.effect) {
            self.owners |= stage.owners;
            let escalated = stage.escalate.iter().flat_map(|escalation| &escalation.to);
            let named = stage.from.iter().chain(&stage.exclude).chain(escalated);
            named.for_each(|approver| self.see_approver(approver));
        }
        let notify = match &rule.effect {
            Effect::Deny { notify, .. } => notify,
            Effect::Require(require) => &require.notify,
            Effect::Allow(allow) => {
                if let Some(review) = &allow.post_review {
                    review.by.iter().for_each(|approver| self.see_approver(approver));
                    review.notify.iter().for_each(|told| self.see_addressee(told));
                }
                &allow.notify
            }
            Effect::Ask(_) => return,
        };
        notify.iter().for_each(|told| self.see_addressee(told));
    }

    fn see_addressee(&mut self, told: &'w Addressee) {
        if let Addressee::Approver(approver) = told {
            self.see_approver(approver);
        }
    }

    fn see_approver(&mut self, approver: &'w Approver) {
        if let Approver::Group(group) = approver {
            self.groups.insert(group);
        }
    }

    fn see_conditions(&mut self, conditions: &'w [crate::policy::condition::Condition]) {
        for condition in conditions {
            let mut groups = BTreeSet::new();
            condition.each_test(&mut |attribute, test| match (attribute, test) {
                (Attribute::RequesterGroups, Test::Contains { items, .. }) => {
                    groups.extend(items.iter().filter_map(|item| {
                        let Constant::Text(text) = item else { return None };
                        Some(text.clone())
                    }));
                }
                (Attribute::Risk, _) => self.risk = true,
                (_, Test::Within(named)) => self.calendars.extend(named.name.clone()),
                _ => {}
            });
            self.spoken.extend(groups);
        }
    }
}

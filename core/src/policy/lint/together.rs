//! Rules beside each other: twice the same, never heard, one person where two were meant.

use std::collections::BTreeSet;

use crate::membership::Approver;
use crate::policy::attribute::Attribute;
use crate::policy::compile::stages_of;
use crate::policy::condition::{Condition, Constant, Test};
use crate::policy::document::{AllowText, Effect, Rule, StageText};
use crate::policy::lint::satisfy::conflict;
use crate::policy::lint::{Context, Findings};
use crate::principal::PrincipalId;
use crate::time::Span;

/// What breaks the glass opens for an hour at most.
const LONGEST_BREAK_GLASS: Span = Span::hours(1);

pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    for (at, rule) in context.rules.iter().enumerate() {
        let before = context.rules.iter().take(at);
        if let Some(same) = before.into_iter().find(|other| says_the_same(other, rule)) {
            let (id, place) = (&same.id, &same.place);
            let message = format!(
                "rule `{}` says the same as `{id}` at {}:{}; one of them can go",
                rule.id, place.file, place.line
            );
            findings.warning("duplicate", &rule.place, message);
        }
        shadowed(context, rule, findings);
        match &rule.effect {
            Effect::Allow(allow) => {
                let alone = allow.post_review.is_none();
                waived_alone(context, rule, &allow.waives, alone, "nobody", findings);
                break_glass(context, rule, allow, findings);
            }
            Effect::Ask(ask) => {
                waived_alone(context, rule, &ask.waives, true, "an engine alone", findings);
                people(context, rule, findings);
            }
            Effect::Require(_) => people(context, rule, findings),
            Effect::Deny { .. } => {}
        }
    }
}

/// Whether each condition of one stands in the other too: then it holds wherever the other does.
fn is_part_of(one: &[Condition], other: &[Condition]) -> bool {
    one.iter().all(|condition| other.contains(condition))
}

fn says_the_same(one: &Rule, other: &Rule) -> bool {
    let same_when = is_part_of(&one.when, &other.when) && is_part_of(&other.when, &one.when);
    let ids = |allow: &AllowText| -> BTreeSet<String> {
        allow.waives.iter().map(|(_, id)| id.clone()).collect()
    };
    same_when
        && match (&one.effect, &other.effect) {
            (Effect::Deny { waivable: a, .. }, Effect::Deny { waivable: b, .. }) => a == b,
            (Effect::Require(a), Effect::Require(b)) => {
                a.stages.len() == b.stages.len()
                    && a.stages.iter().zip(&b.stages).all(|(a, b)| asks_the_same(a, b))
                    && a.limits == b.limits
            }
            (Effect::Allow(a), Effect::Allow(b)) => {
                let reviewed = [a, b].map(|allow| allow.post_review.is_some());
                ids(a) == ids(b) && a.limits == b.limits && reviewed == [false, false]
            }
            _ => false,
        }
}

fn asks_the_same(one: &StageText, other: &StageText) -> bool {
    one.approvals == other.approvals
        && one.from == other.from
        && one.owners == other.owners
        && one.exclude == other.exclude
}

/// A rule that matches only where a deny does that nothing lifts.
fn shadowed(context: &Context<'_>, rule: &Rule, findings: &mut Findings) {
    if matches!(rule.effect, Effect::Deny { .. }) {
        return;
    }
    let lifted = |id: &str| {
        context.rules.iter().any(|rule| match &rule.effect {
            Effect::Allow(allow) => allow.waives.iter().any(|(_, waived)| waived == id),
            Effect::Ask(ask) => ask.waives.iter().any(|(_, waived)| waived == id),
            Effect::Deny { .. } | Effect::Require(_) => false,
        })
    };
    let refuses = |other: &&Rule| {
        matches!(other.effect, Effect::Deny { .. })
            && !lifted(&other.id)
            && is_part_of(&other.when, &rule.when)
    };
    if let Some(deny) = context.rules.iter().find(refuses) {
        let message = format!(
            "rule `{}` is never heard: `{}` refuses wherever it matches, and nothing waives that",
            rule.id, deny.id
        );
        findings.warning("shadowed", &rule.place, message);
    }
}

/// Waivers of what two people must approve, where nobody looks at it later.
fn waived_alone(
    context: &Context<'_>,
    rule: &Rule,
    waives: &[(crate::policy::document::Place, String)],
    alone: bool,
    who: &str,
    findings: &mut Findings,
) {
    let is_waived = |id: &str| waives.iter().any(|(_, waived)| waived == id);
    for (place, id) in waives.iter().filter(|_| alone) {
        let Some(waived) = context.rule(id) else { continue };
        let asked = approvals(waived);
        if asked < 2 || conflict(context, &[&rule.when, &waived.when]).is_some() {
            continue;
        }
        let both: Vec<Condition> = rule.when.iter().chain(&waived.when).cloned().collect();
        let others = context.rules.iter().filter(|other| {
            !is_waived(&other.id)
                && matches!(other.effect, Effect::Require(_))
                && is_part_of(&other.when, &both)
        });
        let others: Vec<&Rule> = others.filter(|other| approvals(other) > 0).collect();
        let instead = match others.as_slice() {
            [] => format!("{who} is asked instead"),
            [other] if approvals(other) == 1 => {
                format!("only 1 person is still asked, by `{}`", other.id)
            }
            _ => continue,
        };
        let message = format!(
            "`{id}` asks for {asked} people, and where `{}` waives that, {instead}: \
             have it reviewed afterwards (`post_review`), or waive less",
            rule.id
        );
        findings.warning("waives-two", place, message);
    }
}

fn approvals(rule: &Rule) -> u32 {
    match &rule.effect {
        Effect::Require(require) => require.stages.iter().map(|stage| stage.approvals).sum(),
        Effect::Deny { .. } | Effect::Allow(_) | Effect::Ask(_) => 0,
    }
}

fn break_glass(context: &Context<'_>, rule: &Rule, allow: &AllowText, findings: &mut Findings) {
    let Some(review) = &allow.post_review else { return };
    let stated = allow.limits.max_ttl.unwrap_or(context.written.defaults.terms.max_ttl);
    if stated > LONGEST_BREAK_GLASS {
        let message = format!(
            "what `{}` opens stays open for {stated} before anybody has looked; \
             an hour (`credential: {{max_ttl: 1h}}`) is the most that is sensible",
            rule.id
        );
        findings.warning("long-break-glass", &rule.place, message);
    }
    if review.suspend.is_none() {
        let message = format!(
            "nothing follows when the later review of `{}` is missed: \
             add `if_missed: {{suspend: {}}}`",
            rule.id, rule.id
        );
        findings.warning("review-without-consequence", &review.place, message);
    } else if review.suspend.as_ref().is_some_and(|(_, id)| *id != rule.id) {
        let message = format!(
            "when the later review of `{}` is missed, another rule is suspended and not itself",
            rule.id
        );
        findings.warning("review-without-consequence", &review.place, message);
    }
}

/// Stages that those who ask would have to fill themselves.
fn people(context: &Context<'_>, rule: &Rule, findings: &mut Findings) {
    let requesters = Requesters::of(context, &rule.when);
    if matches!(requesters, Requesters::Workloads) {
        return;
    }
    for stage in stages_of(&rule.effect) {
        let Some(people) = countable(context, stage) else { continue };
        let enough = |without: &PrincipalId| {
            people.iter().filter(|who| **who != without).count() >= stage.approvals as usize
        };
        let stuck: BTreeSet<&PrincipalId> =
            people.iter().copied().filter(|who| requesters.may_be(who) && !enough(who)).collect();
        let Some(one) = stuck.first() else { continue };
        let told = match &requesters {
            Requesters::Named(_) => {
                format!("stage `{}` waits for `{one}`, who asks and so never counts", stage.name)
            }
            Requesters::Anybody | Requesters::Workloads => format!(
                "when `{one}` asks, nobody can fill stage `{}`: it needs everybody it names; \
                 name one more, or let it escalate",
                stage.name
            ),
        };
        findings.warning("approver-asks", &stage.place, told);
    }
}

/// The people who can fill a stage, where they are known and nobody can step in.
fn countable<'w>(context: &Context<'w>, stage: &'w StageText) -> Option<BTreeSet<&'w PrincipalId>> {
    let vouched = |approver: &Approver| match approver {
        Approver::Group(group) => context.membership.is_kept_elsewhere(group),
        Approver::Person(_) => false,
    };
    if stage.owners || stage.escalate.is_some() || stage.from.iter().any(vouched) {
        return None;
    }
    let excluded = context.membership.people(&stage.exclude);
    let mut people = context.membership.people(&stage.from);
    people.retain(|who| !excluded.contains(who));
    Some(people)
}

/// Whose requests a rule speaks of.
enum Requesters {
    Anybody,
    Workloads,
    Named(BTreeSet<String>),
}

impl Requesters {
    fn of(context: &Context<'_>, when: &[Condition]) -> Self {
        let mut named = None;
        for condition in when {
            let Condition::Test { attribute, test } = condition else { continue };
            match (attribute, test) {
                (Attribute::RequesterKind, Test::In(kinds))
                    if *kinds == [Constant::Text("workload".to_owned())] =>
                {
                    return Self::Workloads;
                }
                (Attribute::RequesterSub, Test::In(subs)) => named = Some(texts(subs)),
                (Attribute::RequesterGroups, Test::Contains { items, .. }) => {
                    let groups = texts(items);
                    let members =
                        groups.iter().filter_map(|group| context.membership.members(group));
                    let subs: BTreeSet<_> =
                        members.flatten().map(|who| who.sub().to_owned()).collect();
                    named.get_or_insert(subs);
                }
                _ => {}
            }
        }
        named.map_or(Self::Anybody, Self::Named)
    }

    fn may_be(&self, who: &PrincipalId) -> bool {
        match self {
            Self::Anybody => true,
            Self::Workloads => false,
            Self::Named(subs) => subs.contains(who.sub()),
        }
    }
}

fn texts(constants: &[Constant]) -> BTreeSet<String> {
    let text = |constant: &Constant| match constant {
        Constant::Text(text) => Some(text.clone()),
        Constant::Boolean(_) | Constant::Number(_) | Constant::Span(_) | Constant::Instant(_) => {
            None
        }
    };
    constants.iter().filter_map(text).collect()
}

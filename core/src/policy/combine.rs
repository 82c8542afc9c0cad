//! How what the rules said becomes one ruling.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::endorsement::Question;
use crate::id::RequestId;
use crate::membership::Approver;
use crate::policy::condition::{self, Truth};
use crate::policy::document::{self, Limits};
use crate::policy::opinion::Opinion;
use crate::policy::risk::Score;
use crate::policy::ruling::{
    Addressee, Elsewhere, Escalation, Outcome, PostReview, Reason, Requirement, Ruling, Stage,
    Terms,
};
use crate::policy::situation::Facts;
use crate::policy::{Asking, Defaults, Effect, Requiring, Rule};
use crate::signal::Concern;
use crate::time::Span;

/// The longest address that a server of ours is reached by.
const LONGEST_AUTHORITY: usize = 255;
/// The name under which a suspended requester is refused.
const SUSPENDED: &str = "suspended";

/// What the rules said, before it is weighed. Every field is a set or a minimum, so the order in
/// which rules are heard leaves no trace.
pub(super) struct Said<'a> {
    facts: &'a Facts<'a>,
    denies: BTreeMap<&'a str, Denying<'a>>,
    /// Reasons that nothing waives: what could not be settled, and what engines say.
    standing: BTreeSet<Reason>,
    requires: BTreeMap<&'a str, Asked<'a>>,
    allows: BTreeMap<&'a str, &'a Limits>,
    /// Limits of allows that cannot be settled: they permit nothing, but narrow what is.
    hints: Vec<&'a Limits>,
    waived: BTreeSet<&'a str>,
    /// Who is told if it is granted, and who if it is refused: by denies that cannot be settled.
    notify: BTreeSet<&'a Addressee>,
    alarmed: BTreeSet<&'a Addressee>,
    post_reviews: BTreeSet<&'a PostReview>,
}

/// What one deny says.
struct Denying<'a> {
    message: &'a str,
    waivable: bool,
    notify: &'a BTreeSet<Addressee>,
}

/// What one require asks for.
struct Asked<'a> {
    what: &'a Requiring,
    /// Whether its conditions hold. One that cannot be settled asks all the same, but what it says
    /// of limits only narrows: a missing attribute never permits more.
    settled: bool,
}

impl<'a> Said<'a> {
    pub(super) fn new(facts: &'a Facts<'a>) -> Self {
        let mut said = Self {
            facts,
            denies: BTreeMap::new(),
            standing: BTreeSet::new(),
            requires: BTreeMap::new(),
            allows: BTreeMap::new(),
            hints: Vec::new(),
            waived: BTreeSet::new(),
            notify: BTreeSet::new(),
            alarmed: BTreeSet::new(),
            post_reviews: BTreeSet::new(),
        };
        // No rule has to say it, and none can waive it.
        if facts.situation.known.concerns.requester.contains(&Concern::Suspended) {
            let message = "the requester, or somebody it acts for, is suspended";
            said.stand(SUSPENDED.to_owned(), message.to_owned());
        }
        said
    }

    pub(super) fn hear(&mut self, rule: &'a Rule, truth: Truth) {
        let settled = truth == Truth::True;
        match (&rule.effect, truth) {
            (_, Truth::False) => {}
            (Effect::Deny { notify, .. }, Truth::Unknown) => {
                let message = unsettled(rule, self.facts);
                self.stand(format!("indeterminate:{}", rule.id), message);
                self.alarmed.extend(notify);
            }
            (Effect::Deny { message, waivable, notify }, Truth::True) => {
                let waivable = *waivable;
                self.denies.insert(&rule.id, Denying { message, waivable, notify });
            }
            (Effect::Require(what), Truth::True | Truth::Unknown) => {
                self.requires.insert(&rule.id, Asked { what, settled });
            }
            (Effect::Allow { limits, .. }, Truth::Unknown) => self.hints.push(limits),
            (Effect::Allow { .. }, Truth::True)
                if self.facts.situation.known.suspended.contains(&rule.id) => {}
            (Effect::Allow { waives, limits, notify, post_review }, Truth::True) => {
                self.allows.insert(&rule.id, limits);
                self.waived.extend(waives.iter().map(String::as_str));
                self.notify.extend(notify);
                self.post_reviews.extend(post_review);
            }
            (Effect::Ask(asking), Truth::True | Truth::Unknown) => {
                self.hear_engine(&rule.id, asking, settled);
            }
        }
    }

    /// An engine adds a deny or a require, or satisfies the waivers its rule names.
    fn hear_engine(&mut self, rule: &'a str, asking: &'a Asking, settled: bool) {
        match self.facts.situation.known.opinions.get(rule) {
            None => self.stand(format!("error:{rule}"), "its engine was not asked".to_owned()),
            Some(Opinion::Failed { reason }) => {
                self.stand(format!("error:{rule}"), reason.clone());
            }
            Some(Opinion::Answered { denies, warns, allows }) => {
                for message in denies {
                    self.stand(rule.to_owned(), message.clone());
                }
                if !warns.is_empty() && asking.stages.stages.is_empty() {
                    let message =
                        format!("it warns, and names nobody to ask: {}", warns.join("; "));
                    self.stand(rule.to_owned(), message);
                } else if !warns.is_empty() {
                    self.requires.insert(rule, Asked { what: &asking.stages, settled });
                }
                if *allows && settled {
                    self.waived.extend(asking.waives.iter().map(String::as_str));
                }
            }
        }
    }

    fn stand(&mut self, rule: String, message: String) {
        self.standing.insert(Reason { rule, message });
    }

    pub(super) fn ruling(
        mut self,
        defaults: &Defaults,
        policy: Digest,
        risk: Option<Score>,
    ) -> Ruling {
        let waived = std::mem::take(&mut self.waived);
        self.denies.retain(|id, deny| !(deny.waivable && waived.contains(id)));
        self.requires.retain(|id, _| !waived.contains(id));
        let (rules, outcome) = self.outcome(defaults);
        if matches!(outcome, Outcome::Refuse(_)) {
            let denied = self.denies.values().flat_map(|deny| deny.notify);
            let notify = denied.chain(self.alarmed).cloned().collect();
            return Ruling { outcome, rules, notify, post_reviews: Vec::new(), risk, policy };
        }
        let asked = self.requires.values().flat_map(|asked| &asked.what.notify);
        let notify = asked.chain(self.notify).cloned().collect();
        let post_reviews = self.post_reviews.into_iter().cloned().collect();
        Ruling { outcome, rules, notify, post_reviews, risk, policy }
    }

    fn outcome(&self, defaults: &Defaults) -> (BTreeSet<String>, Outcome) {
        let refuse = |reasons: Vec<Reason>| {
            let rules = reasons.iter().map(|reason| reason.rule.clone()).collect();
            (rules, Outcome::Refuse(reasons))
        };
        let reasons = self.reasons();
        if !reasons.is_empty() {
            return refuse(reasons);
        }
        if self.requires.is_empty() && self.allows.is_empty() {
            let (rule, message) = (document::DEFAULT_DENY, "no rule allows this");
            return refuse(vec![Reason { rule: rule.to_owned(), message: message.to_owned() }]);
        }
        let terms = match self.terms(defaults) {
            Ok(terms) => terms,
            Err(reason) => return refuse(vec![reason]),
        };
        let rules = self.requires.keys().chain(self.allows.keys());
        let rules = rules.map(|id| (*id).to_owned()).collect();
        if self.requires.is_empty() {
            return (rules, Outcome::Permit(terms));
        }
        match self.requirement(defaults, terms) {
            Ok(requirement) => (rules, Outcome::Require(requirement)),
            Err(reasons) => refuse(reasons),
        }
    }

    fn reasons(&self) -> Vec<Reason> {
        let denied = self
            .denies
            .iter()
            .map(|(id, deny)| Reason { rule: (*id).to_owned(), message: deny.message.to_owned() });
        denied.chain(self.standing.iter().cloned()).collect()
    }

    fn terms(&self, defaults: &Defaults) -> Result<Terms, Reason> {
        let of_requires = |settled| {
            let asked = self.requires.values().filter(move |asked| asked.settled == settled);
            asked.map(|asked| &asked.what.limits)
        };
        let stated: Vec<_> = of_requires(true).chain(self.allows.values().copied()).collect();
        let hints: Vec<_> = of_requires(false).chain(self.hints.iter().copied()).collect();
        let base = Limits {
            max_ttl: Some(defaults.terms.max_ttl),
            uses: Some(defaults.terms.uses),
            audiences: defaults.terms.audiences.clone(),
            grant_window: Some(defaults.terms.grant_window),
            ..Limits::default()
        };
        let all = || stated.iter().chain(&hints).copied();
        let audiences = all().filter_map(|limits| limits.audiences.clone());
        Ok(Terms {
            max_ttl: least(&stated, &hints, |l| l.max_ttl, &base).unwrap_or(Span::ZERO),
            grant_window: least(&stated, &hints, |l| l.grant_window, &base).unwrap_or(Span::ZERO),
            uses: least(&stated, &hints, |l| l.uses, &base).unwrap_or(0),
            audiences: audiences.chain(base.audiences).reduce(|all, more| &all & &more),
            broker: agreed("broker", all().filter_map(|limits| limits.broker.as_ref()))?,
            role: agreed("role", all().filter_map(|limits| limits.role.as_ref()))?,
            heartbeat: all().filter_map(|limits| limits.heartbeat).min(),
            reuse_within_run: reuses(&stated, &hints),
            dpop: all().find_map(|limits| limits.dpop),
        })
    }

    fn requirement(&self, defaults: &Defaults, terms: Terms) -> Result<Requirement, Vec<Reason>> {
        let mut unowned = Vec::new();
        let mut stages: Vec<Found<'_>> = Vec::new();
        // Rules of one stage come last: what they ask for may stand at the beginning of another's.
        let (alone, many): (Vec<_>, Vec<_>) =
            self.requires.values().partition(|asked| asked.what.stages.len() == 1);
        for asked in &many {
            stages.extend(self.stages(asked.what, &mut unowned));
        }
        for stage in alone.iter().flat_map(|asked| self.stages(asked.what, &mut unowned)) {
            match stages.iter_mut().find(|other| asks_the_same(other, &stage)) {
                Some(same) => join(&mut same.stage, stage.stage),
                None => stages.push(stage),
            }
        }
        let stages = stages.into_iter().map(|found| found.stage).collect();
        if !unowned.is_empty() {
            return Err(unowned);
        }
        let spans = |settled| {
            let asked = self.requires.values().filter(move |asked| asked.settled == settled);
            asked.filter_map(|asked| asked.what.expires_after)
        };
        let stated = spans(true).min().unwrap_or(defaults.request_expires);
        let expires_after = spans(false).chain([stated]).min().unwrap_or(stated);
        Ok(Requirement { stages, expires_after, terms })
    }

    /// A rule's stages, each with the target's owners where it asks for them. A target that nobody
    /// owns could never be approved: that is told at once.
    fn stages<'r>(&self, what: &'r Requiring, unowned: &mut Vec<Reason>) -> Vec<Found<'r>> {
        let owned = |written: &'r Stage| {
            let (mut stage, named) = (written.clone(), &written.from);
            let owners = what.owners.contains(&stage.name);
            if owners {
                stage
                    .from
                    .extend(self.facts.records.owners_of(self.facts.situation.intent.target()));
            }
            if let Some(problem) =
                stage.elsewhere.as_ref().and_then(|to| self.cannot_ask(&stage.name, to))
            {
                let rules = stage.rules.iter().cloned();
                unowned.extend(rules.map(|rule| Reason { rule, message: problem.clone() }));
            } else if stage.elsewhere.is_none() && stage.from.is_empty() {
                let message =
                    format!("nobody owns the target, so nobody can fill `{}`", stage.name);
                let rules = stage.rules.iter().cloned();
                unowned.extend(rules.map(|rule| Reason { rule, message: message.clone() }));
            }
            Found { stage, named, owners }
        };
        what.stages.iter().map(owned).collect()
    }

    /// Why a partner cannot be asked about this: it does not control it, or the question has no room.
    fn cannot_ask(&self, stage: &str, to: &Elsewhere) -> Option<String> {
        let situation = self.facts.situation;
        let (intent, requester, name) = (situation.intent, situation.requester, &to.authority);
        let partner = self.facts.records.authorities.get(name);
        if !partner.is_some_and(|partner| partner.controls(intent)) {
            return Some(format!(
                "`{stage}` is to be reviewed by the authority `{name}`, which does not control this: \
                 its entry under `authorities` says what it does"
            ));
        }
        // As long as an address of ours can be: which it is, policy does not know.
        let authority = &"a".repeat(LONGEST_AUTHORITY);
        let request = RequestId::from_bytes([0; 16]);
        let asked = Question { authority, request, stage, intent, requester }.intent();
        let faults = asked.err()?;
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Some(format!("`{name}` cannot be asked about so much: {}", faults.join("; ")))
    }
}

/// Why a rule cannot be settled: what is missing, or that something is of another type.
fn unsettled(rule: &Rule, facts: &Facts<'_>) -> String {
    let missing = condition::missing(&rule.when, facts);
    let names: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
    let why = match names.as_slice() {
        [] => "something it looks at is of another type than it needs".to_owned(),
        [one] => format!("{one} is missing"),
        many => format!("{} are missing", many.join(", ")),
    };
    format!("`{}` cannot be settled: {why}", rule.id)
}

/// What all who say something say; two different words are a contradiction, and refuse.
fn agreed<'l>(
    what: &str,
    said: impl Iterator<Item = &'l String>,
) -> Result<Option<String>, Reason> {
    let said: BTreeSet<&String> = said.collect();
    let mut words = said.iter();
    match (words.next(), words.next()) {
        (Some(one), Some(other)) => Err(Reason {
            rule: format!("contradiction:{what}"),
            message: format!("the rules that match disagree on the {what}: `{one}` and `{other}`"),
        }),
        (one, _) => Ok(one.map(|word| (*word).clone())),
    }
}

/// The least that settled rules state, or else the default; what unsettled ones state only narrows.
fn least<T: Ord + Copy>(
    stated: &[&Limits],
    hints: &[&Limits],
    pick: fn(&Limits) -> Option<T>,
    defaults: &Limits,
) -> Option<T> {
    let stated = stated.iter().filter_map(|limits| pick(limits)).min().or(pick(defaults));
    hints.iter().filter_map(|limits| pick(limits)).chain(stated).min()
}

/// Whether another attempt may use the grant: a settled rule says so, and none says no.
fn reuses(stated: &[&Limits], hints: &[&Limits]) -> bool {
    let mut says = stated.iter().filter_map(|limits| limits.reuse_within_run).peekable();
    let objects = |limits: &&Limits| limits.reuse_within_run == Some(false);
    says.peek().is_some() && says.all(|yes| yes) && !hints.iter().any(objects)
}

/// A stage with its owners found, and what its rule says of whom it asks.
struct Found<'r> {
    stage: Stage,
    named: &'r BTreeSet<Approver>,
    owners: bool,
}

/// Whether a rule's only stage is one that another rule asks for too: they count once. The other
/// must stand at the beginning; if more follow it, filling it fills both. What the rules say must
/// be the same, not whom it comes to: else leaving out a part of the target, and with it an owner,
/// would make one approval of two.
fn asks_the_same(other: &Found<'_>, alone: &Found<'_>) -> bool {
    other.stage.after.is_none()
        && other.stage.approvals == alone.stage.approvals
        && (other.owners, other.named) == (alone.owners, alone.named)
        && other.stage.exclude == alone.stage.exclude
        && other.stage.elsewhere == alone.stage.elsewhere
}

/// One stage for two rules: it keeps what is stricter or sooner of each.
fn join(same: &mut Stage, other: Stage) {
    let sooner = |one: Option<Span>, other: Option<Span>| one.into_iter().chain(other).min();
    same.rules.extend(other.rules);
    same.login_within = sooner(same.login_within, other.login_within);
    same.signature = match (same.signature, other.signature) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    };
    same.means.acr.extend(other.means.acr);
    same.means.amr.extend(other.means.amr);
    same.expires_after = sooner(same.expires_after, other.expires_after);
    same.remind = sooner(same.remind, other.remind);
    same.escalate = match (same.escalate.take(), other.escalate) {
        (Some(one), Some(other)) => Some(Escalation {
            after: one.after.min(other.after),
            // Only who may step in by both rules may step in for both.
            to: &one.to & &other.to,
            then_expire_after: sooner(one.then_expire_after, other.then_expire_after),
        }),
        // A rule without escalation lets nobody step in, but the deadline of the other holds.
        (Some(one), None) | (None, Some(one)) => {
            Some(Escalation { to: std::collections::BTreeSet::new(), ..one })
        }
        (None, None) => None,
    };
}

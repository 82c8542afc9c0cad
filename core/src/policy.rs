//! Policy: compiled rules that answer for any intent, in any order, with the same ruling.
//!
//! Every rule that matches speaks. A deny that holds or cannot be settled refuses; else every
//! require that holds or cannot be settled counts; else an allow that holds permits; else it is
//! refused. An allow never beats a require unless it names the rule it waives, and a deny can be
//! waived only where it says so.

mod compile;
pub mod condition;
pub mod document;
pub mod quorum;
pub mod ruling;
#[cfg(test)]
mod tests;
mod yaml;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::intent::Intent;
use crate::membership::Membership;
use crate::policy::condition::{Condition, Facts, Truth};
use crate::policy::document::{Fault, PolicyDocument};
use crate::policy::ruling::{Outcome, Reason, Requirement, Ruling, Stage, Terms};
use crate::principal::Principal;
use crate::time::Span;

/// Rules, compiled and indexed.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    index: Index,
    membership: Membership,
    defaults: Defaults,
    revision: Digest,
}

#[derive(Debug)]
struct Rule {
    id: String,
    when: Vec<Condition>,
    effect: Effect,
}

#[derive(Debug)]
enum Effect {
    Deny { message: String, waivable: bool },
    Require { stages: Vec<Stage>, expires_after: Option<Span>, limits: document::Limits },
    Allow { waives: BTreeSet<String>, limits: document::Limits },
}

#[derive(Debug)]
struct Defaults {
    request_expires: Span,
    terms: Terms,
}

/// Which rules can match a kind and an environment at all; `None` is "any".
#[derive(Debug, Default)]
struct Index(HashMap<(Option<String>, Option<String>), Vec<usize>>);

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// `deny`, `require` or `allow`.
    pub effect: &'static str,
    /// Whether its conditions hold.
    pub truth: Truth,
    /// Whether a matching allow waives it.
    pub waived: bool,
    /// Each condition: what it looks at and demands, what was found, whether it holds.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionAccount {
    /// `intent.kind one of [terraform.apply]`.
    pub demand: String,
    /// `` `helm.upgrade` ``, or `absent`.
    pub found: String,
    /// Whether it holds.
    pub truth: Truth,
}

impl Policy {
    /// Compiles documents. Their order does not matter.
    ///
    /// # Errors
    /// Every [`Fault`] in any of them, in order of place.
    pub fn compile(documents: &[PolicyDocument]) -> Result<Self, Vec<Fault>> {
        compile::compile(documents)
    }

    /// The policy that refuses everything.
    pub fn refuse_all() -> Self {
        Self {
            rules: Vec::new(),
            index: Index::default(),
            membership: Membership::default(),
            defaults: Defaults { request_expires: Span::hours(24), terms: Terms::DEFAULT },
            revision: Digest::of(b"assent/policy/v1\0"),
        }
    }

    /// The digest of all documents.
    pub fn revision(&self) -> Digest {
        self.revision
    }

    /// The groups of the documents.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Every kind that a rule names, sorted. A rule for any kind names none.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.index.0.keys().filter_map(|(kind, _)| kind.as_deref()).collect()
    }

    /// Rules on an intent of this requester.
    pub fn rule(&self, intent: &Intent, requester: &Principal) -> Ruling {
        let facts = Facts::new(intent, requester, &self.membership);
        let mut said = Said::default();
        for rule in self.index.candidates(intent).filter_map(|at| self.rules.get(at)) {
            said.hear(rule, condition::all(&rule.when, &facts));
        }
        said.ruling(&self.defaults, self.revision)
    }

    /// What became of every rule, and why, in order of id.
    pub fn explain(&self, intent: &Intent, requester: &Principal) -> Vec<Account> {
        let facts = Facts::new(intent, requester, &self.membership);
        let truth = |rule: &Rule| condition::all(&rule.when, &facts);
        let waived: BTreeSet<&String> = self
            .rules
            .iter()
            .filter(|rule| truth(rule) == Truth::True)
            .flat_map(|rule| match &rule.effect {
                Effect::Allow { waives, .. } => waives.iter().collect::<Vec<_>>(),
                Effect::Deny { .. } | Effect::Require { .. } => Vec::new(),
            })
            .collect();
        // A deny that cannot be settled refuses, whoever waives it.
        let stands = |rule: &Rule| {
            matches!(rule.effect, Effect::Deny { .. }) && truth(rule) == Truth::Unknown
        };
        let account = |rule: &Rule| Account {
            rule: rule.id.clone(),
            effect: match rule.effect {
                Effect::Deny { .. } => "deny",
                Effect::Require { .. } => "require",
                Effect::Allow { .. } => "allow",
            },
            truth: truth(rule),
            waived: waived.contains(&rule.id) && !stands(rule),
            conditions: rule.when.iter().map(|condition| explain_one(condition, &facts)).collect(),
        };
        self.rules.iter().map(account).collect()
    }
}

fn explain_one(condition: &Condition, facts: &Facts<'_>) -> ConditionAccount {
    ConditionAccount {
        demand: format!("{} {}", condition.attribute, condition.test),
        found: condition.found(facts),
        truth: condition.truth(facts),
    }
}

impl Index {
    fn add(&mut self, at: usize, kinds: Vec<Option<String>>, environments: &[Option<String>]) {
        for kind in kinds {
            for environment in environments {
                self.0.entry((kind.clone(), environment.clone())).or_default().push(at);
            }
        }
    }

    fn candidates<'a>(&'a self, intent: &Intent) -> impl Iterator<Item = usize> + use<'a> {
        let kind = Some(intent.kind().to_owned());
        let environment = Some(intent.environment().to_owned());
        let any = [
            self.0.get(&(None, None)),
            self.0.get(&(kind.clone(), None)),
            self.0.get(&(None, environment.clone())),
            self.0.get(&(kind, environment)),
        ];
        any.into_iter().flatten().flatten().copied()
    }
}

/// What the rules said, before it is weighed. Every field is a set or a minimum, so the order in
/// which rules are heard leaves no trace.
#[derive(Default)]
struct Said<'a> {
    denies: BTreeMap<&'a str, (&'a str, bool)>,
    undecided: BTreeSet<&'a str>,
    requires: BTreeMap<&'a str, Asked<'a>>,
    allows: BTreeMap<&'a str, &'a document::Limits>,
    /// Limits of allows that cannot be settled: they permit nothing, but narrow what is.
    hints: Vec<&'a document::Limits>,
    waived: BTreeSet<&'a str>,
}

/// What one require asks for.
struct Asked<'a> {
    stages: &'a [Stage],
    expires_after: Option<Span>,
    limits: &'a document::Limits,
    /// Whether its conditions hold. One that cannot be settled asks all the same, but what it says
    /// of limits only narrows: a missing attribute never permits more.
    settled: bool,
}

impl<'a> Said<'a> {
    fn hear(&mut self, rule: &'a Rule, truth: Truth) {
        match (&rule.effect, truth) {
            (_, Truth::False) => {}
            (Effect::Deny { .. }, Truth::Unknown) => drop(self.undecided.insert(&rule.id)),
            (Effect::Deny { message, waivable }, Truth::True) => {
                self.denies.insert(&rule.id, (message, *waivable));
            }
            (Effect::Require { stages, expires_after, limits }, Truth::True | Truth::Unknown) => {
                let (expires_after, settled) = (*expires_after, truth == Truth::True);
                self.requires.insert(&rule.id, Asked { stages, expires_after, limits, settled });
            }
            (Effect::Allow { limits, .. }, Truth::Unknown) => self.hints.push(limits),
            (Effect::Allow { waives, limits }, Truth::True) => {
                self.allows.insert(&rule.id, limits);
                self.waived.extend(waives.iter().map(String::as_str));
            }
        }
    }

    fn ruling(mut self, defaults: &Defaults, policy: Digest) -> Ruling {
        let waived = std::mem::take(&mut self.waived);
        self.denies.retain(|id, (_, waivable)| !(*waivable && waived.contains(id)));
        self.requires.retain(|id, _| !waived.contains(id));
        let own = |id: &&str| (*id).to_owned();
        if !self.denies.is_empty() || !self.undecided.is_empty() {
            let reasons = self.reasons();
            let rules = reasons.iter().map(|reason| reason.rule.clone()).collect();
            return Ruling { outcome: Outcome::Refuse(reasons), rules, policy };
        }
        let terms = self.terms(defaults);
        if !self.requires.is_empty() {
            let rules = self.requires.keys().chain(self.allows.keys()).map(own).collect();
            let outcome = Outcome::Require(self.requirement(defaults, terms));
            return Ruling { outcome, rules, policy };
        }
        if !self.allows.is_empty() {
            let rules = self.allows.keys().map(own).collect();
            return Ruling { outcome: Outcome::Permit(terms), rules, policy };
        }
        let rule = document::DEFAULT_DENY.to_owned();
        let message = "no rule allows this".to_owned();
        let rules = BTreeSet::from([rule.clone()]);
        Ruling { outcome: Outcome::Refuse(vec![Reason { rule, message }]), rules, policy }
    }

    fn reasons(&self) -> Vec<Reason> {
        let denied = self.denies.iter().map(|(id, (message, _))| Reason {
            rule: (*id).to_owned(),
            message: (*message).to_owned(),
        });
        let undecided = self.undecided.iter().map(|id| Reason {
            rule: format!("indeterminate:{id}"),
            message: format!("`{id}` cannot be settled: something it looks at is missing"),
        });
        denied.chain(undecided).collect()
    }

    fn terms(&self, defaults: &Defaults) -> Terms {
        let of_requires = |settled| {
            self.requires.values().filter(move |a| a.settled == settled).map(|asked| asked.limits)
        };
        let stated: Vec<_> = of_requires(true).chain(self.allows.values().copied()).collect();
        let hints: Vec<_> = of_requires(false).chain(self.hints.iter().copied()).collect();
        let base = document::Limits {
            max_ttl: Some(defaults.terms.max_ttl),
            uses: Some(defaults.terms.uses),
            audiences: defaults.terms.audiences.clone(),
            grant_window: Some(defaults.terms.grant_window),
        };
        let all = stated.iter().chain(&hints);
        let audiences = all.filter_map(|limits| limits.audiences.clone());
        Terms {
            max_ttl: least(&stated, &hints, |l| l.max_ttl, &base).unwrap_or(Span::ZERO),
            grant_window: least(&stated, &hints, |l| l.grant_window, &base).unwrap_or(Span::ZERO),
            uses: least(&stated, &hints, |l| l.uses, &base).unwrap_or(0),
            audiences: audiences.chain(base.audiences).reduce(|all, more| &all & &more),
        }
    }

    fn requirement(&self, defaults: &Defaults, terms: Terms) -> Requirement {
        let mut stages: Vec<Stage> = Vec::new();
        // Rules of one stage come last: what they ask for may stand at the beginning of another's.
        let (alone, many): (Vec<_>, Vec<_>) =
            self.requires.values().partition(|asked| asked.stages.len() == 1);
        stages.extend(many.iter().flat_map(|asked| asked.stages).cloned());
        for stage in alone.iter().flat_map(|asked| asked.stages) {
            match stages.iter_mut().find(|other| asks_the_same(other, stage)) {
                Some(same) => same.rules.extend(stage.rules.clone()),
                None => stages.push(stage.clone()),
            }
        }
        let spans = |settled| {
            let asked = self.requires.values().filter(move |asked| asked.settled == settled);
            asked.filter_map(|asked| asked.expires_after)
        };
        let stated = spans(true).min().unwrap_or(defaults.request_expires);
        let expires_after = spans(false).chain([stated]).min().unwrap_or(stated);
        Requirement { stages, expires_after, terms }
    }
}

/// The least that settled rules state, or else the default; what unsettled ones state only narrows.
fn least<T: Ord + Copy>(
    stated: &[&document::Limits],
    hints: &[&document::Limits],
    pick: fn(&document::Limits) -> Option<T>,
    defaults: &document::Limits,
) -> Option<T> {
    let stated = stated.iter().filter_map(|limits| pick(limits)).min().or(pick(defaults));
    hints.iter().filter_map(|limits| pick(limits)).chain(stated).min()
}

/// Whether a rule's only stage is one that another rule asks for too: they count once. The other
/// must stand at the beginning; if more follow it, filling it fills both.
fn asks_the_same(other: &Stage, alone: &Stage) -> bool {
    other.after.is_none()
        && other.approvals == alone.approvals
        && other.from == alone.from
        && other.exclude == alone.exclude
}

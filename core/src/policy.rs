//! Policy: compiled rules that answer for any intent, in any order, with the same ruling.
//!
//! Every rule that matches speaks. A deny that holds or cannot be settled refuses; else every
//! require that holds or cannot be settled counts; else an allow that holds permits; else it is
//! refused. An allow never beats a require unless it names the rule it waives, and a deny can be
//! waived only where it says so. Engines outside the language can add a deny or a require, or
//! satisfy a waiver that names what it waives; they never permit.

pub mod ask;
mod attribute;
pub mod calendar;
pub mod cases;
pub mod changes;
pub mod cidr;
mod combine;
mod compile;
pub mod condition;
pub mod coverage;
pub mod document;
pub mod explanation;
pub mod export;
pub mod format;
pub mod glob;
#[cfg(test)]
mod hostile;
mod index;
pub mod lint;
pub mod opinion;
pub mod partner;
mod polarity;
pub mod quorum;
mod record;
pub mod risk;
pub mod ruling;
pub mod schema;
pub mod situation;
pub mod telling;
#[cfg(test)]
mod tests;
pub mod uses;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::intent::Intent;
use crate::membership::{Membership, Team};
use crate::notice::Route;
use crate::policy::ask::Ask;
use crate::policy::combine::Said;
use crate::policy::condition::{Condition, Truth};
use crate::policy::document::{Fault, OnChange, Place, PolicyChanges, PolicyDocument};
use crate::policy::index::Index;
use crate::policy::partner::Partner;
use crate::policy::record::Records;
use crate::policy::risk::Factor;
use crate::policy::ruling::{Addressee, PostReview, Ruling, Stage, Terms};
use crate::policy::situation::{Facts, Situation};
use crate::principal::Principal;
use crate::signal::OnSignal;
use crate::signal::source::{Source, Transmitter};
use crate::time::{Span, Timestamp};
use crate::trust::Trust;

/// Rules, compiled and indexed.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    index: Index,
    membership: Membership,
    teams: BTreeMap<String, Team>,
    unlinked: document::Unlinked,
    absences: document::Absences,
    records: Records,
    factors: Vec<Factor>,
    defaults: Defaults,
    on_change: OnChange,
    policy_changes: PolicyChanges,
    trusts: BTreeMap<String, document::Placed<Trust>>,
    signals: Signals,
    revision: Digest,
}

/// Whose word counts for what, and what follows.
#[derive(Debug, Default)]
struct Signals {
    sources: BTreeMap<String, Source>,
    transmitters: BTreeMap<String, Transmitter>,
    on_signal: OnSignal,
}

#[derive(Debug)]
struct Rule {
    id: String,
    /// Where it stands.
    place: Place,
    description: Option<String>,
    when: Vec<Condition>,
    effect: Effect,
}

#[derive(Debug)]
enum Effect {
    Deny {
        message: String,
        waivable: bool,
        notify: BTreeSet<Addressee>,
    },
    Require(Requiring),
    Allow {
        waives: BTreeSet<String>,
        limits: document::Limits,
        notify: BTreeSet<Addressee>,
        post_review: Option<PostReview>,
    },
    Ask(Asking),
}

impl Effect {
    fn word(&self) -> &'static str {
        match self {
            Self::Deny { .. } => "deny",
            Self::Require(_) => "require",
            Self::Allow { .. } => "allow",
            Self::Ask(_) => "ask",
        }
    }
}

/// What a rule asks of people.
#[derive(Debug)]
struct Requiring {
    stages: Vec<Stage>,
    /// The names of those stages that ask the target's owners too.
    owners: BTreeSet<String>,
    expires_after: Option<Span>,
    limits: document::Limits,
    notify: BTreeSet<Addressee>,
}

/// What a rule asks of an engine, and what its answers lead to.
#[derive(Debug)]
struct Asking {
    ask: Ask,
    /// Asked of people where the engine warns.
    stages: Requiring,
    /// Waived where the engine approves.
    waives: BTreeSet<String>,
}

#[derive(Debug)]
struct Defaults {
    request_expires: Span,
    terms: Terms,
}

impl Policy {
    /// Compiles the files of a policy: documents, Rego modules and data. Their order does not
    /// matter.
    ///
    /// # Errors
    /// Every [`Fault`] in any of them, in order of place.
    pub fn compile(files: &[PolicyDocument]) -> Result<Self, Vec<Fault>> {
        compile::compile(files)
    }

    /// The policy that refuses everything.
    pub fn refuse_all() -> Self {
        Self {
            rules: Vec::new(),
            index: Index::default(),
            membership: Membership::default(),
            teams: BTreeMap::new(),
            unlinked: document::Unlinked::default(),
            absences: document::Absences::default(),
            records: Records::default(),
            factors: Vec::new(),
            defaults: Defaults { request_expires: Span::hours(24), terms: Terms::DEFAULT },
            on_change: OnChange::default(),
            policy_changes: PolicyChanges::default(),
            trusts: BTreeMap::new(),
            signals: Signals::default(),
            revision: Digest::of(b"assent/policy/v1\0"),
        }
    }

    /// The digest of all files that rule.
    pub fn revision(&self) -> Digest {
        self.revision
    }

    /// Who is in which group of the documents, and who stands in for whom, at this moment.
    pub fn membership(&self, now: Timestamp) -> Membership {
        let current = self.records.delegations.iter().filter(|d| d.starts <= now && now < d.ends);
        let pairs = current.map(|d| (d.to.clone(), d.from.clone()));
        self.membership.clone().with_stand_ins(pairs)
    }

    /// Whether nobody reviews what an account is behind unless their own account at its issuer is known.
    pub fn asks_for_links(&self) -> bool {
        self.unlinked == document::Unlinked::Forbid
    }

    /// Whether people name themselves who stands in for them.
    pub fn absences(&self) -> document::Absences {
        self.absences
    }

    /// The groups that are teams at GitHub, in order of their names.
    pub fn teams(&self) -> impl Iterator<Item = (&str, &Team)> {
        self.teams.iter().map(|(group, team)| (group.as_str(), team))
    }

    /// Who is told on which occasions, as far as the documents say.
    pub fn notices(&self) -> &[Route] {
        &self.records.notices
    }

    /// What becomes of pending requests when this policy takes over.
    pub fn on_change(&self) -> OnChange {
        self.on_change
    }

    /// Who changes policy over the API.
    pub fn policy_changes(&self) -> PolicyChanges {
        self.policy_changes
    }

    /// Where the rule of this id stands.
    pub fn place_of(&self, rule: &str) -> Option<&Place> {
        let at = self.rules.binary_search_by(|one| one.id.as_str().cmp(rule)).ok()?;
        self.rules.get(at).map(|rule| &rule.place)
    }

    /// Whose tokens are believed, in order of their names.
    pub fn trusts(&self) -> impl Iterator<Item = &Trust> {
        self.trusts.values().map(|placed| &placed.value)
    }

    /// The file in which the trust of this name stands.
    pub fn trust_file(&self, name: &str) -> Option<&str> {
        self.trusts.get(name).map(|placed| placed.place.file.as_str())
    }

    /// The trust of this name.
    pub fn trust(&self, name: &str) -> Option<&Trust> {
        self.trusts.get(name).map(|placed| &placed.value)
    }

    /// Whether whoever came by a trust would still be let ask for this: the trust is there, for the
    /// same issuer, and holds it. Whoever came by none is nobody's to take back here.
    pub fn still_trusts(&self, requester: &Principal, intent: &Intent) -> bool {
        let Some(name) = requester.claims.get("trust").and_then(serde_json::Value::as_str) else {
            return true;
        };
        self.trust(name).is_some_and(|trust| {
            trust.issuer() == requester.id.iss()
                && trust.scope().holds(intent.kind(), intent.environment())
        })
    }

    /// The authority of another organisation of this name.
    pub fn authority(&self, name: &str) -> Option<&Partner> {
        self.records.authorities.get(name)
    }

    /// The authority of another organisation that issues credentials under this name.
    pub fn authority_of(&self, issuer: &str) -> Option<&Partner> {
        self.records.authorities.values().find(|partner| partner.issuer() == issuer)
    }

    /// The workloads whose word counts, in order of their names.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.signals.sources.values()
    }

    /// The transmitters of security event tokens that are believed, in order of their names.
    pub fn transmitters(&self) -> impl Iterator<Item = &Transmitter> {
        self.signals.transmitters.values()
    }

    /// What follows from signals.
    pub fn on_signal(&self) -> &OnSignal {
        &self.signals.on_signal
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The ids of all rules with what each says, and its description, in order.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &'static str, Option<&str>)> {
        self.rules
            .iter()
            .map(|rule| (rule.id.as_str(), rule.effect.word(), rule.description.as_deref()))
    }

    /// The kinds of intent that rules name.
    pub fn kinds(&self) -> BTreeSet<&str> {
        self.index.kinds().collect()
    }

    /// What is on file of a named environment: `tier` and `labels`, or nothing.
    pub fn on_file(&self, environment: &str) -> serde_json::Value {
        match self.records.environments.get(environment) {
            Some(record) => serde_json::json!({"tier": record.tier, "labels": record.labels}),
            None => serde_json::Value::Null,
        }
    }

    /// Every engine that any rule asks.
    pub fn engines(&self) -> impl Iterator<Item = &Ask> {
        self.rules.iter().filter_map(|rule| match &rule.effect {
            Effect::Ask(asking) => Some(&asking.ask),
            Effect::Deny { .. } | Effect::Require(_) | Effect::Allow { .. } => None,
        })
    }

    /// The engines that must be asked before this situation can be ruled on: those whose rule
    /// matches or cannot be settled.
    pub fn asks(&self, situation: &Situation<'_>) -> Vec<&Ask> {
        let facts = self.facts(situation);
        let speaks = |rule: &&Rule| condition::all(&rule.when, &facts) != Truth::False;
        let rules = self.candidates(situation.intent);
        rules
            .filter(|rule| matches!(rule.effect, Effect::Ask(_)))
            .filter(speaks)
            .filter_map(|rule| match &rule.effect {
                Effect::Ask(asking) => Some(&asking.ask),
                Effect::Deny { .. } | Effect::Require(_) | Effect::Allow { .. } => None,
            })
            .collect()
    }

    /// Rules on an intent in its situation.
    pub fn rule(&self, situation: &Situation<'_>) -> Ruling {
        let facts = self.facts(situation);
        let mut said = Said::new(&facts);
        for rule in self.candidates(situation.intent) {
            said.hear(rule, condition::all(&rule.when, &facts));
        }
        let risk = (!self.factors.is_empty()).then(|| facts.score());
        said.ruling(&self.defaults, self.revision, risk)
    }

    fn facts<'a>(&'a self, situation: &Situation<'a>) -> Facts<'a> {
        Facts::new(*situation, &self.records, &self.membership, &self.factors)
    }

    fn candidates<'a>(&'a self, intent: &Intent) -> impl Iterator<Item = &'a Rule> {
        self.index.candidates(intent).filter_map(|at| self.rules.get(at))
    }
}

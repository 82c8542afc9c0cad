//! What is known when policy is asked: everything a rule can look at, and nothing it cannot.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::intent::Intent;
use crate::membership::Membership;
use crate::plan;
use crate::policy::calendar::Local;
use crate::policy::condition::Truth;
use crate::policy::opinion::Opinion;
use crate::policy::record::Records;
use crate::policy::risk::{Factor, Score};
use crate::principal::Principal;
use crate::signal::Concern;
use crate::time::Timestamp;

/// One intent and what is known around it at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What is about to be done.
    pub intent: &'a Intent,
    /// Who asks.
    pub requester: &'a Principal,
    /// What is known beside that.
    pub known: &'a Known,
    /// When, by the authority's clock.
    pub now: Timestamp,
}

/// What is known beside an intent and its requester. None of it is the requester's word: the
/// authority has found it out or was told it by somebody it trusts for that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where the requester calls from.
    pub network: Network,
    /// What the plan does, where the intent names one that the authority has read.
    pub plan: Option<KnownPlan>,
    /// What other systems have told: incidents, suspended people, flagged workloads.
    pub signals: Map<String, Value>,
    /// What is the matter with who asks, and where.
    pub concerns: Concerns,
    /// Rules that do not match because a later review of theirs was missed.
    pub suspended: BTreeSet<String>,
    /// What the engines of `ask` rules said, by rule.
    pub opinions: BTreeMap<String, Opinion>,
}

/// What is the matter, by signals that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Concerns {
    /// With the requester or anybody it acts for.
    pub requester: BTreeSet<Concern>,
    /// In the environment.
    pub environment: BTreeSet<Concern>,
}

/// Where a requester calls from: by headers of a proxy that is trusted, or by the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub ip: Option<IpAddr>,
    /// The country, ISO 3166-1 alpha-2 in capital letters, as the proxy says.
    pub country: Option<String>,
}

/// What is known of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPlan {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What it adds up to.
    pub facts: plan::Facts,
    /// Each change, where they are at hand: a record of a ruling keeps only the facts.
    pub changes: Option<Arc<[plan::Change]>>,
}

impl Known {
    /// The same, as the record of a ruling keeps it: without what the plan's digest stands for.
    #[must_use]
    pub fn recorded(mut self) -> Self {
        if let Some(plan) = &mut self.plan {
            plan.changes = None;
        }
        self
    }
}

/// A situation beside what the policy documents have on file. What costs something to find out is
/// found out once, when the first condition looks at it.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) situation: Situation<'a>,
    pub(crate) records: &'a Records,
    membership: &'a Membership,
    factors: &'a [Factor],
    groups: OnceCell<BTreeSet<&'a str>>,
    local: OnceCell<Local>,
    score: OnceCell<Score>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(
        situation: Situation<'a>,
        records: &'a Records,
        membership: &'a Membership,
        factors: &'a [Factor],
    ) -> Self {
        let (groups, local, score) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { situation, records, membership, factors, groups, local, score }
    }

    /// The requester's groups: those the issuer vouches for and those of the documents.
    pub(crate) fn groups(&self) -> &BTreeSet<&'a str> {
        self.groups.get_or_init(|| {
            let Principal { id, groups, .. } = self.situation.requester;
            groups.iter().map(String::as_str).chain(self.membership.groups_of(id)).collect()
        })
    }

    /// The time on the wall, in the policy's zone.
    pub(crate) fn local(&self) -> &Local {
        self.local.get_or_init(|| self.records.zone.local(self.situation.now))
    }

    /// The weights of the risk factors that hold.
    pub(crate) fn score(&self) -> Score {
        *self.score.get_or_init(|| {
            let truths = self.factors.iter().map(|factor| (factor.weight, factor.truth(self)));
            truths.fold(Score::ZERO, |score, (weight, truth)| match truth {
                Truth::True => Score { least: score.least + weight, most: score.most + weight },
                Truth::Unknown => Score { most: score.most + weight, ..score },
                Truth::False => score,
            })
        })
    }
}

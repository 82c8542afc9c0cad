//! Whose word counts for what: workloads and transmitters that policy lists, each with what it may
//! tell of whom. Nobody speaks of subjects that are none of theirs.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::glob::Glob;
use crate::principal::{LOCAL_ISSUER, PrincipalId};
use crate::signal::event_token::Event;
use crate::signal::{Concern, Subject};
use crate::time::Span;
use crate::trust::KeySource;

/// Who a source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// Whoever comes by this trust.
    Trust(String),
    /// This workload.
    Workload(PrincipalId),
}

/// A workload that may tell something.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub speaker: Speaker,
    /// What it may tell.
    pub states: BTreeSet<Concern>,
    /// Of which environments.
    pub environments: BTreeSet<Glob>,
    /// Of people and workloads of which issuers.
    pub issuers: BTreeSet<String>,
}

impl Source {
    /// Whether the subject is one that it speaks of at all. `ours` is the URL of the authority that is
    /// told, which is another name for its own issuer.
    pub fn speaks_of(&self, about: &Subject, ours: &str) -> bool {
        match about {
            Subject::Person(id) | Subject::Workload(id) => are_listed(&self.issuers, id, ours),
            Subject::Environment(name) => self.environments.iter().any(|glob| glob.matches(name)),
        }
    }

    /// Whether it may tell this of that.
    pub fn may_tell(&self, about: &Subject, concern: Concern, ours: &str) -> bool {
        self.states.contains(&concern) && self.speaks_of(about, ours)
    }
}

/// Whether policy lists the issuer of this principal, who is known as the authority knows them.
pub(super) fn are_listed(issuers: &BTreeSet<String>, who: &PrincipalId, ours: &str) -> bool {
    issuers.contains(who.iss()) || (who.iss() == LOCAL_ISSUER && issuers.contains(ours))
}

/// What an event of a transmitter counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The concern.
    pub concern: Concern,
    /// How long it holds; until its opposite or an administrator clears it where nothing is said.
    pub lasts: Option<Span>,
}

impl Meaning {
    /// What an event can count as, each by its word: transmitters speak of people.
    pub const CONCERNS: [(&str, Concern); 2] =
        [("suspended", Concern::Suspended), ("risky", Concern::Risky)];
}

/// An issuer of security event tokens that is believed.
#[derive(Clone, Debug)]
pub struct Transmitter {
    /// Its name.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// The exact `aud`.
    pub audience: String,
    /// Where its keys come from.
    pub keys: KeySource,
    /// The issuers of whose people it may speak by issuer and subject.
    pub issuers: BTreeSet<String>,
    /// Who those are whom it names otherwise: by an opaque id or an account.
    pub people: BTreeMap<String, PrincipalId>,
    /// What each event counts as. What is not named counts as nothing.
    pub events: BTreeMap<Event, Meaning>,
}

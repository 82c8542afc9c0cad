//! Signals: what somebody tells of a person, a workload or an environment, and what follows.
//!
//! A signal is a fact of its own, beside requests. What it does to a request is read off the two of
//! them alone ([`Request::stopped_by`](crate::request::Request::stopped_by)), so nothing is lost if
//! the authority dies between hearing a signal and acting on it: whoever looks at the request next
//! sees the same. Which reactions policy wanted is written into the signal when it is heard, so that
//! an auditor needs no policy to tell whether it was followed.

mod board;
pub mod event_token;
pub mod source;

use std::collections::BTreeMap;
use std::fmt;

use crate::id::SignalId;
use crate::principal::PrincipalId;
use crate::time::{Span, Timestamp};

pub use board::Board;

/// The longest reason, in bytes.
pub const MAX_REASON: usize = 500;
/// How long a browser may stay signed in, and so how long a signal that ends sessions matters.
pub const SESSION_LIFE: Span = Span::hours(8);

/// What a signal is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Somebody.
    Person(PrincipalId),
    /// A program.
    Workload(PrincipalId),
    /// Everything that is done in this environment.
    Environment(String),
}

impl Subject {
    /// The same as the authority of this URL knows it: under that URL others know its own people.
    #[must_use]
    pub fn seen_by(self, authority: &str) -> Self {
        match self {
            Self::Person(id) => Self::Person(id.seen_by(authority)),
            Self::Workload(id) => Self::Workload(id.seen_by(authority)),
            Self::Environment(name) => Self::Environment(name),
        }
    }

    /// The principal, where it is one. Person or workload: the id is one principal's, whatever the
    /// teller took it for.
    pub fn principal(&self) -> Option<&PrincipalId> {
        match self {
            Self::Person(id) | Self::Workload(id) => Some(id),
            Self::Environment(_) => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Workload(id) => write!(f, "workload:{id}"),
            Self::Environment(name) => write!(f, "environment:{name}"),
        }
    }
}

/// What is the matter with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// They must not act, and what they approved does not count.
    Suspended,
    /// They may not be who they say they are, or not from a machine in order.
    Risky,
    /// A workload behaves as it should not.
    Flagged,
    /// Something is wrong in an environment.
    Incident,
}

impl Concern {
    /// Each by its word.
    pub const ALL: [(&str, Self); 4] = [
        ("suspended", Self::Suspended),
        ("risky", Self::Risky),
        ("flagged", Self::Flagged),
        ("incident", Self::Incident),
    ];

    /// Those that can be said of people and workloads, each by its word.
    pub fn of_principals() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().filter(|(_, concern)| !concern.is_of_environments())
    }

    /// Those that can be said of environments, each by its word.
    pub fn of_environments() -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().filter(|(_, concern)| concern.is_of_environments())
    }

    fn is_of_environments(self) -> bool {
        match self {
            Self::Incident => true,
            Self::Suspended | Self::Risky | Self::Flagged => false,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Risky => "risky",
            Self::Flagged => "flagged",
            Self::Incident => "incident",
        }
    }

    /// Whether it can be said of this subject.
    pub fn fits(self, subject: &Subject) -> bool {
        match subject {
            Subject::Environment(_) => self.is_of_environments(),
            Subject::Person(_) | Subject::Workload(_) => !self.is_of_environments(),
        }
    }
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// That this is the matter.
    Is(Concern),
    /// That nothing is the matter any more, as far as this teller said so.
    Clear,
}

/// Whose word it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Teller {
    /// An administrator's. It takes back what anybody told.
    Administrator,
    /// A workload's that policy lists as this source.
    Source(String),
    /// A security event token's of this transmitter.
    Transmitter(String),
}

impl fmt::Display for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("administrator"),
            Self::Source(name) => write!(f, "source:{name}"),
            Self::Transmitter(name) => write!(f, "transmitter:{name}"),
        }
    }
}

/// What becomes of requests that wait for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPending {
    /// They go on.
    Keep,
    /// Those end on which policy would rule otherwise now.
    Reconsider,
    /// All end.
    Stop,
}

impl OnPending {
    /// Each by its word.
    pub const ALL: [(&str, Self); 3] =
        [("keep", Self::Keep), ("reconsider", Self::Reconsider), ("stop", Self::Stop)];
}

/// What becomes of grants and their credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGranted {
    /// They go on.
    Keep,
    /// They end at once, with what brokers opened.
    Revoke,
}

impl OnGranted {
    /// Each by its word.
    pub const ALL: [(&str, Self); 2] = [("keep", Self::Keep), ("revoke", Self::Revoke)];
}

/// What follows from a concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reactions {
    /// For requests of the subject, or in it, that wait for people.
    pub pending: OnPending,
    /// For what they were granted.
    pub granted: OnGranted,
    /// For what others were granted by the subject's approval.
    pub approved: OnGranted,
}

impl Reactions {
    /// What follows where policy says nothing: what is live ends at once, and what waits ends if the
    /// rules see it differently now. A suspended person has nothing left to wait for.
    pub fn to(concern: Concern) -> Self {
        let pending = match concern {
            Concern::Suspended => OnPending::Stop,
            Concern::Risky | Concern::Flagged | Concern::Incident => OnPending::Reconsider,
        };
        Self { pending, granted: OnGranted::Revoke, approved: OnGranted::Keep }
    }

    /// Nothing.
    pub const NONE: Self =
        Self { pending: OnPending::Keep, granted: OnGranted::Keep, approved: OnGranted::Keep };
}

/// What policy wants to follow from which concern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnSignal(BTreeMap<Concern, Reactions>);

impl OnSignal {
    /// These, and for every other what follows where nothing is said.
    pub fn new(stated: BTreeMap<Concern, Reactions>) -> Self {
        Self(stated)
    }

    /// What follows from this.
    pub fn to(&self, says: Says) -> Reactions {
        match says {
            Says::Clear => Reactions::NONE,
            Says::Is(concern) => {
                self.0.get(&concern).copied().unwrap_or_else(|| Reactions::to(concern))
            }
        }
    }
}

/// One thing that was told, as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its id.
    pub id: SignalId,
    /// When it was heard, by the authority's clock.
    pub at: Timestamp,
    /// What it is about.
    pub about: Subject,
    /// What it says.
    pub says: Says,
    /// Until when that holds; until it is cleared where nothing is said.
    pub until: Option<Timestamp>,
    /// Why, in the teller's words.
    pub reason: String,
    /// Whose word it is.
    pub teller: Teller,
    /// What of the teller's it replaces or clears: an event type, or nothing in particular.
    pub topic: Option<String>,
    /// When the teller says that it happened: of two on one topic, the later holds.
    pub told_at: Timestamp,
    /// What follows.
    pub reactions: Reactions,
}

impl Signal {
    /// The concern it raises; `None` where it clears one.
    pub fn concern(&self) -> Option<Concern> {
        match self.says {
            Says::Is(concern) => Some(concern),
            Says::Clear => None,
        }
    }

    /// Whether it ends sessions of browsers that its subject had before it: whoever may not be who
    /// they say they are signs in again.
    pub fn ends_sessions(&self) -> bool {
        matches!(self.concern(), Some(Concern::Suspended | Concern::Risky))
    }
}

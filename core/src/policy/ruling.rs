//! What policy says of one intent.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::membership::Approver;
use crate::time::Span;

/// What policy says, by which rules, under which revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Permit, ask these people, or refuse.
    pub outcome: Outcome,
    /// The rules that decided, sorted. `default-deny` where none matched; `indeterminate:ID` for a
    /// deny that could not be settled.
    pub rules: BTreeSet<String>,
    /// The revision of the policy that spoke.
    pub policy: Digest,
}

/// The three answers. There is no other, and no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody needs to be asked.
    Permit(Terms),
    /// These people must approve.
    Require(Requirement),
    /// It must not be done.
    Refuse(Vec<Reason>),
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The rule that refuses.
    pub rule: String,
    /// What it tells the requester.
    pub message: String,
}

/// What must happen before a grant, and what the grant then allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// All of these, each filled.
    pub stages: Vec<Stage>,
    /// How long people have.
    pub expires_after: Span,
    /// What may be minted once granted.
    pub terms: Terms,
}

/// One group of approvers and how many of them must approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `rule/stage`.
    pub name: String,
    /// The rules that ask for it.
    pub rules: BTreeSet<String>,
    /// How many different people.
    pub approvals: u32,
    /// From whom.
    pub from: BTreeSet<Approver>,
    /// Who may not count, beside the requester and everybody behind the change.
    pub exclude: BTreeSet<Approver>,
    /// The stage that must be filled before this one opens.
    pub after: Option<String>,
}

/// What may be minted from a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest life of one credential.
    pub max_ttl: Span,
    /// How many credentials, in all.
    pub uses: u32,
    /// For whom they may be; `None` is anybody.
    pub audiences: Option<BTreeSet<String>>,
    /// How long after approval the first must be minted.
    pub grant_window: Span,
}

impl Terms {
    /// What holds where no matching rule says otherwise.
    pub const DEFAULT: Self =
        Self { max_ttl: Span::minutes(15), uses: 1, audiences: None, grant_window: Span::hours(1) };

    /// The narrower of two, in every respect.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        let audiences = match (self.audiences, other.audiences) {
            (Some(ours), Some(theirs)) => Some(&ours & &theirs),
            (ours, theirs) => ours.or(theirs),
        };
        Self {
            max_ttl: self.max_ttl.min(other.max_ttl),
            uses: self.uses.min(other.uses),
            audiences,
            grant_window: self.grant_window.min(other.grant_window),
        }
    }
}

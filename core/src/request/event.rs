//! Facts of a request's life. Each says who, when, and enough to prove the rule it passed was kept.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::id::{CredentialId, RequestId, ReviewId};
use crate::intent::Intent;
use crate::policy::ruling::{Reason, Ruling};
use crate::principal::{Principal, PrincipalId};
use crate::time::Timestamp;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The request it is about.
    pub request: RequestId,
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// Who did it; `None` where the authority acted by its own rules (a deadline, a quorum).
    pub by: Option<PrincipalId>,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one filing to a request: a box would save nothing")]
pub enum Fact {
    /// An intent was filed and ruled on.
    Filed {
        /// What is about to be done.
        intent: Intent,
        /// Who asks.
        requester: Principal,
        /// What policy said.
        ruling: Ruling,
        /// When it expires if nobody decides.
        expires_at: Timestamp,
    },
    /// A person reviewed it.
    Reviewed(Review),
    /// It was approved.
    Approved {
        /// Those who counted, each stage with its people; empty where policy permitted it.
        counted: Vec<(String, BTreeSet<PrincipalId>)>,
        /// Until when the grant may be spent.
        consume_by: Timestamp,
        /// How many times.
        uses: u32,
    },
    /// It was refused or denied.
    Denied(Denial),
    /// A deadline passed.
    Expired {
        /// Which.
        deadline: Timestamp,
    },
    /// The requester withdrew it.
    Canceled {
        /// Why.
        reason: String,
    },
    /// One use of the grant was spent, on record before anything is minted.
    Consumed {
        /// The credential it is spent on.
        credential: CredentialId,
        /// For whom that is good.
        audience: String,
        /// When that ends at the latest.
        expires_at: Timestamp,
    },
    /// The token was made.
    Minted {
        /// The credential.
        credential: CredentialId,
        /// SHA-256 of the token.
        fingerprint: Digest,
    },
    /// Somebody spent a single-use credential.
    Redeemed {
        /// The credential.
        credential: CredentialId,
    },
    /// A use was spent, but no token was handed out in time.
    Abandoned {
        /// The credential.
        credential: CredentialId,
    },
    /// One credential was taken back.
    CredentialRevoked {
        /// The credential.
        credential: CredentialId,
    },
    /// The requester says that the action is over; every credential ends.
    Completed,
    /// The grant was taken back; every credential ends.
    Revoked {
        /// Why.
        reason: String,
    },
}

/// One person's verdict, bound to a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Who.
    pub reviewer: PrincipalId,
    /// Approve or deny.
    pub verdict: Verdict,
    /// What the reviewer saw: the intent's digest.
    pub digest: Digest,
    /// In the reviewer's words.
    pub comment: String,
    /// When, by the authority's clock.
    pub at: Timestamp,
}

/// Approve or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Exactly this may be done.
    Approve,
    /// It must not.
    Deny,
}

/// By whom and why it was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// By policy.
    Refused(Vec<Reason>),
    /// By this person's review.
    Reviewed {
        /// The review.
        review: ReviewId,
        /// Who.
        by: PrincipalId,
        /// In the reviewer's words.
        comment: String,
    },
}

//! Facts of a request's life. Each says who, when, and enough to prove the rule it passed was kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::credential::KeyId;
use crate::credential::dpop::Thumbprint;
use crate::digest::Digest;
use crate::id::{CredentialId, RequestId, ReviewId, SignalId, UploadId};
use crate::intent::Intent;
use crate::membership::Approver;
use crate::policy::quorum::Means;
use crate::policy::ruling::{Reason, Ruling};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId};
use crate::request::AbroadFact;
use crate::signal::{Concern, Subject};
use crate::statement::Signature;
use crate::time::{Span, Timestamp};

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
        /// What else was known then.
        known: Known,
        /// When it expires if nobody decides.
        expires_at: Timestamp,
        /// How long its requester may stay silent before it ends, as long as it is pending; `None`
        /// where nobody listens.
        heartbeat: Option<Span>,
    },
    /// A person reviewed it.
    Reviewed(Review),
    /// A person took back the review that they had given.
    Withdrawn {
        /// The review.
        review: ReviewId,
        /// Why, in their words; may be empty.
        reason: String,
        /// The names of the stages that were filled and wait for people again.
        reopened: Vec<String>,
        /// The names of those that are not open any more.
        closed: Vec<String>,
    },
    /// It was approved.
    Approved {
        /// Those who counted, each stage with its people; empty where policy permitted it.
        counted: Vec<(String, BTreeSet<PrincipalId>)>,
        /// Until when the grant may be spent.
        consume_by: Timestamp,
        /// How many times.
        uses: u32,
    },
    /// A review filled stages, or opened those that wait for them.
    Advanced {
        /// The names of those that are filled now.
        filled: Vec<String>,
        /// The names of those whose people are asked from now on.
        opened: Vec<String>,
    },
    /// A stage stayed open, so others are asked too.
    Escalated {
        /// The stage's name.
        stage: String,
        /// Who may count for it from now on, beside those who could before.
        to: BTreeSet<Approver>,
    },
    /// The people of stages that stay open are told again.
    Reminded {
        /// The stages' names.
        stages: Vec<String>,
    },
    /// Something happened to a stage that is reviewed elsewhere.
    Abroad {
        /// The stage's name.
        stage: String,
        /// What.
        what: AbroadFact,
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
    /// It waited for a decision, and whoever asked was not heard of for too long.
    RequesterLost {
        /// When the requester was last heard of.
        last: Timestamp,
        /// When the next sign of life was due.
        due: Timestamp,
    },
    /// One use of the grant was spent, on record before anything is minted.
    Consumed {
        /// The credential it is spent on.
        credential: CredentialId,
        /// For whom that is good.
        audience: String,
        /// When that ends at the latest.
        expires_at: Timestamp,
        /// The broker that opens something for it. From here on something may exist outside, under
        /// a name that follows from the credential's id, until it is on record as closed.
        broker: Option<String>,
        /// Whether what that broker opens can be taken back.
        recall: Recall,
        /// How long its holder may stay silent before it ends.
        heartbeat: Option<Span>,
        /// The key that it is bound to, whose holder asked (RFC 9449).
        confirmation: Option<Thumbprint>,
    },
    /// The token was made.
    Minted {
        /// The credential.
        credential: CredentialId,
        /// SHA-256 of the token.
        fingerprint: Digest,
        /// What signed it; older records do not say.
        key: Option<KeyId>,
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
    /// The holder of a credential was not heard of for too long, and it ended.
    HeartbeatLost {
        /// The credential.
        credential: CredentialId,
        /// When the holder was last heard of.
        last: Timestamp,
        /// When the next sign of life was due.
        due: Timestamp,
    },
    /// Nothing that a broker may have opened for a credential exists any more.
    BrokerClosed {
        /// The credential.
        credential: CredentialId,
    },
    /// What a broker opened cannot be taken back: whoever has it can use it until it ends by itself.
    BrokerOutlives {
        /// The credential.
        credential: CredentialId,
        /// When that is.
        until: Timestamp,
    },
    /// What a broker may have opened could not be closed at the first try; others follow.
    BrokerStuck {
        /// The credential.
        credential: CredentialId,
        /// What stood in the way.
        problem: String,
    },
    /// The exact plan's bytes are kept, sealed.
    PlanKept {
        /// Under which name.
        upload: UploadId,
        /// SHA-256 of the bytes: that of the exact thing that the intent names.
        digest: Digest,
        /// How many bytes.
        size: u64,
        /// Until when at the latest.
        until: Timestamp,
    },
    /// The exact plan's bytes were given to the run that asked, once.
    PlanFetched {
        /// Which.
        upload: UploadId,
        /// By what that run is known; `None` where nothing tells the requester's runs apart.
        run: Option<Digest>,
    },
    /// The exact plan's bytes are not kept any more.
    PlanRemoved {
        /// Which.
        upload: UploadId,
    },
    /// The requester says that the action is over; every credential ends.
    Completed,
    /// The grant was taken back; every credential ends.
    Revoked {
        /// Why.
        reason: String,
    },
    /// It ended because of a signal: one that waits is canceled, a grant and every credential are
    /// taken back.
    Stopped {
        /// The signal.
        signal: SignalId,
        /// What that is about.
        about: Subject,
        /// What it says of it.
        concern: Concern,
        /// The accounts of that person that the request has to do with, beside the name that the
        /// signal has for them.
        accounts: BTreeSet<PrincipalId>,
    },
    /// A person looked at it after the grant.
    PostReviewed(Review),
    /// Enough people looked at it after the grant, and approve.
    PostReviewDone {
        /// The rule that wanted it.
        rule: String,
    },
    /// Too few looked at it in time.
    PostReviewMissed {
        /// The rule that wanted it.
        rule: String,
        /// The rule that does not match from now on.
        suspended: Option<String>,
    },
}

/// What becomes of people's word that a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// They gave it.
    Given,
    /// It is taken back.
    TakenBack,
}

impl Fact {
    /// What this does to people's word, if anything: an approval that policy gives by itself is nobody's.
    pub fn word(&self) -> Option<Word> {
        match self {
            Self::Approved { counted, .. } if counted.is_empty() => None,
            Self::Approved { .. } => Some(Word::Given),
            Self::Revoked { .. } | Self::Stopped { .. } => Some(Word::TakenBack),
            Self::Filed { .. }
            | Self::Reviewed(_)
            | Self::Withdrawn { .. }
            | Self::Advanced { .. }
            | Self::Escalated { .. }
            | Self::Reminded { .. }
            | Self::Abroad { .. }
            | Self::Denied(_)
            | Self::Expired { .. }
            | Self::Canceled { .. }
            | Self::RequesterLost { .. }
            | Self::Consumed { .. }
            | Self::Minted { .. }
            | Self::Redeemed { .. }
            | Self::Abandoned { .. }
            | Self::CredentialRevoked { .. }
            | Self::HeartbeatLost { .. }
            | Self::BrokerClosed { .. }
            | Self::BrokerOutlives { .. }
            | Self::BrokerStuck { .. }
            | Self::PlanKept { .. }
            | Self::PlanFetched { .. }
            | Self::PlanRemoved { .. }
            | Self::Completed
            | Self::PostReviewed(_)
            | Self::PostReviewDone { .. }
            | Self::PostReviewMissed { .. } => None,
        }
    }
}

/// Whether what a broker opens can be taken back before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recall {
    /// Closing ends it.
    #[default]
    Ends,
    /// Nobody can: it works until it ends by itself.
    OnlyExpires,
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
    /// Those for whom the reviewer stood in.
    pub stands_in_for: BTreeSet<PrincipalId>,
    /// How long before that the reviewer had signed in, where that is known.
    pub login_age: Option<Span>,
    /// What the reviewer's passkey signed, where it did.
    pub signature: Option<Arc<Signature>>,
    /// How they had.
    pub means: Means,
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
    /// By another organisation, or because what came from there cannot count.
    Elsewhere {
        /// The stage.
        stage: String,
        /// The partner.
        authority: String,
        /// The request there.
        request: RequestId,
        /// Why.
        reason: String,
    },
}

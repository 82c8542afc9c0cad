//! The word of a person on a request: whose is taken, when, and for what it counts.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::id::ReviewId;
use crate::membership::{Membership, Tie};
use crate::policy::quorum::{Approval, Means, Progress, is_asked};
use crate::policy::ruling::{SignatureDemand, Stage};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::request::event::{Denial, Fact, Review, Verdict};
use crate::request::{Request, State, Step};
use crate::statement::{self, Signature};
use crate::time::{Span, Timestamp};

/// Why a review was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// It is decided, or over.
    #[error("the request is {state} already; reviews are taken only while it is pending")]
    NotPending {
        /// The state it is in.
        state: &'static str,
    },
    /// Its deadline has passed.
    #[error("the request expired at {deadline}")]
    TooLate {
        /// The deadline.
        deadline: Timestamp,
    },
    /// The reviewer saw something else.
    #[error("the review names {named}, but the request's digest is {digest}: look at it again")]
    OtherDigest {
        /// What the review names.
        named: Digest,
        /// What the request is.
        digest: Digest,
    },
    /// Workloads do not review.
    #[error("only people review; `{0}` is a workload")]
    NotAPerson(PrincipalId),
    /// The requester, or somebody it acts for.
    #[error("`{0}` is behind this request, so their review cannot count")]
    OwnRequest(PrincipalId),
    /// The person has reviewed it.
    #[error("`{0}` has reviewed this request already; nobody counts twice")]
    Twice(PrincipalId),
    /// The stages that ask this person want somebody who signed in lately.
    #[error("sign in again: this needs a sign-in{0}")]
    SignInAgain(SignInWanted),
    /// The stages that ask this person want a signature, or a better one.
    #[error("sign this with {0}: open the request in your browser")]
    Unsigned(SignatureDemand),
    /// What was signed is not what is said.
    #[error("what your passkey signed is of another {0}: decide once more")]
    OtherStatement(&'static str),
    /// Nobody can tell that they are not behind it.
    #[error(
        "an account of {issuer} is behind this request or has reviewed it, and which account there is `{who}`'s is not known: \
         link it by signing in to both, or under `people` in the policy"
    )]
    Unlinked {
        /// The reviewer.
        who: PrincipalId,
        /// Whose account is behind it.
        issuer: String,
    },
    /// In no stage that is open.
    #[error("`{who}` is not among those asked now: {asked}")]
    NotAsked {
        /// The reviewer.
        who: PrincipalId,
        /// Who is asked now.
        asked: String,
    },
}

/// The sign-in that the stages want which ask somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignInWanted {
    /// How long ago at most.
    pub within: Option<Span>,
    /// Of any of these classes (`acr`).
    pub acr: BTreeSet<String>,
    /// By any of these methods (`amr`).
    pub amr: BTreeSet<String>,
}

impl fmt::Display for SignInWanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(" or ");
        if let Some(within) = self.within {
            write!(f, " at most {} ago", within.in_words())?;
        }
        if !self.acr.is_empty() {
            write!(f, " of class {}", any(&self.acr))?;
        }
        if !self.amr.is_empty() {
            write!(f, " by {}", any(&self.amr))?;
        }
        Ok(())
    }
}

impl SignInWanted {
    /// What these stages want: of one that is easiest in time, and all that is named.
    fn of<'s>(stages: impl Iterator<Item = &'s Stage> + Clone) -> Self {
        let all = |each: fn(&Stage) -> &BTreeSet<BTreeSet<String>>| {
            stages.clone().flat_map(move |stage| each(stage).iter().flatten().cloned()).collect()
        };
        Self {
            within: stages.clone().filter_map(|stage| stage.login_within).max(),
            acr: all(|stage| &stage.means.acr),
            amr: all(|stage| &stage.means.amr),
        }
    }
}

/// What a reviewer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Approve or deny.
    pub verdict: Verdict,
    /// The digest of what was shown.
    pub digest: Digest,
    /// In the reviewer's words.
    pub comment: String,
    /// When the reviewer signed in, where that is known.
    pub signed_in_at: Option<Timestamp>,
    /// How they did.
    pub means: Means,
}

impl Request {
    /// Takes a person's review.
    ///
    /// # Errors
    /// [`ReviewError`] says why it was not taken; nothing is on record then.
    pub fn review(
        &self,
        id: ReviewId,
        reviewer: &Principal,
        said: Said,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, ReviewError> {
        self.review_signed(id, reviewer, (said, None), membership, now)
    }

    /// The same, with what the reviewer's passkey signed. It counts where a stage asks for a signature;
    /// elsewhere it is on record.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub fn review_signed(
        &self,
        id: ReviewId,
        reviewer: &Principal,
        (said, signature): (Said, Option<Arc<Signature>>),
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, ReviewError> {
        let now = self.no_earlier(now);
        let (who, verdict) = (reviewer.id.clone(), said.verdict);
        let review = said.review(id, &who, self.absent_for(&who, membership), now);
        let review = Review { signature, ..review };
        self.check_reviewer(reviewer, &review, membership, now)?;
        let by = Some(who.clone());
        let denial = Denial::Reviewed { review: id, by: who, comment: review.comment.clone() };
        let mut step = self.step(now, by, Fact::Reviewed(review));
        match verdict {
            Verdict::Deny => step.push(now, Fact::Denied(denial)),
            Verdict::Approve => step.settle(membership, now),
        }
        Ok(step)
    }

    fn check_reviewer(
        &self,
        reviewer: &Principal,
        review: &Review,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), ReviewError> {
        let named = review.digest;
        let who = &reviewer.id;
        let State::Pending(pending) = &self.state else {
            return Err(ReviewError::NotPending { state: self.state.word() });
        };
        let deadline = self.deadline().unwrap_or(pending.expires_at);
        if now >= deadline {
            return Err(ReviewError::TooLate { deadline });
        }
        if named != self.digest {
            return Err(ReviewError::OtherDigest { named, digest: self.digest });
        }
        if reviewer.kind != PrincipalKind::Person {
            return Err(ReviewError::NotAPerson(who.clone()));
        }
        let behind = self.requester.behind();
        match membership.tie(who, &behind) {
            Some(Tie::Behind) => return Err(ReviewError::OwnRequest(who.clone())),
            Some(Tie::Unlinked(issuer)) => {
                return Err(ReviewError::Unlinked { who: who.clone(), issuer });
            }
            None => {}
        }
        if self.speakers().any(|spoken| membership.count_as_one(spoken, who)) {
            return Err(ReviewError::Twice(who.clone()));
        }
        // Of two accounts at two providers nobody knows whether they are one person's.
        let unknown = |spoken| match membership.tie(who, &BTreeSet::from([spoken])) {
            Some(Tie::Unlinked(issuer)) => Some(issuer),
            Some(Tie::Behind) | None => None,
        };
        if let Some(issuer) = self.speakers().find_map(unknown) {
            return Err(ReviewError::Unlinked { who: who.clone(), issuer });
        }
        let stages = self.asked_stages();
        let open = open_among(&stages, &self.progress(membership));
        let approval = review.approval();
        let asks = |stage: &&&Stage| is_asked(stage, who, &approval, &behind, membership);
        let asking: Vec<_> = open.iter().filter(asks).collect();
        if asking.is_empty() {
            let asked = open.iter().flat_map(|stage| stage.asks());
            let asked: BTreeSet<String> = asked.collect();
            let asked = asked.into_iter().collect::<Vec<_>>().join(", ");
            return Err(ReviewError::NotAsked { who: who.clone(), asked });
        }
        let fresh: Vec<_> = asking.iter().filter(|stage| approval.is_fresh_for(stage)).collect();
        if fresh.is_empty() {
            let wanted = SignInWanted::of(asking.iter().map(|stage| **stage));
            return Err(ReviewError::SignInAgain(wanted));
        }
        if let Some(differs) = self.misstated(review, now) {
            return Err(ReviewError::OtherStatement(differs));
        }
        let demand = fresh.iter().find_map(|stage| stage.signature);
        match (fresh.iter().any(|stage| approval.is_signed_for(stage)), demand) {
            (false, Some(demand)) => Err(ReviewError::Unsigned(demand)),
            _ => Ok(()),
        }
    }

    /// What the signed statement of this review says otherwise than the review, if anything: the one
    /// nonce, too, is spent with the one review.
    pub(super) fn misstated(&self, review: &Review, at: Timestamp) -> Option<&'static str> {
        let signature = review.signature.as_ref()?;
        if self.nonces.contains(&signature.statement().nonce) {
            return Some("review");
        }
        signature.differs_from(&statement::Said {
            request: self.id,
            digest: review.digest,
            policy: self.ruling.policy,
            verdict: review.verdict,
            comment: &review.comment,
            approver: &review.reviewer,
            at,
        })
    }

    /// What the stages that ask this person now demand of a signature; `None` where one of them takes
    /// their word without, or nobody asks them.
    pub fn demands_signature(
        &self,
        reviewer: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<SignatureDemand> {
        match self.objection(reviewer, membership, now) {
            Some(ReviewError::Unsigned(demand)) => Some(demand),
            Some(_) | None => None,
        }
    }

    /// Why this person's review would not be taken now; `None` where it would.
    pub fn may_review(
        &self,
        reviewer: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<ReviewError> {
        // That they must sign, they are told where they decide.
        let objection = self.objection(reviewer, membership, now);
        objection.filter(|why| !matches!(why, ReviewError::Unsigned(_)))
    }

    fn objection(
        &self,
        reviewer: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<ReviewError> {
        let now = self.no_earlier(now);
        // Whether they must sign in again, they are told when they decide.
        let (verdict, digest, comment) = (Verdict::Approve, self.digest, String::new());
        let (signed_in_at, means) = (Some(now), Means::default());
        let said = Said { verdict, digest, comment, signed_in_at, means };
        let absent = self.absent_for(&reviewer.id, membership);
        let review = said.review(ReviewId::from_bytes([0; 16]), &reviewer.id, absent, now);
        let objection = self.check_reviewer(reviewer, &review, membership, now).err();
        objection.filter(|objection| !matches!(objection, ReviewError::SignInAgain(_)))
    }

    /// Those for whom somebody stands in now, and for whom nobody has spoken in this request yet:
    /// neither they themselves nor an earlier stand-in. Two stand-ins of one person would be two.
    pub(super) fn absent_for(
        &self,
        who: &PrincipalId,
        membership: &Membership,
    ) -> BTreeSet<PrincipalId> {
        let mut absent = membership.stands_in_for(who);
        let spoken = |absent: &PrincipalId| {
            let absents = self.reviews.iter().flat_map(|review| &review.stands_in_for);
            self.speakers().chain(absents).any(|who| membership.count_as_one(who, absent))
        };
        absent.retain(|absent| !spoken(absent));
        absent
    }

    /// Everybody who has reviewed it themselves, here or at a partner.
    pub(crate) fn speakers(&self) -> impl Iterator<Item = &PrincipalId> {
        self.reviews.iter().map(|review| &review.reviewer).chain(self.endorsers())
    }

    /// Whether somebody reviewed it, or somebody else did in their place.
    pub(super) fn has_spoken(&self, who: &PrincipalId) -> bool {
        self.has_endorsed(who)
            || self.reviews.iter().any(|r| r.reviewer == *who || r.stands_in_for.contains(who))
    }
}

pub(super) fn open_among<'s>(stages: &'s [Stage], progress: &Progress) -> Vec<&'s Stage> {
    let asked = stages.iter().zip(progress.asked()).filter(|(_, asked)| **asked);
    asked.map(|(stage, _)| stage).collect()
}

impl Said {
    /// The review of this person at this moment, with those for whom they stand in then.
    pub(super) fn review(
        self,
        id: ReviewId,
        reviewer: &PrincipalId,
        stands_in_for: BTreeSet<PrincipalId>,
        at: Timestamp,
    ) -> Review {
        let Self { verdict, digest, comment, signed_in_at, means } = self;
        let login_age = signed_in_at.map(|since| whole_seconds(since.until(at)));
        let reviewer = reviewer.clone();
        Review {
            id,
            reviewer,
            verdict,
            digest,
            comment,
            stands_in_for,
            login_age,
            means,
            signature: None,
            at,
        }
    }
}

impl Review {
    /// What of it decides for which stages it counts.
    pub(super) fn approval(&self) -> Approval {
        Approval {
            stands_in_for: self.stands_in_for.clone(),
            login_age: self.login_age,
            means: self.means.clone(),
            signature: self.signature.as_ref().map(|signature| signature.strength()),
        }
    }
}

/// In whole seconds, as it is written; a part of one makes it longer, never shorter.
fn whole_seconds(age: Span) -> Span {
    let rounded = Span::seconds(age.as_seconds());
    if rounded == age { age } else { Span::seconds(age.as_seconds() + 1) }
}

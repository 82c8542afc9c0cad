//! Somebody takes back their own approving review while the request is pending. It counts for nothing
//! from then on, as if it had never been given, and they may give another. What was granted on it is
//! taken back by revoking, not by this.

use crate::id::ReviewId;
use crate::membership::Membership;
use crate::principal::{Principal, PrincipalId};
use crate::request::event::{Event, Fact, Review};
use crate::request::{ReplayError, Request, State, Step};
use crate::time::Timestamp;

/// A review that its giver took back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// What was said.
    pub review: Review,
    /// When it was taken back.
    pub at: Timestamp,
    /// Why, in their words; may be empty.
    pub reason: String,
}

/// Why a review was not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WithdrawError {
    /// It is decided, or over.
    #[error(
        "the request is {state} already; a review is withdrawn only while it is pending, and what was \
         granted is revoked"
    )]
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
    /// No review of theirs stands.
    #[error("`{0}` has no review of this request to withdraw")]
    NoReview(PrincipalId),
    /// It would go on for ever, and everybody asked be told each time.
    #[error("`{0}` has withdrawn {MOST} reviews of this request already")]
    TooOften(PrincipalId),
}

/// How often one person withdraws a review of one request.
const MOST: usize = 3;

impl Request {
    /// Takes back the review that this person gave. Stages that it filled wait for people again, with
    /// their whole time; those that were opened by that close.
    ///
    /// # Errors
    /// [`WithdrawError`] says why not; nothing is on record then.
    pub fn withdraw(
        &self,
        by: &Principal,
        reason: String,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, WithdrawError> {
        let now = self.no_earlier(now);
        let State::Pending(pending) = &self.state else {
            return Err(WithdrawError::NotPending { state: self.state.word() });
        };
        let deadline = self.deadline().unwrap_or(pending.expires_at);
        if now >= deadline {
            return Err(WithdrawError::TooLate { deadline });
        }
        let standing = self.standing_review(&by.id);
        let review = standing.ok_or_else(|| WithdrawError::NoReview(by.id.clone()))?.id;
        let earlier = self.withdrawn.iter().filter(|one| one.review.reviewer == by.id).count();
        if earlier >= MOST {
            return Err(WithdrawError::TooOften(by.id.clone()));
        }
        let (reopened, closed) = self.without(review, membership);
        let fact = Fact::Withdrawn { review, reason, reopened, closed };
        Ok(self.step(now, Some(by.id.clone()), fact))
    }

    /// The review of this person that stands, by the account that they gave it with.
    pub fn standing_review(&self, who: &PrincipalId) -> Option<&Review> {
        self.reviews.iter().find(|review| review.reviewer == *who)
    }

    /// Reviews that their givers took back, in the order in which they did.
    pub fn withdrawn(&self) -> &[Withdrawn] {
        &self.withdrawn
    }

    /// The names of the stages that are filled and would not be without this review, and of those that
    /// would not be open. What another organisation was asked already stays asked.
    fn without(&self, review: ReviewId, membership: &Membership) -> (Vec<String>, Vec<String>) {
        let approvals = self.reviews.iter().filter(|other| other.id != review);
        let progress = self.progress_of(approvals, membership);
        let (mut reopened, mut closed) = (Vec::new(), Vec::new());
        for stage in progress.stages().iter().filter(|s| self.abroad(&s.name).is_none()) {
            let life = self.stage_life(&stage.name);
            if !stage.open && life.opened.is_some() {
                closed.push(stage.name.clone());
            } else if stage.open && life.filled.is_some() && !stage.is_filled() {
                reopened.push(stage.name.clone());
            }
        }
        (reopened, closed)
    }

    /// What of a withdrawal's rules can be seen in the history.
    pub(super) fn check_withdrawn(&self, event: &Event, version: u64) -> Result<(), ReplayError> {
        let Fact::Withdrawn { review, reopened, closed, .. } = &event.fact else { return Ok(()) };
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let found = self.reviews.iter().find(|standing| standing.id == *review);
        let Some(found) = found else { return broken("a withdrawal of no review that stands") };
        if event.by.as_ref() != Some(&found.reviewer) {
            return broken("a withdrawal of somebody else's review");
        }
        if !reopened.iter().all(|name| self.stage_life(name).filled.is_some()) {
            return broken("a stage that waits again and was not filled");
        }
        if !closed.iter().all(|name| self.stage_life(name).opened.is_some()) {
            return broken("a stage that closes and was not open");
        }
        if self.deadline().is_some_and(|deadline| event.at >= deadline) {
            return broken("a withdrawal after the deadline");
        }
        Ok(())
    }

    pub(super) fn move_withdrawn(&mut self, fact: &Fact, at: Timestamp) {
        let Fact::Withdrawn { review, reason, .. } = fact else { return };
        if let Some(place) = self.reviews.iter().position(|standing| standing.id == *review) {
            let review = self.reviews.remove(place);
            self.withdrawn.push(Withdrawn { review, at, reason: reason.clone() });
        }
    }
}

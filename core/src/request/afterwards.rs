//! The review that is due after a grant nobody was asked for, as after break-glass.
//!
//! It changes nothing about the request, which may long be at its end. Missed, it closes the door
//! that its rule names, for everybody, until it is done.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::id::ReviewId;
use crate::membership::{Membership, Tie};
use crate::policy::ruling::PostReview;
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::request::event::{Fact, Review, Verdict};
use crate::request::review::Said;
use crate::request::{Request, Step};
use crate::time::Timestamp;

/// A later review: what is asked, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Afterwards {
    /// What is asked.
    pub review: PostReview,
    /// Until when.
    pub due: Timestamp,
    /// Who has looked, in order.
    pub reviews: Vec<Review>,
    /// When enough had approved.
    pub done: Option<Timestamp>,
    /// When it was put on record that it was missed.
    pub missed: Option<Timestamp>,
}

/// Why a later review was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostReviewError {
    /// None is due, or it is done.
    #[error("no later review of this request is open")]
    NoneOpen,
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
    /// Nobody can tell that they are not behind it.
    #[error(
        "an account of {issuer} is behind this request, and which account there is `{who}`'s is not known: \
         link it by signing in to both, or under `people` in the policy"
    )]
    Unlinked {
        /// The reviewer.
        who: PrincipalId,
        /// Whose account is behind it.
        issuer: String,
    },
    /// The person has looked at it.
    #[error("`{0}` has reviewed this request already; nobody counts twice")]
    Twice(PrincipalId),
    /// Not among those asked.
    #[error("`{who}` is not among those asked: {asked}")]
    NotAsked {
        /// The reviewer.
        who: PrincipalId,
        /// Who is asked.
        asked: String,
    },
}

impl Request {
    /// The later reviews of its grant.
    pub fn afterwards(&self) -> &[Afterwards] {
        &self.afterwards
    }

    /// The rules that do not match as long as a later review of this request is overdue. The clock
    /// alone decides that, whether or not it was put on record that the review was missed.
    pub fn suspends(&self, now: Timestamp) -> BTreeSet<&str> {
        let now = self.no_earlier(now);
        let overdue = self.afterwards.iter().filter(|a| a.done.is_none() && now >= a.due);
        overdue.filter_map(|a| a.review.suspend.as_deref()).collect()
    }

    /// Takes a person's later review: of everything that is still open and asks them.
    ///
    /// # Errors
    /// [`PostReviewError`] says why it was not taken; nothing is on record then.
    pub fn review_afterwards(
        &self,
        id: ReviewId,
        reviewer: &Principal,
        said: Said,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, PostReviewError> {
        let now = self.no_earlier(now);
        self.check_afterwards(reviewer, said.digest, membership)?;
        // Nobody stands in for anybody here.
        let review = said.review(id, &reviewer.id, BTreeSet::new(), now);
        let by = Some(reviewer.id.clone());
        let mut step = self.step(now, by, Fact::PostReviewed(review));
        let behind = self.requester.behind();
        let done: Vec<String> = step
            .next()
            .afterwards
            .iter()
            .filter(|after| after.done.is_none() && after.is_filled(&behind, membership))
            .map(|after| after.review.rule.clone())
            .collect();
        for rule in done {
            step.push(now, Fact::PostReviewDone { rule });
        }
        Ok(step)
    }

    /// Why this person's later review would not be taken now; `None` where it would.
    pub fn may_review_afterwards(
        &self,
        reviewer: &Principal,
        membership: &Membership,
    ) -> Option<PostReviewError> {
        self.check_afterwards(reviewer, self.digest, membership).err()
    }

    fn check_afterwards(
        &self,
        reviewer: &Principal,
        named: Digest,
        membership: &Membership,
    ) -> Result<(), PostReviewError> {
        let who = &reviewer.id;
        let open = || self.afterwards.iter().filter(|after| after.done.is_none());
        if open().next().is_none() {
            return Err(PostReviewError::NoneOpen);
        }
        if named != self.digest {
            return Err(PostReviewError::OtherDigest { named, digest: self.digest });
        }
        if reviewer.kind != PrincipalKind::Person {
            return Err(PostReviewError::NotAPerson(who.clone()));
        }
        match membership.tie(who, &self.requester.behind()) {
            Some(Tie::Behind) => return Err(PostReviewError::OwnRequest(who.clone())),
            Some(Tie::Unlinked(issuer)) => {
                return Err(PostReviewError::Unlinked { who: who.clone(), issuer });
            }
            None => {}
        }
        let asks = |after: &&Afterwards| {
            after.review.by.iter().any(|approver| membership.includes(approver, who))
        };
        if !open().any(|after| asks(&after)) {
            let asked = open().flat_map(|after| &after.review.by).map(ToString::to_string);
            let asked: BTreeSet<String> = asked.collect();
            let asked = asked.into_iter().collect::<Vec<_>>().join(", ");
            return Err(PostReviewError::NotAsked { who: who.clone(), asked });
        }
        let mut reviews = self.afterwards.iter().flat_map(|after| &after.reviews);
        if reviews.any(|review| membership.count_as_one(&review.reviewer, who)) {
            return Err(PostReviewError::Twice(who.clone()));
        }
        let unknown =
            |review: &Review| match membership.tie(who, &BTreeSet::from([&review.reviewer])) {
                Some(Tie::Unlinked(issuer)) => Some(issuer),
                Some(Tie::Behind) | None => None,
            };
        let mut reviews = self.afterwards.iter().flat_map(|after| &after.reviews);
        if let Some(issuer) = reviews.find_map(unknown) {
            return Err(PostReviewError::Unlinked { who: who.clone(), issuer });
        }
        Ok(())
    }

    /// When the next later review is overdue.
    pub(super) fn afterwards_due(&self) -> Option<Timestamp> {
        let open = self.afterwards.iter().filter(|a| a.done.is_none() && a.missed.is_none());
        open.map(|after| after.due).min()
    }

    /// Later reviews that were missed by now.
    pub(super) fn afterwards_facts(&self, now: Timestamp) -> impl Iterator<Item = Fact> {
        let open = self.afterwards.iter().filter(|a| a.done.is_none() && a.missed.is_none());
        open.filter(move |after| now >= after.due).map(|after| Fact::PostReviewMissed {
            rule: after.review.rule.clone(),
            suspended: after.review.suspend.clone(),
        })
    }

    /// They begin with the grant.
    pub(super) fn begin_afterwards(&mut self, at: Timestamp) {
        let begun = |review: &PostReview| Afterwards {
            due: at.plus(review.within),
            review: review.clone(),
            reviews: Vec::new(),
            done: None,
            missed: None,
        };
        self.afterwards = self.ruling.post_reviews.iter().map(begun).collect();
    }

    /// `false` where the fact is about nothing that is open.
    pub(super) fn move_afterwards(&mut self, fact: &Fact, at: Timestamp) -> bool {
        let mut open = self.afterwards.iter_mut().filter(|after| after.done.is_none());
        match fact {
            Fact::PostReviewed(review) => {
                let mut met = false;
                for after in open {
                    after.reviews.push(review.clone());
                    met = true;
                }
                met
            }
            Fact::PostReviewDone { rule } => {
                open.find(|a| a.review.rule == *rule).map(|a| a.done = Some(at)).is_some()
            }
            Fact::PostReviewMissed { rule, .. } => {
                let mut awaited = open.filter(|a| a.missed.is_none());
                awaited.find(|a| a.review.rule == *rule).map(|a| a.missed = Some(at)).is_some()
            }
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Approved { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::Abroad { .. }
            | Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. }
            | Fact::Consumed { .. }
            | Fact::Minted { .. }
            | Fact::Redeemed { .. }
            | Fact::Abandoned { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerStuck { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::Completed
            | Fact::Revoked { .. }
            | Fact::Stopped { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. }
            | Fact::PlanRemoved { .. }
            | Fact::Withdrawn { .. } => true,
        }
    }
}

impl Afterwards {
    /// Whether so many approved that it can be done, whoever they were.
    pub(super) fn could_be_filled(&self) -> bool {
        let approving = self.reviews.iter().filter(|review| review.verdict == Verdict::Approve);
        approving.count() >= self.review.approvals as usize
    }

    /// Whether enough of those asked have approved, each counted once. Somebody who objects is on
    /// record, and does not count; nor does somebody who is known to be behind it now.
    fn is_filled(&self, behind: &BTreeSet<&PrincipalId>, membership: &Membership) -> bool {
        let counts = |review: &&Review| {
            let asked = |by| membership.includes(by, &review.reviewer);
            review.verdict == Verdict::Approve
                && self.review.by.iter().any(asked)
                && membership.tie(&review.reviewer, behind).is_none()
        };
        let counted = self.reviews.iter().filter(counts);
        let people: BTreeSet<_> = counted.map(|r| membership.counted_as(&r.reviewer)).collect();
        people.len() >= self.review.approvals as usize
    }
}

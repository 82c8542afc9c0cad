//! An approval that is looked at and not spent: until when it stands, and whether those who gave it
//! also fill what policy asks at another moment. Nothing here changes a request.

use std::collections::BTreeSet;

use crate::membership::Membership;
use crate::policy::quorum::Progress;
use crate::policy::ruling::Requirement;
use crate::principal::PrincipalId;
use crate::request::{Issued, Request, State};
use crate::time::Timestamp;

impl Request {
    /// Until when its approval stands for what is asked now; `None` where it does not: it was never
    /// approved, it is over or was taken back, or those who approved no longer fill its own stages
    /// or do not fill those of `asked`.
    pub fn stands_for(
        &self,
        asked: &Requirement,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let now = self.no_earlier(now);
        let (counted, until) = match &self.state {
            State::Approved(approved) => (&approved.counted, approved.consume_by),
            State::Consumed(consumed) => (&consumed.counted, self.last_live_end(now)?),
            State::Pending(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Revoked(_) => return None,
        };
        let still = self.no_longer_filled(counted, membership).is_none();
        let fills = still && self.fills(asked, counted, membership) && now < until;
        fills.then_some(until)
    }

    /// When what was approved ends, or has ended. `None` while it is pending, and where it was
    /// denied or canceled. For an expired one, the deadline that passed.
    pub fn approval_ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.state {
            State::Approved(approved) => Some(approved.consume_by),
            State::Consumed(consumed) => Some(self.last_live_end(now).unwrap_or(consumed.at)),
            State::Revoked(revoked) => Some(revoked.at),
            State::Expired(expired) => Some(expired.deadline),
            State::Pending(_) | State::Denied(_) | State::Canceled(_) => None,
        }
    }

    fn last_live_end(&self, now: Timestamp) -> Option<Timestamp> {
        let live = self.credentials.iter().filter(|issued| issued.is_live(now));
        live.map(|issued: &Issued| issued.expires_at).max()
    }

    /// Whether those who counted, as they approved, fill these stages too. For its own stages that
    /// is known, with whoever an escalation added to them.
    fn fills(
        &self,
        asked: &Requirement,
        counted: &BTreeSet<PrincipalId>,
        membership: &Membership,
    ) -> bool {
        if self.requirement().is_some_and(|own| own.stages == asked.stages) {
            return true;
        }
        let reviews = self.reviews.iter().filter(|review| counted.contains(&review.reviewer));
        let approvals = reviews.map(|review| (review.reviewer.clone(), review.approval()));
        let behind = self.requester.behind();
        Progress::of(&asked.stages, &approvals.collect(), &self.endorsed(), &behind, membership)
            .is_met()
    }
}

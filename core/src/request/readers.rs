//! Who reads a request: the one rule that every place asks before it shows one.

use std::collections::BTreeSet;

use crate::membership::{Approver, Membership};
use crate::policy::quorum::{Approval, is_asked};
use crate::policy::ruling::Stage;
use crate::principal::PrincipalId;
use crate::request::{Request, Review};

/// How far somebody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Everything.
    Everything,
    /// What concerns them, by whichever of their accounts.
    Concerning,
    /// What was filed by exactly this account.
    Filed,
}

impl Request {
    /// Whether somebody who reads so far reads it at this moment.
    pub fn is_read_by(&self, who: &PrincipalId, reads: Reads, membership: &Membership) -> bool {
        match reads {
            Reads::Everything => true,
            Reads::Concerning => self.concerns(who, membership),
            Reads::Filed => self.requester.id == *who,
        }
    }

    /// Whether it concerns this person at this moment: they ask for it or are behind it, reviewed it,
    /// or are named by a stage or a later review of it, themselves or for whom they stand in. Those to
    /// whom a stage is escalated are named by it from then on. Suspended, they are concerned by nothing.
    pub fn concerns(&self, who: &PrincipalId, membership: &Membership) -> bool {
        let is_they = |one: &PrincipalId| membership.are_same(one, who);
        !membership.is_suspended(who)
            && (self.requester.behind().into_iter().any(is_they)
                || self.has_heard_of(is_they)
                || self.asked_stages().iter().any(|stage| self.names(stage, who, membership))
                || self.asks_afterwards(who, membership))
    }

    /// Everybody and every group that a request could concern, as it names them. INVARIANT: whom it
    /// [concerns](Self::concerns) is named by one of these under [`Membership::named_as`]; so requests
    /// that concern somebody are found by what they are named as, and then looked at one by one.
    pub fn names_all(&self) -> BTreeSet<Approver> {
        let mut people: BTreeSet<&PrincipalId> = self.requester.behind();
        for review in self.all_reviews() {
            people.insert(&review.reviewer);
            people.extend(&review.stands_in_for);
        }
        let people = people.into_iter().cloned().map(Approver::Person);
        let stages = self.asked_stages();
        let asked = stages.iter().flat_map(|stage| &stage.from);
        let later = self.afterwards.iter().flat_map(|after| &after.review.by);
        people.chain(asked.chain(later).cloned()).collect()
    }

    fn all_reviews(&self) -> impl Iterator<Item = &Review> {
        let withdrawn = self.withdrawn.iter().map(|withdrawn| &withdrawn.review);
        let later = self.afterwards.iter().flat_map(|after| &after.reviews);
        self.reviews.iter().chain(withdrawn).chain(later)
    }

    /// Whether they reviewed it, or somebody did in their place, also where that was taken back.
    fn has_heard_of(&self, is_they: impl Fn(&PrincipalId) -> bool) -> bool {
        let mut all = self.all_reviews();
        all.any(|review| is_they(&review.reviewer) || review.stands_in_for.iter().any(&is_they))
    }

    /// Whoever must link an account before they may review reads why.
    fn names(&self, stage: &Stage, who: &PrincipalId, membership: &Membership) -> bool {
        let includes = |approver: &Approver| membership.includes(approver, who);
        let is_named = stage.elsewhere.is_none() && stage.from.iter().any(includes);
        let stands_in_for = membership.stands_in_for(who);
        let approval = Approval { stands_in_for, ..Approval::default() };
        (is_named && !stage.exclude.iter().any(includes))
            || is_asked(stage, who, &approval, &self.requester.behind(), membership)
    }

    fn asks_afterwards(&self, who: &PrincipalId, membership: &Membership) -> bool {
        let mut by = self.afterwards.iter().flat_map(|after| &after.review.by);
        by.any(|approver| membership.includes(approver, who))
    }
}

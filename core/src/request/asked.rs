//! What is asked of one person, and why them: what they are shown before they decide.

use std::collections::BTreeSet;

use crate::membership::{Approver, Membership};
use crate::policy::quorum::{Approval, is_asked};
use crate::policy::ruling::Stage;
use crate::principal::PrincipalId;
use crate::request::review::open_among;
use crate::request::{Request, State};

/// A stage that asks a person now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `rule/stage`.
    pub stage: String,
    /// The rules that want it.
    pub rules: BTreeSet<String>,
    /// As whom the person is asked: one of a group, or by name.
    pub through: Approver,
    /// For whom they stand in, where it is not they themselves who are asked.
    pub in_place_of: Option<PrincipalId>,
}

impl Request {
    /// The stages that ask this person at this moment, each with the reason. It says nothing about
    /// whether a review would be taken: that is [`Request::may_review`].
    pub fn asks_of(&self, who: &PrincipalId, membership: &Membership) -> Vec<Asked> {
        if !matches!(self.state(), State::Pending(_)) {
            return Vec::new();
        }
        let stages = self.asked_stages();
        let absent = self.absent_for(who, membership);
        let open = open_among(&stages, &self.progress(membership));
        open.into_iter().filter_map(|stage| self.asks(stage, who, &absent, membership)).collect()
    }

    fn asks(
        &self,
        stage: &Stage,
        who: &PrincipalId,
        absent: &BTreeSet<PrincipalId>,
        membership: &Membership,
    ) -> Option<Asked> {
        let behind = self.requester.behind();
        let through = |person: &PrincipalId| {
            stage.from.iter().find(|approver| membership.includes(approver, person)).cloned()
        };
        let asked = |through: Approver, in_place_of: Option<PrincipalId>| Asked {
            stage: stage.name.clone(),
            rules: stage.rules.clone(),
            through,
            in_place_of,
        };
        if is_asked(stage, who, &Approval::default(), &behind, membership) {
            return through(who).map(|through| asked(through, None));
        }
        absent.iter().find_map(|person| {
            let stands_in_for = BTreeSet::from([person.clone()]);
            let approval = Approval { stands_in_for, ..Approval::default() };
            let asks = is_asked(stage, who, &approval, &behind, membership);
            through(person).filter(|_| asks).map(|through| asked(through, Some(person.clone())))
        })
    }
}

//! The life of stages while a request is pending: they open, fill, are escalated, and their people
//! are told again. All of it is on record, so nothing here depends on who is in which group now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::membership::Membership;
use crate::policy::quorum::Progress;
use crate::policy::ruling::Stage;
use crate::request::event::Fact;
use crate::request::{Request, State};
use crate::time::Timestamp;

/// What has become of a stage, as far as it is on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageLife {
    /// Since when its people are asked.
    pub opened: Option<Timestamp>,
    /// When it was filled.
    pub filled: Option<Timestamp>,
    /// When others were asked too.
    pub escalated: Option<Timestamp>,
    /// When its people were last told again.
    pub reminded: Option<Timestamp>,
}

impl StageLife {
    fn waits_since(&self) -> Option<Timestamp> {
        self.opened.filter(|_| self.filled.is_none())
    }
}

/// The lives of all stages, by name. The first of each rule open when the request is filed.
pub(super) fn begin(stages: &[Stage], at: Timestamp) -> BTreeMap<String, StageLife> {
    let life = |stage: &Stage| {
        let opened = stage.after.is_none().then_some(at);
        (stage.name.clone(), StageLife { opened, ..StageLife::default() })
    };
    stages.iter().map(life).collect()
}

impl Request {
    /// What has become of a stage.
    pub fn stage_life(&self, stage: &str) -> StageLife {
        self.stage_lives.get(stage).cloned().unwrap_or_default()
    }

    /// The stages as they are asked now: those that were escalated ask more people.
    pub fn asked_stages(&self) -> Cow<'_, [Stage]> {
        let stages = self.requirement().map(|asked| asked.stages.as_slice()).unwrap_or_default();
        if self.stage_lives.values().all(|life| life.escalated.is_none()) {
            return Cow::Borrowed(stages);
        }
        let widened = stages.iter().cloned().map(|mut stage| {
            if self.stage_life(&stage.name).escalated.is_some() {
                stage.from.extend(stage.escalate.iter().flat_map(|e| e.to.clone()));
            }
            stage
        });
        Cow::Owned(widened.collect())
    }

    /// Stages that wait for people, each with when it opened.
    fn waiting(&self) -> impl Iterator<Item = (&Stage, &StageLife, Timestamp)> {
        let pending = matches!(self.state, State::Pending(_));
        let stages = self.requirement().filter(|_| pending).map(|asked| asked.stages.iter());
        stages.into_iter().flatten().filter_map(|stage| {
            let life = self.stage_lives.get(&stage.name)?;
            Some((stage, life, life.waits_since()?))
        })
    }

    /// When the first of the stages that wait takes the request with it.
    pub(super) fn stage_deadline(&self) -> Option<Timestamp> {
        let each = self.waiting().flat_map(|(stage, _, since)| {
            let own = stage.expires_after.map(|after| since.plus(after));
            let escalated = stage.escalate.as_ref().and_then(|escalation| {
                let after = escalation.then_expire_after?;
                Some(since.plus(escalation.after).plus(after))
            });
            own.into_iter().chain(escalated)
        });
        each.min()
    }

    /// When the next stage is to be escalated or its people are to be told again.
    pub(super) fn stage_due(&self) -> Option<Timestamp> {
        let each = self.waiting().flat_map(|(stage, life, since)| {
            escalation_due(stage, life, since).into_iter().chain(reminder_due(stage, life, since))
        });
        each.min()
    }

    /// Escalations and reminders that are due.
    pub(super) fn stage_facts(&self, now: Timestamp) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut reminded = Vec::new();
        for (stage, life, since) in self.waiting() {
            let is_due = |at: Option<Timestamp>| at.is_some_and(|at| now >= at);
            if is_due(escalation_due(stage, life, since)) {
                let to = stage.escalate.iter().flat_map(|e| e.to.clone()).collect();
                facts.push(Fact::Escalated { stage: stage.name.clone(), to });
            }
            if is_due(reminder_due(stage, life, since)) {
                reminded.push(stage.name.clone());
            }
        }
        if !reminded.is_empty() {
            facts.push(Fact::Reminded { stages: reminded });
        }
        facts
    }

    /// Whether this stage is to be escalated at this moment.
    pub(super) fn escalates(&self, name: &str, at: Timestamp) -> bool {
        let mut waiting = self.waiting().filter(|(stage, ..)| stage.name == name);
        waiting.any(|(stage, life, since)| {
            escalation_due(stage, life, since).is_some_and(|due| at >= due)
        })
    }

    /// Whether this stage's people are to be told again at this moment.
    pub(super) fn reminds(&self, name: &str, at: Timestamp) -> bool {
        let mut waiting = self.waiting().filter(|(stage, ..)| stage.name == name);
        waiting.any(|(stage, life, since)| {
            reminder_due(stage, life, since).is_some_and(|due| at >= due)
        })
    }

    /// The stages that a review filled and opened, if it did either.
    pub(super) fn advance(&self, membership: &Membership) -> Option<Fact> {
        let progress: Progress = self.progress(membership);
        let (mut filled, mut opened) = (Vec::new(), Vec::new());
        for stage in progress.stages() {
            let life = self.stage_life(&stage.name);
            if stage.open && life.opened.is_none() {
                opened.push(stage.name.clone());
            }
            if stage.is_filled() && life.filled.is_none() {
                filled.push(stage.name.clone());
            }
        }
        let moved = !filled.is_empty() || !opened.is_empty();
        moved.then_some(Fact::Advanced { filled, opened })
    }

    pub(super) fn move_stages(&mut self, fact: &Fact, at: Timestamp) {
        let mut each = |names: &[String], set: fn(&mut StageLife, Timestamp)| {
            for name in names {
                if let Some(life) = self.stage_lives.get_mut(name) {
                    set(life, at);
                }
            }
        };
        match fact {
            Fact::Advanced { filled, opened } => {
                each(filled, |life, at| life.filled = Some(at));
                each(opened, |life, at| life.opened = Some(at));
            }
            Fact::Escalated { stage, .. } => {
                each(std::slice::from_ref(stage), |life, at| life.escalated = Some(at));
            }
            Fact::Reminded { stages } => each(stages, |life, at| life.reminded = Some(at)),
            Fact::Withdrawn { reopened, closed, .. } => {
                each(reopened, |life, at| (life.opened, life.filled) = (Some(at), None));
                each(closed, |life, _| (life.opened, life.filled) = (None, None));
            }
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Abroad { .. }
            | Fact::Approved { .. }
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
            | Fact::PostReviewed(_)
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. }
            | Fact::PlanRemoved { .. } => {}
        }
    }
}

fn escalation_due(stage: &Stage, life: &StageLife, since: Timestamp) -> Option<Timestamp> {
    let escalation = stage.escalate.as_ref().filter(|escalation| !escalation.to.is_empty())?;
    life.escalated.is_none().then(|| since.plus(escalation.after))
}

/// The first after one interval, each further one an interval after the last: nobody is told of
/// every one that was missed while the authority was away.
fn reminder_due(stage: &Stage, life: &StageLife, since: Timestamp) -> Option<Timestamp> {
    Some(life.reminded.unwrap_or(since).plus(stage.remind?))
}

//! The exact plan's bytes, as far as a request tells of them: sent by its requester while it is open,
//! given once to the run that asked, and gone with the request or sooner. The bytes themselves are
//! the ledger's; here is who may have them, and when.

use crate::binding::OtherRun;
use crate::digest::Digest;
use crate::id::UploadId;
use crate::membership::Membership;
use crate::principal::{Principal, PrincipalId};
use crate::request::event::{Event, Fact};
use crate::request::replay::ReplayError;
use crate::request::{ConsumeError, Request, State, Step};
use crate::time::{Span, Timestamp};

/// What is known of the exact plan's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPlan {
    /// Under which name they are kept.
    pub upload: UploadId,
    /// How many bytes.
    pub size: u64,
    /// Since when.
    pub at: Timestamp,
    /// Until when at the latest.
    pub until: Timestamp,
    /// When they were given to the run that asked.
    pub fetched_at: Option<Timestamp>,
    /// Since when they are not kept any more.
    pub removed_at: Option<Timestamp>,
}

/// Why the exact plan's bytes were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendPlanError {
    /// Only the requester sends them.
    #[error("only the requester sends the plan of a request")]
    NotRequester,
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
    /// It is over.
    #[error("the request is {state}; a plan is sent only while it is pending or approved")]
    NotOpen {
        /// The state it is in.
        state: &'static str,
    },
    /// The intent names no exact thing.
    #[error(
        "the request names no exact plan: file it with `digest`, the SHA-256 of the plan's file"
    )]
    NoDigest,
    /// The bytes are not those that the intent names.
    #[error(
        "what was sent is {sent}, but the request is for {wanted}: a new plan needs a new request"
    )]
    OtherDigest {
        /// SHA-256 of what was sent.
        sent: Digest,
        /// SHA-256 of what people are asked about.
        wanted: Digest,
    },
    /// They were fetched, and are given once.
    #[error("the plan was fetched at {at}; it is given once")]
    Fetched {
        /// When.
        at: Timestamp,
    },
}

/// Why the exact plan's bytes were not given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchPlanError {
    /// There is no grant of this caller and run, or its time is over, or those who approved no longer
    /// count.
    #[error(transparent)]
    Grant(#[from] ConsumeError),
    /// Nobody sent them.
    #[error("no plan was sent for this request")]
    NotSent,
    /// They were fetched, and are given once.
    #[error("the plan was fetched at {at}; it is given once, so file a new request")]
    Fetched {
        /// When.
        at: Timestamp,
    },
    /// Their time is over.
    #[error("the plan was kept until {until}; send it again")]
    Gone {
        /// Until when.
        until: Timestamp,
    },
}

impl KeptPlan {
    /// Whether the bytes are there at this moment.
    pub fn is_kept(&self, now: Timestamp) -> bool {
        self.removed_at.is_none() && now < self.until
    }
}

impl Request {
    /// That this caller may send the exact plan's bytes now; gives the digest that they must have.
    ///
    /// # Errors
    /// [`SendPlanError`].
    pub fn check_send_plan(&self, by: &Principal, now: Timestamp) -> Result<Digest, SendPlanError> {
        let now = self.no_earlier(now);
        if by.id != self.requester.id {
            return Err(SendPlanError::NotRequester);
        }
        self.check_run(by)?;
        if !self.state.is_open() {
            return Err(SendPlanError::NotOpen { state: self.state.word() });
        }
        if self.deadline().is_none_or(|deadline| now >= deadline) {
            return Err(SendPlanError::NotOpen { state: "expired" });
        }
        if let Some(at) = self.plan.as_ref().and_then(|plan| plan.fetched_at) {
            return Err(SendPlanError::Fetched { at });
        }
        self.intent.subject().ok_or(SendPlanError::NoDigest)
    }

    /// Records that the exact plan's bytes, which have this digest, are kept: as long as the request
    /// can still be used, and no longer than `retention`. `Ok(None)` where they are kept already.
    ///
    /// # Errors
    /// [`SendPlanError`]; nothing is on record then.
    pub fn keep_plan(
        &self,
        by: &Principal,
        sent: Sent,
        retention: Option<Span>,
        now: Timestamp,
    ) -> Result<Option<Step>, SendPlanError> {
        let now = self.no_earlier(now);
        let wanted = self.check_send_plan(by, now)?;
        let Sent { upload, digest, size } = sent;
        if digest != wanted {
            return Err(SendPlanError::OtherDigest { sent: digest, wanted });
        }
        if self.plan.as_ref().is_some_and(|plan| plan.is_kept(now)) {
            return Ok(None);
        }
        let retained = retention.map(|retention| now.plus(retention));
        let until = retained.into_iter().chain(self.latest_end()).min().unwrap_or(now);
        let kept = Fact::PlanKept { upload, digest, size, until };
        Ok(Some(match self.plan.as_ref().filter(|plan| plan.removed_at.is_none()) {
            None => self.step(now, Some(by.id.clone()), kept),
            // Its time is over, though nobody has put that on record yet.
            Some(over) => {
                let mut step = self.step(now, None, Fact::PlanRemoved { upload: over.upload });
                step.push_by(now, by.id.clone(), kept);
                step
            }
        }))
    }

    /// Gives the exact plan's bytes, once, to the run that asked: the step to commit before they are
    /// given, and under which name they are kept.
    ///
    /// # Errors
    /// [`FetchPlanError`]; nothing is on record then.
    pub fn fetch_plan(
        &self,
        by: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(Step, KeptPlan), FetchPlanError> {
        let now = self.no_earlier(now);
        let plan = self.check_fetch_plan(by, membership, now)?;
        if let Some(at) = plan.fetched_at {
            return Err(FetchPlanError::Fetched { at });
        }
        let fact = Fact::PlanFetched { upload: plan.upload, run: self.run() };
        Ok((self.step(now, Some(by.id.clone()), fact), plan.clone()))
    }

    /// The plan that this caller may be given now, whether or not it was given before: for the same
    /// call again, whose answer was lost.
    ///
    /// # Errors
    /// [`FetchPlanError`].
    pub fn check_fetch_plan(
        &self,
        by: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<&KeptPlan, FetchPlanError> {
        let now = self.no_earlier(now);
        self.check_begin(by, membership, now)?;
        let plan = self.plan.as_ref().ok_or(FetchPlanError::NotSent)?;
        match plan.is_kept(now) {
            true => Ok(plan),
            false => Err(FetchPlanError::Gone { until: plan.removed_at.unwrap_or(plan.until) }),
        }
    }

    /// When the grant ends at the latest, whoever decides when.
    fn latest_end(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending(pending) => Some(pending.expires_at.plus(self.terms()?.grant_window)),
            State::Approved(approved) => Some(approved.consume_by),
            State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_) => None,
        }
    }

    /// When the bytes are to be removed: with the end of the request, or at their own time.
    pub(super) fn plan_due(&self) -> Option<Timestamp> {
        let plan = self.plan.as_ref().filter(|plan| plan.removed_at.is_none())?;
        Some(if self.state.is_open() { plan.until } else { self.last_at })
    }

    /// That the bytes are removed, where their time has come; `ends` is whether the request does.
    pub(super) fn plan_facts(&self, now: Timestamp, ends: bool) -> Option<Fact> {
        let due = self.plan_due()?;
        let upload = self.plan.as_ref()?.upload;
        (ends || now >= due).then_some(Fact::PlanRemoved { upload })
    }

    /// What of the rules can be seen in the history.
    pub(super) fn check_plan(&self, event: &Event, version: u64) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let kept = self.plan.as_ref().filter(|plan| plan.removed_at.is_none());
        let at = event.at;
        let is_theirs = |by: &Option<PrincipalId>| by.as_ref() == Some(&self.requester.id);
        match &event.fact {
            Fact::PlanKept { digest, until, .. } => {
                if !is_theirs(&event.by) {
                    return Err(ReplayError::Foreign { version });
                }
                if self.intent.subject() != Some(*digest) {
                    return broken("a plan of another digest");
                }
                let fetched = self.plan.as_ref().is_some_and(|plan| plan.fetched_at.is_some());
                if kept.is_some() || fetched {
                    return broken("a plan that was there before");
                }
                if self.latest_end().is_none_or(|end| *until > end) {
                    return broken("a plan that outlives its request");
                }
            }
            Fact::PlanFetched { upload, run } => {
                if !is_theirs(&event.by) || *run != self.run() {
                    return Err(ReplayError::Foreign { version });
                }
                let State::Approved(approved) = &self.state else {
                    return broken("a plan that was fetched without a grant");
                };
                let is_there = |plan: &KeptPlan| plan.upload == *upload && at < plan.until;
                if !kept.is_some_and(is_there) || at >= approved.consume_by {
                    return broken("a plan that was fetched when it was not there");
                }
                if kept.is_some_and(|plan| plan.fetched_at.is_some()) {
                    return broken("a plan that was fetched twice");
                }
            }
            Fact::PlanRemoved { upload } => {
                let is_due = self.plan_due().is_some_and(|due| at >= due);
                if !is_due || kept.is_none_or(|plan| plan.upload != *upload) {
                    return broken("the removal of a plan that was not due");
                }
            }
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Withdrawn { .. }
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
            | Fact::PostReviewed(_)
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. } => {}
        }
        Ok(())
    }

    pub(super) fn move_plan(&mut self, fact: &Fact, at: Timestamp) {
        if let Fact::PlanKept { upload, size, until, .. } = fact {
            let (fetched_at, removed_at) = (None, None);
            let (upload, size, until) = (*upload, *size, *until);
            self.plan = Some(KeptPlan { upload, size, at, until, fetched_at, removed_at });
        }
        let Some(plan) = &mut self.plan else { return };
        if let Fact::PlanFetched { .. } = fact {
            plan.fetched_at = Some(at);
        }
        if let Fact::PlanRemoved { .. } = fact {
            plan.removed_at = Some(at);
        }
    }
}

/// Bytes that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Under which name they are kept.
    pub upload: UploadId,
    /// Their SHA-256.
    pub digest: Digest,
    /// How many.
    pub size: u64,
}

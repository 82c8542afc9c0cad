//! A request as the profile shows it: a task that leaves `pending` once and for all, and the
//! approval that came of it.

use assent_core::membership::Membership;
use assent_core::request::{Request, State, Version};
use assent_core::wire::authzen::{Approval, Links, Progress, Resolution, Task, TaskStatus, Tasked};

use crate::app::authzen::approval::wished_end;
use crate::app::{AppError, Authority};

impl Authority {
    pub(super) async fn tasked(&self, request: &Request) -> Result<Tasked, AppError> {
        let status = self.status(request).await?;
        let id = request.id().to_string();
        let at = format!("{}/{id}", self.access_request_endpoint());
        let is_pending = status == TaskStatus::Pending;
        let result = (status == TaskStatus::Approved).then(|| self.resolution(request)).flatten();
        let deadline = request.deadline().filter(|_| is_pending);
        let task = Task {
            status,
            expires_at: deadline.map(|deadline| deadline.to_string()),
            progress: progress(request, &self.membership()).filter(|_| is_pending),
            links: Links {
                ticket: format!("{}/requests/{id}", self.base),
                cancel: is_pending.then(|| format!("{at}/cancel")),
            },
            id,
            status_endpoint: at,
        };
        Ok(Tasked { task, result })
    }

    /// Our states in the profile's words. What was approved stays approved: that a grant lapsed, was
    /// used or was taken back shows when it is presented.
    async fn status(&self, request: &Request) -> Result<TaskStatus, AppError> {
        Ok(match request.state() {
            State::Pending(_) => TaskStatus::Pending,
            State::Approved(_) | State::Consumed(_) | State::Revoked(_) => TaskStatus::Approved,
            State::Denied(_) => TaskStatus::Denied,
            State::Canceled(_) => TaskStatus::Cancelled,
            State::Expired(_) if self.was_approved(request).await? => TaskStatus::Approved,
            State::Expired(_) => TaskStatus::Expired,
        })
    }

    /// Whether it was approved at some time. An expired request does not say which of its deadlines
    /// passed; the one before it, as the ledger has it, does.
    pub(super) async fn was_approved(&self, request: &Request) -> Result<bool, AppError> {
        let mut version = request.version().0;
        let mut seen = request.clone();
        loop {
            match seen.state() {
                State::Approved(_) | State::Consumed(_) | State::Revoked(_) => return Ok(true),
                State::Pending(_) | State::Denied(_) | State::Canceled(_) => return Ok(false),
                State::Expired(_) => {}
            }
            version = version.saturating_sub(1);
            match self.ledger.load(request.id(), Some(Version(version))).await? {
                Some(earlier) if version > 0 => seen = earlier,
                Some(_) | None => return Ok(false),
            }
        }
    }

    fn resolution(&self, request: &Request) -> Option<Resolution> {
        let end = request.approval_ends_at(self.clock.now())?;
        let end = wished_end(request).map_or(end, |wished| wished.min(end));
        let approved_at = match request.state() {
            State::Approved(approved) => Some(approved.at.to_string()),
            State::Pending(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_) => None,
        };
        let id = request.id().to_string();
        let approval = Approval { id, approved_at, approved_until: end.to_string() };
        Some(Resolution { mode: "reevaluate".to_owned(), approval })
    }
}

fn progress(request: &Request, membership: &Membership) -> Option<Progress> {
    let progress = request.progress(membership);
    let stages = request.requirement().map(|asked| asked.stages.as_slice())?;
    let (at, stage) =
        stages.iter().enumerate().zip(progress.stages()).find(|(_, far)| !far.is_filled())?.0;
    Some(Progress {
        current_step: at + 1,
        total_steps: stages.len(),
        step_name: stage.name.clone(),
        awaiting: stage.asks().collect(),
    })
}

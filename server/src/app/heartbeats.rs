//! Signs of life: who holds a credential that ends with its holder is listened for.
//!
//! When they were heard of is kept beside the log; only a loss is a fact. Nobody is silent who could
//! not be heard: after a start, a ledger that was away or a pause of this process, every holder has
//! the whole time again.

use std::sync::atomic::{AtomicBool, Ordering};

use assent_core::binding::check_applying;
use assent_core::request::{ConsumeError, Request, Step};
use assent_core::wire;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::Commit;

/// How many at a time.
const AT_ONCE: usize = 256;

/// Whether everybody could be heard since they were last excused.
#[derive(Debug, Default)]
pub(super) struct Hearing(AtomicBool);

impl Hearing {
    /// Somebody may have called in vain.
    pub(super) fn was_lost(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Authority {
    /// Takes a sign of life of whoever holds a credential, and says when the next is due.
    ///
    /// # Errors
    /// [`AppError::CredentialOver`] where there is nothing left to hold; [`AppError::Consume`] for
    /// anybody but the requester.
    pub async fn heartbeat(&self, caller: &Caller, id: &str) -> Result<wire::Heartbeat, AppError> {
        let (credential, request) = self.request_of(caller, id).await?;
        let owner = &request.requester().id;
        if caller.principal().id != *owner {
            return Err(ConsumeError::NotRequester(owner.clone()).into());
        }
        request.check_run(caller.principal()).map_err(ConsumeError::from)?;
        check_applying(caller.principal()).map_err(ConsumeError::from)?;
        let now = self.clock.now();
        let issued = request.credential(credential).filter(|issued| issued.is_live(now));
        let issued = issued.ok_or(AppError::CredentialOver)?;
        let Some(every) = issued.heartbeat else { return Ok(wire::Heartbeat::default()) };
        let due = now.plus(every);
        let heard = self.ledger.heard(credential, now, due).await;
        if heard.inspect_err(|_| self.hearing.was_lost())? {
            let (every, due) = (Some(every.to_string()), Some(due.to_string()));
            return Ok(wire::Heartbeat { heartbeat: every, heartbeat_due: due });
        }
        Err(AppError::CredentialOver)
    }

    /// Ends every credential whose holder was silent for too long; says how many.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(super) async fn end_silent(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        if !self.hearing.holds() {
            self.ledger.excuse(now).await?;
            self.hearing.0.store(true, Ordering::SeqCst);
        }
        let silent = self.ledger.silent(now, AT_ONCE).await;
        let mut ended = 0;
        for beat in silent.inspect_err(|_| self.hearing.was_lost())? {
            // One that cannot be read does not keep the others from their end.
            match self.current(beat.request).await {
                Ok(_) => ended += 1,
                Err(error) => tracing::warn!(%error, "a silence could not be put on record"),
            }
        }
        Ok(ended)
    }

    /// What the silence of a holder has done by now, whether or not a sweep ran.
    pub(super) async fn silence(&self, request: &Request) -> Result<Option<Step>, AppError> {
        let now = self.clock.now();
        let mut live = request.credentials().iter().filter(|issued| issued.is_live(now));
        if !live.any(|issued| issued.heartbeat.is_some()) || !self.hearing.holds() {
            return Ok(None);
        }
        let beats = self.ledger.heartbeats(request.id()).await?;
        let lost =
            |b: &crate::ledger::Heartbeat| request.heartbeat_lost(b.credential, b.last, b.due, now);
        Ok(beats.iter().find_map(lost))
    }

    /// Puts a step on record that time alone has brought about; `None` where the request has moved on.
    pub(super) async fn lapsed(&self, step: Step) -> Result<Option<Request>, AppError> {
        let next = step.next().clone();
        let commit = self.commit_alone(step).await?;
        Ok(matches!(commit, Commit::Done(_)).then_some(next))
    }
}

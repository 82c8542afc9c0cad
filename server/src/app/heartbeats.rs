//! Signs of life: who holds a credential that ends with its holder is listened for, and so is who
//! waits for a request that ends with its requester.
//!
//! When they were heard of is kept beside the log; only a loss is a fact. Nobody is silent who could
//! not be heard: after a start, a ledger that was away or a pause of this process, everybody has the
//! whole time again. A call that is parked here is itself a sign of life, as long as it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use assent_core::binding::check_applying;
use assent_core::id::RequestId;
use assent_core::request::{ConsumeError, LONGEST_SILENCE, Request, SHORTEST_SILENCE, State, Step};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Commit, Heartbeat, Listened};

/// How many at a time.
const AT_ONCE: usize = 256;

/// Whether everybody could be heard since they were last excused, and who is here this moment.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    everybody: AtomicBool,
    here: Mutex<HashMap<RequestId, usize>>,
}

impl Hearing {
    /// Somebody may have called in vain.
    pub(super) fn was_lost(&self) {
        self.everybody.store(false, Ordering::SeqCst);
    }

    fn holds(&self) -> bool {
        self.everybody.load(Ordering::SeqCst)
    }

    fn is_here(&self, id: RequestId) -> bool {
        self.here().contains_key(&id)
    }

    fn here(&self) -> MutexGuard<'_, HashMap<RequestId, usize>> {
        // Counts that are whole between any two lines.
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The requester, in a call that waits for the decision; gone when dropped.
#[derive(Debug)]
pub(super) struct Present<'a> {
    hearing: &'a Hearing,
    request: RequestId,
    every: Span,
    noted: Timestamp,
}

impl<'a> Present<'a> {
    fn new(hearing: &'a Hearing, request: RequestId, every: Span, noted: Timestamp) -> Self {
        *hearing.here().entry(request).or_default() += 1;
        Self { hearing, request, every, noted }
    }

    /// How long until it is noted again: whoever leaves has most of the time left to come back.
    pub(super) fn pause(&self) -> Span {
        Span::from_millis(u64::try_from(self.every.as_millis() / 3).unwrap_or(0))
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        let mut here = self.hearing.here();
        if let Some(count) = here.get_mut(&self.request) {
            *count -= 1;
            if *count == 0 {
                here.remove(&self.request);
            }
        }
    }
}

/// How long the requester promises to be silent at most.
///
/// # Errors
/// [`AppError::Field`].
pub(super) fn promised(heartbeat: Option<&str>) -> Result<Option<Span>, AppError> {
    let fault = |problem| AppError::Field { field: "heartbeat", problem };
    let Some(text) = heartbeat else { return Ok(None) };
    let every: Span = text.parse().map_err(|problem| fault(format!("{problem}")))?;
    if every < SHORTEST_SILENCE || every > LONGEST_SILENCE {
        return Err(fault(format!("ask for {SHORTEST_SILENCE} to {LONGEST_SILENCE}")));
    }
    Ok(Some(every))
}

/// How often the requester is to be heard of, where somebody listens.
fn listened(request: &Request) -> Option<Span> {
    request.heartbeat().filter(|_| matches!(request.state(), State::Pending(_)))
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
        match self.hear_of(Listened::Holder(credential), now, every).await? {
            true => Ok(heard(every, due)),
            false => Err(AppError::CredentialOver),
        }
    }

    /// Takes a sign of life of whoever waits for a decision, and says when the next is due.
    ///
    /// # Errors
    /// [`AppError::NotWaiting`] where it is decided or over; [`AppError::Consume`] for anybody but the
    /// requester, in the run that asked.
    pub async fn request_heartbeat(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<wire::Heartbeat, AppError> {
        let request = self.request(caller, id).await?;
        self.check_scope(caller, request.intent())?;
        let owner = &request.requester().id;
        if caller.principal().id != *owner {
            return Err(ConsumeError::NotRequester(owner.clone()).into());
        }
        request.check_run(caller.principal()).map_err(ConsumeError::from)?;
        let over = AppError::NotWaiting { state: request.state().word() };
        if !matches!(request.state(), State::Pending(_)) {
            return Err(over);
        }
        let Some(every) = request.heartbeat() else { return Ok(wire::Heartbeat::default()) };
        let now = self.clock.now();
        match self.hear_of(Listened::Requester(request.id()), now, every).await? {
            true => Ok(heard(every, now.plus(every))),
            false => Err(over),
        }
    }

    /// The requester meets the request again, or begins to wait for it: `None` where that is somebody
    /// else, or where nobody listens.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(super) async fn present(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Option<Present<'_>>, AppError> {
        let Some(every) = listened(request) else { return Ok(None) };
        let is_own = caller.principal().id == request.requester().id;
        if !is_own || request.check_run(caller.principal()).is_err() {
            return Ok(None);
        }
        let now = self.clock.now();
        self.hear_of(Listened::Requester(request.id()), now, every).await?;
        Ok(Some(Present::new(&self.hearing, request.id(), every, now)))
    }

    /// The requester waits still.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(super) async fn still_present(&self, present: &mut Present<'_>) -> Result<(), AppError> {
        let now = self.clock.now();
        if now >= present.noted.plus(present.pause()) {
            self.hear_of(Listened::Requester(present.request), now, present.every).await?;
            present.noted = now;
        }
        Ok(())
    }

    /// Whether the requester waits for this in a call at this moment, where it is listened for.
    pub fn awaits(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id| self.hearing.is_here(id))
    }

    async fn hear_of(&self, who: Listened, now: Timestamp, every: Span) -> Result<bool, AppError> {
        let heard = self.ledger.heard(who, now, now.plus(every)).await;
        Ok(heard.inspect_err(|_| self.hearing.was_lost())?)
    }

    /// Ends every credential whose holder, and every pending request whose requester, was silent for
    /// too long; says how many.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(super) async fn end_silent(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        if !self.hearing.holds() {
            self.ledger.excuse(now).await?;
            self.hearing.everybody.store(true, Ordering::SeqCst);
        }
        let silent = self.ledger.silent(now, AT_ONCE).await;
        let mut ended = 0;
        for beat in silent.inspect_err(|_| self.hearing.was_lost())? {
            if self.is_here(&beat).await? {
                continue;
            }
            // One that cannot be read does not keep the others from their end.
            match self.current(beat.request).await {
                Ok(_) => ended += 1,
                Err(error) => tracing::warn!(%error, "a silence could not be put on record"),
            }
        }
        Ok(ended)
    }

    /// What the silence of a holder or of the requester has done by now, whether or not a sweep ran.
    pub(super) async fn silence(&self, request: &Request) -> Result<Option<Step>, AppError> {
        let now = self.clock.now();
        let mut live = request.credentials().iter().filter(|issued| issued.is_live(now));
        let asked = live.any(|issued| issued.heartbeat.is_some()) || listened(request).is_some();
        if !asked || !self.hearing.holds() {
            return Ok(None);
        }
        for beat in self.ledger.heartbeats(request.id()).await? {
            let Heartbeat { who, last, due, .. } = beat;
            let lost = match who {
                Listened::Holder(credential) => request.heartbeat_lost(credential, last, due, now),
                Listened::Requester(_) => request.requester_lost(last, due, now),
            };
            if lost.is_some() && !self.is_here(&beat).await? {
                return Ok(lost);
            }
        }
        Ok(None)
    }

    /// Whether somebody who is due waits in a call this moment, which the clock may have overtaken.
    async fn is_here(&self, beat: &Heartbeat) -> Result<bool, AppError> {
        let Listened::Requester(id) = beat.who else { return Ok(false) };
        if !self.hearing.is_here(id) {
            return Ok(false);
        }
        let Some(request) = self.ledger.load(id, None).await? else { return Ok(false) };
        let Some(every) = listened(&request) else { return Ok(false) };
        self.hear_of(beat.who, self.clock.now(), every).await?;
        Ok(true)
    }

    /// Puts a step on record that time alone has brought about; `None` where the request has moved on.
    pub(super) async fn lapsed(&self, step: Step) -> Result<Option<Request>, AppError> {
        let next = step.next().clone();
        let commit = self.commit_alone(step).await?;
        Ok(matches!(commit, Commit::Done(_)).then_some(next))
    }
}

fn heard(every: Span, due: Timestamp) -> wire::Heartbeat {
    wire::Heartbeat { heartbeat: Some(every.to_string()), heartbeat_due: Some(due.to_string()) }
}

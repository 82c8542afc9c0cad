//! What waits for a person and why, what they asked for, and what else is open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::id::RequestId;
use assent_core::membership::Tie;
use assent_core::request::{Asked, Event, Request, State, Version};
use assent_core::time::Timestamp;

use crate::app::{AppError, Authority, Caller};

/// So many open requests are looked at, the newest.
const MOST: usize = 2_000;

/// Open requests as they were read last. Which are open, and at which version, the ledger is asked each
/// time; this only saves reading again what has not changed.
#[derive(Debug, Default)]
pub(super) struct OpenRequests(Mutex<HashMap<RequestId, Arc<Request>>>);

impl OpenRequests {
    fn held(&self, id: RequestId, version: Version) -> Option<Arc<Request>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&id).filter(|request| request.version() == version).map(Arc::clone)
    }

    /// Holds these and no others.
    fn hold(&self, requests: &[Arc<Request>]) {
        let all = requests.iter().map(|request| (request.id(), Arc::clone(request)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }
}

/// A person's inbox at one moment.
#[derive(Debug)]
pub struct Inbox {
    /// What waits for them, soonest over first.
    pub waiting: Vec<Waiting>,
    /// What they asked for, or somebody did for them, newest first: all that is open.
    pub asked: Vec<Arc<Request>>,
    /// What else is open, newest first.
    pub others: Vec<Arc<Request>>,
    /// Whether these are all that are open, and not the newest of too many.
    pub is_whole: bool,
    /// Where the log stood before it was looked at: what came later may be missing here.
    pub log_size: u64,
}

/// Something that waits for a person.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What.
    pub request: Arc<Request>,
    /// Why them: the stages that ask. None where it is a later review, of a grant nobody was asked for.
    pub asked: Vec<Asked>,
    /// When it is over, if nobody decides.
    pub until: Option<Timestamp>,
}

impl Authority {
    /// What waits for the caller, what they asked for and what else is open.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::Ledger`].
    pub async fn inbox(&self, caller: &Caller) -> Result<Inbox, AppError> {
        caller.check_reader()?;
        let log_size = self.ledger.head().await?.size;
        let (open, is_whole) = self.open_requests().await?;
        let reader = self.reader(caller).await;
        let (now, membership) = (self.clock.now(), self.membership());
        let principal = caller.principal();
        let mut inbox = Inbox {
            waiting: Vec::new(),
            asked: Vec::new(),
            others: Vec::new(),
            is_whole,
            log_size,
        };
        let decides = self.check_signs_in(caller).is_ok();
        let later = if decides { self.asked_afterwards(caller).await? } else { Vec::new() };
        for request in later {
            let due = request.afterwards().iter().filter(|after| after.done.is_none());
            let until = due.map(|after| after.due).min();
            inbox.waiting.push(Waiting { request: Arc::new(request), asked: Vec::new(), until });
        }
        for request in open {
            let until = request.deadline();
            // What is over is so by the clock, whether or not that was written down.
            let is_over = until.is_some_and(|at| now >= at);
            if is_over
                || !reader.reads(&request)
                || inbox.waiting.iter().any(|one| one.request.id() == request.id())
            {
                continue;
            }
            if decides && request.may_review(principal, &membership, now).is_none() {
                let asked = request.asks_of(&principal.id, &membership);
                inbox.waiting.push(Waiting { request, asked, until });
            } else if membership.tie(&principal.id, &request.requester().behind())
                == Some(Tie::Behind)
            {
                inbox.asked.push(request);
            } else {
                inbox.others.push(request);
            }
        }
        inbox.waiting.sort_by_key(|one| (one.until.is_none(), one.until, one.request.id()));
        Ok(inbox)
    }

    /// What the caller filed and is over, newest first, older than `before`.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn ended_of(
        &self,
        caller: &Caller,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, AppError> {
        // Those that are open stand elsewhere: so many more are read that some are left.
        let who = &caller.principal().id;
        let mut filed = self.ledger.filed_by(who, before, limit.saturating_mul(4)).await?;
        filed.retain(|request| !request.state().is_open());
        filed.truncate(limit);
        Ok(filed)
    }

    /// Everything that happened to a request that the caller may see, oldest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn story(&self, caller: &Caller, id: &str) -> Result<Vec<Event>, AppError> {
        let request = self.request(caller, id).await?;
        Ok(self.ledger.history(request.id()).await?)
    }

    /// Of the same requester, for the same environment and of the same kind the request before this one
    /// that people approved last and that named a plan, if the caller may read it.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn plan_approved_before(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Option<Request>, AppError> {
        let (who, intent) = (&request.requester().id, request.intent());
        let last = self.ledger.last_approved(who, intent.environment(), intent.kind()).await?;
        let Some(id) = last.filter(|id| *id != request.id()) else { return Ok(None) };
        let found = self.ledger.load(id, None).await?;
        let reader = self.reader(caller).await;
        Ok(found.filter(|before| before.known().plan.is_some() && reader.reads(before)))
    }

    /// The newest open requests, and whether those are all.
    pub(super) async fn open_requests(&self) -> Result<(Vec<Arc<Request>>, bool), AppError> {
        let mut known = self.ledger.open_requests(MOST + 1).await?;
        let is_whole = known.len() <= MOST;
        known.truncate(MOST);
        let mut requests = Vec::with_capacity(known.len());
        for (id, version) in known {
            let request = match self.open.held(id, version) {
                Some(request) => request,
                // One damaged request must not hide all others; whoever asks for it is told.
                None => match self.ledger.load(id, None).await {
                    Ok(Some(request)) => Arc::new(request),
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::error!(%id, %error, "a request is left out of the inbox");
                        continue;
                    }
                },
            };
            if matches!(request.state(), State::Pending(_) | State::Approved(_)) {
                requests.push(request);
            }
        }
        self.open.hold(&requests);
        Ok((requests, is_whole))
    }
}

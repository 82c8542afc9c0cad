//! What is good at this moment, and the end of all of it at once.

use std::collections::BTreeSet;

use assent_core::id::RequestId;
use assent_core::request::{Request, Standing, State};
use assent_core::wire;
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use crate::app::requests::checked;
use crate::app::{AppError, Authority, Caller, TRIES};
use crate::ledger::{Commit, Keeping, Kept, States};

/// How many requests are taken back at once: enough for the ledger to write them in groups.
const AT_ONCE: usize = 64;
/// How often it is looked again for what was approved or minted meanwhile.
const PASSES: usize = 3;
/// How long an answer waits for brokers to close. What is open still then, it says.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Which requests are meant: all that fit everything that is said.
#[derive(Clone, Debug, Default)]
pub struct Matching {
    /// Of this environment.
    pub environment: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this requester, by the name in its issuer, or by all of `issuer#name`.
    pub requester: Option<String>,
}

impl Matching {
    fn takes(&self, request: &Request) -> bool {
        let (intent, who) = (request.intent(), &request.requester().id);
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.environment, intent.environment())
            && is(&self.kind, intent.kind())
            && (is(&self.requester, who.sub()) || is(&self.requester, &who.to_string()))
    }
}

impl Authority {
    /// Credentials that are good, or of which something is open outside; with [`States::Any`] all.
    /// Of each request that the caller may read.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn credentials(
        &self,
        caller: &Caller,
        states: States,
        matching: &Matching,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<wire::CredentialList, AppError> {
        let live_only = states != States::Any;
        let candidates = match live_only {
            true => self.ledger.live(self.clock.now()).await?,
            false => {
                let all = self.ledger.list(States::Any, before, limit).await?;
                all.iter().map(Request::id).collect()
            }
        };
        let is_later = |id: &RequestId| before.is_none_or(|before| *id < before);
        let mut list = wire::CredentialList::default();
        let mut is_whole = live_only || candidates.len() < limit;
        let reader = self.reader(caller).await;
        for id in candidates.into_iter().filter(is_later) {
            if list.credentials.len() >= limit {
                is_whole = false;
                break;
            }
            list.next_cursor = Some(id.to_string());
            // One that cannot be read does not hide the others.
            let request = match self.current(id).await {
                Ok(request) => request,
                Err(error) => {
                    tracing::error!(%id, %error, "a request is left out of a list");
                    continue;
                }
            };
            if reader.reads(&request) && matching.takes(&request) {
                list.credentials.extend(self.entries_of(&request, live_only));
            }
        }
        list.next_cursor.take_if(|_| is_whole);
        Ok(list)
    }

    fn entries_of(&self, request: &Request, live_only: bool) -> Vec<wire::CredentialEntry> {
        let shown = self.show(request);
        let is_open = |status: &wire::CredentialStatus| {
            let brokered = status.brokered.as_ref();
            status.status == "live" || brokered.is_some_and(|brokered| brokered.status != "closed")
        };
        let wanted = shown.credentials.into_iter().filter(|one| !live_only || is_open(one));
        let entry = |credential| wire::CredentialEntry {
            request: shown.id.clone(),
            requester: shown.requester.clone(),
            kind: shown.intent.kind.clone(),
            environment: shown.intent.environment.clone(),
            reason: shown.intent.reason.clone(),
            credential,
        };
        wanted.map(entry).collect()
    }

    /// Takes back every grant and every credential that fits. Safe to repeat: what has ended stays
    /// so. What could not be taken back, and what is open outside still, the answer says.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`] for a wish that does not say `all`.
    pub async fn revoke_all(
        &self,
        caller: &Caller,
        wanted: wire::Revocation,
    ) -> Result<wire::Revoked, AppError> {
        caller.check_administrator()?;
        let wire::Revocation { environment, kind, requester, all, reason, dry_run } = wanted;
        if !all {
            let problem = "say `all: true`: this ends everything that fits".to_owned();
            return Err(AppError::Field { field: "all", problem });
        }
        let reason = checked(wire::Reason { reason })?;
        let matching = Matching { environment, kind, requester };
        if !dry_run {
            self.order(caller, &matching, &reason).await?;
        }
        let mut told = wire::Revoked { dry_run, ..wire::Revoked::default() };
        let (mut touched, mut outside) = (BTreeSet::new(), Vec::new());
        for _ in 0..PASSES {
            let found = self.ledger.live(self.clock.now()).await?;
            let each = found.into_iter().filter(|id| !touched.contains(id)).map(|id| {
                let (matching, reason) = (&matching, &reason);
                async move { (id, self.take_back(caller, id, matching, reason, dry_run).await) }
            });
            let done: Vec<_> = stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
            let before = touched.len();
            for (id, outcome) in done {
                match outcome {
                    Ok(None) => {}
                    Ok(Some(ended)) => {
                        touched.insert(id);
                        outside.extend(ended.is_outside.then_some(id));
                        told.requests += usize::from(ended.grants + ended.credentials > 0);
                        told.grants += ended.grants;
                        told.credentials += ended.credentials;
                    }
                    Err(error) => {
                        touched.insert(id);
                        outside.push(id);
                        let problem = error.to_string();
                        told.failed.push(wire::NotRevoked { request: id.to_string(), problem });
                    }
                }
            }
            if dry_run || touched.len() == before {
                break;
            }
        }
        if !dry_run && tokio::time::timeout(PATIENCE, self.close_due()).await.is_err() {
            tracing::warn!("brokers are still closing what was taken back");
        }
        outside.sort();
        for id in outside {
            if let Ok(request) = self.current(id).await {
                told.open_outside.extend(self.open_outside(&request));
            }
        }
        Ok(told)
    }

    /// The order is on record before it is carried out.
    async fn order(
        &self,
        caller: &Caller,
        matching: &Matching,
        reason: &str,
    ) -> Result<(), AppError> {
        let (by, at) = (caller.principal().id.clone(), self.clock.now());
        let entry = json!({
            "v": 1, "type": "all_revoked", "at": at.to_string(),
            "by": by.to_json(), "environment": matching.environment,
            "kind": matching.kind, "requester": matching.requester, "reason": reason,
        });
        self.ledger.keep(Keeping { what: Kept::Nothing, by, at, entry }).await?;
        self.waiters.wake_log();
        Ok(())
    }

    /// Takes one request back; `None` where it does not fit, or nothing of it is good or open.
    async fn take_back(
        &self,
        caller: &Caller,
        id: RequestId,
        matching: &Matching,
        reason: &str,
        dry_run: bool,
    ) -> Result<Option<Ending>, AppError> {
        for _ in 0..TRIES {
            let request = self.current(id).await?;
            if !matching.takes(&request) {
                return Ok(None);
            }
            let now = self.clock.now();
            let is_granted = matches!(request.state(), State::Approved(_));
            let good = request.credentials().iter().filter(|c| c.ended.is_none());
            let credentials = good.filter(|c| now < c.expires_at).count();
            // What a broker has not closed is told, also where there is nothing left to take back.
            let is_outside = request.credentials().iter().any(|c| c.closes_at().is_some());
            let ending = Ending { grants: usize::from(is_granted), credentials, is_outside };
            if ending.grants + ending.credentials == 0 {
                return Ok(is_outside.then_some(ending));
            }
            if dry_run {
                return Ok(Some(ending));
            }
            let by = caller.principal();
            let (standing, why) = (Standing::Administrator, reason.to_owned());
            let step = request.revoke(by, standing, why, &self.membership(), now)?;
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(Some(ending));
            }
        }
        Err(AppError::Busy)
    }

    fn open_outside(&self, request: &Request) -> Vec<wire::OpenOutside> {
        let shown = self.show(request);
        let open = shown.credentials.into_iter().filter_map(|credential| {
            let brokered = credential.brokered.filter(|brokered| brokered.status != "closed")?;
            let (request, credential) = (shown.id.clone(), credential.id);
            Some(wire::OpenOutside { request, credential, brokered })
        });
        open.collect()
    }
}

/// How much of a request ended.
#[derive(Clone, Copy, Debug)]
struct Ending {
    grants: usize,
    credentials: usize,
    /// Whether something of it may be open outside.
    is_outside: bool,
}

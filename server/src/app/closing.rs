//! Closing what brokers opened. The record says what may exist outside; whoever is away when it is
//! to be closed is asked again until it is gone, and keeps nobody else waiting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assent_core::id::{CredentialId, RequestId};
use assent_core::request::{Issued, Step};
use assent_core::time::{Span, Timestamp};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Notify;

use crate::app::pauses::Pauses;
use crate::app::{AppError, Authority, TRIES};
use crate::broker::{BrokerError, Closed, Closing, Name};
use crate::ledger::Commit;

/// How often it is looked whether something's time has come; what somebody ends is closed at once.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait at most after a try that failed.
const LONGEST_PAUSE: Span = Span::minutes(5);
/// How many closings of one broker are under way at once.
const AT_ONCE: usize = 4;

/// What is known of closing beyond the ledger. It can be lost: then everything is tried at once.
#[derive(Debug)]
pub(super) struct Closings {
    ended: Notify,
    pauses: Mutex<Pauses<CredentialId>>,
}

impl Default for Closings {
    fn default() -> Self {
        Self { ended: Notify::new(), pauses: Mutex::new(Pauses::new(LONGEST_PAUSE)) }
    }
}

impl Closings {
    /// Something was ended that a broker has to close.
    pub(super) fn ended(&self) {
        self.ended.notify_one();
    }

    fn pauses(&self, id: CredentialId, now: Timestamp) -> bool {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).is_pausing(&id, now)
    }

    /// Notes how a try ended.
    fn tried(&self, id: CredentialId, done: bool, now: Timestamp) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            true => pauses.done(&id),
            false => pauses.failed(id, now),
        }
    }
}

/// What one broker has to close, longest due first.
type ToClose = BTreeMap<String, Vec<(RequestId, CredentialId)>>;

impl Authority {
    /// Closes until the server stops. What is under way then is found again by the next start.
    pub async fn close_until_closing(&self) {
        let work = async {
            loop {
                if let Err(error) = self.close_due().await {
                    tracing::warn!(%error, "what brokers opened could not be looked for");
                }
                tokio::select! {
                    () = self.closings.ended.notified() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Tries to close everything whose time has come, once; says how much was closed. Each broker
    /// works through its own, beside the others.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn close_due(&self) -> Result<usize, AppError> {
        let work = self.to_close().await?;
        let closed = work.into_iter().map(|(broker, all)| self.close_all(broker, all));
        Ok(join_all(closed).await.into_iter().sum())
    }

    async fn to_close(&self) -> Result<ToClose, AppError> {
        let now = self.clock.now();
        let mut work = ToClose::new();
        for id in self.ledger.closings(now).await? {
            // One that cannot be read does not keep the others open.
            match self.current(id).await {
                Ok(request) => {
                    for issued in request.to_close(now) {
                        let Some(brokered) = &issued.brokered else { continue };
                        if self.closings.pauses(issued.id, now) {
                            continue;
                        }
                        work.entry(brokered.broker.clone()).or_default().push((id, issued.id));
                    }
                }
                Err(error) => tracing::warn!(%id, %error, "a closing could not be looked up"),
            }
        }
        Ok(work)
    }

    /// Some at once, so that one that takes long keeps no other open. Where a broker is away for one
    /// it is away for all: the others wait for the next round.
    async fn close_all(&self, broker: String, all: Vec<(RequestId, CredentialId)>) -> usize {
        let away = AtomicBool::new(false);
        let (broker, away) = (&broker, &away);
        let each = all.into_iter().map(|(request, credential)| async move {
            if away.load(Ordering::Relaxed) {
                return 0;
            }
            let done = self.close_one(broker, request, credential).await;
            self.closings.tried(credential, done.is_ok(), self.clock.now());
            let Err(problem) = done else { return 1 };
            tracing::warn!(broker, %request, %credential, %problem, "not closed yet");
            if matches!(problem, Unclosed::Broker(BrokerError::Away(_))) {
                away.store(true, Ordering::Relaxed);
            }
            0
        });
        stream::iter(each)
            .buffer_unordered(AT_ONCE)
            .fold(0, |sum, one| async move { sum + one })
            .await
    }

    async fn close_one(
        &self,
        broker: &str,
        request: RequestId,
        credential: CredentialId,
    ) -> Result<(), Unclosed> {
        let _turn = self.brokers.turn(credential).await;
        let now = || self.clock.now();
        let current = self.current(request).await?;
        // It is closed already.
        let Some(issued) = current.to_close(now()).find(|issued| issued.id == credential) else {
            return Ok(());
        };
        let closed = match self.brokers.get(broker) {
            Some(broker) => {
                let closing = Closing::of(issued, now(), self.brokers.kept());
                sensible(broker.close(&closing).await, issued, now())
            }
            None => Err(BrokerError::Refused(format!(
                "the authority is not set up with a broker `{broker}` any more: set it up again, \
                 or end `{}` there by hand",
                Name::of(credential)
            ))),
        };
        for _ in 0..TRIES {
            let current = self.current(request).await?;
            let step: Option<Step> = match &closed {
                Ok(Closed::Gone) => current.broker_closed(credential, now()),
                Ok(Closed::Outlives(until)) => current.broker_outlives(credential, *until, now()),
                Err(problem) => current.broker_stuck(credential, problem.to_string(), now()),
            };
            // It is on record already.
            let Some(step) = step else { break };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                break;
            }
        }
        Ok(closed.map(drop)?)
    }
}

/// What works for longer says so once, and of a time to come; what says it again is not closed.
fn sensible(
    closed: Result<Closed, BrokerError>,
    issued: &Issued,
    now: Timestamp,
) -> Result<Closed, BrokerError> {
    let Ok(Closed::Outlives(until)) = closed else { return closed };
    let told = issued.brokered.as_ref().is_some_and(|brokered| brokered.outlives.is_some());
    if told || until <= now {
        return Err(BrokerError::Refused(format!("it says that this works until {until}")));
    }
    closed
}

/// Why something is open still.
#[derive(Debug, thiserror::Error)]
enum Unclosed {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    App(#[from] AppError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_until_it_is_long_and_ends_with_success() {
        let closings = Closings::default();
        let id = CredentialId::from_bytes([1; 16]);
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        closings.tried(id, false, at(0));
        assert!(closings.pauses(id, at(0)) && !closings.pauses(id, at(1)));
        closings.tried(id, false, at(1));
        assert!(closings.pauses(id, at(2)) && !closings.pauses(id, at(3)));
        (0..20).for_each(|_| closings.tried(id, false, at(10)));
        assert!(closings.pauses(id, at(309)) && !closings.pauses(id, at(310)));
        closings.tried(id, true, at(310));
        assert!(!closings.pauses(id, at(310)));
    }
}

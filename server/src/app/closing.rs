//! Closing what brokers opened. The record says what may exist outside; whoever is away when it is
//! to be closed is asked again until it is gone, and keeps nobody else waiting.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::id::{CredentialId, RequestId};
use assent_core::request::{Issued, Step};
use assent_core::time::{Span, Timestamp};
use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use crate::app::pauses::Pauses;
use crate::app::{AppError, Authority, TRIES};
use crate::broker::{BrokerError, Closed, Closing, Name};
use crate::ledger::Commit;

/// How often it is looked whether something's time has come; what somebody ends is closed at once.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait at most after a try that failed.
const LONGEST_PAUSE: Span = Span::minutes(5);
/// How long a broker that was away is not tried with anything else.
const AWAY: Span = Span::seconds(1);
/// How many closings of one broker are under way at once.
const AT_ONCE: usize = 4;

/// What is known of closing beyond the ledger. It can be lost: then everything is tried at once.
#[derive(Debug)]
pub(super) struct Closings {
    ended: Notify,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    under_way: HashSet<CredentialId>,
    pauses: Pauses<CredentialId>,
    brokers: HashMap<String, Way>,
}

impl Default for Closings {
    fn default() -> Self {
        let known = Known {
            under_way: HashSet::new(),
            pauses: Pauses::new(LONGEST_PAUSE),
            brokers: HashMap::new(),
        };
        Self { ended: Notify::new(), known: Mutex::new(known) }
    }
}

/// The way to one broker.
#[derive(Debug)]
struct Way {
    places: Arc<Semaphore>,
    away_until: Option<Timestamp>,
}

impl Default for Way {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), away_until: None }
    }
}

impl Closings {
    /// Something was ended that a broker has to close.
    pub(super) fn ended(&self) {
        self.ended.notify_one();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is to be begun; if so, it is under way from here on.
    fn begin(&self, id: CredentialId) -> bool {
        self.known().under_way.insert(id)
    }

    fn places(&self, broker: &str) -> Arc<Semaphore> {
        let mut known = self.known();
        Arc::clone(&known.brokers.entry(broker.to_owned()).or_default().places)
    }

    fn pauses(&self, id: CredentialId, now: Timestamp) -> bool {
        self.known().pauses.is_pausing(&id, now)
    }

    fn is_away(&self, broker: &str, now: Timestamp) -> bool {
        let known = self.known();
        let until = known.brokers.get(broker).and_then(|way| way.away_until);
        until.is_some_and(|until| now < until)
    }

    /// Nobody else tries at once what has just failed.
    fn away(&self, broker: &str, now: Timestamp) {
        let mut known = self.known();
        known.brokers.entry(broker.to_owned()).or_default().away_until = Some(now.plus(AWAY));
    }

    /// Notes how a try ended.
    fn tried(&self, id: CredentialId, done: bool, now: Timestamp) {
        let pauses = &mut self.known().pauses;
        match done {
            true => pauses.done(&id),
            false => pauses.failed(id, now),
        }
    }
}

/// What a broker has to close.
#[derive(Clone, Debug)]
struct Due {
    broker: String,
    request: RequestId,
    credential: CredentialId,
}

/// A closing that was begun, until this is dropped: however it ends, it can be begun again.
struct UnderWay {
    authority: Arc<Authority>,
    due: Due,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.authority.closings.known().under_way.remove(&self.due.credential);
    }
}

impl Authority {
    /// Closes until the server stops. What is under way then is found again by the next start. What
    /// one broker takes its time for keeps nothing open at another: each closing is on its own, and
    /// waits only for those of its broker.
    pub async fn close_until_closing(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        loop {
            match self.to_close().await {
                Ok(all) => {
                    for due in all.into_iter().filter(|due| self.closings.begin(due.credential)) {
                        let one = UnderWay { authority: Arc::clone(&self), due };
                        tasks.spawn(async move { one.authority.close_in_turn(&one.due).await });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "what brokers opened could not be looked for");
                }
            }
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a closing broke off; it is begun again");
                }
            }
            tokio::select! {
                () = self.closings.ended.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Tries to close everything whose time has come, once, and waits for all of it; says how much
    /// was closed.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn close_due(&self) -> Result<usize, AppError> {
        let all = self.to_close().await?;
        let closed = join_all(all.iter().map(|due| self.close_in_turn(due))).await;
        Ok(closed.into_iter().filter(|closed| *closed).count())
    }

    /// Longest due first.
    async fn to_close(&self) -> Result<Vec<Due>, AppError> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for id in self.ledger.closings(now).await? {
            // One that cannot be read does not keep the others open.
            match self.current(id).await {
                Ok(request) => {
                    for issued in request.to_close(now) {
                        let Some(brokered) = &issued.brokered else { continue };
                        if self.closings.pauses(issued.id, now) {
                            continue;
                        }
                        let broker = brokered.broker.clone();
                        all.push(Due { broker, request: id, credential: issued.id });
                    }
                }
                Err(error) => tracing::warn!(%id, %error, "a closing could not be looked up"),
            }
        }
        Ok(all)
    }

    /// Closes it once its broker has a place for it; says whether it did. A broker closes some at
    /// once, so that one that takes long keeps no other open. Where it is away for one it is away for
    /// all: the others wait for the next look.
    async fn close_in_turn(&self, due: &Due) -> bool {
        let Due { broker, request, credential } = due;
        let Ok(_place) = self.closings.places(broker).acquire_owned().await else { return false };
        let now = self.clock.now();
        if self.closings.is_away(broker, now) || self.closings.pauses(*credential, now) {
            return false;
        }
        let done = self.close_one(broker, *request, *credential).await;
        let now = self.clock.now();
        self.closings.tried(*credential, done.is_ok(), now);
        let Err(problem) = done else { return true };
        tracing::warn!(broker, %request, %credential, %problem, "not closed yet");
        if matches!(problem, Unclosed::Broker(BrokerError::Away(_))) {
            self.closings.away(broker, now);
        }
        false
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
    fn what_is_under_way_is_not_begun_again() {
        let closings = Closings::default();
        let id = CredentialId::from_bytes([1; 16]);
        assert!(closings.begin(id) && !closings.begin(id));
        assert!(closings.begin(CredentialId::from_bytes([2; 16])));
    }

    #[test]
    fn a_broker_that_is_away_is_away_for_a_moment_and_no_other_is() {
        let closings = Closings::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        closings.away("slow", at(0));
        assert!(closings.is_away("slow", at(0)) && !closings.is_away("slow", at(1)));
        assert!(!closings.is_away("quick", at(0)));
    }

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

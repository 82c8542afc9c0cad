//! Parked callers, woken by the request they wait for and by nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use assent_core::id::RequestId;
use tokio::sync::watch;

/// Who waits for what. A hint only: whoever is woken reads the ledger.
#[derive(Debug)]
pub(super) struct Waiters {
    requests: Mutex<HashMap<RequestId, watch::Sender<()>>>,
    log: watch::Sender<()>,
}

impl Default for Waiters {
    fn default() -> Self {
        Self { requests: Mutex::default(), log: watch::Sender::new(()) }
    }
}

impl Waiters {
    /// Parks a caller. Subscribe, then read the ledger, then wait: a change in between is seen.
    pub(super) fn on(&self, id: RequestId) -> Parked<'_> {
        let mut requests = self.requests();
        let hints = requests.entry(id).or_insert_with(|| watch::Sender::new(())).subscribe();
        Parked { waiters: self, id, hints: Some(hints) }
    }

    /// Hints of anything at all being written.
    pub(super) fn on_log(&self) -> watch::Receiver<()> {
        self.log.subscribe()
    }

    /// Something was written about this request.
    pub(super) fn wake(&self, id: RequestId) {
        if let Some(sender) = self.requests().get(&id) {
            sender.send_replace(());
        }
        self.log.send_replace(());
    }

    /// Something was written that belongs to no request.
    pub(super) fn wake_log(&self) {
        self.log.send_replace(());
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<RequestId, watch::Sender<()>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One parked caller; leaves no trace when dropped.
#[derive(Debug)]
pub(super) struct Parked<'a> {
    waiters: &'a Waiters,
    id: RequestId,
    hints: Option<watch::Receiver<()>>,
}

impl Parked<'_> {
    /// Until something was written about the request.
    pub(super) async fn hint(&mut self) {
        if let Some(hints) = &mut self.hints {
            // The sender lives in the map for as long as anybody is parked.
            let _ = hints.changed().await;
        }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let mut requests = self.waiters.requests();
        self.hints = None;
        if requests.get(&self.id).is_some_and(|sender| sender.receiver_count() == 0) {
            requests.remove(&self.id);
        }
    }
}

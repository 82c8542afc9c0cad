//! One at a time for each credential: what was closed and is on record as closed must not be opened
//! by a call that was decided before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::id::CredentialId;
use tokio::sync::OwnedMutexGuard;

type Queue = Arc<tokio::sync::Mutex<()>>;

/// Who is at it.
#[derive(Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<CredentialId, Queue>>>);

/// The right to open or close for one credential, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    credential: CredentialId,
    turns: Arc<Mutex<HashMap<CredentialId, Queue>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(super) async fn wait(&self, credential: CredentialId) -> Turn {
        // Made before the wait: whoever gives up waiting leaves no trace either.
        let mut turn = Turn { credential, turns: Arc::clone(&self.0), guard: None };
        let queue = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(credential).or_default())
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut all = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits holds the queue too; under this lock nobody comes to it anew.
        if all.get(&self.credential).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            all.remove(&self.credential);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn credential() -> CredentialId {
        "crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z".parse().unwrap()
    }

    #[tokio::test]
    async fn the_next_one_waits_and_nothing_is_left() {
        let turns = Turns::default();
        let first = turns.wait(credential()).await;
        let second = tokio::time::timeout(Duration::from_millis(10), turns.wait(credential()));
        assert!(second.await.is_err(), "two at a time");
        assert_eq!(turns.0.lock().unwrap().len(), 1);
        let (second, ()) = tokio::join!(turns.wait(credential()), async { drop(first) });
        drop(second);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}

//! One at a time for each: whoever comes to the same thing waits until nobody else is at it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

type Queue = Arc<tokio::sync::Mutex<()>>;

/// Who is at what.
#[derive(Debug)]
pub(crate) struct Turns<K>(Arc<Mutex<HashMap<K, Queue>>>);

/// The right to be at it, until it is dropped.
#[derive(Debug)]
pub struct Turn<K: Eq + Hash> {
    of: K,
    turns: Arc<Mutex<HashMap<K, Queue>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    pub(crate) async fn wait(&self, of: K) -> Turn<K> {
        // Made before the wait: whoever gives up waiting leaves no trace either.
        let mut turn = Turn { of: of.clone(), turns: Arc::clone(&self.0), guard: None };
        let queue = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(of).or_default())
        };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }
}

impl<K: Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        self.guard = None;
        let mut all = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits holds the queue too; under this lock nobody comes to it anew.
        if all.get(&self.of).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            all.remove(&self.of);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_next_one_waits_and_nothing_is_left() {
        let turns = Turns::default();
        let first = turns.wait("it").await;
        let second = tokio::time::timeout(Duration::from_millis(10), turns.wait("it"));
        assert!(second.await.is_err(), "two at a time");
        assert_eq!(turns.0.lock().unwrap().len(), 1);
        let (second, ()) = tokio::join!(turns.wait("it"), async { drop(first) });
        drop(second);
        assert!(turns.0.lock().unwrap().is_empty());
    }
}

//! Something read from the ledger once, until it is written again. One process has the ledger, so
//! whoever writes knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was read, unless it has been forgotten since.
#[derive(Debug)]
pub(super) struct Cached<T>(Mutex<Inside<T>>);

#[derive(Debug)]
struct Inside<T> {
    held: Option<Arc<T>>,
    forgotten: u64,
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::new(Inside { held: None, forgotten: 0 }))
    }
}

impl<T> Cached<T> {
    /// What is held, or what `read` finds.
    pub(super) async fn get<E>(
        &self,
        read: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let before = {
            let inside = self.inside();
            if let Some(held) = &inside.held {
                return Ok(Arc::clone(held));
            }
            inside.forgotten
        };
        let found = Arc::new(read().await?);
        let mut inside = self.inside();
        // Written meanwhile: what was found is what was there before, and is not kept.
        if inside.forgotten == before {
            inside.held = Some(Arc::clone(&found));
        }
        Ok(found)
    }

    /// It has been written: the next who wants it reads it.
    pub(super) fn forget(&self) {
        let mut inside = self.inside();
        inside.held = None;
        inside.forgotten += 1;
    }

    fn inside(&self) -> MutexGuard<'_, Inside<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_while_it_was_read_is_read_again() {
        let cached = Cached::<u32>::default();
        let read = |value: u32| async move || Ok::<u32, ()>(value);
        let first = cached.get(async || {
            cached.forget();
            Ok::<_, ()>(1)
        });
        assert_eq!(*first.await.unwrap(), 1);
        assert_eq!(*cached.get(read(2)).await.unwrap(), 2);
        assert_eq!(*cached.get(read(3)).await.unwrap(), 2);
        cached.forget();
        assert_eq!(*cached.get(read(4)).await.unwrap(), 4);
    }
}

//! The only place that reads a clock. Time never runs backwards here, whatever the machine's does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use assent_core::time::Timestamp;

/// Where the authority gets its time from. Cheap to clone; clones share one time.
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn Fn() -> i64 + Send + Sync>,
    latest: Arc<AtomicI64>,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("latest", &self.latest).finish_non_exhaustive()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self::of(system_millis)
    }

    /// A clock that a test moves: milliseconds since 1970.
    pub fn of(source: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { source: Arc::new(source), latest: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// Now, and never earlier than any time it has given or been shown: a grant that has expired
    /// does not become valid again when the machine's clock is set back.
    pub fn now(&self) -> Timestamp {
        let now = (self.source)();
        Timestamp::from_millis(self.latest.fetch_max(now, Ordering::SeqCst).max(now))
    }

    /// Shows it a time that has been, such as the last one on record.
    pub fn has_been(&self, at: Timestamp) {
        self.latest.fetch_max(at.as_millis(), Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn system_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t19_time_never_runs_backwards() {
        let machine = Arc::new(AtomicI64::new(1_000));
        let read = Arc::clone(&machine);
        let clock = Clock::of(move || read.load(Ordering::SeqCst));
        assert_eq!(clock.now().as_millis(), 1_000);
        machine.store(400, Ordering::SeqCst);
        assert_eq!(clock.clone().now().as_millis(), 1_000);
        clock.has_been(Timestamp::from_millis(2_000));
        assert_eq!(clock.now().as_millis(), 2_000);
    }
}

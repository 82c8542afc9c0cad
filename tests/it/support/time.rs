//! A clock that tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use assent_core::time::{Span, Timestamp};
use assent_server::clock::Clock;

/// Time that stands still until it is moved. Clones share one time.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicI64>);

impl Default for Time {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }
}

impl Time {
    /// A clock that shows this time.
    pub(crate) fn clock(&self) -> Clock {
        let read = Arc::clone(&self.0);
        Clock::of(move || read.load(Ordering::SeqCst))
    }

    /// Lets this much of it pass.
    pub(crate) fn pass(&self, span: Span) -> Timestamp {
        let millis = i64::try_from(Duration::from(span).as_millis()).unwrap();
        Timestamp::from_millis(self.0.fetch_add(millis, Ordering::SeqCst) + millis)
    }

    /// Sets it back by so many milliseconds, as a wrong machine would.
    pub(crate) fn set_back(&self, millis: i64) {
        self.0.fetch_sub(millis, Ordering::SeqCst);
    }
}

/// The machine's own time, for what stands beside a server that has it too.
#[expect(clippy::disallowed_methods, reason = "the server under test has the real time")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

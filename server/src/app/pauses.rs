//! What could not be done is tried again, after pauses that double up to a longest one.

use std::collections::HashMap;
use std::hash::Hash;

use assent_core::time::{Span, Timestamp};

/// How long to wait after the first try that failed; twice as long after each further one.
const FIRST: Span = Span::seconds(1);

/// Which of these is not to be tried again yet.
#[derive(Debug)]
pub(super) struct Pauses<K> {
    longest: Span,
    held: HashMap<K, Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Timestamp,
    length: Span,
}

impl<K: Eq + Hash> Pauses<K> {
    /// Nothing pauses yet, and nothing ever for longer than this.
    pub(super) fn new(longest: Span) -> Self {
        Self { longest, held: HashMap::new() }
    }

    /// Whether it is not to be tried again yet.
    pub(super) fn is_pausing(&self, key: &K, now: Timestamp) -> bool {
        self.held.get(key).is_some_and(|pause| now < pause.until)
    }

    /// A try failed.
    pub(super) fn failed(&mut self, key: K, now: Timestamp) {
        let doubled = |pause: &Pause| Span::seconds(pause.length.as_seconds() * 2);
        let length = self.held.get(&key).map_or(FIRST, doubled).min(self.longest);
        self.held.insert(key, Pause { until: now.plus(length), length });
    }

    /// It is done.
    pub(super) fn done(&mut self, key: &K) {
        self.held.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause_up_to_the_longest_and_success_ends_it() {
        let start = Timestamp::from_millis(0);
        let mut pauses = Pauses::new(Span::seconds(3));
        assert!(!pauses.is_pausing(&1, start));
        for seconds in [1, 2, 3, 3] {
            pauses.failed(1, start);
            let end = start.plus(Span::seconds(seconds));
            let before = Timestamp::from_millis(end.as_millis() - 1);
            assert!(pauses.is_pausing(&1, before) && !pauses.is_pausing(&1, end), "{seconds}");
        }
        assert!(!pauses.is_pausing(&2, start));
        pauses.done(&1);
        assert!(!pauses.is_pausing(&1, start));
    }
}

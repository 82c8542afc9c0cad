//! The proofs that were used lately.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::credential::dpop::{MAX_LIFE, ProofError};
use crate::digest::Digest;
use crate::time::Timestamp;

/// Remembers used proofs for at least as long as they would be accepted, and no more of them than it
/// has room for: then it refuses, because it could not tell any more. Whoever has a share of it fills
/// their share and nobody else's.
#[derive(Debug)]
pub struct Replays {
    room: usize,
    share: usize,
    seen: Mutex<Seen>,
}

/// Two halves: the newer one is filled for as long as a proof can be good, then it becomes the older
/// one. So nothing has to be looked through to forget.
#[derive(Debug)]
struct Seen {
    since: Timestamp,
    newer: HashSet<Digest>,
    older: HashSet<Digest>,
    /// How many of the newer ones are whose.
    of_each: HashMap<Digest, usize>,
}

impl Replays {
    /// Room for so many proofs within three minutes, and as many of the three before.
    pub fn with_room(room: usize) -> Self {
        let since = Timestamp::from_millis(0);
        let (newer, older, of_each) = Default::default();
        Self { room, share: room, seen: Mutex::new(Seen { since, newer, older, of_each }) }
    }

    /// The same, of which one sender has no more than this.
    #[must_use]
    pub fn with_share(self, share: usize) -> Self {
        Self { share, ..self }
    }

    /// Takes a proof's mark in, of this sender.
    ///
    /// # Errors
    /// [`ProofError::Replayed`] where it is there already, [`ProofError::Full`] where there is no room.
    pub(super) fn take(
        &self,
        mark: Digest,
        whose: Digest,
        now: Timestamp,
    ) -> Result<(), ProofError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now);
        if seen.newer.contains(&mark) || seen.older.contains(&mark) {
            return Err(ProofError::Replayed);
        }
        let theirs = seen.of_each.get(&whose).copied().unwrap_or(0);
        if seen.newer.len() >= self.room || theirs >= self.share {
            return Err(ProofError::Full);
        }
        seen.newer.insert(mark);
        seen.of_each.insert(whose, theirs + 1);
        Ok(())
    }
}

impl Seen {
    /// A clock that goes back forgets nothing.
    fn forget(&mut self, now: Timestamp) {
        if now < self.since.plus(MAX_LIFE) {
            return;
        }
        let nothing_since = now >= self.since.plus(MAX_LIFE).plus(MAX_LIFE);
        self.since = now;
        self.older = std::mem::take(&mut self.newer);
        self.of_each.clear();
        if nothing_since {
            self.older.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Span::seconds(seconds))
    }

    fn mark(number: u32) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    fn anybody() -> Digest {
        Digest::of(b"anybody")
    }

    #[test]
    fn what_was_used_is_known_for_as_long_as_it_could_be_used_again() {
        for begun in 0..400 {
            let replays = Replays::with_room(10);
            replays.take(mark(0), anybody(), at(0)).unwrap();
            replays.take(mark(1), anybody(), at(begun)).unwrap();
            for later in [0, 1, 90, 179] {
                let again = replays.take(mark(1), anybody(), at(begun + later));
                assert_eq!(again, Err(ProofError::Replayed), "{begun} {later}");
            }
        }
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_is_not_is_never_pushed_out() {
        let replays = Replays::with_room(3);
        for number in 0..3 {
            replays.take(mark(number), anybody(), at(0)).unwrap();
        }
        assert_eq!(replays.take(mark(3), anybody(), at(1)), Err(ProofError::Full));
        assert_eq!(replays.take(mark(0), anybody(), at(1)), Err(ProofError::Replayed));
        replays.take(mark(3), anybody(), at(180)).unwrap();
        assert_eq!(replays.take(mark(0), anybody(), at(181)), Err(ProofError::Replayed));
        assert_eq!(
            replays.take(mark(0), anybody(), at(0)),
            Err(ProofError::Replayed),
            "the clock went back"
        );
        replays.take(mark(0), anybody(), at(360)).unwrap();
        replays.take(mark(3), anybody(), at(900)).unwrap();
    }

    #[test]
    fn t68_who_fills_their_share_keeps_nobody_else_out() {
        let replays = Replays::with_room(5).with_share(3);
        let whose = |name: &str| Digest::of(name.as_bytes());
        for number in 0..3 {
            replays.take(mark(number), whose("mallory"), at(0)).unwrap();
        }
        assert_eq!(replays.take(mark(3), whose("mallory"), at(1)), Err(ProofError::Full));
        replays.take(mark(3), whose("alice"), at(1)).unwrap();
        // What is one sender's is known of any other.
        assert_eq!(replays.take(mark(0), whose("alice"), at(1)), Err(ProofError::Replayed));
        replays.take(mark(4), whose("alice"), at(1)).unwrap();
        assert_eq!(replays.take(mark(5), whose("alice"), at(1)), Err(ProofError::Full), "of all");
        replays.take(mark(6), whose("mallory"), at(180)).unwrap();
    }
}

//! Nonces that whoever checks a proof has handed out (RFC 9449 sections 8 and 9).

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::time::{Span, Timestamp};

/// Nonces that change with time and are recognized without having been written down: whoever has
/// the key, in this process or in another, makes the same ones.
///
/// A nonce says that a proof was made lately. That a proof is used once, the memory of used proofs
/// says.
pub struct Nonces {
    key: hmac::Key,
    every: Span,
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").field("every", &self.every).finish_non_exhaustive()
    }
}

impl Nonces {
    /// Another nonce every so often, and at least every second. Each is accepted for as long again
    /// after the next one.
    pub fn new(key: &[u8; 32], every: Span) -> Self {
        let every = every.max(Span::seconds(1));
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), every }
    }

    /// The nonce of this moment.
    pub fn current(&self, now: Timestamp) -> String {
        self.of(self.turn(now))
    }

    /// Whether it is the nonce of now or the one before.
    pub fn accepts(&self, nonce: &str, now: Timestamp) -> bool {
        let turn = self.turn(now);
        let is = |turn: i64| {
            let ours = self.of(turn);
            constant_time::verify_slices_are_equal(ours.as_bytes(), nonce.as_bytes()).is_ok()
        };
        is(turn) || is(turn.saturating_sub(1))
    }

    fn turn(&self, now: Timestamp) -> i64 {
        let every = i64::try_from(self.every.as_seconds()).unwrap_or(i64::MAX);
        now.as_seconds().div_euclid(every)
    }

    fn of(&self, turn: i64) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"assent/dpop-nonce/v1\0");
        context.update(&turn.to_be_bytes());
        URL_SAFE_NO_PAD.encode(context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_turn_and_the_next() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let nonces = Nonces::new(&[7; 32], Span::minutes(5));
        let nonce = nonces.current(at(600));
        assert_eq!(nonce, nonces.current(at(899)));
        assert_ne!(nonce, nonces.current(at(900)));
        for (seconds, good) in [(599, false), (600, true), (1199, true), (1200, false)] {
            assert_eq!(nonces.accepts(&nonce, at(seconds)), good, "{seconds}");
        }
        let others = Nonces::new(&[8; 32], Span::minutes(5));
        assert!(!others.accepts(&nonce, at(600)));
        for odd in ["", &nonce[1..], &format!("{nonce}A"), &nonce.to_lowercase()] {
            assert!(!nonces.accepts(odd, at(600)), "{odd}");
        }
        assert!(!format!("{nonces:?}").contains('7'), "a key is shown");
    }
}

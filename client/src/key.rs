//! The key that makes a changing call safe to repeat.

use assent_core::digest::Digest;

/// A key that makes a changing call safe to repeat. One key for one wish, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key for a new wish, from 128 bits of chance.
    pub fn fresh() -> Self {
        let mut chance = [0_u8; 16];
        // If there is no chance to be had, the key is all zeros and the authority answers 422 to
        // the second wish that uses it: wrong loudly, never done twice.
        let _ = aws_lc_rs::rand::fill(&mut chance);
        Self(chance.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key of a wish that is known again by this digest, also by whoever has forgotten it.
    pub fn of(wish: Digest) -> Self {
        Self(wish.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

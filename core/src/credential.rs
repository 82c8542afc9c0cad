//! Credentials: JWTs of RFC 9068's shape, signed and checked here, strictly.
//!
//! Signatures are ES256, RS256 or EdDSA, and the key decides which ([`Algorithm`]). Claims are read
//! by our own parser: a claim that is missing or of another type is refused, never passed over. The
//! token never stays: only its SHA-256 does.

#[cfg(feature = "authority")]
mod assertion;
#[cfg(feature = "authority")]
pub mod checkpoint;
#[cfg(feature = "authority")]
pub mod denial;
pub mod dpop;
pub mod fit;
#[cfg(feature = "authority")]
pub mod introduction;
mod key;
mod permits;
mod possession;
#[cfg(feature = "authority")]
pub mod ring;
#[cfg(feature = "authority")]
mod sign;
#[cfg(test)]
mod tests;
mod verify;

#[cfg(feature = "authority")]
pub use assertion::Assertion;
pub use key::{Algorithm, KeyError, KeyId, NotAKeyId, NotAnAlgorithm, SigningKey};
pub use permits::Action;
#[cfg(feature = "authority")]
pub use sign::{Minted, Signer};
pub use verify::{Claims, KeySet, Rejection, Verifier, unverified_key_id};

use std::fmt;

use zeroize::Zeroizing;

use crate::time::Span;

/// The longest life a credential of ours has.
pub const MAX_LIFE: Span = Span::hours(7 * 24);

/// A secret text that cannot print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, at the edge where it is handed over.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

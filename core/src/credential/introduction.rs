//! Introductions: by what an authority says to another that it is itself who calls, about what, and
//! who is behind it.
//!
//! It is a token of a type of its own (RFC 8725 section 3.11), so nothing that a grant ever opens is
//! one and none of these opens anything that a grant does.

use aws_lc_rs::rand::SecureRandom;
use serde_json::json;

use crate::credential::{KeyError, Secret, Signer};
use crate::digest::Digest;
use crate::endorsement::{CALLER, KIND};
use crate::id::AccessId;
use crate::time::{Span, Timestamp};
use crate::token::INTRODUCTION;

/// How long it is good: it is exchanged at once.
const LIFE: Span = Span::minutes(2);

/// What an authority says when it calls another.
#[derive(Clone, Debug)]
pub struct Introduction<'a> {
    /// For whom it is.
    pub audience: &'a str,
    /// By what it is known again.
    pub id: AccessId,
    /// The digest of the question that it calls about.
    pub digest: Digest,
    /// Everybody behind what is asked.
    pub behind: Vec<String>,
}

impl Introduction<'_> {
    /// The token.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn sign(
        &self,
        signer: &Signer,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Secret, KeyError> {
        let claims = json!({
            "iss": signer.issuer(),
            "sub": CALLER,
            "aud": self.audience,
            "iat": now.as_seconds(),
            "exp": now.plus(LIFE).as_seconds(),
            "jti": self.id.to_string(),
            "kind": KIND,
            "digest": self.digest.to_string(),
            "behind": self.behind,
        });
        signer.sign(INTRODUCTION, &claims, random).map(Secret::new)
    }
}

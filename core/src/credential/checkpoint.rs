//! The authority's signed word on how long its audit log was, and on its root. Its type is its own, so
//! that nobody can take it for a credential.

use aws_lc_rs::rand::SecureRandom;
use serde_json::json;

use crate::credential::verify::{Form, instant, signed_claims, text};
use crate::credential::{KeyError, KeySet, Rejection, Signer};
use crate::digest::Digest;
use crate::time::Timestamp;

const CHECKPOINT: Form = Form { typ: "assent-checkpoint+jwt", fault: "typ is no checkpoint's" };

/// How long an audit log was, and its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log.
    pub issuer: String,
    /// When, in whole seconds.
    pub at: Timestamp,
    /// How many entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Digest,
}

impl Signer {
    /// Signs that the log was so long then, and had this root.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn sign_checkpoint(
        &self,
        (size, root): (u64, Digest),
        at: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<String, KeyError> {
        let claims = json!({
            "iss": self.issuer(),
            "iat": at.as_seconds(),
            "size": size,
            "root": root.to_string(),
        });
        self.sign(CHECKPOINT.typ, &claims, random)
    }
}

impl Checkpoint {
    /// Reads a checkpoint that one of these keys signed. It has no end: what was so stays so.
    ///
    /// # Errors
    /// [`Rejection`]: on any doubt.
    pub fn verify(token: &str, keys: &KeySet) -> Result<Self, Rejection> {
        let claims = signed_claims(token, &CHECKPOINT, keys)?;
        let size = claims.get("size").and_then(serde_json::Value::as_u64);
        Ok(Self {
            issuer: text(&claims, "iss")?,
            at: instant(&claims, "iat")?,
            size: size.ok_or(Rejection::Claim("size"))?,
            root: text(&claims, "root")?.parse().map_err(|_| Rejection::Claim("root"))?,
        })
    }
}

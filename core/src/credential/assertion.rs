//! Assertions: by which the authority itself calls somebody else for a grant, so that something is
//! opened for it there. Nobody is handed one, and none is ever taken for a credential: the type in
//! its header is another.

use aws_lc_rs::rand::SecureRandom;
use serde_json::{Map, Value, json};

use crate::credential::{KeyError, Secret, Signer};
use crate::grant::Grant;
use crate::time::Timestamp;

/// What an assertion says beside who signs it and for which grant.
#[derive(Clone, Debug)]
pub struct Assertion<'a> {
    /// To whom.
    pub audience: &'a str,
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when; never for longer than the grant's credential lasts.
    pub expires_at: Timestamp,
    /// Claims of the audience's own. None of them takes the place of one that is said anyway.
    pub more: Map<String, Value>,
}

impl Signer {
    /// Asserts a grant, without spending it.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn assert(
        &self,
        grant: &Grant,
        assertion: &Assertion<'_>,
        random: &dyn SecureRandom,
    ) -> Result<Secret, KeyError> {
        let claims = self.asserted(grant, assertion);
        self.sign("JWT", &claims, random).map(Secret::new)
    }

    fn asserted(&self, grant: &Grant, assertion: &Assertion<'_>) -> Value {
        let expires_at = assertion.expires_at.min(grant.expires_at);
        let own = [
            ("iss", json!(self.issuer())),
            ("sub", json!(grant.subject_claim())),
            ("aud", json!(assertion.audience)),
            ("iat", json!(assertion.issued_at.as_seconds())),
            ("exp", json!(expires_at.as_seconds())),
            ("jti", json!(grant.credential.to_string())),
        ];
        let mut claims = assertion.more.clone();
        claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(claims)
    }
}

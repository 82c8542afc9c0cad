//! The authority's signing keys.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::credential::fit::Misfit;
use crate::credential::ring;
use crate::time::Timestamp;

/// Every signing key there is or was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// Under which URL credentials are issued.
    pub issuer: String,
    /// The keys, oldest first.
    pub keys: Vec<Key>,
    /// What clouds demand of an issuer that this one is not.
    pub misfits: Vec<IssuerMisfit>,
}

/// A signing key. The private half is nowhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its id, the thumbprint of its public half (RFC 7638).
    pub id: String,
    /// `ES256`, `RS256` or `EdDSA`.
    pub algorithm: String,
    /// `published`, `signing`, `retiring`, `retired` or `revoked`.
    pub stage: String,
    /// `made`, `imported` or `taken_over`.
    pub origin: String,
    /// Since when it is published.
    pub made_at: String,
    /// From when on it signs.
    pub signs_from: String,
    /// When another takes over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<String>,
    /// Until when it is published, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_until: Option<String>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// The audiences that get its algorithm by name. All that no key names get ES256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// The public half, a JWK (RFC 7517).
    pub jwk: Value,
}

/// Something that somebody demands of an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerMisfit {
    /// Who demands it.
    pub who: String,
    /// What does not fit, and what to do.
    pub problem: String,
}

/// A key to be made, or brought.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// `ES256` where nothing is said, `RS256` or `EdDSA`. A key that is brought says it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Whether it signs at once, before verifiers can know it: for an emergency.
    #[serde(default)]
    pub at_once: bool,
    /// The private key that is brought: PKCS #8 in PEM. Without it, one is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { algorithm, at_once, private_key } = self;
        f.debug_struct("NewKey")
            .field("algorithm", algorithm)
            .field("at_once", at_once)
            .field("private_key", &private_key.as_ref().map(|_| ".."))
            .finish()
    }
}

impl Key {
    /// A key at this moment, which signs by name for these.
    pub fn show(key: &ring::Key, audiences: Vec<String>, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            algorithm: key.algorithm.to_string(),
            stage: key.stage(now).word().to_owned(),
            origin: key.origin.word().to_owned(),
            made_at: key.made_at.to_string(),
            signs_from: key.signs_from.to_string(),
            superseded_at: key.superseded_at.map(|at| at.to_string()),
            published_until: key.published_until().map(|at| at.to_string()),
            revoked: key.ended.as_ref().and_then(|ended| ended.revoked.clone()),
            audiences,
            jwk: key.jwk.clone(),
        }
    }
}

impl From<Misfit> for IssuerMisfit {
    fn from(misfit: Misfit) -> Self {
        Self { who: misfit.who.to_owned(), problem: misfit.problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t66_a_key_that_is_brought_does_not_show_itself() {
        let private_key = Some("canary".to_owned());
        let new = NewKey { private_key, ..NewKey::default() };
        assert!(!format!("{new:?}").contains("canary"));
    }
}

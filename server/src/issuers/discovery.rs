//! What an issuer's metadata says, and where it may lead (OpenID Connect Discovery 1.0 section 4).

use serde_json::Value;
use url::Url;

/// Why an issuer's metadata leads to no keys.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// No address.
    #[error("`{0}` is no address")]
    NoUrl(String),
    /// The metadata is of somebody else (OpenID Connect Discovery 1.0 section 4.3).
    #[error("the metadata of `{issuer}` says that it is that of {said}")]
    OtherIssuer {
        /// Whose it should be.
        issuer: String,
        /// Whose it says it is.
        said: String,
    },
    /// The keys are elsewhere.
    #[error("`{issuer}` has its keys at {at}, which is another origin; say so with `jwks_uri`")]
    Elsewhere {
        /// The issuer.
        issuer: String,
        /// Where.
        at: String,
    },
}

/// Where an issuer's metadata is.
pub(super) fn metadata_at(issuer: &str) -> Result<Url, DiscoveryError> {
    parsed(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
}

/// That the metadata is of this issuer, to the letter.
pub(super) fn check_issuer(issuer: &str, metadata: &Value) -> Result<(), DiscoveryError> {
    let said = metadata.get("issuer");
    if said.and_then(Value::as_str) != Some(issuer) {
        let said = said.map_or("nobody".to_owned(), |said| said.to_string());
        let said = said.chars().take(255).collect();
        return Err(DiscoveryError::OtherIssuer { issuer: issuer.to_owned(), said });
    }
    Ok(())
}

/// Where its keys are: on the issuer's own origin.
pub(super) fn keys_at(issuer: &str, metadata: &Value) -> Result<Url, DiscoveryError> {
    check_issuer(issuer, metadata)?;
    let at = metadata.get("jwks_uri").and_then(Value::as_str).unwrap_or_default();
    let url = parsed(at)?;
    if url.origin() != parsed(issuer)?.origin() {
        let at = url.as_str().chars().take(255).collect();
        return Err(DiscoveryError::Elsewhere { issuer: issuer.to_owned(), at });
    }
    Ok(url)
}

/// An address as it is written.
pub(super) fn parsed(text: &str) -> Result<Url, DiscoveryError> {
    Url::parse(text).map_err(|_| DiscoveryError::NoUrl(text.chars().take(255).collect()))
}

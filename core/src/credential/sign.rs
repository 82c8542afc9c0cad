//! Minting: a grant in, a signed token out. The grant is gone afterwards.

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::canonical;
use crate::credential::Secret;
use crate::digest::Digest;
use crate::grant::Grant;
use crate::id::CredentialId;
use crate::time::Timestamp;

/// The authority's signing key.
pub struct Signer {
    issuer: String,
    key_id: String,
    pair: EcdsaKeyPair,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The bytes are no ES256 key, or there was no chance to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS #8 of a P-256 key.
    #[error("not a PKCS #8 private key on P-256")]
    NotAKey,
    /// The random source failed.
    #[error("no randomness")]
    NoRandomness,
}

/// A token just made.
#[derive(Debug)]
pub struct Minted {
    /// The credential's id.
    pub credential: CredentialId,
    /// The token. It is handed out once.
    pub token: Secret,
    /// Its SHA-256: all that stays.
    pub fingerprint: Digest,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its claims.
    pub claims: Value,
}

impl Signer {
    /// A new private key, PKCS #8.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate(random: &dyn SecureRandom) -> Result<Vec<u8>, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random);
        document.map(|key| key.as_ref().to_vec()).map_err(|_| KeyError::NoRandomness)
    }

    /// Signs for this issuer with this PKCS #8 key.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn new(issuer: &str, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
        let pair = pair.map_err(|_| KeyError::NotAKey)?;
        let key_id = thumbprint(pair.public_key().as_ref()).ok_or(KeyError::NotAKey)?;
        Ok(Self { issuer: issuer.to_owned(), key_id, pair })
    }

    /// The public key as a JWK (RFC 7517), its id the RFC 7638 thumbprint.
    pub fn jwk(&self) -> Value {
        let (x, y) = coordinates(self.pair.public_key().as_ref()).unwrap_or_default();
        json!({
            "kty": "EC", "crv": "P-256", "x": x, "y": y,
            "use": "sig", "alg": "ES256", "kid": self.key_id,
        })
    }

    /// Spends a grant on a token.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`]; the grant is spent all the same.
    pub fn mint(&self, grant: Grant, random: &dyn SecureRandom) -> Result<Minted, KeyError> {
        let claims = self.claims(&grant);
        let token = self.sign("at+jwt", &claims, random)?;
        Ok(Minted {
            credential: grant.credential,
            fingerprint: Digest::of(token.as_bytes()),
            token: Secret::new(token),
            expires_at: grant.expires_at,
            claims,
        })
    }

    /// These claims as a JWS in compact form (RFC 7515 section 3.1). The type keeps one kind of
    /// token from ever being taken for another (RFC 8725 section 3.11).
    pub(super) fn sign(
        &self,
        typ: &str,
        claims: &Value,
        random: &dyn SecureRandom,
    ) -> Result<String, KeyError> {
        let header = json!({"alg": "ES256", "typ": typ, "kid": self.key_id});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(canonical::bytes(value));
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(random, input.as_bytes());
        let signature = signature.map_err(|_| KeyError::NoRandomness)?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }

    /// Whose signature it is.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// RFC 9068 section 2.2 and ours.
    fn claims(&self, grant: &Grant) -> Value {
        let approved_by: Vec<_> = grant.approved_by.iter().map(ToString::to_string).collect();
        let mut detail = json!({
            "type": "assent_intent",
            "actions": [grant.kind],
            "locations": [grant.environment],
            "identifier": grant.target,
            "digest": grant.digest.to_string(),
        });
        if let (Some(subject), Some(detail)) = (grant.subject, detail.as_object_mut()) {
            detail.insert("subject_digest".to_owned(), json!(subject.to_string()));
        }
        json!({
            "iss": self.issuer,
            "sub": grant.subject_claim(),
            "aud": grant.audience,
            "client_id": grant.requester.to_string(),
            "iat": grant.issued_at.as_seconds(),
            "exp": grant.expires_at.as_seconds(),
            "jti": grant.credential.to_string(),
            "request_id": grant.request.to_string(),
            "digest": grant.digest.to_string(),
            "environment": grant.environment,
            "kind": grant.kind,
            "policy": grant.policy.to_string(),
            "approved_by": approved_by,
            "authorization_details": [detail],
        })
    }
}

/// The coordinates of an uncompressed point (SEC 1 section 2.3.3), base64url.
fn coordinates(point: &[u8]) -> Option<(String, String)> {
    let (form, point) = point.split_first()?;
    if *form != 4 || point.len() != 64 {
        return None;
    }
    let (x, y) = point.split_at(32);
    Some((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

/// RFC 7638 section 3: the digest of the required members in lexicographic order.
fn thumbprint(point: &[u8]) -> Option<String> {
    let (x, y) = coordinates(point)?;
    let members = json!({"crv": "P-256", "kty": "EC", "x": x, "y": y});
    Some(URL_SAFE_NO_PAD.encode(canonical::digest(&members).as_bytes()))
}

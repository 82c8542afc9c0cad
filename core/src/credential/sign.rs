//! Minting: a grant in, a signed token out. The grant is gone afterwards.

use aws_lc_rs::rand::SecureRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::canonical;
use crate::credential::{Algorithm, KeyError, KeyId, Secret, SigningKey};
use crate::digest::Digest;
use crate::grant::Grant;
use crate::id::CredentialId;
use crate::time::Timestamp;

/// The authority, signing with one of its keys.
pub struct Signer {
    issuer: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
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
    /// Signs for this issuer with this PKCS #8 key.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn new(issuer: &str, pkcs8: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { issuer: issuer.to_owned(), key: SigningKey::read(pkcs8)? })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Which key.
    pub fn key_id(&self) -> &KeyId {
        self.key.id()
    }

    /// The public key as a JWK (RFC 7517), its id the RFC 7638 thumbprint.
    pub fn jwk(&self) -> Value {
        self.key.jwk().clone()
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
        let (algorithm, key) = (self.key.algorithm().name(), self.key.id().as_str());
        let header = json!({"alg": algorithm, "typ": typ, "kid": key});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(canonical::bytes(value));
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.key.sign(input.as_bytes(), random)?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
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
            "target": grant.target,
            "digest": grant.digest.to_string(),
        });
        if let (Some(subject), Some(detail)) = (grant.subject, detail.as_object_mut()) {
            detail.insert("subject_digest".to_owned(), json!(subject.to_string()));
        }
        let mut claims = json!({
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
        });
        if let (Some(key), Some(claims)) = (grant.confirmation, claims.as_object_mut()) {
            // RFC 9449 section 6.1.
            claims.insert("cnf".to_owned(), json!({"jkt": key.to_string()}));
        }
        claims
    }
}

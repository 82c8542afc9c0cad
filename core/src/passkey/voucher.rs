//! The word of an identity provider on a passkey: an ID token of its person whose `nonce` is a digest of
//! the key. So the provider, and not this server, says whose key it is.
//!
//! What is on record is a part of the claims and the provider's key, so that it can be seen later what
//! was checked. The token itself could be used elsewhere; it is kept sealed, and never shown.

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::passkey::Passkey;
use crate::time::Timestamp;
use crate::token::{PublicKeys, TokenError, Typ, UnverifiedToken};

/// The claims that are on record: who, to whom, when and how, and over what.
const CLAIMS: [&str; 10] =
    ["iss", "sub", "aud", "azp", "iat", "exp", "nonce", "auth_time", "acr", "amr"];

/// The word of an identity provider on a passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The provider.
    pub issuer: String,
    /// The person, as it calls them.
    pub subject: String,
    /// When it was checked.
    pub at: Timestamp,
    /// What of the token's claims is on record.
    pub claims: Map<String, Value>,
    /// The provider's key that signed it, as a JWK.
    pub key: Value,
    /// SHA-256 of the token.
    pub fingerprint: Digest,
    /// The token, sealed.
    pub sealed: Vec<u8>,
}

/// Why an ID token vouches for no passkey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VouchError {
    /// It is not believed.
    #[error("the identity provider's token is refused: {0}")]
    Token(#[from] TokenError),
    /// For somebody else than this server.
    #[error("the identity provider's token is for `{0}`")]
    Audience(String),
    /// About somebody else than the passkey's person.
    #[error("the identity provider vouches for somebody else")]
    Person,
    /// Over something else than this passkey.
    #[error("the identity provider's token is not about this passkey")]
    Nonce,
}

/// An ID token, and what it is held against.
#[derive(Clone, Copy)]
pub struct UnverifiedVoucher<'a> {
    /// The ID token.
    pub token: &'a str,
    /// The keys of the person's identity provider.
    pub keys: &'a PublicKeys,
    /// What we are called there.
    pub client_id: &'a str,
}

impl std::fmt::Debug for UnverifiedVoucher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedVoucher")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl UnverifiedVoucher<'_> {
    /// Checks that the provider of the passkey's person signed this, now, for us, about them and over
    /// this key at this relying party. `sealed` is the token as it is kept.
    ///
    /// # Errors
    /// [`VouchError`]: on any doubt.
    pub fn verify(
        &self,
        passkey: &Passkey,
        party: &str,
        sealed: Vec<u8>,
        now: Timestamp,
    ) -> Result<Voucher, VouchError> {
        let read = UnverifiedToken::read(self.token)?;
        let key = self.keys.jwk(read.unverified_key_id()).cloned().unwrap_or_default();
        let token = read.verify(self.keys, now)?;
        if token.typ() != Typ::Jwt {
            return Err(TokenError::Header("typ is not that of an ID token").into());
        }
        let mut audiences = read.unverified_audiences().iter();
        let is_ours = audiences.next().map(String::as_str) == Some(self.client_id);
        let presenter = token.all_claims().get("azp");
        let for_us = presenter.is_none_or(|azp| azp.as_str() == Some(self.client_id));
        if !is_ours || audiences.next().is_some() || !for_us {
            let all: Vec<_> = read.unverified_audiences().iter().map(String::as_str).collect();
            return Err(VouchError::Audience(all.join(", ")));
        }
        if (token.issuer(), token.subject()) != (passkey.person.iss(), passkey.person.sub()) {
            return Err(VouchError::Person);
        }
        let nonce = Passkey::voucher_nonce(&passkey.key, party);
        if token.all_claims().get("nonce").and_then(Value::as_str) != Some(nonce.as_str()) {
            return Err(VouchError::Nonce);
        }
        let said = |name: &&str| Some(((*name).to_owned(), token.all_claims().get(*name)?.clone()));
        Ok(Voucher {
            issuer: token.issuer().to_owned(),
            subject: token.subject().to_owned(),
            at: now,
            claims: CLAIMS.iter().filter_map(said).collect(),
            key,
            fingerprint: Digest::of(self.token.as_bytes()),
            sealed,
        })
    }
}

impl Voucher {
    /// What of it is on record for all to see.
    pub fn to_json(&self) -> Value {
        json!({
            "claims": self.claims,
            "key": self.key,
            "token": self.fingerprint.to_string(),
        })
    }
}

//! Proof of possession (RFC 9449, DPoP): whoever presents a token shows that they hold the key it is
//! bound to, with a proof that is good for one call.
//!
//! A proof is a JWT that names its own public key; it says which call it is for and, by a digest, with
//! which token. Nothing here is believed because of whose key it is: what counts is that it is the
//! very key that the token, signed by the authority, is bound to.
//!
//! What has been seen is kept in [`Replays`], which whoever checks owns. [`Nonces`] need no memory.

mod holder;
mod nonces;
mod replays;
#[cfg(test)]
mod tests;
mod thumbprint;
mod uri;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::canonical;
use crate::digest::Digest;
use crate::time::{Span, Timestamp};
use crate::token::{PublicKey, TokenError};

pub use holder::Holder;
pub use nonces::Nonces;
pub use replays::Replays;
pub use thumbprint::{NotAThumbprint, Thumbprint};

/// The longest proof that is looked at.
const MAX_PROOF: usize = 8_192;
/// The longest `jti`, and the longest nonce.
const MAX_TEXT: usize = 256;
/// How far ahead the maker's clock may be.
const LEEWAY: Span = Span::seconds(60);
/// How long after it was made a proof may arrive, the difference of clocks included.
const MAX_AGE: Span = Span::seconds(120);
/// For how long one proof can be good: from a clock that is ahead to one that is behind.
pub(super) const MAX_LIFE: Span = Span::seconds(180);

/// The algorithms that proofs may be signed with, for metadata (RFC 9449 section 5.1).
pub const ALGORITHMS: [&str; 5] = ["ES256", "ES384", "EdDSA", "RS256", "PS256"];

/// What came with a call, and which call it was.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The `DPoP` header. A call with two of them is to be refused before it comes here.
    pub proof: &'a str,
    /// The call's method.
    pub method: &'a str,
    /// The call's URL as its sender sees it. Query and fragment do not matter.
    pub uri: &'a str,
}

/// The token that a call presents, and the key that it is bound to.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    /// The token.
    pub token: &'a str,
    /// Its key.
    pub key: Thumbprint,
}

impl std::fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Why a proof is refused (RFC 9449 section 4.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not three base64url parts of strict JSON, or too long.
    #[error("the proof is no token: {0}")]
    Malformed(&'static str),
    /// Another type or algorithm, no usable key, or a header that steers the verifier.
    #[error("the proof's header is not accepted: {0}")]
    Header(&'static str),
    /// Its own key did not sign it.
    #[error("the proof's signature is wrong")]
    Signature,
    /// A claim is missing or of another type.
    #[error("the proof's claim `{0}` is missing or not of its type")]
    Claim(&'static str),
    /// For a call by another method.
    #[error("the proof is for a call by {0}")]
    Method(String),
    /// For a call of another URL.
    #[error("the proof is for a call of another URL")]
    Uri,
    /// For a call with another token.
    #[error("the proof is for another token")]
    Token,
    /// By another key than the token's.
    #[error("the proof is by another key than the one that the token is bound to")]
    Key,
    /// Made too long ago.
    #[error("the proof was made at {0}, which is too long ago")]
    Old(Timestamp),
    /// From the future.
    #[error("the proof is not good before {0}")]
    TooEarly(Timestamp),
    /// It has no nonce of ours, or one that is over: take the one that comes with this and try again.
    #[error("the proof must have the nonce that is sent with this")]
    Nonce,
    /// It was used before.
    #[error("the proof was used before")]
    Replayed,
    /// More proofs were used lately than can be remembered: by all, or by one sender.
    #[error("more proofs were used in the last minutes than can be remembered: try again in three")]
    Full,
}

/// What is held against proofs: the nonces that were handed out, where any are, and what was used.
#[derive(Debug)]
pub struct Proofs {
    nonces: Option<Nonces>,
    replays: Replays,
}

impl Proofs {
    /// Remembers used proofs here and asks for no nonce. A proof that was used before this memory
    /// began is not recognized, for as long as a proof is good: three minutes.
    pub fn new(replays: Replays) -> Self {
        Self { nonces: None, replays }
    }

    /// The same, of proofs with a nonce of ours. Where the nonces' key is as old as the memory, a
    /// proof from before is refused by its nonce.
    #[must_use]
    pub fn with_nonces(self, nonces: Nonces) -> Self {
        Self { nonces: Some(nonces), ..self }
    }

    /// The nonce to hand out now: the `DPoP-Nonce` header of an answer.
    pub fn nonce(&self, now: Timestamp) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(now))
    }

    /// Checks a proof and remembers it; says whose key it shows. `bound` is what the call presents;
    /// `None` where the proof is to bind a token that is still to be made.
    ///
    /// # Errors
    /// [`ProofError`]: on any doubt.
    pub fn check(
        &self,
        sent: &Sent<'_>,
        bound: Option<Bound<'_>>,
        now: Timestamp,
    ) -> Result<Thumbprint, ProofError> {
        let shown = self.examine(sent, bound, now)?;
        let key = shown.key();
        self.take(&shown, *key.digest(), now)?;
        Ok(key)
    }

    /// Checks all of a proof but whether it was used before, and remembers nothing: for where it is not
    /// known yet whether its sender may have what they ask for. [`Proofs::take`] does the rest.
    ///
    /// # Errors
    /// [`ProofError`]: on any doubt.
    pub fn examine(
        &self,
        sent: &Sent<'_>,
        bound: Option<Bound<'_>>,
        now: Timestamp,
    ) -> Result<Shown, ProofError> {
        let proof = Proof::read(sent.proof)?;
        proof.check_call(sent, bound)?;
        let nonce = proof.claims.get("nonce");
        if let Some(nonces) = &self.nonces {
            let nonce = nonce.and_then(Value::as_str).ok_or(ProofError::Nonce)?;
            if !nonces.accepts(nonce, now) {
                return Err(ProofError::Nonce);
            }
        }
        proof.check_time(now)?;
        Ok(Shown { mark: proof.mark()?, proof })
    }

    /// Remembers a proof as used, among those of whoever sent it. It must be in time still: what was
    /// used as long ago as that may be forgotten.
    ///
    /// # Errors
    /// [`ProofError::Replayed`]; [`ProofError::Full`]; [`ProofError::Old`].
    pub fn take(&self, shown: &Shown, whose: Digest, now: Timestamp) -> Result<(), ProofError> {
        shown.proof.check_time(now)?;
        self.replays.take(shown.mark, whose, now)
    }
}

/// A proof that is good if it was not used before.
#[derive(Debug)]
pub struct Shown {
    proof: Proof,
    mark: Digest,
}

impl Shown {
    /// The key that it shows.
    pub fn key(&self) -> Thumbprint {
        self.proof.key
    }
}

/// Checks all of a proof but whether it was used before: for what can happen only once anyway.
///
/// # Errors
/// [`ProofError`]: on any doubt.
pub fn check_once(
    sent: &Sent<'_>,
    bound: Option<Bound<'_>>,
    now: Timestamp,
) -> Result<Thumbprint, ProofError> {
    let proof = Proof::read(sent.proof)?;
    proof.check_call(sent, bound)?;
    proof.check_time(now)?;
    Ok(proof.key)
}

/// A proof that its own key signed.
#[derive(Debug)]
struct Proof {
    key: Thumbprint,
    claims: Map<String, Value>,
}

impl Proof {
    fn read(proof: &str) -> Result<Self, ProofError> {
        if proof.len() > MAX_PROOF {
            return Err(ProofError::Malformed("it is too long"));
        }
        let shape = || ProofError::Malformed("it has not three parts");
        let (input, signature) = proof.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = input.split_once('.').ok_or_else(shape)?;
        if claims.contains('.') {
            return Err(shape());
        }
        let header = Header::read(&object(header)?)?;
        let verified = header.key.verify(&header.algorithm, input.as_bytes(), &decode(signature)?);
        verified.map_err(|error| match error {
            TokenError::Algorithm { .. } => ProofError::Header("alg is not its key's"),
            TokenError::Malformed(_)
            | TokenError::Header(_)
            | TokenError::Claim(_)
            | TokenError::UnknownKey
            | TokenError::Signature
            | TokenError::Expired(_)
            | TokenError::TooEarly(_)
            | TokenError::Bound
            | TokenError::TooLong => ProofError::Signature,
        })?;
        Ok(Self { key: header.thumbprint, claims: object(claims)? })
    }

    /// RFC 9449 section 4.3, items 8, 9 and 12.
    fn check_call(&self, sent: &Sent<'_>, bound: Option<Bound<'_>>) -> Result<(), ProofError> {
        let method = self.text("htm")?;
        if method != sent.method {
            return Err(ProofError::Method(method.to_owned()));
        }
        if !uri::is_same(self.text("htu")?, sent.uri) {
            return Err(ProofError::Uri);
        }
        let Some(Bound { token, key }) = bound else { return Ok(()) };
        if key != self.key {
            return Err(ProofError::Key);
        }
        // RFC 9449 section 4.2. Base64url without padding has one spelling only.
        match self.text("ath")? == URL_SAFE_NO_PAD.encode(Digest::of(token.as_bytes()).as_bytes()) {
            true => Ok(()),
            false => Err(ProofError::Token),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), ProofError> {
        let made = self.instant("iat")?;
        if made > now.plus(LEEWAY) {
            return Err(ProofError::TooEarly(made));
        }
        if now > made.plus(MAX_AGE) {
            return Err(ProofError::Old(made));
        }
        // RFC 9449 names neither; RFC 7519 says what they mean where they are.
        if self.claims.contains_key("nbf") {
            let from = self.instant("nbf")?;
            if from > now.plus(LEEWAY) {
                return Err(ProofError::TooEarly(from));
            }
        }
        if self.claims.contains_key("exp") {
            let end = self.instant("exp")?;
            if now >= end.plus(LEEWAY) {
                return Err(ProofError::Old(made));
            }
        }
        Ok(())
    }

    /// By what it is known again: its `jti`, of its key. Two keys may choose the same.
    fn mark(&self) -> Result<Digest, ProofError> {
        let id = self.text("jti")?;
        let key = self.key.digest();
        Ok(Digest::of_parts(&[b"assent/dpop-proof/v1\0", key.as_bytes(), id.as_bytes()]))
    }

    fn text(&self, name: &'static str) -> Result<&str, ProofError> {
        let value = self.claims.get(name).and_then(Value::as_str);
        let longest = if name == "htu" { MAX_PROOF } else { MAX_TEXT };
        let value = value.filter(|text| (1..=longest).contains(&text.len()));
        value.ok_or(ProofError::Claim(name))
    }

    fn instant(&self, name: &'static str) -> Result<Timestamp, ProofError> {
        let seconds = self.claims.get(name).and_then(Value::as_i64);
        let seconds = seconds.filter(|seconds| (0..1 << 40).contains(seconds));
        let seconds = seconds.ok_or(ProofError::Claim(name))?;
        Ok(Timestamp::from_millis(seconds.saturating_mul(1000)))
    }
}

struct Header {
    algorithm: String,
    key: PublicKey,
    thumbprint: Thumbprint,
}

impl Header {
    /// RFC 9449 section 4.2: these three and no other, so that nothing else can steer.
    fn read(header: &Map<String, Value>) -> Result<Self, ProofError> {
        if header.keys().any(|name| !matches!(name.as_str(), "alg" | "typ" | "jwk")) {
            return Err(ProofError::Header("only typ, alg and jwk are known"));
        }
        let text = |name| header.get(name).and_then(Value::as_str);
        // A media type, whose letters' case does not matter (RFC 7515 section 4.1.9).
        if !text("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(ProofError::Header("typ is not dpop+jwt"));
        }
        let algorithm = text("alg").ok_or(ProofError::Header("alg is no text"))?;
        let jwk = header.get("jwk").filter(|jwk| jwk.is_object());
        let jwk = jwk.ok_or(ProofError::Header("jwk is no key"))?;
        let unusable = || ProofError::Header("jwk is no public key that is accepted");
        let key = PublicKey::of_jwk(jwk).ok_or_else(unusable)?;
        let thumbprint = Thumbprint::of_jwk(jwk).ok_or_else(unusable)?;
        Ok(Self { algorithm: algorithm.to_owned(), key, thumbprint })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, ProofError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| ProofError::Malformed("a part is not base64url"))
}

fn object(part: &str) -> Result<Map<String, Value>, ProofError> {
    match canonical::parse(&decode(part)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ProofError::Malformed("a part is not a JSON object")),
        Err(_) => Err(ProofError::Malformed("a part is not strict JSON")),
    }
}

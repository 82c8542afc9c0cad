//! What a reviewer's passkey signs: a statement of exactly what was shown, and the signature over it.
//!
//! The challenge that the passkey answers is a digest of the statement's bytes, which are canonical
//! (RFC 8785) and are kept as they were signed. A [`Signature`] can only be made by checking one.

mod signature;
#[cfg(test)]
pub(crate) mod tests;
mod words;

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::canonical;
use crate::digest::Digest;
use crate::id::RequestId;
use crate::principal::PrincipalId;
use crate::request::Verdict;
use crate::time::{Span, Timestamp};

pub(crate) use signature::Said;
pub use signature::{Recorded, Signature, SignatureError, Strength, UnverifiedSignature};
pub use words::words;

/// How long a statement can be signed after it was given.
pub const STATEMENTS_LAST: Span = Span::minutes(5);
/// An authority is one tenant; the word keeps the place for more.
const TENANT: &str = "default";
/// The longest statement that is looked at, in bytes.
const MAX_STATEMENT: usize = 8_192;

/// What a person says of a request, so that it can be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The authority, by its base URL.
    pub server: String,
    /// The request.
    pub request: RequestId,
    /// Its intent's digest.
    pub digest: Digest,
    /// The revision of the policy that ruled on it.
    pub policy: Digest,
    /// Approve or deny.
    pub verdict: Verdict,
    /// The digest of the comment.
    pub comment: Digest,
    /// The name that the passkey is bound to.
    pub party: String,
    /// Who says it.
    pub approver: PrincipalId,
    /// The passkey that is to sign it, as the authenticator knows it.
    pub credential: Vec<u8>,
    /// What makes it one of a kind.
    pub nonce: [u8; 16],
    /// When it was given.
    pub issued_at: Timestamp,
    /// Until when it can be signed.
    pub expires_at: Timestamp,
    /// The size of the audit log then, and its root.
    pub log: (u64, Digest),
}

/// The bytes are no statement of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signed statement is none of ours: {0}")]
pub struct NotAStatement(&'static str);

impl Statement {
    /// Its canonical bytes: what is signed, and what is kept.
    pub fn bytes(&self) -> Vec<u8> {
        let (size, root) = &self.log;
        canonical::bytes(&json!({
            "v": 1,
            "server_id": self.server,
            "tenant": TENANT,
            "request_id": self.request.to_string(),
            "request_digest": self.digest.to_string(),
            "policy_digest": self.policy.to_string(),
            "verdict": word(self.verdict),
            "reason_digest": self.comment.to_string(),
            "rp_id": self.party,
            "approver": self.approver.to_json(),
            "credential_id": URL_SAFE_NO_PAD.encode(&self.credential),
            "nonce": URL_SAFE_NO_PAD.encode(self.nonce),
            "iat": self.issued_at.to_string(),
            "exp": self.expires_at.to_string(),
            "checkpoint": {"size": size, "root": root.to_string()},
        }))
    }

    /// Reads one. Only the bytes that [`Statement::bytes`] would write are read: one statement has one
    /// form.
    ///
    /// # Errors
    /// [`NotAStatement`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotAStatement> {
        if bytes.len() > MAX_STATEMENT {
            return Err(NotAStatement("it is too long"));
        }
        let Ok(Value::Object(said)) = canonical::parse(bytes) else {
            return Err(NotAStatement("it is not strict JSON"));
        };
        let read = Self::of(&said).ok_or(NotAStatement("a member is missing or malformed"))?;
        match read.bytes() == bytes {
            true => Ok(read),
            false => Err(NotAStatement("it is not canonical, or says more than it should")),
        }
    }

    fn of(said: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| said.get(name)?.as_str();
        let decoded = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let (approver, log) = (said.get("approver")?, said.get("checkpoint")?);
        let part = |name: &str| approver.get(name)?.as_str();
        Some(Self {
            server: text("server_id")?.to_owned(),
            request: text("request_id")?.parse().ok()?,
            digest: text("request_digest")?.parse().ok()?,
            policy: text("policy_digest")?.parse().ok()?,
            verdict: match text("verdict")? {
                "approve" => Verdict::Approve,
                "deny" => Verdict::Deny,
                _ => return None,
            },
            comment: text("reason_digest")?.parse().ok()?,
            party: text("rp_id")?.to_owned(),
            approver: PrincipalId::new(part("iss")?, part("sub")?).ok()?,
            credential: decoded("credential_id")?,
            nonce: decoded("nonce")?.try_into().ok()?,
            issued_at: text("iat")?.parse().ok()?,
            expires_at: text("exp")?.parse().ok()?,
            log: (log.get("size")?.as_u64()?, log.get("root")?.as_str()?.parse().ok()?),
        })
    }

    /// What a passkey answers when it signs these bytes.
    pub fn challenge(bytes: &[u8]) -> Digest {
        Digest::of_parts(&[b"assent/review/v1\0", bytes])
    }

    /// The digest of a comment, as a statement has it.
    pub fn digest_of(comment: &str) -> Digest {
        Digest::of(comment.as_bytes())
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Deny => "deny",
    }
}

/// By what an authority knows its own statements again, without keeping them: each one's nonce follows
/// from all else that it says and a key that nobody else has. So nobody signs in advance.
pub struct Nonces(hmac::Key);

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces(..)")
    }
}

impl Nonces {
    /// With this key. A statement that was given under another is not known again.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The same statement with its nonce.
    #[must_use]
    pub fn give(&self, statement: Statement) -> Statement {
        let blank = Statement { nonce: [0; 16], ..statement };
        let tag = hmac::sign(&self.0, &blank.bytes());
        let mut nonce = [0; 16];
        nonce.iter_mut().zip(tag.as_ref()).for_each(|(byte, of)| *byte = *of);
        Statement { nonce, ..blank }
    }

    /// Whether it was given here.
    pub fn gave(&self, statement: &Statement) -> bool {
        let given = self.give(statement.clone());
        aws_lc_rs::constant_time::verify_slices_are_equal(&given.nonce, &statement.nonce).is_ok()
    }
}

//! Passkeys, the statements that they sign, and the evidence of what they signed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{passkey, statement};

/// What lets a stranger check one request's approval, offline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The format: 1.
    pub v: u8,
    /// The authority, by its base URL.
    pub server: String,
    /// The request.
    pub request: String,
    /// Every entry of the request, oldest first.
    pub entries: Vec<ProvenEntry>,
    /// Of each passkey that signed a review, every entry, oldest first.
    #[serde(default)]
    pub passkeys: BTreeMap<String, Vec<ProvenEntry>>,
    /// The authority's signed word on its log: a JWT of the type `assent-checkpoint+jwt`.
    pub checkpoint: String,
}

/// An entry of the audit log, with the proof that it is in it (RFC 9162 section 2.1.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvenEntry {
    /// Its place, from 0.
    pub index: u64,
    /// What it says.
    pub entry: Value,
    /// The hashes beside it on its way to the root, as digests.
    pub proof: Vec<String>,
}

/// A statement to be signed by a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Statement {
    /// Its bytes, in base64url without padding.
    pub statement: String,
    /// What the passkey answers, in base64url without padding: a digest of the statement.
    pub challenge: String,
    /// The name that the passkey is bound to.
    pub rp_id: String,
    /// The passkey, as the authenticator knows it, in base64url without padding.
    pub credential_id: String,
    /// Until when it can be signed.
    pub expires_at: String,
}

impl From<&statement::Statement> for Statement {
    fn from(given: &statement::Statement) -> Self {
        let bytes = given.bytes();
        let challenge = statement::Statement::challenge(&bytes);
        Self {
            statement: URL_SAFE_NO_PAD.encode(&bytes),
            challenge: URL_SAFE_NO_PAD.encode(challenge.as_bytes()),
            rp_id: given.party.clone(),
            credential_id: URL_SAFE_NO_PAD.encode(&given.credential),
            expires_at: given.expires_at.to_string(),
        }
    }
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Passkey {
    /// `psk_` and a ULID.
    pub id: String,
    /// As its person calls it.
    pub name: String,
    /// As the authenticator knows it, in base64url without padding.
    pub credential_id: String,
    /// `ES256`, `EdDSA` or `RS256`.
    pub algorithm: String,
    /// Whether it can never leave its device, as the authenticator said.
    pub device_bound: bool,
    /// Since when.
    pub enrolled_at: String,
    /// Until when, where it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
    /// The identity provider that vouched for it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vouched_by: Option<String>,
}

/// Passkeys of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Passkeys {
    /// Oldest first, removed ones too.
    pub passkeys: Vec<Passkey>,
}

impl From<&passkey::Passkey> for Passkey {
    fn from(passkey: &passkey::Passkey) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.clone(),
            credential_id: URL_SAFE_NO_PAD.encode(&passkey.credential),
            algorithm: passkey.key.algorithm().name().to_owned(),
            device_bound: passkey.device_bound,
            enrolled_at: passkey.enrolled_at.to_string(),
            removed_at: passkey.removed_at.map(|at| at.to_string()),
            vouched_by: passkey.voucher.as_ref().map(|voucher| voucher.issuer.clone()),
        }
    }
}

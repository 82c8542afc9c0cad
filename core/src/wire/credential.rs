//! Credentials: asked for, minted, spent, kept alive, listed, introspected and taken back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::{Brokered, CredentialStatus, Principal};

/// Asks for a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// For whom it shall be good.
    pub audience: String,
    /// How long it is wanted for: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// What the grant shall open beside the token: the name of one of the authority's brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// How long the holder wants to be silent at most before it ends: `2m`. Rules may ask for less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}

/// Spends a single-use token, as the service that was shown it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redemption {
    /// The token.
    pub token: String,
    /// For whom it must be: the service itself.
    pub audience: String,
    /// What came with it, where it is bound to a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<PassedOn>,
}

impl std::fmt::Debug for Redemption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redemption").field("audience", &self.audience).finish_non_exhaustive()
    }
}

/// A proof of possession (RFC 9449) that a service was shown, and the call that it came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassedOn {
    /// The `DPoP` header.
    pub proof: String,
    /// The call's method.
    pub method: String,
    /// The call's URL, as its sender sees it.
    pub uri: String,
}

/// A minted credential. The token and the fields are given once and kept nowhere.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Its id, the token's `jti`.
    pub id: String,
    /// The token.
    pub token: String,
    /// How it is presented: `Bearer`, or `DPoP` where it is bound to a key (RFC 9449).
    #[serde(default = "bearer")]
    pub token_type: String,
    /// When it ends.
    pub expires_at: String,
    /// The token's claims, to read.
    pub claims: Value,
    /// What a broker opened: `host`, `username`, `password` … by its kind. All of it is secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// How long its holder may be silent before it ends, where it must show signs of life: a good
    /// client sends three in that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// When the next one is due, by the authority's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<String>,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What follows from a sign of life; nothing where none is asked of the holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {
    /// How long the holder may be silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// When the next one is due, by the authority's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<String>,
}

/// A credential, and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialEntry {
    /// Its request.
    pub request: String,
    /// Who asked.
    pub requester: Principal,
    /// For what kind of action.
    pub kind: String,
    /// In which environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// What is known of it.
    pub credential: CredentialStatus,
}

/// Some credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialList {
    /// By request, newest first.
    pub credentials: Vec<CredentialEntry>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Ends everything that fits: every grant and every credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// In this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of this requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Said so that nobody ends everything by leaving something out: `true`.
    pub all: bool,
    /// Why, for the record.
    pub reason: String,
    /// Only count what would end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What ended, or would.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    /// Whether it was only counted.
    pub dry_run: bool,
    /// Of how many requests something was good.
    pub requests: usize,
    /// How many grants.
    pub grants: usize,
    /// How many credentials.
    pub credentials: usize,
    /// What brokers have opened and not closed.
    pub open_outside: Vec<OpenOutside>,
    /// What could not be taken back: ask again.
    pub failed: Vec<NotRevoked>,
}

/// Something that a broker has opened and not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenOutside {
    /// The request.
    pub request: String,
    /// The credential.
    pub credential: String,
    /// What is open.
    pub brokered: Brokered,
}

/// A request that could not be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRevoked {
    /// Which.
    pub request: String,
    /// Why not.
    pub problem: String,
}

/// What the authority says of a presented credential: RFC 7662, or what redeeming it gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Introspection {
    /// Whether it is good now.
    pub active: bool,
    /// The token's claims, where it is.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

//! Access tokens: made, listed and shown once, and the code of the first start.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::{Kind, Principal};

/// Makes an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    /// Person or workload.
    pub kind: Kind,
    /// Its name to this authority.
    pub sub: String,
    /// The people a workload acts for, by their names to this authority.
    #[serde(default)]
    pub acts_for: BTreeSet<String>,
    /// The groups that the identity provider is taken to vouch for. Only groups of which the policy
    /// documents say so count for anything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Whether it may administer the authority.
    #[serde(default)]
    pub administrator: bool,
    /// How long it lives: `90d`, at most `365d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
}

/// An access token's record; never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Its id, which the token begins with.
    pub id: String,
    /// Whose it is.
    pub principal: Principal,
    /// Whether it may administer the authority.
    pub administrator: bool,
    /// What it is for: `token` or `session`.
    pub purpose: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// The trust under which it was exchanged for another token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// The address of the program that it was given to by a browser, or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A fresh access token. It is shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct FreshAccess {
    /// Its record.
    pub access: Access,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for FreshAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshAccess").field("access", &self.access).finish_non_exhaustive()
    }
}

/// All access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessList {
    /// Newest first.
    pub tokens: Vec<Access>,
}

/// The one-time code of the first start.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The code of the printed link.
    pub code: String,
    /// The first administrator's name.
    pub sub: String,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap").field("sub", &self.sub).finish_non_exhaustive()
    }
}

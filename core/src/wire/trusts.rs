//! The trusts that rule, wherever they were written, and what they make of a token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::glob::Glob;
use crate::trust;
use crate::wire::{MayAsk, Principal};

/// A trust that rules: of the files or of the API, with everything that was left unsaid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulingTrust {
    /// Its name.
    pub name: String,
    /// Exactly the issuer of its tokens.
    pub issuer: String,
    /// Exactly the audience that they are for.
    pub audience: String,
    /// Of which form they are, if it is a known one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// What the claims must be: one of these each.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// How its workloads are named, with claims in braces.
    pub principal: String,
    /// Who the people are whom its tokens number: `1001` is `person:bob`. Of those who are not named
    /// here, nobody knows that they are the same person.
    pub people: BTreeMap<String, String>,
    /// The groups that its workloads are in.
    pub groups: BTreeSet<String>,
    /// What its workloads may ask for.
    pub may_ask: MayAsk,
    /// How long an access token lives.
    pub lifetime: String,
    /// Whether each token is good once.
    pub single_use: bool,
    /// Where the issuer's keys come from: `discovered`, `pinned`, or their address.
    pub keys: String,
    /// What may have been meant otherwise, though it is no fault.
    pub concerns: Vec<String>,
    /// Whether it came over the API, and not from a policy file.
    pub kept: bool,
    /// The policy file in which it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// Every trust that rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulingTrusts {
    /// In order of name.
    pub trusts: Vec<RulingTrust>,
}

/// A token of somebody else's, to be tried. It is neither spent nor kept.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenTrial {
    /// The token.
    pub token: String,
}

impl fmt::Debug for TokenTrial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenTrial")
    }
}

/// What would become of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenTried {
    /// Whether it would be exchanged, if it was not before.
    pub accepted: bool,
    /// Why not, where no single trust can say it: it is no token, it is of this server's own, no trust
    /// is for its issuer, or two take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Who it says issued it. Believed only where a trust takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// For whom it says that it is.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub audiences: BTreeSet<String>,
    /// What each trust of its issuer makes of it.
    pub trusts: Vec<TrustVerdict>,
    /// Who its holder would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Principal>,
}

/// What a trust makes of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustVerdict {
    /// The trust.
    pub trust: String,
    /// Why it does not take it; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl RulingTrust {
    /// A trust as it is told: it stands in this file, or came over the API.
    pub fn new(trust: &trust::Trust, file: Option<&str>) -> Self {
        let texts = |globs: &BTreeSet<Glob>| globs.iter().map(Glob::to_string).collect();
        let scope = trust.scope();
        Self {
            name: trust.name().to_owned(),
            issuer: trust.issuer().to_owned(),
            audience: trust.audience().to_owned(),
            shape: trust.shape().map(|shape| shape.word().to_owned()),
            claims: trust.claims().clone(),
            principal: trust.principal(),
            people: trust
                .people()
                .iter()
                .map(|(number, who)| (number.clone(), format!("person:{who}")))
                .collect(),
            groups: trust.groups().clone(),
            may_ask: MayAsk {
                kinds: texts(scope.kinds()),
                environments: texts(scope.environments()),
            },
            lifetime: trust.lifetime().to_string(),
            single_use: trust.is_single_use(),
            keys: match trust.keys() {
                trust::KeySource::Discovered => "discovered".to_owned(),
                trust::KeySource::Pinned(_) => "pinned".to_owned(),
                trust::KeySource::At(address) => address.clone(),
            },
            concerns: trust.concerns(),
            kept: file.is_none(),
            file: file.map(str::to_owned),
        }
    }
}

//! What was known beside an intent when policy ruled on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::plan;
use crate::policy::{opinion, situation};
use crate::signal::Concern;

/// What was known beside an intent and its requester.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Where the requester called from.
    #[serde(default, skip_serializing_if = "Network::is_unknown")]
    pub network: Network,
    /// What the plan does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SeenPlan>,
    /// What other systems had told.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub signals: Map<String, Value>,
    /// What was the matter with who asked, and where.
    #[serde(default, skip_serializing_if = "Concerns::is_nothing")]
    pub concerns: Concerns,
    /// Rules that did not match because a later review of theirs was missed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub suspended: BTreeSet<String>,
    /// What the engines of `ask` rules said, by rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub opinions: BTreeMap<String, Opinion>,
}

/// Where a requester called from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The country, ISO 3166-1 alpha-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What was the matter, by signals that held: `suspended`, `risky`, `flagged`, `incident`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concerns {
    /// With the requester or anybody it acted for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requester: BTreeSet<String>,
    /// In the environment.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub environment: BTreeSet<String>,
}

impl Concerns {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What was known does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownError {
    /// The plan's digest.
    #[error(transparent)]
    Digest(#[from] <Digest as std::str::FromStr>::Err),
    /// Something that cannot be the matter.
    #[error(transparent)]
    Concern(#[from] super::SignalError),
}

fn read_concerns(words: &BTreeSet<String>) -> Result<BTreeSet<Concern>, super::SignalError> {
    words.iter().map(|word| super::signal::read_concern(word)).collect()
}

impl Network {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// What is on record of a plan: what it adds up to, and the digest that names its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenPlan {
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// What it adds up to.
    pub facts: plan::Facts,
}

/// What an engine said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Opinion {
    /// It answered cleanly.
    Answered {
        /// Why it must not be done.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        denies: Vec<String>,
        /// Why people should look.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warns: Vec<String>,
        /// Whether it approves.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        allows: bool,
    },
    /// It did not.
    Failed {
        /// What happened.
        reason: String,
    },
}

impl From<&opinion::Opinion> for Opinion {
    fn from(opinion: &opinion::Opinion) -> Self {
        match opinion {
            opinion::Opinion::Answered { denies, warns, allows } => {
                Self::Answered { denies: denies.clone(), warns: warns.clone(), allows: *allows }
            }
            opinion::Opinion::Failed { reason } => Self::Failed { reason: reason.clone() },
        }
    }
}

impl From<Opinion> for opinion::Opinion {
    fn from(opinion: Opinion) -> Self {
        match opinion {
            Opinion::Answered { denies, warns, allows } => Self::Answered { denies, warns, allows },
            Opinion::Failed { reason } => Self::Failed { reason },
        }
    }
}

impl From<&situation::Known> for Known {
    fn from(known: &situation::Known) -> Self {
        let situation::Known { network, plan, signals, concerns, suspended, opinions } = known;
        let words = |all: &BTreeSet<Concern>| all.iter().map(|c| c.word().to_owned()).collect();
        Self {
            network: Network { ip: network.ip, country: network.country.clone() },
            plan: plan.as_ref().map(|plan| SeenPlan {
                digest: plan.digest.to_string(),
                facts: plan.facts.clone(),
            }),
            signals: signals.clone(),
            concerns: Concerns {
                requester: words(&concerns.requester),
                environment: words(&concerns.environment),
            },
            suspended: suspended.clone(),
            opinions: opinions.iter().map(|(rule, o)| (rule.clone(), o.into())).collect(),
        }
    }
}

impl TryFrom<Known> for situation::Known {
    type Error = KnownError;

    fn try_from(sent: Known) -> Result<Self, Self::Error> {
        let Known { network, plan, signals, concerns, suspended, opinions } = sent;
        let plan = plan.map(|plan| -> Result<_, Self::Error> {
            let (digest, facts) = (plan.digest.parse()?, plan.facts);
            Ok(situation::KnownPlan { digest, facts, changes: None })
        });
        Ok(Self {
            network: situation::Network { ip: network.ip, country: network.country },
            plan: plan.transpose()?,
            signals,
            concerns: situation::Concerns {
                requester: read_concerns(&concerns.requester)?,
                environment: read_concerns(&concerns.environment)?,
            },
            suspended,
            opinions: opinions.into_iter().map(|(rule, o)| (rule, o.into())).collect(),
        })
    }
}

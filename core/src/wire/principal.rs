//! Who somebody is: a verified caller, and what an authority tells them of themselves.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::principal::{self, PrincipalKind};

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// Who vouches.
    pub iss: String,
    /// The subject, as that issuer names it.
    pub sub: String,
    /// Person or workload.
    pub kind: Kind,
    /// Groups that the issuer vouches for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// The people a workload acts for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acts_for: BTreeSet<PrincipalId>,
    /// What else the issuer vouches for.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// Person or workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A human being.
    Person,
    /// A program.
    Workload,
}

/// Issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalId {
    /// Who vouches.
    pub iss: String,
    /// The subject.
    pub sub: String,
}

impl From<&principal::PrincipalId> for PrincipalId {
    fn from(id: &principal::PrincipalId) -> Self {
        Self { iss: id.iss().to_owned(), sub: id.sub().to_owned() }
    }
}

impl TryFrom<PrincipalId> for principal::PrincipalId {
    type Error = principal::PrincipalIdError;

    fn try_from(id: PrincipalId) -> Result<Self, Self::Error> {
        Self::new(&id.iss, &id.sub)
    }
}

impl From<&principal::Principal> for Principal {
    fn from(principal: &principal::Principal) -> Self {
        Self {
            iss: principal.id.iss().to_owned(),
            sub: principal.id.sub().to_owned(),
            kind: match principal.kind {
                PrincipalKind::Person => Kind::Person,
                PrincipalKind::Workload => Kind::Workload,
            },
            groups: principal.groups.clone(),
            acts_for: principal.acts_for.iter().map(PrincipalId::from).collect(),
            claims: principal.claims.clone(),
        }
    }
}

impl TryFrom<Principal> for principal::Principal {
    type Error = principal::PrincipalIdError;

    fn try_from(sent: Principal) -> Result<Self, Self::Error> {
        let acts_for = sent.acts_for.into_iter().map(TryInto::try_into);
        Ok(Self {
            id: principal::PrincipalId::new(&sent.iss, &sent.sub)?,
            kind: match sent.kind {
                Kind::Person => PrincipalKind::Person,
                Kind::Workload => PrincipalKind::Workload,
            },
            groups: sent.groups,
            acts_for: acts_for.collect::<Result<_, _>>()?,
            claims: sent.claims,
        })
    }
}

/// Who the caller is, to this authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Whoami {
    /// The caller.
    pub principal: Principal,
    /// Every group the caller is in, by its issuer and by the policy documents.
    pub groups: BTreeSet<String>,
    /// Whether the caller may administer the authority.
    pub administrator: bool,
    /// When the token that was presented ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

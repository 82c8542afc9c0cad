//! Groups, calendars and trusts that the authority keeps, each as an entry of its own, and asking what a
//! change of policy would do before it is made.
//!
//! An entry has the fields that it would have in a policy document. It is kept as such a document,
//! under the name `groups/NAME`, `calendars/NAME` or `trusts/NAME`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::lint::Finding;
use crate::wire::{Intent, NewDocument, PolicyFault};

/// A group as it is to be: it lists its people, or the identity provider vouches for it, or it is a
/// team at GitHub.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its people, as documents write them: `person:bob`, `person:https://id.example.com#8f3a`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<String>,
    /// `true` where the identity provider vouches for it; it lists nobody then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<bool>,
    /// The team at GitHub that it is, `ORGANIZATION/TEAM`; it lists nobody then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_team: Option<String>,
}

/// A group that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its name, by which rules call it: `group:NAME`.
    pub name: String,
    /// Its people.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<String>,
    /// `true` where the identity provider vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<bool>,
    /// The team at GitHub that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_team: Option<String>,
    /// Which version it is, from 1.
    pub version: u64,
    /// When it was written.
    pub at: String,
    /// By whom.
    pub by: String,
}

/// Every group that the authority keeps. Those of policy documents are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// Each by its name.
    pub groups: BTreeMap<String, Group>,
}

/// A calendar as it is to be. `days`, `from` and `to` are a single window; `windows` are several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCalendar {
    /// The IANA time zone; without one, that of the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The days of the only window: `monday`; without any, every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// When the only window begins: `09:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When it ends; it no longer holds then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Several windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<CalendarWindow>,
    /// Dates that belong to it whatever the windows say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<CalendarDates>,
    /// Dates on which nothing begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<CalendarDates>,
}

/// A window of a calendar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarWindow {
    /// Its days; without any, every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// When it begins; without it, at midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When it ends; without it, at midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A date, or the dates from one to another with both of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CalendarDates {
    /// `2026-12-24`
    On(String),
    /// Several days on end.
    Between(CalendarSpan),
}

/// The first and the last of several days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarSpan {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
}

/// A calendar that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Calendar {
    /// Its name, by which conditions call it: `{within: NAME}`.
    pub name: String,
    /// When it holds.
    #[serde(flatten)]
    pub calendar: NewCalendar,
    /// Which version it is, from 1.
    pub version: u64,
    /// When it was written.
    pub at: String,
    /// By whom.
    pub by: String,
}

/// Every calendar that the authority keeps. Those of policy documents are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Calendars {
    /// Each by its name.
    pub calendars: BTreeMap<String, Calendar>,
}

/// A trust as it is to be: whose tokens are believed, and what their holders may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrust {
    /// Exactly the issuer of the tokens: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// Exactly the audience that the tokens are for.
    pub audience: String,
    /// Of which form the tokens are: `github-actions`, `hcp-terraform`, `gitlab`, `kubernetes`,
    /// `assent`. It knows which claims must be pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// What the claims must be, exactly.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, ClaimIs>,
    /// How the workload is named, with claims in braces: `github:{repository_id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Who the people are whom the tokens number: `1001` is `person:bob`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, String>,
    /// The groups that the workload is in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// What the workload may ask for.
    pub may_ask: MayAsk,
    /// How long an access token lives: `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// Whether each token is good once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single_use: Option<bool>,
    /// The issuer's keys (RFC 7517), so that nothing is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where the issuer's keys are, if it has no discovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

/// What a claim must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClaimIs {
    /// This.
    Exactly(String),
    /// One of several.
    OneOf(ClaimIn),
}

/// The values that a claim may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimIn {
    /// One of these.
    #[serde(rename = "in")]
    pub values: BTreeSet<String>,
}

/// What a workload may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MayAsk {
    /// Kinds of intent; `*` stands for one part of a name.
    pub kinds: BTreeSet<String>,
    /// Environments.
    pub environments: BTreeSet<String>,
}

/// A trust that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trust {
    /// Its name.
    pub name: String,
    /// Whose tokens it believes.
    #[serde(flatten)]
    pub trust: NewTrust,
    /// Which version it is, from 1.
    pub version: u64,
    /// When it was written.
    pub at: String,
    /// By whom.
    pub by: String,
}

/// Every trust that the authority keeps. Those of policy documents are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trusts {
    /// Each by its name.
    pub trusts: BTreeMap<String, Trust>,
}

/// Changes of policy that belong together. Each is by its name what it is to become, or `null`
/// where it is to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyCheck {
    /// Documents.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, Option<NewDocument>>,
    /// Groups.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Option<NewGroup>>,
    /// Calendars.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calendars: BTreeMap<String, Option<NewCalendar>>,
    /// Trusts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusts: BTreeMap<String, Option<NewTrust>>,
}

/// What would rule after these changes. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyChecked {
    /// The revision that would rule; absent where nothing would, because there are faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Everything for which the changes would be refused.
    pub faults: Vec<PolicyFault>,
    /// What is allowed and yet probably not what was meant.
    pub findings: Vec<PolicyFinding>,
    /// What would have to be approved first, in order of name: one intent for each change that does
    /// something, where policy wants changes of itself approved. Their reasons are empty: whoever
    /// files them says why.
    pub approvals: Vec<Intent>,
}

/// One thing that is probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFinding {
    /// What kind of thing it is: `unused-group`. Stable, for programs.
    pub code: String,
    /// Where, and what.
    #[serde(flatten)]
    pub fault: PolicyFault,
}

impl From<&Finding> for PolicyFinding {
    fn from(finding: &Finding) -> Self {
        Self { code: finding.code.to_owned(), fault: PolicyFault::from(&finding.fault) }
    }
}

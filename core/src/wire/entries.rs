//! Groups and calendars that the authority keeps, each as an entry of its own, and asking what a
//! change of policy would do before it is made.
//!
//! An entry has the fields that it would have in a policy document. It is kept as such a document,
//! under the name `groups/NAME` or `calendars/NAME`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::lint::Finding;
use crate::wire::{Intent, NewDocument, PolicyFault};

/// A group as it is to be: it lists its people, or the identity provider vouches for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its people, as documents write them: `person:bob`, `person:https://id.example.com#8f3a`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<String>,
    /// `true` where the identity provider vouches for it; it lists nobody then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<bool>,
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

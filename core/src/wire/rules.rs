//! What rules, and what it is told beside requests: policy documents, their standing, signals.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::document::Fault;

/// By what the authority rules now, and whether it could read what it is to rule by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyStatus {
    /// The revision that rules.
    pub revision: String,
    /// How many rules it has.
    pub rules: u64,
    /// Since when it rules.
    pub loaded_at: String,
    /// Where its documents come from: `directory`, `git`, or `none` beside those of the API.
    pub source: String,
    /// The commit it was read at, where it comes from Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who changes policy over the API: `administrator` alone, or once the change was `approved`.
    #[serde(default)]
    pub policy_changes: String,
    /// Why what is there now does not rule, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<PolicyProblem>,
}

/// Why the newest policy does not rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyProblem {
    /// Since when it is so.
    pub since: String,
    /// What happened, in one line.
    pub message: String,
    /// Each fault with its place. Only people and administrators are shown them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PolicyFault>,
}

/// One fault of a policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFault {
    /// The file; of what came over the API, its name after `api:/`.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// The name of the document, group or calendar it is in, where that came over the API:
    /// `freeze.yaml`, `groups/dba`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The field of that group or calendar: `members[0]`. Its line and column say nothing to whoever
    /// wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
}

impl From<&Fault> for PolicyFault {
    fn from(fault: &Fault) -> Self {
        Self {
            file: fault.place.file.clone(),
            line: fault.place.line as u64,
            column: fault.place.column as u64,
            document: None,
            field: None,
            message: fault.message.clone(),
        }
    }
}

/// The text of a policy document that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDocument {
    /// The whole text.
    pub text: String,
}

/// A policy document that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDocument {
    /// Its name.
    pub name: String,
    /// The whole text; absent where it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The version that is shown, from 1.
    pub version: u64,
    /// Every version, oldest first.
    pub versions: Vec<WrittenDocument>,
}

/// Who wrote or removed a version of a document, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenDocument {
    /// Which, from 1.
    pub version: u64,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// SHA-256 of the text; absent where it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Every policy document that the authority keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyDocuments {
    /// The newest version of each that rules, by name.
    pub documents: BTreeMap<String, WrittenDocument>,
}

/// What another system has told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signal {
    /// What rules read under `signals.NAME`.
    pub value: Value,
    /// When it was told.
    pub at: String,
    /// By whom.
    pub by: String,
}

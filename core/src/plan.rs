//! What a Terraform plan does: facts and changes.

use std::collections::BTreeSet;

/// A plan that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Each change.
    pub changes: Vec<Change>,
    /// What they add up to.
    pub facts: Facts,
}

/// What a plan's changes add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[expect(missing_docs, reason = "stub")]
pub struct Facts {
    pub creates: u64, pub updates: u64, pub deletes: u64, pub replaces: u64, pub reads: u64,
    pub imports: u64, pub moves: u64, pub forgets: u64, pub drifts: u64, pub deferred: u64,
    pub outputs: u64, pub change_count: u64,
    pub types: BTreeSet<String>, pub providers: BTreeSet<String>, pub actions: BTreeSet<String>,
    pub tags_only: Option<bool>, pub touches_iam: Option<bool>, pub public_exposure: Option<bool>,
    pub provisioners: Option<bool>, pub complete: Option<bool>, pub applyable: Option<bool>, pub errored: Option<bool>,
    pub terraform_version: Option<String>, pub format_version: String,
}

/// One change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "stub")]
pub struct Change {
    pub address: String, pub module: Option<String>, pub mode: String, pub type_name: String,
    pub name: String, pub provider: Option<String>, pub actions: Vec<String>,
    pub paths: Vec<String>, pub replace_reasons: Vec<String>, pub previous_address: Option<String>,
    pub importing: bool, pub deferred: Option<String>, pub tags_only: Option<bool>,
    pub touches_iam: Option<bool>, pub public_exposure: Option<bool>,
}

//! What is found of a repository at GitHub by whoever looks whether its deployments are held up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found of a repository and its environments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GithubCheckup {
    /// `OWNER/REPO`, as it was asked for.
    pub repository: String,
    /// The environments that were looked at.
    pub environments: Vec<String>,
    /// Everything that was found, first of the repository, then of each environment.
    pub findings: Vec<GithubFinding>,
}

/// One thing that is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GithubFinding {
    /// Of what it is: `rule`, `admin_bypass`, `branches` and others.
    pub about: String,
    /// In which environment; nothing where it is of the whole repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What follows.
    pub verdict: GithubVerdict,
    /// What is so.
    pub found: String,
    /// What can happen because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weakens: Option<String>,
    /// What to do, by the names that things have where it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What follows from something that is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GithubVerdict {
    /// It is as it should be.
    Good,
    /// It weakens nothing, and is worth knowing.
    Note,
    /// It weakens what holds deployments up.
    Weakens,
    /// It could not be found out.
    Unknown,
}

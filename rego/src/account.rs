//! What there is to tell about one answer, for those who want to know why.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which lines of a module were reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The module's name.
    pub file: String,
    /// Lines that were evaluated.
    pub covered: BTreeSet<u32>,
    /// Lines that could have been and were not: a condition before them did not hold.
    pub not_covered: BTreeSet<u32>,
}

impl Coverage {
    pub(crate) fn of(file: regorus::coverage::File) -> Self {
        let regorus::coverage::File { path, covered, not_covered, .. } = file;
        Self { file: path, covered, not_covered }
    }
}

/// How an opinion came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// What the policy printed, each as `file:line: text`.
    pub prints: Vec<String>,
    /// What was reached, per module. Empty unless it was asked for.
    pub coverage: Vec<Coverage>,
    /// Each rule that was read, with what it evaluated to.
    pub outcomes: Vec<String>,
    /// How long the answer took, the way to the worker and back included.
    pub took: Duration,
}

//! Risk: weighted factors that add up to a score a rule can test.

use std::fmt;

use crate::policy::condition::{self, Condition, Truth};
use crate::policy::situation::Facts;

/// One thing that makes an intent riskier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    pub(crate) id: String,
    pub(crate) weight: u32,
    pub(crate) when: Vec<Condition>,
}

impl Factor {
    pub(crate) fn truth(&self, facts: &Facts<'_>) -> Truth {
        condition::all(&self.when, facts)
    }
}

/// The sum of the weights of the factors that hold. As long as a factor cannot be settled it is not
/// one number: a test of it is then true or false only if every number it can be agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// If nothing that cannot be settled holds.
    pub least: u32,
    /// If everything that cannot be settled holds.
    pub most: u32,
}

impl Score {
    pub(crate) const ZERO: Self = Self { least: 0, most: 0 };
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            return self.least.fmt(f);
        }
        write!(f, "{} to {}", self.least, self.most)
    }
}

//! A policy as a Rego module that rules the same.
//!
//! Each condition becomes two rules, one for "true" and one for "false", and unknown is neither: so
//! nothing in the module negates what may be undefined, where engines of Rego disagree. The module
//! is of the language's version 1, asks nobody, reads no clock and sees only what [`input`] writes.
//!
//! It is exact but for what lies with the engine: its time zone database where that differs from
//! ours, times before 1678 and after 2261, which engines cannot tell in a zone, and globs of more
//! than a hundred `?`, whose regular expressions some refuse as too large. An engine must be asked
//! with strict errors, so that the last two end in no ruling rather than in another one. A stage that
//! another organisation reviews ends in a refusal: an engine asks nobody there.

mod conditions;
mod input;
mod literal;
mod records;

use crate::policy::Policy;
use crate::policy::export::conditions::Conditions;
pub use crate::policy::export::input::{input, plan_json};

/// The rule that holds the ruling.
pub const QUERY: &str = "data.assent.ruling";

/// What every module begins with: how attributes are read that are not plain in the input, and how
/// what the rules said becomes one ruling.
const FIXED: &str = include_str!("export/fixed.rego");

impl Policy {
    /// The module. Its ruling is an object of `ruling`, `rules`, `reasons`, `stages`, `max_ttl` and
    /// so on; durations are in seconds.
    pub fn to_rego(&self) -> String {
        let mut conditions = Conditions::default();
        for rule in &self.rules {
            conditions.settle(&rule.id, &rule.when, ("settled", "refuted"));
        }
        for factor in &self.factors {
            conditions.settle(&factor.id, &factor.when, ("factor_holds", "factor_fails"));
        }
        let (conditions, calendars) = conditions.written();
        let records = records::of(self, &calendars);
        // The one character that a raw string cannot hold stands only inside JSON's own strings.
        let records = literal::wrapped(&records).replace('`', r"\u0060");
        let revision = self.revision;
        format!(
            "# The policy of revision {revision}, by `assent policy export --rego`.\n\
             {FIXED}\n\
             # What the documents say, but for conditions.\n\
             policy := json.unmarshal(`{records}`)\n\n\
             # The conditions: t… holds where one is true, f… where it is false, neither where it\n\
             # cannot be known.\n\n\
             {conditions}"
        )
    }
}

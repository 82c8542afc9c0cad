//! The report as JSON.

use assent_client::wire;
use assent_core::policy::cases::Difference;
use assent_core::policy::coverage::{ConditionCoverage, Coverage, Seen};
use serde::Serialize;

use crate::commands::policy::test::cases::{Finished, Results};

/// What became of all cases.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    cases: Vec<CaseReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<CoverageReport>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    name: String,
    file: String,
    line: usize,
    passed: bool,
    ruling: wire::Ruling,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<DifferenceReport>,
    /// The rules whose engine would have had to be asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unasked: Vec<String>,
    /// What became of the rules that matter, where it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<wire::Account>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    risk: Vec<wire::FactorAccount>,
}

#[derive(Debug, Serialize)]
struct DifferenceReport {
    what: String,
    expected: String,
    found: String,
}

#[derive(Debug, Serialize)]
struct CoverageReport {
    percent: u8,
    reached: usize,
    of: usize,
    rules: Vec<RuleReport>,
}

#[derive(Debug, Serialize)]
struct RuleReport {
    rule: String,
    effect: &'static str,
    matched: u64,
    not_matched: u64,
    unknown: u64,
    conditions: Vec<ConditionReport>,
}

#[derive(Debug, Serialize)]
struct ConditionReport {
    demand: String,
    #[serde(rename = "true")]
    held: u64,
    #[serde(rename = "false")]
    failed: u64,
    unknown: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    within: Vec<ConditionReport>,
}

impl Report {
    pub(super) fn of(results: &Results, coverage: Option<&Coverage>) -> Self {
        let cases: Vec<_> = results.all().map(CaseReport::from).collect();
        let passed = cases.iter().filter(|case| case.passed).count();
        let failed = cases.len() - passed;
        Self { passed, failed, cases, coverage: coverage.map(CoverageReport::from) }
    }
}

impl From<&Finished> for CaseReport {
    fn from(finished: &Finished) -> Self {
        let Finished { case, outcome, accounts, risk } = finished;
        let factors = risk.iter().flat_map(|risk| &risk.factors);
        Self {
            name: case.name.clone(),
            file: case.place.file.clone(),
            line: case.place.line,
            passed: outcome.passed(),
            ruling: (&outcome.ruling).into(),
            differences: outcome.differences.iter().map(DifferenceReport::from).collect(),
            unasked: outcome.unasked.clone(),
            rules: accounts.iter().map(wire::Account::from).collect(),
            risk: factors.map(wire::FactorAccount::from).collect(),
        }
    }
}

impl From<&Difference> for DifferenceReport {
    fn from(difference: &Difference) -> Self {
        let Difference { what, expected, actual } = difference.clone();
        Self { what, expected, found: actual }
    }
}

impl From<&Coverage> for CoverageReport {
    fn from(coverage: &Coverage) -> Self {
        let (reached, of) = coverage.reached();
        let rules = coverage.rules.iter().map(|rule| {
            let Seen { held, failed, unknown } = rule.seen;
            RuleReport {
                rule: rule.rule.clone(),
                effect: rule.effect,
                matched: held,
                not_matched: failed,
                unknown,
                conditions: rule.conditions.iter().map(ConditionReport::from).collect(),
            }
        });
        Self { percent: coverage.percent(), reached, of, rules: rules.collect() }
    }
}

impl From<&ConditionCoverage> for ConditionReport {
    fn from(condition: &ConditionCoverage) -> Self {
        let Seen { held, failed, unknown } = condition.seen;
        Self {
            demand: condition.demand.clone(),
            held,
            failed,
            unknown,
            within: condition.within.iter().map(Self::from).collect(),
        }
    }
}

//! What became of the cases.

use std::collections::BTreeMap;

use assent_core::policy::Policy;
use assent_core::policy::cases::{Case, Engines, Outcome};
use assent_core::policy::coverage::Coverage;
use assent_core::policy::explanation::{Account, RiskAccount};

/// All cases that ran, by file, and what they covered.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) files: BTreeMap<String, Vec<Finished>>,
    pub(super) coverage: Coverage,
}

/// A case that ran.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) case: Case,
    pub(super) outcome: Outcome,
    /// What became of the rules that matter, where it failed.
    pub(super) accounts: Vec<Account>,
    pub(super) risk: Option<RiskAccount>,
}

impl Results {
    pub(super) fn of(
        cases: impl Iterator<Item = Case>,
        policy: &Policy,
        engines: &Engines<'_>,
    ) -> Self {
        let mut coverage = Coverage::of(policy);
        let mut files: BTreeMap<String, Vec<Finished>> = BTreeMap::new();
        for case in cases {
            let outcome = case.run(policy, engines);
            coverage.see(policy, &case.situation(&outcome.known));
            let (accounts, risk) = match outcome.passed() {
                true => (Vec::new(), None),
                false => (case.accounts(policy, &outcome), case.risk(policy, &outcome)),
            };
            let finished = Finished { case, outcome, accounts, risk };
            files.entry(finished.case.place.file.clone()).or_default().push(finished);
        }
        Self { files, coverage }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Finished> {
        self.files.values().flatten()
    }

    pub(super) fn failed(&self) -> impl Iterator<Item = &Finished> {
        self.all().filter(|finished| !finished.outcome.passed())
    }

    pub(super) fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Finished {
    /// What is to be said where its engines were not asked.
    pub(super) fn needs(&self) -> Option<String> {
        let rules = &self.outcome.unasked;
        let needs = "say under `answers` what it answers";
        (!rules.is_empty()).then(|| format!("needs the engine of {}; {needs}", rules.join(", ")))
    }
}

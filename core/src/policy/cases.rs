//! Test cases: a situation told in a document, and the ruling that must follow.
//!
//! A case stands under `tests` of a policy document or of a `*_test.yaml` beside it. It is read as
//! strictly as the policy itself: a case that says something that cannot be is a fault, never a
//! case that passes. What is not stated is not known, except for what every intent has.

mod expect;
pub(crate) mod given;
mod merge;
mod plan;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::intent::Intent;
use crate::policy::Policy;
use crate::policy::ask::Ask;
use crate::policy::cases::expect::Expect;
use crate::policy::condition::Truth;
use crate::policy::document::{Fault, Place, PolicyDocument};
use crate::policy::explanation::{Account, RiskAccount};
use crate::policy::opinion::Opinion;
use crate::policy::ruling::Ruling;
use crate::policy::situation::{Known, Situation};
use crate::principal::Principal;
use crate::time::Timestamp;

/// The bytes of a plan that a case names, by the file's path: that of its document's directory and
/// what the case says; or why there are none.
pub type Plans<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

/// What the engine of an `ask` rule says of a question; `None` where there is none to ask.
pub type Engines<'a> = dyn Fn(&Question<'_>) -> Option<Opinion> + 'a;

/// The keys of test cases, each with what the JSON Schema calls such a map.
#[cfg(test)]
pub(super) fn tables() -> [(&'static str, &'static crate::policy::document::keys::Keys); 10] {
    [
        ("policy-test", &read::DOCUMENT),
        ("case", &read::CASE),
        ("given", &given::GIVEN),
        ("given-intent", &given::INTENT),
        ("given-requester", &given::REQUESTER),
        ("given-network", &given::NETWORK),
        ("answer", &given::ANSWER),
        ("given-plan", &plan::FACTS),
        ("given-change", &plan::CHANGE),
        ("expect", &expect::EXPECT),
    ]
}

/// What an engine is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Which engine, with what.
    pub ask: &'a Ask,
    /// The situation that it is asked about.
    pub situation: Situation<'a>,
    /// The plan as it was read, where the case names a file.
    pub plan: Option<&'a [u8]>,
}

/// A situation and what must follow from it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows, in the words of a person.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    intent: Intent,
    requester: Principal,
    known: Known,
    now: Timestamp,
    plan: Option<Vec<u8>>,
    expect: Expect,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What policy said.
    pub ruling: Ruling,
    /// Where that is not what was expected.
    pub differences: Vec<Difference>,
    /// The rules whose engine would have had to be asked, and was not: such a case fails, whatever
    /// was expected.
    pub unasked: Vec<String>,
    /// What was known in the end, with what the engines said.
    pub known: Known,
}

/// One thing that came out otherwise than was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key under `expect`.
    pub what: String,
    /// What the case says.
    pub expected: String,
    /// What policy says.
    pub actual: String,
}

impl Outcome {
    /// Whether everything is as expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty() && self.unasked.is_empty()
    }
}

impl Case {
    /// Reads the cases of all documents, in order of place.
    ///
    /// # Errors
    /// Every [`Fault`] in any of them.
    pub fn read(
        files: &[PolicyDocument],
        policy: &Policy,
        plans: &Plans<'_>,
    ) -> Result<Vec<Self>, Vec<Fault>> {
        read::cases(files, policy, plans)
    }

    /// Rules on the case and compares.
    pub fn run(&self, policy: &Policy, engines: &Engines<'_>) -> Outcome {
        let mut known = self.known.clone();
        let mut unasked = Vec::new();
        for ask in policy.asks(&self.situation(&self.known)) {
            if known.opinions.contains_key(&ask.rule) {
                continue;
            }
            let situation = self.situation(&self.known);
            let question = Question { ask, situation, plan: self.plan.as_deref() };
            match engines(&question) {
                Some(opinion) => drop(known.opinions.insert(ask.rule.clone(), opinion)),
                None => unasked.push(ask.rule.clone()),
            }
        }
        let ruling = policy.rule(&self.situation(&known));
        let differences = match unasked.is_empty() {
            true => self.expect.differences(&ruling),
            false => Vec::new(),
        };
        Outcome { ruling, differences, unasked, known }
    }

    /// The situation that the case tells, where this much is known.
    pub fn situation<'a>(&'a self, known: &'a Known) -> Situation<'a> {
        Situation { intent: &self.intent, requester: &self.requester, known, now: self.now }
    }

    /// What became of the rules that matter for this outcome: those that were expected and did not
    /// speak, and those that spoke and were not expected; else all that spoke; else, where none
    /// did, those that could have allowed it.
    pub fn accounts(&self, policy: &Policy, outcome: &Outcome) -> Vec<Account> {
        let all = policy.explain(&self.situation(&outcome.known)).rules;
        let spoke: BTreeSet<&str> = outcome.ruling.rules.iter().map(|rule| bare(rule)).collect();
        let mut matter: BTreeSet<&str> = outcome.unasked.iter().map(String::as_str).collect();
        if let Some(expected) = self.expect.rules() {
            let expected = expected.iter().map(|rule| bare(rule)).collect();
            matter.extend(spoke.symmetric_difference(&expected));
        }
        let is_any = |pick: &dyn Fn(&Account) -> bool| all.iter().any(pick);
        let named = |account: &Account| matter.contains(account.rule.as_str());
        let speaks = |account: &Account| account.truth != Truth::False;
        if is_any(&named) {
            return all.into_iter().filter(named).collect();
        }
        if is_any(&speaks) {
            return all.into_iter().filter(speaks).collect();
        }
        all.into_iter().filter(|account| account.effect == "allow").collect()
    }

    /// How the risk score came about, where the case expects one.
    pub fn risk(&self, policy: &Policy, outcome: &Outcome) -> Option<RiskAccount> {
        let expected = self.expect.expects_risk();
        expected.then(|| policy.explain(&self.situation(&outcome.known)).risk).flatten()
    }
}

/// The rule of a name in a ruling, without what a ruling puts before it.
fn bare(rule: &str) -> &str {
    let known = ["indeterminate:", "error:"];
    known.iter().find_map(|prefix| rule.strip_prefix(prefix)).unwrap_or(rule)
}

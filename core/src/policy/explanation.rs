//! What became of every rule, and by which condition.

use std::collections::BTreeSet;

use crate::policy::attribute::{Element, Reading};
use crate::policy::condition::{self, Condition, Test, Truth};
use crate::policy::opinion::Opinion;
use crate::policy::risk::Score;
use crate::policy::situation::{Facts, Situation};
use crate::policy::{Effect, Policy, Rule};

/// The most elements of a list that are told one by one.
const MOST_ELEMENTS: usize = 20;

/// What became of every rule and every risk factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Each rule, in order of id.
    pub rules: Vec<Account>,
    /// The score and its factors, where the policy has any.
    pub risk: Option<RiskAccount>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// `deny`, `require`, `allow` or `ask`.
    pub effect: &'static str,
    /// Whether its conditions hold.
    pub truth: Truth,
    /// Whether a matching allow waives it.
    pub waived: bool,
    /// Whether a missed later review keeps it from matching.
    pub suspended: bool,
    /// What its engine said, for an `ask` that was asked.
    pub opinion: Option<Opinion>,
    /// Each condition.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionAccount {
    /// `intent.kind one of [terraform.apply]`.
    pub demand: String,
    /// `` `helm.upgrade` ``, or `absent`; empty where only the conditions within look at something.
    pub found: String,
    /// Whether it holds.
    pub truth: Truth,
    /// Whether the rule came out as it did because of this one: the first that is false where one
    /// false settles it, all that are unknown where they leave it open, all where all must hold.
    pub decides: bool,
    /// The conditions it is made of: of `not`, `any`, `all`, and of each element of a list.
    pub within: Vec<ConditionAccount>,
    /// How those within count together.
    joined: Joined,
}

/// How conditions count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joined {
    All,
    Any,
}

/// How the risk score came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskAccount {
    /// The sum.
    pub score: Score,
    /// Each factor.
    pub factors: Vec<FactorAccount>,
}

/// What became of one risk factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorAccount {
    /// The factor.
    pub factor: String,
    /// What it adds if it holds.
    pub weight: u32,
    /// Whether it holds.
    pub truth: Truth,
    /// Each of its conditions.
    pub conditions: Vec<ConditionAccount>,
}

impl Policy {
    /// What became of every rule in this situation, and why.
    pub fn explain(&self, situation: &Situation<'_>) -> Explanation {
        self.explanation(situation, self.rules.iter())
    }

    /// What became of those rules that are not for another kind, environment or target: few, however
    /// many there are.
    pub fn explain_near(&self, situation: &Situation<'_>) -> Explanation {
        let near: BTreeSet<usize> = self.index.candidates(situation.intent).collect();
        self.explanation(situation, near.into_iter().filter_map(|at| self.rules.get(at)))
    }

    fn explanation<'p>(
        &'p self,
        situation: &Situation<'_>,
        rules: impl Iterator<Item = &'p Rule>,
    ) -> Explanation {
        let facts = self.facts(situation);
        let waived = self.waived(&facts);
        let account = |rule: &Rule| {
            let truth = condition::all(&rule.when, &facts);
            // A deny that cannot be settled refuses, whoever waives it.
            let stands = matches!(rule.effect, Effect::Deny { .. }) && truth == Truth::Unknown;
            Account {
                rule: rule.id.clone(),
                effect: rule.effect.word(),
                truth,
                waived: waived.contains(rule.id.as_str()) && !stands,
                suspended: situation.known.suspended.contains(&rule.id),
                opinion: situation.known.opinions.get(&rule.id).cloned(),
                conditions: marked(accounts(&rule.when, &facts, None)),
            }
        };
        let risk = (!self.factors.is_empty()).then(|| RiskAccount {
            score: facts.score(),
            factors: self
                .factors
                .iter()
                .map(|factor| FactorAccount {
                    factor: factor.id.clone(),
                    weight: factor.weight,
                    truth: factor.truth(&facts),
                    conditions: marked(accounts(&factor.when, &facts, None)),
                })
                .collect(),
        });
        Explanation { rules: rules.map(account).collect(), risk }
    }

    fn waived<'p>(&'p self, facts: &Facts<'_>) -> BTreeSet<&'p str> {
        let approves = |rule: &str| {
            matches!(
                facts.situation.known.opinions.get(rule),
                Some(Opinion::Answered { allows: true, .. })
            )
        };
        let holds = |rule: &&Rule| condition::all(&rule.when, facts) == Truth::True;
        let waives = |rule: &'p Rule| -> Vec<&'p str> {
            match &rule.effect {
                Effect::Allow { waives, .. }
                    if !facts.situation.known.suspended.contains(&rule.id) =>
                {
                    waives.iter().map(String::as_str).collect()
                }
                Effect::Ask(asking) if approves(&rule.id) => {
                    asking.waives.iter().map(String::as_str).collect()
                }
                Effect::Deny { .. }
                | Effect::Require(_)
                | Effect::Allow { .. }
                | Effect::Ask(_) => Vec::new(),
            }
        };
        let mut all = BTreeSet::new();
        for rule in self.rules.iter().filter(holds) {
            all.extend(waives(rule));
        }
        all
    }
}

/// The same, with what decides marked.
fn marked(mut accounts: Vec<ConditionAccount>) -> Vec<ConditionAccount> {
    mark(&mut accounts, Joined::All);
    accounts
}

fn mark(accounts: &mut [ConditionAccount], joined: Joined) {
    // One of these settles the whole, whatever the others are.
    let settling = match joined {
        Joined::All => Truth::False,
        Joined::Any => Truth::True,
    };
    let first = accounts.iter().position(|account| account.truth == settling);
    let open = accounts.iter().any(|account| account.truth == Truth::Unknown);
    for (at, account) in accounts.iter_mut().enumerate() {
        account.decides = match first {
            Some(first) => at == first,
            None => !open || account.truth == Truth::Unknown,
        };
        if account.decides {
            mark(&mut account.within, account.joined);
        }
    }
}

fn accounts(
    conditions: &[Condition],
    facts: &Facts<'_>,
    element: Option<Element<'_>>,
) -> Vec<ConditionAccount> {
    conditions.iter().map(|condition| account(condition, facts, element)).collect()
}

fn account(
    condition: &Condition,
    facts: &Facts<'_>,
    element: Option<Element<'_>>,
) -> ConditionAccount {
    let branches = |word: &str, branches: &[Vec<Condition>]| {
        let each = branches.iter().map(|branch| group(word, branch, facts, element)).collect();
        (String::new(), each)
    };
    let (found, within) = match condition {
        Condition::Test { attribute, test } => {
            let found = attribute.read(facts, element);
            let within = of_elements(test, &found, facts);
            (found.to_string(), within)
        }
        Condition::Not(inner) => (String::new(), accounts(inner, facts, element)),
        Condition::Any(inner) => branches("either", inner),
        Condition::All(inner) => branches("also", inner),
    };
    let demand = match condition {
        Condition::Test { .. } => condition.to_string(),
        Condition::Not(_) => "not all of".to_owned(),
        Condition::Any(_) => "any of".to_owned(),
        Condition::All(_) => "all of".to_owned(),
    };
    let joined = match condition {
        Condition::Any(_) | Condition::Test { test: Test::Some(_), .. } => Joined::Any,
        Condition::All(_) | Condition::Not(_) | Condition::Test { .. } => Joined::All,
    };
    let truth = condition.truth(facts, element);
    ConditionAccount { demand, found, truth, decides: false, within, joined }
}

/// Conditions that stand together in one branch.
fn group(
    word: &str,
    branch: &[Condition],
    facts: &Facts<'_>,
    element: Option<Element<'_>>,
) -> ConditionAccount {
    let within = accounts(branch, facts, element);
    let truth = within.iter().fold(Truth::True, |truth, one| truth.and(one.truth));
    let (demand, found) = (word.to_owned(), String::new());
    ConditionAccount { demand, found, truth, decides: false, within, joined: Joined::All }
}

/// Each element of a list that `some` or `every` looks at.
fn of_elements(test: &Test, found: &Reading<'_>, facts: &Facts<'_>) -> Vec<ConditionAccount> {
    let (Test::Some(inner) | Test::Every(inner), Reading::List(list)) = (test, found) else {
        return Vec::new();
    };
    let each = |element: Element<'_>| {
        let within = accounts(inner, facts, Some(element));
        let truth = within.iter().fold(Truth::True, |truth, one| truth.and(one.truth));
        let demand = match element {
            Element::Change(change) => change.address.clone(),
            Element::Text(text) => text.to_owned(),
            Element::Json(_) => "element".to_owned(),
        };
        let (found, joined) = (String::new(), Joined::All);
        ConditionAccount { demand, found, truth, decides: false, within, joined }
    };
    list.elements().take(MOST_ELEMENTS).map(each).collect()
}

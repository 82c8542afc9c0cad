//! Which rules and conditions a set of situations has seen true, false and unknown.
//!
//! A rule is covered when it matched once; a condition, at whatever depth, when it was seen true
//! once and false once. Conditions are looked at each by itself: that an earlier one settled the
//! rule does not hide the later ones.

use crate::policy::Policy;
use crate::policy::attribute::{Attribute, Element, List, Reading};
use crate::policy::condition::{Condition, Test, Truth};
use crate::policy::situation::{Facts, Situation};

/// What was seen of every rule and risk factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Each rule in order of id, then each risk factor.
    pub rules: Vec<RuleCoverage>,
}

/// What was seen of one rule or risk factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleCoverage {
    /// The rule, or the factor.
    pub rule: String,
    /// `deny`, `require`, `allow`, `ask`, or `risk` for a factor.
    pub effect: &'static str,
    /// How often it matched, did not, and could not be settled.
    pub seen: Seen,
    /// Each of its conditions.
    pub conditions: Vec<ConditionCoverage>,
}

/// What was seen of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionCoverage {
    /// `intent.kind one of [terraform.apply]`.
    pub demand: String,
    /// What it was.
    pub seen: Seen,
    /// The conditions it is made of. Those of a list's elements are seen once for each element.
    pub within: Vec<ConditionCoverage>,
}

/// How often something was true, false and unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// It held.
    pub held: u64,
    /// It did not hold.
    pub failed: u64,
    /// It could not be settled.
    pub unknown: u64,
}

/// Something that was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The rule or factor.
    pub rule: String,
    /// The condition of it; `None` for the rule itself.
    pub condition: Option<String>,
    /// `never true`, `never false`, `never matched`.
    pub what: &'static str,
}

impl Seen {
    fn add(&mut self, truth: Truth) {
        let count = match truth {
            Truth::True => &mut self.held,
            Truth::False => &mut self.failed,
            Truth::Unknown => &mut self.unknown,
        };
        *count = count.saturating_add(1);
    }
}

impl Coverage {
    /// Nothing seen yet of this policy.
    pub fn of(policy: &Policy) -> Self {
        let rules = policy.rules.iter().map(|rule| RuleCoverage {
            rule: rule.id.clone(),
            effect: rule.effect.word(),
            seen: Seen::default(),
            conditions: rule.when.iter().map(ConditionCoverage::of).collect(),
        });
        let factors = policy.factors.iter().map(|factor| RuleCoverage {
            rule: factor.id.clone(),
            effect: "risk",
            seen: Seen::default(),
            conditions: factor.when.iter().map(ConditionCoverage::of).collect(),
        });
        Self { rules: rules.chain(factors).collect() }
    }

    /// Looks at every condition of the policy in this situation.
    pub fn see(&mut self, policy: &Policy, situation: &Situation<'_>) {
        let facts = policy.facts(situation);
        let rules = policy.rules.iter().map(|rule| &rule.when);
        let whens = rules.chain(policy.factors.iter().map(|factor| &factor.when));
        for (covered, when) in self.rules.iter_mut().zip(whens) {
            let truth = see_all(&mut covered.conditions, when, &facts, None);
            covered.seen.add(truth);
        }
    }

    /// How much of what there is to be seen was seen, and how much there is: each rule matching,
    /// each condition true, each condition false.
    pub fn reached(&self) -> (usize, usize) {
        let mut reached = (0, 0);
        let mut count = |seen: bool| {
            reached.0 += usize::from(seen);
            reached.1 += 1;
        };
        for rule in &self.rules {
            count(rule.seen.held > 0);
            each(&rule.conditions, &mut |condition| {
                count(condition.seen.held > 0);
                count(condition.seen.failed > 0);
            });
        }
        reached
    }

    /// The same in percent, rounded down; a policy without rules is covered.
    pub fn percent(&self) -> u8 {
        let (reached, all) = self.reached();
        let percent = (reached * 100).checked_div(all).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }

    /// Everything that was not seen.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for rule in &self.rules {
            let mut gap = |condition: Option<&str>, what| {
                let condition = condition.map(str::to_owned);
                gaps.push(Gap { rule: rule.rule.clone(), condition, what });
            };
            if rule.seen.held == 0 {
                gap(None, "never matched");
            }
            each(&rule.conditions, &mut |condition| {
                if condition.seen.held == 0 {
                    gap(Some(&condition.demand), "never true");
                }
                if condition.seen.failed == 0 {
                    gap(Some(&condition.demand), "never false");
                }
            });
        }
        gaps
    }
}

impl RuleCoverage {
    /// How many conditions it has, at whatever depth, and how many were seen true and false.
    pub fn conditions_covered(&self) -> (usize, usize) {
        let mut covered = (0, 0);
        each(&self.conditions, &mut |condition| {
            covered.0 += usize::from(condition.seen.held > 0 && condition.seen.failed > 0);
            covered.1 += 1;
        });
        covered
    }
}

fn each(conditions: &[ConditionCoverage], see: &mut impl FnMut(&ConditionCoverage)) {
    for condition in conditions {
        see(condition);
        each(&condition.within, see);
    }
}

impl ConditionCoverage {
    fn of(condition: &Condition) -> Self {
        let within = match condition {
            Condition::Test { attribute, test } => Self::of_parts(attribute, test),
            Condition::Not(inner) => inner.iter().map(Self::of).collect(),
            Condition::Any(branches) | Condition::All(branches) => {
                branches.iter().flatten().map(Self::of).collect()
            }
        };
        Self { demand: condition.to_string(), seen: Seen::default(), within }
    }

    /// The tests of which one is made: of the same attribute, or of a list's elements.
    fn of_parts(attribute: &Attribute, test: &Test) -> Vec<Self> {
        let part = |test: &Test| Self {
            demand: format!("{attribute} {test}"),
            seen: Seen::default(),
            within: Self::of_parts(attribute, test),
        };
        match test.of_elements() {
            Some(inner) => inner.iter().map(Self::of).collect(),
            None => test.parts().iter().map(part).collect(),
        }
    }

    fn see(
        &mut self,
        condition: &Condition,
        facts: &Facts<'_>,
        element: Option<Element<'_>>,
    ) -> Truth {
        let truth = condition.truth(facts, element);
        self.seen.add(truth);
        match condition {
            Condition::Test { attribute, test } => {
                let found = attribute.read(facts, element);
                self.see_parts(test, &found, facts, element);
            }
            Condition::Not(inner) => drop(see_all(&mut self.within, inner, facts, element)),
            Condition::Any(branches) | Condition::All(branches) => {
                let conditions = branches.iter().flatten();
                for (covered, condition) in self.within.iter_mut().zip(conditions) {
                    covered.see(condition, facts, element);
                }
            }
        }
        truth
    }

    fn see_parts(
        &mut self,
        test: &Test,
        found: &Reading<'_>,
        facts: &Facts<'_>,
        element: Option<Element<'_>>,
    ) {
        if let Some(inner) = test.of_elements() {
            if let Reading::List(list) = found {
                self.see_elements(inner, *list, facts);
            }
            return;
        }
        for (covered, test) in self.within.iter_mut().zip(test.parts()) {
            covered.seen.add(test.truth(found, facts, element));
            covered.see_parts(test, found, facts, element);
        }
    }

    fn see_elements(&mut self, inner: &[Condition], list: List<'_>, facts: &Facts<'_>) {
        for element in list.elements() {
            see_all(&mut self.within, inner, facts, Some(element));
        }
    }
}

/// What all of these are together, each seen.
fn see_all(
    covered: &mut [ConditionCoverage],
    conditions: &[Condition],
    facts: &Facts<'_>,
    element: Option<Element<'_>>,
) -> Truth {
    let mut truth = Truth::True;
    for (covered, condition) in covered.iter_mut().zip(conditions) {
        truth = truth.and(covered.see(condition, facts, element));
    }
    truth
}

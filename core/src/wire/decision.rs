//! A dry run: what policy would say, and what became of each rule, risk factor and condition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy;
use crate::policy::condition::Truth;
use crate::policy::explanation;
use crate::policy::situation::Situation;
use crate::wire::{Opinion, Ruling};

/// A dry run: what policy would say, and why. Nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The intent's own digest.
    pub digest: String,
    /// What policy says.
    pub ruling: Ruling,
    /// What became of each rule; over HTTP, of each that is not for another kind, environment or
    /// target.
    pub explanation: Vec<Account>,
    /// How the risk score came about, where the policy has factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk: Vec<FactorAccount>,
}

/// What became of one risk factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactorAccount {
    /// The factor.
    pub factor: String,
    /// What it adds if it holds.
    pub weight: u32,
    /// `true`, `false` or `unknown`.
    pub result: String,
    /// Each condition.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// Where it stands: `policy/prod.yaml:12:5`, or `api:/freeze.yaml:3:5` for what came over the
    /// API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// `deny`, `require` or `allow`.
    pub effect: String,
    /// `matched`, `not matched` or `indeterminate`.
    pub result: String,
    /// Whether a matching allow waives it.
    pub waived: bool,
    /// Whether a missed later review keeps it from matching.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What its engine said, for an `ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// Each condition.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionAccount {
    /// What it demands.
    pub demand: String,
    /// What was found.
    pub found: String,
    /// `true`, `false` or `unknown`.
    pub result: String,
    /// Whether the rule came out as it did because of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decides: bool,
    /// The conditions it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<ConditionAccount>,
}

impl From<&explanation::ConditionAccount> for ConditionAccount {
    fn from(account: &explanation::ConditionAccount) -> Self {
        Self {
            demand: account.demand.clone(),
            found: account.found.clone(),
            result: truth_word(account.truth).to_owned(),
            decides: account.decides,
            within: account.within.iter().map(Self::from).collect(),
        }
    }
}

fn truth_word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}

impl From<&explanation::Account> for Account {
    fn from(account: &explanation::Account) -> Self {
        Self {
            rule: account.rule.clone(),
            place: None,
            effect: account.effect.to_owned(),
            result: match account.truth {
                Truth::True => "matched",
                Truth::False => "not matched",
                Truth::Unknown => "indeterminate",
            }
            .to_owned(),
            waived: account.waived,
            suspended: account.suspended,
            opinion: account.opinion.as_ref().map(Opinion::from),
            conditions: account.conditions.iter().map(ConditionAccount::from).collect(),
        }
    }
}

impl From<&explanation::FactorAccount> for FactorAccount {
    fn from(account: &explanation::FactorAccount) -> Self {
        Self {
            factor: account.factor.clone(),
            weight: account.weight,
            result: truth_word(account.truth).to_owned(),
            conditions: account.conditions.iter().map(ConditionAccount::from).collect(),
        }
    }
}

impl Decision {
    /// What policy says of this situation, and why.
    pub fn of(policy: &policy::Policy, situation: &Situation<'_>) -> Self {
        Self::explained(policy, situation, policy.explain(situation))
    }

    /// The same, without a word on rules for another kind, environment or target.
    pub fn near(policy: &policy::Policy, situation: &Situation<'_>) -> Self {
        Self::explained(policy, situation, policy.explain_near(situation))
    }

    fn explained(
        policy: &policy::Policy,
        situation: &Situation<'_>,
        explanation: explanation::Explanation,
    ) -> Self {
        let risk = explanation.risk.iter().flat_map(|risk| &risk.factors);
        let account = |account: &explanation::Account| Account {
            place: policy.place_of(&account.rule).map(ToString::to_string),
            ..Account::from(account)
        };
        Self {
            digest: situation.intent.digest().to_string(),
            ruling: (&policy.rule(situation)).into(),
            explanation: explanation.rules.iter().map(account).collect(),
            risk: risk.map(FactorAccount::from).collect(),
        }
    }
}

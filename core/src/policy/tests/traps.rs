//! Each trap that a policy language can fall into, by its name: what is easily got wrong, and what
//! a person who writes policies would be surprised by.

mod combining;
mod documents;
mod engines;
mod plans;
mod risk;
mod stages;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::*;
use crate::plan;
use crate::policy::opinion::Opinion;
use crate::policy::situation::{Concerns, KnownPlan, Network};
use crate::time::{Span, Timestamp};

/// What is known, as JSON: `{"now", "kind", "target", "context", "signals", "claims", "ip"}`.
#[derive(Clone, Debug)]
struct Case {
    told: Map<String, Value>,
    plan: Option<(plan::Facts, Option<Vec<plan::Change>>)>,
    opinions: BTreeMap<String, Opinion>,
    suspended: BTreeSet<String>,
}

fn case(told: Value) -> Case {
    let told = told.as_object().unwrap().clone();
    Case { told, plan: None, opinions: BTreeMap::new(), suspended: BTreeSet::new() }
}

impl Case {
    fn with_plan(mut self, facts: plan::Facts, changes: Option<Vec<plan::Change>>) -> Self {
        self.plan = Some((facts, changes));
        self
    }

    fn answered(mut self, rule: &str, opinion: Opinion) -> Self {
        self.opinions.insert(rule.to_owned(), opinion);
        self
    }

    fn text(&self, key: &str, otherwise: &str) -> String {
        self.told.get(key).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
    }

    fn map(&self, key: &str) -> Map<String, Value> {
        self.told.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    fn ruled(&self, policy: &Policy) -> Ruling {
        let target = self.map("target");
        let stated = UnverifiedIntent {
            kind: self.text("kind", "a.b"),
            environment: self.text("environment", "x"),
            target: target
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()))
                .collect(),
            context: self.map("context"),
            reason: self.text("reason", "because"),
            duration: self.told.get("minutes").and_then(Value::as_u64).map(Span::minutes),
            ..UnverifiedIntent::default()
        };
        let requester = Principal {
            id: PrincipalId::local(&self.text("who", "alice")).unwrap(),
            kind: PrincipalKind::Person,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: self.map("claims"),
        };
        let ip = self.told.get("ip").map(|ip| ip.as_str().unwrap().parse().unwrap());
        let plan = self.plan.clone().map(|(facts, changes)| KnownPlan {
            digest: Digest::of(b"plan"),
            facts,
            changes: changes.map(Arc::from),
        });
        let known = Known {
            network: Network { ip, country: None },
            plan,
            signals: self.map("signals"),
            concerns: Concerns::default(),
            suspended: self.suspended.clone(),
            opinions: self.opinions.clone(),
        };
        let now: Timestamp = self.text("now", "2026-11-20T10:00:00Z").parse().unwrap();
        let intent = stated.verify().unwrap();
        policy.rule(&Situation { intent: &intent, requester: &requester, known: &known, now })
    }
}

/// What one test of one attribute comes to: `true` where an allow of it permits, `unknown` where a
/// deny of it cannot be settled.
#[track_caller]
fn truth(when: &str, case: &Case) -> &'static str {
    truth_with("", when, case)
}

#[track_caller]
fn truth_with(sections: &str, when: &str, case: &Case) -> &'static str {
    let text = format!(
        "{HEAD}{sections}rules:\n  - {{id: all, allow: {{}}}}\n  - {{id: d, when: {{{when}}}, deny: {{message: no}}}}\n"
    );
    let ruling = case.ruled(&compiled(&text));
    match ruling.rules.iter().next().unwrap().as_str() {
        "d" => "true",
        "indeterminate:d" => "unknown",
        "all" => "false",
        other => panic!("{other}"),
    }
}

#[track_caller]
fn permits(text: &str, case: &Case) -> bool {
    matches!(case.ruled(&compiled(text)).outcome, Outcome::Permit(_))
}

#[track_caller]
fn ruling(text: &str, case: &Case) -> String {
    said(&case.ruled(&compiled(text)))
}

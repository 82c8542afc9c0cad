//! What is ruled on: an intent and its plan, as they are sent and as they are read.

#[cfg(feature = "peers")]
use anyhow::Context as _;
use anyhow::{Result, anyhow};
use assent_client::wire;
use assent_core::canonical;
use assent_core::digest::Digest;
use assent_core::intent::Intent;
use assent_core::plan::{Limits, Plan};
use assent_core::policy::Policy;
use assent_core::policy::ruling::Ruling;
use assent_core::policy::situation::{Known, KnownPlan, Situation};
use assent_core::principal::{Principal, PrincipalKind};
use assent_core::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::filings::person;

/// When everything is asked.
pub(super) const NOW_MS: i64 = 1_800_000_000_000;

/// What somebody is about to do, in few words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sketch {
    pub(super) kind: &'static str,
    pub(super) environment: &'static str,
    pub(super) repository: &'static str,
    pub(super) service: &'static str,
    pub(super) requester: PrincipalKind,
    pub(super) group: &'static str,
    /// Type, action and how often.
    pub(super) changes: &'static [(&'static str, &'static str, usize)],
}

/// An apply of two changes in production: two people are asked.
pub(super) const SMALL: Sketch = Sketch {
    kind: "terraform.apply",
    environment: "production",
    repository: "example/orders",
    service: "service-500",
    requester: PrincipalKind::Person,
    group: "developers",
    changes: &[("aws_instance", "update", 1), ("aws_sqs_queue", "update", 1)],
};

/// The same with 200 changes.
pub(super) const LARGE: Sketch = Sketch {
    changes: &[("aws_instance", "update", 120), ("aws_sqs_queue", "update", 80)],
    ..SMALL
};

/// One input for each way in which the rules can decide.
#[cfg(any(test, feature = "peers"))]
pub(super) const VARIED: [Sketch; 12] = [
    SMALL,
    LARGE,
    Sketch { environment: "development", ..SMALL },
    Sketch { environment: "staging", ..SMALL },
    Sketch { environment: "staging", changes: &[("aws_db_instance", "update", 1)], ..SMALL },
    Sketch { changes: &[("aws_sqs_queue", "delete", 12)], ..SMALL },
    Sketch { changes: &[("aws_iam_role", "create", 1)], ..SMALL },
    Sketch {
        changes: &[("aws_iam_role", "create", 1)],
        requester: PrincipalKind::Workload,
        ..SMALL
    },
    Sketch { group: "contractors", ..SMALL },
    Sketch { kind: "helm.upgrade", changes: &[], ..SMALL },
    Sketch { kind: "kind-0.deploy", changes: &[], ..SMALL },
    Sketch {
        kind: "dns.change",
        environment: "elsewhere",
        repository: "example/dns-zones",
        group: "network",
        ..SMALL
    },
];

/// An intent and its plan as they were sent, and what was read of them.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) intent_text: Vec<u8>,
    pub(super) plan_text: Vec<u8>,
    pub(super) requester: Principal,
    pub(super) read: Read,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) intent: Intent,
    pub(super) known: Known,
}

impl Input {
    pub(super) fn of(sketch: Sketch) -> Result<Self> {
        let plan_text = serde_json::to_vec(&plan_json(sketch.changes))?;
        let intent_text = serde_json::to_vec(&intent_json(sketch, Digest::of(&plan_text)))?;
        let requester = Principal {
            kind: sketch.requester,
            groups: [sketch.group.to_owned()].into(),
            ..person("alice")?
        };
        let read = read(&intent_text, &plan_text)?;
        Ok(Self { intent_text, plan_text, requester, read })
    }

    /// How long it is, as it was sent.
    pub(super) fn bytes(&self) -> usize {
        self.intent_text.len() + self.plan_text.len()
    }

    /// Rules on it as it was read before.
    pub(super) fn ruling(&self, policy: &Policy) -> Ruling {
        self.ruling_on(policy, &self.read)
    }

    /// Reads it and rules on it.
    pub(super) fn read_and_ruling(&self, policy: &Policy) -> Result<Ruling> {
        Ok(self.ruling_on(policy, &read(&self.intent_text, &self.plan_text)?))
    }

    fn ruling_on(&self, policy: &Policy, read: &Read) -> Ruling {
        let now = Timestamp::from_millis(NOW_MS);
        let (intent, requester, known) = (&read.intent, &self.requester, &read.known);
        policy.rule(&Situation { intent, requester, known, now })
    }

    /// What engines beside ours are given.
    #[cfg(feature = "peers")]
    pub(super) fn json(&self) -> Result<Value> {
        let Principal { id, kind, groups, .. } = &self.requester;
        let kind = if *kind == PrincipalKind::Person { "person" } else { "workload" };
        Ok(json!({
            "intent": self.read.intent.to_json(),
            "requester": {"iss": id.iss(), "sub": id.sub(), "kind": kind, "groups": groups},
            "plan": self.facts()?,
        }))
    }

    /// The facts of the plan, without those that are not known.
    pub(super) fn facts(&self) -> Result<Option<Value>> {
        let Some(plan) = &self.read.known.plan else { return Ok(None) };
        let mut facts = serde_json::to_value(&plan.facts)?;
        if let Some(facts) = facts.as_object_mut() {
            facts.retain(|_, fact| !fact.is_null());
        }
        Ok(Some(facts))
    }

    /// Reads [`Self::json`], as engines beside ours must, and rules on it.
    #[cfg(feature = "peers")]
    pub(super) fn facts_and_ruling(&self, text: &[u8], policy: &Policy) -> Result<Ruling> {
        let mut sent = canonical::parse(text)?;
        let mut take = |name: &str| sent.get_mut(name).map(Value::take).unwrap_or_default();
        let intent: wire::Intent = serde_json::from_value(take("intent"))?;
        let intent = intent.verify().map_err(|faults| anyhow!("{faults:?}"))?;
        let facts = serde_json::from_value(take("plan"))?;
        let digest = intent.plan().context("no plan")?;
        let plan = Some(KnownPlan { digest, facts, changes: None });
        let known = Known { plan, ..Known::default() };
        Ok(self.ruling_on(policy, &Read { intent, known }))
    }
}

/// As the authority reads an intent that is sent, and a plan that is handed in.
fn read(intent: &[u8], plan: &[u8]) -> Result<Read> {
    let intent: wire::Intent = serde_json::from_value(canonical::parse(intent)?)?;
    let intent = intent.verify().map_err(|faults| anyhow!("{faults:?}"))?;
    let known = Known { plan: Some(known_plan(plan)?), ..Known::default() };
    Ok(Read { intent, known })
}

fn known_plan(text: &[u8]) -> Result<KnownPlan> {
    let Plan { digest, facts, changes, .. } = Plan::parse(text, &Limits::default())?;
    Ok(KnownPlan { digest, facts, changes: Some(changes.into()) })
}

fn intent_json(sketch: Sketch, plan: Digest) -> Value {
    json!({
        "kind": sketch.kind,
        "environment": sketch.environment,
        "target": {
            "repository": sketch.repository,
            "workspace": "orders-production",
            "service": sketch.service,
        },
        "plan": plan.to_string(),
        "reason": "Orders are slow since the weekend: larger instances, as agreed in the incident.",
        "context": {
            "ticket": "OPS-4711",
            "commit": "3f7a5d1e0c9b8a7f6e5d4c3b2a190817263544f0",
            "branch": "main",
            "pipeline": {
                "url": "https://ci.example.com/example/orders/runs/81920",
                "started_by": "alice",
                "runner": "runner-eu-west-1c-0042",
                "checks": ["format", "validate", "lint", "test", "cost", "drift"],
            },
            "pull_request": {
                "url": "https://git.example.com/example/orders/pull/1742",
                "title": "Larger instances and a longer queue for the order service",
                "author": "alice",
                "reviewers": ["bob", "carol"],
                "labels": ["capacity", "production", "incident-follow-up"],
                "files": ["modules/orders/instances.tf", "modules/orders/queues.tf"],
            },
            "incident": {"id": "INC-2291", "severity": 2, "commander": "dave"},
        },
        "duration": "15m",
    })
}

/// As `terraform show -json` prints it.
fn plan_json(changes: &[(&str, &str, usize)]) -> Value {
    let each = changes.iter().flat_map(|(kind, action, count)| {
        (0..*count).map(move |number| change_json(kind, action, number))
    });
    let written = changes.iter().map(|(kind, _, _)| {
        json!({
            "address": format!("{kind}.this"),
            "mode": "managed",
            "type": kind,
            "name": "this",
            "provider_config_key": "aws",
        })
    });
    let module = json!({"resources": written.collect::<Vec<_>>()});
    let calls = json!({"orders": {"source": "./modules/orders", "module": module}});
    json!({
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_changes": each.collect::<Vec<_>>(),
        "output_changes": {},
        "configuration": {
            "provider_config": {
                "aws": {"name": "aws", "full_name": "registry.terraform.io/hashicorp/aws"},
            },
            "root_module": {"module_calls": calls},
        },
        "applyable": true,
        "complete": true,
        "errored": false,
    })
}

fn change_json(kind: &str, action: &str, number: usize) -> Value {
    let values = |size: &str| {
        let mut values = Map::new();
        values.insert("name".to_owned(), json!(format!("orders-{number}")));
        values.insert("size".to_owned(), json!(size));
        values.insert("region".to_owned(), json!("eu-central-1"));
        values.insert("tags".to_owned(), json!({"team": "orders", "cost": "4711"}));
        Value::Object(values)
    };
    let before = if action == "create" { Value::Null } else { values("small") };
    let after = if action == "delete" { Value::Null } else { values("large") };
    json!({
        "address": format!("module.orders.{kind}.this[{number}]"),
        "module_address": "module.orders",
        "mode": "managed",
        "type": kind,
        "name": "this",
        "index": number,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": [action],
            "before": before,
            "after": after,
            "after_unknown": {},
            "before_sensitive": {},
            "after_sensitive": {},
        },
    })
}

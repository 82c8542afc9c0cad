//! What a webhook says of a run that waits: where to look, and nothing more. Real deliveries have more
//! than their published schema allows and may have less.

use serde::Deserialize;

use crate::github::Delivery;
use crate::ledger::{Gate, GateKey};

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    repository: u64,
    pub(super) owner: String,
    pub(super) name: String,
    run: u64,
    environment: String,
    /// Whether to look even if somebody just has.
    pub(super) is_due: bool,
}

#[derive(Deserialize)]
struct Body {
    environment: Option<String>,
    deployment_callback_url: Option<String>,
    workflow_run: Option<Numbered>,
    repository: Named,
}

#[derive(Deserialize)]
struct Numbered {
    id: u64,
}

#[derive(Deserialize)]
struct Named {
    id: u64,
    name: String,
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    login: String,
}

/// The longest name of an environment ("Managing environments for deployment").
const LONGEST_NAME: usize = 255;

impl Hint {
    /// Where this delivery says that something waits; `None` where it says nothing of that.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        if delivery.event != "deployment_protection_rule" {
            return None;
        }
        let Body { environment, deployment_callback_url, workflow_run, repository } =
            Body::deserialize(&delivery.body).ok()?;
        let told = deployment_callback_url.as_deref().and_then(run_in);
        let run = workflow_run.map(|run| run.id).or(told)?;
        let environment = environment.filter(|name| name.chars().count() <= LONGEST_NAME)?;
        let Named { id, name, owner } = repository;
        let fits = |number: u64| i64::try_from(number).is_ok();
        let hint = Self::found(id, &owner.login, &name, run, environment);
        (fits(id) && fits(run)).then_some(hint)
    }

    /// What a look at GitHub found to be waiting.
    pub(super) fn found(id: u64, owner: &str, name: &str, run: u64, environment: String) -> Self {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        Self { repository: id, owner, name, run, environment, is_due: false }
    }

    /// The gate that was kept.
    pub(super) fn of_gate(gate: &Gate) -> Self {
        let GateKey { repository, run, environment } = gate.key.clone();
        let (owner, name) = (gate.owner.clone(), gate.name.clone());
        Self { repository, owner, name, run, environment, is_due: true }
    }

    /// It is to be looked at now, whoever has.
    pub(super) fn now(&mut self) {
        self.is_due = true;
    }

    pub(super) fn key(&self) -> GateKey {
        GateKey::new(self.repository, self.run, &self.environment)
    }
}

/// The run's number in the path of an address that is never called:
/// `…/actions/runs/RUN/deployment_protection_rule`.
fn run_in(address: &str) -> Option<u64> {
    let rest = address.strip_suffix("/deployment_protection_rule")?;
    let (before, run) = rest.rsplit_once('/')?;
    before.ends_with("/actions/runs").then(|| run.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(body: Value) -> Option<Hint> {
        let (id, event) = ("d".to_owned(), "deployment_protection_rule".to_owned());
        Hint::of(&Delivery { id, event, body })
    }

    fn whole() -> Value {
        json!({
            "environment": "Production", "workflow_run": {"id": 7},
            "deployment_callback_url": "http://169.254.169.254/x",
            "repository": {"id": 900, "name": "shop", "owner": {"login": "acme"}}, "more": [1],
        })
    }

    #[test]
    fn t34_the_address_in_a_webhook_is_at_most_where_a_number_stands() {
        let hint = told(whole()).unwrap();
        assert_eq!(hint.key(), GateKey::new(900, 7, "production"));
        let mut without = whole();
        without["workflow_run"] = Value::Null;
        assert_eq!(told(without.clone()), None, "the address is none of GitHub's");
        without["deployment_callback_url"] =
            json!("https://evil.example/actions/runs/8/deployment_protection_rule");
        assert_eq!(told(without).unwrap().key(), GateKey::new(900, 8, "production"));
    }

    #[test]
    fn a_delivery_without_what_is_needed_is_no_hint() {
        for name in ["environment", "repository"] {
            let mut body = whole();
            body[name] = json!(7);
            assert_eq!(told(body), None, "{name}");
        }
        let mut body = whole();
        body["workflow_run"]["id"] = json!(u64::MAX);
        assert_eq!(told(body), None);
    }
}

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
    pub(super) environment: String,
    /// The number of the deployment, where it was told.
    pub(super) deployment: Option<u64>,
    /// Whether to look even if somebody just has.
    pub(super) is_due: bool,
    /// Whether GitHub told that a job has begun to wait.
    pub(super) is_asked: bool,
}

/// What a delivery tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A job waits.
    Waits(Hint),
    /// Something has become of a run.
    Moved {
        /// In this repository.
        repository: u64,
        /// Its number.
        run: u64,
    },
}

#[derive(Deserialize)]
struct Body {
    environment: Option<String>,
    deployment_callback_url: Option<String>,
    deployment: Option<Numbered>,
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

impl Heard {
    /// What this delivery tells; `None` where it tells nothing of gates.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        let body = Body::deserialize(&delivery.body).ok()?;
        match delivery.event.as_str() {
            "deployment_protection_rule" => Hint::told(body).map(Self::Waits),
            "workflow_run" => {
                let (repository, run) = (body.repository.id, body.workflow_run?.id);
                (fits(repository) && fits(run)).then_some(Self::Moved { repository, run })
            }
            _ => None,
        }
    }
}

fn fits(number: u64) -> bool {
    i64::try_from(number).is_ok()
}

impl Hint {
    fn told(body: Body) -> Option<Self> {
        let Body { environment, deployment_callback_url, deployment, workflow_run, repository } =
            body;
        let told = deployment_callback_url.as_deref().and_then(run_in);
        let run = workflow_run.map(|run| run.id).or(told)?;
        let environment = environment.filter(|name| name.chars().count() <= LONGEST_NAME)?;
        let Named { id, name, owner } = repository;
        let deployment = deployment.map(|deployment| deployment.id).filter(|id| fits(*id));
        let hint = Self::found(id, &owner.login, &name, run, environment);
        (fits(id) && fits(run)).then_some(Self { deployment, is_asked: true, ..hint })
    }

    /// What a look at GitHub found to be waiting.
    pub(super) fn found(id: u64, owner: &str, name: &str, run: u64, environment: String) -> Self {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        let (is_due, is_asked, deployment) = (false, false, None);
        Self { repository: id, owner, name, run, environment, deployment, is_due, is_asked }
    }

    /// The gate that was kept.
    pub(super) fn of_gate(gate: &Gate) -> Self {
        let GateKey { repository, run, environment } = gate.key.clone();
        let (owner, name) = (gate.owner.clone(), gate.name.clone());
        let deployment = gate.deployment;
        let (is_due, is_asked) = (true, false);
        Self { repository, owner, name, run, environment, deployment, is_due, is_asked }
    }

    /// Joins what was heard of the same gate later: nothing of what was heard is lost.
    pub(super) fn join(&mut self, later: Self) {
        let Self { owner, name, deployment, is_due, is_asked, .. } = later;
        (self.is_due, self.is_asked) = (self.is_due || is_due, self.is_asked || is_asked);
        self.deployment = deployment.or(self.deployment);
        // What was kept may have an older name of the repository.
        if !is_due {
            (self.owner, self.name) = (owner, name);
        }
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
        match Heard::of(&Delivery { id, event, body })? {
            Heard::Waits(hint) => Some(hint),
            Heard::Moved { .. } => None,
        }
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
    fn of_a_run_it_is_told_that_something_became_of_it() {
        let mut body = json!({
            "action": "completed", "workflow_run": {"id": 7, "conclusion": "success"},
            "repository": {"id": 900, "name": "shop", "owner": {"login": "acme"}},
        });
        let told = |event: &str, body: &Value| {
            let (id, event) = ("d".to_owned(), event.to_owned());
            Heard::of(&Delivery { id, event, body: body.clone() })
        };
        assert_eq!(told("workflow_run", &body), Some(Heard::Moved { repository: 900, run: 7 }));
        assert_eq!(told("workflow_job", &body), None);
        body["workflow_run"]["id"] = json!(-7);
        assert_eq!(told("workflow_run", &body), None);
    }

    #[test]
    fn what_is_heard_twice_of_a_gate_keeps_the_most_of_both() {
        let mut due = Hint { is_due: true, ..Hint::found(1, "acme", "old", 7, "one".to_owned()) };
        let asked = Hint { is_asked: true, ..Hint::found(1, "acme", "new", 7, "one".to_owned()) };
        due.join(Hint { deployment: Some(5), ..asked });
        assert!(due.is_due && due.is_asked && due.deployment == Some(5) && due.name == "new");
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

//! The authority as an AuthZEN decision point: what the specification's certification scenario
//! asks, who may ask about whom, what hostile callers are told, and asking for what was denied.

mod conformance;
mod hostile;
mod meaning;
mod requests;
mod subjects;

use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, policy, sent};

pub(in crate::http) const EVALUATION: &str = "/access/v1/evaluation";
pub(super) const EVALUATIONS: &str = "/access/v1/evaluations";
pub(super) const SEARCH: &str = "/access/v1/search/action";
pub(in crate::http) const REQUESTS: &str = "/access/v1/requests";

/// Sends JSON as an enforcement point does: without an idempotency key.
pub(in crate::http) async fn ask(who: &Caller, path: &str, body: &Value) -> Answer {
    sent(who.call("POST", path).json(body)).await
}

/// An evaluation of one's own, of a terraform run on the workspace `payments`.
pub(super) fn own(sub: &str, environment: &str) -> Value {
    json!({
        "subject": {"type": "person", "id": sub},
        "action": {"name": "terraform.apply"},
        "resource": {
            "type": "workspace", "id": "payments",
            "properties": {"environment": environment},
        },
    })
}

/// What is said to this evaluation, which must be an answer.
pub(super) async fn decided(who: &Caller, body: &Value) -> Value {
    ask(who, EVALUATION, body).await.is(200).json()
}

pub(super) fn ruled_by(server: &Server, text: &str) {
    server.authority.replace_policy(policy(text));
}

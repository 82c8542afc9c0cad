//! What it tells, signed ("Validating webhook deliveries"): real deliveries carry more than their
//! published schema allows.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::app::INSTALLATION;
use super::{Github, State};

/// What both sides know.
pub(crate) const WEBHOOK_SECRET: &str = "canary-webhook-secret";

static DELIVERIES: AtomicU64 = AtomicU64::new(1);

/// An id that no delivery had before.
pub(crate) fn fresh_delivery() -> String {
    let number = DELIVERIES.fetch_add(1, Ordering::Relaxed);
    format!("72d3162e-cc78-11e3-81ab-{number:012x}")
}

impl State {
    /// What is sent when a job of this run waits before this environment.
    pub(crate) fn asks(&self, run: u64, environment: &str) -> Value {
        let run = self.runs.get(&run).unwrap();
        let of = self.repositories.iter().find(|one| one.id == run.repository).unwrap();
        let url = self.repository_url(of);
        json!({
            "action": "requested",
            "environment": environment,
            "event": run.event,
            "sha": run.head_sha,
            "ref": run.head_branch,
            "deployment_callback_url":
                format!("{url}/actions/runs/{}/deployment_protection_rule", run.id),
            "deployment": {"id": 31_000 + run.id, "environment": environment},
            "workflow_run": {"id": run.id},
            "pull_requests": [],
            "repository": self.whole_repository(of),
            "sender": self.user(run.triggering_actor),
            "installation": {"id": INSTALLATION},
        })
    }

    /// What is sent when something has become of a run.
    pub(crate) fn tells(&self, run: u64, action: &str) -> Value {
        let run = self.runs.get(&run).unwrap();
        let of = self.repositories.iter().find(|one| one.id == run.repository).unwrap();
        json!({
            "action": action, "workflow_run": self.run(run), "workflow": null,
            "repository": self.whole_repository(of), "sender": self.user(run.triggering_actor),
            "installation": {"id": INSTALLATION},
        })
    }
}

/// What stands in the header for this body.
pub(crate) fn signature(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, WEBHOOK_SECRET.as_bytes());
    let tag = hmac::sign(&key, body);
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

impl Github {
    /// Delivers this to an authority, and says what it answered.
    pub(crate) async fn deliver(base: &str, delivery: &str, event: &str, body: &Value) -> u16 {
        let body = body.to_string();
        let sent = reqwest::Client::new()
            .post(format!("{base}/webhooks/github"))
            .header("x-github-event", event)
            .header("x-github-delivery", delivery)
            .header("x-hub-signature-256", signature(body.as_bytes()))
            .header("content-type", "application/json")
            .header("user-agent", "GitHub-Hookshot/044aadd")
            .body(body)
            .send()
            .await
            .unwrap();
        sent.status().as_u16()
    }

    /// Delivers that a job of this run waits before this environment.
    pub(crate) async fn ask(&self, base: &str, run: u64, environment: &str) -> u16 {
        let body = self.with(|state| state.asks(run, environment));
        Self::deliver(base, &fresh_delivery(), "deployment_protection_rule", &body).await
    }
}

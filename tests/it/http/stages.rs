//! What becomes of stages that stay open: reminders, escalation, expiry; and who must have signed in.

use assent_client::wire;
use assent_core::time::Span;

use crate::support::{Server, approve, filing, fresh_key};

const PATIENT: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  dba: [person:bob]
  leads: [person:lena]
rules:
  - id: database
    when: {intent.environment: production}
    require:
      stages: [{name: dba, approvals: 1, from: [group:dba]}]
      escalate: {after: 30m, to: [group:leads], then_expire_after: 4h}
      remind: 15m
  - id: short
    when: {intent.environment: short}
    require:
      stages: [{name: dba, approvals: 1, from: [group:dba], expires_after: 1h}]
  - id: fresh
    when: {intent.environment: fresh}
    require:
      stages: [{name: dba, approvals: 1, from: [group:dba], login_within: 10m}]
";

async fn log_of(server: &Server, id: &str) -> Vec<String> {
    let root = server.administrator().await;
    let entries = root.client.entries(0).await.unwrap().entries;
    let mine = entries.iter().filter(|entry| entry.event["request"] == id);
    mine.map(|entry| entry.event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_stage_that_stays_open_is_told_again_escalated_and_expires() {
    let server = Server::ruled_by(PATIENT).await;
    let (alice, lena) = (server.person("alice").await, server.person("lena").await);
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(approve(&lena, &request).await.unwrap_err().code(), Some("not_asked"));
    for _ in 0..2 {
        server.time().pass(Span::minutes(15));
        assert_eq!(server.authority.sweep().await.unwrap(), 1);
    }
    let seen = alice.client.request(&request.id).await.unwrap();
    assert!(seen.stages[0].escalated_at.is_some(), "{seen:?}");
    assert!(seen.stages[0].awaited.contains(&"lena".to_owned()), "{seen:?}");
    assert_eq!(log_of(&server, &request.id).await, ["filed", "reminded", "escalated", "reminded"]);
    server.time().pass(Span::hours(4));
    server.authority.sweep().await.unwrap();
    let expired = alice.client.request(&request.id).await.unwrap();
    assert_eq!(expired.state, "expired");
}

#[tokio::test]
async fn who_is_asked_by_escalation_counts() {
    let server = Server::ruled_by(PATIENT).await;
    let (alice, lena) = (server.person("alice").await, server.person("lena").await);
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    server.time().pass(Span::minutes(30));
    // Nobody swept: the look at the request itself does what time has done.
    let approved = approve(&lena, &request).await.unwrap();
    assert_eq!(approved.state, "approved");
    assert!(approved.approved_by.contains("lena"));
}

#[tokio::test]
async fn a_stage_may_expire_before_its_request() {
    let server = Server::ruled_by(PATIENT).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let request = alice.client.file(&filing("short", "r"), &fresh_key()).await.unwrap();
    server.time().pass(Span::hours(1));
    let late = approve(&bob, &request).await.unwrap_err();
    assert!(matches!(late.code(), Some("too_late" | "not_pending")), "{late}");
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "expired");
}

#[tokio::test]
async fn a_token_alone_is_no_sign_in() {
    let server = Server::ruled_by(PATIENT).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let request = alice.client.file(&filing("fresh", "r"), &fresh_key()).await.unwrap();
    let refused = approve(&bob, &request).await.unwrap_err();
    assert_eq!(refused.code(), Some("sign_in_again"));
    let seen: wire::Request = alice.client.request(&request.id).await.unwrap();
    assert!(seen.reviews.is_empty());
}

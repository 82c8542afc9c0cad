//! Break-glass: granted at once, looked at afterwards, and closed where nobody did.

use assent_client::wire;
use assent_core::time::Span;
use serde_json::json;

use crate::support::{Caller, Server, fresh_key, intent, sent};

const BREAK_GLASS: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  release-managers: [person:bob, person:carol]
  security: [person:sue, person:sid]
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages: [{name: release, approvals: 2, from: [group:release-managers]}]
  - id: break-glass
    when: {intent.environment: production, context.break_glass: true, signals.incident.severity: [sev1, sev2]}
    allow:
      waives: [production]
      credential: {max_ttl: 10m}
      post_review: {by: [group:security], approvals: 1, within: 24h, if_missed: {suspend: break-glass}}
";

/// A server with an incident, and its administrator.
async fn in_an_incident() -> (Server, Caller) {
    let server = Server::ruled_by(BREAK_GLASS).await;
    let root = server.administrator().await;
    root.put("/v1/signals/incident", &json!({"severity": "sev1"})).await.is(200);
    (server, root)
}

async fn break_in(who: &Caller, reason: &str) -> wire::Request {
    let context = json!({"break_glass": true}).as_object().unwrap().clone();
    let intent = wire::Intent { context, ..intent("production", reason) };
    who.client
        .file(&wire::Filing { intent, reattach: false, heartbeat: None }, &fresh_key())
        .await
        .unwrap()
}

fn verdict(request: &wire::Request, verdict: wire::Verdict) -> wire::NewReview {
    let digest = request.digest.clone();
    wire::NewReview { verdict, comment: "looked at".to_owned(), digest, signature: None }
}

async fn look(
    who: &Caller,
    request: &wire::Request,
    said: wire::Verdict,
) -> Result<wire::Request, String> {
    let review = verdict(request, said);
    let answer = who.client.review_afterwards(&request.id, &review, &fresh_key()).await;
    answer.map_err(|error| error.code().unwrap_or("none").to_owned())
}

#[tokio::test]
async fn t51_a_missed_review_closes_the_door_until_somebody_has_looked() {
    let (server, _) = in_an_incident().await;
    let alice = server.person("alice").await;
    let first = break_in(&alice, "the database is down").await;
    assert_eq!((first.state.as_str(), first.afterwards[0].status.as_str()), ("approved", "open"));
    server.time().pass(Span::hours(23));
    assert_eq!(break_in(&alice, "again").await.state, "approved");
    // The moment it is overdue, whether or not anything has swept.
    server.time().pass(Span::hours(1));
    let (alice, sue) = (server.person("alice").await, server.person("sue").await);
    let closed = break_in(&alice, "and again").await;
    assert_eq!((closed.state.as_str(), closed.ruling.rules.len()), ("pending", 1));
    server.authority.sweep().await.unwrap();
    let missed = alice.client.request(&first.id).await.unwrap();
    assert_eq!(
        (missed.state.as_str(), missed.afterwards[0].status.as_str()),
        ("expired", "missed")
    );
    assert_eq!(break_in(&alice, "still").await.state, "pending");
    let done = look(&sue, &first, wire::Verdict::Approve).await.unwrap();
    assert_eq!(done.afterwards[0].status, "done");
    assert_eq!(break_in(&alice, "at last").await.state, "approved");
}

#[tokio::test]
async fn t51_without_an_incident_the_wish_alone_opens_nothing() {
    let server = Server::ruled_by(BREAK_GLASS).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    assert_eq!(break_in(&alice, "please").await.state, "pending");
    root.put("/v1/signals/incident", &json!({"severity": "none"})).await.is(200);
    assert_eq!(break_in(&alice, "please now").await.state, "pending");
    root.put("/v1/signals/incident", &json!({"severity": "sev2"})).await.is(200);
    let granted = break_in(&alice, "there is one").await;
    assert_eq!(granted.state, "approved");
    root.delete("/v1/signals/incident").await.is(204);
    assert_eq!(break_in(&alice, "it is over").await.state, "pending");
    let log = root.client.entries(0).await.unwrap().entries;
    let filed = log.iter().find(|e| e.event["request"] == granted.id.as_str()).unwrap();
    assert_eq!(filed.event["known"]["signals"], json!({"incident": {"severity": "sev2"}}));
}

#[tokio::test]
async fn an_objection_is_on_record_and_does_not_count() {
    let (server, _) = in_an_incident().await;
    let alice = server.person("alice").await;
    let (sue, sid) = (server.person("sue").await, server.person("sid").await);
    let request = break_in(&alice, "down").await;
    let objected = look(&sue, &request, wire::Verdict::Deny).await.unwrap();
    assert_eq!(objected.afterwards[0].status, "open");
    assert_eq!(objected.afterwards[0].reviews[0].verdict, wire::Verdict::Deny);
    assert_eq!(look(&sue, &request, wire::Verdict::Approve).await.unwrap_err(), "reviewed_already");
    let done = look(&sid, &request, wire::Verdict::Approve).await.unwrap();
    assert_eq!(done.afterwards[0].status, "done");
    assert_eq!(look(&sid, &request, wire::Verdict::Approve).await.unwrap_err(), "no_later_review");
}

#[tokio::test]
async fn only_those_who_are_asked_look_back() {
    let (server, root) = in_an_incident().await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let request = break_in(&alice, "down").await;
    let yes = wire::Verdict::Approve;
    assert_eq!(look(&bob, &request, yes).await.unwrap_err(), "not_asked");
    assert_eq!(look(&alice, &request, yes).await.unwrap_err(), "self_approval");
    assert_eq!(look(&root, &request, yes).await.unwrap_err(), "not_asked");
    let sue = server.person("sue").await;
    let silent =
        wire::NewReview { comment: String::new(), ..verdict(&request, wire::Verdict::Deny) };
    let silent = sue.client.review_afterwards(&request.id, &silent, &fresh_key()).await;
    assert_eq!(silent.unwrap_err().code(), Some("invalid"));
    let digest = format!("sha256:{}", "0".repeat(64));
    let other = wire::NewReview { digest, ..verdict(&request, yes) };
    let other = sue.client.review_afterwards(&request.id, &other, &fresh_key()).await;
    assert_eq!(other.unwrap_err().code(), Some("other_digest"));
    let ordinary =
        alice.client.file(&crate::support::filing("production", "r"), &fresh_key()).await;
    assert_eq!(look(&sue, &ordinary.unwrap(), yes).await.unwrap_err(), "no_later_review");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again() {
    let (server, _) = in_an_incident().await;
    let (alice, sue) = (server.person("alice").await, server.person("sue").await);
    let request = break_in(&alice, "down").await;
    let (review, key) = (verdict(&request, wire::Verdict::Approve), fresh_key());
    let once = sue.client.review_afterwards(&request.id, &review, &key).await.unwrap();
    let again = sue.client.review_afterwards(&request.id, &review, &key).await.unwrap();
    assert_eq!(once, again);
}

#[tokio::test]
async fn a_start_knows_which_doors_are_closed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let (server, _) = {
        let server = Server::on_file_ruled_by(&file, BREAK_GLASS).await;
        let root = server.administrator().await;
        root.put("/v1/signals/incident", &json!({"severity": "sev1"})).await.is(200);
        (server, root)
    };
    let alice = server.person("alice").await;
    break_in(&alice, "down").await;
    server.time().pass(Span::hours(24));
    let remains = server.stop().await;
    let server = Server::on_file_again(&file, remains, BREAK_GLASS).await;
    let alice = server.person("alice").await;
    assert_eq!(break_in(&alice, "again").await.state, "pending");
    let health = sent(server.stranger().call("GET", "/healthz")).await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn t51_another_policy_finds_a_rule_suspended_that_was_not_when_it_was_filed() {
    let looked_at = BREAK_GLASS.to_owned()
        + "  - id: looked-at
    when: {context.careful: true}
    require:
      stages: [{name: look, approvals: 1, from: [group:security]}]
      request_expires: 48h
";
    let server = Server::ruled_by(&looked_at).await;
    let root = server.administrator().await;
    root.put("/v1/signals/incident", &json!({"severity": "sev1"})).await.is(200);
    let alice = server.person("alice").await;
    let file = async |environment, glass, careful| {
        let context = json!({"break_glass": glass, "careful": careful});
        let context = context.as_object().unwrap().clone();
        let intent = wire::Intent { context, ..intent(environment, "r") };
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        alice.client.file(&filing, &fresh_key()).await.unwrap()
    };
    assert_eq!(file("production", true, false).await.state, "approved");
    server.time().pass(Span::hours(23));
    let (waived, other) =
        (file("production", true, true).await, file("staging", false, true).await);
    assert_eq!((waived.state.as_str(), waived.stages.len()), ("pending", 1));
    assert_eq!((other.state.as_str(), other.stages.len()), ("pending", 1));
    server.time().pass(Span::hours(1));
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let text = "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: more}\nrules:\n  - id: \
        more\n    when: {intent.environment: test}\n    allow: {}\n";
    root.put("/v1/policy/documents/more.yaml", &json!({"text": text})).await.is(200);
    let ended = alice.client.request(&waived.id).await.unwrap();
    assert_ne!(ended.state, "pending", "what waived two approvals is suspended");
    assert_eq!(alice.client.request(&other.id).await.unwrap().state, "pending");
}

//! Plans that are handed in: what is kept of them, who may name them, and what policy sees.

use std::path::Path;

use assent_client::wire;
use assent_core::digest::Digest;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, fresh_key, intent, sent};

const BY_PLAN: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups: {release-managers: [person:bob]}
rules:
  - id: harmless
    when: {intent.kind: terraform.apply, plan.deletes: 0, plan.replaces: 0}
    allow: {}
  - id: destroys
    when: {intent.kind: terraform.apply, plan.changes: {some: {actions: {contains: delete}}}}
    require: {stages: [{name: look, approvals: 1, from: [group:release-managers]}]}
";

fn given(name: &str) -> Vec<u8> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/own").join(name);
    std::fs::read(place).unwrap()
}

async fn hand_in(who: &Caller, bytes: &[u8]) -> Answer {
    let call = who.call("POST", "/v1/plans").header("content-type", "application/json");
    sent(call.body(bytes.to_vec())).await
}

async fn file(who: &Caller, plan: &str, reason: &str) -> Answer {
    let intent = wire::Intent { plan: Some(plan.to_owned()), ..intent("production", reason) };
    let filing = json!({"intent": intent});
    who.post("/v1/requests", &filing).await
}

#[tokio::test]
async fn a_plan_is_named_by_its_digest_and_rules_see_what_it_does() {
    let server = Server::ruled_by(BY_PLAN).await;
    let alice = server.person("alice").await;
    let destroying = given("made-destroy.json");
    let taken = hand_in(&alice, &destroying).await.is(200).json();
    assert_eq!(taken["digest"], Digest::of(&destroying).to_string());
    assert!(taken["facts"]["deletes"].as_u64().unwrap() > 0, "{taken}");
    let digest = taken["digest"].as_str().unwrap();
    let request = file(&alice, digest, "destroy it").await.is(201).json();
    assert_eq!(request["state"], "pending");
    let log = alice.client.entries(0).await.unwrap().entries;
    let filed = log.iter().find(|entry| entry.event["request"] == request["id"]).unwrap();
    assert_eq!(filed.event["known"]["plan"]["digest"], digest);
    assert_eq!(filed.event["known"]["plan"]["facts"]["deletes"], taken["facts"]["deletes"]);
    let creating = hand_in(&alice, &given("made-create.json")).await.is(200).json();
    let request = file(&alice, creating["digest"].as_str().unwrap(), "create it").await;
    assert_eq!(request.is(201).json()["state"], "approved");
    // Handed in again it is the same, and no second entry.
    let before = alice.client.entries(0).await.unwrap().entries.len();
    assert_eq!(hand_in(&alice, &destroying).await.is(200).json(), taken);
    assert_eq!(alice.client.entries(0).await.unwrap().entries.len(), before);
    assert_eq!(alice.get(&format!("/v1/plans/{digest}")).await.is(200).json(), taken);
}

#[tokio::test]
async fn t39_a_plan_that_nobody_handed_in_or_somebody_else_did_cannot_be_named() {
    let server = Server::ruled_by(BY_PLAN).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let (ci, other) = (server.workload("ci", &[]).await, server.workload("other", &[]).await);
    let check = async |who: &Caller, plan: &str| {
        let answer = file(who, plan, "r").await;
        let errors = answer.json()["errors"].clone();
        answer.refuses(422, "invalid");
        assert_eq!(errors[0]["field"], "plan");
    };
    check(&alice, &Digest::of(b"nothing").to_string()).await;
    let taken = hand_in(&ci, &given("made-create.json")).await.is(200).json();
    let digest = taken["digest"].as_str().unwrap();
    check(&alice, digest).await;
    check(&other, digest).await;
    let dry = wire::Intent { plan: Some(digest.to_owned()), ..intent("production", "r") };
    sent(alice.call("POST", "/v1/decisions").json(&dry)).await.refuses(422, "invalid");
    file(&ci, digest, "r").await.is(201);
    file(&root, digest, "r").await.is(201);
    // People may look at it; another workload may not.
    let path = format!("/v1/plans/{digest}");
    alice.get(&path).await.is(200);
    ci.get(&path).await.is(200);
    other.get(&path).await.refuses(404, "not_found");
    alice.get("/v1/plans/sha256:00").await.refuses(404, "not_found");
    // Whoever hands in the same may name it too.
    hand_in(&other, &given("made-create.json")).await.is(200);
    file(&other, digest, "r").await.is(201);
}

#[tokio::test]
async fn what_is_no_plan_is_refused_and_says_why() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for name in [
        "not-a-plan-state.json",
        "not-a-plan-text.txt",
        "not-a-plan-saved.bin",
        "not-a-plan-configuration.json",
        "not-a-plan-log.json",
    ] {
        let told = hand_in(&alice, &given(name)).await.refuses(422, "invalid_plan");
        assert!(told.len() > 20, "{name}: {told}");
    }
    hand_in(&alice, b"").await.refuses(422, "invalid_plan");
    let other = alice.call("POST", "/v1/plans").header("content-type", "text/plain").body("{}");
    sent(other).await.refuses(415, "wrong_content_type");
}

#[tokio::test]
async fn t38_t61_a_plan_may_be_large_but_only_here_and_only_from_somebody_known() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut large = given("made-create.json");
    large.extend(vec![b' '; 2 * 1024 * 1024]);
    hand_in(&alice, &large).await.is(200);
    large.extend(vec![b' '; 31 * 1024 * 1024]);
    hand_in(&alice, &large).await.refuses(413, "too_large");
    hand_in(&server.stranger(), &given("made-create.json")).await.refuses(401, "no_token");
    let elsewhere = vec![b' '; 2 * 1024 * 1024];
    let key = fresh_key();
    let answer =
        alice.post_bytes(key.as_str(), "/v1/requests", "application/json", elsewhere).await;
    answer.refuses(413, "too_large");
}

/// A plan that marks a value as sensitive, and has it in every place where plans have values.
fn with_secret(secret: &str) -> Vec<u8> {
    let mut plan: Value = serde_json::from_slice(&given("made-create.json")).unwrap();
    let change = &mut plan["resource_changes"][0]["change"];
    change["after"] = json!({"password": secret, "name": "orders"});
    change["after_sensitive"] = json!({"password": true});
    plan["planned_values"]["root_module"]["resources"][0]["values"] =
        json!({"password": secret, "name": "orders"});
    plan["planned_values"]["root_module"]["resources"][0]["sensitive_values"] =
        json!({"password": true});
    plan["variables"] = json!({"password": {"value": secret}});
    plan.to_string().into_bytes()
}

#[tokio::test]
async fn t41_what_a_plan_marks_as_sensitive_is_stored_nowhere() {
    let secret = "canary-3f1a9c77e0";
    let folder = tempfile::tempdir().unwrap();
    let file_ = folder.path().join("ledger.sqlite");
    let server = Server::on_file_ruled_by(&file_, BY_PLAN).await;
    let alice = server.person("alice").await;
    let answer = hand_in(&alice, &with_secret(secret)).await.is(200);
    assert!(!answer.text.contains(secret), "{}", answer.text);
    let digest = answer.str("digest");
    file(&alice, &digest, "r").await.is(201);
    let kept = server.authority.ledger().plan(digest.parse().unwrap()).await.unwrap().unwrap();
    assert!(kept.redacted.contains("\"name\":\"orders\""), "{}", kept.redacted);
    server.stop().await;
    let holds = |bytes: &[u8], text: &str| {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        // The log beside the ledger is gone as soon as the last connection is.
        let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
        assert!(!holds(&bytes, secret), "a file holds the secret");
        kept.extend(bytes);
    }
    assert!(holds(&kept, "orders"), "the ledger was looked at");
}

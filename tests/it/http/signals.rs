//! What other systems tell.

mod command_line;
mod subjects;
mod tokens;

use serde_json::json;

use crate::support::{Server, filing, fresh_key};

const FREEZE: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: anything
    when: {intent.environment: staging}
    allow: {}
  - id: frozen
    when: {signals.freeze.on: true}
    deny: {message: everything stands still}
";

#[tokio::test]
async fn what_is_told_rules_from_then_on_and_is_in_the_log() {
    let server = Server::ruled_by(FREEZE).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let state = async |reason: &str| {
        alice.client.file(&filing("staging", reason), &fresh_key()).await.unwrap().state
    };
    assert_eq!(state("unknown denies").await, "denied");
    root.put("/v1/signals/freeze", &json!({"on": false})).await.is(200);
    assert_eq!(state("calm").await, "approved");
    let told = root.put("/v1/signals/freeze", &json!({"on": true})).await.is(200).json();
    assert_eq!((&told["value"], &told["by"]), (&json!({"on": true}), &json!("root")));
    assert_eq!(state("frozen").await, "denied");
    root.delete("/v1/signals/freeze").await.is(204);
    root.delete("/v1/signals/freeze").await.refuses(404, "not_found");
    assert_eq!(state("unknown again").await, "denied");
    let entries = root.client.entries(0).await.unwrap().entries;
    let types: Vec<_> = entries.iter().map(|e| e.event["type"].as_str().unwrap()).collect();
    let told = types.iter().filter(|kind| **kind == "signal_told").count();
    assert_eq!((told, types.contains(&"signal_taken_back")), (2, true));
}

#[tokio::test]
async fn only_administrators_tell_and_read() {
    let server = Server::ruled_by(FREEZE).await;
    let ci = server.workload("ci", &[]).await;
    for who in [server.person("alice").await, ci] {
        who.put("/v1/signals/x", &json!(1)).await.refuses(403, "not_administrator");
        who.delete("/v1/signals/x").await.refuses(403, "not_administrator");
        who.get("/v1/signals").await.refuses(403, "not_administrator");
        who.get("/v1/signals/x").await.refuses(403, "not_administrator");
    }
}

#[tokio::test]
async fn what_is_too_large_or_has_no_name_is_not_taken() {
    let server = Server::ruled_by(FREEZE).await;
    let root = server.administrator().await;
    for name in ["a.b", "%20", "a%2Fb", &"x".repeat(65)] {
        root.put(&format!("/v1/signals/{name}"), &json!(1)).await.refuses(422, "invalid");
    }
    let large = json!("x".repeat(16 * 1024));
    root.put("/v1/signals/large", &large).await.refuses(422, "invalid");
    let fits = json!("x".repeat(16 * 1024 - 2));
    for name in ["a", "b", "c", "d"] {
        root.put(&format!("/v1/signals/{name}"), &fits).await.is(200);
    }
    root.put("/v1/signals/e", &json!(1)).await.refuses(422, "invalid");
    root.put("/v1/signals/a", &json!(1)).await.is(200);
    root.put("/v1/signals/e", &json!(1)).await.is(200);
    assert_eq!(root.get("/v1/signals").await.json()["signals"].as_object().unwrap().len(), 5);
    let doubled = root.call("PUT", "/v1/signals/f").header("content-type", "application/json");
    let answer = crate::support::sent(doubled.body(r#"{"a": 1, "a": 2}"#)).await;
    answer.refuses(400, "not_json");
}

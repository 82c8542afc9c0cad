//! What an evaluation means here: which intent it is, and what becomes of each ruling.

use assent_server::app::authzen::Authzen;
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, ask, decided, own, ruled_by};
use crate::support::Server;

#[tokio::test]
async fn only_permit_is_true_and_the_others_say_why() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let permitted = decided(&alice, &own("alice", "staging")).await;
    assert_eq!(
        (&permitted["decision"], &permitted["context"]["ruling"]),
        (&json!(true), &json!("permit"))
    );
    let asked = decided(&alice, &own("alice", "production")).await;
    assert_eq!(asked["decision"], false);
    let context = &asked["context"];
    assert_eq!(
        (&context["reason"], &context["ruling"]),
        (&json!("approval_required"), &json!("require"))
    );
    assert_eq!(context["stages"][0]["approvals"], 2);
    assert_eq!(context["stages"][0]["from"], json!(["group:release-managers"]));
    assert!(context.get("access_request").is_none(), "it was not switched on");
    let mut session = own("alice", "production");
    session["action"]["name"] = json!("database.session");
    let refused = decided(&alice, &session).await;
    assert_eq!(refused["decision"], false);
    assert_eq!(refused["context"]["reason"], "policy_denied");
    assert_eq!(refused["context"]["reasons"][0]["message"], "use the read replica");
    let nowhere = decided(&alice, &own("alice", "mars")).await;
    assert_eq!(
        (&nowhere["decision"], &nowhere["context"]["rules"]),
        (&json!(false), &json!(["default-deny"]))
    );
}

#[tokio::test]
async fn nothing_is_stored() {
    let server = Server::deciding(Authzen { access_request: true, ..Authzen::default() }).await;
    let alice = server.person("alice").await;
    let before = alice.client.checkpoint().await.unwrap();
    decided(&alice, &own("alice", "production")).await;
    ask(&alice, EVALUATIONS, &json!({"evaluations": [own("alice", "one")]})).await.is(200);
    assert_eq!(alice.client.checkpoint().await.unwrap(), before);
    assert_eq!(alice.get("/v1/requests").await.json()["requests"], json!([]));
}

#[tokio::test]
async fn a_resource_of_no_environment_is_denied_unless_the_server_names_one() {
    let named = Authzen { environment: Some("staging".to_owned()), access_request: false };
    for (authzen, expected) in [(Authzen::default(), false), (named, true)] {
        let server = Server::deciding(authzen).await;
        let alice = server.person("alice").await;
        let mut body = own("alice", "staging");
        body["resource"].as_object_mut().unwrap().remove("properties");
        let said = decided(&alice, &body).await;
        assert_eq!(said["decision"], expected, "{said}");
        // What is stated is never replaced by what is not.
        for stated in [json!(null), json!(7), json!(""), json!("no where"), json!(["staging"])] {
            body["resource"]["properties"] = json!({"environment": stated});
            let said = decided(&alice, &body).await;
            assert_eq!(said["decision"], false, "{body}");
            assert_eq!(said["context"]["reason"], "unfit", "{body}");
        }
    }
}

#[tokio::test]
async fn type_id_and_text_properties_of_the_resource_are_the_target() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    ruled_by(&server, "
apiVersion: assent/v1
kind: Policy
metadata: {name: target}
rules:
  - id: orders
    when: {intent.environment: staging, intent.target.database: orders, intent.target.engine: postgres}
    allow: {}
");
    let question = |kind: &str, id: &str, properties: Value| {
        let mut body = own("alice", "staging");
        body["resource"] = json!({"type": kind, "id": id, "properties": properties});
        body["resource"]["properties"]["environment"] = json!("staging");
        body
    };
    for (body, decision, reason) in [
        (question("database", "orders", json!({"engine": "postgres"})), true, None),
        (
            question("database", "orders", json!({"engine": "postgres", "size": 7, "a b": "c"})),
            true,
            None,
        ),
        (
            question("database", "payroll", json!({"engine": "postgres"})),
            false,
            Some("policy_denied"),
        ),
        (
            question("workspace", "orders", json!({"engine": "postgres"})),
            false,
            Some("policy_denied"),
        ),
        (
            question("database", "orders", json!({"engine": ["postgres"]})),
            false,
            Some("policy_denied"),
        ),
        // A property cannot take the place of the id, nor the id that of a property.
        (
            question("database", "payroll", json!({"database": "orders", "engine": "postgres"})),
            false,
            Some("unfit"),
        ),
        (question("engine", "postgres", json!({"database": "orders"})), true, None),
        (question("data base", "orders", json!({"engine": "postgres"})), false, Some("unfit")),
        (question("database", "", json!({"engine": "postgres"})), false, Some("unfit")),
    ] {
        let said = decided(&alice, &body).await;
        let expected = (&json!(decision), &json!(reason));
        assert_eq!((&said["decision"], &said["context"]["reason"]), expected, "{body}: {said}");
    }
}

#[tokio::test]
async fn what_no_intent_can_say_is_denied_with_every_fault() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut body = own("alice", "staging");
    body["action"]["name"] = json!("Terraform Apply");
    body["context"] = json!({"authzen": {"subject": "mallory"}});
    let said = decided(&alice, &body).await;
    assert_eq!(
        (&said["decision"], &said["context"]["error"]["status"]),
        (&json!(false), &json!(400))
    );
    let told = said["context"]["error"]["message"].as_str().unwrap();
    assert!(told.contains("kind") && told.contains("context.authzen"), "{told}");
}

#[tokio::test]
async fn properties_are_never_groups_and_prove_nothing() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    ruled_by(
        &server,
        "
apiVersion: assent/v1
kind: Policy
metadata: {name: groups}
groups: {release-managers: [person:bob]}
rules:
  - id: managers
    when: {requester.groups: {contains: release-managers}}
    allow: {}
",
    );
    let mut body = own("alice", "production");
    body["subject"]["properties"] = json!({
        "groups": ["release-managers"], "sub": "bob", "iss": "assent:local", "administrator": true,
    });
    body["context"] = json!({"requester": {"groups": ["release-managers"]}});
    assert_eq!(decided(&alice, &body).await["decision"], false);
    let bob = server.person("bob").await;
    assert_eq!(decided(&bob, &own("bob", "production")).await["decision"], true);
}

#[tokio::test]
async fn a_decision_agrees_with_the_dry_run_of_the_same_intent() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for environment in ["production", "one", "staging", "mars"] {
        for kind in ["terraform.apply", "database.session"] {
            let mut body = own("alice", environment);
            body["action"]["name"] = json!(kind);
            let said = ask(&alice, EVALUATION, &body).await.is(200).json();
            let intent = json!({"kind": kind, "environment": environment, "reason": "r",
                "target": {"workspace": "payments"}});
            let dry = alice.post("/v1/decisions", &intent).await.is(200).json();
            let context = &said["context"];
            for member in ["rules", "policy", "stages", "reasons"] {
                assert_eq!(context.get(member), dry["ruling"].get(member), "{body}");
            }
            assert_eq!(context["ruling"], dry["ruling"]["outcome"], "{body}");
            assert_eq!(said["decision"], dry["ruling"]["outcome"] == "permit", "{body}");
        }
    }
}

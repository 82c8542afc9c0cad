//! Policy documents over the API, and what becomes of pending requests when policy changes.

use std::sync::Arc;

use assent_client::wire;
use assent_core::policy::Policy;
use assent_core::policy::ask::Ask;
use assent_core::policy::document::Fault;
use assent_core::policy::opinion::Opinion;
use assent_rego::About;
use assent_server::engines::Engines;
use assent_server::policy::Source;
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, Setup, approve, documents, filing, fresh_key};

/// A policy that asks one release manager in production, and says what becomes of pending requests.
fn asking(on_change: &str) -> String {
    format!(
        "apiVersion: assent/v1\nkind: Policy\nmetadata: {{name: tests}}\n\
         defaults: {{on_change: {on_change}}}\n\
         groups: {{release-managers: [person:bob, person:carol]}}\n\
         rules:\n  - id: production\n    when: {{intent.environment: production}}\n    require: \
         {{stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]}}\n"
    )
}

/// A document with one rule.
fn rule(id: &str, when: &str, effect: &str) -> Value {
    json!({"text": format!(
        "apiVersion: assent/v1\nkind: Policy\nmetadata: {{name: {id}}}\nrules:\n  - id: {id}\n    \
         when: {{{when}}}\n    {effect}\n"
    )})
}

fn freeze() -> Value {
    rule("freeze", "intent.environment: production", "deny: {message: everything stands still}")
}

fn elsewhere() -> Value {
    rule("elsewhere", "intent.environment: staging", "allow: {}")
}

async fn put(root: &Caller, name: &str, document: &Value) -> Answer {
    root.put(&format!("/v1/policy/documents/{name}"), document).await
}

async fn pending(alice: &Caller, reason: &str) -> wire::Request {
    let request = alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap();
    assert_eq!(request.state, "pending");
    request
}

#[tokio::test]
async fn a_document_rules_from_then_on_and_is_kept_with_its_versions() {
    let server = Server::ruled_by(&asking("keep")).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let before = root.client.policy_status().await.unwrap();
    let written = put(&root, "freeze.yaml", &freeze()).await.is(200).json();
    assert_eq!((&written["version"], &written["name"]), (&json!(1), &json!("freeze.yaml")));
    let after = alice.client.policy_status().await.unwrap();
    assert_eq!((before.rules, after.rules), (1, 2));
    assert_ne!(before.revision, after.revision);
    let refused = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!((refused.state.as_str(), refused.ruling.policy), ("denied", after.revision));
    // The same again is no new version.
    let again = put(&root, "freeze.yaml", &freeze()).await.is(200).json();
    assert_eq!(again, written);
    put(&root, "freeze.yaml", &elsewhere()).await.is(200);
    let path = "/v1/policy/documents/freeze.yaml";
    root.delete(path).await.is(204);
    root.delete(path).await.refuses(404, "not_found");
    assert_eq!(root.client.policy_status().await.unwrap().revision, before.revision);
    let kept = alice.get(path).await.is(200).json();
    assert_eq!((&kept["version"], kept.get("text")), (&json!(3), None));
    let versions = kept["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 3);
    assert!(versions.iter().all(|version| version["by"] == "root" && version["at"].is_string()));
    assert_eq!(alice.get("/v1/policy/documents").await.json(), json!({"documents": {}}));
    let entries = root.client.entries(0).await.unwrap().entries;
    let types: Vec<_> = entries.iter().map(|e| e.event["type"].as_str().unwrap()).collect();
    assert_eq!(types.iter().filter(|kind| **kind == "policy_written").count(), 2);
    assert_eq!(types.iter().filter(|kind| **kind == "policy_removed").count(), 1);
}

#[tokio::test]
async fn a_set_that_does_not_check_changes_nothing_and_says_where() {
    let server = Server::ruled_by(&asking("keep")).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let before = root.client.policy_status().await.unwrap();
    let check = async |name: &str, document: Value, part: &str| {
        let answer = put(&root, name, &document).await;
        let errors = answer.json()["errors"].clone();
        answer.refuses(422, "invalid_policy");
        let errors = errors.as_array().unwrap().clone();
        let told = |error: &Value| {
            let field = error["field"].as_str().unwrap();
            let place = field.rsplit(':').nth(1).unwrap().parse::<usize>().unwrap() >= 1;
            place && error["problem"].as_str().unwrap().contains(part)
        };
        assert!(errors.iter().any(told), "{errors:?}");
    };
    let twice = rule("production", "intent.environment: x", "deny: {message: m}");
    check("a.yaml", twice, "production").await;
    check("a.yaml", json!({"text": "rules: ["}), "").await;
    let unknown = rule("r", "intent.colour: red", "deny: {message: m}");
    check("a.yaml", unknown, "colour").await;
    assert_eq!(root.client.policy_status().await.unwrap(), before);
    assert_eq!(root.get("/v1/policy/documents").await.json(), json!({"documents": {}}));
    pending(&alice, "as before").await;
    // Nor is one removed that another leans on.
    put(
        &root,
        "freeze.yaml",
        &rule("f", "intent.environment: production", "deny: {message: m, waivable: true}"),
    )
    .await
    .is(200);
    let waives =
        rule("g", "intent.environment: production, context.now: true", "allow: {waives: [f]}");
    put(&root, "glass.yaml", &waives).await.is(200);
    let told = root.delete("/v1/policy/documents/freeze.yaml").await.refuses(409, "in_use");
    assert!(told.contains("rule `f` is used by rule `g` at api:/glass.yaml:7:22"), "{told}");
}

#[tokio::test]
async fn t47_only_administrators_write_policy() {
    let server = Server::ruled_by(&asking("keep")).await;
    let ci = server.workload("ci", &[]).await;
    for who in [server.person("bob").await, ci.clone()] {
        put(&who, "a.yaml", &elsewhere()).await.refuses(403, "not_administrator");
        let removed = who.delete("/v1/policy/documents/a.yaml").await;
        removed.refuses(403, "not_administrator");
    }
    ci.get("/v1/policy/documents").await.refuses(403, "not_for_workloads");
    let root = server.administrator().await;
    for name in ["a", "a.txt", ".a.yaml", "a%2Fb.yaml", "..%2Fa.yaml"] {
        put(&root, name, &elsewhere()).await.refuses(422, "invalid");
    }
    let large = json!({"text": "x".repeat(256 * 1024 + 1)});
    put(&root, "a.yaml", &large).await.refuses(422, "invalid");
}

#[tokio::test]
async fn t48_a_pending_request_ends_where_policy_rules_otherwise_now() {
    let server = Server::ruled_by(&asking("end_changed")).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let root = server.administrator().await;
    let request = pending(&alice, "r").await;
    put(&root, "elsewhere.yaml", &elsewhere()).await.is(200);
    let kept = alice.client.request(&request.id).await.unwrap();
    assert_eq!((kept.state.as_str(), &kept.ruling.policy), ("pending", &request.ruling.policy));
    put(&root, "freeze.yaml", &freeze()).await.is(200);
    let ended = alice.client.request(&request.id).await.unwrap();
    assert_eq!((ended.state.as_str(), &ended.ruling.policy), ("denied", &request.ruling.policy));
    let reason = ended.ending.unwrap().reason;
    assert!(reason.contains("policy-changed") && reason.contains("file it again"), "{reason}");
    assert_eq!(approve(&bob, &request).await.unwrap_err().code(), Some("not_pending"));
}

#[tokio::test]
async fn t48_looser_rules_do_not_let_a_pending_request_through() {
    let server = Server::ruled_by(&asking("end_changed")).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let request = pending(&alice, "r").await;
    let open = rule("open", "intent.environment: production", "allow: {waives: [production]}");
    put(&root, "open.yaml", &open).await.is(200);
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "denied");
    let again = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(again.state, "approved", "filed again, it is ruled on by the rules of today");
}

#[tokio::test]
async fn t48_what_other_systems_told_meanwhile_ends_it_too() {
    let policy = asking("end_changed")
        + "  - id: frozen\n    when: {signals.freeze: true}\n    deny: {message: frozen}\n";
    let server = Server::ruled_by(&policy).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    root.put("/v1/signals/freeze", &json!(false)).await.is(200);
    let request = pending(&alice, "r").await;
    root.put("/v1/signals/freeze", &json!(true)).await.is(200);
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "pending");
    put(&root, "elsewhere.yaml", &elsewhere()).await.is(200);
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "denied");
}

#[tokio::test]
async fn pending_requests_are_kept_or_all_ended_where_policy_says_so() {
    let server = Server::ruled_by(&asking("keep")).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let root = server.administrator().await;
    let request = pending(&alice, "r").await;
    put(&root, "freeze.yaml", &freeze()).await.is(200);
    assert_eq!(approve(&bob, &request).await.unwrap().state, "approved");

    let server = Server::ruled_by(&asking("end_all")).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let requests = [pending(&alice, "a").await, pending(&alice, "b").await];
    put(&root, "elsewhere.yaml", &elsewhere()).await.is(200);
    for request in requests {
        assert_eq!(alice.client.request(&request.id).await.unwrap().state, "denied");
    }
}

/// An engine that says what it is told to say.
#[derive(Debug, Default)]
struct Scripted(std::sync::Mutex<Vec<String>>);

#[async_trait]
impl Engines for Scripted {
    async fn faults(&self, _: &Policy) -> Vec<Fault> {
        Vec::new()
    }

    async fn ask(&self, ask: &Ask, about: About<'_>) -> Opinion {
        let reason = about.situation.intent.reason();
        self.0.lock().unwrap().push(format!("{} {reason}", ask.rule));
        match reason {
            "objected" => Opinion::Answered {
                denies: vec!["no such change".to_owned()],
                warns: Vec::new(),
                allows: false,
            },
            "silent" => Opinion::Failed { reason: "no answer in time".to_owned() },
            _ => Opinion::Answered { denies: Vec::new(), warns: Vec::new(), allows: false },
        }
    }
}

const ASKING: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: open
    when: {intent.environment: production}
    allow: {}
  - id: opa
    when: {intent.environment: production}
    ask: {engine: opa, dialect: assent, url: 'https://opa.example.com/v1/data/x'}
";

#[tokio::test]
async fn t49_an_engine_can_object_and_its_silence_refuses() {
    let engines = Arc::new(Scripted::default());
    let source = Source::Given(documents(ASKING));
    let setup =
        Setup { source, engines: Arc::clone(&engines) as Arc<dyn Engines>, ..Setup::default() };
    let server = Server::set_up(setup).await;
    let alice = server.person("alice").await;
    let file = async |environment: &str, reason: &str| {
        alice.client.file(&filing(environment, reason), &fresh_key()).await.unwrap()
    };
    assert_eq!(file("production", "fine").await.state, "approved");
    let objected = file("production", "objected").await;
    assert!(objected.ruling.reasons[0].message.contains("no such change"), "{objected:?}");
    let silent = file("production", "silent").await;
    assert!(silent.ruling.rules.contains("error:opa"), "{silent:?}");
    assert_eq!(file("elsewhere", "nobody is asked").await.state, "denied");
    assert_eq!(*engines.0.lock().unwrap(), ["opa fine", "opa objected", "opa silent"]);
    let entries = alice.client.entries(0).await.unwrap().entries;
    let filed = entries.iter().find(|e| e.event["request"] == silent.id.as_str()).unwrap();
    let said = &filed.event["known"]["opinions"]["opa"]["failed"]["reason"];
    assert_eq!(said, "no answer in time");
}

#[tokio::test]
async fn t49_without_an_engine_what_asks_one_is_refused() {
    let server = Server::ruled_by(ASKING).await;
    let alice = server.person("alice").await;
    let refused = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(refused.state, "denied");
    assert!(refused.ruling.reasons[0].message.contains("no engine is set up"), "{refused:?}");
}

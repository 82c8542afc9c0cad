//! Groups that the identity provider vouches for, as access records carry them.

use assent_client::{ErrorKind, wire};
use assent_core::time::Span;
use serde_json::json;

use crate::support::{Caller, Server, approve, filing, fresh_key, mint, sent};

const VOUCHED: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  oncall: {identity: true}
  security: [person:sue]
rules:
  - id: oncall
    when: {intent.environment: production}
    require: {stages: [{name: look, approvals: 1, from: [group:oncall]}]}
  - id: security
    when: {intent.environment: secure}
    require: {stages: [{name: look, approvals: 1, from: [group:security]}]}
";

#[tokio::test]
async fn who_is_vouched_for_approves_as_long_as_the_record_lives() {
    let server = Server::ruled_by(VOUCHED).await;
    let alice = server.person("alice").await;
    let (olga, bob) = (server.member("olga", &["oncall"]).await, server.person("bob").await);
    let file = async |reason| {
        alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap()
    };
    let request = file("first").await;
    assert_eq!(request.stages[0].awaited, ["olga"]);
    assert_eq!(approve(&bob, &request).await.unwrap_err().code(), Some("not_asked"));
    assert_eq!(approve(&olga, &request).await.unwrap().state, "approved");
    // Her record ends before the grant is used: she counts no longer.
    server.time().pass(Span::minutes(59));
    let kept = file("second").await;
    approve(&olga, &kept).await.unwrap();
    server.time().pass(Span::minutes(1));
    assert_eq!(mint(&alice, &kept).await.unwrap_err().code(), Some("no_longer_approved"));
}

#[tokio::test]
async fn t11_what_was_minted_opens_nothing_once_who_approved_is_put_out() {
    let server = Server::ruled_by(VOUCHED).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let sue = server.person("sue").await;
    let (olga, oscar) =
        (server.member("olga", &["oncall"]).await, server.member("oscar", &["oncall"]).await);
    let minted = async |environment, by: &Caller, reason| {
        let filed = alice.client.file(&filing(environment, reason), &fresh_key()).await.unwrap();
        approve(by, &filed).await.unwrap();
        mint(&alice, &filed).await.unwrap()
    };
    let opens = async |credential: &wire::Credential| {
        let form = [("token", credential.token.as_str())];
        let answer = alice.form("/oauth/introspect", &form).await.is(200);
        answer.json()["active"] == json!(true)
    };
    server.time().pass(Span::minutes(50));
    let by_olga = minted("production", &olga, "olga").await;
    let by_oscar = minted("production", &oscar, "oscar").await;
    let by_sue = minted("secure", &sue, "sue").await;
    for credential in [&by_olga, &by_oscar, &by_sue] {
        assert!(opens(credential).await);
    }
    take_back(&root, &oscar).await;
    let without_sue = VOUCHED.replace("[person:sue]", "[person:sam]");
    server.authority.replace_policy(crate::support::policy(&without_sue));
    assert!(!opens(&by_oscar).await, "his token was taken back");
    assert!(!opens(&by_sue).await, "policy lists her no more");
    // Signed in for an hour, she is signed out by now; that takes nothing back.
    server.time().pass(Span::minutes(10));
    olga.client.whoami().await.unwrap_err();
    assert!(opens(&by_olga).await);
}

#[tokio::test]
async fn a_record_that_is_taken_back_vouches_for_nobody() {
    let server = Server::ruled_by(VOUCHED).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let olga = server.member("olga", &["oncall"]).await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&olga, &request).await.unwrap();
    let id = format!("acc_{}", olga.token().split('_').nth(1).unwrap());
    root.client.revoke_access(&id, &fresh_key()).await.unwrap();
    assert_eq!(mint(&alice, &request).await.unwrap_err().code(), Some("no_longer_approved"));
}

#[tokio::test]
async fn t12_a_token_puts_nobody_into_a_group_that_the_documents_list() {
    let server = Server::ruled_by(VOUCHED).await;
    let alice = server.person("alice").await;
    let mallory = server.member("mallory", &["security"]).await;
    let request = alice.client.file(&filing("secure", "r"), &fresh_key()).await.unwrap();
    assert_eq!(request.stages[0].awaited, ["sue"]);
    assert_eq!(approve(&mallory, &request).await.unwrap_err().code(), Some("not_asked"));
}

async fn take_back(root: &Caller, token: &Caller) {
    let id = format!("acc_{}", token.token().split('_').nth(1).unwrap());
    root.client.revoke_access(&id, &fresh_key()).await.unwrap();
}

#[tokio::test]
async fn t11_a_browsers_session_vouches_for_nobody_whose_token_is_taken_back() {
    let server = Server::ruled_by(VOUCHED).await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let carol = server.member("carol", &["oncall"]).await;
    let own = server.base().to_owned();
    let form = server.stranger().call("POST", "/login").header("origin", &own);
    let signed_in = sent(form.form(&[("token", carol.token())])).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text);
    let (used, kept) = {
        let file = async |reason| {
            alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap()
        };
        (file("first").await, file("second").await)
    };
    approve(&carol, &used).await.unwrap();
    approve(&carol, &kept).await.unwrap();
    mint(&alice, &used).await.unwrap();
    take_back(&root, &carol).await;
    let refused = mint(&alice, &kept).await.unwrap_err();
    assert_eq!((refused.code(), refused.kind), (Some("no_longer_approved"), ErrorKind::Conflict));
    let awaits = alice.client.file(&filing("production", "third"), &fresh_key()).await.unwrap();
    assert!(!awaits.stages[0].awaited.contains(&"carol".to_owned()), "{awaits:?}");
}

const CONTRACTORS: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  contractors: {identity: true}
rules:
  - id: production
    when: {intent.environment: production}
    allow: {}
  - id: not-for-contractors
    when: {intent.environment: production, requester.groups: {contains: contractors}}
    deny: {message: not for contractors}
";

#[tokio::test]
async fn t12_a_second_token_without_the_group_evades_no_rule() {
    let server = Server::ruled_by(CONTRACTORS).await;
    let root = server.administrator().await;
    let (marked, plain) =
        (server.member("mallory", &["contractors"]).await, server.member("mallory", &[]).await);
    let decisions = async |who: &Caller| {
        let filed = filing("production", "r");
        let request = who.client.file(&filed, &fresh_key()).await.unwrap();
        let decided = who.client.decide(&filed).await.unwrap();
        let asked = json!({
            "subject": {"type": "person", "id": "mallory"},
            "action": {"name": "terraform.apply"},
            "resource": {"type": "workspace", "id": "payments"},
            "context": {"environment": "production", "reason": "r"},
        });
        let evaluated = who.post("/access/v1/evaluation", &asked).await.is(200).json();
        (request, decided.ruling.outcome, evaluated["decision"].clone())
    };
    for token in [&marked, &plain] {
        let (request, decided, evaluated) = decisions(token).await;
        assert_eq!((request.state.as_str(), decided), ("denied", wire::Said::Refuse));
        assert_eq!(evaluated, json!(false));
        assert!(request.requester.groups.contains("contractors"), "{request:?}");
    }
    // Of another principal of the same name, and of a record that is over, nothing is said.
    let robot = server.workload("mallory", &[]).await;
    let decided = robot.client.decide(&filing("production", "r")).await.unwrap();
    assert_eq!(decided.ruling.outcome, wire::Said::Permit);
    take_back(&root, &marked).await;
    let (request, ..) = decisions(&plain).await;
    assert_eq!(request.state, "approved");
}

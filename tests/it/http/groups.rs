//! Groups that the identity provider vouches for, as access records carry them.

use assent_core::time::Span;

use crate::support::{Server, approve, filing, fresh_key, mint};

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

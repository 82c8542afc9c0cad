//! A request from its filing to the end of its credential.

use std::time::Duration;

use assent_client::Secret;
use assent_client::wire::{self, Said};
use assent_core::wire::History;

use crate::support::{Server, approve, deny, filing, fresh_key, mint};

async fn whole_life(server: Server) {
    let (alice, bob, carol) = server.people().await;
    let filed = alice.client.file(&filing("production", "deploy 42"), &fresh_key()).await.unwrap();
    assert_eq!((filed.state.as_str(), filed.version), ("pending", 1));
    assert_eq!(filed.url, format!("{}/requests/{}", server.base(), filed.id));
    assert_eq!(filed.ruling.outcome, Said::Require);
    let awaited = ["person:bob", "person:carol", "person:dave"];
    assert!(
        filed.stages[0].awaited.len() == 3,
        "{:?} are not {awaited:?}",
        filed.stages[0].awaited
    );

    let waiting = {
        let (alice, id) = (alice.clone(), filed.id.clone());
        tokio::spawn(async move { alice.client.until_settled(&id, None, |_| {}).await })
    };
    let first = approve(&bob, &filed).await.unwrap();
    assert_eq!((first.state.as_str(), first.stages[0].counted.len()), ("pending", 1));
    let second = approve(&carol, &filed).await.unwrap();
    assert_eq!((second.state.as_str(), second.approved_by.len()), ("approved", 2));
    let answered = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert_eq!(answered.unwrap().unwrap().unwrap().state, "approved");

    let credential = mint(&alice, &filed).await.unwrap();
    let token = Secret::new(credential.token.clone());
    assert_eq!(credential.claims["iss"], server.base());
    assert_eq!(credential.claims["aud"], "aws");
    assert_eq!(credential.claims["jti"], credential.id);
    assert_eq!(credential.claims["request_id"], filed.id);
    let seen = bob.client.introspect(&token).await.unwrap();
    assert!(seen.active);
    assert_eq!(seen.claims["jti"], credential.id);

    let spent = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap();
    assert!(spent.active);
    let again = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(again.code(), Some("credential_spent"));
    assert!(!bob.client.introspect(&token).await.unwrap().active);

    let over = alice.client.complete(&filed.id, &fresh_key()).await.unwrap();
    assert_eq!(over.state, "consumed");
    assert!(!bob.client.introspect(&token).await.unwrap().active);
    assert_eq!(over.credentials[0].status, "completed");
    let late = mint(&alice, &filed).await.unwrap_err();
    assert_eq!(late.code(), Some("not_approved"));
    verify_log(&bob).await;
}

/// The log over HTTP, from its beginning, against its checkpoint.
pub(crate) async fn verify_log(reader: &crate::support::Caller) -> wire::Summary {
    let checkpoint = reader.client.checkpoint().await.unwrap();
    let mut history = History::default();
    for entry in reader.client.entries(0).await.unwrap().entries {
        history.read(&entry).unwrap();
    }
    history.finish(&checkpoint).unwrap()
}

#[tokio::test]
async fn two_approve_and_the_credential_is_good_until_it_is_over() {
    whole_life(Server::start().await).await;
}

#[tokio::test]
async fn t66_the_same_on_a_ledger_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    whole_life(Server::on_file(&folder.path().join("ledger.sqlite")).await).await;
}

#[tokio::test]
async fn what_policy_permits_is_approved_at_once() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let filed = alice.client.file(&filing("staging", "try"), &fresh_key()).await.unwrap();
    assert_eq!((filed.state.as_str(), filed.ruling.outcome), ("approved", Said::Permit));
    assert!(filed.stages.is_empty() && filed.approved_by.is_empty());
    mint(&alice, &filed).await.unwrap();
}

#[tokio::test]
async fn what_policy_refuses_is_on_record_as_denied() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let mut refused = filing("production", "look around");
    refused.intent.kind = "database.session".to_owned();
    let filed = alice.client.file(&refused, &fresh_key()).await.unwrap();
    assert_eq!((filed.state.as_str(), filed.ruling.outcome), ("denied", Said::Refuse));
    let reason = filed.ending.as_ref().unwrap().reason.clone();
    assert!(reason.contains("use the read replica"), "{reason}");
    let elsewhere = alice.client.file(&filing("mars", "r"), &fresh_key()).await.unwrap();
    assert_eq!(elsewhere.state, "denied", "what no rule speaks of is refused");
    assert_eq!(approve(&bob, &filed).await.unwrap_err().code(), Some("not_pending"));
    assert_eq!(mint(&alice, &filed).await.unwrap_err().code(), Some("not_approved"));
}

#[tokio::test]
async fn one_denial_ends_it_with_who_and_why() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let filed = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &filed).await.unwrap();
    let denied = deny(&carol, &filed).await.unwrap();
    let ending = denied.ending.unwrap();
    assert_eq!(denied.state, "denied");
    assert!(ending.by.unwrap().contains("carol"));
    assert_eq!(ending.reason, "as discussed");
    assert_eq!(mint(&alice, &filed).await.unwrap_err().code(), Some("not_approved"));
}

#[tokio::test]
async fn a_decision_is_told_and_not_stored() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let before = alice.client.checkpoint().await.unwrap();
    let said = alice.client.decide(&filing("production", "r")).await.unwrap();
    assert_eq!(said.ruling.outcome, Said::Require);
    // Rules for other environments and kinds have nothing to say here.
    let told: Vec<_> = said.explanation.iter().map(|account| account.rule.as_str()).collect();
    assert_eq!(told, ["production"]);
    assert_eq!(alice.client.checkpoint().await.unwrap(), before);
    let filed = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(said.digest, filed.digest);
}

#[tokio::test]
async fn what_is_canceled_or_revoked_stays_so() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let pending = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let stranger = bob.client.cancel(&pending.id, "", &fresh_key()).await.unwrap_err();
    assert_eq!(stranger.code(), Some("not_requester"));
    let canceled = alice.client.cancel(&pending.id, "not today", &fresh_key()).await.unwrap();
    assert_eq!(
        (canceled.state.as_str(), canceled.ending.unwrap().reason.as_str()),
        ("canceled", "not today")
    );
    assert_eq!(approve(&bob, &pending).await.unwrap_err().code(), Some("not_pending"));
    let twice = alice.client.cancel(&pending.id, "", &fresh_key()).await.unwrap_err();
    assert_eq!(twice.code(), Some("not_pending"));

    let granted = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let early = alice.client.revoke(&granted.id, "", &fresh_key()).await.unwrap_err();
    assert_eq!(early.code(), Some("not_granted"));
    let early = alice.client.complete(&granted.id, &fresh_key()).await.unwrap_err();
    assert_eq!(early.code(), Some("not_granted"));
    approve(&bob, &granted).await.unwrap();
    let credential = mint(&alice, &granted).await.unwrap();
    let token = Secret::new(credential.token);
    let eve = server.person("eve").await;
    let foreign = eve.client.revoke(&granted.id, "mine", &fresh_key()).await.unwrap_err();
    assert_eq!(foreign.code(), Some("not_yours"));
    let revoked = carol.client.revoke(&granted.id, "wrong branch", &fresh_key()).await.unwrap();
    assert!(["revoked", "consumed"].contains(&revoked.state.as_str()), "{}", revoked.state);
    assert_eq!(revoked.credentials[0].status, "revoked");
    assert!(!bob.client.introspect(&token).await.unwrap().active);
    let spent = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(spent.code(), Some("credential_inactive"));
}

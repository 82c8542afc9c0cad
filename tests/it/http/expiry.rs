//! What time alone does.

use std::time::Duration;

use assent_client::Secret;
use assent_client::wire::MintRequest;
use assent_core::time::Span;

use crate::support::{Server, approve, filing, fresh_key, mint};

#[tokio::test]
async fn t20_a_request_nobody_decided_expires() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    server.time().pass(Span::hours(4));
    let late = approve(&carol, &request).await.unwrap_err();
    assert!(matches!(late.code(), Some("too_late" | "not_pending")), "{late}");
    let expired = alice.client.request(&request.id).await.unwrap();
    assert_eq!(expired.state, "expired");
    assert!(expired.ending.unwrap().reason.contains("its time was up"));
    assert_eq!(mint(&alice, &request).await.unwrap_err().code(), Some("not_approved"));
}

#[tokio::test]
async fn t20_a_grant_nobody_used_expires() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    server.time().pass(Span::minutes(59));
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "approved");
    server.time().pass(Span::minutes(1));
    let late = mint(&alice, &request).await.unwrap_err();
    assert!(matches!(late.code(), Some("too_late" | "not_approved")), "{late}");
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "expired");
}

#[tokio::test]
async fn t19_a_grant_that_has_expired_does_not_come_back_when_the_clock_is_set_back() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    server.time().pass(Span::hours(1));
    let _ = bob.client.whoami().await.unwrap();
    server.time().set_back(3_600_000);
    mint(&alice, &request).await.unwrap_err();
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "expired");
}

#[tokio::test]
async fn a_credential_ends_by_the_shortest_of_all_limits() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for (asked, stated, minutes) in [
        (None, None, 15),
        (Some("10m"), None, 10),
        (Some("2h"), None, 15),
        (Some("10m"), Some("5m"), 5),
    ] {
        let mut filing = filing("staging", "r");
        filing.intent.duration = stated.map(str::to_owned);
        let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
        let ttl = asked.map(str::to_owned);
        let wanted = MintRequest { audience: "aws".to_owned(), ttl, ..Default::default() };
        let minted = alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap();
        let life = minted.claims["exp"].as_i64().unwrap() - minted.claims["iat"].as_i64().unwrap();
        assert_eq!(life, minutes * 60, "{asked:?} {stated:?}");
    }
}

#[tokio::test]
async fn t20_an_expired_credential_is_inactive() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let token = Secret::new(mint(&alice, &request).await.unwrap().token);
    server.time().pass(Span::minutes(14));
    assert!(bob.client.introspect(&token).await.unwrap().active);
    server.time().pass(Span::minutes(1));
    assert!(!bob.client.introspect(&token).await.unwrap().active);
    let spent = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(spent.code(), Some("credential_inactive"));
}

#[tokio::test]
async fn the_sweep_puts_deadlines_on_record_and_wakes_whoever_waits() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let parked = {
        let (alice, id) = (alice.clone(), request.id.clone());
        tokio::spawn(async move { alice.client.wait(&id, 1, Duration::from_secs(60)).await })
    };
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
    server.time().pass(Span::hours(4));
    assert_eq!(server.authority.sweep().await.unwrap(), 1);
    let told = tokio::time::timeout(Duration::from_secs(10), parked).await.unwrap();
    assert_eq!(told.unwrap().unwrap().state, "expired");
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
}

//! Parked callers: answered when something happens, and soon.

use std::time::{Duration, Instant};

use crate::support::{Caller, Server, approve, deny, filing, fresh_key};

fn parked(who: &Caller, id: &str, after: u64) -> tokio::task::JoinHandle<(String, Instant)> {
    let (who, id) = (who.clone(), id.to_owned());
    tokio::spawn(async move {
        let request = who.client.wait(&id, after, Duration::from_secs(50)).await.unwrap();
        (request.state, Instant::now())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn t59_a_parked_caller_is_answered_at_the_approval() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    for _ in 0..20 {
        let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
        let parked = parked(&alice, &request.id, request.version);
        tokio::time::sleep(Duration::from_millis(5)).await;
        approve(&bob, &request).await.unwrap();
        let acknowledged = Instant::now();
        let (state, at) = parked.await.unwrap();
        assert_eq!(state, "approved");
        let took = at.saturating_duration_since(acknowledged);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t60_a_hundred_parked_callers_are_all_answered() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let other = alice.client.file(&filing("one", "other"), &fresh_key()).await.unwrap();
    let all: Vec<_> = (0..100).map(|_| parked(&alice, &request.id, request.version)).collect();
    let apart = parked(&alice, &other.id, other.version);
    deny(&bob, &request).await.unwrap();
    for one in all {
        assert_eq!(one.await.unwrap().0, "denied");
    }
    assert!(!apart.is_finished(), "another request's caller was answered");
    approve(&bob, &other).await.unwrap();
    assert_eq!(apart.await.unwrap().0, "approved");
}

#[tokio::test]
async fn who_waits_for_what_has_been_is_answered_at_once() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let begun = Instant::now();
    let same = alice.client.wait(&request.id, 0, Duration::from_secs(50)).await.unwrap();
    assert_eq!(same.version, 1);
    approve(&bob, &request).await.unwrap();
    let moved = alice.client.wait(&request.id, 1, Duration::from_secs(50)).await.unwrap();
    assert_eq!(moved.state, "approved");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_wait_that_is_over_answers_with_what_is() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let path = format!("/v1/requests/{}/wait?after=1&timeout=1s", request.id);
    let answer = alice.get(&path).await.is(200);
    assert_eq!(answer.json()["version"], 1);
    let path = format!("/v1/requests/{}/wait?after=99&timeout=0s", request.id);
    assert_eq!(alice.get(&path).await.is(200).json()["state"], "pending");
}

#[tokio::test]
async fn who_hangs_up_while_parked_leaves_no_trace() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    for _ in 0..10 {
        let parked = parked(&alice, &request.id, request.version);
        tokio::time::sleep(Duration::from_millis(2)).await;
        parked.abort();
    }
    let last = parked(&alice, &request.id, request.version);
    approve(&bob, &request).await.unwrap();
    assert_eq!(last.await.unwrap().0, "approved");
}

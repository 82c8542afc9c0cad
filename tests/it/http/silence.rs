//! Requests that end with whoever waits for them (row 59: nobody is asked about what nobody waits for).

use assent_client::{Client, wire};
use assent_core::time::Span;
use serde_json::json;

use crate::support::{Caller, Server, approve, eventually, filing, fresh_key};

fn listened(reason: &str) -> wire::Filing {
    let heartbeat = Some("2m".to_owned());
    wire::Filing { heartbeat, reattach: true, ..filing("production", reason) }
}

async fn file(who: &Client, filing: &wire::Filing) -> wire::Request {
    who.file(filing, &fresh_key()).await.unwrap()
}

async fn state(who: &Caller, request: &wire::Request) -> String {
    who.client.request(&request.id).await.unwrap().state
}

async fn start() -> (Server, Caller) {
    let server = Server::start().await;
    server.authority.sweep().await.unwrap();
    let alice = server.person("alice").await;
    (server, alice)
}

async fn lost(who: &Caller) -> Vec<wire::Entry> {
    let entries = who.client.entries(0).await.unwrap().entries;
    entries.into_iter().filter(|e| e.event["type"] == "requester_lost").collect()
}

#[tokio::test]
async fn t59_a_pending_request_ends_with_the_silence_of_who_waits_for_it() {
    let (server, alice) = start().await;
    let request = file(&alice.client, &listened("r")).await;
    assert_eq!((request.state.as_str(), request.heartbeat.as_deref()), ("pending", Some("2m")));
    for round in 0..4 {
        let now = server.time().pass(Span::seconds(119));
        if round % 2 == 0 {
            // Both ways to be heard of are as good.
            let heard = alice.client.request_heartbeat(&request.id).await.unwrap();
            assert_eq!(heard.heartbeat.as_deref(), Some("2m"));
            assert_eq!(heard.heartbeat_due, Some(now.plus(Span::minutes(2)).to_string()));
        } else {
            alice.client.wait(&request.id, 0, std::time::Duration::ZERO).await.unwrap();
        }
    }
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
    server.time().pass(Span::seconds(119));
    assert_eq!(state(&alice, &request).await, "pending", "and looking is no sign of life");
    server.time().pass(Span::seconds(1));
    // The clock alone ends it, whether or not a sweep ran: nobody approves it any more.
    let bob = server.person("bob").await;
    let late = approve(&bob, &request).await.unwrap_err();
    assert_eq!(late.code(), Some("not_pending"));
    let ended = alice.client.request(&request.id).await.unwrap();
    assert_eq!(ended.state, "canceled");
    let ending = ended.ending.unwrap();
    assert_eq!(
        (ending.by, ending.reason.as_str()),
        (None, "its requester was not heard of for 2m")
    );
    assert_eq!(ended.heartbeat, None, "nobody listens any more");
    let over = alice.client.request_heartbeat(&request.id).await.unwrap_err();
    assert_eq!(over.code(), Some("not_pending"));
    let lost = lost(&alice).await;
    assert_eq!(lost.len(), 1);
    assert!(lost[0].event.get("by").is_none() && lost[0].event["last"].is_string());
    super::life::verify_log(&alice).await;
}

#[tokio::test]
async fn t59_a_silence_that_nobody_asks_about_is_ended_by_the_sweep() {
    let (server, alice) = start().await;
    let silent = file(&alice.client, &listened("one")).await;
    let plain = file(&alice.client, &filing("production", "plain")).await;
    let quiet = alice.client.request_heartbeat(&plain.id).await.unwrap();
    assert_eq!(quiet, wire::Heartbeat::default(), "nobody listens for it");
    server.time().pass(Span::minutes(2));
    assert_eq!(server.authority.sweep().await.unwrap(), 1);
    assert_eq!(lost(&alice).await.len(), 1);
    assert_eq!(state(&alice, &silent).await, "canceled");
    assert_eq!(state(&alice, &plain).await, "pending");
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn t59_whoever_is_parked_is_there_and_any_of_those_who_wait_keeps_it() {
    let (server, alice) = start().await;
    let request = file(&alice.client, &listened("r")).await;
    let parked = {
        let (client, id, after) = (alice.client.clone(), request.id.clone(), request.version);
        tokio::spawn(
            async move { client.wait(&id, after, std::time::Duration::from_secs(60)).await },
        )
    };
    // Somebody else's wait, with the same rights to look, is no sign of life of hers.
    let bob = server.person("bob").await;
    // Parked calls are counted once they are in; until then time does not run.
    eventually("the call is parked", async || server.authority.awaits(&request.id).then_some(()))
        .await;
    for _ in 0..3 {
        server.time().pass(Span::minutes(3));
        assert_eq!(server.authority.sweep().await.unwrap(), 0);
        assert_eq!(state(&alice, &request).await, "pending");
    }
    // She has the whole time again when the call is gone: its answer was lost on the way, say.
    parked.abort();
    assert!(parked.await.unwrap_err().is_cancelled());
    eventually("the call is gone", async || (!server.authority.awaits(&request.id)).then_some(()))
        .await;
    server.time().pass(Span::seconds(119));
    // Another job of hers meets it: that is heard too, whatever it asks for itself.
    let met = file(&alice.client, &wire::Filing { heartbeat: None, ..listened("r") }).await;
    assert_eq!((&met.id, met.heartbeat.as_deref()), (&request.id, Some("2m")));
    server.time().pass(Span::seconds(119));
    bob.client.wait(&request.id, 0, std::time::Duration::ZERO).await.unwrap();
    server.time().pass(Span::seconds(1));
    assert_eq!(state(&bob, &request).await, "canceled", "who looks is not who waits");
    let again = file(&alice.client, &listened("r")).await;
    assert_ne!(again.id, request.id, "what ended is asked anew");
}

#[tokio::test]
async fn t59_a_granted_request_does_not_end_with_who_waited() {
    let (server, alice) = start().await;
    let granted = file(&alice.client, &wire::Filing { ..listened("r") }).await;
    for name in ["bob", "carol"] {
        approve(&server.person(name).await, &granted).await.unwrap();
    }
    let at_once = wire::Filing { heartbeat: Some("15s".to_owned()), ..filing("staging", "r") };
    let at_once = file(&alice.client, &at_once).await;
    assert_eq!((at_once.state.as_str(), at_once.heartbeat.as_deref()), ("approved", None));
    server.time().pass(Span::minutes(10));
    server.authority.sweep().await.unwrap();
    for request in [granted, at_once] {
        assert_eq!(state(&alice, &request).await, "approved");
        let over = alice.client.request_heartbeat(&request.id).await.unwrap_err();
        assert_eq!(over.code(), Some("not_pending"));
    }
}

#[tokio::test]
async fn t59_nobody_but_the_requester_is_heard_for_it_and_the_time_has_bounds() {
    let (server, alice) = start().await;
    let request = file(&alice.client, &listened("r")).await;
    let bob = server.person("bob").await;
    let refused = bob.client.request_heartbeat(&request.id).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_requester"));
    let path = format!("/v1/requests/{}/heartbeat", request.id);
    assert_eq!(server.stranger().post(&path, &json!({})).await.status, 401);
    let robot = server.workload("robot", &[]).await;
    let hidden = robot.client.request_heartbeat(&request.id).await.unwrap_err();
    assert_eq!(hidden.code(), Some("not_found"));
    for text in ["14s", "61m", "0s", "soon", "-2m", ""] {
        let wanted = wire::Filing { heartbeat: Some(text.to_owned()), ..filing("production", "x") };
        let refused = alice.client.file(&wanted, &fresh_key()).await.unwrap_err();
        assert!(refused.to_string().contains("heartbeat"), "{text}: {refused}");
    }
    for text in ["15s", "1h"] {
        let wanted =
            wire::Filing { heartbeat: Some(text.to_owned()), ..filing("production", text) };
        assert_eq!(file(&alice.client, &wanted).await.heartbeat.as_deref(), Some(text));
    }
}

#[tokio::test]
async fn t59_an_outage_of_the_authority_is_nobodys_silence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let server = Server::on_file(&path).await;
    server.authority.sweep().await.unwrap();
    let alice = server.person("alice").await;
    let request = file(&alice.client, &listened("r")).await;
    let token = alice.token().to_owned();
    let remains = server.stop().await;
    remains.time.pass(Span::minutes(30));
    let server = Server::on_file_again(&path, remains, crate::support::POLICY).await;
    let alice = server.holder_of(&token);
    assert_eq!(state(&alice, &request).await, "pending");
    server.authority.sweep().await.unwrap();
    assert_eq!(state(&alice, &request).await, "pending", "nobody was there to hear it");
    server.time().pass(Span::seconds(119));
    assert_eq!(state(&alice, &request).await, "pending");
    server.time().pass(Span::seconds(1));
    assert_eq!(state(&alice, &request).await, "canceled", "its grace is its own time, no more");
}

//! What is bound to one exact thing: which plan is of which file, and that what begins, begins once.

use std::path::Path;

use assent_core::digest::Digest;
use assent_core::time::Span;
use serde_json::{Value, json};

use crate::support::{
    Answer, Caller, POLICY, Server, approve, filing, fresh_key, mint, policy, sent,
};

fn plan(name: &str) -> Vec<u8> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/own").join(name);
    std::fs::read(place).unwrap()
}

async fn hand_in(who: &Caller, name: &str, saved: &str) -> Answer {
    let call = who.call("POST", &format!("/v1/plans?saved={saved}"));
    sent(call.header("content-type", "application/json").body(plan(name))).await
}

#[tokio::test]
async fn which_plan_is_of_a_saved_file_is_each_caller_s_own_word() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let saved = Digest::of(b"saved").to_string();
    let path = format!("/v1/plans/saved/{saved}");
    alice.get(&path).await.refuses(404, "not_found");
    let taken = hand_in(&alice, "made-create.json", &saved).await.is(200).str("digest");
    assert_eq!(alice.get(&path).await.is(200).json(), json!({"saved": saved, "plan": taken}));
    bob.get(&path).await.refuses(404, "not_found");
    let log = alice.client.entries(0).await.unwrap().entries;
    let entry = &log.last().unwrap().event;
    assert_eq!((&entry["plan"], &entry["saved"]), (&json!(taken), &json!(saved)));
    // The same again says nothing new; another word replaces it, a plan that was there too.
    hand_in(&alice, "made-create.json", &saved).await.is(200);
    assert_eq!(alice.client.entries(0).await.unwrap().entries.len(), log.len());
    let other = hand_in(&alice, "made-destroy.json", &saved).await.is(200).str("digest");
    assert_eq!(alice.get(&path).await.is(200).str("plan"), other);
    hand_in(&alice, "made-create.json", &saved).await.is(200);
    assert_eq!(alice.get(&path).await.is(200).str("plan"), taken);
}

#[tokio::test]
async fn what_is_no_digest_is_refused_before_the_plan_is_read() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let answer = hand_in(&alice, "made-create.json", "sha256:12").await;
    assert_eq!(answer.json()["errors"][0]["field"], "saved");
    answer.refuses(422, "invalid");
    let unknown = alice.call("POST", "/v1/plans?of=x").header("content-type", "application/json");
    sent(unknown.body(plan("made-create.json"))).await.refuses(422, "invalid");
    alice.get("/v1/plans/saved/nonsense").await.refuses(404, "not_found");
}

#[tokio::test]
async fn the_newest_request_of_an_intent_is_found_by_whoever_filed_it() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let filed = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let newest = async |who: &Caller| who.client.newest_of(&filed.digest).await.unwrap();
    assert_eq!(newest(&alice).await.map(|found| found.id), Some(filed.id.clone()));
    assert_eq!(newest(&bob).await, None);
    alice.client.cancel(&filed.id, "", &fresh_key()).await.unwrap();
    // Newer is what was filed at a later time.
    server.time().pass(Span::seconds(1));
    assert_eq!(newest(&alice).await.map(|found| found.state).as_deref(), Some("canceled"));
    let again = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(newest(&alice).await.map(|found| found.id), Some(again.id));
    alice.get("/v1/intents/nonsense").await.refuses(404, "not_found");
}

/// Files so that an open request is met.
async fn meet(who: &Caller) -> Value {
    let body = json!({"intent": filing("one", "r").intent, "reattach": true});
    who.post("/v1/requests", &body).await.json()
}

#[tokio::test]
async fn t05_what_is_begun_is_begun_once_and_met_no_more() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let filed = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let path = format!("/v1/requests/{}/begin", filed.id);
    alice.post(&path, &json!({})).await.refuses(409, "not_approved");
    approve(&bob, &filed).await.unwrap();
    bob.post(&path, &json!({})).await.refuses(403, "not_requester");
    assert_eq!(meet(&alice).await["id"], filed.id);
    let nothing = json!({});
    let (first, second) = tokio::join!(alice.post(&path, &nothing), alice.post(&path, &nothing));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
    let told = alice.post(&path, &json!({})).await.refuses(409, "begun_already");
    assert!(told.contains("file it again"), "{told}");
    let again = meet(&alice).await;
    assert_ne!(again["id"], filed.id);
    assert_eq!(meet(&alice).await["id"], again["id"]);
    // What has begun is still granted.
    mint(&alice, &filed).await.unwrap();
    let log = alice.client.entries(0).await.unwrap().entries;
    let begun = log.iter().filter(|entry| entry.event["begun"] == json!(filed.id)).count();
    assert_eq!(begun, 1);
}

#[tokio::test]
async fn t56_a_beginning_sent_again_is_the_same() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let filed = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &filed).await.unwrap();
    let key = fresh_key();
    let first = alice.client.begin(&filed.id, &key).await.unwrap();
    assert_eq!(alice.client.begin(&filed.id, &key).await.unwrap(), first);
    let other = alice.client.begin(&filed.id, &fresh_key()).await.unwrap_err();
    assert_eq!(other.code(), Some("begun_already"));
}

#[tokio::test]
async fn t11_who_left_the_group_before_the_beginning_does_not_count() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let filed = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &filed).await.unwrap();
    let before = alice.client.checkpoint().await.unwrap().size;
    server.authority.replace_policy(policy(&POLICY.replace("person:bob", "person:dave")));
    let error = alice.client.begin(&filed.id, &fresh_key()).await.unwrap_err();
    assert_eq!(error.code(), Some("no_longer_approved"));
    assert_eq!(alice.client.checkpoint().await.unwrap().size, before, "it is on record as begun");
    server.authority.replace_policy(policy(POLICY));
    alice.client.revoke(&filed.id, "no more", &fresh_key()).await.unwrap();
    let error = alice.client.begin(&filed.id, &fresh_key()).await.unwrap_err();
    assert_eq!(error.code(), Some("not_approved"));
}

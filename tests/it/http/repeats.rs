//! The same wish sent again: one effect, one answer.

use assent_client::Secret;
use assent_client::wire::{self, MintRequest};
use serde_json::json;

use crate::support::{Server, approve, filing, fresh_key};

#[tokio::test]
async fn t56_a_filing_sent_again_is_the_same_request() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let body = serde_json::to_value(filing("production", "r")).unwrap();
    let first = alice.post_again("key-number-1", "/v1/requests", &body).await.is(201);
    let size = alice.client.checkpoint().await.unwrap().size;
    let again = alice.post_again("key-number-1", "/v1/requests", &body).await.is(201);
    assert_eq!(first.text, again.text);
    assert_eq!(alice.client.checkpoint().await.unwrap().size, size);
    let other = serde_json::to_value(filing("production", "another")).unwrap();
    alice.post_again("key-number-1", "/v1/requests", &other).await.refuses(422, "key_reused");
    let of_bob = bob.post_again("key-number-1", "/v1/requests", &body).await.is(201);
    assert_ne!(of_bob.str("id"), first.str("id"), "a key is its caller's own");
    let fresh = alice.post_again("key-number-2", "/v1/requests", &body).await.is(201);
    assert_ne!(fresh.str("id"), first.str("id"));
}

#[tokio::test]
async fn t56_a_review_sent_again_is_one_review() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let path = format!("/v1/requests/{}/reviews", request.id);
    let body = json!({"verdict": "approve", "comment": "ok", "digest": request.digest});
    let first = bob.post_again("key-number-1", &path, &body).await.is(200);
    approve(&carol, &request).await.unwrap();
    let again = bob.post_again("key-number-1", &path, &body).await.is(200);
    assert_eq!(again.text, first.text, "the answer is that of then");
    let other = json!({"verdict": "deny", "comment": "no", "digest": request.digest});
    bob.post_again("key-number-1", &path, &other).await.refuses(422, "key_reused");
    assert_eq!(bob.client.request(&request.id).await.unwrap().reviews.len(), 2);
}

#[tokio::test]
async fn t56_a_mint_sent_again_gives_the_same_credential() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let key = fresh_key();
    let wanted = MintRequest { audience: "aws".to_owned(), ..Default::default() };
    let first = alice.client.mint(&request.id, &wanted, &key).await.unwrap();
    let again = alice.client.mint(&request.id, &wanted, &key).await.unwrap();
    assert_eq!((&first.id, &first.expires_at), (&again.id, &again.expires_at));
    assert_eq!(first.claims["jti"], again.claims["jti"]);
    let latest = alice.client.introspect(&Secret::new(again.token.clone())).await.unwrap();
    assert!(latest.active, "whoever asked again holds what they were last given");
    let shown = alice.client.request(&request.id).await.unwrap();
    assert_eq!(shown.credentials.len(), 1, "one use was spent");
    let other = MintRequest { audience: "gcp".to_owned(), ..Default::default() };
    let reused = alice.client.mint(&request.id, &other, &key).await.unwrap_err();
    assert_eq!(reused.code(), Some("key_reused"));
    alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    let over = alice.client.mint(&request.id, &wanted, &key).await.unwrap_err();
    assert_eq!(over.code(), Some("credential_over"));
}

#[tokio::test]
async fn t56_a_redemption_sent_again_is_one_use() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let token = Secret::new(crate::support::mint(&alice, &request).await.unwrap().token);
    let key = fresh_key();
    let first = bob.client.redeem(&token, "aws", &key).await.unwrap();
    let again = bob.client.redeem(&token, "aws", &key).await.unwrap();
    assert_eq!(first, again);
    let other = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(other.code(), Some("credential_spent"));
    let body = json!({"token": token.expose(), "audience": "aws", "x": 1});
    let unknown = bob.post_again(key.as_str(), "/v1/credentials/redeem", &body).await;
    unknown.refuses(422, "invalid");
}

#[tokio::test]
async fn a_redemption_sent_again_after_the_credential_was_taken_back_is_inactive() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let root = server.administrator().await;
    let redeemed = async || {
        let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
        let minted = crate::support::mint(&alice, &request).await.unwrap();
        let (token, key) = (Secret::new(minted.token), fresh_key());
        assert!(bob.client.redeem(&token, "aws", &key).await.unwrap().active);
        (request.id, minted.id, token, key)
    };
    let (_, id, token, key) = redeemed().await;
    root.client.revoke_credential(&id, &fresh_key()).await.unwrap();
    let over = bob.client.redeem(&token, "aws", &key).await.unwrap_err();
    assert_eq!(over.code(), Some("credential_inactive"));
    let (request, _, token, key) = redeemed().await;
    alice.client.complete(&request, &fresh_key()).await.unwrap();
    let over = bob.client.redeem(&token, "aws", &key).await.unwrap_err();
    assert_eq!(over.code(), Some("credential_inactive"));
    // Nor after a signal, from the moment on that it was acknowledged.
    let (_, _, token, key) = redeemed().await;
    let about = json!({"person": {"iss": "assent:local", "sub": "alice"}});
    let signal = json!({"about": about, "state": "suspended", "reason": "r"});
    root.post("/v1/signals", &signal).await.is(201);
    let over = bob.client.redeem(&token, "aws", &key).await.unwrap_err();
    assert_eq!(over.code(), Some("credential_inactive"));
}

#[tokio::test]
async fn who_spent_a_credential_is_told_to_whoever_finds_it_spent() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let minted = crate::support::mint(&alice, &request).await.unwrap();
    let token = Secret::new(minted.token);
    carol.client.redeem(&token, "aws", &fresh_key()).await.unwrap();
    let spent = bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(spent.code(), Some("credential_spent"));
    assert!(spent.message.contains("by carol"), "{spent}");
    let status = alice.client.credential(&minted.id).await.unwrap();
    assert_eq!(status.redeemed_by.as_deref(), Some("carol"));
}

#[tokio::test]
async fn endings_sent_again_are_answered_again() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let file = async || alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    let key = fresh_key();
    let canceled = file().await;
    let first = alice.client.cancel(&canceled.id, "r", &key).await.unwrap();
    assert_eq!(alice.client.cancel(&canceled.id, "r", &key).await.unwrap(), first);
    let revoked = file().await;
    approve(&bob, &revoked).await.unwrap();
    let first = bob.client.revoke(&revoked.id, "r", &key).await.unwrap();
    assert_eq!(bob.client.revoke(&revoked.id, "r", &key).await.unwrap(), first);
    let completed = file().await;
    approve(&bob, &completed).await.unwrap();
    let first = alice.client.complete(&completed.id, &key).await.unwrap();
    assert_eq!(alice.client.complete(&completed.id, &key).await.unwrap(), first);
}

#[tokio::test]
async fn who_files_again_may_meet_the_open_request() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let meeting = wire::Filing { reattach: true, ..filing("production", "r") };
    let body = serde_json::to_value(&meeting).unwrap();
    let first = alice.post("/v1/requests", &body).await.is(201);
    let met = alice.post("/v1/requests", &body).await.is(200);
    assert_eq!(first.str("id"), met.str("id"));
    let of_bob = bob.post("/v1/requests", &body).await.is(201);
    assert_ne!(of_bob.str("id"), first.str("id"), "another's request is not met");
    let apart = serde_json::to_value(filing("production", "r")).unwrap();
    let apart = alice.post("/v1/requests", &apart).await.is(201);
    assert_ne!(apart.str("id"), first.str("id"), "nobody is met who does not ask for it");
    for id in [first.str("id"), apart.str("id")] {
        alice.client.cancel(&id, "over", &fresh_key()).await.unwrap();
    }
    let fresh = alice.post("/v1/requests", &body).await.is(201);
    assert_ne!(fresh.str("id"), first.str("id"), "what is over is not met");
}

#[tokio::test]
async fn t56_a_filing_that_met_an_open_request_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let on_file = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    for server in [Server::start().await, on_file] {
        check_met_is_remembered(&server).await;
    }
}

async fn check_met_is_remembered(server: &Server) {
    let alice = server.person("alice").await;
    let meeting = wire::Filing { reattach: true, ..filing("production", "r") };
    let first = alice.client.file(&meeting, &fresh_key()).await.unwrap();
    let key = fresh_key();
    let met = alice.client.file(&meeting, &key).await.unwrap();
    assert_eq!(met.id, first.id);
    alice.client.cancel(&first.id, "over", &fresh_key()).await.unwrap();
    let again = alice.client.file(&meeting, &key).await.unwrap();
    assert_eq!((&again.id, &*again.state), (&first.id, "pending"), "the answer of then");
    let other = wire::Filing { reattach: true, ..filing("production", "another") };
    let refused = alice.client.file(&other, &key).await.unwrap_err();
    assert_eq!(refused.code(), Some("key_reused"));
}

//! Groups as the provider says them, and for how long that counts.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::world::{Browser, World};

#[tokio::test]
async fn t11_whoever_left_the_group_no_longer_counts_at_review_or_at_mint() {
    let mut world = World::start().await;
    let (ci, id) = world.filed("one").await;
    let (_, other) = world.filed("two").await;
    let mut bob = world.signed_in("bob").await;
    bob.decide(&id, "approve").await.is(303);
    assert_eq!(ci.client.request(&id).await.unwrap().state, "approved");
    // The provider moves bob; what it said before is believed for a minute when it matters.
    world.provider.person(&json!({"sub": "bob", "groups": []})).await;
    world.pass(Span::minutes(2)).await;
    let answer = bob.decide(&other, "approve").await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    let minted =
        ci.post(&format!("/v1/requests/{id}/credentials"), &json!({"audience": "aws"})).await;
    minted.refuses(409, "no_longer_approved");
}

#[tokio::test]
async fn t11_nobody_counts_while_their_provider_cannot_be_asked() {
    let world = World::start().await;
    let (ci, id) = world.filed("one").await;
    let (_, other) = world.filed("two").await;
    let mut bob = world.signed_in("bob").await;
    bob.decide(&id, "approve").await.is(303);
    let World { server, provider } = world;
    provider.kill().await;
    server.time().pass(Span::minutes(4));
    bob.decide(&other, "approve").await.is(303);
    server.time().pass(Span::minutes(1));
    let minted =
        ci.post(&format!("/v1/requests/{id}/credentials"), &json!({"audience": "aws"})).await;
    minted.refuses(409, "no_longer_approved");
}

#[tokio::test]
async fn groups_are_confirmed_again_as_long_as_the_provider_answers() {
    let mut world = World::start().await;
    let (ci, id) = world.filed("one").await;
    let mut bob = world.signed_in("bob").await;
    bob.decide(&id, "approve").await.is(303);
    // Nobody is here; the provider is asked when the credential is.
    world.pass(Span::minutes(50)).await;
    let minted =
        ci.post(&format!("/v1/requests/{id}/credentials"), &json!({"audience": "aws"})).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

#[tokio::test]
async fn whoever_the_provider_does_not_know_any_more_loses_everything() {
    let mut world = World::start().await;
    let (_, id) = world.filed("one").await;
    let mut bob = world.signed_in("bob").await;
    let form = [("name", "ci"), ("scope", "all-of-mine"), ("expires_after", "7d")];
    let page = bob.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
    let token = page.split("<pre>").nth(1).unwrap().split('<').next().unwrap();
    let holder = world.server.holder_of(token);
    holder.get("/v1/whoami").await.is(200);
    world.provider.forget("bob").await;
    world.pass(Span::minutes(2)).await;
    // Whatever makes the authority ask ends it.
    assert_ne!(bob.decide(&id, "approve").await.status, 303);
    assert_eq!(bob.get("/").await.status, 303);
    holder.get("/v1/whoami").await.refuses(401, "invalid_token");
}

/// A token of this scope of the one who is signed in.
async fn token(browser: &mut Browser, scope: &str) -> String {
    let form = [("name", "cli"), ("scope", scope), ("expires_after", "7d")];
    let page = browser.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
    page.split("<pre>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn one(reason: &str) -> Value {
    json!({"intent": {"kind": "terraform.apply", "environment": "one", "reason": reason}})
}

#[tokio::test]
async fn t11_whoever_the_provider_does_not_know_mints_nothing_in_the_call_that_finds_it_out() {
    let mut world = World::start().await;
    let mut alices = world.signed_in("alice").await;
    let alice = world.server.holder_of(&token(&mut alices, "request").await);
    let id = alice.post("/v1/requests", &one("mine")).await.is(201).str("id");
    world.signed_in("bob").await.decide(&id, "approve").await.is(303);
    world.provider.forget("alice").await;
    world.pass(Span::minutes(2)).await;
    // What is known of her lets the call in; the provider's answer comes within it.
    let path = format!("/v1/requests/{id}/credentials");
    alice.post(&path, &json!({"audience": "aws"})).await.refuses(401, "invalid_token");
    let root = world.server.administrator().await;
    assert_eq!(root.client.request(&id).await.unwrap().state, "approved", "nothing is spent");
    alice.get("/v1/whoami").await.refuses(401, "invalid_token");
}

#[tokio::test]
async fn t11_whoever_the_provider_does_not_know_reviews_nothing_afterwards_either() {
    let remains = crate::support::Remains::fresh();
    let glass = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  release-managers: {identity: true}
rules:
  - id: glass
    when: {intent.environment: one}
    allow:
      post_review: {by: ['person:ISSUER#bob'], approvals: 1, within: 24h}
      credential: {max_ttl: 15m, grant_window: 1h}
";
    let setup = crate::support::Setup::default();
    let mut world = World::governed(remains, setup, glass, "").await;
    let mut bobs = world.signed_in("bob").await;
    let bob = world.server.holder_of(&token(&mut bobs, "review").await);
    let (ci, id) = world.filed("one").await;
    let digest = ci.client.request(&id).await.unwrap().digest;
    world.provider.forget("bob").await;
    world.pass(Span::minutes(2)).await;
    let path = format!("/v1/requests/{id}/post-reviews");
    let review = json!({"verdict": "approve", "comment": "fine", "digest": digest});
    bob.post(&path, &review).await.refuses(401, "invalid_token");
    let log = world.server.ledger().entries(0, 200).await.unwrap();
    assert!(log.iter().all(|entry| entry["type"] != "post_reviewed"));
}

#[tokio::test]
async fn an_answer_that_was_lost_with_the_server_ends_no_tokens() {
    let mut world = World::start().await;
    let mut bobs = world.signed_in("bob").await;
    let token = token(&mut bobs, "all-of-mine").await;
    let (_, id) = world.filed("one").await;
    let (ledger, remains) = (world.server.ledger(), world.server.remains.clone());
    let setup = || crate::support::Setup {
        sign_in: super::world::settings(&format!(
            "providers:\n{}",
            super::world::oidc("corp", &world.provider.url)
        )),
        reach: assent_server::issuers::Reach { loopback: true, ..Default::default() },
        source: assent_server::policy::Source::Given(crate::support::documents(
            super::world::POLICY,
        )),
        ..crate::support::Setup::default()
    };
    let again = setup();
    world.server.stop().await;
    // What the server asks with next is not good any more, as where it was given another and died.
    world.provider.forget("bob").await;
    world.server = crate::support::Server::placed_on(ledger, remains, again).await;
    world.pass(Span::minutes(2)).await;
    assert_ne!(bobs.decide(&id, "approve").await.status, 303);
    let holder = world.server.holder_of(&token);
    holder.get("/v1/whoami").await.refuses(401, "invalid_token");
    assert_eq!(bobs.get("/").await.status, 303, "the session is over");
    let person = json!({"sub": "bob", "groups": ["release-managers"]});
    world.provider.person(&person).await;
    world.signed_in("bob").await.decide(&id, "approve").await.is(303);
    holder.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn a_provider_vouches_for_no_group_that_its_settings_do_not_name() {
    let mut world = World::start().await;
    let groups = json!(["release-managers", "owners", "admins "]);
    world.provider.person(&json!({"sub": "bob", "groups": groups})).await;
    let mut bob = world.signed_in("bob").await;
    let page = bob.get("/settings").await.text;
    assert!(page.contains("release-managers") && !page.contains("owners"), "{page}");
    assert!(!page.contains("admins"), "{page}");
}

//! Groups as the provider says them, and for how long that counts.

use assent_core::time::Span;
use serde_json::json;

use super::world::World;

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

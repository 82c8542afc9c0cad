//! Tokens that people make for themselves.

use assent_core::time::Span;
use serde_json::json;

use super::world::World;

/// What the page shows once.
fn shown(page: &str) -> String {
    page.split("<pre>").nth(1).expect("a token").split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_good_for_its_scope_and_no_more() {
    let world = World::start().await;
    let (ci, id) = world.filed("one").await;
    let mut bob = world.signed_in("bob").await;
    let digest = ci.client.request(&id).await.unwrap().digest;
    let filing = json!({"intent": {
        "kind": "terraform.apply", "environment": "one", "reason": "mine",
    }});
    let review = json!({"verdict": "approve", "digest": digest, "comment": "seen"});
    let reviews = format!("/v1/requests/{id}/reviews");
    for (scope, files, reviewed) in
        [("read", 403, 403), ("request", 201, 403), ("review", 403, 200)]
    {
        let form = [("name", scope), ("scope", scope), ("expires_after", "7d")];
        let page = bob.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
        let holder = world.server.holder_of(&shown(&page));
        holder.get(&format!("/v1/requests/{id}")).await.is(200);
        let filed = holder.post("/v1/requests", &filing).await;
        assert_eq!(filed.status, files, "{scope}: {}", filed.text);
        let told = holder.post(&reviews, &review).await;
        assert_eq!(told.status, reviewed, "{scope}: {}", told.text);
        if files == 403 {
            filed.refuses(403, "outside_scope");
        }
        // Never a browser's session, whatever its scope.
        let call = holder.call("POST", "/login").header("origin", world.server.base());
        let answer = crate::support::sent(call.form(&[("token", holder.token())])).await;
        assert!(!answer.headers.contains_key("set-cookie"), "{scope}");
    }
    let page = bob.get("/settings/tokens").await.text;
    assert_eq!(page.matches("End this token").count(), 3, "{page}");
    assert!(!page.contains("assent_"), "a token is shown once");
}

#[tokio::test]
async fn a_token_needs_a_recent_sign_in_and_a_life_of_ninety_days_at_most() {
    let mut world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    let form = [("name", "long"), ("scope", "read"), ("expires_after", "91d")];
    bob.form("/settings/tokens", "/settings/tokens", &form).await.is(422);
    let form = [("name", "odd"), ("scope", "administer"), ("expires_after", "1d")];
    bob.form("/settings/tokens", "/settings/tokens", &form).await.is(422);
    world.pass(Span::minutes(16)).await;
    let form = [("name", "late"), ("scope", "read"), ("expires_after", "1d")];
    bob.form("/settings/tokens", "/settings/tokens", &form).await.is(403);
    let answer = bob.sign_in_again("corp", "bob", "/settings/tokens").await.is(303);
    assert_eq!(answer.headers["location"], "/settings/tokens");
    bob.form("/settings/tokens", "/settings/tokens", &form).await.is(200);
}

#[tokio::test]
async fn a_token_goes_on_for_thirty_days_after_its_person_was_there_last() {
    let mut world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    let form = [("name", "x"), ("scope", "all-of-mine"), ("expires_after", "90d")];
    let page = bob.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
    let holder = world.server.holder_of(&shown(&page));
    world.pass(Span::hours(30 * 24 - 1)).await;
    holder.get("/v1/whoami").await.is(200);
    world.pass(Span::hours(1)).await;
    let told = holder.get("/v1/whoami").await.refuses(401, "invalid_token");
    assert!(told.contains("sign in again"), "{told}");
    world.signed_in("bob").await;
    holder.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn nobody_makes_tokens_for_people_who_sign_in() {
    let world = World::start().await;
    let root = world.server.administrator().await;
    let wanted = |kind: &str, sub: &str| json!({"kind": kind, "sub": sub});
    root.post("/v1/access", &wanted("person", "bob")).await.refuses(422, "invalid");
    root.post("/v1/access", &wanted("person", "root")).await.is(201);
    root.post("/v1/access", &wanted("workload", "ci")).await.is(201);
}

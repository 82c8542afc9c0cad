//! What GitHub tells is a hint: whatever becomes of it on its way, or whoever made it, a run is one
//! request and is answered once.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::world::{World, environment, waiting, waiting_in};
use crate::support::github::{Change, Github, Route, fresh_delivery, repository};
use crate::support::{Reply, StandIn, approve};

const RULE: &str = "deployment_protection_rule";

async fn deliver(world: &World, id: &str, event: &str, body: &Value) -> u16 {
    Github::deliver(world.server.base(), id, event, body).await
}

fn asks(world: &World, run: u64) -> Value {
    world.github.with(|state| state.asks(run, "one"))
}

#[tokio::test(flavor = "multi_thread")]
async fn t33_a_webhook_that_is_replayed_or_sent_under_another_id_asks_nothing_new() {
    let world = World::start().await;
    let body = asks(&world, 7);
    assert_eq!(deliver(&world, "one", RULE, &body).await, 200);
    world.guard().await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    world.server.time().pass(Span::seconds(30));
    world.github.forget_calls();
    assert_eq!(deliver(&world, "one", RULE, &body).await, 200);
    world.guard().await;
    assert!(world.github.calls().is_empty(), "the same delivery does nothing");
    for id in ["two", "three"] {
        assert_eq!(deliver(&world, id, RULE, &body).await, 200);
        world.guard().await;
    }
    assert!(world.github.calls().iter().all(|call| !call.route.is_write()));
    assert_eq!((world.filed().await.len(), world.gate(7).verdicts), (1, 1));
}

/// A run is over, or has gone on, when the webhook of its waiting arrives.
#[tokio::test(flavor = "multi_thread")]
async fn t33_webhooks_in_any_order_file_nothing_for_what_is_over() {
    for change in [Change::Canceled, Change::Bypassed(99)] {
        let world = World::start().await;
        let asks = asks(&world, 7);
        world.github.with(|state| state.change(7, change));
        let over = world.github.with(|state| state.tells(7, "completed"));
        assert_eq!(deliver(&world, &fresh_delivery(), "workflow_run", &over).await, 200);
        world.guard().await;
        assert_eq!(deliver(&world, &fresh_delivery(), RULE, &asks).await, 200);
        world.guard().await;
        world.guard_after(Span::minutes(2)).await;
        assert!(world.filed().await.is_empty(), "{change:?}");
        assert!(world.github.calls_of(Route::Callback).is_empty());
    }
}

/// The first attempt's webhook comes after the second attempt has begun.
#[tokio::test(flavor = "multi_thread")]
async fn t33_a_webhook_of_an_earlier_attempt_is_of_the_run_as_it_is() {
    let world = World::start().await;
    let first = asks(&world, 7);
    world.github.with(|state| {
        state.change(7, Change::Canceled);
        state.change(7, Change::RunAgain);
    });
    assert_eq!(deliver(&world, &fresh_delivery(), RULE, &first).await, 200);
    world.guard().await;
    let request = world.request().await;
    assert_eq!(request.requester.claims["run_attempt"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn t33_a_webhook_that_was_lost_is_found() {
    let world = World::start().await;
    world.guard().await;
    assert_eq!(world.filed().await.len(), 1, "at the start");
    waiting(&world.github, 8);
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.filed().await.len(), 2, "within a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_forged_webhook_does_nothing() {
    let world = World::start().await;
    world.guard().await;
    waiting(&world.github, 8);
    world.github.forget_calls();
    let body = asks(&world, 8).to_string();
    for signature in ["", "sha256=00", "sha1=8f2e3b0a5b7d8f5a1f2e3b0a5b7d8f5a1f2e3b0a"] {
        let call = world.server.stranger().call("POST", "/webhooks/github");
        let call = call.header("x-github-event", RULE).header("x-github-delivery", "forged");
        let call = call.header("x-hub-signature-256", signature).body(body.clone());
        assert_eq!(crate::support::sent(call).await.status, 401);
    }
    world.guard().await;
    assert!(world.github.calls().is_empty());
}

/// Signed, and yet of a repository that is not what it says, or where the App is not.
#[tokio::test(flavor = "multi_thread")]
async fn t33_a_webhook_of_another_installation_or_repository_files_nothing() {
    let world = World::start().await;
    world.github.with(|state| {
        state.environments[0].rules.clear();
        let mut absent = repository(950, "absent");
        absent.installed = false;
        state.repositories.push(absent);
        state.repositories.push(repository(960, "other"));
        state.environments.push(environment(960));
    });
    waiting_in(&world.github, 950, 50);
    waiting_in(&world.github, 960, 60);
    world.github.with(|state| "queued".clone_into(&mut state.runs.get_mut(&60).unwrap().status));
    let absent = asks(&world, 50);
    let (mut numbered, mut named, mut run) = (asks(&world, 60), asks(&world, 60), asks(&world, 60));
    numbered["repository"]["id"] = json!(900);
    named["repository"]["name"] = json!("shop");
    run["workflow_run"]["id"] = json!(7);
    let mut elsewhere = asks(&world, 60);
    elsewhere["repository"]["name"] = json!("../shop");
    for body in [absent, numbered, named, run, elsewhere] {
        assert_eq!(deliver(&world, &fresh_delivery(), RULE, &body).await, 200);
        world.guard().await;
        assert!(world.filed().await.is_empty(), "{body}");
    }
    assert!(world.github.calls_of(Route::Callback).is_empty());
    // Of the same run, told as it is, something is filed: the refusals were not for other reasons.
    let honest = asks(&world, 60);
    world.server.time().pass(Span::hours(2));
    assert_eq!(deliver(&world, &fresh_delivery(), RULE, &honest).await, 200);
    world.guard().await;
    assert_eq!(world.filed().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t34_the_address_in_a_webhook_is_never_called() {
    let world = World::start().await;
    let trap = StandIn::start(|_| Box::pin(async { Reply::new(204, "") })).await;
    let mut body = asks(&world, 7);
    let path = "/repos/acme/shop/actions/runs/7/deployment_protection_rule";
    body["deployment_callback_url"] = json!(format!("{}{path}", trap.url));
    body["repository"]["url"] = json!(trap.url);
    body["installation"]["access_tokens_url"] = json!(trap.url);
    assert_eq!(deliver(&world, &fresh_delivery(), RULE, &body).await, 200);
    world.guard().await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    assert!(trap.asked().is_empty(), "{:?}", trap.asked());
}

/// Where the App was away for long it is asked rarely; told of a job, it looks at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_away_is_looked_at_as_soon_as_a_job_is_told_of() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.repositories[0].installed = false);
    for _ in 0..60 {
        world.guard_after(Span::minutes(1)).await;
    }
    world.github.forget_calls();
    for _ in 0..30 {
        world.guard_after(Span::minutes(1)).await;
    }
    let asked = world.github.calls_of(Route::InstallationOfRepository).len();
    assert!(asked <= 40, "{asked} times in half an hour");
    world.github.with(|state| state.repositories[0].installed = true);
    approve(&world.bob().await, &world.request().await).await.unwrap();
    let body = asks(&world, 7);
    assert_eq!(deliver(&world, &fresh_delivery(), RULE, &body).await, 200);
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
}

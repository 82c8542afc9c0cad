//! What is told of a person holds of the account that is behind a change, too.

use assent_client::wire::{self, History};
use serde_json::{Value, json};

use super::world::{World, filed};
use crate::support::{Caller, approve, mint};

async fn told(world: &World, about: Value, state: &str) {
    let root = world.server.administrator().await;
    let said = json!({"about": about, "state": state, "reason": "r"});
    root.post("/v1/signals", &said).await.is(201);
}

fn alice() -> Value {
    json!({"person": {"iss": "assent:local", "sub": "alice"}})
}

/// The stops on record, in a log that holds together without knowing who has which account.
async fn stops(world: &World) -> Vec<Value> {
    let root = world.server.administrator().await;
    let checkpoint = root.client.checkpoint().await.unwrap();
    let entries = root.client.entries(0).await.unwrap().entries;
    let mut history = History::default();
    entries.iter().for_each(|entry| history.read(entry).unwrap());
    history.finish(&checkpoint).unwrap();
    let events = entries.into_iter().map(|entry| entry.event);
    events.filter(|event| event["type"] == "stopped").collect()
}

async fn state(who: &Caller, request: &wire::Request) -> String {
    who.client.request(&request.id).await.unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_what_a_suspended_person_is_behind_by_their_account_ends() {
    let world = World::start().await;
    let frank = world.server.person("frank").await;
    let job = world.job(7, json!({})).await;
    let granted = filed(&world.try_file(&job).await);
    approve(&frank, &granted).await.unwrap();
    mint(&job, &granted).await.unwrap();
    let waits = world.file(7).await;
    // bob's is nobody's business.
    world.run(8);
    world.github.with(|state| {
        let run = state.runs.get_mut(&8).unwrap();
        (run.actor, run.triggering_actor) = (21, 21);
        let commit = state.commits.get_mut(&run.head_sha).unwrap();
        (commit.author, commit.committer) = (Some(21), Some(21));
    });
    let of_bob = world.file_as(8, json!({"actor_id": "21"})).await;
    told(&world, alice(), "suspended").await;
    world.server.authority.sweep().await.unwrap();
    assert_eq!(state(&frank, &waits).await, "canceled");
    assert_eq!(state(&frank, &of_bob).await, "pending");
    let events = stops(&world).await;
    assert_eq!(events.len(), 2, "{events:#?}");
    let account = json!([{"iss": "https://github.com", "sub": "11"}]);
    assert!(events.iter().all(|event| event["accounts"] == account), "{events:#?}");
    // What is filed from now on is known to be theirs.
    let again = world.file(7).await;
    assert_eq!(again.state, "denied");
    assert_eq!(world.file_as(8, json!({"actor_id": "21"})).await.state, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_looks_at_states_sees_those_of_whoever_has_the_account() {
    let world = World::start().await;
    let text = world.policy.replace(
        "rules:",
        "rules:
  - id: nobody-risky
    when: {requester.states: {contains: risky}}
    deny: {message: sign in again}",
    );
    let world = World::ruled_by(&text, world.issuer.clone()).await;
    assert_eq!(world.file(7).await.state, "pending");
    told(&world, alice(), "risky").await;
    assert_eq!(world.file(7).await.state, "denied");
}

//! What happens to an apply that waits when somebody stops it, or the server goes away.

use super::guarded;
use super::process::{eventually, signal};
use super::world::World;

#[tokio::test]
async fn a_wait_outlives_a_server_that_is_killed() {
    let mut world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    world.kill_server().await;
    world.restart_server().await;
    let after = world.request(&asked.id).await;
    assert_eq!((after.state.as_str(), after.reviews.len()), ("pending", 1));
    world.carol_approves(&asked).await;
    apply.end().await.exits(0).says(&["Apply complete! Resources: 2 added"]);
    assert_eq!(world.in_state("assent_approval").unwrap()["id"], asked.id);
}

#[tokio::test]
async fn a_server_that_stays_away_is_not_waited_for_for_ever() {
    let mut world = World::new(&guarded("production", r#"timeouts = { create = "3s" }"#)).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.kill_server().await;
    apply.end().await.exits(1).says(&["Error: Approval timed out", &asked.id]);
    assert!(world.in_state("assent_approval").is_none());
    // What was asked is still asked, and the next apply takes it up.
    world.restart_server().await;
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(world.in_state("assent_approval").unwrap()["id"], asked.id);
}

#[tokio::test]
async fn an_interrupt_withdraws_the_request() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    apply.signal("INT").await;
    let said = ["Interrupt received", "Error: Approval wait cancelled", "was withdrawn"];
    apply.end().await.exits(1).says(&said);
    assert_eq!(world.request(&asked.id).await.state, "canceled");
    assert!(world.in_state("assent_approval").is_none());
    world.providers_are_gone().await;
    // The next apply asks anew.
    let apply = world.start_apply();
    let again = world.asked().await;
    assert_ne!(again.id, asked.id);
    world.both_approve(&again).await;
    apply.end().await.exits(0);
}

#[tokio::test]
async fn ctrl_c_in_a_terminal_does_the_same() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    apply.signal_group("INT").await;
    apply.end().await.exits(1).says(&["Error: Approval wait cancelled", "was withdrawn"]);
    assert_eq!(world.request(&asked.id).await.state, "canceled");
    world.providers_are_gone().await;
}

#[tokio::test]
async fn two_interrupts_withdraw_it_too() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    apply.signal("INT").await;
    apply.signal("INT").await;
    apply.end().await.exits(1);
    world.becomes(&asked.id, "canceled").await;
    world.providers_are_gone().await;
}

#[tokio::test]
async fn killing_terraform_withdraws_it_and_leaves_no_provider() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    apply.signal("KILL").await;
    assert_eq!(apply.end().await.code, None);
    world.becomes(&asked.id, "canceled").await;
    world.providers_are_gone().await;
}

#[tokio::test]
async fn killing_the_provider_fails_the_apply_and_the_next_one_meets_the_request() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    let waiting =
        async || world.calls().into_iter().find(|(call, _)| call == "ApplyResourceChange");
    let (_, pid) = eventually("the wait", waiting).await;
    assert!(signal("KILL", &pid).await);
    let said = ["Error: Plugin did not respond", "ApplyResourceChange call"];
    apply.end().await.exits(1).says(&said);
    // Nobody could withdraw it.
    assert_eq!(world.request(&asked.id).await.state, "pending");
    assert!(world.in_state("assent_approval").is_none());
    let apply = world.start_apply();
    world.both_approve(&asked).await;
    apply.end().await.exits(0);
    assert_eq!(world.in_state("assent_approval").unwrap()["id"], asked.id);
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn what_was_asked_at_plan_outlives_an_interrupt() {
    let world = World::new(&guarded("production", r#"request_at = "plan""#)).await;
    world.plan().await.exits(2);
    let asked = world.asked().await;
    let apply = world.start_apply();
    eventually("the wait", async || (world.count("ApplyResourceChange") == 1).then_some(())).await;
    apply.signal("INT").await;
    let said = ["Error: Approval wait cancelled", "was asked at plan and stays open"];
    apply.end().await.exits(1).says(&said);
    assert_eq!(world.request(&asked.id).await.state, "pending");
    world.providers_are_gone().await;
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(world.in_state("assent_approval").unwrap()["id"], asked.id);
}

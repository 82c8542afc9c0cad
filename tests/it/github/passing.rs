//! Runs that pass without an answer of ours: an administrator's bypass is on record and ends the
//! request, and nothing else is taken for one.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::world::{World, waiting};
use crate::support::github::{
    Change, Fault, Github, Route, State, fresh_delivery, message, our_rule,
};
use crate::support::{approve, deny};

/// The account that GitHub's own rule of the environment asks.
const REVIEWER: u64 = 583;

/// Somebody approves at GitHub itself.
fn approve_at_github(state: &mut State, by: u64) {
    state.approvals.push((7, "one".to_owned(), "approved", by, "fine".to_owned()));
}

async fn settle(world: &World) {
    for _ in 0..3 {
        world.guard_after(Span::minutes(1)).await;
    }
}

async fn tell(world: &World, action: &str) {
    let body = world.github.with(|state| state.tells(7, action));
    let sent = Github::deliver(world.server.base(), &fresh_delivery(), "workflow_run", &body).await;
    assert_eq!(sent, 200);
    world.guard().await;
}

/// The only alarm there is.
async fn alarm(world: &World) -> Value {
    let [alarm] = world.alarms().await.try_into().unwrap();
    alarm
}

#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_cancels_the_request_and_is_on_record() {
    let world = World::start().await;
    waiting(&world.github, 8);
    world.asked(7).await;
    world.asked(8).await;
    world.github.with(|state| {
        state.change(7, Change::Bypassed(99));
        state.change(8, Change::Canceled);
    });
    settle(&world).await;
    let filed = world.filed().await;
    assert!(filed.iter().all(|request| request.state == "canceled"), "{filed:#?}");
    let alarm = alarm(&world).await;
    let bypassed = &filed.iter().find(|request| request.intent.target["commit"].ends_with('7'));
    assert_eq!(alarm["bypassed"], json!(bypassed.unwrap().id));
    assert_eq!(alarm["by"], json!({"iss": "https://github.com", "sub": "99"}));
    assert_eq!(alarm["reason"], "bypassed at GitHub by the account 99");
    assert_eq!((&alarm["run"], &alarm["environment"]), (&json!("7"), &json!("one")));
}

#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_is_found_as_soon_as_the_run_is_told_of() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.change(7, Change::Bypassed(99)));
    tell(&world, "in_progress").await;
    assert_eq!(world.request().await.state, "canceled");
    assert_eq!(alarm(&world).await["state"], "pending");
}

/// An administrator was quicker than this server.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_before_anybody_looked_is_on_record_once() {
    let world = World::start().await;
    world.github.with(|state| state.change(7, Change::Bypassed(99)));
    for _ in 0..2 {
        world.asked(7).await;
        settle(&world).await;
    }
    let alarm = alarm(&world).await;
    assert_eq!(alarm["by"], json!({"iss": "https://github.com", "sub": "99"}));
    assert_eq!((&alarm["run"], &alarm["bypassed"]), (&json!("7"), &Value::Null));
    assert!(world.filed().await.is_empty());
    // Who is asked at GitHub itself, and what was canceled, are none.
    for change in [Change::Bypassed(REVIEWER), Change::Canceled] {
        let world = World::start().await;
        world.github.with(|state| {
            state.environments[0].prevent_self_review = true;
            state.change(7, change);
        });
        world.asked(7).await;
        settle(&world).await;
        assert!(world.alarms().await.is_empty());
    }
}

/// GitHub takes an answer for whatever attempt waits: here somebody was quicker by one call.
#[tokio::test(flavor = "multi_thread")]
async fn t04_t72_an_answer_that_met_another_attempt_is_on_record() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.runs_again_then = true);
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    let alarm = alarm(&world).await;
    assert_eq!(alarm["reason"], "started again as attempt 2 while attempt 1 was let pass");
    assert_eq!(alarm["bypassed"], json!(world.filed().await.last().unwrap().id));
    // What waits now is asked for anew.
    settle(&world).await;
    assert_eq!(world.filed().await.len(), 2);
}

/// The verdict did not arrive, and an administrator was quicker.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_after_a_denial_or_an_expiry_is_on_record_too() {
    for is_denied in [true, false] {
        let world = World::start().await;
        world.asked(7).await;
        let refused = message(403, "Resource not accessible by integration");
        world.github.fail(Route::Callback, usize::MAX, Fault::Saying(refused));
        match is_denied {
            true => drop(deny(&world.bob().await, &world.request().await).await.unwrap()),
            false => drop(world.server.time().pass(Span::hours(5))),
        }
        world.guard().await;
        world.github.with(|state| state.change(7, Change::Bypassed(99)));
        world.github.heal();
        settle(&world).await;
        let word = if is_denied { "denied" } else { "expired" };
        assert_eq!((world.request().await.state.as_str(), world.gate(7).verdicts), (word, 0));
        assert_eq!(alarm(&world).await["state"], word);
    }
}

/// The rejection was taken, and yet the run goes on.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_of_what_was_rejected_is_found_when_the_run_is_told_of() {
    let world = World::start().await;
    world.asked(7).await;
    deny(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    settle(&world).await;
    assert!(world.alarms().await.is_empty());
    world.github.with(|state| approve_at_github(state, 99));
    for action in ["in_progress", "completed"] {
        tell(&world, action).await;
        world.server.time().pass(Span::minutes(1));
    }
    assert_eq!(alarm(&world).await["by"]["sub"], "99");
}

/// A bypass and the cancellation of what it started look alike later; the review tells.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_of_a_run_that_was_canceled_then_is_a_bypass() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| {
        state.change(7, Change::Bypassed(99));
        state.change(7, Change::Canceled);
    });
    settle(&world).await;
    assert_eq!(alarm(&world).await["by"]["sub"], "99");
}

/// A reviewer of the environment's own bypasses this App's rule: the run goes on without it.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_reviewer_of_the_environment_who_bypasses_the_app_is_found() {
    let world = World::start().await;
    world.github.with(|state| state.environments[0].prevent_self_review = true);
    world.asked(7).await;
    world.github.with(|state| state.change(7, Change::Bypassed(REVIEWER)));
    settle(&world).await;
    assert_eq!(alarm(&world).await["by"]["sub"], REVIEWER.to_string());
    assert_eq!(world.request().await.state, "canceled");
}

/// Started again after a bypass, before anybody looked.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_of_an_attempt_that_was_started_again_is_found() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| {
        state.change(7, Change::Bypassed(99));
        state.change(7, Change::RunAgain);
    });
    settle(&world).await;
    assert_eq!(alarm(&world).await["by"]["sub"], "99");
    let [second, first] = world.filed().await.try_into().unwrap();
    assert_eq!((second.state.as_str(), first.state.as_str()), ("pending", "canceled"));
    // What stood there before it waited again is no bypass of it.
    world.github.with(|state| state.change(7, Change::Canceled));
    settle(&world).await;
    assert_eq!(world.alarms().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_githubs_own_reviewers_say_is_no_bypass() {
    let world = World::start().await;
    world.github.with(|state| state.environments[0].prevent_self_review = true);
    world.asked(7).await;
    // Approved by them, it still waits for us; then it is canceled.
    world.github.with(|state| approve_at_github(state, REVIEWER));
    settle(&world).await;
    assert_eq!(world.request().await.state, "pending");
    world.github.with(|state| state.change(7, Change::Canceled));
    settle(&world).await;
    assert_eq!(world.request().await.state, "canceled");
    assert!(world.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_githubs_own_reviewers_reject_is_no_bypass() {
    let world = World::start().await;
    world.github.with(|state| state.environments[0].prevent_self_review = true);
    world.asked(7).await;
    world.github.with(|state| {
        state.approvals.push((7, "one".to_owned(), "rejected", REVIEWER, "no".to_owned()));
        state.gates[0].waiting = false;
        let run = state.runs.get_mut(&7).unwrap();
        (run.status, run.conclusion) = ("completed".to_owned(), Some("failure".to_owned()));
    });
    settle(&world).await;
    assert_eq!(world.request().await.state, "canceled");
    assert!(world.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_taken_without_a_word_is_no_bypass() {
    for is_approved in [true, false] {
        let world = World::start().await;
        world.asked(7).await;
        let (bob, request) = (world.bob().await, world.request().await);
        match is_approved {
            true => drop(approve(&bob, &request).await.unwrap()),
            false => drop(deny(&bob, &request).await.unwrap()),
        }
        world.github.fail(Route::Callback, 1, Fault::HangingUpAfter);
        world.guard().await;
        settle(&world).await;
        assert!(world.alarms().await.is_empty());
        assert_eq!((world.gate(7).verdicts, world.github.calls_of(Route::Callback).len()), (1, 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_rule_was_switched_off_is_no_bypass() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| {
        state.environments[0].rules = vec![our_rule(false)];
        state.gates[0].waiting = false;
        "in_progress".clone_into(&mut state.runs.get_mut(&7).unwrap().status);
    });
    settle(&world).await;
    assert_eq!(world.request().await.state, "canceled");
    assert!(world.alarms().await.is_empty());
}

/// What GitHub shows of one run comes from several places, and not at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_cancellation_is_shown_late_is_no_bypass() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.gates[0].waiting = false);
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.request().await.state, "pending", "it is not known yet");
    world.github.with(|state| state.change(7, Change::Canceled));
    settle(&world).await;
    assert_eq!(world.request().await.state, "canceled");
    assert!(world.alarms().await.is_empty());
}

//! One request for a run before an environment, and one answer.

use assent_core::time::Span;
use serde_json::json;

use super::jobs;
use super::world::{As, World, waiting};
use crate::support::github::{Change, Fault, Route, message, our_rule};
use crate::support::{Issuer, POLICY, approve, deny, fresh_key, mint, policy};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_request_and_goes_on_when_it_is_approved() {
    let world = World::start().await;
    world.asked(7).await;
    let request = world.request().await;
    assert_eq!(
        (request.state.as_str(), request.intent.kind.as_str()),
        ("pending", "github.deploy")
    );
    assert_eq!(world.gate(7).reports.len(), 1);
    assert_eq!(world.gate(7).verdicts, 0);
    let [check] = world.checks().try_into().unwrap();
    let link = format!("{}/requests/{}", world.server.base(), request.id);
    assert_eq!((&check["status"], &check["details_url"]), (&json!("in_progress"), &json!(link)));
    assert_eq!(check["external_id"], json!(request.id));
    approve(&world.bob().await, &request).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    assert!(world.gate(7).comment.ends_with(&link), "{}", world.gate(7).comment);
    world.guard_after(Span::minutes(2)).await;
    assert_eq!(world.gate(7).verdicts, 1);
    let [check] = world.checks().try_into().unwrap();
    assert_eq!(check["conclusion"], "success");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_rejected() {
    let world = World::start().await;
    world.asked(7).await;
    deny(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("rejected"));
    world.guard_after(Span::minutes(2)).await;
    assert_eq!(world.checks()[0]["conclusion"], "failure");
    assert!(world.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_in_time_is_rejected() {
    let world = World::start().await;
    world.asked(7).await;
    world.guard_after(Span::hours(5)).await;
    assert_eq!(world.request().await.state, "expired");
    assert_eq!(world.gate(7).verdict.as_deref(), Some("rejected"));
    world.guard_after(Span::minutes(2)).await;
    assert_eq!(world.checks()[0]["conclusion"], "timed_out");
    assert!(world.alarms().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t46_a_fork_and_an_event_that_anybody_causes_are_rejected_unfiled() {
    let world = World::start().await;
    for run in [8, 9] {
        waiting(&world.github, run);
    }
    world.github.with(|state| {
        state.runs.get_mut(&7).unwrap().head_repository = Some(666);
        state.runs.get_mut(&8).unwrap().event = "pull_request_target".to_owned();
        state.runs.get_mut(&9).unwrap().head_repository = None;
    });
    for run in [7, 8, 9] {
        world.asked(run).await;
        assert_eq!(world.gate(run).verdict.as_deref(), Some("rejected"), "{run}");
    }
    assert!(world.filed().await.is_empty());
}

/// The matrix and the run may ask for more than one environment, and a run may wait for others only.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_filed_where_the_apps_rule_guards_nothing() {
    let world = World::start().await;
    let others = (true, 1, "another".to_owned());
    world.github.with(|state| state.environments[0].rules = vec![our_rule(false), others]);
    world.asked(7).await;
    world.guard_after(Span::minutes(2)).await;
    assert!(world.filed().await.is_empty());
    assert!(world.github.calls_of(Route::Callback).is_empty());
    world.github.with(|state| state.environments[0].rules[0] = our_rule(true));
    world.guard_after(Span::minutes(2)).await;
    assert_eq!(world.filed().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn t04_another_attempt_is_another_request_and_the_one_before_is_over() {
    let world = World::start().await;
    world.asked(7).await;
    let first = world.request().await;
    world.github.with(|state| {
        state.change(7, Change::Canceled);
        state.change(7, Change::RunAgain);
    });
    world.guard_after(Span::minutes(2)).await;
    let [second, before] = world.filed().await.try_into().unwrap();
    assert_eq!((before.id.as_str(), before.state.as_str()), (first.id.as_str(), "canceled"));
    assert_eq!(second.state, "pending");
    assert!(approve(&world.bob().await, &first).await.is_err());
    approve(&world.bob().await, &second).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    assert!(world.alarms().await.is_empty());
}

/// GitHub asks for each job: one that waits later in the same attempt is let through by the same
/// request, and one whose request was taken back is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_later_is_answered_by_the_same_request() {
    let world = World::start().await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    world.waits_again(7);
    world.server.time().pass(Span::minutes(2));
    world.asked(7).await;
    assert_eq!((world.gate(7).verdicts, world.filed().await.len()), (2, 1));
    // Where nobody tells of it, it is found all the same.
    world.waits_again(7);
    world.guard_after(Span::minutes(11)).await;
    assert_eq!((world.gate(7).verdicts, world.filed().await.len()), (3, 1));
}

/// GitHub was away when it was to be told, and whoever approved has left meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn t11_an_approver_who_left_before_github_was_told_lets_nobody_pass() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.fail(Route::Callback, usize::MAX, Fault::Saying(message(500, "")));
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    let without =
        POLICY.replace("[person:bob, person:carol, person:dave]", "[person:carol, person:dave]");
    world.server.authority.replace_policy(policy(&without));
    world.github.heal();
    world.guard_after(Span::minutes(5)).await;
    let gate = world.gate(7);
    assert_eq!(gate.verdict.as_deref(), Some("rejected"));
    assert!(gate.comment.contains("no longer fill stage"), "{}", gate.comment);
}

/// Another job of the run waits before the environment when what was approved is over.
#[tokio::test(flavor = "multi_thread")]
async fn t04_a_grant_that_is_over_lets_no_later_job_of_its_run_pass() {
    let issuer = Issuer::start().await;
    let world = jobs::world(&issuer).await;
    world.asked(7).await;
    let request = world.request().await;
    approve(&world.bob().await, &request).await.unwrap();
    world.guard().await;
    let job = jobs::job(&world, &issuer, 7, json!({})).await;
    mint(&job, &request).await.unwrap();
    assert_eq!(world.request().await.state, "consumed");
    world.waits_again(7);
    world.server.time().pass(Span::minutes(2));
    world.asked(7).await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"), "in its window");
    job.client.complete(&request.id, &fresh_key()).await.unwrap();
    world.waits_again(7);
    world.server.time().pass(Span::minutes(2));
    world.asked(7).await;
    let gate = world.gate(7);
    assert_eq!(gate.verdict.as_deref(), Some("rejected"));
    assert!(gate.comment.contains("Not approved any more"), "{}", gate.comment);
}

/// The branch and the workflow are on the page before the job has a token that says them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_shows_its_branch_workflow_and_authors_whom_nobody_knows() {
    let world = World::set_up(As {
        actions_issuer: Some("https://token.actions.githubusercontent.com".to_owned()),
        ..As::default()
    });
    let world = world.await;
    world.github.with(|state| {
        let head = state.runs[&7].head_sha.clone();
        state.commits.get_mut(&head).unwrap().author = None;
    });
    world.asked(7).await;
    let source = world.request().await.source.unwrap();
    assert_eq!(source.reference.as_deref(), Some("main"));
    assert_eq!(source.workflow.as_deref(), Some(".github/workflows/deploy.yml"));
    assert_eq!(source.changes_since.as_deref(), Some("beginning"));
    assert_eq!(source.unknown_authors.as_deref(), Some("1"));
}

/// What somebody else keeps waiting is not answered each minute.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_others_too_is_answered_once_and_rarely_again() {
    let world = World::start().await;
    world.github.with(|state| state.gates[0].others = true);
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.github.forget_calls();
    for _ in 0..30 {
        world.guard_after(Span::minutes(1)).await;
    }
    assert_eq!(world.gate(7).verdicts, 1);
    let said = world.github.calls_of(Route::Callback).len();
    assert!((2..=4).contains(&said), "{said} times in half an hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_set_up_so_a_deployment_says_how_far_its_request_is() {
    for deployment_statuses in [false, true] {
        let world = World::set_up(As { deployment_statuses, ..As::default() }).await;
        world.asked(7).await;
        world.guard_after(Span::minutes(2)).await;
        let request = world.request().await;
        deny(&world.bob().await, &request).await.unwrap();
        world.guard().await;
        world.guard_after(Span::minutes(2)).await;
        let stated = world.github.with(|state| state.deployment_statuses.clone());
        let words: Vec<_> = stated.iter().map(|(id, body)| (*id, body["state"].clone())).collect();
        let wanted = [(31_007, json!("pending")), (31_007, json!("failure"))];
        assert_eq!(words, if deployment_statuses { wanted.to_vec() } else { Vec::new() });
        let link = format!("{}/requests/{}", world.server.base(), request.id);
        assert!(stated.iter().all(|(_, body)| body["log_url"] == link.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_over_ends_what_waits_as_soon_as_it_is_told() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.change(7, Change::Canceled));
    let body = world.github.with(|state| state.tells(7, "completed"));
    let (base, id) = (world.server.base(), crate::support::github::fresh_delivery());
    assert_eq!(
        crate::support::github::Github::deliver(base, &id, "workflow_run", &body).await,
        200
    );
    world.guard().await;
    assert_eq!(world.request().await.state, "canceled");
    assert_eq!(world.checks()[0]["conclusion"], "cancelled");
    assert!(world.alarms().await.is_empty());
}

/// A repository that is called something else now is found by its new name.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_renamed_is_the_same() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| state.repositories[0].name = "store".to_owned());
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard_after(Span::minutes(11)).await;
    world.guard_after(Span::minutes(11)).await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    assert_eq!(world.filed().await.len(), 1);
}

/// One that has taken the name of another is not it.
#[tokio::test(flavor = "multi_thread")]
async fn t03_a_repository_that_took_the_name_is_another() {
    let world = World::start().await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.github.with(|state| {
        state.repositories[0].id = 901;
        state.environments[0].repository = 901;
        state.runs.get_mut(&7).unwrap().repository = 901;
        state.runs.get_mut(&7).unwrap().head_repository = Some(901);
    });
    world.guard_after(Span::minutes(11)).await;
    let filed = world.filed().await;
    let newest = filed.iter().map(|request| request.intent.target["repository_id"].as_str());
    assert_eq!(newest.collect::<Vec<_>>(), ["901", "900"]);
    assert_eq!(world.gate(7).verdicts, 0, "what was approved for 900 is not for 901");
}

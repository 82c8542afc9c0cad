//! A job that is canceled, at every moment, and what `post` and the server clear up.

use assent_core::time::Span;

use super::relay::Stall;
use super::world::{World, credential, held};
use crate::runner::Stopped;
use crate::support::{Ways, approve};

#[tokio::test]
async fn a_job_that_is_canceled_while_it_asks_who_it_is_asks_nothing() {
    let world = World::new().await;
    world.oidc.behave(Ways::StoppingBefore);
    let base = world.base();
    let running =
        world.job.step(&world.action, &[("url", &base), ("environment", "production")]).start();
    world.oidc.stopped().await;
    let (by, ended) = running.cancel().await;
    assert_eq!(by, Stopped::Interrupted);
    assert_ne!(ended.code, Some(0));
    assert!(world.requests().await.is_empty());
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_waits_takes_its_request_back() {
    let world = World::new().await;
    let base = world.base();
    let mut step = world.job.step(&world.action, &[("url", &base), ("environment", "production")]);
    let running = step.start();
    let request = world.asked().await;
    running.says(&request.url).await;
    let (by, ended) = running.cancel().await;
    assert_eq!(by, Stopped::Interrupted);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.output("outcome"), "canceled");
    assert_eq!(world.now(&request).await.state, "canceled");
    // What is done already is not done twice.
    step.keep(&ended);
    world.job.context("job.status", "cancelled");
    step.post().await.exits(0);
}

#[tokio::test]
async fn a_job_that_is_canceled_while_its_command_runs_ends_both() {
    let world = World::new().await;
    let (running, token) = held(&world).await;
    assert!(world.is_live(&token).await);
    let (by, ended) = running.cancel().await;
    assert_eq!(by, Stopped::Interrupted);
    assert_ne!(ended.code, Some(0));
    assert!(!world.is_live(&token).await);
}

#[tokio::test]
async fn post_takes_back_what_a_killed_step_left() {
    let world = World::new().await;
    let base = world.base();
    let mut step = world.job.step(&world.action, &[("url", &base), ("environment", "production")]);
    let running = step.start();
    let request = world.asked().await;
    running.says(&request.url).await;
    let left = running.killed().await;
    step.keep(&left);
    world.job.context("job.status", "cancelled");
    assert_eq!(world.now(&request).await.state, "pending");
    step.post().await.exits(0);
    assert_eq!(world.now(&request).await.state, "canceled");
}

#[tokio::test]
async fn a_job_that_fails_has_its_grant_taken_back_and_one_that_succeeds_completes_it() {
    let world = World::new().await;
    let base = world.base();
    for (status, reason, how) in
        [("success", "it works", "completed"), ("failure", "it fails", "revoked")]
    {
        let with = [
            ("url", &*base),
            ("environment", "production"),
            ("audience", "orders"),
            ("reason", reason),
        ];
        let mut step = world.job.step(&world.action, &with);
        let running = step.start();
        let bob = world.bob().await;
        let request = crate::support::eventually("a request", async || {
            let mut all = world.requests().await.into_iter();
            all.find(|request| request.intent.reason == reason)
        })
        .await;
        approve(&bob, &request).await.unwrap();
        let ended = running.end().await.exits(0);
        step.keep(&ended);
        let token = credential(&ended, &world.job.at("temp"));
        world.job.context("job.status", status);
        let post = step.post().await.exits(0);
        world.is_discreet(&post, &[&token]);
        assert!(!world.is_live(&token).await);
        let log = world.server.administrator().await.get("/v1/audit/entries?from=0").await.is(200);
        assert!(log.text.contains(how), "{status}: {}", log.text);
    }
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_files_leaves_no_request() {
    for stall in [Stall::Before("/v1/requests"), Stall::After("/v1/requests")] {
        let world = World::new().await;
        world.server.authority.sweep().await.unwrap();
        let base = world.base();
        let mut step =
            world.job.step(&world.action, &[("url", &base), ("environment", "production")]);
        world.relay.stall(Some(stall));
        let running = step.start();
        world.relay.stalls().await;
        let (by, ended) = running.cancel().await;
        assert_eq!(by, Stopped::Interrupted);
        assert_eq!(ended.output("outcome"), "canceled");
        world.relay.stall(None);
        step.keep(&ended);
        world.job.context("job.status", "cancelled");
        step.post().await.exits(0);
        // Nobody was told its name, so its silence ends what was filed.
        world.server.time().pass(Span::minutes(2));
        world.server.authority.sweep().await.unwrap();
        let states: Vec<_> = world.requests().await.into_iter().map(|left| left.state).collect();
        let wanted: &[&str] = if matches!(stall, Stall::Before(_)) { &[] } else { &["canceled"] };
        assert_eq!(states, wanted);
    }
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_mints_leaves_nothing_that_is_good() {
    for stall in [Stall::Before("/credentials"), Stall::After("/credentials")] {
        let world = World::new().await;
        let base = world.base();
        let with = [("url", &*base), ("environment", "free"), ("audience", "orders")];
        let mut step = world.job.step(&world.action, &with);
        world.relay.stall(Some(stall));
        let running = step.start();
        world.relay.stalls().await;
        let (by, ended) = running.cancel().await;
        assert_eq!(by, Stopped::Interrupted);
        assert_eq!((ended.code, ended.output("outcome")), (Some(1), "canceled"));
        let request = world.requests().await.remove(0);
        let minted: Vec<_> = request.credentials.iter().map(|one| one.status.as_str()).collect();
        match stall {
            Stall::Before(_) => assert_eq!((request.state.as_str(), minted.len()), ("revoked", 0)),
            // A grant that is used up stays so; what it was used for is over.
            Stall::After(_) | Stall::Cut(_) => {
                assert_eq!((request.state.as_str(), minted[0]), ("consumed", "revoked"))
            }
        }
        step.keep(&ended);
        world.job.context("job.status", "cancelled");
        step.post().await.exits(0);
    }
}

#[tokio::test]
async fn a_job_that_is_canceled_in_its_end_is_held_up_no_longer() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "free"), ("audience", "orders")];
    let mut step = world.job.step(&world.action, &with);
    let ended = step.main().await.exits(0);
    let token = credential(&ended, &world.job.at("temp"));
    world.relay.stall(Some(Stall::After("/complete")));
    let running = step.start_stage("post");
    world.relay.stalls().await;
    let (by, ended) = running.cancel().await;
    assert_eq!((by, ended.code), (Stopped::Interrupted, Some(0)), "{ended:?}");
    assert!(ended.log.annotations()[0].1.contains("ends at its own time"), "{:?}", ended.log);
    assert!(!world.is_live(&token).await, "what was asked for is done all the same");
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_begins_has_its_grant_taken_back() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("timeout", "1m")];
    for path in ["/begin", "/decisions"] {
        // Without an audience it only begins; where policy is to name it, policy is asked.
        let more = if path == "/begin" { ("broker", "") } else { ("broker", "orders-db") };
        let with = [with.as_slice(), &[more, ("reason", path)]].concat();
        let step = world.job.step(&world.action, &with);
        world.relay.stall(Some(Stall::Before(path)));
        let running = step.start();
        let request = crate::support::eventually("a request", async || {
            let mut all = world.requests().await.into_iter();
            all.find(|request| request.intent.reason == path)
        })
        .await;
        crate::support::approve(&world.bob().await, &request).await.unwrap();
        world.relay.stalls().await;
        let (by, ended) = running.cancel().await;
        assert_eq!((by, ended.output("outcome")), (Stopped::Interrupted, "canceled"), "{path}");
        assert_eq!(world.now(&request).await.state, "revoked", "{path}");
    }
}

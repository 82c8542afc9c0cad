//! Waiting that outlives tokens, and servers that are away.

use assent_core::time::Span;

use super::relay::Stall;
use super::world::World;
use crate::support::{Reply, StandIn, Ways, approve, eventually};

/// Two hours by the server's clock, which is the issuer's too: access tokens and the job's own end many
/// times in it. Whoever waits is heard of all that time.
#[tokio::test]
async fn a_wait_of_two_hours_outlives_every_token() {
    for heartbeat in ["0s", "2m"] {
        let world = World::new().await;
        world.server.authority.sweep().await.unwrap();
        let base = world.base();
        let with = [
            ("url", &*base),
            ("environment", "many"),
            ("audience", "orders"),
            ("timeout", "8h"),
            ("heartbeat", heartbeat),
        ];
        let step = world.job.step(&world.action, &with);
        let running = step.start();
        let request = world.asked().await;
        running.says(&request.url).await;
        // How often it was given an access token.
        let let_in = || step.masked().iter().filter(|mask| mask.starts_with("assent_")).count();
        for person in ["bob", "carol", "dave"] {
            let before = let_in();
            // Without signs of life nobody listens for it.
            let awaits = async || world.server.authority.awaits(&request.id).then_some(());
            if heartbeat != "0s" {
                eventually("its wait", awaits).await;
            }
            world.server.time().pass(Span::minutes(40));
            world.server.authority.sweep().await.unwrap();
            assert_eq!(world.now(&request).await.state, "pending");
            // Each review is told to whoever waits, and what it asks with next is no longer good.
            approve(&world.server.person(person).await, &request).await.unwrap();
            eventually("another token", async || (let_in() > before).then_some(())).await;
        }
        approve(&world.server.person("erin").await, &request).await.unwrap();
        let ended = running.end().await.exits(0);
        assert_eq!(ended.output("outcome"), "granted");
        world.is_discreet(&ended, &[]);
        assert_eq!(world.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("poll-fallback", "1s")];
    let running = world.job.step(&world.action, &with).start();
    let request = world.asked().await;
    let (away, _oidc, _job, _action) = world.goes_away().await;
    let (server, _folder) = away.comes_back().await;
    approve(&server.person("bob").await, &request).await.unwrap();
    let ended = running.end().await.exits(0);
    assert_eq!((ended.output("outcome"), ended.output("request-id")), ("granted", &*request.id));
}

#[tokio::test]
async fn an_authority_that_is_away_is_no_grant_and_no_denial() {
    let world = World::new().await;
    let nobody = StandIn::start(|_| Box::pin(async { Reply::new(503, "") })).await;
    for ways in
        [Ways::HangingUp, Ways::Honest, Ways::Saying(Reply::new(200, "{\"state\":\"approved\"}"))]
    {
        nobody.behave(ways);
        let with = [("url", &*nobody.url), ("environment", "production"), ("timeout", "1s")];
        let ended = world.job.step(&world.action, &with).main().await.exits(3);
        assert_eq!(ended.output("outcome"), "unreachable");
        world.is_discreet(&ended, &[]);
    }
}

#[tokio::test]
async fn without_a_token_of_its_own_a_job_is_told_what_it_lacks() {
    let world = World::new().await;
    let job = crate::runner::Job::new();
    let base = world.base();
    let ended =
        job.step(&world.action, &[("url", &base), ("environment", "production")]).main().await;
    assert!([Some(2), Some(3)].contains(&ended.code), "{ended:?}");
    assert!(ended.log.annotations()[0].1.contains("id-token: write"), "{:?}", ended.log);
    assert!(world.requests().await.is_empty());
}

/// What was asked with is over by the time it is decided, whatever was known when the wait began.
#[tokio::test]
async fn a_grant_that_comes_late_is_used_with_a_token_of_its_own() {
    let world = World::new().await;
    let base = world.base();
    for (reason, mode, wait) in [
        ("ten minutes", "wait", Span::minutes(10)),
        ("an hour", "wait", Span::minutes(61)),
        ("nearly four hours", "wait", Span::minutes(239)),
        ("in a command", "run", Span::minutes(61)),
    ] {
        let with = [
            ("url", &*base),
            ("environment", "production"),
            ("audience", "orders"),
            ("timeout", "8h"),
            ("heartbeat", "0s"),
            ("reason", reason),
            ("mode", mode),
            ("command", if mode == "run" { "test -n \"$ASSENT_CREDENTIAL\"" } else { "" }),
        ];
        let mut step = world.job.step(&world.action, &with);
        let running = step.start();
        let asked = eventually("a request", async || {
            let all = world.requests().await;
            all.into_iter().find(|request| request.intent.reason == reason)
        });
        let request = asked.await;
        running.says(&request.url).await;
        world.server.time().pass(wait);
        approve(&world.bob().await, &request).await.unwrap();
        let ended = running.end().await.exits(0);
        assert_eq!(ended.output("outcome"), "granted", "{reason}");
        step.keep(&ended);
        step.post().await.exits(0);
    }
}

/// The runner's endpoint gives a token that it kept too long: the next one is fresh.
#[tokio::test]
async fn a_stale_token_of_the_runner_is_asked_for_anew_once() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "free")];
    world.oidc.stale(1);
    world.job.step(&world.action, &with).main().await.exits(0);
    assert_eq!(world.oidc.issued().len(), 2);
    world.oidc.stale(9);
    let refused = world.job.step(&world.action, &with).main().await.exits(4);
    assert!(refused.log.annotations()[0].1.contains("was not accepted"), "{:?}", refused.log);
    assert_eq!(world.oidc.issued().len(), 4, "it is asked for anew once");
    world.is_discreet(&refused, &[]);
}

#[tokio::test]
async fn where_no_long_answer_gets_through_it_is_asked_at_intervals() {
    let world = World::new().await;
    let base = world.base();
    world.relay.stall(Some(Stall::Cut("/wait")));
    let with = [("url", &*base), ("environment", "production"), ("poll-fallback", "1s")];
    let running = world.job.step(&world.action, &with).start();
    let request = world.asked().await;
    let is_look = |call: &String| *call == format!("GET /v1/requests/{}", request.id);
    let looks = || world.relay.asked_by_jobs().iter().filter(|call| is_look(call)).count();
    eventually("a second look", async || (looks() >= 2).then_some(())).await;
    approve(&world.bob().await, &request).await.unwrap();
    assert_eq!(running.end().await.exits(0).output("outcome"), "granted");
    let waits = world.relay.asked_by_jobs().iter().filter(|call| call.ends_with("/wait")).count();
    assert!(waits <= looks(), "{waits} waits for {} answers", looks());
}

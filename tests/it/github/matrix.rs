//! Many jobs and many repositories: one request for a run, and few calls.

use assent_core::time::Span;
use tokio::task::JoinSet;

use super::world::{As, World, environment, waiting, waiting_in};
use crate::support::approve;
use crate::support::github::{Fault, Github, Route, fresh_delivery, message, repository};

/// Sends what each of so many jobs of a run is told by, all at once.
async fn jobs_ask(world: &World, run: u64, jobs: usize) {
    let body = world.github.with(|state| state.asks(run, "one"));
    let mut sent = JoinSet::new();
    for _ in 0..jobs {
        let (base, body) = (world.server.base().to_owned(), body.clone());
        sent.spawn(async move {
            Github::deliver(&base, &fresh_delivery(), "deployment_protection_rule", &body).await
        });
    }
    assert!(sent.join_all().await.iter().all(|status| *status < 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn t68_a_hundred_jobs_of_a_matrix_are_one_request_and_few_calls() {
    let world = World::start().await;
    world.guard().await;
    waiting(&world.github, 8);
    world.github.forget_calls();
    // So little is left of the hour that a call for each job would use it up.
    world.github.leave(60);
    jobs_ask(&world, 8, 100).await;
    world.guard().await;
    assert_eq!(world.filed().await.len(), 2);
    assert_eq!(world.gate(8).reports.len(), 1);
    let filing = world.github.calls().len();
    assert!(filing <= 14, "{filing} calls: {:#?}", world.github.calls());
    // They ask again one after the other for a minute.
    for _ in 0..6 {
        jobs_ask(&world, 8, 20).await;
        world.guard_after(Span::seconds(10)).await;
    }
    approve(&world.bob().await, &world.request_of(8).await).await.unwrap();
    world.guard().await;
    let calls = world.github.calls();
    assert_eq!(world.gate(8).verdict.as_deref(), Some("approved"), "{calls:#?}");
    let counted = calls.iter().filter(|call| call.status != 304).count();
    println!("{} calls for 220 webhooks, {counted} of them counted", calls.len());
    assert!(counted <= 24, "{counted} counted: {calls:#?}");
    assert_eq!(world.filed().await.len(), 2);
    assert_eq!(world.gate(8).verdicts, 1);
}

/// While nothing changes, looking costs nothing of the hour's calls.
#[tokio::test(flavor = "multi_thread")]
async fn t68_a_gate_that_waits_for_an_hour_costs_next_to_nothing() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.forget_calls();
    for _ in 0..60 {
        world.guard_after(Span::minutes(1)).await;
    }
    let calls = world.github.calls();
    let counted = calls.iter().filter(|call| call.status != 304).count();
    println!("{} calls in an hour, {counted} of them counted", calls.len());
    assert!(counted <= 10, "{counted} counted");
    assert!(calls.iter().all(|call| !call.route.is_write()), "nothing new was to be said");
}

/// Of repositories without gates only some are looked at in a minute; all of them in turn.
#[tokio::test(flavor = "multi_thread")]
async fn t68_many_repositories_are_looked_at_in_turn() {
    let world = World::start().await;
    world.asked(7).await;
    world.github.with(|state| {
        for id in 0..100 {
            state.repositories.push(repository(1_000 + id, &format!("quiet-{id}")));
        }
        state.environments.push(environment(1_099));
    });
    world.guard_after(Span::minutes(11)).await;
    waiting_in(&world.github, 1_099, 50);
    let mut minutes = 0;
    while world.filed().await.len() < 2 {
        minutes += 1;
        assert!(minutes <= 4, "its turn did not come");
        world.github.forget_calls();
        world.guard_after(Span::minutes(1)).await;
        let looked = world.github.calls_of(Route::Runs).len();
        assert!(looked <= 31, "{looked} repositories in one minute");
    }
    // From now on it is looked at each minute.
    waiting_in(&world.github, 1_099, 51);
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.filed().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_fails_stops_no_other() {
    let world = World::start().await;
    world.github.with(|state| {
        for (id, name) in [(901, "first"), (902, "second")] {
            state.repositories.push(repository(id, name));
            state.environments.push(environment(id));
        }
    });
    waiting_in(&world.github, 901, 21);
    waiting_in(&world.github, 902, 22);
    world.github.fail(Route::Runs, 1, Fault::Saying(message(500, "Server Error")));
    world.guard().await;
    assert_eq!(world.filed().await.len(), 2, "the first that was asked failed, the others did not");
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.filed().await.len(), 3);
}

/// The last tenth of the hour's calls is for those who wait: what was told of is done, what was not is
/// not looked for.
#[tokio::test(flavor = "multi_thread")]
async fn t68_where_little_is_left_only_what_somebody_waits_for_is_done() {
    let world = World::start().await;
    world.guard().await;
    waiting(&world.github, 8);
    waiting(&world.github, 9);
    let hour = world.server.authority.clock().now().plus(Span::minutes(30)).as_seconds();
    world.github.with(|state| state.resets_at = Some(hour));
    world.github.leave(300);
    world.asked(8).await;
    assert_eq!(world.filed().await.len(), 2, "it was told of");
    approve(&world.bob().await, &world.request_of(8).await).await.unwrap();
    world.github.forget_calls();
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.gate(8).verdict.as_deref(), Some("approved"));
    assert!(world.github.calls_of(Route::Runs).is_empty(), "nothing is looked for");
    assert_eq!(world.filed().await.len(), 2);
    // The next hour has begun.
    world.guard_after(Span::minutes(31)).await;
    assert_eq!(world.filed().await.len(), 3);
}

/// Lists have pages, and a GitHub Enterprise Server answers below a path of its own, where they go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_the_second_page_of_a_server_of_ones_own_is_found() {
    let world = World::set_up(As { below: "/api/v3", ..As::default() }).await;
    world.github.with(|state| {
        for id in 0..101 {
            state.repositories.insert(0, repository(1_000 + id, &format!("quiet-{id}")));
        }
        state.environments.push(environment(1_000));
    });
    waiting_in(&world.github, 1_000, 50);
    for _ in 0..5 {
        world.guard_after(Span::minutes(1)).await;
    }
    assert_eq!(world.filed().await.len(), 2);
    let lists = world.github.calls_of(Route::Repositories).len();
    assert_eq!(lists, 2, "two pages, once");
}

//! A hundred jobs of a matrix: one request, and no more calls than they need.

use super::world::{World, credential};
use crate::runner::Job;
use crate::support::{Reply, StandIn, approve};
use assent_server::broker::Brokers;
use serde_json::json;

const JOBS: usize = 100;

const RULES: &str = "
  - id: production
    when: {intent.environment: production}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [orders], uses: 100}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_jobs_of_a_matrix_go_on_by_one_approval() {
    let world = World::with(RULES, Brokers::default()).await;
    let forge = StandIn::start(|_| Box::pin(async { Reply::new(500, "") })).await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("audience", "orders")];
    let jobs: Vec<Job> = (0..JOBS).map(|_| world.another_job()).collect();
    for job in &jobs {
        job.context("strategy.job-total", "100");
        job.set("GITHUB_API_URL", &forge.url);
        job.event(&json!({"pull_request": {"number": 7}}));
    }
    let mut steps: Vec<_> = jobs.iter().map(|job| job.step(&world.action, &with)).collect();
    // Each tenth by the shim; the rest as plain steps, which start faster.
    let start = |number: usize, stage: &str| match number.is_multiple_of(10) {
        true => steps[number].start_stage(stage),
        false => steps[number].start_bare(stage),
    };
    let running: Vec<_> = (0..JOBS).map(|number| start(number, "main")).collect();
    let request = world.asked().await;
    for one in &running {
        one.says(&request.url).await;
    }
    assert_eq!(world.requests().await.len(), 1);
    approve(&world.bob().await, &request).await.unwrap();
    let mut tokens = Vec::new();
    for (number, one) in running.into_iter().enumerate() {
        let ended = one.end().await.exits(0);
        assert_eq!(
            (ended.output("request-id"), ended.output("outcome")),
            (&*request.id, "granted")
        );
        tokens.push(credential(&ended, &jobs[number].at("temp")));
        steps[number].keep(&ended);
    }
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), JOBS);
    assert_eq!(world.requests().await.len(), 1);

    // Who it is, the filing, the wait and what it is told, and the credential; and again what an authority
    // was too busy for at that moment.
    let asked = world.relay.asked_by_jobs();
    let of = |end: &str| asked.iter().filter(|call| call.ends_with(end)).count();
    assert_eq!((of("/oauth/token"), of("POST /v1/requests")), (JOBS, JOBS));
    assert!(of("/wait") <= 2 * JOBS, "{}", of("/wait"));
    assert!(asked.len() <= 6 * JOBS, "{}", asked.len());
    assert_eq!(world.oidc.issued().len(), JOBS);
    assert!(forge.asked().is_empty(), "of GitHub nothing is asked");

    let start = |number: usize, stage: &str| match number.is_multiple_of(10) {
        true => steps[number].start_stage(stage),
        false => steps[number].start_bare(stage),
    };
    let ending: Vec<_> = (0..JOBS).map(|number| start(number, "post")).collect();
    for one in ending {
        one.end().await.exits(0);
    }
    for token in &tokens {
        assert!(!world.is_live(token).await);
    }
    // Who it is, and the end of its credential.
    let ended = world.relay.asked_by_jobs().len() - asked.len();
    assert!((2 * JOBS..3 * JOBS).contains(&ended), "{ended}");
}

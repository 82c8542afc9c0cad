//! Several jobs of a run: a matrix, a re-run, another commit.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::world::{World, credential};
use crate::runner::Job;
use crate::support::{approve, eventually};

#[tokio::test]
async fn jobs_of_a_matrix_share_one_request_and_each_ends_its_own_credential() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("audience", "orders")];
    let jobs: Vec<Job> = (0..3).map(|_| world.another_job()).collect();
    jobs.iter().for_each(|job| job.context("strategy.job-total", "3"));
    let mut steps: Vec<_> = jobs.iter().map(|job| job.step(&world.action, &with)).collect();
    let running: Vec<_> = steps.iter().map(|step| step.start()).collect();
    let request = world.asked().await;
    for one in &running {
        one.says(&request.url).await;
    }
    approve(&world.bob().await, &request).await.unwrap();
    let mut tokens = Vec::new();
    for (number, one) in running.into_iter().enumerate() {
        let ended = one.end().await.exits(0);
        assert_eq!(ended.output("request-id"), request.id);
        tokens.push(credential(&ended, &jobs[number].at("temp")));
        steps[number].keep(&ended);
    }
    assert_eq!(world.requests().await.len(), 1);
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    let live = async || {
        let mut live = 0;
        for token in &tokens {
            live += usize::from(world.is_live(token).await);
        }
        live
    };
    for left in [2, 1, 0] {
        steps[left].post().await.exits(0);
        assert_eq!(live().await, left);
    }
}

#[tokio::test]
async fn t04_a_re_run_asks_anew_unless_the_rule_lets_it_go_on() {
    let world = World::new().await;
    let base = world.base();
    for (environment, goes_on) in [("production", false), ("again", true)] {
        world.oidc.claim("run_attempt", json!("1"));
        let submit = [("url", &*base), ("environment", environment), ("mode", "submit")];
        let submitted = world.job.step(&world.action, &submit).main().await.exits(0);
        let id = submitted.output("request-id").to_owned();
        let bob = world.bob().await;
        let request = bob.client.request(&id).await.unwrap();
        approve(&bob, &request).await.unwrap();
        world.oidc.claim("run_attempt", json!("2"));
        let job = world.another_job();
        job.set("GITHUB_RUN_ATTEMPT", "2");
        let check = [
            ("url", &*base),
            ("environment", environment),
            ("mode", "check"),
            ("request-id", &*id),
            ("audience", "orders"),
        ];
        let checked = job.step(&world.action, &check).main().await;
        assert_eq!(checked.code == Some(0), goes_on, "{environment}: {checked:?}");
        assert_eq!(checked.outputs.contains_key("credential-file"), goes_on);
    }
}

#[tokio::test]
async fn t46_a_job_of_a_fork_or_of_a_strangers_event_is_not_let_in() {
    let world = World::new().await;
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("timeout", "5s")];
    let claims = [
        ("repository_id", json!("4711"), json!("9999")),
        ("repository_owner_id", json!("17"), json!("18")),
        ("event_name", json!("push"), json!("pull_request_target")),
        ("event_name", json!("push"), json!("pull_request")),
    ];
    for (name, honest, other) in claims {
        world.oidc.claim(name, other);
        let ended = world.job.step(&world.action, &with).main().await.exits(4);
        assert_eq!(ended.output("outcome"), "refused", "{name}");
        world.oidc.claim(name, honest);
    }
    assert!(world.requests().await.is_empty());
}

#[tokio::test]
async fn t10_whoever_pushed_does_not_count() {
    let world = World::new().await;
    let base = world.base();
    let running =
        world.job.step(&world.action, &[("url", &base), ("environment", "production")]).start();
    let request = world.asked().await;
    let alice = world.server.person("alice").await;
    approve(&alice, &request).await.unwrap_err();
    let bob = world.bob().await;
    let approved = eventually("bob's approval", async || approve(&bob, &request).await.ok()).await;
    assert_eq!(approved.state, "approved");
    assert!(!running.end().await.exits(0).output("approved-by").contains("alice"));
}

#[tokio::test]
async fn t03_a_grant_serves_no_other_run_commit_workflow_or_environment() {
    let world = World::new().await;
    let base = world.base();
    let submit = [("url", &*base), ("environment", "production"), ("mode", "submit")];
    let submitted = world.job.step(&world.action, &submit).main().await.exits(0);
    let id = submitted.output("request-id").to_owned();
    let bob = world.bob().await;
    approve(&bob, &bob.client.request(&id).await.unwrap()).await.unwrap();
    let check = [
        ("url", &*base),
        ("environment", "production"),
        ("mode", "check"),
        ("request-id", &*id),
        ("audience", "orders"),
    ];
    let checked = async || world.job.step(&world.action, &check).start_bare("main").end().await;
    let (commit, workflow) =
        (&"0123456789".repeat(4), "acme/orders/.github/workflows/other.yml@refs/heads/main");
    for (name, other) in [
        ("run_id", "100"),
        ("run_attempt", "2"),
        ("sha", commit),
        ("ref", "refs/heads/other"),
        ("workflow_ref", workflow),
        ("workflow_sha", commit),
        // Whoever is this is not let in at all.
        ("environment", "staging"),
        ("repository_id", "4712"),
        ("repository_owner_id", "18"),
    ] {
        let honest = world.oidc.says(name);
        world.oidc.claim(name, json!(other));
        let ended = checked().await.exits(4);
        assert_eq!(ended.output("outcome"), "refused", "{name}");
        assert!(!ended.outputs.contains_key("credential-file"), "{name}");
        world.oidc.claim(name, honest);
    }
    assert_eq!(checked().await.exits(0).output("outcome"), "granted", "to the run that asked");
}

#[tokio::test]
async fn a_job_is_believed_by_a_token_that_is_signed_as_github_signs() {
    let world = World::new().await;
    let base = world.base();
    let free = [("url", &*base), ("environment", "free")];
    world.job.step(&world.action, &free).main().await.exits(0);
    let token = world.oidc.issued().remove(0);
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["alg"], "RS256");
    let requester = world.requests().await.remove(0).requester;
    let said = |name: &str| requester.claims[name].as_str().unwrap().to_owned();
    let bound =
        ["repository_id", "repository_owner_id", "environment", "run_id", "run_attempt", "sha"];
    assert_eq!(bound.map(said), ["4711", "17", "production", "99", "1", crate::runner::SHA]);
    assert!(said("workflow_ref").starts_with("acme/orders/") && said("workflow_sha").len() == 40);
}

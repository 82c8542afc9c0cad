//! What a step does in each mode, and what it says came of it.

use std::fs;

use assent_core::time::Span;

use super::world::{World, credential};
use crate::support::{approve, deny};

/// The inputs of every step here, with these besides.
fn with<'a>(base: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [("url", base), ("environment", "production")].into_iter().chain(more.iter().copied()).collect()
}

#[tokio::test]
async fn an_approved_step_goes_on_with_its_credential() {
    let world = World::new().await;
    let base = world.base();
    let mut step = world.job.step(&world.action, &with(&base, &[("audience", "orders")]));
    let running = step.start();
    let request = world.asked().await;
    running.says(&request.url).await;
    approve(&world.bob().await, &request).await.unwrap();
    let ended = running.end().await.exits(0);
    step.keep(&ended);
    let token = credential(&ended, &world.job.at("temp"));
    assert!(world.is_live(&token).await && step.masked().contains(&token));
    world.is_discreet(&ended, &[&token]);
    assert_eq!(ended.output("request-id"), request.id);
    assert_eq!(ended.output("url"), request.url);
    assert_eq!((ended.output("outcome"), ended.output("state")), ("granted", "approved"));
    assert!(ended.output("approved-by").contains("bob"), "{:?}", ended.outputs);
    assert!(
        ended.output("expires-at").ends_with('Z') && ended.output("digest").starts_with("sha256:")
    );
    let intent = &world.now(&request).await.intent;
    assert_eq!(intent.digest.as_deref(), Some(ended.output("digest")));
    assert_eq!(intent.kind, "github.deploy");
    assert_eq!(
        (&*intent.target["repository"], &*intent.target["repository_id"]),
        ("acme/orders", "4711")
    );
    assert!(
        intent.reason.contains("acme/orders") && intent.reason.contains("Add an index"),
        "{intent:?}"
    );
    assert_eq!(ended.log.annotations().len(), 1, "{:?}", ended.log);
    for part in [&*request.url, "bob", "production"] {
        assert!(ended.summary.contains(part), "`{part}` is not in {}", ended.summary);
    }
    step.post().await.exits(0);
    assert!(!world.is_live(&token).await, "it is over with the job");
}

#[tokio::test]
async fn each_end_has_its_outcome_and_code() {
    let world = World::new().await;
    let base = world.base();
    let denied = world.job.step(&world.action, &with(&base, &[("reason", "to be denied")]));
    let running = denied.start();
    let request = world.asked().await;
    deny(&world.bob().await, &request).await.unwrap();
    let ended = running.end().await.exits(1);
    assert_eq!((ended.output("outcome"), ended.output("state")), ("denied", "denied"));

    let never = world
        .job
        .step(&world.action, &[("url", &base), ("environment", "never")])
        .main()
        .await
        .exits(4);
    assert_eq!(never.output("outcome"), "refused");
    assert!(never.log.annotations()[0].1.contains("not on a Friday"), "{:?}", never.log);

    // Beyond what the trust lets it ask for.
    let other = with(&base, &[("kind", "database.session")]);
    assert_eq!(
        world.job.step(&world.action, &other).main().await.exits(4).output("outcome"),
        "refused"
    );

    let short = with(&base, &[("timeout", "1s"), ("reason", "nobody looks")]);
    let late = world.job.step(&world.action, &short).main().await.exits(5);
    assert_eq!(late.output("outcome"), "timed-out");
    let left = world.requests().await.into_iter().find(|left| left.id == late.output("request-id"));
    assert_eq!(left.unwrap().state, "canceled");

    let free = world
        .job
        .step(&world.action, &[("url", &base), ("environment", "free")])
        .main()
        .await
        .exits(0);
    assert_eq!(free.output("outcome"), "granted");
    assert!(!free.outputs.contains_key("credential-file"), "none was wanted");
}

#[tokio::test]
async fn a_request_that_nobody_decided_expires() {
    let world = World::new().await;
    let base = world.base();
    let running = world.job.step(&world.action, &with(&base, &[("timeout", "8h")])).start();
    let request = world.asked().await;
    running.says(&request.url).await;
    world.server.time().pass(Span::hours(4));
    let _ = world.now(&request).await;
    let ended = running.end().await.exits(1);
    assert_eq!(ended.output("outcome"), "expired");
}

#[tokio::test]
async fn all_faults_are_said_at_once_and_nothing_is_asked() {
    let world = World::new().await;
    let wrong = [
        ("url", "ftp://assent.example.com"),
        ("mode", "sometimes"),
        ("target", "nothing"),
        ("timeout", "soon"),
        ("context", "[]"),
    ];
    let ended = world.job.step(&world.action, &wrong).main().await.exits(2);
    assert_eq!(ended.output("outcome"), "invalid");
    let said = ended.log.raw.join("\n");
    for input in ["url", "mode", "environment", "target", "timeout", "context"] {
        assert!(said.contains(&format!("`{input}`")), "`{input}` is not in {said}");
    }
    assert!(world.requests().await.is_empty() && world.oidc.issued().is_empty());
}

#[tokio::test]
async fn what_one_job_submits_another_checks() {
    let world = World::new().await;
    let base = world.base();
    let submit = with(&base, &[("mode", "submit")]);
    let mut submitting = world.job.step(&world.action, &submit);
    let submitted = submitting.main().await.exits(0);
    assert_eq!((submitted.output("outcome"), submitted.output("state")), ("", "pending"));
    submitting.post().await.exits(0);
    let id = submitted.output("request-id");
    let request = world.asked().await;
    assert_eq!((request.id.as_str(), request.state.as_str()), (id, "pending"), "post leaves it");

    let check = with(&base, &[("mode", "check"), ("request-id", id), ("audience", "orders")]);
    let job = world.another_job();
    let early = job.step(&world.action, &check).main().await.exits(6);
    assert_eq!(early.output("outcome"), "pending");
    assert_eq!(world.now(&request).await.state, "pending", "looking ends nothing");

    approve(&world.bob().await, &request).await.unwrap();
    let other = [check.as_slice(), &[("target", "service=another")]].concat();
    let refused = job.step(&world.action, &other).main().await;
    assert!(![Some(0), Some(6)].contains(&refused.code), "{refused:?}");
    assert!(!refused.outputs.contains_key("credential-file"));

    let mut checking = job.step(&world.action, &check);
    let granted = checking.main().await.exits(0);
    checking.keep(&granted);
    let token = credential(&granted, &job.at("temp"));
    assert!(world.is_live(&token).await);
    checking.post().await.exits(0);
    assert!(!world.is_live(&token).await);
}

#[tokio::test]
async fn a_command_runs_with_its_credential_and_no_longer() {
    let world = World::new().await;
    let base = world.base();
    let command =
        "printf '%s' \"$ASSENT_CREDENTIAL\" >held\nenv >environment\nfalse\necho not reached";
    let run = with(&base, &[("mode", "run"), ("audience", "orders"), ("command", command)]);
    let running = world.job.step(&world.action, &run).start();
    let request = world.asked().await;
    approve(&world.bob().await, &request).await.unwrap();
    let ended = running.end().await.exits(1);
    assert!(!ended.log.text().contains("not reached"));
    let token = fs::read_to_string(world.job.at("workspace/held")).unwrap();
    world.is_discreet(&ended, &[&token]);
    assert!(!token.is_empty() && !world.is_live(&token).await);
    let environment = fs::read_to_string(world.job.at("workspace/environment")).unwrap();
    for kept_back in ["INPUT_", "STATE_"] {
        assert!(!environment.contains(kept_back), "{kept_back} is given on");
    }
}

//! What a step does in each mode, and what it says came of it.

use std::fs;

use assent_core::time::Span;

use super::world::{World, credential};
use crate::support::{approve, deny, eventually};

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
    for part in [&*request.url, "bob", "production", "Add an index", "**Waited**: ", "Granted"] {
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
    let names = environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    for name in names {
        let is_own = ["INPUT_", "STATE_", "ACTIONS_"].iter().any(|own| name.starts_with(own));
        assert!(!is_own && name != "GITHUB_STATE", "{name} is given on");
    }
    let masked = world.job.step(&world.action, &[]).masked();
    for secret in masked.iter().filter(|secret| **secret != token) {
        assert!(!environment.contains(secret.as_str()), "{secret} is given on");
    }
}

/// A line of the command's own stops commands, or leaves the cursor within a line: a mask that is printed
/// then would show what it is to hide.
#[tokio::test]
async fn t40_t66_no_token_is_printed_beside_a_command_that_stops_commands() {
    for said in ["echo ::stop-commands::x", "printf 'Applying 1 of 7 '"] {
        let world = World::new().await;
        let base = world.base();
        let command = format!("{said}; touch said; until test -e on; do sleep 0.05; done");
        let run = [
            ("url", &*base),
            ("environment", "free"),
            ("mode", "run"),
            ("audience", "orders"),
            ("heartbeat", "0s"),
            ("command", &*command),
        ];
        let running = world.job.step(&world.action, &run).start();
        let said = world.job.at("workspace/said");
        eventually("the command", async || said.exists().then_some(())).await;
        let before = world.oidc.issued().len();
        // Every token of the step is over, so that it needs others to end what it was given.
        world.server.time().pass(Span::hours(2));
        fs::write(world.job.at("workspace/on"), "").unwrap();
        let ended = running.end().await;
        let later: Vec<String> = world.oidc.issued().split_off(before);
        assert!(!later.is_empty(), "{:#?}", ended.log.raw);
        for token in later {
            let shown = ended.log.raw.iter().find(|line| line.contains(&token));
            assert_eq!(shown, None);
        }
    }
}

#[tokio::test]
async fn t66_a_command_is_given_what_was_granted_and_nothing_that_asks() {
    let world = World::new().await;
    world.job.set("ACTIONS_RUNTIME_TOKEN", "runtime-token-of-the-job");
    let base = world.base();
    let run = [
        ("url", &*base),
        ("environment", "free"),
        ("mode", "run"),
        ("audience", "orders"),
        ("command", "printenv | cut -d= -f1 >names; echo added >>\"$GITHUB_STEP_SUMMARY\""),
    ];
    let ended = world.job.step(&world.action, &run).main().await.exits(0);
    let names = fs::read_to_string(world.job.at("workspace/names")).unwrap();
    let ours: Vec<_> = names.lines().filter(|name| name.starts_with("A")).collect();
    assert_eq!(ours.len(), 3, "{ours:?}");
    for name in ["ASSENT_CREDENTIAL", "ASSENT_REQUEST_ID", "ASSENT_URL", "GITHUB_OUTPUT"] {
        assert!(names.lines().any(|line| line == name), "{name} is not in {names}");
    }
    // What a command tells the page of the run stays there.
    assert!(ended.summary.contains("Assent: Granted") && ended.summary.ends_with("added\n"));
}

#[tokio::test]
async fn what_was_taken_back_or_withdrawn_is_gone_on_with_by_nobody() {
    let world = World::new().await;
    let base = world.base();
    for (outcome, is_approved) in [("canceled", false), ("revoked", true)] {
        let reason = [("mode", "submit"), ("reason", outcome)];
        let submitted = world.job.step(&world.action, &with(&base, &reason)).main().await.exits(0);
        let id = submitted.output("request-id");
        let bob = world.bob().await;
        let request = bob.client.request(id).await.unwrap();
        if is_approved {
            approve(&bob, &request).await.unwrap();
        }
        let failing = world.job.step(&world.action, &with(&base, &reason));
        let mut left = failing;
        left.keep(&submitted);
        world.job.context("job.status", "failure");
        left.post().await.exits(0);
        world.job.context("job.status", "success");
        assert_eq!(world.now(&request).await.state, outcome);
        let check = with(&base, &[("mode", "check"), ("request-id", id), ("audience", "orders")]);
        let checked = world.job.step(&world.action, &check).main().await.exits(1);
        assert_eq!((checked.output("outcome"), checked.output("state")), (outcome, outcome));
        assert!(!checked.outputs.contains_key("credential-file"));
    }
}

#[tokio::test]
async fn a_check_that_holds_nothing_against_the_request_goes_on_with_any_of_its_run() {
    let world = World::new().await;
    let base = world.base();
    let more = [("mode", "submit"), ("target", "service=orders"), ("kind", "terraform.apply")];
    let submitted = world.job.step(&world.action, &with(&base, &more)).main().await.exits(0);
    let id = submitted.output("request-id");
    approve(&world.bob().await, &world.asked().await).await.unwrap();
    for (require_match, code) in [("true", 4), ("false", 0)] {
        let check = [
            ("url", &*base),
            ("mode", "check"),
            ("request-id", id),
            ("require-match", require_match),
        ];
        world.job.step(&world.action, &check).main().await.exits(code);
    }
}

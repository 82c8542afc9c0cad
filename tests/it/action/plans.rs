//! Plans by real Terraform: what is applied is what was approved, once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assent_client::wire;
use assent_core::digest::Digest;
use assent_server::broker::Brokers;
use serde_json::{Value, json};

use super::example::Example;
use super::relay::Stall;
use super::world::World;
use crate::runner::{Ended, Job, Stopped};
use crate::support::approve;

/// As `examples/github/terraform.yml` says of its rule.
const RULES: &str = "
  - id: terraform-production
    when: {intent.environment: production, intent.kind: terraform.apply}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [orders], reuse_within_run: true}
";

fn config(input: &str) -> String {
    format!("resource \"terraform_data\" \"database\" {{\n  input = \"{input}\"\n}}\n")
}

/// A job of the run whose checkout has this configuration.
fn job(world: &World, input: &str) -> Job {
    let job = world.another_job();
    job.set("CHECKPOINT_DISABLE", "1");
    fs::write(job.at("workspace/main.tf"), config(input)).unwrap();
    job
}

/// The same as another attempt.
fn attempt(world: &World, number: u32, input: &str) -> Job {
    world.oidc.claim("run_attempt", json!(number.to_string()));
    let job = job(world, input);
    job.set("GITHUB_RUN_ATTEMPT", &number.to_string());
    job
}

/// What is in the state that an apply left there.
fn applied(job: &Job) -> Option<Value> {
    let state = fs::read_to_string(job.at("workspace/terraform.tfstate")).ok()?;
    let state: Value = serde_json::from_str(&state).unwrap();
    Some(state["resources"][0]["instances"][0]["attributes"]["output"]["value"].clone())
}

fn digest_of(file: &Path) -> String {
    Digest::of(&fs::read(file).unwrap()).to_string()
}

async fn plan(job: &Job) {
    let script = "terraform init -input=false\nterraform plan -input=false -out=tfplan\n\
                  terraform show -json tfplan >tfplan.json";
    let made = job.shell(script, &[].into()).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

async fn approved(world: &World, id: &str) -> wire::Request {
    let bob = world.bob().await;
    let request = bob.client.request(id).await.unwrap();
    approve(&bob, &request).await.unwrap()
}

/// A step about a plan, with these inputs besides.
async fn step(world: &World, job: &Job, more: &[(&str, &str)]) -> Ended {
    let base = world.base();
    let with = [("url", &*base), ("environment", "production"), ("kind", "terraform.apply")];
    job.step(&world.action, &[with.as_slice(), more].concat()).main().await
}

#[tokio::test]
async fn t01_the_example_applies_exactly_the_plan_that_was_approved() {
    let world = World::with(RULES, Brokers::default()).await;
    let mut example = Example::read("terraform.yml");
    let planning = job(&world, "resized");
    let planned = example.run("plan", &planning, &world).await.succeeds();
    let saved = digest_of(&planning.at("workspace/tfplan"));
    assert_eq!(planned.used[0].output("digest"), saved);
    assert!(planned.used[0].summary.contains("create: terraform_data.database"));
    let request = world.asked().await;
    assert_eq!(
        (request.state.as_str(), request.intent.digest.as_deref()),
        ("pending", Some(&*saved))
    );
    assert!(request.intent.plan.is_some());

    let early = attempt(&world, 1, "resized");
    let refused = example.run("apply", &early, &world).await.fails_in("Go on with the approval");
    assert_eq!((refused.used[0].code, refused.used[0].output("outcome")), (Some(6), "pending"));
    assert_eq!(world.now(&request).await.state, "pending", "it waits for people, not for a runner");

    approved(&world, &request.id).await;
    // Failed jobs are run again, on a branch that has moved on: what was approved is applied.
    let again = attempt(&world, 2, "dropped");
    let done = example.run("apply", &again, &world).await.succeeds();
    assert!(done.said.contains("Apply complete! Resources: 1 added"), "{}", done.said);
    assert_eq!(digest_of(&again.at("workspace/tfplan")), saved);
    assert_eq!(applied(&again), Some(json!("resized")));
    assert_eq!(again_variable(&again, "ASSENT_PLAN_DIGEST").await, saved);
    assert_eq!(world.requests().await.len(), 1);
}

async fn again_variable(job: &Job, name: &str) -> String {
    let said = job.shell(&format!("printf %s \"${name}\""), &[].into()).await;
    String::from_utf8(said.stdout).unwrap()
}

#[tokio::test]
async fn t06_the_example_does_not_apply_the_same_saved_plan_twice() {
    let world = World::with(RULES, Brokers::default()).await;
    let mut example = Example::read("terraform.yml");
    example.run("plan", &job(&world, "resized"), &world).await.succeeds();
    let request = world.asked().await;
    approved(&world, &request.id).await;
    let first = job(&world, "resized");
    example.run("apply", &first, &world).await.succeeds();
    assert_eq!(applied(&first), Some(json!("resized")));
    for number in [1, 2] {
        let second = attempt(&world, number, "resized");
        let refused = example.run("apply", &second, &world).await;
        let refused = refused.fails_in("Go on with the approval");
        assert_eq!((refused.used[0].code, refused.used[0].output("outcome")), (Some(4), "refused"));
        assert!(!second.at("workspace/tfplan").exists() && applied(&second).is_none());
    }
}

#[tokio::test]
async fn t06_a_job_that_is_given_nothing_takes_nothing_from_the_one_that_applies() {
    let world = World::with(RULES, Brokers::default()).await;
    let planning = job(&world, "resized");
    plan(&planning).await;
    let submitted = step(&world, &planning, &[("mode", "submit"), ("plan-file", "tfplan")]).await;
    let id = submitted.exits(0).output("request-id").to_owned();
    approved(&world, &id).await;
    let base = world.base();
    let check = [
        ("url", &*base),
        ("environment", "production"),
        ("kind", "terraform.apply"),
        ("mode", "check"),
        ("request-id", &*id),
        ("fetch-plan", "tfplan"),
        ("audience", "orders"),
    ];
    let (applying, late) = (job(&world, "resized"), job(&world, "resized"));
    let mut first = applying.step(&world.action, &check);
    let granted = first.main().await.exits(0);
    let token = super::world::credential(&granted, &applying.at("temp"));
    let mut second = late.step(&world.action, &check);
    assert_eq!(second.main().await.exits(4).output("outcome"), "refused");
    late.context("job.status", "failure");
    second.post().await.exits(0);
    assert!(world.is_live(&token).await, "the first one goes on");
    first.post().await.exits(0);
    assert!(!world.is_live(&token).await);
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_hands_in_a_plan_asks_for_nothing() {
    let world = World::with(RULES, Brokers::default()).await;
    let base = world.base();
    let job = job(&world, "resized");
    plan(&job).await;
    for stall in [Stall::Before("/v1/plans"), Stall::After("/v1/plans")] {
        let with = [
            ("url", &*base),
            ("environment", "production"),
            ("kind", "terraform.apply"),
            ("plan-file", "tfplan"),
        ];
        let mut step = job.step(&world.action, &with);
        world.relay.stall(Some(stall));
        let running = step.start();
        world.relay.stalls().await;
        let (by, ended) = running.cancel().await;
        assert_eq!((by, ended.output("outcome")), (Stopped::Interrupted, "canceled"));
        world.relay.stall(None);
        step.keep(&ended);
        step.post().await.exits(0);
        assert!(world.requests().await.is_empty(), "{stall:?}");
    }
}

#[tokio::test]
async fn a_job_that_is_canceled_while_it_fetches_a_plan_leaves_no_part_of_it() {
    let world = World::with(RULES, Brokers::default()).await;
    let planning = job(&world, "resized");
    plan(&planning).await;
    let submitted = step(&world, &planning, &[("mode", "submit"), ("plan-file", "tfplan")]).await;
    let id = submitted.exits(0).output("request-id").to_owned();
    approved(&world, &id).await;
    let base = world.base();
    let check = [
        ("url", &*base),
        ("environment", "production"),
        ("kind", "terraform.apply"),
        ("mode", "check"),
        ("request-id", &*id),
        ("fetch-plan", "tfplan"),
    ];
    let applying = job(&world, "resized");
    let mut fetching = applying.step(&world.action, &check);
    world.relay.stall(Some(Stall::After("/plan")));
    let running = fetching.start();
    world.relay.stalls().await;
    let (by, ended) = running.cancel().await;
    assert_eq!((by, ended.output("outcome")), (Stopped::Interrupted, "canceled"));
    assert!(!applying.at("workspace/tfplan").exists() && ended.variables.is_empty());
    world.relay.stall(None);
    fetching.keep(&ended);
    applying.context("job.status", "cancelled");
    fetching.post().await.exits(0);
    // With its job the grant ended, and nobody is given the plan again.
    let again = job(&world, "resized");
    let refused = again.step(&world.action, &check).main().await.exits(1);
    assert_eq!(refused.output("outcome"), "revoked");
}

#[tokio::test]
async fn t01_a_changed_plan_is_refused_under_the_old_grant() {
    let world = World::with(RULES, Brokers::default()).await;
    let job = job(&world, "resized");
    plan(&job).await;
    for file in ["tfplan", "tfplan.json"] {
        let submit = [("mode", "submit"), ("plan-file", file)];
        let submitted = step(&world, &job, &submit).await.exits(0);
        let id = submitted.output("request-id").to_owned();
        approved(&world, &id).await;
        let kept = fs::read(job.at("workspace").join(file)).unwrap();
        let check = [("mode", "check"), ("request-id", &*id), ("plan-file", file)];
        // Made anew, of another configuration.
        fs::write(job.at("workspace/main.tf"), config("dropped")).unwrap();
        plan(&job).await;
        let changed = step(&world, &job, &check).await.exits(4);
        assert_eq!(changed.output("outcome"), "refused");
        assert!(changed.log.annotations()[0].1.contains("its digest is"), "{:?}", changed.log);
        assert!(changed.variables.is_empty(), "{:?}", changed.variables);
        // And nobody is given the old one's grant by asking again: that is another request.
        let anew = step(&world, &job, &submit).await.exits(0);
        assert_ne!(anew.output("request-id"), id);
        assert_eq!(anew.output("state"), "pending");
        // One byte makes it another.
        let mut forged = kept.clone();
        *forged.last_mut().unwrap() ^= 1;
        fs::write(job.at("workspace").join(file), forged).unwrap();
        step(&world, &job, &check).await.exits(4);
        fs::write(job.at("workspace").join(file), kept).unwrap();
        let same = step(&world, &job, &check).await.exits(0);
        assert_eq!(same.output("outcome"), "granted");
        // What was begun begins once.
        step(&world, &job, &check).await.exits(4);
        fs::write(job.at("workspace/main.tf"), config("resized")).unwrap();
        plan(&job).await;
    }
}

#[tokio::test]
async fn t01_a_plan_that_changes_while_people_are_asked_stops_the_step() {
    let world = World::with(RULES, Brokers::default()).await;
    let job = job(&world, "resized");
    plan(&job).await;
    let base = world.base();
    let with = [
        ("url", &*base),
        ("environment", "production"),
        ("kind", "terraform.apply"),
        ("plan-file", "tfplan"),
    ];
    let waiting = job.step(&world.action, &with);
    let running = waiting.start();
    let request = world.asked().await;
    running.says(&request.url).await;
    fs::copy(job.at("workspace/tfplan"), job.at("temp/kept")).unwrap();
    fs::write(job.at("workspace/main.tf"), config("dropped")).unwrap();
    plan(&job).await;
    approved(&world, &request.id).await;
    let ended = running.end().await.exits(4);
    assert_eq!(ended.output("outcome"), "refused");
    assert!(ended.variables.is_empty());
    assert_eq!(world.now(&request).await.state, "revoked");
    // The grant is gone with it: also the plan that was approved needs another.
    fs::copy(job.at("temp/kept"), job.at("workspace/tfplan")).unwrap();
    let again = step(&world, &job, &[("plan-file", "tfplan"), ("timeout", "1s")]).await.exits(5);
    assert_ne!(again.output("request-id"), request.id);
}

#[tokio::test]
async fn a_plan_in_one_job_is_asked_about_and_applied_there() {
    let world = World::with(RULES, Brokers::default()).await;
    for file in ["tfplan", "tfplan.json"] {
        let job = job(&world, "resized");
        plan(&job).await;
        let base = world.base();
        let with = [
            ("url", &*base),
            ("environment", "production"),
            ("kind", "terraform.apply"),
            ("plan-file", file),
            ("reason", file),
        ];
        let mut waiting = job.step(&world.action, &with);
        let running = waiting.start();
        let request = crate::support::eventually("a request", async || {
            let all = world.requests().await;
            all.into_iter().find(|request| request.intent.reason == file)
        })
        .await;
        let shown = world.bob().await.client.plan(request.intent.plan.as_deref().unwrap()).await;
        assert_eq!(shown.unwrap().facts.creates, 1);
        approved(&world, &request.id).await;
        let ended = running.end().await.exits(0);
        waiting.keep(&ended);
        let is_saved = file == "tfplan";
        assert_eq!(ended.variables.contains_key("ASSENT_PLAN_DIGEST"), is_saved);
        let apply = job.shell("terraform apply -input=false tfplan", &[].into()).await;
        assert!(apply.status.success(), "{apply:?}");
        waiting.post().await.exits(0);
        // Applied once: whoever asks with the same plan asks people.
        let again = [("plan-file", file), ("reason", file), ("timeout", "1s")];
        step(&world, &job, &again).await.exits(5);
    }
}

/// Providers and modules run as part of it, and are anybody's.
#[tokio::test]
async fn t66_terraform_is_not_given_what_proves_who_the_job_is() {
    let world = World::with(RULES, Brokers::default()).await;
    let job = job(&world, "resized");
    plan(&job).await;
    let wrapper = job.at("temp/wrapper");
    fs::write(&wrapper, "#!/bin/sh\nenv >names\nexec terraform \"$@\"\n").unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    job.set("TERRAFORM", wrapper.to_str().unwrap());
    step(&world, &job, &[("mode", "submit"), ("plan-file", "tfplan")]).await.exits(0);
    let environment = fs::read_to_string(job.at("workspace/names")).unwrap();
    assert!(environment.contains("GITHUB_REPOSITORY=acme/orders"), "{environment}");
    let is_own =
        |line: &&str| ["ACTIONS_", "INPUT_", "STATE_"].iter().any(|own| line.starts_with(own));
    assert_eq!(environment.lines().find(is_own), None);
    assert!(!environment.contains(crate::runner::Oidc::BEARER));
}

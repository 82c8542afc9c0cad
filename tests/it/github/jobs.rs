//! The job that GitHub starts once it is approved: it finds the request that the App filed and mints
//! from it, and no other job does.

use assent_client::{Secret, wire};
use assent_core::digest::commit_digest;
use assent_core::time::Span;
use serde_json::{Value, json};

use super::faults::{failures, limits, refusals};
use super::world::{As, World, waiting};
use crate::support::github::{Change, Fault, Route};
use crate::support::{Caller, Issuer, POLICY, approve, fresh_key, mint};

const AUDIENCE: &str = "https://assent.example.com";

/// An authority that trusts the jobs of this issuer for their environment.
pub(super) async fn world(issuer: &Issuer) -> World {
    let url = &issuer.url;
    let policy = format!(
        "{POLICY}trusts:
  shop:
    issuer: {url}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: \"90\", repository_id: \"900\", environment: one}}
    people: {{'2': person:bob, '3': person:carol}}
    may_ask: {{kinds: [github.deploy], environments: [one]}}
"
    );
    World::set_up(As { policy, actions_issuer: Some(url.clone()), ..As::default() }).await
}

/// What the job of a run says, with these claims besides.
fn claims(world: &World, issuer: &Issuer, run: u64, more: Value) -> Value {
    let now = world.server.authority.clock().now().as_seconds();
    let found = world.github.with(|state| state.runs[&run].clone());
    let mut claims = json!({
        "iss": issuer.url, "aud": AUDIENCE, "sub": "repo:acme/shop:environment:one",
        "jti": fresh_key().as_str(), "iat": now, "exp": now + 300,
        "repository": "acme/shop", "repository_id": "900", "repository_owner_id": "90",
        "environment": "one", "event_name": found.event, "ref": "refs/heads/main",
        "sha": found.head_sha, "run_id": run.to_string(),
        "run_attempt": found.attempt.to_string(), "actor_id": found.actor.to_string(),
        "workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
        "workflow_sha": found.head_sha, "job_workflow_ref": "acme/shop/x.yml@refs/heads/main",
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

pub(super) async fn job(world: &World, issuer: &Issuer, run: u64, more: Value) -> Caller {
    let token = Secret::new(issuer.sign(json!({}), &claims(world, issuer, run, more)));
    let fresh = world.server.stranger().client.exchange(&token).await.unwrap();
    world.server.holder_of(fresh.token.expose())
}

/// What the action files for the commit that is run, in its own words.
fn filing(world: &World, run: u64) -> wire::Filing {
    let sha = world.github.with(|state| state.runs[&run].head_sha.clone());
    let target = [("repository", "acme/shop"), ("repository_id", "900"), ("commit", sha.as_str())];
    let intent = wire::Intent {
        kind: "github.deploy".to_owned(),
        environment: "one".to_owned(),
        target: target.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        digest: Some(commit_digest("900", &sha).to_string()),
        reason: "Deploy acme/shop@main (000000000000): A commit".to_owned(),
        ..wire::Intent::default()
    };
    wire::Filing { intent, reattach: true, heartbeat: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_mints_from_the_request_that_the_app_filed() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    let job = job(&world, &issuer, 7, json!({})).await;
    let met = job.client.file(&filing(&world, 7), &fresh_key()).await.unwrap();
    assert_eq!(met.id, world.request().await.id, "it is met, not filed again");
    assert_eq!(met.state, "approved");
    let credential = mint(&job, &met).await.unwrap();
    assert!(!credential.token.is_empty());
    // What it does once is done.
    assert!(mint(&job, &met).await.is_err());
    world.guard_after(Span::minutes(2)).await;
    assert_eq!((world.filed().await.len(), world.gate(7).verdicts), (1, 1));
    assert!(world.alarms().await.is_empty());
}

/// What it asks for is what was approved, to the last field; anything else is a request of its own.
#[tokio::test(flavor = "multi_thread")]
async fn t02_a_job_that_asks_for_something_else_meets_nothing() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    let job = job(&world, &issuer, 7, json!({})).await;
    let honest = filing(&world, 7);
    let mut others = vec![honest.clone(); 4];
    others[0].intent.digest = Some(commit_digest("900", "another").to_string());
    others[1].intent.target.insert("commit".to_owned(), "another".to_owned());
    others[2].intent.context.insert("replicas".to_owned(), json!(0));
    others[3].reattach = false;
    for other in others {
        let filed = job.client.file(&other, &fresh_key()).await.unwrap();
        assert_eq!(filed.state, "pending", "{other:?}");
    }
    assert_eq!(job.client.file(&honest, &fresh_key()).await.unwrap().state, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_t04_a_job_of_another_run_or_attempt_has_nothing_of_it() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    world.asked(7).await;
    let request = world.request().await;
    approve(&world.bob().await, &request).await.unwrap();
    world.guard().await;
    waiting(&world.github, 8);
    // Of another run, and of what says to be this run with another commit or attempt.
    for (run, more) in [
        (8, json!({})),
        (7, json!({"sha": "f".repeat(40)})),
        (7, json!({"run_attempt": "2"})),
        (7, json!({"run_id": "8"})),
    ] {
        let other = job(&world, &issuer, run, more.clone()).await;
        let refused = mint(&other, &request).await.unwrap_err();
        assert_eq!(refused.code(), Some("other_run"), "{more}");
        let met = other.client.file(&filing(&world, 7), &fresh_key()).await;
        assert!(met.is_err_and(|error| error.code() == Some("other_run")) || run == 8, "{more}");
    }
    // And the attempt after it, as GitHub itself says it.
    world.github.with(|state| {
        state.change(7, Change::Canceled);
        state.change(7, Change::RunAgain);
    });
    let again = job(&world, &issuer, 7, json!({})).await;
    assert_eq!(mint(&again, &request).await.unwrap_err().code(), Some("other_run"));
    let filed = again.client.file(&filing(&world, 7), &fresh_key()).await.unwrap();
    assert_ne!(filed.id, request.id);
    assert_eq!(filed.state, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn t03_a_job_of_another_repository_is_nobody() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    for more in [json!({"repository_id": "901"}), json!({"environment": "two"})] {
        let token = issuer.sign(json!({}), &claims(&world, &issuer, 7, more.clone()));
        let token = Secret::new(token);
        assert!(world.server.stranger().client.exchange(&token).await.is_err(), "{more}");
    }
}

/// An administrator started the job past the rule: there is nothing for it to take.
#[tokio::test(flavor = "multi_thread")]
async fn t72_a_job_that_was_started_past_the_rule_is_given_nothing() {
    let issuer = Issuer::start().await;
    let world = world(&issuer).await;
    world.asked(7).await;
    let request = world.request().await;
    world.github.with(|state| state.change(7, Change::Bypassed(99)));
    let job = job(&world, &issuer, 7, json!({})).await;
    assert!(mint(&job, &request).await.is_err());
    world.guard_after(Span::minutes(1)).await;
    assert_eq!(world.request().await.state, "canceled");
    assert!(mint(&job, &request).await.is_err());
    assert_eq!(world.alarms().await.len(), 1);
}

/// Who is behind a change is looked for since the last that people approved. Where GitHub cannot say
/// now, nothing is filed until it can; where it has no such commit any more, all are looked at.
#[tokio::test(flavor = "multi_thread")]
async fn t10_what_was_added_since_the_last_is_compared_or_nothing_is_filed() {
    let issuer = Issuer::start().await;
    for fault in [refusals(), limits(), failures()].into_iter().flatten() {
        let world = world(&issuer).await;
        world.asked(7).await;
        approve(&world.bob().await, &world.request().await).await.unwrap();
        world.guard().await;
        mint(&job(&world, &issuer, 7, json!({})).await, &world.request().await).await.unwrap();
        waiting(&world.github, 8);
        world.github.fail(Route::Compare, usize::MAX, fault.clone());
        world.asked(8).await;
        world.guard_after(Span::minutes(1)).await;
        let is_answer =
            matches!(&fault, Fault::Saying(said) if [404, 409, 422].contains(&said.status));
        assert_eq!(world.filed().await.len(), 1 + usize::from(is_answer), "{fault:?}");
        assert_eq!(world.gate(8).verdicts, 0, "{fault:?}");
        world.github.heal();
        world.guard_after(Span::minutes(3)).await;
        assert_eq!(world.filed().await.len(), 2, "{fault:?}");
        let since = &world.request_of(8).await.requester.claims["changes_since"];
        let last = world.github.with(|state| state.runs[&7].head_sha.clone());
        assert_eq!(since, &json!(if is_answer { "beginning" } else { &*last }), "{fault:?}");
    }
}

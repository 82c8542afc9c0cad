//! The exact plan's bytes, and the run that a request belongs to: who is given what was approved, and
//! who is not.

use std::path::Path;

use assent_client::{ErrorKind, Secret, wire};
use assent_core::digest::Digest;
use assent_core::principal::PrincipalKind;
use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Binary, Caller, Issuer, POLICY, Server, Setup, approve, documents, fresh_key, intent,
    mint, policy_in, sent,
};

const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str = "https://assent.example.com";
/// What must never lie readable on disk: it stands in the plan many times over.
const CANARY: &str = "canary-of-a-database-password";

/// Rules for everybody's plans, and the trusts of this issuer.
fn rules(issuer: &Issuer, credential: &str) -> String {
    let trust = |name: &str, shape: &str, claims: &str| {
        format!(
            "  {name}:
    issuer: {url}
    audience: {AUDIENCE}/{name}
    {shape}
    claims: {{{claims}}}
    single_use: false{people}
    may_ask: {{kinds: [terraform.*], environments: ['**']}}
",
            url = issuer.url,
            // Where an issuer's people are behind what is asked, it is known who of them reviews.
            people = match shape {
                "shape: github-actions" | "shape: gitlab" => {
                    "\n    people: {\"2\": person:bob, \"3\": person:carol}"
                }
                _ => "",
            },
        )
    };
    let all = [
        trust(
            "github",
            "shape: github-actions",
            "repository_owner_id: \"17\", repository_id: {in: [\"4711\", \"4712\"]}, environment: production",
        ),
        trust(
            "hcp",
            "shape: hcp-terraform",
            "terraform_organization_id: org-1, terraform_workspace_id: {in: [ws-1, ws-2]}, \
             terraform_run_phase: {in: [plan, apply]}",
        ),
        trust("gitlab", "shape: gitlab", "project_id: \"7\", ref_protected: \"true\""),
        trust("cluster", "shape: kubernetes", "sub: 'system:serviceaccount:ci:deploy'"),
    ];
    format!(
        "
apiVersion: assent/v1
kind: Policy
groups: {{release-managers: [person:bob, person:carol]}}
rules:
  - id: production
    when: {{intent.environment: production}}
    require:
      stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]
      request_expires: 4h
      credential: {{max_ttl: 15m, grant_window: 1h{credential}}}
  - id: staging
    when: {{intent.environment: staging}}
    allow: {{credential: {{max_ttl: 15m, grant_window: 1h{credential}}}}}
trusts:
{}",
        all.concat()
    )
}

async fn ruled_by(text: &str, retention: Option<Span>) -> Server {
    let reach = Reach { loopback: true, ..Reach::default() };
    let source = Source::Given(documents(text));
    Server::set_up(Setup { source, reach, plan_retention: retention, ..Setup::default() }).await
}

/// A token of this kind with these claims besides.
fn token(issuer: &Issuer, kind: &str, more: Value) -> String {
    let mut claims = match kind {
        "github" => json!({
            "sub": "repo:acme/orders:environment:production", "repository": "acme/orders",
            "repository_id": "4711", "repository_owner_id": "17", "environment": "production",
            "event_name": "push", "actor_id": "1001", "ref": "refs/heads/main", "sha": "aaaa",
            "workflow_ref": "acme/orders/.github/workflows/apply.yml@refs/heads/main",
            "workflow_sha": "aaaa", "run_id": "99", "run_attempt": "1",
        }),
        "hcp" => json!({
            "sub": "organization:acme:project:p:workspace:orders:run_phase:apply",
            "terraform_organization_id": "org-1", "terraform_workspace_id": "ws-1",
            "terraform_run_id": "run-1", "terraform_run_phase": "apply",
            "terraform_full_workspace": "organization:acme:project:p:workspace:orders",
        }),
        "gitlab" => json!({
            "sub": "project_path:acme/orders:ref_type:branch:ref:main", "project_id": "7",
            "ref": "main", "ref_type": "branch", "ref_protected": "true", "user_id": "5",
            "sha": "aaaa", "pipeline_id": "1", "job_id": "11",
        }),
        _ => json!({
            "sub": "system:serviceaccount:ci:deploy",
            "kubernetes.io": {"namespace": "ci", "pod": {"name": "deploy-1", "uid": "pod-1"},
                "serviceaccount": {"name": "deploy", "uid": "sa-1"}},
        }),
    };
    let common = json!({
        "iss": issuer.url, "aud": format!("{AUDIENCE}/{kind}"), "jti": fresh_key().as_str(),
        "iat": NOW, "exp": NOW + 300,
    });
    let all = claims.as_object_mut().unwrap();
    all.extend(common.as_object().unwrap().clone());
    all.extend(more.as_object().unwrap().clone());
    issuer.sign(json!({}), &claims)
}

/// The workload of this kind, in the run that these claims besides say.
async fn run(server: &Server, issuer: &Issuer, kind: &str, more: Value) -> Caller {
    let subject = Secret::new(token(issuer, kind, more));
    let fresh = server.stranger().client.exchange(&subject).await.unwrap();
    server.holder_of(fresh.token.expose())
}

/// Something like a saved plan of this size.
fn plan(size: usize) -> Vec<u8> {
    let pieces = (0_u32..).flat_map(|n| format!("{n} {CANARY}\n").into_bytes());
    b"PK\x03\x04".iter().copied().chain(pieces).take(size).collect()
}

/// The filing of exactly this plan.
fn about(environment: &str, plan: &[u8]) -> wire::Filing {
    let digest = Some(Digest::of(plan).to_string());
    let intent = wire::Intent { digest, ..intent(environment, "resize") };
    wire::Filing { intent, reattach: false, heartbeat: None }
}

async fn file(who: &Caller, environment: &str, plan: &[u8]) -> wire::Request {
    who.client.file(&about(environment, plan), &fresh_key()).await.unwrap()
}

/// The code with which this caller is refused the plan.
async fn refused(who: &Caller, id: &str) -> String {
    let error = who.client.fetch_plan(id, &fresh_key()).await.unwrap_err();
    error.code().unwrap().to_owned()
}

/// Every refusal on record: what was tried, with which code.
async fn refusals(who: &Caller) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut next = 0;
    loop {
        let page = who.client.entries(next).await.unwrap().entries;
        let Some(last) = page.last() else { return all };
        next = last.index + 1;
        for entry in page.iter().filter(|entry| entry.event["type"] == "refused") {
            let text = |name: &str| entry.event[name].as_str().unwrap().to_owned();
            all.push((text("attempt"), text("code")));
        }
    }
}

#[track_caller]
fn said(refusals: &[(String, String)], attempt: &str, code: &str) {
    let wanted = (attempt.to_owned(), code.to_owned());
    assert!(refusals.contains(&wanted), "{wanted:?} is not among {refusals:?}");
}

#[tokio::test]
async fn the_plan_that_was_sent_is_given_once_to_the_run_that_asked() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, ""), None).await;
    let bob = server.person("bob").await;
    let ci = run(&server, &issuer, "github", json!({})).await;
    // Three pieces, the last not full.
    let plan = plan(2 * 1024 * 1024 + 12_345);
    let request = file(&ci, "production", &plan).await;
    assert_eq!((request.run["run_id"].as_str(), request.run["sha"].as_str()), ("99", "aaaa"));
    assert_eq!(refused(&ci, &request.id).await, "not_approved");
    let kept = ci.client.send_plan(&request.id, plan.clone()).await.unwrap().plan_bytes.unwrap();
    assert_eq!((kept.size, kept.status.as_str()), (plan.len() as u64, "kept"));
    // Sent again it is the same, and no second entry.
    let before = ci.client.checkpoint().await.unwrap();
    ci.client.send_plan(&request.id, plan.clone()).await.unwrap();
    assert_eq!(ci.client.checkpoint().await.unwrap(), before);
    approve(&bob, &request).await.unwrap();
    // The next token of the same run is the same run.
    let later = run(&server, &issuer, "github", json!({})).await;
    let key = fresh_key();
    assert_eq!(later.client.fetch_plan(&request.id, &key).await.unwrap(), plan);
    // An answer that was lost is given again; a second use is not.
    assert_eq!(later.client.fetch_plan(&request.id, &key).await.unwrap(), plan);
    assert_eq!(refused(&ci, &request.id).await, "plan_fetched");
    let error = ci.client.send_plan(&request.id, plan.clone()).await.unwrap_err();
    assert_eq!(error.code(), Some("plan_fetched"));
    let told = refusals(&bob).await;
    said(&told, "fetch_plan", "not_approved");
    said(&told, "fetch_plan", "plan_fetched");
    said(&told, "send_plan", "plan_fetched");
    let log = bob.client.entries(0).await.unwrap().entries;
    let fetched: Vec<_> =
        log.iter().filter(|entry| entry.event["type"] == "plan_fetched").collect();
    assert_eq!(fetched.len(), 1);
    assert!(fetched[0].event["run"].as_str().unwrap().starts_with("sha256:"));
    // The grant is there still, for what the plan needs.
    mint(&later, &request).await.unwrap();
    let status = ci.client.request(&request.id).await.unwrap();
    assert_eq!(status.state, "consumed");
    assert!(status.plan_bytes.unwrap().fetched_at.is_some());
    assert_eq!(
        later.client.fetch_plan(&request.id, &key).await.unwrap_err().kind,
        ErrorKind::Conflict
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t05_of_many_who_fetch_at_once_one_is_given_it() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let plan = plan(100_000);
    let request = file(&alice, "staging", &plan).await;
    alice.client.send_plan(&request.id, plan).await.unwrap();
    let all: JoinSet<bool> = (0..24)
        .map(|_| {
            let (alice, id) = (alice.clone(), request.id.clone());
            async move { alice.client.fetch_plan(&id, &fresh_key()).await.is_ok() }
        })
        .collect();
    assert_eq!(all.join_all().await.into_iter().filter(|given| *given).count(), 1);
}

#[tokio::test]
async fn t01_a_changed_byte_is_refused_and_on_record() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let plan = plan(300_000);
    let request = file(&alice, "one", &plan).await;
    let mut changed = plan.clone();
    *changed.last_mut().unwrap() ^= 1;
    for other in [changed, plan[..plan.len() - 1].to_vec(), Vec::new()] {
        let error = alice.client.send_plan(&request.id, other).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Conflict, Some("digest_mismatch")));
    }
    said(&refusals(&bob).await, "send_plan", "digest_mismatch");
    approve(&bob, &request).await.unwrap();
    assert_eq!(refused(&alice, &request.id).await, "no_plan");
    // What was approved is taken still, also after the approval.
    alice.client.send_plan(&request.id, plan.clone()).await.unwrap();
    assert_eq!(alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), plan);
    // A request of nothing exact takes no plan.
    let vague = wire::Filing { intent: intent("one", "vague"), reattach: false, heartbeat: None };
    let vague = alice.client.file(&vague, &fresh_key()).await.unwrap();
    let error = alice.client.send_plan(&vague.id, plan).await.unwrap_err();
    assert_eq!(error.code(), Some("no_digest"));
}

/// Whatever another run of the same workload tries is refused and on record; the run itself goes on.
async fn only_its_own_run(kind: &str, other: Value, allowed: bool, credential: &str) {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, credential), None).await;
    let bob = server.person("bob").await;
    let own = run(&server, &issuer, kind, json!({})).await;
    let next = run(&server, &issuer, kind, other.clone()).await;
    let plan = plan(1_000);
    let request = file(&own, "production", &plan).await;
    let code = |error: assent_client::ClientError| error.code().map(str::to_owned);
    let wrong = Some("other_run".to_owned());
    if !allowed {
        let sent = next.client.send_plan(&request.id, plan.clone()).await;
        assert_eq!(code(sent.unwrap_err()), wrong, "{kind} {other}");
    }
    own.client.send_plan(&request.id, plan.clone()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    if allowed {
        // One grant in all, whoever of them is first.
        assert_eq!(next.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), plan);
        assert_eq!(refused(&own, &request.id).await, "plan_fetched");
        mint(&next, &request).await.unwrap();
        assert_eq!(code(mint(&own, &request).await.unwrap_err()).as_deref(), Some("not_approved"));
        own.client.complete(&request.id, &fresh_key()).await.unwrap();
        return;
    }
    assert_eq!(refused(&next, &request.id).await, "other_run", "{kind} {other}");
    let error = mint(&next, &request).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert_eq!(code(error), wrong, "{kind} {other}");
    for ended in [
        next.client.begin(&request.id, &fresh_key()).await,
        next.client.complete(&request.id, &fresh_key()).await,
    ] {
        assert_eq!(code(ended.unwrap_err()), wrong, "{kind} {other}");
    }
    let told = refusals(&bob).await;
    for attempt in ["send_plan", "fetch_plan", "mint", "begin", "complete"] {
        said(&told, attempt, "other_run");
    }
    // What another run files is another request, also where it would meet an open one.
    let again = wire::Filing { reattach: true, ..about("production", &plan) };
    let filed = next.client.file(&again, &fresh_key()).await.unwrap();
    assert_ne!(filed.id, request.id, "{kind} {other}");
    assert_eq!(filed.state, "pending", "the review was carried over");
    let met = own.client.file(&again, &fresh_key()).await.unwrap();
    assert_eq!(met.id, request.id);
    // And a credential that its own run minted is not given again to the other, by whatever key.
    let key = fresh_key();
    let wanted = wire::MintRequest { audience: "aws".to_owned(), ..Default::default() };
    own.client.mint(&request.id, &wanted, &key).await.unwrap();
    let lost = next.client.mint(&request.id, &wanted, &key).await.unwrap_err();
    assert_eq!(code(lost), wrong);
}

#[tokio::test]
async fn t02_a_grant_of_one_commit_is_not_used_by_the_next() {
    only_its_own_run("github", json!({"sha": "bbbb"}), false, "").await;
    // A rule that lets a run be tried again lets no other commit in.
    let pushed = json!({"sha": "bbbb", "workflow_sha": "bbbb", "run_id": "100"});
    only_its_own_run("github", pushed, false, ", reuse_within_run: true").await;
}

#[tokio::test]
async fn t03_a_grant_of_one_run_is_not_used_by_another() {
    let gitlab = json!({"pipeline_id": "2", "job_id": "21"});
    let other_pod = json!({"kubernetes.io": {"namespace": "ci",
        "pod": {"name": "deploy-2", "uid": "pod-2"},
        "serviceaccount": {"name": "deploy", "uid": "sa-1"}}});
    for (kind, other) in [
        ("github", json!({"run_id": "100"})),
        ("github", json!({"ref": "refs/heads/other"})),
        ("github", json!({"workflow_ref": "acme/orders/.github/workflows/x.yml@refs/heads/main"})),
        ("hcp", json!({"terraform_run_id": "run-2"})),
        ("gitlab", gitlab),
        ("cluster", other_pod),
    ] {
        only_its_own_run(kind, other.clone(), false, "").await;
        only_its_own_run(kind, other, false, ", reuse_within_run: true").await;
    }
}

#[tokio::test]
async fn t45_a_plan_of_hcp_terraform_asks_and_only_the_apply_of_its_run_is_given_anything() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, ", uses: 2"), None).await;
    let bob = server.person("bob").await;
    let phase = |phase: &str| json!({"terraform_run_phase": phase});
    let planning = run(&server, &issuer, "hcp", phase("plan")).await;
    let applying = run(&server, &issuer, "hcp", phase("apply")).await;
    let (plan, key, again) = (plan(1_000), fresh_key(), fresh_key());
    let request = file(&planning, "production", &plan).await;
    planning.client.send_plan(&request.id, plan.clone()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    let wanted = wire::MintRequest { audience: "aws".to_owned(), ..Default::default() };
    let code = |error: assent_client::ClientError| error.code().map(str::to_owned);
    let early = Some("not_applying".to_owned());
    let error = planning.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap_err();
    assert!(error.to_string().contains("`terraform_run_phase` plan"), "{error}");
    assert_eq!(code(error), early);
    assert_eq!(refused(&planning, &request.id).await, "not_applying");
    let begun = planning.client.begin(&request.id, &fresh_key()).await;
    assert_eq!(code(begun.unwrap_err()), early);
    let told = refusals(&bob).await;
    for attempt in ["mint", "fetch_plan", "begin"] {
        said(&told, attempt, "not_applying");
    }
    // The apply of the same run is, and what it was given is not given again to the plan.
    assert_eq!(applying.client.fetch_plan(&request.id, &key).await.unwrap(), plan);
    let lost = planning.client.fetch_plan(&request.id, &key).await.unwrap_err();
    assert_eq!(code(lost), early);
    let credential = applying.client.mint(&request.id, &wanted, &again).await.unwrap();
    let lost = planning.client.mint(&request.id, &wanted, &again).await.unwrap_err();
    assert_eq!(code(lost), early);
    let held = planning.client.heartbeat(&credential.id).await.unwrap_err();
    assert_eq!(code(held), early);
    planning.client.complete(&request.id, &fresh_key()).await.unwrap();
}

#[tokio::test]
async fn t03_another_workspace_or_repository_does_not_even_see_it() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, ""), None).await;
    let bob = server.person("bob").await;
    let plan = plan(1_000);
    for (kind, other) in [
        ("github", json!({"repository_id": "4712"})),
        ("hcp", json!({"terraform_workspace_id": "ws-2"})),
    ] {
        let own = run(&server, &issuer, kind, json!({})).await;
        let next = run(&server, &issuer, kind, other).await;
        let request = file(&own, "production", &plan).await;
        own.client.send_plan(&request.id, plan.clone()).await.unwrap();
        approve(&bob, &request).await.unwrap();
        assert_eq!(refused(&next, &request.id).await, "not_found");
        assert_eq!(mint(&next, &request).await.unwrap_err().code(), Some("not_found"));
        // People see it, and are given nothing.
        assert_eq!(refused(&bob, &request.id).await, "not_requester");
        own.client.fetch_plan(&request.id, &fresh_key()).await.unwrap();
    }
    let told = refusals(&bob).await;
    said(&told, "fetch_plan", "not_found");
    said(&told, "mint", "not_found");
    said(&told, "fetch_plan", "not_requester");
    // Of what was never filed nothing is on record.
    let nothing = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
    let before = bob.client.checkpoint().await.unwrap();
    assert_eq!(refused(&bob, nothing).await, "not_found");
    assert_eq!(bob.client.checkpoint().await.unwrap(), before);
}

#[tokio::test]
async fn t04_a_job_that_is_run_again_needs_its_own_grant_unless_the_rule_says_otherwise() {
    for (kind, again) in
        [("github", json!({"run_attempt": "2"})), ("gitlab", json!({"job_id": "12"}))]
    {
        only_its_own_run(kind, again.clone(), false, "").await;
        only_its_own_run(kind, again.clone(), false, ", reuse_within_run: false").await;
        only_its_own_run(kind, again, true, ", reuse_within_run: true").await;
    }
}

#[tokio::test]
async fn t04_where_the_run_is_enough_a_job_that_is_run_again_meets_its_request() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, ", reuse_within_run: true"), None).await;
    let first = run(&server, &issuer, "github", json!({})).await;
    let request = file(&first, "production", b"plan").await;
    assert!(request.ruling.credential.unwrap().reuse_within_run);
    let again = run(&server, &issuer, "github", json!({"run_attempt": "2"})).await;
    let filing = wire::Filing { reattach: true, ..about("production", b"plan") };
    assert_eq!(again.client.file(&filing, &fresh_key()).await.unwrap().id, request.id);
}

#[tokio::test]
async fn a_plan_is_given_while_the_grant_lasts_and_no_longer() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let bytes = plan(1_000);
    let file = async || {
        let request = file(&alice, "one", &bytes).await;
        alice.client.send_plan(&request.id, bytes.clone()).await.unwrap();
        request
    };
    let denied = file().await;
    crate::support::deny(&bob, &denied).await.unwrap();
    assert_eq!(refused(&alice, &denied.id).await, "not_approved");
    let late = file().await;
    approve(&bob, &late).await.unwrap();
    let revoked = file().await;
    approve(&bob, &revoked).await.unwrap();
    alice.client.revoke(&revoked.id, "no", &fresh_key()).await.unwrap();
    assert_eq!(refused(&alice, &revoked.id).await, "not_approved");
    let canceled = file().await;
    alice.client.cancel(&canceled.id, "", &fresh_key()).await.unwrap();
    server.time().pass(Span::hours(1));
    assert_eq!(refused(&alice, &late.id).await, "not_approved");
    let error = alice.client.send_plan(&late.id, bytes.clone()).await.unwrap_err();
    assert_eq!(error.code(), Some("not_open"));
    // What is over keeps nothing, and the log says since when.
    server.authority.sweep().await.unwrap();
    for ended in [denied, late, revoked, canceled] {
        let request = alice.client.request(&ended.id).await.unwrap();
        assert_eq!(request.plan_bytes.unwrap().status, "removed", "{}", request.state);
    }
    let log = alice.client.entries(0).await.unwrap().entries;
    let removed = log.iter().filter(|entry| entry.event["type"] == "plan_removed");
    let uploads: Vec<_> = removed.map(|entry| entry.event["upload"].as_str().unwrap()).collect();
    assert_eq!(uploads.len(), 4);
    for upload in uploads {
        let left = server.authority.ledger().piece(upload.parse().unwrap(), 0).await.unwrap();
        assert_eq!(left, None, "{upload} is there still");
    }
    let alice = crate::support::principal("alice", PrincipalKind::Person, &[]);
    let kept = server.authority.ledger().kept_bytes(&alice.id).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_plan_is_kept_no_longer_than_the_server_is_told() {
    let setup = Setup { plan_retention: Some(Span::minutes(10)), ..Setup::default() };
    let server = Server::set_up(setup).await;
    let (alice, bob, _) = server.people().await;
    let bytes = plan(1_000);
    let request = file(&alice, "one", &bytes).await;
    alice.client.send_plan(&request.id, bytes.clone()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    server.time().pass(Span::minutes(10));
    // Also where nobody has removed it yet.
    assert_eq!(refused(&alice, &request.id).await, "plan_gone");
    said(&refusals(&bob).await, "fetch_plan", "plan_gone");
    // It may be sent anew while the grant lasts.
    alice.client.send_plan(&request.id, bytes.clone()).await.unwrap();
    server.time().pass(Span::minutes(9));
    server.authority.sweep().await.unwrap();
    assert_eq!(alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), bytes);
    server.time().pass(Span::minutes(1));
    server.authority.sweep().await.unwrap();
    let request = alice.client.request(&request.id).await.unwrap();
    assert_eq!(
        (request.state.as_str(), request.plan_bytes.unwrap().status.as_str()),
        ("approved", "removed")
    );
}

#[tokio::test]
async fn who_left_the_group_before_the_plan_is_fetched_does_not_count() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let bytes = plan(10);
    let request = file(&alice, "one", &bytes).await;
    alice.client.send_plan(&request.id, bytes).await.unwrap();
    approve(&bob, &request).await.unwrap();
    let without = crate::support::policy(&POLICY.replace("person:bob", "person:erin"));
    server.authority.replace_policy(without);
    assert_eq!(refused(&alice, &request.id).await, "no_longer_approved");
}

/// Puts these bytes, as they are.
async fn put(who: &Caller, id: &str, kind: &str, bytes: Vec<u8>) -> Answer {
    let call = who.call("PUT", &format!("/v1/requests/{id}/plan")).header("content-type", kind);
    sent(call.body(bytes)).await
}

#[tokio::test]
async fn t61_what_is_too_large_or_no_plan_is_refused() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    const LARGEST: usize = 32 * 1024 * 1024;
    let largest = vec![7; LARGEST];
    let request = file(&alice, "staging", &largest).await;
    let bytes = "application/octet-stream";
    let refused = put(&alice, &request.id, bytes, vec![7; LARGEST + 1]).await;
    refused.refuses(413, "too_large");
    // Also where nobody says beforehand how large it is.
    let answer = in_chunks(&server, &alice, &request.id, 33).await;
    // The server need not read on what it has refused: the answer may be cut off with it.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413 "), "{answer}");
    put(&alice, &request.id, "application/json", b"{}".to_vec())
        .await
        .refuses(415, "wrong_content_type");
    assert_eq!(alice.client.request(&request.id).await.unwrap().plan_bytes, None);
    // The largest is taken, and given back.
    alice.client.send_plan(&request.id, largest.clone()).await.unwrap();
    assert_eq!(alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), largest);
    let nameless = sent(alice.call("GET", &format!("/v1/requests/{}/plan", request.id))).await;
    nameless.refuses(400, "no_idempotency_key");
}

/// Puts as many mebibytes without saying how many; gives what was answered, as far as it arrived.
async fn in_chunks(server: &Server, who: &Caller, id: &str, count: usize) -> String {
    let place = server.base().trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(place).await.unwrap();
    let head = format!(
        "PUT /v1/requests/{id}/plan HTTP/1.1\r\nhost: {place}\r\nauthorization: Bearer {}\r\n\
         content-type: application/octet-stream\r\nconnection: close\r\n\
         transfer-encoding: chunked\r\n\r\n",
        who.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![7; 1024 * 1024], b"\r\n"].concat();
    for _ in 0..count {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn t61_uploads_of_one_that_stand_still_keep_nobody_out() {
    let server = Server::start().await;
    let (mallory, alice) = (server.person("mallory").await, server.person("alice").await);
    let of_mallory = file(&mallory, "staging", b"never sent").await;
    let mut idle = Vec::new();
    for _ in 0..12 {
        idle.push(begun_upload(&server, &mallory, &of_mallory.id).await);
    }
    // The server asks for the body of whoever has a place.
    let first = idle.first_mut().unwrap();
    let mut told = [0; 64];
    let size = first.read(&mut told).await.unwrap();
    assert!(told[..size].starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&told));
    let plan = plan(1000);
    let request = file(&alice, "staging", &plan).await;
    alice.client.send_plan(&request.id, plan).await.unwrap();
    let unanswered = first.try_read(&mut told).unwrap_err();
    assert_eq!(unanswered.kind(), std::io::ErrorKind::WouldBlock, "others wait for the idle");
}

/// A call that says it sends a plan, and sends nothing.
async fn begun_upload(server: &Server, who: &Caller, id: &str) -> tokio::net::TcpStream {
    let place = server.base().trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(place).await.unwrap();
    let head = format!(
        "PUT /v1/requests/{id}/plan HTTP/1.1\r\nhost: {place}\r\nauthorization: Bearer {}\r\n\
         content-type: application/octet-stream\r\ncontent-length: 4000\r\n\
         expect: 100-continue\r\n\r\n",
        who.token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn knocking_does_not_fill_the_log() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules(&issuer, ""), None).await;
    let own = run(&server, &issuer, "github", json!({})).await;
    let request = file(&own, "staging", b"plan").await;
    let before = own.client.checkpoint().await.unwrap().size;
    for _ in 0..5 {
        assert_eq!(refused(&own, &request.id).await, "no_plan");
    }
    assert_eq!(own.client.checkpoint().await.unwrap().size, before + 1, "once, however often");
    // Each other run is another refusal, but not without end.
    for n in 0..12 {
        let other = run(&server, &issuer, "github", json!({"run_id": format!("1{n}")})).await;
        assert_eq!(refused(&other, &request.id).await, "other_run");
    }
    let bob = server.person("bob").await;
    assert_eq!(refusals(&bob).await.len(), 8);
    // People who knock are others, and on record still.
    assert_eq!(refused(&bob, &request.id).await, "not_requester");
    assert_eq!(refusals(&bob).await.len(), 9);
}

#[tokio::test]
async fn t41_a_plan_is_not_readable_on_disk_nor_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let alice = server.person("alice").await;
    let plan = plan(250_000);
    let request = file(&alice, "staging", &plan).await;
    alice.client.send_plan(&request.id, plan.clone()).await.unwrap();
    let in_files = |needle: &[u8]| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let holds = |file: &std::path::PathBuf| {
            let bytes = std::fs::read(file).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        };
        files.filter(|file| holds(file)).collect::<Vec<_>>()
    };
    // What is looked for would be found: the reason and the sealed bytes are there.
    assert!(!in_files(b"resize").is_empty());
    let log = alice.client.entries(0).await.unwrap().entries;
    let kept = log.iter().find(|entry| entry.event["type"] == "plan_kept").unwrap();
    let upload = kept.event["upload"].as_str().unwrap().parse().unwrap();
    let sealed = server.authority.ledger().piece(upload, 0).await.unwrap().unwrap();
    let needle = sealed[100_000..100_064].to_vec();
    assert!(!in_files(&needle).is_empty());
    assert_eq!(in_files(CANARY.as_bytes()), Vec::<std::path::PathBuf>::new());
    // The same server, started again with its key, gives it; nobody else's key opens it.
    let remains = server.stop().await;
    let stranger = remains.clone().sealing_anew();
    let file = folder.path().join("ledger.sqlite");
    let server = Server::on_file_again(&file, stranger, POLICY).await;
    let alice = server.holder_of(alice.token());
    let error = alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap_err();
    assert_eq!(error.code(), Some("sealed"));
    server.stop().await;
    let server = Server::on_file_again(&file, remains, POLICY).await;
    assert_eq!(alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), plan);
    alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    server.authority.sweep().await.unwrap();
    assert_eq!(server.authority.ledger().piece(upload, 0).await.unwrap(), None);
    // Written over, not only let go: once the log beside the file is written into it, nothing is left.
    server.stop().await;
    let settle = rusqlite::Connection::open(&file).unwrap();
    settle.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(settle);
    assert_eq!(in_files(&needle), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn what_was_cut_off_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let ledger = server.authority.ledger();
    let at = server.authority.clock().now();
    let upload = assent_core::id::UploadId::new(at, [7; 10]);
    let piece = assent_server::ledger::Piece { upload, number: 0, sealed: vec![1, 2, 3], at };
    ledger.write_piece(piece).await.unwrap();
    ledger.forget_pieces(at).await.unwrap();
    assert!(ledger.piece(upload, 0).await.unwrap().is_some(), "it may be under way still");
    ledger.forget_pieces(at.plus(Span::minutes(10))).await.unwrap();
    assert_eq!(ledger.piece(upload, 0).await.unwrap(), None);
    // What is kept stays.
    let alice = server.person("alice").await;
    let request = file(&alice, "staging", b"plan").await;
    alice.client.send_plan(&request.id, b"plan".to_vec()).await.unwrap();
    ledger.forget_pieces(at.plus(Span::hours(1))).await.unwrap();
    assert_eq!(alice.client.fetch_plan(&request.id, &fresh_key()).await.unwrap(), b"plan");
}

/// That it was fetched is on record before a byte of it is given. Killed in between, the same call
/// gets it, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_between_the_record_and_the_plan_gives_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let (data, rules) = (folder.path().join("data"), folder.path().join("policy"));
    policy_in(&rules, POLICY);
    let mut binary = Binary::start(&data, &rules).await;
    let token = binary.tokens["alice"].clone();
    let alice = binary.holder_of(&token);
    // Larger than what lies in buffers between: the server is giving it when it is killed.
    let plan = plan(24 * 1024 * 1024);
    let request = file(&alice, "staging", &plan).await;
    alice.client.send_plan(&request.id, plan.clone()).await.unwrap();
    let key = fresh_key();
    let call = alice.call("GET", &format!("/v1/requests/{}/plan", request.id));
    let begun = call.header("idempotency-key", key.as_str()).send().await.unwrap();
    assert_eq!(begun.status(), 200);
    binary.kill().await;
    assert!(begun.bytes().await.is_err(), "all of it was given before");
    let mut binary = Binary::start(&data, &rules).await;
    let alice = Caller::new(&binary.base, Some(&token));
    let log = alice.client.entries(0).await.unwrap().entries;
    let fetched = |log: &[wire::Entry]| {
        log.iter().filter(|entry| entry.event["type"] == "plan_fetched").count()
    };
    assert_eq!(fetched(&log), 1);
    assert_eq!(refused(&alice, &request.id).await, "plan_fetched");
    assert_eq!(alice.client.fetch_plan(&request.id, &key).await.unwrap(), plan);
    let log = alice.client.entries(0).await.unwrap().entries;
    assert_eq!(fetched(&log), 1);
    binary.kill().await;
    assert_private(&data);
}

/// Nothing that the real server wrote holds the plan.
#[track_caller]
fn assert_private(data: &Path) {
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let holds = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!holds, "{} holds the plan", path.display());
    }
}

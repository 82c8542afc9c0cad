//! The App and the GitHub that its tests stand up, held against GitHub's own description of its API:
//! a validating proxy between the two lets through what fits it and nothing else. So what the App
//! sends is what GitHub takes, and what the stand-in answers is what GitHub answers.

use assent_client::wire::GithubVerdict;
use assent_core::time::Span;
use assent_server::clock::Clock;
use assent_server::github::{
    self as app, Check, CheckState, Conclusion, DeploymentState, GithubError,
};
use assent_server::policy::Source;
use serde_json::{Value, json};

use crate::support::github::{
    Change, Commit, Environment, Fault, Gate, Github, Pull, Route, Run, closed, repository,
    settings_at,
};
use crate::support::prism::Prism;
use crate::support::{Reply, Server, Setup, approve, deny, documents};

/// Members of a team at GitHub decide; two of them have a name here.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: described}
people:
  bob: {github: ['583']}
  carol: {github: ['584']}
groups:
  release-managers: {github_team: acme/release-managers}
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
";

/// Every path of GitHub's that the App asks, as its description names it.
const PATHS: [&str; 27] = [
    "GET /app",
    "GET /app/hook/deliveries",
    "GET /app/installations",
    "POST /app/installations/{}/access_tokens",
    "GET /installation/repositories",
    "GET /orgs/{}/installation",
    "GET /orgs/{}/teams/{}/members",
    "GET /repos/{}/{}",
    "GET /repos/{}/{}/installation",
    "GET /repos/{}/{}/actions/runs",
    "GET /repos/{}/{}/actions/runs/{}",
    "GET /repos/{}/{}/actions/runs/{}/pending_deployments",
    "POST /repos/{}/{}/actions/runs/{}/deployment_protection_rule",
    "GET /repos/{}/{}/actions/runs/{}/approvals",
    "POST /repos/{}/{}/check-runs",
    "PATCH /repos/{}/{}/check-runs/{}",
    "GET /repos/{}/{}/commits",
    "GET /repos/{}/{}/commits/{}",
    "GET /repos/{}/{}/commits/{}/pulls",
    "GET /repos/{}/{}/pulls/{}",
    "GET /repos/{}/{}/pulls/{}/commits",
    "GET /repos/{}/{}/compare/{}",
    "POST /repos/{}/{}/deployments/{}/statuses",
    "GET /repos/{}/{}/environments",
    "GET /repos/{}/{}/environments/{}",
    "GET /repos/{}/{}/environments/{}/deployment-branch-policies",
    "GET /repos/{}/{}/environments/{}/deployment_protection_rules",
];

/// The stand-in behind GitHub's description, with what a story needs.
async fn described() -> (Github, Prism) {
    let github = Github::start().await;
    let prism = Prism::before(&github.url).await;
    github.seen_at(&prism.url);
    github.with(|state| {
        state.repositories.push(repository(900, "shop"));
        state.environments.push(closed(5, "production"));
        state.environments.push(Environment {
            id: 6,
            repository: 900,
            name: "staging".to_owned(),
            can_admins_bypass: true,
            prevent_self_review: false,
            branches: Some("custom"),
            rules: Vec::new(),
        });
        state.patterns.insert(6, vec!["main".to_owned()]);
        state.wait_timers.insert(6, 30);
        state.own_reviews.insert(6);
        state.deliveries.push(("deployment_protection_rule".to_owned(), 200));
        // More than a page of them; who counts is on the second.
        let members = (1..=120).map(|id| 10_000 + id).chain([583, 584]).collect();
        state.teams.insert(("acme".to_owned(), "release-managers".to_owned()), members);
    });
    (github, prism)
}

fn sha(number: u64) -> String {
    format!("{number:040}")
}

/// A run of a commit that came by a pull request of carol's, written by others.
fn waiting(github: &Github, id: u64) {
    github.with(|state| {
        let parent = (id > 7).then(|| sha(id - 1));
        let commit = Commit { author: Some(11), committer: None, parent, ..Commit::default() };
        state.commits.insert(sha(id), commit);
        let inner = format!("{id:a>40}");
        let commit = Commit { author: Some(14), committer: Some(15), ..Commit::default() };
        state.commits.insert(inner.clone(), commit);
        state.pulls.push(Pull {
            number: id,
            author: 584,
            merged_by: Some(16),
            merge_commit: sha(id),
            commits: vec![inner],
        });
        let run = Run {
            id,
            attempt: 1,
            repository: 900,
            head_repository: Some(900),
            event: "push".to_owned(),
            head_sha: sha(id),
            head_branch: Some("main".to_owned()),
            path: ".github/workflows/deploy.yml".to_owned(),
            status: "waiting".to_owned(),
            conclusion: None,
            actor: 12,
            triggering_actor: 13,
            title: "Ship `it` @everyone".to_owned(),
        };
        state.runs.insert(id, run);
        state.gates.push(Gate {
            run: id,
            environment: "production".to_owned(),
            verdict: None,
            comment: String::new(),
            reports: Vec::new(),
            verdicts: 0,
            others: false,
            waiting: true,
        });
    });
}

/// What was asked, as the description names it: numbers, names and commits are left out.
fn shape(asked: &str) -> String {
    let (method, path) = asked.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap();
    let names = ["acme", "shop", "release-managers", "production", "staging"];
    let is_given =
        |part: &str| part.contains(|c: char| c.is_ascii_digit()) || names.contains(&part);
    let parts = path.split('/').map(|part| if is_given(part) { "{}" } else { part });
    format!("{method} {}", parts.collect::<Vec<_>>().join("/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_a_gate_is_told_in_what_github_describes() {
    let (github, prism) = described().await;
    waiting(&github, 7);
    let source = Source::Given(documents(POLICY));
    let setup = Setup { github: Some(settings_at(&prism.url)), source, ..Setup::default() };
    let server = Server::set_up(setup).await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    server.authority.look_at_teams().await;
    assert_eq!(prism.faults(), [""; 0]);

    // A webhook, and a request that carol's change may not be approved for by carol.
    assert!(github.ask(server.base(), 7, "production").await < 300);
    server.authority.guard_deployments().await.unwrap();
    assert_eq!(prism.faults(), [""; 0]);
    let filed = bob.client.requests(&[]).await.unwrap().requests;
    assert_eq!(filed.len(), 1, "{:#?}", prism.asked());
    let request = filed.first().unwrap();
    let told = approve(&carol, request).await.unwrap_err().to_string();
    assert!(told.contains("behind"), "{told}");
    let behind = request.requester.acts_for.iter().map(|who| who.sub.as_str());
    assert_eq!(behind.collect::<Vec<_>>(), ["11", "12", "13", "14", "15", "584"]);
    let gate = |run: u64| github.with(|state| state.gate(run, "production"));
    assert_eq!((gate(7).reports.len(), gate(7).verdict), (1, None));
    approve(&bob, request).await.unwrap();
    server.authority.guard_deployments().await.unwrap();
    assert_eq!(prism.faults(), [""; 0]);
    assert_eq!((gate(7).verdict.as_deref(), gate(7).verdicts), (Some("approved"), 1));
    let conclusions = || -> Vec<Value> {
        let of = |check: &Value| check["conclusion"].clone();
        let mut all: Vec<Value> = github.with(|state| state.checks.values().map(of).collect());
        all.sort_by_key(Value::to_string);
        all
    };
    assert_eq!(conclusions(), ["success"]);

    // Two of which nothing was told: one is denied, one goes past the gate.
    waiting(&github, 8);
    waiting(&github, 9);
    server.time().pass(Span::minutes(2));
    server.authority.look_at_teams().await;
    server.authority.guard_deployments().await.unwrap();
    assert_eq!(prism.faults(), [""; 0]);
    let found = bob.client.requests(&[]).await.unwrap().requests;
    let of = |run: u64| {
        let is_of = |one: &&assent_client::wire::Request| one.intent.target["commit"] == sha(run);
        found.iter().find(is_of).unwrap()
    };
    deny(&bob, of(8)).await.unwrap();
    github.with(|state| state.change(9, Change::Bypassed(99)));
    server.time().pass(Span::minutes(2));
    server.authority.guard_deployments().await.unwrap();
    assert_eq!(prism.faults(), [""; 0]);
    assert_eq!(gate(8).verdict.as_deref(), Some("rejected"));
    let bypassed = bob.client.request(&of(9).id).await.unwrap();
    assert_eq!(bypassed.state, "canceled");
    assert_eq!(conclusions(), ["cancelled", "failure", "success"]);

    // Whether the gates are closed.
    let root = server.administrator().await;
    let checkup = root.client.github_doctor("acme/shop", None).await.unwrap();
    let of = |name: &str, verdict: GithubVerdict| {
        let of = checkup.findings.iter();
        of.filter(|one| one.environment.as_deref() == Some(name) && one.verdict == verdict).count()
    };
    let (good, weak) = (GithubVerdict::Good, GithubVerdict::Weakens);
    assert_eq!((of("production", good), of("production", weak)), (4, 0), "{checkup:#?}");
    assert_eq!((of("staging", good), of("staging", weak)), (1, 3), "{checkup:#?}");
    assert!(checkup.findings.iter().all(|one| one.verdict != GithubVerdict::Unknown));
    assert_eq!(prism.faults(), [""; 0]);

    // What the story has no occasion to ask.
    let github = app::Github::new(settings_at(&prism.url), Clock::system()).unwrap();
    let shop = github.repository("acme", "shop").await.unwrap();
    assert_eq!(shop.compare(&sha(7), &sha(9)).await.unwrap().len(), 2);
    for state in [DeploymentState::Pending, DeploymentState::Inactive] {
        let link = "https://assent.example/requests/1";
        let told = shop.create_deployment_status(31, state, "Waiting", link).await;
        assert!(told.is_ok(), "{:#?}", prism.faults());
    }
    assert_eq!(prism.faults(), [""; 0]);

    let asked: Vec<String> = prism.asked().iter().map(|asked| shape(asked)).collect();
    for path in PATHS {
        assert!(asked.iter().any(|one| one == path), "nobody asked {path}: {asked:#?}");
    }
    for one in &asked {
        assert!(PATHS.contains(&one.as_str()), "{one} stands in no list");
    }
}

/// The story could not fail if the proxy let anything through.
#[tokio::test(flavor = "multi_thread")]
async fn what_github_does_not_describe_is_seen_in_both_directions() {
    let (github, prism) = described().await;
    waiting(&github, 7);
    let client = app::Github::new(settings_at(&prism.url), Clock::system()).unwrap();
    let shop = client.repository("acme", "shop").await.unwrap();
    let check = Check {
        name: "Assent",
        details_url: "https://assent.example",
        state: CheckState::Done(Conclusion::Success),
        title: "Done",
        summary: "Done",
        external_id: "r1",
    };
    let number = shop.create_check(&sha(7), &check).await.unwrap();
    shop.run(7).await.unwrap();
    assert_eq!(prism.faults(), [""; 0], "what is right passes");

    // Wrong by us, one thing at a time; none of it comes to whoever answers.
    github.forget_calls();
    let runs = "/repos/acme/shop/actions/runs";
    let checks = "/repos/acme/shop/check-runs";
    let wrong = [
        ("POST", format!("{runs}/7/deployment_protection_rule"), json!({"state": "approved"})),
        (
            "POST",
            format!("{runs}/7/deployment_protection_rule"),
            json!({"environment_name": "production", "state": "granted", "comment": ""}),
        ),
        ("POST", checks.to_owned(), json!({"name": "Assent", "status": "in_progress"})),
        ("POST", checks.to_owned(), json!({"name": "A", "head_sha": sha(7), "more": 1})),
        ("PATCH", format!("{checks}/{number}"), json!({"output": {"title": "no summary"}})),
        ("POST", "/repos/acme/shop/deployments/31/statuses".to_owned(), json!({"state": "done"})),
        ("GET", format!("{runs}?status=sleeping"), Value::Null),
        ("GET", "/repos/acme/shop/deployment_gates".to_owned(), Value::Null),
        ("PUT", format!("{runs}/7"), json!({})),
    ];
    for (method, path, body) in wrong {
        let mut call = reqwest::Client::new()
            .request(method.parse().unwrap(), format!("{}{path}", prism.url))
            .header("accept", "application/vnd.github+json");
        if !body.is_null() {
            call = call.json(&body);
        }
        let status = call.send().await.unwrap().status();
        assert!(status.is_client_error(), "{method} {path} {body}: {status}");
        assert_eq!(prism.faults().len(), 1, "{method} {path} {body}");
    }
    assert!(github.calls().is_empty(), "{:#?}", github.calls());

    // Wrong by whoever answers.
    let run = github.with(|state| state.tells(7, "requested")["workflow_run"].clone());
    let without = |name: &str| {
        let mut run = run.clone();
        run.as_object_mut().unwrap().remove(name);
        run
    };
    let mut typed = run.clone();
    typed["run_attempt"] = json!("first");
    for answer in [without("head_sha"), without("repository"), typed, json!([])] {
        let reply = Reply::new(200, answer.to_string());
        github.fail(Route::Run, 1, Fault::Saying(reply));
        let told = shop.run(7).await;
        assert!(matches!(told, Err(GithubError::Away(_))), "{told:?}");
        assert_eq!(prism.faults().len(), 1, "{answer}");
    }
}

//! Who is found, and whose token is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_core::credential::Secret;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use serde_json::json;

use super::found::{Since, find};
use super::*;
use crate::clock::Clock;
use crate::github::{Place, Settings};

const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const LAST: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A GitHub that answers what is told, by path, and nothing else.
async fn github(told: BTreeMap<String, Value>) -> Github {
    let answer = async |State(told): State<Arc<BTreeMap<String, Value>>>, uri: Uri| -> Response {
        match told.get(uri.path()) {
            Some(body) => axum::Json(body).into_response(),
            None => {
                (StatusCode::NOT_FOUND, axum::Json(json!({"message": "Not Found"}))).into_response()
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::new(told));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    let pem = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let settings = Settings {
        app_id: 1,
        slug: "assent".to_owned(),
        private_key: Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"
        )),
        webhook_secret: Secret::new("0123456789abcdef0123456789abcdef".to_owned()),
        place: Place {
            url: "https://github.com".to_owned(),
            api: format!("{url}/").parse().unwrap(),
            actions_issuer: "https://token.actions.githubusercontent.com".to_owned(),
        },
        require_app: true,
        between_writes: std::time::Duration::ZERO,
        patience: std::time::Duration::from_secs(10),
        deployment_statuses: false,
        ca_file: None,
    };
    Github::new(settings, Clock::system()).unwrap()
}

fn account(id: u64) -> Value {
    json!({"id": id, "login": format!("u{id}"), "type": "User"})
}

fn commit(sha: &str, author: u64, committer: u64) -> Value {
    json!({"sha": sha, "author": account(author), "committer": account(committer)})
}

fn run() -> Value {
    let repository = json!({"id": 11, "full_name": "acme/shop", "owner": account(12)});
    json!({
        "id": 7, "run_attempt": 2, "event": "push", "head_sha": HEAD, "head_branch": "main",
        "head_repository": {"id": 11}, "repository": repository,
        "actor": account(1), "triggering_actor": account(2),
    })
}

fn told(all: &[(&str, Value)]) -> BTreeMap<String, Value> {
    let pull = json!({
        "number": 5, "user": account(3), "base": {"sha": LAST}, "head": {"sha": HEAD},
    });
    let base = [
        ("/repos/acme/shop/installation", json!({"id": 9})),
        (
            "/app/installations/9/access_tokens",
            json!({"token": "ghs_x", "expires_at": "2999-01-01T00:00:00Z", "permissions": {}}),
        ),
        (
            "/repos/acme/shop",
            json!({
                "id": 11, "full_name": "acme/shop", "owner": account(12),
                "default_branch": "main",
            }),
        ),
        ("/repos/acme/shop/actions/runs/7", run()),
        (&format!("/repos/acme/shop/commits/{HEAD}"), commit(HEAD, 4, 5)),
        (&format!("/repos/acme/shop/commits/{HEAD}/pulls"), json!([pull])),
        ("/repos/acme/shop/pulls/5", pull.clone()),
        ("/repos/acme/shop/pulls/5/commits", json!([commit(HEAD, 6, 7)])),
        (
            &format!("/repos/acme/shop/compare/{LAST}...{HEAD}"),
            json!({"total_commits": 1, "commits": [commit(HEAD, 8, 9)]}),
        ),
    ]
    .map(|(path, body)| (path.to_owned(), body));
    let more = all.iter().map(|(path, body)| ((*path).to_owned(), body.clone()));
    base.into_iter().chain(more).collect()
}

fn job(claims: &[(&str, &str)]) -> Principal {
    let said = [
        ("repository_id", "11"),
        ("repository_owner_id", "12"),
        ("run_id", "7"),
        ("run_attempt", "2"),
        ("sha", HEAD),
        ("event_name", "push"),
    ];
    let all = said.iter().chain(claims);
    Principal {
        id: PrincipalId::new("https://token.actions.githubusercontent.com", "r").unwrap(),
        kind: PrincipalKind::Workload,
        groups: BTreeSet::new(),
        acts_for: BTreeSet::new(),
        claims: all.map(|(name, value)| ((*name).to_owned(), json!(value))).collect(),
    }
}

async fn found(github: &Github, base: Option<&str>) -> Result<Found, BehindError> {
    let repository = github.repository("acme", "shop").await.unwrap();
    let run = repository.run(7).await.unwrap();
    find(&repository, run, base).await
}

#[tokio::test]
async fn t10_everybody_who_had_a_hand_in_a_change_is_behind_it() {
    let github = github(told(&[])).await;
    // Started, re-run, opened, written and committed: alone, in the pull request, since the last.
    let since = found(&github, Some(LAST)).await.unwrap();
    assert_eq!(since.numbers, (1..=9).collect());
    assert_eq!(since.since, Since::Commit(LAST.to_owned()));
    // What was approved before was looked at then.
    let again = found(&github, Some(HEAD)).await.unwrap();
    assert_eq!((again.numbers, again.since), ((1..=7).collect(), Since::Commit(HEAD.to_owned())));
}

#[tokio::test]
async fn t10_where_nothing_can_be_compared_the_newest_commits_count_and_that_is_on_record() {
    let all = json!([commit(HEAD, 4, 5), commit("c", 20, 21)]);
    let newest = [("/repos/acme/shop/commits", all)];
    let nothing_before = found(&github(told(&newest)).await, None).await.unwrap();
    assert_eq!(nothing_before.numbers, (1..=7).chain([20, 21]).collect());
    assert_eq!(nothing_before.since, Since::Beginning);
    // The base is gone.
    let gone = found(&github(told(&newest)).await, Some(&"9".repeat(40))).await.unwrap();
    assert_eq!((gone.numbers.contains(&21), gone.since), (true, Since::Beginning));
    // GitHub counts more commits than it gives: of the comparison, or of the pull request.
    let compared = format!("/repos/acme/shop/compare/{LAST}...{HEAD}");
    let partial = json!({"total_commits": 9, "commits": [commit(HEAD, 8, 9)]});
    let many: Vec<_> = (0..250).map(|_| commit(HEAD, 6, 7)).collect();
    for (path, answer) in [
        (compared.as_str(), partial.clone()),
        ("/repos/acme/shop/pulls/5/commits", Value::from(many)),
    ] {
        let mut answers = told(&newest);
        answers.insert(compared.clone(), partial.clone());
        answers.insert(path.to_owned(), answer);
        let found = found(&github(answers).await, Some(LAST)).await.unwrap();
        assert!(found.numbers.contains(&21), "{path}: {found:?}");
        assert_ne!(found.since, Since::Commit(LAST.to_owned()), "{path}");
    }
}

#[tokio::test]
async fn t10_nobody_is_left_out_because_github_did_not_answer() {
    for path in [
        format!("/repos/acme/shop/commits/{HEAD}"),
        format!("/repos/acme/shop/commits/{HEAD}/pulls"),
        "/repos/acme/shop/commits".to_owned(),
    ] {
        let mut answers = told(&[("/repos/acme/shop/commits", json!([commit(HEAD, 4, 5)]))]);
        answers.remove(&path).unwrap();
        assert!(found(&github(answers).await, None).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn t46_a_run_of_a_fork_and_a_token_of_another_run_are_refused() {
    let github = github(told(&[])).await;
    let run = github.repository("acme", "shop").await.unwrap().run(7).await.unwrap();
    assert_eq!(check_run(&job(&[]), &run), Ok(()));
    for (name, value) in [
        ("repository_id", "99"),
        ("repository_owner_id", "99"),
        ("run_id", "8"),
        ("run_attempt", "1"),
        ("sha", LAST),
        ("event_name", "pull_request_target"),
    ] {
        let refused = check_run(&job(&[(name, value)]), &run);
        assert_eq!(refused, Err(BehindError::OtherRun(name)));
    }
    // Another repository's commit, and one whose repository is gone.
    for head in [json!({"id": 13}), Value::Null] {
        let mut fork = self::run();
        fork["head_repository"] = head;
        let github = self::github(told(&[("/repos/acme/shop/actions/runs/7", fork)])).await;
        assert_eq!(found(&github, Some(HEAD)).await.unwrap_err(), BehindError::Fork);
    }
}

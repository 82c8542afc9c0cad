//! The App's client against a GitHub that nobody here wrote (`emulate`): how it proves who it is, and
//! what it reads and writes of repositories, teams, pull requests, commits and checks.
//!
//! That one has no environments, no protection rules, no runs that wait for them, no deployments, no
//! list of an installation's repositories and none of the pull requests of a commit: it answers 404
//! to all of these. They are left to the stand-in, which `described.rs` holds against GitHub's own
//! description. It sends no ETag either, and does not say who is attributed a check.

use std::sync::{Arc, Mutex};

use assent_client::Secret;
use assent_server::clock::Clock;
use assent_server::github::{Check, CheckState, Conclusion, Github, GithubError, Place, Settings};
use serde_json::{Value, json};

use crate::support::emulate::Emulate;
use crate::support::github::{APP, WEBHOOK_SECRET, private_key};
use crate::support::{Asked, Reply, Server, Setup, StandIn, until};

/// More members than a page has.
const MEMBERS: usize = 101;

fn seed(permissions: &Value) -> Value {
    seed_with(permissions, &Value::Null)
}

/// The same, where the App has these webhooks.
fn seed_with(permissions: &Value, webhook: &Value) -> Value {
    let logins = (0..MEMBERS).map(|number| format!("member-{number}"));
    let users = ["alice", "bob", "mallory"].map(str::to_owned).into_iter().chain(logins.clone());
    let users = users.map(|login| json!({"login": login, "email": format!("{login}@example.com")}));
    let members = logins.map(|login| json!({"login": login, "role": "member"}));
    let members = members.chain([
        json!({"login": "alice", "role": "admin"}),
        json!({"login": "bob", "role": "member"}),
    ]);
    json!({
        "users": users.collect::<Vec<_>>(),
        "orgs": [{"login": "acme", "name": "Acme", "members": members.collect::<Vec<_>>()}],
        "repos": [{"owner": "acme", "name": "shop", "auto_init": true},
                  {"owner": "mallory", "name": "fork", "auto_init": true}],
        "apps": [{
            "app_id": APP, "slug": "assent", "name": "Assent", "private_key": private_key(),
            "permissions": permissions, "events": ["check_run"],
            "webhook_url": webhook["url"], "webhook_secret": webhook["secret"],
            "installations": [
                {"installation_id": 77, "account": "acme", "repository_selection": "all"},
            ],
        }],
    })
}

fn permissions() -> Value {
    json!({
        "checks": "write", "contents": "read", "members": "read", "metadata": "read",
        "pull_requests": "read", "actions": "read",
    })
}

fn client(emulate: &Emulate, app_id: u64) -> Github {
    Github::new(settings(&emulate.url, app_id), Clock::system()).unwrap()
}

fn settings(api: &str, app_id: u64) -> Settings {
    Settings { app_id, ..settings_at(api) }
}

fn check(state: CheckState) -> Check<'static> {
    Check {
        name: "Assent",
        details_url: "https://assent.example/requests/1",
        state,
        title: "Waiting",
        summary: "0 of 1",
        external_id: "request-1",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_of_others_knows_the_app_and_tells_it_what_it_asks() {
    let emulate = Emulate::start(seed(&permissions())).await;
    let github = client(&emulate, APP);
    let shop = github.repository("acme", "shop").await.unwrap();
    assert_eq!((shop.full_name().as_str(), shop.default_branch()), ("acme/shop", "main"));
    assert_eq!(shop.permissions()["checks"], "write");
    for absent in ["none", "fork"] {
        let told = github.repository("acme", absent).await;
        assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
    }
    // It is somebody's that has not installed the App.
    let told = github.repository("mallory", "fork").await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
    // Nobody else's key speaks for the App.
    let told = client(&emulate, APP + 1).repository("acme", "shop").await;
    assert!(matches!(told, Err(GithubError::Refused(_))), "{told:?}");
    assert!(shop.waiting_runs().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_of_others_is_read_to_its_end() {
    let emulate = Emulate::start(seed(&permissions())).await;
    let github = client(&emulate, APP);
    emulate.does("POST", "/orgs/acme/teams", &json!({"name": "rm", "privacy": "closed"})).await;
    for number in 0..MEMBERS {
        let path = format!("/orgs/acme/teams/rm/memberships/member-{number}");
        emulate.does("PUT", &path, &json!({"role": "member"})).await;
    }
    let members = github.team_members("acme", "rm").await.unwrap();
    assert!(members.len() >= MEMBERS, "{}", members.len());
    let id = async |login: &str| {
        emulate.does("GET", &format!("/users/{login}"), &Value::Null).await["id"].as_u64().unwrap()
    };
    for login in ["member-0", "member-100"] {
        assert!(members.contains(&id(login).await), "{login}");
    }
    assert!(!members.contains(&id("bob").await));
    let told = github.team_members("acme", "nobody").await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
    let told = github.team_members("mallory", "rm").await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_a_change_is_read_from_a_github_of_others() {
    let emulate = Emulate::start(seed(&permissions())).await;
    let github = client(&emulate, APP);
    let shop = github.repository("acme", "shop").await.unwrap();
    let main = emulate.does("GET", "/repos/acme/shop/git/ref/heads/main", &Value::Null).await;
    let base = main["object"]["sha"].as_str().unwrap();
    let topic = json!({"ref": "refs/heads/topic", "sha": base});
    emulate.does("POST", "/repos/acme/shop/git/refs", &topic).await;
    let mut head = String::new();
    for number in 0..3 {
        let file = json!({"message": "a change", "content": "aGk=", "branch": "topic"});
        let path = format!("/repos/acme/shop/contents/{number}.txt");
        let done = emulate.does("PUT", &path, &file).await;
        head = done["commit"]["sha"].as_str().unwrap().to_owned();
    }
    let pull = json!({"title": "A change", "head": "topic", "base": "main"});
    let pull = emulate.does("POST", "/repos/acme/shop/pulls", &pull).await;
    let alice = pull["user"]["id"].as_u64().unwrap();

    let commit = shop.commit(&head).await.unwrap();
    assert_eq!(commit.author.unwrap().id, alice);
    assert_eq!(commit.committer.unwrap().id, alice);
    let since = shop.compare(base, &head).await.unwrap();
    assert_eq!(since.len(), 3);
    assert!(since.iter().any(|commit| commit.sha == head));
    let pull = assent_server::github::Pull {
        number: pull["number"].as_u64().unwrap(),
        author: commit_author(alice),
        merged_by: None,
        base_sha: base.to_owned(),
        head_sha: head.clone(),
    };
    let commits = shop.commits_of(&pull).await.unwrap();
    assert!(commits.iter().any(|commit| commit.sha == head));
    let told = shop.commit(&"a".repeat(40)).await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
    // What it lacks is an error here, and never an empty list.
    let told = shop.pulls_of(&head).await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
    let told = shop.environment("production").await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");
}

fn commit_author(id: u64) -> assent_server::github::Account {
    assent_server::github::Account { id, login: "alice".to_owned(), is_bot: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_shown_at_a_github_of_others_where_that_is_allowed() {
    let emulate = Emulate::start(seed(&permissions())).await;
    let shop = client(&emulate, APP).repository("acme", "shop").await.unwrap();
    let main = emulate.does("GET", "/repos/acme/shop/git/ref/heads/main", &Value::Null).await;
    let sha = main["object"]["sha"].as_str().unwrap();
    let number = shop.create_check(sha, &check(CheckState::InProgress)).await.unwrap();
    let path = format!("/repos/acme/shop/check-runs/{number}");
    let shown = emulate.does("GET", &path, &Value::Null).await;
    assert_eq!(
        (&shown["status"], &shown["external_id"]),
        (&json!("in_progress"), &json!("request-1"))
    );
    let done = check(CheckState::Done(Conclusion::Success));
    shop.update_check(number, &done).await.unwrap();
    let shown = emulate.does("GET", &path, &Value::Null).await;
    assert_eq!((&shown["status"], &shown["conclusion"]), (&json!("completed"), &json!("success")));
    let told = shop.update_check(number + 1, &done).await;
    assert!(matches!(told, Err(GithubError::NotFound(_))), "{told:?}");

    let mut less = permissions();
    less["checks"] = json!("read");
    let emulate = Emulate::start(seed(&less)).await;
    let shop = client(&emulate, APP).repository("acme", "shop").await.unwrap();
    let main = emulate.does("GET", "/repos/acme/shop/git/ref/heads/main", &Value::Null).await;
    let sha = main["object"]["sha"].as_str().unwrap();
    let told = shop.create_check(sha, &check(CheckState::InProgress)).await;
    assert!(matches!(told, Err(GithubError::Refused(_))), "{told:?}");
}

/// Hands a delivery on as it came, and keeps what is answered.
async fn handed_on(server: &str, asked: Asked, answers: &Mutex<Vec<(String, u16)>>) -> Reply {
    let mut call = reqwest::Client::new().post(format!("{server}/webhooks/github"));
    for (name, value) in &asked.headers {
        if name.starts_with("x-") || name == "content-type" {
            call = call.header(name, value);
        }
    }
    let event = asked.header("x-github-event").to_owned();
    let status = call.body(asked.body).send().await.unwrap().status().as_u16();
    answers.lock().unwrap().push((event, status));
    Reply::new(status, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_what_others_sign_with_the_secret_is_taken_and_with_another_is_not() {
    for (secret, wanted) in [(WEBHOOK_SECRET, 200), ("canary-another-secret", 401)] {
        let app = settings("http://127.0.0.1:9", APP);
        let server = Server::set_up(Setup { github: Some(app), ..Setup::default() }).await;
        let answers: Arc<Mutex<Vec<(String, u16)>>> = Arc::default();
        let (base, kept) = (server.base().to_owned(), Arc::clone(&answers));
        let before = StandIn::start(move |asked| {
            let (base, kept) = (base.clone(), Arc::clone(&kept));
            Box::pin(async move { handed_on(&base, asked, &kept).await })
        })
        .await;
        let webhook = json!({"url": format!("{}/hook", before.url), "secret": secret});
        let emulate = Emulate::start(seed_with(&permissions(), &webhook)).await;
        let shop = client(&emulate, APP).repository("acme", "shop").await.unwrap();
        let main = emulate.does("GET", "/repos/acme/shop/git/ref/heads/main", &Value::Null).await;
        let sha = main["object"]["sha"].as_str().unwrap();
        shop.create_check(sha, &check(CheckState::InProgress)).await.unwrap();
        until("a delivery", || !answers.lock().unwrap().is_empty()).await;
        let answers = answers.lock().unwrap();
        assert!(answers.iter().all(|one| *one == ("check_run".to_owned(), wanted)), "{answers:?}");
    }
}

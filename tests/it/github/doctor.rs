//! Whether the gates of a repository are closed, as administrators are told.

use assent_client::wire::{GithubCheckup, GithubVerdict};
use assent_server::policy::Source;
use serde_json::json;

use crate::support::github::{
    Environment, Fault, Github, Route, closed, message, our_rule, repository, settings,
};
use crate::support::{Caller, Server, Setup, assent, documents};

/// A trust that pins what it lets in, and one that does not.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: doctor}
trusts:
  pinned:
    issuer: https://token.actions.githubusercontent.com
    audience: https://assent.example
    shape: github-actions
    claims:
      repository_owner_id: '90'
      repository_id: '900'
      environment: production
      job_workflow_ref: acme/shop/.github/workflows/deploy.yml@refs/heads/main
    may_ask: {kinds: [github.deploy], environments: [production]}
  open:
    issuer: https://token.actions.githubusercontent.com
    audience: https://assent.example
    shape: github-actions
    claims: {repository_owner_id: '90', repository_id: '900', ref: refs/heads/main}
    may_ask: {kinds: [github.deploy], environments: [staging]}
rules:
  - id: all
    when: {intent.kind: github.deploy}
    allow: {credential: {max_ttl: 15m}}
";

struct World {
    github: Github,
    server: Server,
    root: Caller,
}

impl World {
    /// A repository with an environment that is closed.
    async fn start() -> Self {
        let github = Github::start().await;
        github.with(|state| {
            state.repositories.push(repository(900, "shop"));
            state.environments.push(closed(5, "production"));
            state.deliveries.push(("deployment_protection_rule".to_owned(), 200));
        });
        let app = settings(&github);
        let source = Source::Given(documents(POLICY));
        let server = Server::set_up(Setup { github: Some(app), source, ..Setup::default() }).await;
        let root = server.administrator().await;
        Self { github, server, root }
    }

    /// An environment with everything that weakens it.
    fn open_staging(&self) {
        self.github.with(|state| {
            state.environments.push(Environment {
                id: 6,
                repository: 900,
                name: "staging".to_owned(),
                can_admins_bypass: true,
                prevent_self_review: false,
                branches: Some("custom"),
                rules: vec![our_rule(false)],
            });
            state.patterns.insert(6, vec!["main".to_owned(), "**".to_owned()]);
            state.wait_timers.insert(6, 30);
            state.own_reviews.insert(6);
        });
    }

    async fn look(&self, environment: Option<&str>) -> GithubCheckup {
        self.root.client.github_doctor("acme/shop", environment).await.unwrap()
    }
}

/// What is not good, by environment and matter.
fn told(checkup: &GithubCheckup, verdict: GithubVerdict) -> Vec<(Option<&str>, &str)> {
    let of = checkup.findings.iter().filter(|one| one.verdict == verdict);
    of.map(|one| (one.environment.as_deref(), one.about.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t72_what_weakens_an_environment_is_told_and_a_closed_one_is_not() {
    let world = World::start().await;
    let checkup = world.look(None).await;
    assert_eq!(checkup.environments, ["production"]);
    for verdict in [GithubVerdict::Weakens, GithubVerdict::Unknown, GithubVerdict::Note] {
        assert_eq!(told(&checkup, verdict), [], "{checkup:#?}");
    }
    world.open_staging();
    let checkup = world.look(None).await;
    assert_eq!(checkup.environments, ["production", "staging"]);
    let weak =
        ["rule", "admin_bypass", "branches", "self_review", "trust_workflow", "trust_environment"];
    let weak: Vec<_> = weak.iter().map(|about| (Some("staging"), *about)).collect();
    assert_eq!(told(&checkup, GithubVerdict::Weakens), weak);
    assert_eq!(told(&checkup, GithubVerdict::Note), [(Some("staging"), "wait_timer")]);
    let one = world.look(Some("production")).await;
    assert_eq!(told(&one, GithubVerdict::Weakens), []);
    // One that a job would make by naming it.
    let none = world.look(Some("preview")).await;
    assert_eq!(told(&none, GithubVerdict::Weakens), [(Some("preview"), "exists")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_may_and_hears_is_told_as_it_is_now() {
    let world = World::start().await;
    world.look(None).await;
    world.github.with(|state| {
        state.granted = Some(json!({
            "actions": "read", "checks": "write", "contents": "write", "environments": "read",
            "members": "read", "metadata": "read", "pull_requests": "read",
        }));
        state.deliveries.insert(0, ("deployment_protection_rule".to_owned(), 401));
    });
    let checkup = world.look(None).await;
    let about = ["permissions", "permissions_beyond", "deliveries"];
    let wanted: Vec<_> = about.iter().map(|about| (None, *about)).collect();
    assert_eq!(told(&checkup, GithubVerdict::Weakens), wanted, "no answer is an old one");
    world.github.with(|state| state.repositories[0].installed = false);
    let checkup = world.look(None).await;
    assert_eq!(told(&checkup, GithubVerdict::Weakens), [(None, "installed")]);
    let link = checkup.findings[0].link.as_deref();
    assert_eq!(link, Some("https://github.com/apps/assent/installations/new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_github_does_not_tell_is_unknown() {
    let refused = || Fault::Saying(message(403, "Resource not accessible by integration"));
    for (route, about) in [
        (Route::InstallationOfRepository, (None, "installed")),
        (Route::Environments, (None, "environments")),
        (Route::App, (None, "events")),
        (Route::Deliveries, (None, "deliveries")),
        (Route::Environment, (Some("production"), "exists")),
        (Route::Rules, (Some("production"), "rule")),
    ] {
        let world = World::start().await;
        world.github.fail(route, 1, refused());
        let checkup = world.look(None).await;
        assert_eq!(told(&checkup, GithubVerdict::Unknown), [about], "{checkup:#?}");
        assert_eq!(told(&checkup, GithubVerdict::Weakens), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t68_only_an_administrator_is_told_where_a_gate_is_open() {
    let world = World::start().await;
    let path = "/v1/github/doctor?repository=acme/shop";
    world.server.stranger().get(path).await.refuses(401, "no_token");
    let bob = world.server.person("bob").await;
    bob.get(path).await.refuses(403, "not_administrator");
    assert!(world.github.calls().is_empty(), "{:#?}", world.github.calls());
    for bad in ["", "acme", "acme/shop/x", "acme/..%2Fx", "a%0Ab/c", "/shop", "acme/"] {
        let path = format!("/v1/github/doctor?repository={bad}");
        let answer = world.root.get(&path).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
    }
    assert!(world.github.calls().is_empty(), "{:#?}", world.github.calls());
    let without = Server::start().await;
    let root = without.administrator().await;
    root.get(path).await.refuses(503, "no_github_app");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_by_what_it_found() {
    let world = World::start().await;
    let run = async |words: &[&str]| {
        let words = [&["admin", "github", "doctor", "acme/shop"], words].concat();
        assent(world.server.base(), world.root.token(), &words).await
    };
    let did = run(&[]).await.exits(0);
    assert!(did.talk.contains("nothing weakens"), "{did:?}");
    assert!(did.lines().iter().any(|line| line == "production"), "{did:?}");

    world.open_staging();
    let did = run(&["--environment", "staging"]).await.exits(1);
    for line in [
        "weakens administrators of the repository may start what waits",
        "to do: untick *Allow administrators to bypass configured protection rules*",
        "where: https://github.com/acme/shop/settings/environments/6/edit",
    ] {
        assert!(did.lines().iter().any(|one| one == line), "{line}: {did:?}");
    }
    let did = run(&["--environment", "staging", "--output", "json"]).await.exits(1);
    assert_eq!(did.json()["environments"], json!(["staging"]));
    assert_eq!(did.json()["findings"][0]["about"], "installed");
    run(&["--environment", "production"]).await.exits(0);

    world.github.fail(Route::Rules, 1, Fault::HangingUp);
    let did = run(&["--environment", "production"]).await.exits(3);
    assert!(did.talk.contains("could not be found out"), "{did:?}");
    let bob = world.server.person("bob").await;
    let words = ["admin", "github", "doctor", "acme/shop"];
    assent(world.server.base(), bob.token(), &words).await.exits(1);
    let nobody = ["admin", "github", "doctor", "shop"];
    assent(world.server.base(), world.root.token(), &nobody).await.exits(2);
}

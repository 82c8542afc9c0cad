//! GitHub with a repository whose environment the App guards, and an authority that is the App.

use std::path::Path;
use std::time::Duration;

use assent_client::wire;
use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::Value;

use crate::support::github::{
    Commit, Environment, Gate, Github, Pull, Run, our_rule, repository, settings,
};
use crate::support::{Caller, POLICY, Remains, Server, Setup, documents};

/// GitHub with one run that waits, and an authority whose App guards it.
pub(super) struct World {
    pub(super) github: Github,
    pub(super) server: Server,
}

/// How the authority is set up, where that matters.
#[derive(Clone)]
pub(super) struct As {
    pub(super) policy: String,
    pub(super) patience: Duration,
    pub(super) deployment_statuses: bool,
    pub(super) actions_issuer: Option<String>,
    /// Below which path GitHub answers.
    pub(super) below: &'static str,
}

impl Default for As {
    fn default() -> Self {
        Self {
            policy: POLICY.to_owned(),
            patience: Duration::from_secs(10),
            deployment_statuses: false,
            actions_issuer: None,
            below: "",
        }
    }
}

impl World {
    pub(super) async fn start() -> Self {
        Self::set_up(As::default()).await
    }

    pub(super) async fn set_up(like: As) -> Self {
        let github = acme().await;
        let server = Server::set_up(setup(&github, &like)).await;
        Self { github, server }
    }

    /// With its ledger in this file, after a server before it.
    pub(super) async fn on_file(file: &Path, github: Github, remains: Remains) -> Self {
        let setup = setup(&github, &As::default());
        let server = Server::on_file_again_set_up(file, remains, setup).await;
        Self { github, server }
    }

    pub(super) async fn guard(&self) -> usize {
        self.server.authority.guard_deployments().await.unwrap()
    }

    /// Later, whatever was told or not.
    pub(super) async fn guard_after(&self, span: Span) {
        self.server.time().pass(span);
        self.guard().await;
    }

    pub(super) async fn asked(&self, run: u64) {
        assert!(self.github.ask(self.server.base(), run, "one").await < 300);
        self.guard().await;
    }

    /// What was filed, newest first.
    pub(super) async fn filed(&self) -> Vec<wire::Request> {
        let bob = self.bob().await;
        bob.client.requests(&[]).await.unwrap().requests
    }

    /// The only request there is.
    pub(super) async fn request(&self) -> wire::Request {
        let [request] = self.filed().await.try_into().unwrap();
        request
    }

    /// The request that stands for this run.
    pub(super) async fn request_of(&self, run: u64) -> wire::Request {
        let filed = self.filed().await.into_iter();
        let run = run.to_string();
        let mut of_run = filed.filter(|one| one.requester.claims["run_id"] == run.as_str());
        of_run.next().unwrap()
    }

    pub(super) async fn bob(&self) -> Caller {
        self.server.person("bob").await
    }

    pub(super) fn gate(&self, run: u64) -> Gate {
        self.github.with(|state| state.gate(run, "one"))
    }

    /// Another job of the run waits before the environment.
    pub(super) fn waits_again(&self, run: u64) {
        self.github.with(|state| {
            let gate = state.gates.iter_mut().find(|gate| gate.run == run).unwrap();
            (gate.waiting, gate.verdict) = (true, None);
            "waiting".clone_into(&mut state.runs.get_mut(&run).unwrap().status);
        });
    }

    /// Every check run that GitHub shows.
    pub(super) fn checks(&self) -> Vec<Value> {
        self.github.with(|state| state.checks.values().cloned().collect())
    }

    /// What is on record of gates that somebody passed.
    pub(super) async fn alarms(&self) -> Vec<Value> {
        let entries = self.server.authority.ledger().entries(0, 10_000).await.unwrap();
        entries.into_iter().filter(|entry| entry["type"] == "github_bypass").collect()
    }
}

fn setup(github: &Github, like: &As) -> Setup {
    let mut app = settings(github);
    let api = format!("{}{}", github.url, like.below);
    github.seen_at(&api);
    app.place.api = api.parse().unwrap();
    app.patience = like.patience;
    app.deployment_statuses = like.deployment_statuses;
    if let Some(issuer) = &like.actions_issuer {
        app.place.actions_issuer.clone_from(issuer);
    }
    Setup {
        github: Some(app),
        source: Source::Given(documents(&like.policy)),
        reach: Reach { loopback: true, ..Reach::default() },
        ..Setup::default()
    }
}

/// A GitHub where acme/shop has an environment that the App guards, and a run that waits before it.
pub(super) async fn acme() -> Github {
    let github = Github::start().await;
    github.with(|state| {
        state.repositories.push(repository(900, "shop"));
        state.environments.push(environment(900));
    });
    waiting(&github, 7);
    github
}

pub(super) fn environment(repository: u64) -> Environment {
    Environment {
        id: 5,
        repository,
        name: "one".to_owned(),
        can_admins_bypass: true,
        prevent_self_review: false,
        branches: None,
        rules: vec![our_rule(true)],
    }
}

/// A run of acme/shop that waits before the environment; its commit came by a pull request.
pub(super) fn waiting(github: &Github, id: u64) {
    waiting_in(github, 900, id);
}

pub(super) fn waiting_in(github: &Github, repository: u64, id: u64) {
    github.with(|state| {
        let sha = format!("{id:040}");
        let before = state.commits.keys().next_back().cloned();
        let commit =
            Commit { author: Some(11), committer: Some(12), parent: before, ..Commit::default() };
        state.commits.insert(sha.clone(), commit);
        state.pulls.push(Pull {
            number: id,
            author: 14,
            merged_by: Some(13),
            merge_commit: sha.clone(),
            commits: vec![sha.clone()],
        });
        let run = Run {
            id,
            attempt: 1,
            repository,
            head_repository: Some(repository),
            event: "push".to_owned(),
            head_sha: sha,
            head_branch: Some("main".to_owned()),
            path: ".github/workflows/deploy.yml".to_owned(),
            status: "waiting".to_owned(),
            conclusion: None,
            actor: 11,
            triggering_actor: 13,
            title: "Ship `it` @everyone".to_owned(),
        };
        state.runs.insert(id, run);
        state.gates.push(gate(id, "one"));
    });
}

pub(super) fn gate(run: u64, environment: &str) -> Gate {
    Gate {
        run,
        environment: environment.to_owned(),
        verdict: None,
        comment: String::new(),
        reports: Vec::new(),
        verdicts: 0,
        others: false,
        waiting: true,
    }
}

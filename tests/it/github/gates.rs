//! One request for a run before an environment, and one answer.

use assent_client::{Secret, wire};
use assent_server::github::{Place, Settings};

use crate::support::github::{
    APP, Change, Commit, Environment, Fault, Gate, Github, Repository, Route, Run, WEBHOOK_SECRET,
    fresh_delivery, message, our_rule, private_key,
};
use crate::support::{Caller, Server, Setup, approve, deny};

/// GitHub with one run that waits, and an authority whose App guards it.
struct World {
    github: Github,
    server: Server,
}

impl World {
    async fn start() -> Self {
        let github = Github::start().await;
        github.with(|state| {
            state.repositories.push(Repository {
                id: 900,
                owner: "acme".to_owned(),
                owner_id: 90,
                name: "shop".to_owned(),
                installed: true,
            });
            state.environments.push(Environment {
                id: 5,
                repository: 900,
                name: "one".to_owned(),
                can_admins_bypass: true,
                prevent_self_review: false,
                branches: None,
                rules: vec![our_rule(true)],
            });
        });
        waiting(&github, 7);
        let mut place = Place::at("https://github.com").unwrap();
        place.api = github.url.parse().unwrap();
        let app = Settings {
            app_id: APP,
            slug: "assent".to_owned(),
            private_key: Secret::new(private_key()),
            webhook_secret: Secret::new(WEBHOOK_SECRET.to_owned()),
            place,
            require_app: true,
            between_writes: std::time::Duration::ZERO,
            ca_file: None,
        };
        let server = Server::set_up(Setup { github: Some(app), ..Setup::default() }).await;
        Self { github, server }
    }

    async fn guard(&self) -> usize {
        self.server.authority.guard_deployments().await.unwrap()
    }

    async fn asked(&self, run: u64) {
        assert!(self.github.ask(self.server.base(), run, "one").await < 300);
        self.guard().await;
    }

    /// What was filed, newest first.
    async fn filed(&self, who: &Caller) -> Vec<wire::Request> {
        who.client.requests(&[]).await.unwrap().requests
    }

    fn gate(&self, run: u64) -> Gate {
        self.github.with(|state| state.gate(run, "one"))
    }
}

/// A run that waits before the environment.
fn waiting(github: &Github, id: u64) {
    github.with(|state| {
        let sha = format!("{id:040}");
        let commit = Commit { author: Some(11), committer: Some(12), ..Commit::default() };
        state.commits.insert(sha.clone(), commit);
        let run = Run {
            id,
            attempt: 1,
            repository: 900,
            head_repository: Some(900),
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
        state.gates.push(Gate {
            run: id,
            environment: "one".to_owned(),
            verdict: None,
            comment: String::new(),
            reports: Vec::new(),
            verdicts: 0,
            others: false,
            waiting: true,
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_request_and_goes_on_when_it_is_approved() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    world.asked(7).await;
    let [request] = world.filed(&bob).await.try_into().unwrap();
    assert_eq!(
        (request.state.as_str(), request.intent.kind.as_str()),
        ("pending", "github.deploy")
    );
    assert_eq!(world.gate(7).reports.len(), 1);
    assert_eq!(world.gate(7).verdicts, 0);
    approve(&bob, &request).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    world.guard().await;
    assert_eq!(world.gate(7).verdicts, 1);
    let checks = world.github.with(|state| state.checks.clone());
    assert_eq!(checks.len(), 1);
    assert!(checks.values().all(|check| check["conclusion"] == "success"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_rejected() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    world.asked(7).await;
    let [request] = world.filed(&bob).await.try_into().unwrap();
    deny(&bob, &request).await.unwrap();
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("rejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn t33_a_lost_webhook_is_found_and_a_hundred_of_a_matrix_are_one_request() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    world.guard().await;
    assert_eq!(world.filed(&bob).await.len(), 1, "nothing was told of it");
    waiting(&world.github, 8);
    world.github.forget_calls();
    let body = world.github.with(|state| state.asks(8, "one"));
    let mut sent = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (base, body) = (world.server.base().to_owned(), body.clone());
        sent.spawn(async move {
            Github::deliver(&base, &fresh_delivery(), "deployment_protection_rule", &body).await
        });
    }
    assert!(sent.join_all().await.iter().all(|status| *status < 300));
    world.guard().await;
    assert_eq!(world.filed(&bob).await.len(), 2);
    let calls = world.github.calls();
    assert!(calls.len() <= 12, "{} calls: {calls:#?}", calls.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn t46_a_fork_and_an_event_that_anybody_causes_are_rejected_unfiled() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    waiting(&world.github, 8);
    world.github.with(|state| {
        state.runs.get_mut(&7).unwrap().head_repository = Some(666);
        state.runs.get_mut(&8).unwrap().event = "pull_request_target".to_owned();
    });
    world.asked(7).await;
    world.asked(8).await;
    assert!(world.filed(&bob).await.is_empty());
    for run in [7, 8] {
        assert_eq!(world.gate(run).verdict.as_deref(), Some("rejected"), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t72_a_bypass_cancels_the_request_and_is_on_record() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    waiting(&world.github, 8);
    world.asked(7).await;
    world.asked(8).await;
    world.github.with(|state| {
        state.change(7, Change::Bypassed(99));
        state.change(8, Change::Canceled);
    });
    world.server.time().pass(assent_core::time::Span::minutes(2));
    world.guard().await;
    let filed = world.filed(&bob).await;
    assert!(filed.iter().all(|request| request.state == "canceled"), "{filed:#?}");
    let entries = world.server.authority.ledger().entries(0, 1000).await.unwrap();
    let alarms: Vec<_> = entries.iter().filter(|e| e["type"] == "github_bypass").collect();
    assert_eq!(alarms.len(), 1);
    assert!(alarms[0]["reason"].as_str().unwrap().contains("99"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_went_wrong_is_given_again_and_taken_once() {
    let faults = [
        Fault::Saying(message(403, "Resource not accessible by integration")),
        Fault::Saying(message(409, "Conflict")),
        Fault::Saying(message(500, "Server Error")),
        Fault::HangingUp,
        Fault::HangingUpAfter,
        Fault::Lying(message(502, "Bad gateway")),
    ];
    for fault in faults {
        let world = World::start().await;
        let bob = world.server.person("bob").await;
        world.asked(7).await;
        let [request] = world.filed(&bob).await.try_into().unwrap();
        approve(&bob, &request).await.unwrap();
        world.github.fail(Route::Callback, 1, fault.clone());
        world.guard().await;
        world.server.time().pass(assent_core::time::Span::minutes(3));
        world.guard().await;
        assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"), "{fault:?}");
        assert_eq!(world.gate(7).verdicts, 1, "{fault:?}");
    }
}

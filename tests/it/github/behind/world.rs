//! GitHub with a run of `acme/shop`, the issuer of its jobs' tokens, and an authority whose App knows
//! the one and trusts the other.

use std::collections::BTreeSet;

use assent_client::wire;
use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::{Value, json};

use crate::support::github::{Commit, Github, Run, repository, settings};
use crate::support::{Answer, Caller, Issuer, Server, Setup, documents, fresh_key, sent};

const AUDIENCE: &str = "https://assent.example.com";
const NOW: i64 = 1_800_000_000;

/// The people and what they have at GitHub; of gina nothing is known there.
pub(super) fn policy(issuer: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
metadata: {{name: tests}}
people:
  alice: {{github: '11'}}
  bob: {{github: '21'}}
  carol: {{github: '31'}}
  dave: {{github: '41'}}
  erin: {{github: '51'}}
  frank: {{github: '61'}}
groups:
  release-managers: [person:alice, person:bob, person:carol, person:dave, person:erin, person:frank,
    person:gina]
rules:
  - id: production
    when: {{intent.environment: production}}
    require:
      stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]
      request_expires: 24h
      credential: {{max_ttl: 15m, grant_window: 24h, audiences: [aws]}}
trusts:
  shop:
    issuer: {issuer}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: '90', repository_id: '900', environment: production}}
    people: {{'21': person:bob, '61': person:frank, '81': person:gina}}
    may_ask: {{kinds: [github.deploy, smoke.test], environments: [production]}}
"
    )
}

/// The full name of a commit.
pub(super) fn sha(number: u64) -> String {
    format!("{number:040}")
}

/// What a job asks for.
pub(super) fn body() -> Value {
    json!({"intent": {
        "kind": "github.deploy", "environment": "production", "reason": "Ship it",
        "target": {"repository": "acme/shop"},
    }})
}

/// The request that was filed.
#[track_caller]
pub(super) fn filed(answer: &Answer) -> wire::Request {
    serde_json::from_value(answer.clone().is(201).json()).unwrap()
}

pub(super) struct World {
    pub(super) github: Github,
    pub(super) issuer: Issuer,
    pub(super) server: Server,
    pub(super) policy: String,
}

impl World {
    /// With run 7, which the account 11 started.
    pub(super) async fn start() -> Self {
        let issuer = Issuer::start().await;
        Self::ruled_by(&policy(&issuer.url), issuer).await
    }

    pub(super) async fn ruled_by(text: &str, issuer: Issuer) -> Self {
        Self::with(text, issuer, true).await
    }

    pub(super) async fn with(text: &str, issuer: Issuer, require_app: bool) -> Self {
        let github = Github::start().await;
        github.with(|state| {
            state.repositories.push(repository(900, "shop"));
        });
        let mut app = settings(&github);
        app.place.actions_issuer.clone_from(&issuer.url);
        app.require_app = require_app;
        let server = Server::set_up(Setup {
            source: Source::Given(documents(text)),
            reach: Reach { loopback: true, ..Reach::default() },
            github: Some(app),
            ..Setup::default()
        })
        .await;
        let world = Self { github, issuer, server, policy: text.to_owned() };
        world.run(7);
        world
    }

    /// A run of the commit that is called after it.
    pub(super) fn run(&self, id: u64) {
        self.run_at(id, &sha(id));
    }

    pub(super) fn run_at(&self, id: u64, head: &str) {
        self.github.with(|state| {
            let commit = || Commit { author: Some(11), committer: Some(11), ..Commit::default() };
            state.commits.entry(head.to_owned()).or_insert_with(commit);
            let run = Run {
                id,
                attempt: 1,
                repository: 900,
                head_repository: Some(900),
                event: "push".to_owned(),
                head_sha: head.to_owned(),
                head_branch: Some("main".to_owned()),
                path: ".github/workflows/deploy.yml".to_owned(),
                status: "in_progress".to_owned(),
                conclusion: None,
                actor: 11,
                triggering_actor: 11,
                title: "Ship it".to_owned(),
            };
            state.runs.insert(id, run);
        });
    }

    /// What the token endpoint answers a job of this run that says this besides; `null` leaves out.
    pub(super) async fn exchanged(&self, run: u64, said: &Value) -> Answer {
        self.exchanged_of(&self.issuer, run, said).await
    }

    async fn exchanged_of(&self, issuer: &Issuer, run: u64, said: &Value) -> Answer {
        let now = NOW + self.past();
        let head = self.github.with(|state| state.runs[&run].head_sha.clone());
        let mut claims = json!({
            "iss": issuer.url, "aud": AUDIENCE, "sub": "repo:acme/shop:environment:production",
            "jti": fresh_key().as_str(), "iat": now, "exp": now + 300,
            "repository": "acme/shop", "repository_id": "900", "repository_owner_id": "90",
            "environment": "production", "event_name": "push", "actor_id": "11", "sha": head,
            "run_id": run.to_string(), "run_attempt": "1", "ref": "refs/heads/main",
        });
        let all = claims.as_object_mut().unwrap();
        all.extend(said.as_object().unwrap().clone());
        all.retain(|_, value| !value.is_null());
        let token = issuer.sign(json!({}), &claims);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token.as_str()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        self.server.stranger().form("/oauth/token", &fields).await
    }

    /// How many seconds have passed.
    fn past(&self) -> i64 {
        self.server.authority.clock().now().as_millis() / 1_000 - NOW
    }

    /// A job of this run, by its own token.
    pub(super) async fn job(&self, run: u64, said: Value) -> Caller {
        self.job_of(&self.issuer, run, said).await
    }

    pub(super) async fn job_of(&self, issuer: &Issuer, run: u64, said: Value) -> Caller {
        let answer = self.exchanged_of(issuer, run, &said).await.is(200);
        self.server.holder_of(&answer.str("access_token"))
    }

    /// The same, unless its token is refused.
    pub(super) async fn try_job(&self, run: u64, said: Value) -> Option<Caller> {
        let answer = self.exchanged(run, &said).await;
        (answer.status == 200).then(|| self.server.holder_of(&answer.str("access_token")))
    }

    pub(super) async fn try_file(&self, who: &Caller) -> Answer {
        who.post("/v1/requests", &body()).await
    }

    /// What a job of this run files, a minute after what was before.
    pub(super) async fn file(&self, run: u64) -> wire::Request {
        self.server.time().pass(Span::minutes(1));
        self.file_as(run, json!({})).await
    }

    pub(super) async fn file_as(&self, run: u64, said: Value) -> wire::Request {
        filed(&self.try_file(&self.job(run, said).await).await)
    }

    /// What a job of this run comes to that would go on with what is open.
    pub(super) async fn meets(&self, run: u64, said: Value) -> wire::Request {
        let intent = serde_json::from_value(body()["intent"].clone()).unwrap();
        let filing = wire::Filing { intent, reattach: true, heartbeat: None };
        self.job(run, said).await.client.file(&filing, &fresh_key()).await.unwrap()
    }

    /// The accounts at GitHub that are behind it.
    pub(super) fn behind(&self, request: &wire::Request) -> BTreeSet<u64> {
        let of_github =
            request.requester.acts_for.iter().filter(|id| id.iss == "https://github.com");
        of_github.map(|id| id.sub.parse().unwrap()).collect()
    }

    /// That this person's approval is not taken, and why.
    pub(super) async fn refuses(&self, name: &str, request: &wire::Request, code: &str) {
        let who = self.server.person(name).await;
        let path = format!("/v1/requests/{}/reviews", request.id);
        let review = json!({"verdict": "approve", "digest": request.digest, "comment": "fine"});
        who.post(&path, &review).await.refuses(403, code);
    }

    /// Everything that was filed.
    pub(super) async fn all(&self) -> Vec<wire::Request> {
        let root = self.server.person("root").await;
        let answer = sent(root.call("GET", "/v1/requests")).await.is(200);
        serde_json::from_value(answer.json()["requests"].clone()).unwrap()
    }
}

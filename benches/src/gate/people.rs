//! The authority that jobs ask, and who approves there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use assent_client::{Client, IdempotencyKey, wire};
use assent_server::github::Github as App;
use assent_server::issuers::Reach;
use assent_server::ledger::SqliteLedger;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::github::{AUDIENCE, Github};
use crate::host::{self, Host};

/// The longest body that is passed on. Bytes.
const LONGEST: usize = 1 << 20;
/// How long a job may take to ask.
const LONG: Duration = Duration::from_secs(60);

/// The authority, and bob.
pub(super) struct People {
    /// Where it answers.
    pub(super) url: String,
    bob: Client,
    _host: Host,
    _directory: TempDir,
}

fn rules(issuer: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
metadata: {{name: gates}}
people:
  bob: {{github: \"2\"}}
groups:
  release-managers: [person:bob]
rules:
  - id: production
    when: {{intent.environment: production}}
    require:
      stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]
      request_expires: 4h
trusts:
  jobs:
    issuer: {issuer}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: production}}
    people: {{\"2\": person:bob}}
    single_use: true
    may_ask: {{kinds: [github.deploy], environments: [production]}}
"
    )
}

impl People {
    /// On a SQLite file of its own; also as this App.
    pub(super) fn start(github: &Github, app: Option<App>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let ledger = Arc::new(SqliteLedger::open(&directory.path().join("ledger.sqlite"))?);
        let reach = Reach { loopback: true, ..Reach::default() };
        let policy = host::compile(rules(&github.url))?;
        let host = Host::start_as(policy, ledger, reach, |authority| authority.with_github(app))?;
        let bob = host.client(&host.bob)?;
        Ok(Self { url: host.url.clone(), bob, _host: host, _directory: directory })
    }

    /// What a job of this run asks for.
    pub(super) async fn asked(&self, run: u64) -> Result<wire::Request> {
        let number = run.to_string();
        let asked = async {
            loop {
                let all = self.bob.requests(&[]).await?.requests;
                let is_its = |one: &wire::Request| one.run.get("run_id") == Some(&number);
                match all.into_iter().find(is_its) {
                    Some(found) => return anyhow::Ok(found),
                    None => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(LONG, asked).await.with_context(|| format!("run {number} does not ask"))?
    }

    /// Bob approves it.
    pub(super) async fn approve(&self, asked: &wire::Request) -> Result<()> {
        let (verdict, digest) = (wire::Verdict::Approve, asked.digest.clone());
        let review = wire::NewReview { verdict, comment: String::new(), digest, signature: None };
        let after = self.bob.review(&asked.id, &review, &IdempotencyKey::fresh()).await?;
        ensure!(after.state == "approved", "approved, but {}", after.state);
        Ok(())
    }

    /// A way to the authority that counts who takes it.
    pub(super) async fn counted(&self) -> Result<Counted> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let calls = Arc::new(AtomicUsize::new(0));
        let way = Way {
            http: reqwest::Client::new(),
            authority: self.url.clone(),
            calls: Arc::clone(&calls),
        };
        let routes = Router::new().fallback(pass).with_state(way);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Counted { url, calls })
    }
}

/// Such a way. It ends with the program.
pub(super) struct Counted {
    /// Where it answers.
    pub(super) url: String,
    calls: Arc<AtomicUsize>,
}

impl Counted {
    /// How many calls came.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Way {
    http: reqwest::Client,
    authority: String,
    calls: Arc<AtomicUsize>,
}

async fn pass(State(way): State<Way>, asked: Request) -> Response {
    way.calls.fetch_add(1, Ordering::Relaxed);
    match passed(&way, asked).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn passed(way: &Way, asked: Request) -> Result<Response> {
    let (head, body) = asked.into_parts();
    let path = head.uri.path_and_query().context("a call without a path")?;
    let mut headers = head.headers;
    headers.remove("host");
    let body = to_bytes(body, LONGEST).await?;
    let call = way.http.request(head.method, format!("{}{path}", way.authority));
    let answer = call.headers(headers).body(body).send().await?;
    let mut passed = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        passed = passed.header(name, value);
    }
    Ok(passed.body(Body::from(answer.bytes().await?))?)
}

//! GitHub as an App sees it: runs that wait before an environment, and when each was let go on.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use assent_client::Secret;
use assent_server::clock::Clock;
use assent_server::github::{Github as App, Place, Settings};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

const APP: u64 = 4242;
const ENVIRONMENT: &str = "production";
/// How long after a write the App sends the next to github.com.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);

/// Which run was let go on when.
type Passed = BTreeMap<u64, Instant>;

/// The service. It ends with the program.
pub(super) struct Api {
    url: String,
    inside: Arc<Inside>,
}

struct Inside {
    runs: u64,
    passed: watch::Sender<Passed>,
    /// Those that count against the limit, and all.
    calls: Mutex<(usize, usize)>,
}

impl Api {
    /// With so many runs that wait.
    pub(super) async fn start(runs: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (passed, calls) = (watch::Sender::default(), Mutex::default());
        let inside = Arc::new(Inside { runs, passed, calls });
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { url, inside })
    }

    /// The App, as an authority is set up to be it.
    pub(super) fn app(&self) -> Result<App> {
        let mut place = Place::at("https://github.com").map_err(|problem| anyhow!(problem))?;
        place.api = self.url.parse()?;
        let settings = Settings {
            app_id: APP,
            slug: "assent".to_owned(),
            private_key: Secret::new(private_key()?),
            webhook_secret: Secret::new("of-nobody-who-sends".to_owned()),
            place,
            require_app: true,
            between_writes: BETWEEN_WRITES,
            patience: Duration::from_secs(10),
            deployment_statuses: false,
            ca_file: None,
        };
        Ok(App::new(settings, Clock::system())?)
    }

    /// When GitHub was told that this run goes on.
    pub(super) async fn goes_on(&self, run: u64) -> Result<Instant> {
        let mut passed = self.inside.passed.subscribe();
        let found = passed.wait_for(|passed| passed.contains_key(&run)).await?;
        found.get(&run).copied().ok_or_else(|| anyhow!("run {run} did not go on"))
    }

    /// How many calls counted against GitHub's limit, and how many there were.
    pub(super) fn calls(&self) -> (usize, usize) {
        *self.inside.calls()
    }
}

impl Inside {
    fn calls(&self) -> MutexGuard<'_, (usize, usize)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self, run: u64) -> bool {
        (1..=self.runs).contains(&run) && !self.passed.borrow().contains_key(&run)
    }

    fn answer(&self, method: &Method, path: &[&str], body: &Bytes) -> Option<Value> {
        let is_read = method == Method::GET;
        let number = |text: &str| text.parse::<u64>().ok();
        Some(match path {
            ["app", "installations"] => json!([{"id": 77}]),
            ["app", "installations", "77", "access_tokens"] => {
                json!({"token": "ghs_bench", "permissions": {}})
            }
            ["installation", "repositories"] => {
                json!({"total_count": 1, "repositories": [repository()]})
            }
            ["repos", "acme", "shop"] => repository(),
            ["repos", "acme", "shop", rest @ ..] => match rest {
                ["installation"] => json!({"id": 77}),
                ["actions", "runs"] => {
                    let waiting = (1..=self.runs).filter(|run| self.waits(*run));
                    let waiting: Vec<_> = waiting.map(|run| self.run(run)).collect();
                    json!({"total_count": waiting.len(), "workflow_runs": waiting})
                }
                ["actions", "runs", run] => self.run(number(run)?),
                ["actions", "runs", run, "pending_deployments"] => {
                    let waits = self.waits(number(run)?);
                    let one = json!({"environment": {"id": 5, "name": ENVIRONMENT}});
                    waits.then_some(one).into_iter().collect()
                }
                ["actions", "runs", run, "deployment_protection_rule"] => {
                    let said: Value = serde_json::from_slice(body).ok()?;
                    if said.get("state").is_some_and(|state| state == "approved") {
                        let passed = (number(run)?, Instant::now());
                        self.passed.send_modify(|all| all.extend([passed]));
                    }
                    Value::Null
                }
                ["environments", _] => {
                    json!({"id": 5, "name": ENVIRONMENT, "can_admins_bypass": false})
                }
                ["environments", _, "deployment_protection_rules"] => json!({
                    "total_count": 1,
                    "custom_deployment_protection_rules":
                        [{"id": 1, "enabled": true, "app": {"id": APP, "slug": "assent"}}],
                }),
                ["commits"] => json!([commit(&sha(1))]),
                ["commits", _, "check-runs"] => json!({"total_count": 0, "check_runs": []}),
                ["commits", sha] => commit(sha),
                ["actions", "runs", _, "approvals"] | ["commits", _, "pulls"] => json!([]),
                ["compare", _] => json!({"total_commits": 0, "commits": []}),
                ["check-runs", ..] if !is_read => json!({"id": 1}),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn run(&self, run: u64) -> Value {
        let status = if self.waits(run) { "waiting" } else { "in_progress" };
        let dora = json!({"id": 1001, "login": "dora", "type": "User"});
        json!({
            "id": run, "run_attempt": 1, "event": "push", "head_sha": sha(run), "status": status,
            "head_branch": "main", "head_repository": {"id": 900}, "repository": repository(),
            "path": ".github/workflows/deploy.yml", "actor": dora, "triggering_actor": dora,
            "display_title": "Ship it",
        })
    }
}

fn repository() -> Value {
    let owner = json!({"id": 90, "login": "acme", "type": "Organization"});
    json!({"id": 900, "full_name": "acme/shop", "owner": owner, "default_branch": "main"})
}

fn sha(run: u64) -> String {
    format!("{run:040x}")
}

fn commit(sha: &str) -> Value {
    json!({"sha": sha, "author": {"id": 1001}, "committer": {"id": 1001}})
}

fn private_key() -> Result<String> {
    let gone = |_| anyhow!("no key to be had");
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(gone)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(gone)?;
    let encoded = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let kind = "PRIVATE KEY";
    Ok(format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n")))
}

/// What did not change costs nothing of the limit, as GitHub has it ("Best practices for using the REST
/// API", conditional requests).
async fn answer(
    State(inside): State<Arc<Inside>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path: Vec<_> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
    let Some(said) = inside.answer(&method, &path, &body) else {
        inside.calls().0 += 1;
        return (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response();
    };
    let mut hash = DefaultHasher::new();
    said.to_string().hash(&mut hash);
    let tag = format!("\"{:x}\"", hash.finish());
    let is_known = method == Method::GET
        && headers.get("if-none-match").is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut calls = inside.calls();
    *calls = (calls.0 + usize::from(!is_known), calls.1 + 1);
    drop(calls);
    let status = match (is_known, &method, &said) {
        (true, ..) => return StatusCode::NOT_MODIFIED.into_response(),
        (_, _, Value::Null) => return StatusCode::NO_CONTENT.into_response(),
        (_, &Method::POST, _) => StatusCode::CREATED,
        _ => StatusCode::OK,
    };
    let mut response = (status, Json(said)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert("etag", tag);
    }
    response
}

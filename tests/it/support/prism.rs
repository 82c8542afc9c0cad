//! GitHub's own OpenAPI description (npm `@octokit/openapi`), held against everything that is asked
//! and answered by a proxy that nobody here wrote (npm `@stoplight/prism-cli`). What does not fit is
//! let through in neither direction, and kept here for the test to see.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{Asked, Reply, StandIn, tools};

/// What it answers where something does not fit. GitHub's own problems are plain JSON.
const PROBLEM: &str = "application/problem+json";

/// What is not handed on: what belongs to a connection, and what would be answered without a body
/// (304), which it cannot read.
const LEFT_OUT: [&str; 4] = ["host", "content-length", "connection", "if-none-match"];

/// The headers of GitHub that mean something to whoever asks.
const HEADERS: [&str; 9] = [
    "content-type",
    "etag",
    "link",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-used",
    "x-ratelimit-reset",
    "x-ratelimit-resource",
];

/// The proxy, as long as it runs.
pub(crate) struct Prism {
    /// Where to ask.
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
    faults: Arc<Mutex<Vec<String>>>,
    _before: StandIn,
    _child: Child,
    _folder: TempDir,
}

impl Prism {
    /// Starts it before whoever answers there. It takes some seconds.
    pub(crate) async fn before(upstream: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cut = folder.path().join("github.json");
        let whole = "@octokit/openapi/generated/api.github.com.json";
        let cutting = Command::new(tools::node())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tools/slice-github.mjs"))
            .arg(tools::node_modules().join(whole))
            .arg(&cut)
            .output()
            .await
            .unwrap();
        assert!(cutting.status.success(), "{cutting:?}");
        let mut child = Command::new(tools::node())
            .arg(tools::node_modules().join("@stoplight/prism-cli/dist/index.js"))
            .args(["proxy", "--host", "127.0.0.1", "--port", "0", "--errors"])
            .arg(&cut)
            .arg(upstream)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let place = loop {
            let line = told.next_line().await.unwrap().expect("prism did not start");
            if let Some((_, place)) = line.split_once("Prism is listening on ") {
                break place.trim().to_owned();
            }
        };
        // It stops where nobody reads what it tells.
        tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
        let (asked, faults) = (Arc::default(), Arc::default());
        let (all, kept) = (Arc::clone(&asked), Arc::clone(&faults));
        let before = StandIn::start(move |asked| {
            let (place, all, kept) = (place.clone(), Arc::clone(&all), Arc::clone(&kept));
            Box::pin(async move { hand_on(&place, asked, &all, &kept).await })
        })
        .await;
        let url = before.url.clone();
        Self { url, asked, faults, _before: before, _child: child, _folder: folder }
    }

    /// What was asked: `GET /app`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// What did not fit, and forgets it.
    pub(crate) fn faults(&self) -> Vec<String> {
        std::mem::take(&mut *self.faults.lock().unwrap())
    }
}

/// Hands a call on, and keeps what is said of it.
async fn hand_on(
    place: &str,
    asked: Asked,
    all: &Mutex<Vec<String>>,
    faults: &Mutex<Vec<String>>,
) -> Reply {
    let what = format!("{} {}", asked.method, asked.path);
    all.lock().unwrap().push(what.clone());
    let method: reqwest::Method = asked.method.parse().unwrap();
    let mut call = reqwest::Client::new().request(method, format!("{place}{}", asked.path));
    for (name, value) in &asked.headers {
        if !LEFT_OUT.contains(&name.as_str()) {
            call = call.header(name, value);
        }
    }
    let answer = call.body(asked.body).send().await.unwrap();
    let mut reply = Reply::new(answer.status().as_u16(), "");
    for name in HEADERS {
        let value = answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        reply.headers.extend(value.map(|value| (name, value)));
    }
    reply.body = answer.text().await.unwrap();
    let is_problem =
        |(name, value): &(&str, String)| *name == "content-type" && value.starts_with(PROBLEM);
    if reply.headers.iter().any(is_problem) {
        faults.lock().unwrap().push(format!("{what}: {}", reply.body));
    }
    reply
}

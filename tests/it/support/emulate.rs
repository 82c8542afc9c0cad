//! A GitHub that keeps state and that nobody here wrote (npm `emulate`), in a process of its own.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::tools;

/// Whoever may do everything there.
const ROOT: &str = "gho_canary_root";

/// It, as long as it runs.
pub(crate) struct Emulate {
    pub(crate) url: String,
    _child: Child,
    _folder: TempDir,
}

impl Emulate {
    /// With what this says of `github`, and a token for its user `alice`.
    pub(crate) async fn start(github: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let seed = folder.path().join("seed.json");
        let scopes = ["repo", "user", "admin:org"];
        let whole = serde_json::json!({
            "tokens": {ROOT: {"login": "alice", "scopes": scopes}}, "github": github,
        });
        std::fs::write(&seed, whole.to_string()).unwrap();
        // It takes no port of its own choice.
        let place = super::free_place();
        let url = format!("http://{place}");
        let mut child = Command::new(tools::node())
            .arg(tools::node_modules().join("emulate/dist/index.js"))
            .args(["start", "--service", "github", "--base-url", &url])
            .args(["--port", &place.port().to_string(), "--seed"])
            .arg(&seed)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        loop {
            let line = told.next_line().await.unwrap().expect("emulate did not start");
            if line.contains("Ready") {
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = told.next_line().await {} });
        Self { url, _child: child, _folder: folder }
    }

    /// Does this as `alice`; it must succeed.
    pub(crate) async fn does(&self, method: &str, path: &str, body: &Value) -> Value {
        let call = reqwest::Client::new()
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .bearer_auth(ROOT)
            .json(body);
        let answer = call.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

//! The control of what is measured over HTTP: calls that are answered, at once or after parking,
//! and nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// As long as the authority's answer about a request.
const ANSWER: usize = 1_400;

/// Who is parked; `None` where the approval came first.
type Parked = Arc<Mutex<HashMap<String, Option<oneshot::Sender<()>>>>>;

/// Such a server, on threads of its own.
pub(crate) struct Echo {
    /// Where it answers.
    pub(crate) url: String,
    runtime: Option<Runtime>,
}

impl Echo {
    /// Starts it.
    pub(crate) fn start() -> Result<Self> {
        let runtime = crate::host::runtime()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/wait/{id}", get(wait))
            .route("/approve/{id}", post(approve))
            .route("/answer/{length}", post(answer))
            .with_state(Parked::default());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, runtime: Some(runtime) })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn wait(State(parked): State<Parked>, Path(id): Path<String>) -> String {
    let (wake, woken) = oneshot::channel();
    let before = parked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Some(wake));
    if !matches!(before, Some(None)) {
        let _ = woken.await;
    }
    "x".repeat(ANSWER)
}

async fn approve(State(parked): State<Parked>, Path(id): Path<String>) -> String {
    let before = parked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, None);
    if let Some(Some(wake)) = before {
        let _ = wake.send(());
    }
    "x".repeat(ANSWER)
}

async fn answer(Path(length): Path<usize>, body: Bytes) -> String {
    drop(body);
    "x".repeat(length)
}

/// Sends a call and reads all of its answer.
pub(crate) async fn call(request: reqwest::RequestBuilder) -> Result<()> {
    let answer = request.send().await.context("no answer")?.error_for_status()?;
    answer.bytes().await.map(drop).context("half an answer")
}

//! GitHub on loopback: comments of issues, and tokens that say which job asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use assent_server::clock::Clock;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::tokens::Signer;

/// For whom the tokens of jobs are.
pub(super) const AUDIENCE: &str = "https://assent.example.com";
/// What a runner shows when it wants such a token.
pub(super) const BEARER: &str = "of-the-runner";

/// The service. It ends with the program.
pub(super) struct Github {
    /// Where it answers.
    pub(super) url: String,
    inside: Arc<Inside>,
}

struct Inside {
    url: String,
    signer: Signer,
    clock: Clock,
    comments: Mutex<HashMap<u64, Vec<Value>>>,
    /// Of its API, tokens apart.
    calls: AtomicUsize,
}

impl Github {
    /// Starts it.
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let inside = Arc::new(Inside {
            url: url.clone(),
            signer: Signer::generate()?,
            clock: Clock::system(),
            comments: Mutex::default(),
            calls: AtomicUsize::new(0),
        });
        let jwks = inside.signer.jwks()?;
        let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(metadata)))
            .route("/keys", get(async move || Json(jwks)))
            .route("/token/{job}", get(token))
            .route("/issues/{number}/comments", get(comments).post(comment))
            .route("/issues/{number}", patch(close))
            .with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { url, inside })
    }

    /// How often its API was called.
    pub(super) fn calls(&self) -> usize {
        self.inside.calls.load(Ordering::Relaxed)
    }
}

async fn token(
    State(inside): State<Arc<Inside>>,
    Path(job): Path<u64>,
    Query(asked): Query<HashMap<String, String>>,
) -> Result<Json<Value>, StatusCode> {
    let now = inside.clock.now().as_seconds();
    let audience = asked.get("audience").ok_or(StatusCode::BAD_REQUEST)?;
    let nonce = inside.calls.load(Ordering::Relaxed);
    let claims = json!({
        "iss": inside.url, "aud": audience, "iat": now, "nbf": now, "exp": now + 300,
        "jti": format!("{job}-{now}-{nonce}"),
        "sub": "repo:acme/shop:environment:production",
        "repository": "acme/shop", "repository_id": "4711", "repository_owner_id": "17",
        "environment": "production", "event_name": "push", "actor_id": "1001",
        "run_id": job.to_string(), "run_attempt": "1",
    });
    let token = inside.signer.token("ES256", &json!({}), &claims);
    token.map(|token| Json(json!({"value": token}))).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn comments(State(inside): State<Arc<Inside>>, Path(number): Path<u64>) -> Json<Value> {
    inside.calls.fetch_add(1, Ordering::Relaxed);
    let all = inside.comments.lock().unwrap_or_else(PoisonError::into_inner);
    Json(all.get(&number).cloned().unwrap_or_default().into())
}

async fn comment(
    State(inside): State<Arc<Inside>>,
    Path(number): Path<u64>,
    Json(said): Json<Value>,
) -> (StatusCode, Json<Value>) {
    inside.calls.fetch_add(1, Ordering::Relaxed);
    let mut all = inside.comments.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry(number).or_default().push(said.clone());
    (StatusCode::CREATED, Json(said))
}

async fn close(State(inside): State<Arc<Inside>>, Path(_): Path<u64>) -> Json<Value> {
    inside.calls.fetch_add(1, Ordering::Relaxed);
    Json(json!({"state": "closed"}))
}

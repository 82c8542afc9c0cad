//! A service that does nothing without a credential of Assent: an axum middleware that refuses every
//! call without one, with a wrong, expired, replayed or revoked one, and with one that was granted for
//! something else.
//!
//! What can be checked here is checked here, in microseconds, by the authority's public keys. Only
//! what the keys cannot say is asked: whether the credential was taken back, or is spent. Whatever was
//! over once stays over, and is refused from then on without asking.

mod authority;
mod guard;
mod refusal;

use std::sync::Arc;

use assent_core::credential::Claims;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};

pub use authority::Authority;
pub use guard::{Call, Clock, Guard, Use};
pub use refusal::Refusal;

/// The service. `GET /version/{service}` may be called as often as the credential lives;
/// `POST /deploy/{service}` spends it.
pub fn router(guard: Arc<Guard>) -> Router {
    let guarded = |kind, uses| {
        let door = guard::Door { guard: Arc::clone(&guard), kind, uses };
        middleware::from_fn_with_state(door, guard::check)
    };
    let version = get(version).route_layer(guarded("service.read", Use::Often));
    let deploy = post(deploy).route_layer(guarded("service.deploy", Use::Once));
    Router::new().route("/version/{service}", version).route("/deploy/{service}", deploy)
}

/// Answers calls until the process ends.
///
/// # Errors
/// When nothing can be accepted any more.
pub async fn serve(listener: tokio::net::TcpListener, router: Router) -> std::io::Result<()> {
    axum::serve(listener, router).await
}

async fn version(Path(service): Path<String>) -> String {
    format!("{service} 1.4.2\n")
}

async fn deploy(Path(service): Path<String>, Extension(claims): Extension<Claims>) -> String {
    format!("{service} is deployed for {}\n", claims.request)
}

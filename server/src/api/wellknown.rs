//! What anybody may read: keys, metadata, health, and this API's own description.

use std::sync::Arc;

use assent_core::credential::dpop;
use assent_core::wire::oauth::{DEVICE_CODE, TOKEN_EXCHANGE};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::api::openapi;
use crate::app::Authority;

/// The key set, which may be kept for a while: never so long that a new key signs before everybody
/// knows it. Whoever names the one that they have is told whether it is still the one (RFC 9110
/// section 13.1.2).
pub(super) async fn jwks(State(authority): State<Arc<Authority>>, asked: HeaderMap) -> Response {
    let published = authority.published();
    let kept = format!("public, max-age={}", authority.published_for());
    let headers = [(header::CACHE_CONTROL, kept), (header::ETAG, published.etag.clone())];
    if has(&asked, &published.etag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (headers, kind, published.bytes.clone()).into_response()
}

/// Whether `If-None-Match` names this, in the weak comparison (RFC 9110 section 8.8.3.2).
fn has(asked: &HeaderMap, etag: &str) -> bool {
    let said = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = said.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// RFC 8414 section 2: what programs read that want a token. There is no authorization endpoint.
pub(super) async fn authorization_server(State(authority): State<Arc<Authority>>) -> Answer<Value> {
    let base = authority.base();
    metadata(
        base,
        json!({
            "response_types_supported": [],
            "service_documentation": format!("{base}/v1/openapi.json"),
        }),
    )
}

/// OpenID Connect Discovery 1.0 section 3: what verifiers of our credentials read.
pub(super) async fn discovery(State(authority): State<Arc<Authority>>) -> Answer<Value> {
    let published = authority.published();
    let algorithms: Vec<_> = published.algorithms.iter().map(|a| a.name()).collect();
    let more = json!({
        "id_token_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS,
        "authorization_details_types_supported": ["assent_intent"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "jti", "client_id", "request_id", "digest",
            "environment", "kind", "policy", "approved_by", "authorization_details", "cnf"
        ],
    });
    metadata(authority.base(), more)
}

/// What both of them say, and what only one does.
fn metadata(base: &str, more: Value) -> Answer<Value> {
    let mut all = json!({
        "issuer": base,
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "token_endpoint": format!("{base}/oauth/token"),
        "token_endpoint_auth_methods_supported": ["none"],
        "device_authorization_endpoint": format!("{base}/oauth/device_authorization"),
        "grant_types_supported": [TOKEN_EXCHANGE, DEVICE_CODE],
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    Answer(all)
}

/// Alive, and by which policy; why a newer one does not rule is for those who are known.
pub(super) async fn alive(State(authority): State<Arc<Authority>>) -> Answer<Value> {
    let status = authority.policy_status(None);
    let mut policy = json!({"revision": status.revision, "loaded_at": status.loaded_at});
    if let (Some(problem), Some(policy)) = (status.problem, policy.as_object_mut()) {
        let problem = json!({"since": problem.since, "message": problem.message});
        policy.insert("problem".to_owned(), problem);
    }
    Answer(json!({"status": "ok", "policy": policy}))
}

pub(super) async fn ready(State(authority): State<Arc<Authority>>) -> (StatusCode, &'static str) {
    if authority.closing().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match authority.ledger().head().await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the ledger does not answer\n"),
    }
}

pub(super) async fn openapi(State(authority): State<Arc<Authority>>) -> Answer<Value> {
    Answer(openapi::document(authority.base()))
}

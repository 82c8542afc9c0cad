//! Credentials: minted, listed, revoked, redeemed. By the forms of OAuth they are looked at and
//! revoked in `oauth`.

use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::credential::dpop::Shown;
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::extract::{Change, Known, Path, Proof, Query};
use crate::api::requests::Nothing;
use crate::app::{AppError, Authority, Matching};
use crate::ledger::States;

pub(super) async fn mint(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    Proof(proof): Proof,
    change: Change<wire::MintRequest>,
) -> Result<Response, ApiError> {
    let shown = authority.shown_key(proof.as_deref(), &id)?;
    let wish = change.wish.bound_to(shown.as_ref().map(Shown::key));
    let minted = authority.mint(&change.caller, &id, change.body, shown.as_ref(), wish).await?;
    let nonce = shown.and_then(|_| authority.proof_nonce());
    let nonce = nonce.map(|nonce| [("dpop-nonce", nonce)]).into_iter().flatten();
    let headers = AppendHeaders(nonce.chain([("cache-control", "no-store".to_owned())]));
    Ok((StatusCode::CREATED, headers, Answer(minted)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    environment: Option<String>,
    kind: Option<String>,
    requester: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    query: Query<ListQuery>,
) -> Result<Answer<wire::CredentialList>, ApiError> {
    let Query(ListQuery { state, environment, kind, requester, cursor, limit }) = query;
    let states = match state.as_deref() {
        None | Some("any") => States::Any,
        Some("live") => States::Open,
        Some(_) => {
            let problem = "expected live or any".to_owned();
            return Err(AppError::Field { field: "state", problem }.into());
        }
    };
    let before = cursor.map(|cursor| cursor.parse()).transpose().map_err(AppError::Id)?;
    let matching = Matching { environment, kind, requester };
    let limit = limit.unwrap_or(50).clamp(1, 200);
    Ok(Answer(authority.credentials(&caller, states, &matching, before, limit).await?))
}

pub(super) async fn revoke_all(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::Revocation>,
) -> Result<Answer<wire::Revoked>, ApiError> {
    Ok(Answer(authority.revoke_all(&change.caller, change.body).await?))
}

pub(super) async fn heartbeat(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Heartbeat>, ApiError> {
    Ok(Answer(authority.heartbeat(&change.caller, &id).await?))
}

pub(super) async fn show(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
) -> Result<Answer<wire::CredentialStatus>, ApiError> {
    Ok(Answer(authority.credential(&caller, &id).await?))
}

pub(super) async fn revoke(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<Value>, ApiError> {
    authority.revoke_credential(&change.caller, &id).await?;
    Ok(Answer(json!({})))
}

pub(super) async fn redeem(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::Redemption>,
) -> Result<Answer<wire::Introspection>, ApiError> {
    let wire::Redemption { token, audience, dpop } = change.body;
    let token = Secret::new(token);
    let shown = (&token, dpop.as_ref());
    Ok(Answer(authority.redeem(&change.caller, shown, &audience, change.wish).await?))
}

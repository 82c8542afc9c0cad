//! Access tokens and who is who.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::{Change, Json, Known, Path};
use crate::api::requests::Nothing;
use crate::app::Authority;

pub(super) async fn whoami(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Answer<wire::Whoami> {
    Answer(authority.whoami(&caller))
}

/// The one call without a token: its code is the proof, and is good once.
pub(super) async fn bootstrap(
    State(authority): State<Arc<Authority>>,
    Json(sent): Json<wire::Bootstrap>,
) -> Result<(StatusCode, Answer<wire::FreshAccess>), ApiError> {
    let fresh = authority.bootstrap(&sent.code, &sent.sub).await?;
    Ok((StatusCode::CREATED, Answer(fresh)))
}

pub(super) async fn create(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::NewAccess>,
) -> Result<(StatusCode, Answer<wire::FreshAccess>), ApiError> {
    let fresh = authority.create_access(&change.caller, change.body, change.wish).await?;
    Ok((StatusCode::CREATED, Answer(fresh)))
}

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::AccessList>, ApiError> {
    Ok(Answer(authority.access_list(&caller).await?))
}

pub(super) async fn revoke(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Access>, ApiError> {
    Ok(Answer(authority.revoke_access(&change.caller, &id).await?))
}

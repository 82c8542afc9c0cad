//! The signing keys.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract::{Change, Known, Path};
use crate::api::requests::Nothing;
use crate::app::Authority;

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::Keys>, ApiError> {
    Ok(Answer(authority.signing_keys(&caller)?))
}

pub(super) async fn make(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::NewKey>,
) -> Result<(StatusCode, Answer<wire::Key>), ApiError> {
    let made = authority.make_key(&change.caller, change.body, change.wish).await?;
    Ok((StatusCode::CREATED, Answer(made)))
}

pub(super) async fn retire(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Key>, ApiError> {
    Ok(Answer(authority.retire_key(&change.caller, &id).await?))
}

pub(super) async fn revoke(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::Reason>,
) -> Result<Answer<wire::Key>, ApiError> {
    Ok(Answer(authority.revoke_key(&change.caller, &id, change.body).await?))
}

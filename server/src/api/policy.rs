//! `/v1/policy` and `/v1/signals`.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::extract::{Json, Known, Path};
use crate::app::Authority;

pub(super) async fn status(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Answer<wire::PolicyStatus> {
    Answer(authority.policy_status(Some(&caller)))
}

pub(super) async fn documents(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::PolicyDocuments>, ApiError> {
    Ok(Answer(authority.documents(&caller).await?))
}

pub(super) async fn document(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
) -> Result<Answer<wire::PolicyDocument>, ApiError> {
    Ok(Answer(authority.document(&caller, &name).await?))
}

pub(super) async fn write(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
    Json(sent): Json<wire::NewDocument>,
) -> Result<Answer<wire::PolicyDocument>, ApiError> {
    Ok(Answer(authority.write_document(&caller, &name, sent).await?))
}

pub(super) async fn remove(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
) -> Result<StatusCode, ApiError> {
    authority.remove_document(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn signals(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::Signals>, ApiError> {
    Ok(Answer(authority.signals(&caller).await?))
}

pub(super) async fn signal(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
) -> Result<Answer<wire::Signal>, ApiError> {
    Ok(Answer(authority.signal(&caller, &name).await?))
}

pub(super) async fn tell(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
    Json(value): Json<Value>,
) -> Result<Answer<wire::Signal>, ApiError> {
    Ok(Answer(authority.tell(&caller, &name, value).await?))
}

pub(super) async fn untell(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
) -> Result<StatusCode, ApiError> {
    authority.untell(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

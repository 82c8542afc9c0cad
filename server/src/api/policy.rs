//! `/v1/policy` and `/v1/signals`.
//!
//! Groups, calendars and trusts have the same three handlers, told apart by what is kept.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::extract::{Approval, Json, Known, Path};
use crate::app::{Authority, Entry};

/// The largest set of changes that is checked together.
pub(super) const LARGEST_CHECK: usize = 8 * 1024 * 1024;

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
    approval: Approval,
    Json(sent): Json<wire::NewDocument>,
) -> Result<Answer<wire::PolicyDocument>, ApiError> {
    Ok(Answer(authority.write_document(&caller, &name, sent, approval.named()).await?))
}

pub(super) async fn remove(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
    approval: Approval,
) -> Result<StatusCode, ApiError> {
    authority.remove_document(&caller, &name, approval.named()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn entries<E: Entry>(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<E::List>, ApiError> {
    Ok(Answer(authority.entries_kept::<E>(&caller).await?))
}

pub(super) async fn entry<E: Entry>(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
) -> Result<Answer<E::Kept>, ApiError> {
    Ok(Answer(authority.entry::<E>(&caller, &name).await?))
}

pub(super) async fn write_entry<E: Entry + DeserializeOwned>(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
    approval: Approval,
    Json(sent): Json<E>,
) -> Result<Answer<E::Kept>, ApiError> {
    Ok(Answer(authority.write_entry(&caller, &name, sent, approval.named()).await?))
}

pub(super) async fn remove_entry<E: Entry>(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(name): Path,
    approval: Approval,
) -> Result<StatusCode, ApiError> {
    authority.remove_entry::<E>(&caller, &name, approval.named()).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn check(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Json(sent): Json<wire::PolicyCheck>,
) -> Result<Answer<wire::PolicyChecked>, ApiError> {
    Ok(Answer(authority.check_policy(&caller, sent).await?))
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

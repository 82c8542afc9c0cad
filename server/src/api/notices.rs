//! What became of notices, and how everybody wishes to be told.

use std::sync::Arc;

use assent_core::notice::Means;
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Change, Json, Known, Path, Query};
use crate::api::requests::Nothing;
use crate::app::{AppError, Authority, Caller, Replay};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
}

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Query(query): Query<ListQuery>,
) -> Result<Answer<wire::Notices>, ApiError> {
    Ok(Answer(authority.notices(&caller, query.state.as_deref()).await?))
}

pub(super) async fn replay(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::NoticesReplayed>, ApiError> {
    replayed(&authority, &change.caller, Replay::One(&id)).await
}

pub(super) async fn replay_all(
    State(authority): State<Arc<Authority>>,
    change: Change<Nothing>,
) -> Result<Answer<wire::NoticesReplayed>, ApiError> {
    replayed(&authority, &change.caller, Replay::All).await
}

async fn replayed(
    authority: &Authority,
    caller: &Caller,
    which: Replay<'_>,
) -> Result<Answer<wire::NoticesReplayed>, ApiError> {
    let count = authority.replay_notices(caller, which).await?;
    Ok(Answer(wire::NoticesReplayed { count: count as u64 }))
}

pub(super) async fn mine(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::MyNotices>, ApiError> {
    Ok(Answer(shown(&authority, &caller).await?))
}

pub(super) async fn wish(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Json(wishes): Json<wire::NoticeWishes>,
) -> Result<Answer<wire::MyNotices>, ApiError> {
    authority.wish(&caller, Some(wishes)).await?;
    Ok(Answer(shown(&authority, &caller).await?))
}

pub(super) async fn unwish(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<StatusCode, ApiError> {
    authority.wish(&caller, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shown(authority: &Authority, caller: &Caller) -> Result<wire::MyNotices, AppError> {
    let (wishes, means) = authority.my_wishes(caller).await?;
    let means = means.into_iter().map(Means::word).map(str::to_owned).collect();
    Ok(wire::MyNotices { wishes, means })
}

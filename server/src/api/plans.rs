//! `/v1/plans`

use std::sync::Arc;

use assent_core::digest::Digest;
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Path, Query, Raw};
use crate::app::{AppError, Authority};

/// The largest plan. The caller is known before any of it is read.
pub(super) const LARGEST: usize = 32 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandInQuery {
    saved: Option<String>,
}

pub(super) async fn hand_in(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Query(query): Query<HandInQuery>,
    Raw(bytes): Raw,
) -> Result<Answer<wire::plan::Plan>, ApiError> {
    let saved = query.saved.map(|text| text.parse::<Digest>()).transpose();
    let saved = saved.map_err(|error| {
        let problem = error.to_string();
        AppError::Field { field: "saved", problem }
    })?;
    Ok(Answer(authority.hand_in_plan(&caller, bytes, saved).await?))
}

pub(super) async fn of_saved(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(saved): Path,
) -> Result<Answer<wire::plan::Saved>, ApiError> {
    Ok(Answer(authority.plan_of_saved(&caller, &saved).await?))
}

pub(super) async fn show(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(digest): Path,
) -> Result<Answer<wire::plan::Plan>, ApiError> {
    Ok(Answer(authority.plan(&caller, &digest).await?))
}

//! `/v1/plans`

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Path, Raw};
use crate::app::Authority;

/// The largest plan. The caller is known before any of it is read.
pub(super) const LARGEST: usize = 32 * 1024 * 1024;

pub(super) async fn hand_in(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Raw(bytes): Raw,
) -> Result<Answer<wire::plan::Plan>, ApiError> {
    Ok(Answer(authority.hand_in_plan(&caller, bytes).await?))
}

pub(super) async fn show(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(digest): Path,
) -> Result<Answer<wire::plan::Plan>, ApiError> {
    Ok(Answer(authority.plan(&caller, &digest).await?))
}

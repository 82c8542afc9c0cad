//! The trusts that rule.

use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;

use crate::api::error::ApiError;
use crate::api::extract::{Json, Known};
use crate::app::Authority;

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::RulingTrusts>, ApiError> {
    Ok(Answer(authority.ruling_trusts(&caller).await?))
}

pub(super) async fn try_token(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Json(sent): Json<wire::TokenTrial>,
) -> Result<Answer<wire::TokenTried>, ApiError> {
    let token = Secret::new(sent.token);
    Ok(Answer(authority.try_token(&caller, &token).await?))
}

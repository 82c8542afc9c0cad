//! `/v1/absences`.

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
) -> Result<Answer<wire::Absences>, ApiError> {
    let absences = authority.absences(&caller)?;
    Ok(Answer(wire::Absences { absences: absences.iter().map(wire::Absence::from).collect() }))
}

pub(super) async fn begin(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::NewAbsence>,
) -> Result<(StatusCode, Answer<wire::Absence>), ApiError> {
    let begun = authority.begin_absence(&change.caller, change.body, change.wish).await?;
    Ok((StatusCode::CREATED, Answer((&begun).into())))
}

pub(super) async fn end(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Absence>, ApiError> {
    Ok(Answer((&authority.end_absence(&change.caller, &id).await?).into()))
}

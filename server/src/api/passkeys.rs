//! Passkeys, the statements that they sign, and the evidence of it.

use std::sync::Arc;

use assent_core::request::Verdict;
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Change, Known, Path, Query};
use crate::api::requests::Nothing;
use crate::app::{AppError, Authority, ToSign};

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
) -> Result<Answer<wire::Passkeys>, ApiError> {
    let passkeys = authority.passkeys(&caller).await?;
    Ok(Answer(wire::Passkeys { passkeys: passkeys.iter().map(wire::Passkey::from).collect() }))
}

pub(super) async fn remove(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Passkey>, ApiError> {
    Ok(Answer((&authority.remove_passkey(&change.caller, &id).await?).into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StatementQuery {
    verdict: wire::Verdict,
    reason_digest: String,
    passkey: String,
}

pub(super) async fn statement(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
    Query(query): Query<StatementQuery>,
) -> Result<Answer<wire::Statement>, ApiError> {
    let comment = query
        .reason_digest
        .parse()
        .map_err(|fault| AppError::Field { field: "reason_digest", problem: format!("{fault}") })?;
    let passkey = query.passkey.parse().map_err(AppError::Id)?;
    let wanted = ToSign { verdict: Verdict::from(query.verdict), comment, passkey };
    Ok(Answer((&authority.statement(&caller, &id, wanted).await?).into()))
}

pub(super) async fn evidence(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
) -> Result<Answer<wire::Evidence>, ApiError> {
    Ok(Answer(authority.evidence_of(&caller, &id).await?))
}

//! The audit log, to be verified by whoever may read it.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Query};
use crate::api::requests::patience;
use crate::app::{AppError, Authority, Caller};

/// How many entries one answer holds.
const PAGE: usize = 1000;

/// The log tells of everybody's requests: those from whom none is kept read it, workloads do not.
async fn check_reads(authority: &Authority, caller: &Caller) -> Result<(), ApiError> {
    match authority.check_reads_everything(caller).await {
        Err(AppError::NotForWorkloads) => Err(AppError::NotAdministrator.into()),
        checked => Ok(checked?),
    }
}

pub(super) async fn checkpoint(
    State(authority): State<Arc<Authority>>,
    Known(_): Known,
) -> Result<Answer<wire::Checkpoint>, ApiError> {
    let head = authority.ledger().head().await.map_err(AppError::from)?;
    Ok(Answer(wire::Checkpoint { size: head.size, root: head.root.hex() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    from: Option<u64>,
    wait: Option<String>,
}

pub(super) async fn entries(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Query(query): Query<EntriesQuery>,
) -> Result<Answer<wire::Entries>, ApiError> {
    check_reads(&authority, &caller).await?;
    let from = query.from.unwrap_or(0);
    let timeout = patience(query.wait.as_deref(), "0s")?;
    let events = authority.await_entries(from, PAGE, timeout).await?;
    Ok(Answer(wire::Entries { entries: numbered(from, events) }))
}

fn numbered(from: u64, events: Vec<Value>) -> Vec<wire::Entry> {
    let entry = |(index, event)| wire::Entry { index, event };
    (from..).zip(events).map(entry).collect()
}

//! The audit log, to be verified by whoever may read it, and as a stream of events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::response::sse::{self, Sse};
use serde::Deserialize;
use serde_json::Value;
use tokio_stream::Stream;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Query};
use crate::api::requests::patience;
use crate::app::{AppError, Authority, Caller};

/// How many entries one answer holds.
const PAGE: usize = 1000;

/// The log tells of everybody's requests: people and administrators read it, workloads do not.
fn may_read(caller: &Caller) -> Result<(), ApiError> {
    if caller.is_reader() { Ok(()) } else { Err(AppError::NotAdministrator.into()) }
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
    may_read(&caller)?;
    let from = query.from.unwrap_or(0);
    let timeout = patience(query.wait.as_deref(), "0s")?;
    let events = authority.await_entries(from, PAGE, timeout).await?;
    Ok(Answer(wire::Entries { entries: numbered(from, events) }))
}

fn numbered(from: u64, events: Vec<Value>) -> Vec<wire::Entry> {
    let entry = |(index, event)| wire::Entry { index, event };
    (from..).zip(events).map(entry).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
}

pub(super) async fn events(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Query(query): Query<EventsQuery>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, ApiError> {
    may_read(&caller)?;
    let head = authority.ledger().head().await.map_err(AppError::from)?;
    let from = query.after.map_or(head.size, |after| after.saturating_add(1));
    let (send, receive) = tokio::sync::mpsc::channel(64);
    tokio::task::spawn(follow(authority, from, send));
    let stream = tokio_stream::wrappers::ReceiverStream::new(receive);
    Ok(Sse::new(stream).keep_alive(sse::KeepAlive::new().interval(Duration::from_secs(15))))
}

/// Sends entries until the reader goes away or the server stops.
async fn follow(
    authority: Arc<Authority>,
    mut from: u64,
    send: tokio::sync::mpsc::Sender<Result<sse::Event, Infallible>>,
) {
    loop {
        let leg = authority.await_entries(from, PAGE, Duration::from_secs(60));
        let events = tokio::select! {
            events = leg => events,
            () = send.closed() => return,
        };
        let Ok(events) = events else { return };
        for event in events {
            let data = sse::Event::default().id(from.to_string()).data(event.to_string());
            if send.send(Ok(data)).await.is_err() {
                return;
            }
            from += 1;
        }
    }
}

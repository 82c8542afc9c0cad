//! The audit log as server-sent events (HTML Living Standard section 9.2): for programs by their token,
//! and for our own pages by their session.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use assent_core::access::Purpose;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Query};
use crate::app::{AppError, Authority, Caller, Detail, Told};
use crate::web;

/// How often something is sent where nothing happens, so that nobody between cuts the connection.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// The last that a reader has seen, by the reader's own word (section 9.2.4).
const LAST_EVENT_ID: &str = "last-event-id";
/// Asks proxies such as nginx not to hold back what is sent.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whoever may follow: by a token, or by the session of a browser that one of our own pages runs in.
pub(super) struct Follower(Caller);

impl<S> FromRequestParts<S> for Follower
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Known::from_request_parts(parts, state).await.map(|Known(caller)| Self(caller));
        }
        let authority = Arc::<Authority>::from_ref(state);
        let session = web::session_of(&authority, &parts.headers).ok_or(AppError::Anonymous)?;
        // A page that is open is nobody who does anything.
        Ok(Self(authority.admit_unseen(session.expose(), Purpose::Session).await?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
    brief: Option<bool>,
}

pub(super) async fn follow(
    State(authority): State<Arc<Authority>>,
    Follower(caller): Follower,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // A browser that connects again says how far it came; its address still says where it began.
    let seen = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.parse().ok());
    let after: Option<u64> = seen.or(query.after);
    let detail = if query.brief == Some(true) { Detail::Brief } else { Detail::Whole };
    let from = after.map(|after| after.saturating_add(1));
    let told = authority.follow_log(&caller, from, detail).await?;
    let events = ReceiverStream::new(told).map(|told| Ok::<_, Infallible>(event(&told)));
    let stream = Sse::new(events).keep_alive(sse::KeepAlive::new().interval(SIGN_OF_LIFE));
    let headers = [(header::CACHE_CONTROL, "no-store"), (NO_BUFFERING, "no")];
    Ok((headers, stream).into_response())
}

fn event(told: &Told) -> sse::Event {
    match told {
        Told::Entry(index, entry) => {
            sse::Event::default().id(index.to_string()).data(entry.to_string())
        }
        Told::Everything(index) => {
            sse::Event::default().id(index.to_string()).event("everything").data("{}")
        }
    }
}

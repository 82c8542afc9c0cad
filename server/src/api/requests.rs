//! `/v1/requests` and `/v1/decisions`.

use std::sync::Arc;
use std::time::Duration;

use assent_core::request::{Request, Version};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Change, Json, Known, Path, Query};
use crate::app::{AppError, Authority, somebody, words};
use crate::ledger::Search;

type Shown = Result<Answer<wire::Request>, ApiError>;

fn shown(authority: &Authority, request: &Request) -> Answer<wire::Request> {
    Answer(authority.show(request))
}

pub(super) async fn decide(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Json(intent): Json<wire::Intent>,
) -> Result<Answer<wire::Decision>, ApiError> {
    Ok(Answer(authority.decide(&caller, intent).await?))
}

pub(super) async fn file(
    State(authority): State<Arc<Authority>>,
    change: Change<wire::Filing>,
) -> Result<(StatusCode, Answer<wire::Request>), ApiError> {
    let filed = authority.file(&change.caller, change.body, change.wish).await?;
    let status = if filed.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, shown(&authority, &filed.request)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    state: Option<String>,
    environment: Option<String>,
    kind: Option<String>,
    requester: Option<String>,
    reviewer: Option<String>,
    rule: Option<String>,
    since: Option<String>,
    until: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

impl ListQuery {
    fn search(self) -> Result<Search, ApiError> {
        let time = |field, text: Option<String>| {
            let read = text.map(|text| text.parse::<Timestamp>()).transpose();
            read.map_err(|error| AppError::Field { field, problem: format!("{error}") })
        };
        Ok(Search {
            words: self.q.as_deref().map_or(Ok(Vec::new()), words)?,
            states: self.state.as_deref().map_or(Ok(Vec::new()), states)?,
            environment: self.environment,
            kind: self.kind,
            requester: self.requester.map(|who| somebody("requester", &who)).transpose()?,
            reviewer: self.reviewer.map(|who| somebody("reviewer", &who)).transpose()?,
            rule: self.rule,
            naming: None,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            before: self.cursor.map(|id| id.parse()).transpose().map_err(AppError::Id)?,
            limit: self.limit.unwrap_or(50).clamp(1, 200),
        })
    }
}

pub(super) async fn list(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    query: Query<ListQuery>,
) -> Result<Answer<wire::Requests>, ApiError> {
    let page = authority.search_whole(&caller, query.0.search()?).await?;
    let requests = page.requests.iter().map(|one| authority.show(one));
    Ok(Answer(wire::Requests {
        requests: requests.collect(),
        next_cursor: page.next.map(|id| id.to_string()),
    }))
}

fn states(word: &str) -> Result<Vec<&'static str>, AppError> {
    const WORDS: [&str; 7] =
        ["pending", "approved", "denied", "expired", "canceled", "consumed", "revoked"];
    if word == "open" {
        return Ok(vec!["pending", "approved"]);
    }
    let known = WORDS.iter().find(|known| **known == word);
    known.map(|word| vec![*word]).ok_or_else(|| {
        let problem = format!("expected open, {}", WORDS.join(", "));
        AppError::Field { field: "state", problem }
    })
}

pub(super) async fn show(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
) -> Shown {
    Ok(shown(&authority, &authority.request(&caller, &id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    after: Option<u64>,
    timeout: Option<String>,
}

pub(super) async fn wait(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
    Query(query): Query<WaitQuery>,
) -> Shown {
    let after = Version(query.after.unwrap_or(0));
    let timeout = patience(query.timeout.as_deref(), "25s")?;
    Ok(shown(&authority, &authority.wait(&caller, &id, after, timeout).await?))
}

/// How long a caller is parked: what it asks, at most a minute.
pub(super) fn patience(asked: Option<&str>, default: &str) -> Result<Duration, ApiError> {
    let span: Result<Span, _> = asked.unwrap_or(default).parse();
    let problem = |error| AppError::Field { field: "timeout", problem: format!("{error}") };
    Ok(span.map_err(problem)?.min(Span::seconds(60)).into())
}

pub(super) async fn review(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::NewReview>,
) -> Shown {
    let request = authority.review(&change.caller, &id, change.body, change.wish).await?;
    Ok(shown(&authority, &request))
}

pub(super) async fn review_afterwards(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::NewReview>,
) -> Shown {
    let reviewed = authority.review_afterwards(&change.caller, &id, change.body, change.wish);
    Ok(shown(&authority, &reviewed.await?))
}

pub(super) async fn heartbeat(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Result<Answer<wire::Heartbeat>, ApiError> {
    Ok(Answer(authority.request_heartbeat(&change.caller, &id).await?))
}

pub(super) async fn withdraw(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::Reason>,
) -> Shown {
    let request = authority.withdraw(&change.caller, &id, change.body, change.wish).await?;
    Ok(shown(&authority, &request))
}

pub(super) async fn cancel(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::Reason>,
) -> Shown {
    let request = authority.cancel(&change.caller, &id, change.body, change.wish).await?;
    Ok(shown(&authority, &request))
}

pub(super) async fn revoke(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<wire::Reason>,
) -> Shown {
    let request = authority.revoke(&change.caller, &id, change.body, change.wish).await?;
    Ok(shown(&authority, &request))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn newest_of_mine(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(digest): Path,
) -> Shown {
    Ok(shown(&authority, &authority.newest_of_mine(&caller, &digest).await?))
}

pub(super) async fn begin(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Shown {
    let request = authority.begin(&change.caller, &id, change.wish).await?;
    Ok(shown(&authority, &request))
}

pub(super) async fn complete(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    change: Change<Nothing>,
) -> Shown {
    let request = authority.complete(&change.caller, &id, change.wish).await?;
    Ok(shown(&authority, &request))
}

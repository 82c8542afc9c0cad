//! `/v1/plans`, and the exact plan of a request.

use std::sync::Arc;

use assent_core::digest::Digest;
use assent_core::wire;
use axum::Json as Answer;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Path, Query, Raw, Wished, check_type};
use crate::app::{AppError, Authority, BodyLost, LARGEST_PLAN, pieces};

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

/// What a plan's bytes are sent as.
const BYTES: &str = "application/octet-stream";

pub(super) async fn send(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
    request: Request,
) -> Result<Answer<wire::Request>, ApiError> {
    check_type(request.headers(), BYTES)?;
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|said| said.to_str().ok()).and_then(|said| said.parse::<u64>().ok());
    if said.is_some_and(|said| said > LARGEST_PLAN) {
        return Err(AppError::TooLarge { most: LARGEST_PLAN }.into());
    }
    let body = request.into_body().into_data_stream();
    let body = body.map(|bytes: Result<Bytes, _>| bytes.map_err(|_| BodyLost));
    let request = authority.send_plan(&caller, &id, body).await?;
    Ok(Answer(authority.show(&request)))
}

pub(super) async fn fetch(
    State(authority): State<Arc<Authority>>,
    Path(id): Path,
    Wished { caller, wish }: Wished,
) -> Result<Response, ApiError> {
    let plan = authority.fetch_plan(&caller, &id, wish).await?;
    let mut response = Body::from_stream(pieces(authority, plan)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BYTES));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(plan.size));
    // RFC 9111 section 5.2.2.5: it is given once, to one.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

//! `POST /v1/signals`: what is told of a subject, in our own form or as a security event token.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::api::error::ApiError;
use crate::api::extract::{self, Change};
use crate::app::{Authority, PushError};
use crate::network::Peer;
use crate::rates;

/// RFC 8417 section 7.2.
const EVENT_TOKEN: &str = "application/secevent+jwt";

pub(super) async fn tell(
    State(authority): State<Arc<Authority>>,
    request: Request,
) -> Result<Response, Response> {
    if extract::check_type(request.headers(), EVENT_TOKEN).is_ok() {
        return push(&authority, request).await;
    }
    let change = Change::<wire::NewSignal>::from_request(request, &authority).await;
    let Change { caller, body, wish } = change.map_err(IntoResponse::into_response)?;
    let told = authority.tell_of(&caller, body, wish).await;
    let told = told.map_err(|error| ApiError::from(error).into_response())?;
    Ok((StatusCode::CREATED, Answer(told)).into_response())
}

/// RFC 8935 section 2: acknowledged once it is durable, with nothing said. The token is its own proof
/// of who sends it.
async fn push(authority: &Authority, request: Request) -> Result<Response, Response> {
    let peer = request.extensions().get::<Peer>().copied();
    let network = authority.proxies().locate(peer, request.headers());
    let body = extract::body(request, authority).await;
    let body = body.map_err(IntoResponse::into_response)?;
    let text = std::str::from_utf8(&body).unwrap_or_default().trim_ascii();
    match authority.take_event_token(text, &network).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(error) => Err(refusal(error)),
    }
}

/// RFC 8935 section 2.4.
fn refusal(error: PushError) -> Response {
    let told = error.to_string();
    let err = match error {
        PushError::Request(_) => "invalid_request",
        PushError::Key(_) => "invalid_key",
        PushError::Issuer => "invalid_issuer",
        PushError::Audience => "invalid_audience",
        PushError::TooMany(wait) => {
            // RFC 6585 section 4.
            let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many", told);
            let wait = HeaderValue::from(rates::seconds(wait));
            return ([(header::RETRY_AFTER, wait)], error).into_response();
        }
        PushError::Away => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return ApiError::new(status, "issuer_away", told).into_response();
        }
        PushError::App(error) => return ApiError::from(error).into_response(),
    };
    let body = json!({"err": err, "description": told});
    let mut response = (StatusCode::BAD_REQUEST, Answer(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en-US"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

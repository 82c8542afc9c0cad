//! `POST /webhooks/github`: what GitHub tells of. The signature over the raw body is the proof of who
//! sends it; without it nothing is read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;

use crate::api::error::ApiError;
use crate::api::extract;
use crate::api::github::no_app;
use crate::app::Authority;
use crate::github::{Unverified, is_signed};

pub(super) async fn github(
    State(authority): State<Arc<Authority>>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let github = authority.github().ok_or_else(no_app)?;
    let headers = request.headers().clone();
    if !is_signed(&headers) {
        return Err(unverified(&Unverified::Signature));
    }
    let body = extract::body(request, &*authority).await?;
    let delivery = github.verify_webhook(&headers, &body).map_err(|error| unverified(&error))?;
    authority.take_delivery(delivery).await?;
    Ok(StatusCode::OK)
}

fn unverified(error: &Unverified) -> ApiError {
    let (status, code) = match error {
        Unverified::Signature => (StatusCode::UNAUTHORIZED, "not_signed"),
        Unverified::Unnamed | Unverified::NotJson => (StatusCode::BAD_REQUEST, "no_delivery"),
    };
    ApiError::new(status, code, error.to_string())
}

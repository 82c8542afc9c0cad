//! What every call under `/access/v1` has in common: a known caller, one strict JSON object of
//! bounded size, the request's id sent back, and the few statuses that the specification knows.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, FromRef, FromRequest, FromRequestParts, Request};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::{Map, Value};

use crate::api::error::ApiError;
use crate::api::extract::{self, Known};
use crate::app::{Authority, Caller};

/// The largest body. Each evaluation of many may take its defaults whole, so it is small.
const MAX_BODY: usize = 256 * 1024;
/// AuthZEN 1.0 section 10.1.3.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A route of `/access/v1`.
pub(in crate::api) fn exchange(
    route: MethodRouter<Arc<Authority>>,
) -> MethodRouter<Arc<Authority>> {
    route.layer(DefaultBodyLimit::max(MAX_BODY)).layer(middleware::from_fn(same_request_id))
}

/// Whatever the answer is, it bears the id that the request came with.
async fn same_request_id(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A known caller and what they ask.
pub(in crate::api) struct Asked {
    pub(super) caller: Caller,
    pub(super) body: Map<String, Value>,
}

impl<S> FromRequest<S> for Asked
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let (mut parts, stream) = request.into_parts();
        let Known(caller) = Known::from_request_parts(&mut parts, state).await?;
        extract::check_type(&parts.headers, "application/json")?;
        let bytes = extract::body(Request::from_parts(parts, stream), state).await?;
        Ok(Self { caller, body: object(&bytes)? })
    }
}

/// One strict JSON object.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match extract::parse(bytes)? {
        Value::Object(body) => Ok(body),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let detail = "the body must be one JSON object";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid", detail))
        }
    }
}

/// An error in one of the statuses of AuthZEN 1.0 section 10.1.2: 400, 401, 403, 500.
pub(in crate::api) struct Fault(ApiError);

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        let status = match error.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error.status(),
            status if status.is_server_error() => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(error.with_status(status))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

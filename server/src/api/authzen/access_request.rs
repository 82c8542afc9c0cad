//! `/access/v1/requests`: the AuthZEN Access Request and Approval Profile, draft 1. Off unless the
//! server was started with it.

use std::sync::Arc;

use assent_core::canonical;
use assent_core::wire::authzen::{AccessRequest, TaskStatus, Tasked};
use axum::Json as Answer;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::api::authzen::exchange::{Asked, object};
use crate::api::error::ApiError;
use crate::api::extract::{self, Known, Path};
use crate::app::authzen::AskError;
use crate::app::{Authority, Wish};

/// How many seconds a caller waits before it looks again.
const LOOK_AGAIN: &str = "5";

type Shown = Result<(StatusCode, HeaderMap, Answer<Tasked>), ApiError>;

pub(in crate::api) async fn ask(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    asked: Asked,
) -> Shown {
    let key = extract::idempotency_key(&headers)?;
    authority.takes_requests()?;
    let wanted = AccessRequest::read(&asked.body)
        .map_err(|fault| ApiError::new(StatusCode::BAD_REQUEST, "invalid", fault.to_string()))?;
    // The same body in another order or with other spaces is the same wish.
    let body = canonical::bytes(&Value::Object(asked.body));
    let wish = Wish::new(&asked.caller, "POST /access/v1/requests", &key, &body);
    let tasked = authority.ask(&asked.caller, wanted, wish).await?;
    let status = match tasked.task.status {
        TaskStatus::Pending => StatusCode::ACCEPTED,
        TaskStatus::Approved | TaskStatus::Denied | TaskStatus::Expired | TaskStatus::Cancelled => {
            StatusCode::CREATED
        }
    };
    Ok(shown(status, tasked))
}

pub(in crate::api) async fn task(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
) -> Shown {
    Ok(shown(StatusCode::OK, authority.task(&caller, &id).await?))
}

pub(in crate::api) async fn cancel(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Path(id): Path,
    bytes: Bytes,
) -> Shown {
    let why = if bytes.is_empty() { String::new() } else { why(&bytes)? };
    Ok(shown(StatusCode::OK, authority.cancel_task(&caller, &id, why).await?))
}

/// The comment, or else the code, of a cancellation.
fn why(bytes: &[u8]) -> Result<String, ApiError> {
    let body = object(bytes)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    Ok(text("comment").or(text("reason")).unwrap_or_default().to_owned())
}

fn shown(status: StatusCode, tasked: Tasked) -> (StatusCode, HeaderMap, Answer<Tasked>) {
    let mut headers = HeaderMap::new();
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if status != StatusCode::OK {
        put(header::LOCATION, &tasked.task.status_endpoint);
    }
    if tasked.task.status == TaskStatus::Pending {
        put(header::RETRY_AFTER, LOOK_AGAIN);
    }
    (status, headers, Answer(tasked))
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        use StatusCode as S;
        let text = error.to_string();
        let typed = |status, code, kind| Self::new(status, code, text.clone()).of_kind(kind);
        match error {
            AskError::NotRequestable(_) => typed(
                S::BAD_REQUEST,
                "not_requestable",
                "urn:openid:authzen:access-request:error:not_requestable",
            ),
            AskError::ExpiredDenial(_) => typed(
                S::GONE,
                "expired_denial",
                "urn:openid:authzen:access-request:error:expired_denial",
            ),
            AskError::InvalidBinding(_) => typed(
                S::BAD_REQUEST,
                "invalid_denial_binding",
                "urn:openid:authzen:access-request:error:invalid_denial_binding",
            ),
            AskError::Duplicate => typed(
                S::CONFLICT,
                "duplicate_request",
                "urn:openid:authzen:access-request:error:duplicate_request",
            ),
            AskError::UnknownTask(_) => typed(
                S::NOT_FOUND,
                "unknown_task",
                "urn:openid:authzen:access-request:error:unknown_task",
            ),
            AskError::InvalidState(_) => typed(
                S::CONFLICT,
                "invalid_task_state",
                "urn:openid:authzen:access-request:error:invalid_task_state",
            ),
            AskError::ForAnother(_) => Self::new(S::FORBIDDEN, "foreign_subject", text),
            AskError::Off => Self::new(S::NOT_FOUND, "not_supported", text),
            AskError::Unfit { .. } => Self::new(S::BAD_REQUEST, "invalid", text),
            AskError::App(error) => error.into(),
        }
    }
}

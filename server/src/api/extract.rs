//! What handlers take: a known caller, strict JSON, the wish behind a key.

use std::sync::Arc;

use assent_core::access::Purpose;
use assent_core::canonical;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::api::error::ApiError;
use crate::api::scopes::needed;
use crate::app::{AppError, Authority, Caller, Wish};
use crate::network::Peer;

/// A caller whose access token was admitted.
pub(in crate::api) struct Known(pub(in crate::api) Caller);

impl<S> FromRequestParts<S> for Known
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let authority = Arc::<Authority>::from_ref(state);
        let token = bearer(&parts.headers)?;
        let caller = authority.admit(token, Purpose::Token).await?;
        if let Some(has) = caller.access().scope {
            let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
            let needs = needed(path, &parts.method);
            if !has.suffices(needs) {
                let (has, needs) = (has.word(), needs.word());
                return Err(AppError::Scope { has, needs }.into());
            }
        }
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(Self(caller.from_network(authority.proxies().locate(peer, &parts.headers))))
    }
}

/// The bearer token (RFC 6750 section 2.1); one header, or none is believed.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let text = first.and_then(|value| value.to_str().ok()).filter(|_| second.is_none());
    let token = text.and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    token.ok_or_else(|| AppError::Anonymous.into())
}

/// A body of strict JSON: its type said, no member twice, not too deep, no unknown field.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        check_type(request.headers(), "application/json")?;
        let body = body(request, state).await?;
        Ok(Self(read(&body)?))
    }
}

/// A body of JSON as its bytes: whoever takes it reads it.
pub(super) struct Raw(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        check_type(request.headers(), "application/json")?;
        body(request, state).await.map(Self)
    }
}

/// A body of strict JSON that changes something, and the wish it is.
pub(super) struct Change<T> {
    pub(super) caller: Caller,
    pub(super) body: T,
    pub(super) wish: Wish,
}

impl<S, T: DeserializeOwned> FromRequest<S> for Change<T>
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body_stream) = request.into_parts();
        let Known(caller) = Known::from_request_parts(&mut parts, state).await?;
        check_type(&parts.headers, "application/json")?;
        let key = idempotency_key(&parts.headers)?;
        let route = route(&parts);
        let bytes = body(Request::from_parts(parts, body_stream), state).await?;
        let wish = Wish::new(&caller, &route, &key, &bytes);
        Ok(Self { caller, body: read(&bytes)?, wish })
    }
}

/// A wish without a body: to be given something once.
pub(super) struct Wished {
    pub(super) caller: Caller,
    pub(super) wish: Wish,
}

impl<S> FromRequestParts<S> for Wished
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Known(caller) = Known::from_request_parts(parts, state).await?;
        let key = idempotency_key(&parts.headers)?;
        let wish = Wish::new(&caller, &route(parts), &key, b"");
        Ok(Self { caller, wish })
    }
}

/// The one segment of the path that varies. One that is no text names nothing.
pub(in crate::api) struct Path(pub(in crate::api) String);

impl<S: Send + Sync> FromRequestParts<S> for Path {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        let missing = |_| ApiError::new(StatusCode::NOT_FOUND, "not_found", "that is no id");
        read.map(|axum::extract::Path(id)| Self(id)).map_err(missing)
    }
}

/// The request that approved the call, where one is named: one header, or none.
pub(super) struct Approval(Option<String>);

impl Approval {
    pub(super) fn named(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Approval {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut all = parts.headers.get_all("assent-approval").iter();
        let told = || {
            let detail = "send one `Assent-Approval`: the id of the request that approved this";
            ApiError::new(StatusCode::BAD_REQUEST, "invalid", detail)
        };
        match (all.next(), all.next()) {
            (None, _) => Ok(Self(None)),
            (Some(id), None) => Ok(Self(Some(id.to_str().map_err(|_| told())?.to_owned()))),
            (Some(_), Some(_)) => Err(told()),
        }
    }
}

/// The proof of possession that came with a call (RFC 9449 section 4.1): one header, or none.
pub(super) struct Proof(pub(super) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Proof {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut all = parts.headers.get_all("dpop").iter();
        let told = || {
            let detail = "send one `DPoP` header: a proof for exactly this call";
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_dpop_proof", detail)
        };
        match (all.next(), all.next()) {
            (None, _) => Ok(Self(None)),
            (Some(proof), None) => Ok(Self(Some(proof.to_str().map_err(|_| told())?.to_owned()))),
            (Some(_), Some(_)) => Err(told()),
        }
    }
}

/// A query of known fields, each of its type.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(query) = read.map_err(|fault| unfit(&fault.body_text()))?;
        Ok(Self(query))
    }
}

/// A form (RFC 7662, RFC 7009) that holds what it must.
pub(super) struct Form<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        check_type(request.headers(), "application/x-www-form-urlencoded")?;
        let (parts, stream) = request.into_parts();
        let bytes = body(Request::from_parts(parts.clone(), stream), state).await?;
        let request = Request::from_parts(parts, axum::body::Body::from(bytes));
        let read = axum::extract::Form::from_request(request, state).await;
        let axum::extract::Form(form) = read.map_err(|fault| unfit(&fault.body_text()))?;
        Ok(Self(form))
    }
}

/// Fields that are unknown, missing or of another type; the text names them.
fn unfit(text: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", text.to_lowercase())
}

/// The whole path, ids and all: a key is good for one thing.
fn route(parts: &Parts) -> String {
    format!("{} {}", parts.method, parts.uri.path())
}

pub(in crate::api) fn idempotency_key(headers: &HeaderMap) -> Result<String, ApiError> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let key = key.filter(|key| (8..=128).contains(&key.len()));
    key.map(str::to_owned).ok_or_else(|| {
        let detail = "send an `Idempotency-Key` of 8 to 128 characters: a fresh one for each wish, \
            the same one when you repeat it";
        ApiError::new(StatusCode::BAD_REQUEST, "no_idempotency_key", detail)
    })
}

pub(in crate::api) fn check_type(headers: &HeaderMap, wanted: &str) -> Result<(), ApiError> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = sent.and_then(|sent| sent.split(';').next()).unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let detail = format!("send the body as `Content-Type: {wanted}`");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_content_type", detail))
}

/// The whole body.
pub(in crate::api) async fn body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let (status, code) = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            _ => (StatusCode::BAD_REQUEST, "body_lost"),
        };
        ApiError::new(status, code, rejection.body_text().to_lowercase())
    })
}

/// Strict JSON.
pub(in crate::api) fn parse(bytes: &[u8]) -> Result<serde_json::Value, ApiError> {
    canonical::parse(bytes).map_err(|error| {
        ApiError::new(StatusCode::BAD_REQUEST, "not_json", format!("the body is not JSON: {error}"))
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value = parse(bytes)?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place = error.path().to_string();
        let detail = format!("`{place}`: {}", error.inner());
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    })
}

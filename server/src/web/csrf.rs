//! Forms that only our own pages can send.
//!
//! Whoever is signed in changes something only by [`Ours`], or by [`OurScript`]: no other way to a
//! [`SignedIn`] takes a method that changes anything.

use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::digest::Digest;
use axum::extract::{Form, FromRef, FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::error::ApiError;
use crate::app::Authority;
use crate::web::session::{SignedIn, foreign_form};

/// What a page of this session sent, and whose session it is.
pub(super) struct Ours<F> {
    pub(super) me: SignedIn,
    pub(super) form: F,
}

/// A form that says nothing but that it was sent.
#[derive(Deserialize)]
pub(super) struct Button {}

/// Why [`Ours`] takes nothing.
pub(super) enum NotOurs {
    /// No page of this session sent it.
    Foreign,
    /// It cannot be read, or nobody is signed in.
    Else(Response),
}

/// What a script of ours asks for in somebody's name, where there is no form.
pub(super) struct OurScript(pub(super) SignedIn);

#[derive(Deserialize)]
struct Sent<F> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: F,
}

impl<S, F> FromRequest<S> for Ours<F>
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
    F: DeserializeOwned,
{
    type Rejection = NotOurs;

    async fn from_request(request: Request, state: &S) -> Result<Self, NotOurs> {
        let authority = Arc::<Authority>::from_ref(state);
        let (mut parts, body) = request.into_parts();
        let me = SignedIn::of(&mut parts, state).await.map_err(NotOurs::Else)?;
        let headers = parts.headers.clone();
        let read = Form::from_request(Request::from_parts(parts, body), state).await;
        let Form(Sent { csrf, form }) =
            read.map_err(|error| NotOurs::Else(error.into_response()))?;
        match holds(&me.cookie, &csrf, &headers, authority.base()) {
            true => Ok(Self { me, form }),
            false => Err(NotOurs::Foreign),
        }
    }
}

impl IntoResponse for NotOurs {
    fn into_response(self) -> Response {
        match self {
            Self::Foreign => foreign_form(),
            Self::Else(response) => response,
        }
    }
}

impl NotOurs {
    /// The same for a script, which shows what is told to it.
    pub(super) fn told(self) -> Response {
        match self {
            Self::Foreign => told_foreign(),
            Self::Else(response) => response,
        }
    }
}

impl<S> FromRequestParts<S> for OurScript
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let authority = Arc::<Authority>::from_ref(state);
        let me = SignedIn::of(parts, state).await?;
        match is_own(&parts.headers, authority.base()) {
            true => Ok(Self(me)),
            false => Err(told_foreign()),
        }
    }
}

/// What a script is told that none of our pages runs.
pub(super) fn told_foreign() -> Response {
    let detail = "this did not come from a page of yours; open the page again";
    ApiError::new(StatusCode::FORBIDDEN, "foreign_form", detail).into_response()
}

/// The token that this session's forms carry: known to whoever holds the cookie, and telling
/// nothing of it.
pub(super) fn token(session: &Secret) -> String {
    Digest::of_parts(&[b"assent/csrf/v1\0", session.expose().as_bytes()]).hex()
}

/// Whether a form came from a page of this session.
fn holds(session: &Secret, sent: &str, headers: &HeaderMap, base: &str) -> bool {
    let ours = token(session);
    let equal = aws_lc_rs::constant_time::verify_slices_are_equal(ours.as_bytes(), sent.as_bytes());
    equal.is_ok() && is_own(headers, base)
}

/// Whether the browser says that one of our own pages sent it. A browser that says nothing is
/// believed: it is an old one, and there is the token besides.
pub(super) fn is_own(headers: &HeaderMap, base: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    text(header::ORIGIN.as_str()).is_none_or(|origin| origin == base)
        && text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
}

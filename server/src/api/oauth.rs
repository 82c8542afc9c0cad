//! Token exchange (RFC 8693): the one grant there is, with the errors of RFC 6749 section 5.2.

use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::wire::oauth::{
    ACCESS_TOKEN, Exchanged, ID_TOKEN, JWT, OauthError, TOKEN_EXCHANGE,
};
use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::Form;
use crate::app::{Authority, ExchangeError};

/// RFC 8693 section 2.1. What is unknown is ignored (RFC 6749 section 3.2); what is known here and
/// not offered is refused, because the token would not be what was asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    grant_type: Option<String>,
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    requested_token_type: Option<String>,
    audience: Option<String>,
    resource: Option<String>,
    scope: Option<String>,
    actor_token: Option<String>,
}

/// An error of this endpoint.
pub(super) struct Fault {
    status: StatusCode,
    error: &'static str,
    told: String,
}

fn fault(error: &'static str, told: &str) -> Fault {
    Fault { status: StatusCode::BAD_REQUEST, error, told: told.to_owned() }
}

impl Asked {
    /// The token to exchange.
    fn subject_token(self, base: &str) -> Result<Secret, Fault> {
        match self.grant_type.as_deref() {
            Some(TOKEN_EXCHANGE) => {}
            Some(_) => {
                let told = format!("the only grant_type here is {TOKEN_EXCHANGE}");
                return Err(fault("unsupported_grant_type", &told));
            }
            None => return Err(fault("invalid_request", "grant_type is missing")),
        }
        if !matches!(self.subject_token_type.as_deref(), Some(JWT | ID_TOKEN)) {
            let told = format!("subject_token_type must be {JWT} or {ID_TOKEN}");
            return Err(fault("invalid_request", &told));
        }
        if self.requested_token_type.is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            let told = format!("the only requested_token_type here is {ACCESS_TOKEN}");
            return Err(fault("invalid_request", &told));
        }
        if self.actor_token.is_some() {
            return Err(fault(
                "invalid_request",
                "nobody acts for somebody else here: no actor_token",
            ));
        }
        if self.resource.is_some() || self.audience.is_some_and(|audience| audience != base) {
            let told = format!("the access token is for {base} and nobody else");
            return Err(fault("invalid_target", &told));
        }
        if self.scope.is_some_and(|scope| !scope.is_empty()) {
            let told = "there are no scopes: what may be asked for, the trust says";
            return Err(fault("invalid_scope", told));
        }
        let token = self.subject_token.filter(|token| !token.is_empty());
        token.map(Secret::new).ok_or_else(|| fault("invalid_request", "subject_token is missing"))
    }
}

pub(super) async fn token(
    State(authority): State<Arc<Authority>>,
    request: Request,
) -> Result<Response, Fault> {
    let Form(asked) = Form::<Asked>::from_request(request, &authority).await.map_err(unfit)?;
    let token = asked.subject_token(authority.base())?;
    let given: Exchanged = authority.exchange(&token).await?;
    let mut response = Answer(given).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

fn unfit(error: ApiError) -> Fault {
    Fault { status: error.status(), ..fault("invalid_request", error.detail()) }
}

impl From<ExchangeError> for Fault {
    fn from(error: ExchangeError) -> Self {
        let told = error.to_string();
        let unavailable = |told| Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "temporarily_unavailable",
            told,
        };
        match error {
            ExchangeError::Refused => fault("invalid_grant", &told),
            ExchangeError::IssuerAway => unavailable(told),
            ExchangeError::App(error) => {
                let error = ApiError::from(error);
                error.log();
                unavailable(error.detail().to_owned())
            }
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let error = OauthError { error: self.error.to_owned(), error_description: Some(self.told) };
        let mut response = (self.status, Answer(error)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

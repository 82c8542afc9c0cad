//! The endpoints of OAuth: token exchange (RFC 8693), the device flow (RFC 8628), introspection (RFC
//! 7662) and revocation (RFC 7009), all with the errors of RFC 6749 section 5.2.

use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::policy::situation::Network;
use assent_core::time::Span;
use assent_core::wire;
use assent_core::wire::oauth::{
    ACCESS_TOKEN, COMMAND_LINE, DEVICE_CODE, ID_TOKEN, JWT, OauthError, TOKEN_EXCHANGE,
};
use axum::Json as Answer;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::api::extract::{Form, Known};
use crate::app::{AppError, Authority, DeviceError, ExchangeError};
use crate::network::Peer;
use crate::rates;

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
    device_code: Option<String>,
    client_id: Option<String>,
}

/// RFC 8628 section 3.1.
#[derive(Deserialize)]
pub(super) struct AskedDevice {
    client_id: Option<String>,
    scope: Option<String>,
}

/// RFC 7662 section 2.1 and RFC 7009 section 2.1: hints are ignored.
#[derive(Deserialize)]
pub(super) struct Presented {
    token: String,
}

/// An error of these endpoints.
pub(super) struct Fault {
    status: StatusCode,
    error: &'static str,
    told: String,
    wait: Option<u64>,
    /// How whoever calls is to prove who they are.
    challenge: Option<&'static str>,
}

fn fault(error: &'static str, told: &str) -> Fault {
    let (status, told) = (StatusCode::BAD_REQUEST, told.to_owned());
    Fault { status, error, told, wait: None, challenge: None }
}

fn unavailable(told: String) -> Fault {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Fault { status, wait: Some(1), ..fault("temporarily_unavailable", &told) }
}

/// RFC 6585 section 4.
fn too_many(wait: Span, told: &str) -> Fault {
    let (status, wait) = (StatusCode::TOO_MANY_REQUESTS, Some(rates::seconds(wait)));
    Fault { status, wait, ..fault("temporarily_unavailable", told) }
}

/// A program that has no secret says which it is (RFC 6749 section 3.2.1).
fn check_client(client_id: Option<&str>) -> Result<(), Fault> {
    match client_id {
        Some(COMMAND_LINE) => Ok(()),
        Some(_) => Err(fault("invalid_client", "the only client_id here is assent-cli")),
        None => Err(fault("invalid_request", "client_id is missing")),
    }
}

fn check_scope(scope: Option<&str>) -> Result<(), Fault> {
    match scope {
        None | Some("") => Ok(()),
        Some(_) => {
            let told = "there are no scopes: what may be asked for, trusts and policy say";
            Err(fault("invalid_scope", told))
        }
    }
}

impl Asked {
    /// The device code to poll by.
    fn device_code(self) -> Result<Secret, Fault> {
        check_client(self.client_id.as_deref())?;
        let code = self.device_code.filter(|code| !code.is_empty());
        code.map(Secret::new).ok_or_else(|| fault("invalid_request", "device_code is missing"))
    }

    /// The token to exchange.
    fn subject_token(self, base: &str) -> Result<Secret, Fault> {
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
        check_scope(self.scope.as_deref())?;
        let token = self.subject_token.filter(|token| !token.is_empty());
        token.map(Secret::new).ok_or_else(|| fault("invalid_request", "subject_token is missing"))
    }
}

/// Where a stranger calls from.
fn network_of(authority: &Authority, request: &Request) -> Network {
    let peer = request.extensions().get::<Peer>().copied();
    authority.proxies().locate(peer, request.headers())
}

pub(super) async fn token(
    State(authority): State<Arc<Authority>>,
    request: Request,
) -> Result<Response, Fault> {
    let network = network_of(&authority, &request);
    let Form(asked) = Form::<Asked>::from_request(request, &authority).await.map_err(unfit)?;
    match asked.grant_type.as_deref() {
        Some(TOKEN_EXCHANGE) => {
            let token = asked.subject_token(authority.base())?;
            Ok(unstored(authority.exchange(&token, &network).await?))
        }
        Some(DEVICE_CODE) => {
            let code = asked.device_code()?;
            Ok(unstored(authority.poll_device(&code, &network).await?))
        }
        Some(_) => {
            let told = format!("the grant_types here are {TOKEN_EXCHANGE} and {DEVICE_CODE}");
            Err(fault("unsupported_grant_type", &told))
        }
        None => Err(fault("invalid_request", "grant_type is missing")),
    }
}

/// A program begins to wait for its person's browser (RFC 8628 section 3.1).
pub(super) async fn device(
    State(authority): State<Arc<Authority>>,
    request: Request,
) -> Result<Response, Fault> {
    let network = network_of(&authority, &request);
    let Form(asked) =
        Form::<AskedDevice>::from_request(request, &authority).await.map_err(unfit)?;
    check_client(asked.client_id.as_deref())?;
    check_scope(asked.scope.as_deref())?;
    Ok(unstored(authority.begin_device(&network)?))
}

/// Whether a credential is good now, for the service that was shown it.
pub(super) async fn introspect(
    State(authority): State<Arc<Authority>>,
    caller: Result<Known, ApiError>,
    presented: Result<Form<Presented>, ApiError>,
) -> Result<Response, Fault> {
    caller?;
    let Form(Presented { token }) = presented?;
    let said: wire::Introspection = authority.introspect(&Secret::new(token)).await?;
    Ok(unstored(said))
}

/// Takes back what is the caller's.
pub(super) async fn revoke(
    State(authority): State<Arc<Authority>>,
    caller: Result<Known, ApiError>,
    presented: Result<Form<Presented>, ApiError>,
) -> Result<StatusCode, Fault> {
    let (Known(caller), Form(Presented { token })) = (caller?, presented?);
    authority.revoke_token(&caller, &Secret::new(token)).await?;
    Ok(StatusCode::OK)
}

/// An answer that is for whoever asked, and for no cache.
fn unstored(given: impl Serialize) -> Response {
    let mut response = Answer(given).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

/// A form that cannot be read. RFC 6749 has one status for what is not right in it.
fn unfit(error: ApiError) -> Fault {
    let status = match error.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        of_http => of_http,
    };
    Fault { status, ..fault("invalid_request", error.detail()) }
}

impl From<ExchangeError> for Fault {
    fn from(error: ExchangeError) -> Self {
        let told = error.to_string();
        match error {
            ExchangeError::Refused => fault("invalid_grant", &told),
            ExchangeError::IssuerAway | ExchangeError::Unanswered => unavailable(told),
            ExchangeError::TooMany(wait) => too_many(wait, &told),
            ExchangeError::App(error) => of_app(error),
        }
    }
}

/// RFC 8628 section 3.5.
impl From<DeviceError> for Fault {
    fn from(error: DeviceError) -> Self {
        let told = error.to_string();
        match error {
            DeviceError::Unknown => fault("invalid_grant", &told),
            DeviceError::Pending => fault("authorization_pending", &told),
            DeviceError::SlowDown => fault("slow_down", &told),
            DeviceError::Denied | DeviceError::Ended => fault("access_denied", &told),
            DeviceError::Over => fault("expired_token", &told),
            DeviceError::TooMany(wait) => too_many(wait, &told),
            DeviceError::Full => Fault { wait: Some(60), ..unavailable(told) },
            DeviceError::App(error) => of_app(error),
        }
    }
}

fn of_app(error: AppError) -> Fault {
    let error = ApiError::from(error);
    error.log();
    unavailable(error.detail().to_owned())
}

/// What is wrong with a call about somebody's token. Who calls is told as RFC 7662 section 2.3 has it:
/// by RFC 6750 section 3 where a token was presented, and without a word on it where none was.
impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        use StatusCode as S;
        let told = error.detail();
        let unknown = |error, challenge| Self {
            status: S::UNAUTHORIZED,
            challenge: Some(challenge),
            ..fault(error, told)
        };
        match (error.status(), error.code()) {
            (S::UNAUTHORIZED, "no_token") => unknown("invalid_client", "Bearer"),
            (S::UNAUTHORIZED, _) | (_, "suspended") => {
                unknown("invalid_token", "Bearer error=\"invalid_token\"")
            }
            // RFC 7009 section 2.1: what is not the caller's is refused.
            (S::FORBIDDEN | S::NOT_FOUND, _) => fault("unauthorized_client", told),
            (status, _) if status.is_client_error() => unfit(error),
            (S::INTERNAL_SERVER_ERROR, _) => {
                error.log();
                Self { status: S::INTERNAL_SERVER_ERROR, ..fault("server_error", told) }
            }
            _ => {
                error.log();
                unavailable(told.to_owned())
            }
        }
    }
}

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        ApiError::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let error = OauthError { error: self.error.to_owned(), error_description: Some(self.told) };
        let mut response = (self.status, Answer(error)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

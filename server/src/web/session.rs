//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use assent_core::access::Purpose;
use assent_core::credential::Secret;
use axum::extract::{Form, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Caller};
use crate::github::is_slug;
use crate::network::Peer;
use crate::web::csrf;
use crate::web::text::plain;
use crate::web::view::{self, Notice, Page};

/// A signed-in browser.
pub(super) struct SignedIn {
    pub(super) caller: Caller,
    pub(super) cookie: Secret,
    pub(super) notices: Vec<Notice>,
}

/// What everybody who is signed in should know, whatever they look at: that the newest policy does
/// not rule, and which later reviews are open.
async fn notices(authority: &Authority) -> Result<Vec<Notice>, AppError> {
    let trouble = authority.policy_trouble().map(|trouble| {
        let since = view::clock(&trouble.since.to_string());
        let text = format!(
            "The newest policy does not rule, since {since}: {}. The one before stays.",
            trouble.message
        );
        let lines = trouble.faults.iter().take(10).map(|fault| plain(&fault.to_string()));
        Notice { text: plain(&text), lines: lines.collect(), link: None, urgent: true }
    });
    let now = authority.clock().now();
    let later = authority.later_reviews().await?;
    let later = later.iter().map(|review| {
        let (due, rule) = (view::clock(&review.due.to_string()), &review.rule);
        let overdue = now >= review.due;
        let text = match (&review.suspends, overdue) {
            (Some(suspended), true) => format!(
                "A later review by rule {rule} is overdue since {due}; until it is done, rule \
                 {suspended} does not match."
            ),
            (None, true) => format!("A later review by rule {rule} is overdue since {due}."),
            (_, false) => format!("A later review by rule {rule} is open until {due}."),
        };
        let link = Some(format!("/requests/{}", review.request));
        Notice { text, lines: Vec::new(), link, urgent: overdue }
    });
    Ok(trouble.into_iter().chain(later).collect())
}

impl<S> FromRequestParts<S> for SignedIn
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let authority = Arc::<Authority>::from_ref(state);
        let next = Next::of(&parts.uri);
        let to_login = || next.to_login();
        let cookie = cookie(&parts.headers, cookie_name(&authority)).ok_or_else(to_login)?;
        match authority.admit(cookie.expose(), Purpose::Session).await {
            Ok(caller) => {
                let peer = parts.extensions.get::<Peer>().copied();
                let network = authority.proxies().locate(peer, &parts.headers);
                let caller = caller.from_network(network);
                let notices = notices(&authority).await.map_err(view::fault)?;
                Ok(Self { caller, cookie, notices })
            }
            Err(AppError::Access(_)) => Err(to_login()),
            Err(error) => Err(view::fault(error)),
        }
    }
}

/// Where a person goes once they are signed in. One of these, and never where somebody says.
#[derive(Clone, PartialEq, Eq)]
enum Next {
    Inbox,
    Device,
    /// Where the GitHub App is made, perhaps for an organization.
    Github(Option<String>),
}

impl Next {
    /// Back to the page of this address.
    fn of(uri: &Uri) -> Self {
        let path = uri.path();
        if path.starts_with("/device") {
            return Self::Device;
        }
        if path != "/admin/github" {
            return Self::Inbox;
        }
        let query = uri.query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let named = pairs.find(|(name, _)| name == "organization");
        Self::Github(named.map(|(_, name)| name.into_owned()).filter(|name| is_slug(name)))
    }

    /// As it stands in an address and in a form: `device`, `github`, `github:ORGANIZATION`.
    fn read(word: Option<&str>) -> Self {
        match word {
            Some("device") => Self::Device,
            Some("github") => Self::Github(None),
            Some(word) => match word.strip_prefix("github:").filter(|name| is_slug(name)) {
                Some(name) => Self::Github(Some(name.to_owned())),
                None => Self::Inbox,
            },
            None => Self::Inbox,
        }
    }

    fn word(&self) -> Option<String> {
        match self {
            Self::Inbox => None,
            Self::Device => Some("device".to_owned()),
            Self::Github(None) => Some("github".to_owned()),
            Self::Github(Some(name)) => Some(format!("github:{name}")),
        }
    }

    fn path(&self) -> String {
        match self {
            Self::Inbox => "/".to_owned(),
            Self::Device => "/device".to_owned(),
            Self::Github(None) => "/admin/github".to_owned(),
            Self::Github(Some(name)) => format!("/admin/github?organization={name}"),
        }
    }

    fn to_login(&self) -> Response {
        let login = match self.word() {
            None => "/login".to_owned(),
            Some(word) => format!("/login?next={word}"),
        };
        Redirect::to(&login).into_response()
    }
}

/// `__Host-` cookies are never sent elsewhere or set from a subdomain (RFC 6265bis section 4.1.3),
/// but need https; on loopback without it the plain name must do.
fn cookie_name(authority: &Authority) -> &'static str {
    match authority.base().starts_with("https:") {
        true => "__Host-assent",
        false => "assent",
    }
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| key.trim() == name)?;
    Some(Secret::new(found.1.trim().to_owned()))
}

fn set_cookie(authority: &Authority, value: &str, max_age: u32) -> Option<HeaderValue> {
    let secure = if authority.base().starts_with("https:") { "; Secure" } else { "" };
    let name = cookie_name(authority);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn signed_in(authority: &Authority, session: &Secret, next: &Next) -> Response {
    let mut response = Redirect::to(&next.path()).into_response();
    if let Some(cookie) = set_cookie(authority, session.expose(), 8 * 3600) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// Whoever has proven who they are by other means than here comes in.
pub(super) fn come_in(authority: &Authority, session: &Secret, next: Option<&str>) -> Response {
    signed_in(authority, session, &Next::read(next))
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    fault: Option<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    next: Option<String>,
}

pub(super) async fn login_page(Query(query): Query<LoginQuery>) -> Response {
    let next = Next::read(query.next.as_deref()).word();
    view::html(&LoginPage { page: Page::anonymous("Sign in"), fault: None, next })
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    token: String,
    next: Option<String>,
}

pub(super) async fn login(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    if !csrf::is_own(&headers, authority.base()) {
        return foreign_form();
    }
    let (token, next) = (Secret::new(form.token), Next::read(form.next.as_deref()));
    match authority.sign_in_by_token(token.expose()).await {
        Ok(session) => signed_in(&authority, &session, &next),
        Err(error) => {
            let error = ApiError::from(error);
            error.log();
            let fault = Some(error.detail().to_owned());
            let page = LoginPage { page: Page::anonymous("Sign in"), fault, next: next.word() };
            (error.status(), view::html(&page)).into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "door.html")]
struct DoorPage {
    page: Page,
    name: String,
}

/// A link alone signs nobody in: previews and scanners follow links, they do not press buttons.
pub(super) async fn door_page(
    State(authority): State<Arc<Authority>>,
    Path(code): Path<String>,
) -> Response {
    match authority.person_of(&code) {
        Some(id) => {
            view::html(&DoorPage { page: Page::anonymous("Sign in"), name: id.to_string() })
        }
        None => view::fault(AppError::WrongCode),
    }
}

pub(super) async fn enter(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Path(code): Path<String>,
) -> Response {
    if !csrf::is_own(&headers, authority.base()) {
        return foreign_form();
    }
    match authority.sign_in_by_code(&code).await {
        Ok(session) => signed_in(&authority, &session, &Next::Inbox),
        Err(error) => view::fault(error),
    }
}

#[derive(Template)]
#[template(path = "bootstrap.html")]
struct BootstrapPage {
    page: Page,
    token: Option<String>,
}

pub(super) async fn bootstrap_page(
    State(authority): State<Arc<Authority>>,
    Path(code): Path<String>,
) -> Response {
    match authority.is_bootstrap(&code) {
        true => {
            view::html(&BootstrapPage { page: Page::anonymous("First administrator"), token: None })
        }
        false => view::fault(AppError::WrongCode),
    }
}

#[derive(Deserialize)]
pub(super) struct BootstrapForm {
    sub: String,
}

pub(super) async fn bootstrap(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Path(code): Path<String>,
    Form(form): Form<BootstrapForm>,
) -> Response {
    if !csrf::is_own(&headers, authority.base()) {
        return foreign_form();
    }
    match authority.bootstrap(&code, form.sub.trim()).await {
        Ok(fresh) => view::html(&BootstrapPage {
            page: Page::anonymous("First administrator"),
            token: Some(fresh.token),
        }),
        Err(error) => view::fault(error),
    }
}

#[derive(Deserialize)]
pub(super) struct LogoutForm {
    csrf: String,
}

pub(super) async fn logout(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    signed_in: SignedIn,
    Form(form): Form<LogoutForm>,
) -> Response {
    if !csrf::holds(&signed_in.cookie, &form.csrf, &headers, authority.base()) {
        return foreign_form();
    }
    let id = signed_in.caller.access().id.to_string();
    if let Err(error) = authority.revoke_access(&signed_in.caller, &id).await {
        return view::fault(error);
    }
    let mut response = Next::Inbox.to_login();
    if let Some(cookie) = set_cookie(&authority, "", 0) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer to a form that none of our pages sent.
pub(super) fn foreign_form() -> Response {
    let detail = "this form did not come from a page of yours; open the page again";
    view::refused(&ApiError::new(StatusCode::FORBIDDEN, "foreign_form", detail))
}

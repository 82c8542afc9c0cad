//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use assent_core::access::Purpose;
use assent_core::credential::Secret;
use axum::extract::{Form, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Caller};
use crate::network::Peer;
use crate::web::csrf::{self, Button, Ours};
use crate::web::live::LOOKS_BY_ITSELF;
pub(super) use crate::web::next::Next;
use crate::web::people::Name;
use crate::web::text::plain;
use crate::web::view::{self, Bar, Page};
use crate::web::when;

/// A signed-in browser.
pub(super) struct SignedIn {
    pub(super) caller: Caller,
    pub(super) cookie: Secret,
    pub(super) bars: Vec<Bar>,
    pub(super) name: Name,
    /// Whether nothing is kept from them.
    pub(super) reads_everything: bool,
}

/// What everybody who is signed in should know, whatever they look at: that the newest policy does
/// not rule, and which later reviews are open.
async fn bars(authority: &Authority, caller: &Caller) -> Result<Vec<Bar>, AppError> {
    let trouble = authority.policy_trouble().map(|trouble| {
        let since = when::clock(trouble.since);
        let text = format!(
            "The newest policy does not rule, since {since}: {}. The one before stays.",
            trouble.message
        );
        let lines = trouble.faults.iter().take(10).map(|fault| plain(&fault.to_string()));
        Bar { text: plain(&text), lines: lines.collect(), link: None, urgent: true }
    });
    let now = authority.clock().now();
    let later = authority.later_reviews_for(caller).await?;
    let later = later.iter().map(|review| {
        let (due, rule) = (when::clock(review.due), &review.rule);
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
        Bar { text, lines: Vec::new(), link, urgent: overdue }
    });
    let untold = authority.notice_troubles(caller).await?;
    let untold = (!untold.is_empty()).then(|| Bar {
        text: "Notifications do not reach everybody.".to_owned(),
        lines: untold.iter().take(10).map(|line| plain(line)).collect(),
        link: Some("/admin/notifications".to_owned()),
        urgent: true,
    });
    Ok(trouble.into_iter().chain(later).chain(untold).collect())
}

impl SignedIn {
    /// Whoever is signed in where this comes from.
    ///
    /// # Errors
    /// The way to the login, or why nobody can say.
    pub(super) async fn of<S>(parts: &mut Parts, state: &S) -> Result<Self, Response>
    where
        Arc<Authority>: FromRef<S>,
    {
        let authority = Arc::<Authority>::from_ref(state);
        let next = Next::of(&parts.uri);
        let to_login = || next.to_login();
        let cookie = cookie(&parts.headers, cookie_name(&authority)).ok_or_else(to_login)?;
        let (token, purpose) = (cookie.expose(), Purpose::Session);
        let admitted = match parts.headers.contains_key(LOOKS_BY_ITSELF) {
            true => authority.admit_unseen(token, purpose).await,
            false => authority.admit(token, purpose).await,
        };
        match admitted {
            Ok(caller) => {
                let peer = parts.extensions.get::<Peer>().copied();
                let network = authority.proxies().locate(peer, &parts.headers);
                let caller = caller.from_network(network);
                let bars = bars(&authority, &caller).await.map_err(view::fault)?;
                let name = authority.name_of(&caller.principal().id);
                let reads_everything = authority.check_reads_everything(&caller).await.is_ok();
                Ok(Self { caller, cookie, bars, name, reads_everything })
            }
            Err(AppError::Access(_)) => Err(to_login()),
            Err(error) => Err(view::fault(error)),
        }
    }
}

/// To look at something. What changes anything comes as [`csrf::Ours`].
impl<S> FromRequestParts<S> for SignedIn
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        if !parts.method.is_safe() {
            return Err(foreign_form());
        }
        Self::of(parts, state).await
    }
}

/// `__Host-` cookies are never sent elsewhere or set from a subdomain (RFC 6265bis section 4.1.3),
/// but need https; on loopback without it the plain name must do.
pub(super) fn cookie_name(authority: &Authority) -> &'static str {
    match authority.base().starts_with("https:") {
        true => "__Host-assent",
        false => "assent",
    }
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(key, _)| key.trim() == name)?;
    Some(Secret::new(found.1.trim().to_owned()))
}

fn set_cookie(authority: &Authority, value: &str, max_age: u32) -> Option<HeaderValue> {
    set_named(authority, cookie_name(authority), value, max_age)
}

/// A cookie for this origin alone. `Lax`: a provider sends browsers back by a link, with which a
/// strict one would not come.
pub(super) fn set_named(
    authority: &Authority,
    name: &str,
    value: &str,
    max_age: u32,
) -> Option<HeaderValue> {
    let secure = if authority.base().starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}");
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn signed_in(authority: &Authority, session: &Secret, next: &Next) -> Response {
    let mut response = Redirect::to(&next.path()).into_response();
    if let Some(cookie) = set_cookie(authority, session.expose(), 8 * 3600) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    fault: Option<String>,
    next: Option<String>,
    /// The same as a part of an address.
    encoded: Option<String>,
    providers: Vec<(String, String)>,
}

/// The page on which people sign in, with what went wrong before.
pub(super) fn login_at(authority: &Authority, fault: Option<String>, next: &Next) -> Response {
    let (page, providers) = (Page::anonymous("Sign in"), authority.providers());
    view::html(&LoginPage { page, fault, next: next.word(), encoded: next.encoded(), providers })
}

#[derive(Deserialize)]
pub(super) struct LoginQuery {
    next: Option<String>,
}

pub(super) async fn login_page(
    State(authority): State<Arc<Authority>>,
    Query(query): Query<LoginQuery>,
) -> Response {
    login_at(&authority, None, &Next::read(query.next.as_deref()))
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
        Err(error) => not_signed_in(&authority, error, &next),
    }
}

/// Why nobody came in, on the page where they can try again.
pub(super) fn not_signed_in(authority: &Authority, error: AppError, next: &Next) -> Response {
    let error = ApiError::from(error);
    error.log();
    let page = login_at(authority, Some(plain(&error.told())), next);
    view::with_wait((error.status(), page).into_response(), error.wait())
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
            view::html(&DoorPage { page: Page::anonymous("Sign in"), name: Name::of(&id).short })
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

pub(super) async fn logout(
    State(authority): State<Arc<Authority>>,
    Ours { me, .. }: Ours<Button>,
) -> Response {
    let id = me.caller.access().id.to_string();
    if let Err(error) = authority.revoke_access(&me.caller, &id).await {
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

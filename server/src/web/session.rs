//! Signing in and out.

use std::sync::Arc;

use askama::Template;
use assent_core::access::Purpose;
use assent_core::credential::Secret;
use assent_core::digest::Digest;
use assent_core::id::RequestId;
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
use crate::web::live::LOOKS_BY_ITSELF;
use crate::web::people::Name;
use crate::web::text::plain;
use crate::web::view::{self, Notice, Page};
use crate::web::when;

/// A signed-in browser.
pub(super) struct SignedIn {
    pub(super) caller: Caller,
    pub(super) cookie: Secret,
    pub(super) notices: Vec<Notice>,
    pub(super) name: Name,
    /// Whether nothing is kept from them.
    pub(super) reads_everything: bool,
}

/// What everybody who is signed in should know, whatever they look at: that the newest policy does
/// not rule, and which later reviews are open.
async fn notices(authority: &Authority, caller: &Caller) -> Result<Vec<Notice>, AppError> {
    let trouble = authority.policy_trouble().map(|trouble| {
        let since = when::clock(trouble.since);
        let text = format!(
            "The newest policy does not rule, since {since}: {}. The one before stays.",
            trouble.message
        );
        let lines = trouble.faults.iter().take(10).map(|fault| plain(&fault.to_string()));
        Notice { text: plain(&text), lines: lines.collect(), link: None, urgent: true }
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
        Notice { text, lines: Vec::new(), link, urgent: overdue }
    });
    let untold = authority.notice_troubles(caller).await?;
    let untold = (!untold.is_empty()).then(|| Notice {
        text: "Notices do not reach everybody.".to_owned(),
        lines: untold.iter().take(10).map(|line| plain(line)).collect(),
        link: Some("/admin/notifications".to_owned()),
        urgent: true,
    });
    Ok(trouble.into_iter().chain(later).chain(untold).collect())
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
                let notices = notices(&authority, &caller).await.map_err(view::fault)?;
                let name = authority.name_of(&caller.principal().id);
                let reads_everything = authority.check_reads_everything(&caller).await.is_ok();
                Ok(Self { caller, cookie, notices, name, reads_everything })
            }
            Err(AppError::Access(_)) => Err(to_login()),
            Err(error) => Err(view::fault(error)),
        }
    }
}

/// Where a person goes once they are signed in. One of these, and never where somebody says.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Next {
    Inbox,
    Device,
    /// Where the GitHub App is made, perhaps for an organization.
    Github(Option<String>),
    /// Another page of ours, by its path, and what was looked for there.
    Page(String),
}

/// Pages to come back to, beside those of one request and one intent.
const PAGES: [&str; 10] = [
    "/policy/try",
    "/settings",
    "/settings/sessions",
    "/settings/accounts",
    "/settings/tokens",
    "/settings/passkeys",
    "/settings/notifications",
    "/settings/absence",
    "/admin/people",
    "/admin/notifications",
];

/// Pages that are come back to with what was looked for: each with what its address may say.
const SEARCHES: [(&str, &[&str]); 4] = [
    (
        "/history",
        &[
            "q",
            "state",
            "environment",
            "kind",
            "requester",
            "reviewer",
            "rule",
            "since",
            "until",
            "before",
        ],
    ),
    ("/policy", &["q", "after"]),
    ("/insights", &["days"]),
    ("/audit", &["kind", "by", "request", "before"]),
];
/// Longer searches are forgotten: what they are kept in is small.
const LONGEST_SEARCH: usize = 1024;

/// Whether this is the path of a page to come back to, and nothing else: no address, no query.
fn is_page(path: &str) -> bool {
    let is_id = |id: &str| id.parse::<RequestId>().is_ok();
    let rest = |start: &str| path.strip_prefix(start);
    let of_request = |rest: &str| {
        let part = rest.strip_suffix("/plan").or_else(|| rest.strip_suffix("/intent"));
        is_id(part.unwrap_or(rest))
    };
    let is_number = |text: &str| {
        (1..=19).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    PAGES.contains(&path)
        || rest("/requests/").is_some_and(of_request)
        || rest("/intents/").is_some_and(|hex| Digest::from_hex(hex).is_ok())
        || rest("/audit/entries/").is_some_and(is_number)
}

/// The address of a page to come back to with what was looked for, written anew: nothing else of what
/// was said is in it.
fn search(path: &str, query: &str) -> Option<String> {
    let (path, known) = SEARCHES.iter().find(|(known, _)| *known == path)?;
    let said: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for name in *known {
        let mut values = said.iter().filter(|(said, value)| said == name && !value.is_empty());
        if let Some((_, value)) = values.next() {
            kept.append_pair(name, value);
        }
    }
    let kept = kept.finish();
    let is_any = !kept.is_empty() && kept.len() <= LONGEST_SEARCH;
    Some(if is_any { format!("{path}?{kept}") } else { (*path).to_owned() })
}

impl Next {
    /// Back to the page of this address.
    fn of(uri: &Uri) -> Self {
        let path = uri.path();
        if path.starts_with("/device") {
            return Self::Device;
        }
        let query = uri.query().unwrap_or_default();
        if path != "/admin/github" {
            return Self::at(path, query);
        }
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let named = pairs.find(|(name, _)| name == "organization");
        Self::Github(named.map(|(_, name)| name.into_owned()).filter(|name| is_slug(name)))
    }

    /// The page of this path, if it is one to come back to, with what was looked for there.
    fn at(path: &str, query: &str) -> Self {
        let page = is_page(path).then(|| path.to_owned()).or_else(|| search(path, query));
        page.map_or(Self::Inbox, Self::Page)
    }

    /// As it stands in an address and in a form: `device`, `github`, `github:ORGANIZATION`, or the path
    /// of a page.
    pub(super) fn read(word: Option<&str>) -> Self {
        match word {
            Some(path) if path.starts_with('/') => {
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                Self::at(path, query)
            }
            Some("device") => Self::Device,
            Some("github") => Self::Github(None),
            Some(word) => match word.strip_prefix("github:").filter(|name| is_slug(name)) {
                Some(name) => Self::Github(Some(name.to_owned())),
                None => Self::Inbox,
            },
            None => Self::Inbox,
        }
    }

    pub(super) fn word(&self) -> Option<String> {
        match self {
            Self::Inbox => None,
            Self::Page(path) => Some(path.clone()),
            Self::Device => Some("device".to_owned()),
            Self::Github(None) => Some("github".to_owned()),
            Self::Github(Some(name)) => Some(format!("github:{name}")),
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Inbox => "/".to_owned(),
            Self::Page(path) => path.clone(),
            Self::Device => "/device".to_owned(),
            Self::Github(None) => "/admin/github".to_owned(),
            Self::Github(Some(name)) => format!("/admin/github?organization={name}"),
        }
    }

    /// The word as a part of an address.
    pub(super) fn encoded(&self) -> Option<String> {
        let encode = |word: String| url::form_urlencoded::byte_serialize(word.as_bytes()).collect();
        // A slash means nothing there, and addresses stay readable.
        self.word().map(|word| -> String { encode(word) }).map(|word| word.replace("%2F", "/"))
    }

    fn to_login(&self) -> Response {
        let login = match self.encoded() {
            None => "/login".to_owned(),
            Some(word) => format!("/login?next={word}"),
        };
        Redirect::to(&login).into_response()
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
        Err(error) => {
            let error = ApiError::from(error);
            error.log();
            let fault = Some(error.detail().to_owned());
            (error.status(), login_at(&authority, fault, &next)).into_response()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_come_back_to_pages_of_ours_with_what_they_looked_for() {
        let request = "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
        for (said, path) in [
            ("/history?q=a%26b&state=denied", "/history?q=a%26b&state=denied"),
            ("/history?state=denied&q=caf\u{e9}", "/history?q=caf%C3%A9&state=denied"),
            ("/history?q=x&q=y&to=//evil.example", "/history?q=x"),
            ("/audit?kind=filed&before=7", "/audit?kind=filed&before=7"),
            ("/audit/entries/12", "/audit/entries/12"),
            ("/policy/try", "/policy/try"),
            (&format!("{request}/intent"), &format!("{request}/intent")),
            (&format!("{request}?x=1"), request),
            ("/policy?q=%0d%0aSet-Cookie:a", "/policy?q=%0D%0ASet-Cookie%3Aa"),
        ] {
            let next = Next::read(Some(said));
            assert_eq!(next.path(), path, "{said}");
            let login = format!("/login?next={}", next.encoded().unwrap());
            let query = login.split_once('?').unwrap().1;
            let back = url::form_urlencoded::parse(query.as_bytes()).next().unwrap().1;
            assert!(Next::read(Some(&back)) == next, "{login}");
        }
        let long = format!("/history?q={}", "x".repeat(LONGEST_SEARCH));
        assert_eq!(Next::read(Some(&long)).path(), "/history");
    }

    #[test]
    fn t65_nobody_is_led_elsewhere() {
        for said in [
            "//evil.example",
            "/\\evil.example",
            "/history//evil.example",
            "/history/../..//evil.example",
            "/audit/entries/1/x",
            "/audit/entries/-1",
            "/audit/entries/\u{661}",
            "/audit/entries/12345678901234567890",
            "https://evil.example/history?q=x",
            "/history\r\nSet-Cookie: a=b",
            "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z/intent/plan",
            "/logout",
        ] {
            assert_eq!(Next::read(Some(said)).path(), "/", "{said}");
        }
    }
}

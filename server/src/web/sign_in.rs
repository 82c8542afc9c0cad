//! The way to a provider and back.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use assent_core::access::{Label, Purpose};
use assent_core::credential::Secret;
use assent_core::id::PasskeyId;
use assent_core::sign_in::LINKS_WITHIN;
use axum::extract::{Form, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{Aim, Answer, AppError, Authority, Caller, LogoutFault, SignInError};
use crate::network::Peer;
use crate::sign_in::{Demands, ProviderError};
use crate::web::csrf::{Button, Ours};
use crate::web::session::{self, Next, cookie, cookie_name, login_at, set_named, signed_in};
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

/// Whoever comes, signed in or not.
pub(super) struct Comer {
    pub(super) caller: Option<Caller>,
    pub(super) label: Label,
}

impl<S> FromRequestParts<S> for Comer
where
    Arc<Authority>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let authority = Arc::<Authority>::from_ref(state);
        let peer = parts.extensions.get::<Peer>().copied();
        let network = authority.proxies().locate(peer, &parts.headers);
        let label = label(&parts.headers, network.ip);
        let caller = match cookie(&parts.headers, cookie_name(&authority)) {
            Some(cookie) => match authority.admit(cookie.expose(), Purpose::Session).await {
                Ok(caller) => Some(caller.from_network(network)),
                Err(AppError::Access(_)) => None,
                Err(error) => return Err(view::fault(error)),
            },
            None => None,
        };
        Ok(Self { caller, label })
    }
}

/// By what a person knows a session in this browser again.
pub(super) fn label(headers: &HeaderMap, from: Option<IpAddr>) -> Label {
    Label { name: browser(headers), from }
}

/// A browser, as its person knows it: what it says of itself decides nothing.
fn browser(headers: &HeaderMap) -> String {
    let said = headers.get(header::USER_AGENT).and_then(|said| said.to_str().ok());
    let said = said.unwrap_or_default();
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| said.contains(mark)).map(|(_, name)| *name)
    };
    let name = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "A browser".to_owned(),
    }
}

fn ceremony_cookie(authority: &Authority) -> &'static str {
    match authority.base().starts_with("https:") {
        true => "__Host-assent-ceremony",
        false => "assent-ceremony",
    }
}

fn with_ceremony(authority: &Authority, value: &str, age: u32, mut to: Response) -> Response {
    if let Some(cookie) = set_named(authority, ceremony_cookie(authority), value, age) {
        to.headers_mut().append(header::SET_COOKIE, cookie);
    }
    to
}

/// Why nobody signed in, on the page where they can try again.
fn not_signed_in(authority: &Authority, error: SignInError, next: &Next) -> Response {
    let text = plain(&error.to_string());
    let (status, wait) = match error {
        SignInError::NoProvider(_) => (StatusCode::NOT_FOUND, None),
        SignInError::TooMany(wait) => (StatusCode::TOO_MANY_REQUESTS, Some(wait)),
        SignInError::NoCeremony => (StatusCode::BAD_REQUEST, None),
        SignInError::Provider(ProviderError::Away(_)) => {
            tracing::warn!(problem = text, "a provider could not be asked");
            (StatusCode::BAD_GATEWAY, None)
        }
        SignInError::Denied(_) | SignInError::OtherPerson | SignInError::Provider(_) => {
            tracing::info!(problem = text, "somebody was not signed in");
            (StatusCode::FORBIDDEN, None)
        }
        SignInError::App(error) => return session::not_signed_in(authority, error, next),
    };
    view::with_wait((status, login_at(authority, Some(text), next)).into_response(), wait)
}

#[derive(Deserialize)]
pub(super) struct BeginQuery {
    next: Option<String>,
}

/// To the provider. Whoever follows this link does nothing yet: it signs nobody in by itself.
pub(super) async fn begin(
    State(authority): State<Arc<Authority>>,
    comer: Comer,
    Path(provider): Path<String>,
    Query(query): Query<BeginQuery>,
) -> Response {
    let next = Next::read(query.next.as_deref());
    let asked = (Aim::Enter, Demands::default());
    go(&authority, &provider, asked, (None, comer.label.from), &next).await
}

pub(super) async fn go(
    authority: &Authority,
    provider: &str,
    asked: (Aim, Demands),
    who: (Option<&Caller>, Option<IpAddr>),
    next: &Next,
) -> Response {
    let word = next.word().unwrap_or_default();
    match authority.begin_sign_in(provider, asked, who, word).await {
        Ok(begun) => {
            let to = Redirect::to(&begun.to).into_response();
            with_ceremony(authority, begun.ceremony.expose(), 600, to)
        }
        Err(error) => not_signed_in(authority, error, next),
    }
}

/// Back from the provider.
pub(super) async fn callback(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    comer: Comer,
    Path(provider): Path<String>,
    Query(answer): Query<Answer>,
) -> Response {
    let kept: Option<Secret> = cookie(&headers, ceremony_cookie(&authority));
    let Comer { caller, label } = comer;
    let ended =
        authority.end_sign_in(&provider, answer, kept.as_ref(), caller.as_ref(), label).await;
    let answer = match ended {
        Ok(ended) => {
            let next = Next::read(Some(&ended.next));
            match ended.session {
                Some(session) => signed_in(&authority, &session, &next),
                None => Redirect::to(&next.path()).into_response(),
            }
        }
        // Nothing was begun here: whatever this browser may have begun goes on.
        Err(error @ SignInError::NoCeremony) => {
            return not_signed_in(&authority, error, &Next::Inbox);
        }
        Err(error) => not_signed_in(&authority, error, &Next::Inbox),
    };
    with_ceremony(&authority, "", 0, answer)
}

#[derive(Deserialize)]
pub(super) struct LogoutToken {
    logout_token: String,
}

/// A provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0).
pub(super) async fn back_channel(
    State(authority): State<Arc<Authority>>,
    Path(provider): Path<String>,
    Form(sent): Form<LogoutToken>,
) -> Response {
    match authority.log_out_by(&provider, &sent.logout_token).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(LogoutFault::App(error)) => ApiError::from(error).into_response(),
        Err(LogoutFault::NoProvider) => StatusCode::NOT_FOUND.into_response(),
        Err(LogoutFault::Token(problem)) => {
            tracing::info!(provider, %problem, "a logout token was not believed");
            let detail = plain(&problem.to_string());
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_request", detail).into_response()
        }
    }
}

#[derive(Deserialize)]
pub(super) struct LinkForm {
    provider: String,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    page: Page,
    title: String,
    to: String,
}

/// Begins to link an account. A form and a page of their own: nobody is led through this by a link.
pub(super) async fn link(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<LinkForm>,
) -> Response {
    let now = authority.clock().now();
    if !me.caller.signed_in_within(LINKS_WITHIN, now) {
        return view::fault(AppError::SignInFirst(LINKS_WITHIN));
    }
    let mut providers = authority.providers().into_iter();
    let title = providers.find(|(name, _)| *name == form.provider).map(|(_, title)| title);
    let next = Next::read(Some("/settings/accounts"));
    // At the other provider, too: an old session there may be somebody else's.
    let demands = Demands { again: true, ..Demands::default() };
    let (asked, from) = ((Aim::Link, demands), me.caller.network().ip);
    let who = (Some(&me.caller), from);
    let word = next.word().unwrap_or_default();
    match authority.begin_sign_in(&form.provider, asked, who, word).await {
        Ok(begun) => {
            let page = me.page("Link an account");
            let title = title.unwrap_or_default();
            let page = view::html(&LinkPage { page, title, to: begun.to });
            with_ceremony(&authority, begun.ceremony.expose(), 600, page)
        }
        Err(error) => not_signed_in(&authority, error, &next),
    }
}

#[derive(Template)]
#[template(path = "vouch.html")]
struct VouchPage {
    page: Page,
    title: String,
    name: String,
    since: String,
    to: String,
}

/// Begins to have a provider vouch for a passkey. A form and a page of their own, as for linking: whoever
/// has put a passkey of theirs into somebody's account leads nobody through this by a link.
pub(super) async fn vouch(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, .. }: Ours<Button>,
) -> Response {
    let found = match (id.parse::<PasskeyId>(), authority.passkeys(&me.caller).await) {
        (Ok(id), Ok(theirs)) => theirs.into_iter().find(|passkey| passkey.id == id),
        (Err(error), _) => return view::fault(error.into()),
        (_, Err(error)) => return view::fault(error),
    };
    let next = Next::read(Some("/settings/passkeys"));
    let (Some(passkey), Some((provider, title))) = (found, authority.voucher_of(&me.caller)) else {
        return view::fault(AppError::NotFound { what: "passkey", id: plain(&id) });
    };
    let (asked, from) = ((Aim::Vouch(passkey.id), Demands::default()), me.caller.network().ip);
    let word = next.word().unwrap_or_default();
    match authority.begin_sign_in(&provider, asked, (Some(&me.caller), from), word).await {
        Ok(begun) => {
            let page = view::html(&VouchPage {
                page: me.page("Have a passkey vouched for").at("/settings"),
                title,
                name: plain(&passkey.name),
                since: when::clock(passkey.enrolled_at),
                to: begun.to,
            });
            with_ceremony(&authority, begun.ceremony.expose(), 600, page)
        }
        Err(error) => not_signed_in(&authority, error, &next),
    }
}

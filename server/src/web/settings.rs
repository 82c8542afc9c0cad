//! What people see and change of themselves: sessions, accounts, tokens.

use std::sync::Arc;

use askama::Template;
use assent_core::sign_in::{LINKS_WITHIN, Link};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Own};
use crate::name::Name;
use crate::web::csrf::Ours;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    page: Page,
    name: Option<String>,
    id: String,
    groups: String,
    signed_in: String,
}

pub(super) async fn page(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let id = &me.caller.principal().id;
    let groups: Vec<String> = authority.whoami(&me.caller).groups.into_iter().collect();
    let signed_in = match me.caller.signed_in_at() {
        Some(at) => when::clock(at),
        None => "not lately, as far as is known".to_owned(),
    };
    view::html(&SettingsPage {
        page: me.page("Settings").at("/settings"),
        name: authority.display_name(id).map(|name| plain(&name)),
        id: plain(&id.to_string()),
        groups: plain(&groups.join(", ")),
        signed_in,
    })
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    page: Page,
    sessions: Vec<SessionLine>,
}

struct SessionLine {
    id: String,
    browser: String,
    from: String,
    at: String,
    by: Option<String>,
    used: String,
    ends: String,
    is_current: bool,
}

impl SessionLine {
    fn of(authority: &Authority, own: &Own) -> Self {
        let Own { access, used_at, is_current } = own;
        let label = access.label.as_ref();
        let from = label.and_then(|label| label.from);
        Self {
            id: access.id.to_string(),
            browser: label.map_or_else(|| "A browser".to_owned(), |label| plain(&label.name)),
            from: from.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string()),
            at: when::clock(access.created_at),
            by: access
                .login
                .as_ref()
                .map(|login| format!("by {}", title(authority, &login.provider))),
            used: when::clock(*used_at),
            ends: when::clock(access.expires_at),
            is_current: *is_current,
        }
    }
}

/// What people call the way by which somebody signed in: a passkey, or a provider by its title.
fn title(authority: &Authority, provider: &str) -> String {
    let mut known = authority.providers().into_iter();
    plain(&known.find(|(name, _)| name == provider).map_or(provider.to_owned(), |(_, title)| title))
}

pub(super) async fn sessions(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    match authority.own_sessions(&me.caller).await {
        Ok(all) => view::html(&SessionsPage {
            page: me.page("Sessions").at("/settings"),
            sessions: all.iter().map(|own| SessionLine::of(&authority, own)).collect(),
        }),
        Err(error) => view::fault(error),
    }
}

#[derive(Deserialize)]
pub(super) struct EndForm {
    id: String,
}

pub(super) async fn end_session(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<EndForm>,
) -> Response {
    let all = match authority.own_sessions(&me.caller).await {
        Ok(all) => all,
        Err(error) => return view::fault(error),
    };
    let is_meant = |own: &&Own| {
        !own.is_current && (form.id == "others" || own.access.id.to_string() == form.id)
    };
    for own in all.iter().filter(is_meant) {
        if let Err(error) = authority.revoke_access(&me.caller, &own.access.id.to_string()).await {
            return view::fault(error);
        }
    }
    Redirect::to("/settings/sessions").into_response()
}

#[derive(Template)]
#[template(path = "accounts.html")]
struct AccountsPage {
    page: Page,
    id: String,
    linked: Vec<String>,
    ways: Vec<(String, String)>,
    again: bool,
    /// How lately one must have signed in for it.
    within: String,
    /// Where anyone has an account.
    anyone: Option<String>,
}

pub(super) async fn accounts(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let id = &me.caller.principal().id;
    // Here it matters which account it is: each is named whole.
    let other = |link: &Link| {
        let other = if link.person == *id { &link.account } else { &link.person };
        let name = authority.display_name(other).map(|name| format!(" ({})", plain(&name)));
        format!("{}{}", plain(&other.to_string()), name.unwrap_or_default())
    };
    let links = authority.links_of(id);
    let now = authority.clock().now();
    let is_fresh = me.caller.signed_in_within(LINKS_WITHIN, now);
    let may = me.caller.access().login.is_some();
    let ways = authority.linkable(&me.caller);
    view::html(&AccountsPage {
        page: me.page("Linked accounts").at("/settings"),
        id: plain(&id.to_string()),
        linked: links.iter().map(other).collect(),
        within: LINKS_WITHIN.in_words(),
        again: may && !is_fresh && !ways.is_empty(),
        anyone: authority.anyone_at(),
        ways: if may && is_fresh { ways } else { Vec::new() },
    })
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    page: Page,
    fault: Option<String>,
    token: Option<String>,
    tokens: Vec<TokenLine>,
    may_make: bool,
}

struct TokenLine {
    id: String,
    name: String,
    scope: &'static str,
    at: String,
    used: String,
    ends: String,
}

impl From<&Own> for TokenLine {
    fn from(own: &Own) -> Self {
        let Own { access, used_at, .. } = own;
        let name = access.label.as_ref().map(|label| plain(&label.name));
        let is_unused = *used_at == access.created_at;
        Self {
            id: access.id.to_string(),
            name: name.unwrap_or_else(|| access.id.to_string()),
            scope: access.scope.map_or("all that you may do", assent_core::sign_in::Scope::word),
            at: when::clock(access.created_at),
            used: match access.scope {
                Some(_) if !is_unused => when::clock(*used_at),
                Some(_) => "never".to_owned(),
                None => "not known".to_owned(),
            },
            ends: when::clock(access.expires_at),
        }
    }
}

async fn tokens_page(
    authority: &Authority,
    me: &SignedIn,
    (fault, token): (Option<String>, Option<String>),
) -> Response {
    match authority.own_tokens(&me.caller).await {
        Ok(all) => view::html(&TokensPage {
            page: me.page("Access tokens").at("/settings"),
            fault,
            token,
            tokens: all.iter().map(TokenLine::from).collect(),
            may_make: authority.may_make_tokens(&me.caller),
        }),
        Err(error) => view::fault(error),
    }
}

pub(super) async fn tokens(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    tokens_page(&authority, &me, (None, None)).await
}

#[derive(Deserialize)]
pub(super) struct TokenForm {
    name: String,
    scope: String,
    expires_after: String,
}

pub(super) async fn make_token(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<TokenForm>,
) -> Response {
    let TokenForm { name, scope, expires_after, .. } = form;
    match authority.make_own_token(&me.caller, &name, &scope, &expires_after).await {
        Ok(token) => {
            let token = Some(token.expose().to_owned());
            tokens_page(&authority, &me, (None, token)).await
        }
        Err(error) => {
            let error = ApiError::from(error);
            error.log();
            let page = tokens_page(&authority, &me, (Some(plain(&error.told())), None)).await;
            (error.status(), page).into_response()
        }
    }
}

pub(super) async fn end_token(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<EndForm>,
) -> Response {
    let own = match authority.own_tokens(&me.caller).await {
        Ok(all) => all,
        Err(error) => return view::fault(error),
    };
    if own.iter().any(|own| own.access.id.to_string() == form.id)
        && let Err(error) = authority.revoke_access(&me.caller, &form.id).await
    {
        return view::fault(error);
    }
    Redirect::to("/settings/tokens").into_response()
}

#[derive(Template)]
#[template(path = "linked.html")]
struct PeoplePage {
    page: Page,
    links: Vec<LinkLine>,
}

struct LinkLine {
    person: Name,
    account: Name,
    /// The ids by which the link is undone.
    ids: (String, String),
    since: String,
    until: Option<String>,
}

/// Who is linked with whom, for administrators.
pub(super) async fn people(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let links = match authority.all_links(&me.caller) {
        Ok(links) => links,
        Err(error) => return view::fault(error),
    };
    let line = |link: &Link| LinkLine {
        person: authority.name_of(&link.person),
        account: authority.name_of(&link.account),
        ids: (link.person.to_string(), link.account.to_string()),
        since: when::clock(link.since),
        until: link.until.map(when::clock),
    };
    let page = me.page("Everybody’s linked accounts").at("/settings");
    view::html(&PeoplePage { page, links: links.iter().rev().map(line).collect() })
}

#[derive(Deserialize)]
pub(super) struct UnlinkForm {
    person: String,
    account: String,
}

pub(super) async fn unlink(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<UnlinkForm>,
) -> Response {
    let undone: Result<(), AppError> =
        authority.unlink(&me.caller, &form.person, &form.account).await;
    match undone {
        Ok(()) => Redirect::to("/admin/people").into_response(),
        Err(error) => view::fault(error),
    }
}

//! What every page begins with, history, policy, and the link that a plan shows.

use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use assent_core::request::Request;
use assent_core::wire;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::{AppError, Authority};
use crate::ledger::States;
use crate::web::csrf;
use crate::web::people::Name;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Line, Page};

/// How many requests a page lists.
const PAGE: usize = 50;

impl SignedIn {
    pub(super) fn page(&self, title: &str) -> Page {
        Page {
            title: title.to_owned(),
            person: Some(Name::of_principal(self.caller.principal())),
            csrf: csrf::token(&self.cookie),
            notices: self.notices.clone(),
            administers: self.caller.is_administrator(),
            here: "",
            live: None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct HistoryQuery {
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    page: Page,
    lines: Vec<Line>,
    next: Option<String>,
}

pub(super) async fn history(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(query): Query<HistoryQuery>,
) -> Response {
    let before = match query.before.map(|id| id.parse()).transpose() {
        Ok(before) => before,
        Err(error) => return view::fault(AppError::Id(error)),
    };
    let listing = match authority.requests(&me.caller, States::Any, before, PAGE).await {
        Ok(listing) => listing,
        Err(error) => return view::fault(error),
    };
    let line = |request: &Request| Line::from(&authority.show(request));
    view::html(&HistoryPage {
        page: me.page("History").at("/history"),
        lines: listing.requests.iter().map(line).collect(),
        next: listing.next.map(|id| id.to_string()),
    })
}

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    page: Page,
    status: wire::PolicyStatus,
    since: String,
    rules: Vec<RuleLine>,
    kept: Vec<KeptLine>,
}

/// Something that came over the API.
struct KeptLine {
    name: String,
    by: String,
    at: String,
}

struct RuleLine {
    id: String,
    effect: &'static str,
    place: String,
    description: Option<String>,
}

/// By what the authority rules.
pub(super) async fn policy(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let (status, policy) = (authority.policy_status(Some(&me.caller)), authority.policy());
    let line = |(id, effect, description): (&str, &'static str, Option<&str>)| RuleLine {
        id: id.to_owned(),
        effect,
        place: policy.place_of(id).map(|place| plain(&place.to_string())).unwrap_or_default(),
        description: description.map(plain),
    };
    let kept = match authority.kept(&me.caller).await {
        Ok(kept) => kept,
        Err(error) => return view::fault(error),
    };
    let kept = kept.into_iter().map(|kept| KeptLine {
        name: plain(&kept.name),
        by: plain(&kept.by),
        at: view::clock(&kept.at.to_string()),
    });
    view::html(&PolicyPage {
        page: me.page("Policy").at("/policy"),
        kept: kept.collect(),
        since: view::clock(&status.loaded_at),
        rules: policy.rules().map(line).collect(),
        status,
    })
}

#[derive(Template)]
#[template(path = "intent.html")]
struct IntentPage {
    page: Page,
    digest: String,
}

/// The link that is known before anything is filed: it leads to the newest request for the intent.
pub(super) async fn intent(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(hex): Path<String>,
) -> Response {
    let missing = || AppError::NotFound { what: "intent", id: hex.chars().take(80).collect() };
    let Ok(digest) = Digest::from_hex(&hex) else { return view::fault(missing()) };
    match authority.newest_with(&me.caller, digest).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(AppError::NotFound { .. }) => {
            view::html(&IntentPage { page: me.page("Not filed yet"), digest: digest.to_string() })
        }
        Err(error) => view::fault(error),
    }
}

//! All of a request, where its page shows the beginning: the whole plan, and everything that was asked.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::read;
use crate::app::{AppError, Authority};
use crate::web::plan::{self, ChangeView, PlanPage};
use crate::web::risk;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};

#[derive(Deserialize)]
pub(in crate::web) struct PlanQuery {
    #[serde(default)]
    page: Option<usize>,
    /// Only changes whose address holds this.
    #[serde(default)]
    q: String,
    /// One change alone, by its place in the plan.
    #[serde(default)]
    change: Option<usize>,
}

#[derive(Template)]
#[template(path = "plan.html")]
struct WholePlanPage {
    page: Page,
    id: String,
    sentence: String,
    headline: String,
    digest: String,
    shown: PlanPage,
    one: Option<ChangeView>,
    q: String,
    before: Option<String>,
    after: Option<String>,
}

/// The whole plan, page by page: every change, and of one change every value.
pub(in crate::web) async fn plan(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
    Query(query): Query<PlanQuery>,
) -> Response {
    let (request, reading) = match read(&authority, &me, &id).await {
        Ok((request, Some(reading))) => (request, reading),
        Ok((_, None)) => {
            return view::fault(AppError::NotFound { what: "plan of the request", id });
        }
        Err(error) => return view::fault(error),
    };
    let one = query.change.and_then(|number| reading.whole_change(number, &id));
    if query.change.is_some() && one.is_none() {
        return view::fault(AppError::NotFound { what: "change of the plan", id });
    }
    let shown = PlanPage::of(&reading, &id, query.page.unwrap_or(1), query.q.trim());
    let intent = authority.show(&request).intent;
    let address = |page: usize| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.append_pair("page", &page.to_string());
        if !query.q.trim().is_empty() {
            text.append_pair("q", query.q.trim());
        }
        format!("/requests/{}/plan?{}", request.id(), text.finish())
    };
    view::html(&WholePlanPage {
        page: me.page("The whole plan").at("/"),
        id: request.id().to_string(),
        sentence: risk::sentence(&intent, Some(&reading.plan.facts), None),
        headline: plan::headline(&reading.plan.facts),
        digest: reading.plan.digest.to_string(),
        before: (shown.page > 1).then(|| address(shown.page - 1)),
        after: (shown.page < shown.pages).then(|| address(shown.page + 1)),
        one,
        q: plain(query.q.trim()),
        shown,
    })
}

#[derive(Template)]
#[template(path = "intent_whole.html")]
struct WholeIntentPage {
    page: Page,
    id: String,
    sentence: String,
    reason: String,
    digest: String,
    fields: Vec<(String, String)>,
    diff: Option<String>,
    context: Option<String>,
}

/// Everything that the requester says, however long.
pub(in crate::web) async fn intent(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
) -> Response {
    let request = match authority.request(&me.caller, &id).await {
        Ok(request) => request,
        Err(error) => return view::fault(error),
    };
    let shown = authority.show(&request);
    view::html(&WholeIntentPage {
        page: me.page("Everything that was asked").at("/"),
        id: shown.id.clone(),
        sentence: risk::sentence(&shown.intent, None, shown.source.as_ref()),
        reason: plain(&shown.intent.reason),
        digest: shown.digest.clone(),
        fields: view::fields(&shown.intent),
        diff: view::diff(&shown.intent),
        context: view::context(&shown.intent),
    })
}

//! Inbox, history, one request.

use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use assent_core::membership::Tie;
use assent_core::request::{Request, ReviewError};
use assent_core::wire;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::{AppError, Authority, Wish};
use crate::ledger::States;
use crate::web::csrf;
use crate::web::plan::PlanView;
use crate::web::session::{SignedIn, foreign_form};
use crate::web::sign_in;
use crate::web::text::plain;
use crate::web::view::{self, Elsewhere, Line, Page, Question, Source};

/// How many requests a page lists.
const PAGE: usize = 50;

impl SignedIn {
    pub(super) fn page(&self, title: &str) -> Page {
        Page {
            title: title.to_owned(),
            person: Some(self.caller.principal().id.to_string()),
            csrf: csrf::token(&self.cookie),
            notices: self.notices.clone(),
            administers: self.caller.is_administrator(),
        }
    }
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    page: Page,
    mine: Vec<Line>,
    asked: Vec<Line>,
    others: Vec<Line>,
}

pub(super) async fn inbox(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let page = match authority.requests(&me.caller, States::Open, None, PAGE).await {
        Ok(page) => page,
        Err(error) => return view::fault(error),
    };
    let now = authority.clock().now();
    let (mut mine, mut asked, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let later = match authority.asked_afterwards(&me.caller).await {
        Ok(later) => later,
        Err(error) => return view::fault(error),
    };
    mine.extend(later.iter().map(|one| Line::from(&authority.show(one))));
    // A grant that is open still and waits to be looked at stands here once.
    let waits_already = |id| later.iter().any(|one| one.id() == id);
    for request in page.requests.iter().filter(|request| !waits_already(request.id())) {
        let line = Line::from(&authority.show(request));
        let principal = me.caller.principal();
        let membership = authority.membership();
        if request.may_review(principal, &membership, now).is_none() {
            mine.push(line);
        } else if membership.tie(&principal.id, &request.requester().behind()) == Some(Tie::Behind)
        {
            asked.push(line);
        } else {
            others.push(line);
        }
    }
    view::html(&InboxPage { page: me.page("Inbox"), mine, asked, others })
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
        page: me.page("History"),
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
        page: me.page("Policy"),
        kept: kept.collect(),
        since: view::clock(&status.loaded_at),
        rules: policy.rules().map(line).collect(),
        status,
    })
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    page: Page,
    request: wire::Request,
    sentence: String,
    reason: String,
    requester: String,
    fields: Vec<(String, String)>,
    diff: Option<String>,
    context: Option<String>,
    hides: bool,
    filed_at: String,
    expires_at: Option<String>,
    rules: String,
    reviews: Vec<ReviewLine>,
    ending: Option<String>,
    may_review: bool,
    why_not: Option<String>,
    later: Vec<LaterLine>,
    may_review_later: bool,
    plan: Option<PlanView>,
    question: Option<Question>,
    source: Option<Source>,
    elsewhere: Vec<Elsewhere>,
}

/// A review that is due after the grant.
struct LaterLine {
    rule: String,
    status: String,
    asks: String,
    due: String,
    reviews: Vec<ReviewLine>,
}

struct ReviewLine {
    reviewer: String,
    approves: bool,
    comment: String,
    at: String,
}

pub(super) async fn request(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
) -> Response {
    let request = match authority.request(&me.caller, &id).await {
        Ok(request) => request,
        Err(error) => return view::fault(error),
    };
    let plan = match request.intent().plan() {
        None => None,
        Some(digest) => match authority.plan(&me.caller, &digest.to_string()).await {
            Ok(plan) => Some(PlanView::of(&plan)),
            // Nobody decides on what is not shown.
            Err(error) => return view::fault(error),
        },
    };
    view::html(&request_page(&authority, &me, &request, plan))
}

fn request_page(
    authority: &Authority,
    me: &SignedIn,
    request: &Request,
    plan: Option<PlanView>,
) -> RequestPage {
    let now = authority.clock().now();
    let objection = request.may_review(me.caller.principal(), &authority.membership(), now);
    let shown = authority.show(request);
    let later_objection =
        request.may_review_afterwards(me.caller.principal(), &authority.membership());
    let ended = |ending: &wire::Ending| {
        let by = ending.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let at = view::clock(&ending.at);
        format!("{}{by}, {at}: {}", shown.state, plain(&ending.reason))
    };
    let problems = authority.problems_abroad(request.id());
    let elsewhere = shown.stages.iter().filter_map(|stage| {
        let problem = problems.iter().find(|(name, _)| *name == stage.name);
        let problem = problem.map(|(_, problem)| problem.as_str());
        Some(view::elsewhere(stage.elsewhere.as_ref()?, problem))
    });
    RequestPage {
        question: view::question(&shown.intent),
        source: shown.source.as_ref().map(Source::from),
        elsewhere: elsewhere.collect(),
        page: me.page(&view::sentence(&shown.intent)),
        sentence: view::sentence(&shown.intent),
        reason: plain(&shown.intent.reason),
        requester: view::who(&shown.requester),
        fields: view::fields(&shown.intent),
        diff: view::diff(&shown.intent),
        context: view::context(&shown.intent),
        hides: view::has_hidden(&shown),
        filed_at: view::clock(&shown.filed_at),
        expires_at: shown.expires_at.as_deref().map(view::clock),
        rules: shown.ruling.rules.iter().cloned().collect::<Vec<_>>().join(", "),
        reviews: shown.reviews.iter().map(ReviewLine::from).collect(),
        ending: shown.ending.as_ref().map(ended),
        may_review: objection.is_none(),
        why_not: objection.and_then(|objection| why_not(&objection)),
        later: shown.afterwards.iter().map(LaterLine::from).collect(),
        may_review_later: later_objection.is_none(),
        plan,
        request: shown,
    }
}

impl From<&wire::Review> for ReviewLine {
    fn from(review: &wire::Review) -> Self {
        Self {
            reviewer: review.reviewer.clone(),
            approves: review.verdict == wire::Verdict::Approve,
            comment: plain(&review.comment),
            at: view::clock(&review.at),
        }
    }
}

impl From<&wire::Afterwards> for LaterLine {
    fn from(after: &wire::Afterwards) -> Self {
        Self {
            rule: after.rule.clone(),
            status: after.status.clone(),
            asks: format!("{} from {}", after.approvals, after.by.join(", ")),
            due: view::clock(&after.due),
            reviews: after.reviews.iter().map(ReviewLine::from).collect(),
        }
    }
}

/// Why this person is not asked, where that is not plain from the page.
fn why_not(objection: &ReviewError) -> Option<String> {
    match objection {
        ReviewError::NotPending { .. } | ReviewError::OtherDigest { .. } => None,
        ReviewError::TooLate { .. }
        | ReviewError::NotAPerson(_)
        | ReviewError::OwnRequest(_)
        | ReviewError::Unlinked { .. }
        | ReviewError::Twice(_)
        | ReviewError::SignInAgain(_)
        | ReviewError::NotAsked { .. } => Some(objection.to_string()),
    }
}

#[derive(Deserialize)]
pub(super) struct ReviewForm {
    csrf: String,
    digest: String,
    verdict: String,
    #[serde(default)]
    comment: String,
}

pub(super) async fn review(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    me: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<ReviewForm>,
) -> Response {
    if !csrf::holds(&me.cookie, &form.csrf, &headers, authority.base()) {
        return foreign_form();
    }
    let verdict = match form.verdict.as_str() {
        "approve" => wire::Verdict::Approve,
        "deny" => wire::Verdict::Deny,
        _ => return foreign_form(),
    };
    let wish = wish(&me, "page review", &id, &form);
    let review = wire::NewReview { verdict, comment: form.comment, digest: form.digest };
    match authority.review(&me.caller, &id, review, wish).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => sign_in::again_or_fault(&me, &id, error),
    }
}

/// A later review, from the page of its request.
pub(super) async fn review_afterwards(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    me: SignedIn,
    Path(id): Path<String>,
    Form(form): Form<ReviewForm>,
) -> Response {
    if !csrf::holds(&me.cookie, &form.csrf, &headers, authority.base()) {
        return foreign_form();
    }
    let verdict = match form.verdict.as_str() {
        "approve" => wire::Verdict::Approve,
        "object" => wire::Verdict::Deny,
        _ => return foreign_form(),
    };
    let wish = wish(&me, "page later review", &id, &form);
    let review = wire::NewReview { verdict, comment: form.comment, digest: form.digest };
    match authority.review_afterwards(&me.caller, &id, review, wish).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => view::fault(error),
    }
}

/// The same form sent twice is one wish: a person presses a button again when nothing happens.
fn wish(me: &SignedIn, route: &str, id: &str, form: &ReviewForm) -> Wish {
    let body = format!("{id}\n{}\n{}\n{}", form.verdict, form.digest, form.comment);
    let key = Digest::of(format!("{}\n{body}", me.caller.access().id).as_bytes()).hex();
    Wish::new(&me.caller, route, &key, body.as_bytes())
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

//! One request: what will happen, its risks, its changes, who decides, and what became of it.

use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use assent_core::request::{Request, ReviewError, State as RequestState};
use assent_core::wire;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Reading, Wish};
use crate::web::again;
use crate::web::csrf;
use crate::web::inbox;
use crate::web::live::Live;
use crate::web::passkeys::{self, Signing};
use crate::web::people::{self, Name};
use crate::web::plan::{ChangeView, PlanPage, PlanView};
use crate::web::risk::{self, RiskLine, Weight};
use crate::web::session::{SignedIn, foreign_form};
use crate::web::standing::Standing;
use crate::web::story::{self, Moment};
use crate::web::text::{LookAlike, plain};
use crate::web::view::{self, Elsewhere, Page, Question, Source};
use crate::web::when::{self, Deadline};

/// How many of those who can still approve are named.
const NAMED: usize = 8;
/// How much of what the requester says besides is on the page itself, in letters.
const SAID: usize = 6_000;

#[derive(Template)]
#[template(path = "request.html")]
struct RequestPage {
    page: Page,
    request: wire::Request,
    sentence: String,
    reason: String,
    requester: Name,
    behind: String,
    /// The whole ids of those who ask, for whoever wants to know exactly.
    ids: Vec<String>,
    filed_at: String,
    stands: String,
    standing: Standing,
    until: Option<Deadline>,
    ending: Option<String>,
    hides: bool,
    look_alikes: Vec<(String, LookAlike)>,
    risks: Vec<RiskLine>,
    calm: Option<&'static str>,
    plan: Option<PlanView>,
    question: Option<Question>,
    source: Option<Source>,
    fields: Vec<(String, String)>,
    diff: Option<Cut>,
    context: Option<Cut>,
    rules: String,
    stages: Vec<StageView>,
    grants: Vec<String>,
    reviews: Vec<ReviewLine>,
    later: Vec<LaterLine>,
    may_review: bool,
    signing: Option<Signing>,
    why_me: Vec<String>,
    why_not: Option<String>,
    may_review_later: bool,
    /// Whether everything that is decided on stands on this very page.
    is_whole: bool,
    story: Vec<Moment>,
    credentials: Vec<CredentialLine>,
    /// Why what was sent was not taken, and what was typed.
    fault: Option<String>,
    typed: String,
}

/// A text of which the page shows the beginning.
struct Cut {
    text: String,
    more: usize,
}

impl Cut {
    fn of(text: String) -> Self {
        let more = text.chars().count().saturating_sub(SAID);
        if more == 0 {
            return Self { text, more };
        }
        Self { text: text.chars().take(SAID).collect(), more }
    }
}

/// One stage: who approved, who still can.
struct StageView {
    name: String,
    from: String,
    needed: u32,
    counted: Vec<Name>,
    awaited: Vec<Name>,
    awaited_more: usize,
    filled: bool,
    open: bool,
    notes: Vec<String>,
    elsewhere: Option<Elsewhere>,
}

struct ReviewLine {
    reviewer: Name,
    is_signed: bool,
    approves: bool,
    comment: String,
    at: String,
}

/// A review that is due after the grant.
struct LaterLine {
    rule: String,
    status: String,
    asks: String,
    due: String,
    reviews: Vec<ReviewLine>,
}

struct CredentialLine {
    id: String,
    status: String,
    audience: String,
    until: String,
    opened: Option<String>,
}

/// What somebody sent that was not taken.
#[derive(Default)]
struct NotTaken {
    fault: Option<String>,
    typed: String,
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
) -> Response {
    match made(&authority, &me, &id, NotTaken::default()).await {
        Ok(page) => view::html(&page),
        Err(error) => view::fault(error),
    }
}

/// The request, and the plan that it names. Nobody decides on what is not shown: where the plan cannot be
/// had, neither can the page.
async fn read(
    authority: &Authority,
    me: &SignedIn,
    id: &str,
) -> Result<(Request, Option<Arc<Reading>>), AppError> {
    let request = authority.request(&me.caller, id).await?;
    let reading = authority.plan_of(&request).await?;
    Ok((request, reading))
}

async fn made(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    not_taken: NotTaken,
) -> Result<RequestPage, AppError> {
    let log_size = authority.ledger().head().await?.size;
    let (request, reading) = read(authority, me, id).await?;
    authority.note_opening(&me.caller, &request);
    let story = story::of(&authority.story(&me.caller, id).await?, |by| Name::known(authority, by));
    let before = authority.plan_approved_before(&me.caller, &request).await?;
    let signing = passkeys::signing(authority, me, &request).await?;
    let now = authority.clock().now();
    let membership = authority.membership();
    let shown = authority.show(&request);
    let principal = me.caller.principal();
    let objection = request.may_review(principal, &membership, now);
    let later_objection = request.may_review_afterwards(principal, &membership);
    let plan = reading.as_deref().map(|reading| PlanView::of(reading, id));
    let facts = reading.as_ref().map(|reading| &reading.plan.facts);
    let sentence = risk::sentence(&shown.intent, facts, shown.source.as_ref());
    let mut risks = match (&reading, &plan) {
        (Some(reading), Some(plan)) => {
            let numbers = plan.groups.iter().flat_map(|group| &group.changes);
            let numbers: Vec<_> = numbers.map(|change| change.number).collect();
            risk::of_plan(&reading.plan, &shown.id, |number| numbers.contains(&number))
        }
        _ => Vec::new(),
    };
    let before = before.as_ref().and_then(|one| one.known().plan.as_ref()).map(|plan| &plan.facts);
    risks.extend(facts.and_then(|facts| risk::new_providers(facts, before)));
    risks.extend(beside_the_plan(&shown));
    risks.sort_by_key(|line| line.weight);
    let is_calm = facts.is_some() && risks.iter().all(|line| line.weight == Weight::Note);
    let (diff, context) = said(&shown);
    let is_whole = is_whole(plan.as_ref(), &diff, &context);
    let (requester, behind) = people::requester(request.requester());
    let until = request.deadline().map(|at| Deadline::new(at, now));
    let asked = request.asks_of(&principal.id, &membership);
    let stages = stages(authority, &request, &shown);
    Ok(RequestPage {
        page: me.page(&sentence).at("/").live(Live::new(log_size, now)),
        stands: standing(&request, &shown),
        standing: Standing::of(authority, me, &request),
        sentence,
        reason: plain(&shown.intent.reason),
        behind: people::row(&behind, NAMED),
        ids: ids(&request),
        requester,
        filed_at: when::clock(request.filed_at()),
        until,
        ending: shown.ending.as_ref().map(|ending| ended(&shown.state, ending)),
        hides: view::has_hidden(&shown) || plan.as_ref().is_some_and(|plan| plan.hides),
        look_alikes: look_alikes(&shown, plan.as_ref()),
        risks,
        calm: is_calm.then_some(risk::CALM),
        plan,
        question: view::question(&shown.intent),
        source: shown.source.as_ref().map(Source::from),
        fields: view::fields(&shown.intent),
        diff,
        context,
        rules: shown.ruling.rules.iter().cloned().collect::<Vec<_>>().join(", "),
        stages,
        grants: grants(&shown),
        reviews: shown.reviews.iter().map(|one| ReviewLine::of(authority, one)).collect(),
        later: shown.afterwards.iter().map(|one| LaterLine::of(authority, one)).collect(),
        may_review: objection.is_none(),
        signing,
        why_me: asked.iter().map(inbox::why).collect(),
        why_not: objection.and_then(|objection| why_not(&objection)),
        may_review_later: later_objection.is_none(),
        is_whole,
        story,
        credentials: shown.credentials.iter().map(CredentialLine::from).collect(),
        fault: not_taken.fault,
        typed: not_taken.typed,
        request: shown,
    })
}

fn said(shown: &wire::Request) -> (Option<Cut>, Option<Cut>) {
    (view::diff(&shown.intent).map(Cut::of), view::context(&shown.intent).map(Cut::of))
}

fn is_whole(plan: Option<&PlanView>, diff: &Option<Cut>, context: &Option<Cut>) -> bool {
    let is_cut = |cut: &Option<Cut>| cut.as_ref().is_some_and(|cut| cut.more > 0);
    plan.is_none_or(|plan| plan.is_whole) && !is_cut(diff) && !is_cut(context)
}

/// Where it stands, in a few words. What is said of it when it changes is this.
fn standing(request: &Request, shown: &wire::Request) -> String {
    let counted: usize = shown.stages.iter().map(|stage| stage.counted.len()).sum();
    let needed: u32 = shown.stages.iter().map(|stage| stage.approvals).sum();
    match request.state() {
        RequestState::Pending(_) => {
            format!("Waits for a decision: {counted} of {needed} approvals")
        }
        RequestState::Approved(_) if needed == 0 => "Permitted by policy".to_owned(),
        RequestState::Approved(_) => "Approved, not yet used".to_owned(),
        RequestState::Consumed(_) => "Approved and used".to_owned(),
        RequestState::Denied(_) => "Denied".to_owned(),
        RequestState::Expired(_) => "Expired: its time was up".to_owned(),
        RequestState::Canceled(_) => "Canceled".to_owned(),
        RequestState::Revoked(_) => "Taken back".to_owned(),
    }
}

fn ended(state: &str, ending: &wire::Ending) -> String {
    let by = ending.by.as_deref().map(|by| match by.strip_prefix("authority:") {
        Some(name) => format!(" by {}", plain(name)),
        None => format!(" by {}", Name::read(by).short),
    });
    let at = view::clock(&ending.at);
    let why = plain(&ending.reason);
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("{state}{}, {at}{why}", by.unwrap_or_default())
}

fn ids(request: &Request) -> Vec<String> {
    let who = request.requester();
    let all = std::iter::once(&who.id).chain(&who.acts_for);
    all.map(|id| plain(&format!("{}#{}", id.iss(), id.sub()))).collect()
}

fn look_alikes(shown: &wire::Request, plan: Option<&PlanView>) -> Vec<(String, LookAlike)> {
    let mut found = view::look_alikes(shown);
    let of_plan = plan.iter().flat_map(|plan| plan.look_alikes.iter().cloned());
    found.extend(of_plan.map(|one| ("the plan".to_owned(), one)));
    found
}

/// What is to be known beside what a plan tells.
fn beside_the_plan(shown: &wire::Request) -> Vec<RiskLine> {
    let mut lines = Vec::new();
    let mut line = |weight, text: String| {
        lines.push(RiskLine { weight, text, links: Vec::new(), more: 0 });
    };
    if shown.intent.plan.is_none() && shown.intent.kind == "terraform.apply" {
        line(
            Weight::Unknown,
            "No plan was handed in: what it changes is not known here".to_owned(),
        );
    }
    if let Some(count) = shown.source.as_ref().and_then(|source| source.unknown_authors.as_ref()) {
        let text =
            format!("{} of its commits are by authors whom GitHub does not know", plain(count));
        line(Weight::Grave, text);
    }
    if let Some(risk) = shown.ruling.risk {
        let score = match risk.least == risk.most {
            true => risk.least.to_string(),
            false => format!("{} to {}", risk.least, risk.most),
        };
        line(Weight::Note, format!("Risk score of the policy: {score}"));
    }
    lines
}

/// Those who are named in a stage.
fn stages(authority: &Authority, request: &Request, shown: &wire::Request) -> Vec<StageView> {
    let problems = authority.problems_abroad(request.id());
    let asked = request.asked_stages();
    let of = |(status, stage): (&wire::StageStatus, &assent_core::policy::ruling::Stage)| {
        let problem = problems.iter().find(|(name, _)| *name == status.name);
        let problem = problem.map(|(_, problem)| problem.as_str());
        let mut notes = Vec::new();
        if let Some(before) = stage.after.as_ref().filter(|_| !status.open) {
            notes.push(format!("asked once {} is filled", plain(before)));
        }
        if let Some(at) = &status.escalated_at {
            notes.push(format!("others are asked too since {}", view::clock(at)));
        }
        if let Some(within) = stage.login_within {
            let within = when::span(within);
            notes.push(format!("a sign-in at most {within} ago is needed"));
        }
        for (what, lists) in [("of class", &stage.means.acr), ("by", &stage.means.amr)] {
            for any in lists {
                let any = any.iter().map(|one| plain(one)).collect::<Vec<_>>().join(" or ");
                notes.push(format!("a sign-in {what} {any} is needed"));
            }
        }
        if let Some(demand) = stage.signature {
            notes.push(format!("signed with {demand}"));
        }
        let counted: Vec<_> =
            status.counted.iter().map(|who| Name::read_known(authority, who)).collect();
        let is_pending = matches!(request.state(), RequestState::Pending(_));
        let awaited = status
            .awaited
            .iter()
            .filter(|_| is_pending)
            .map(|who| Name::read_known(authority, who));
        let awaited: Vec<_> = awaited.collect();
        StageView {
            name: plain(&status.name),
            from: status
                .from
                .iter()
                .map(|one| people::approver_text(one))
                .collect::<Vec<_>>()
                .join(", "),
            needed: status.approvals,
            filled: counted.len() >= usize::try_from(status.approvals).unwrap_or(usize::MAX),
            counted,
            awaited_more: awaited.len().saturating_sub(NAMED),
            awaited: awaited.into_iter().take(NAMED).collect(),
            open: status.open,
            notes,
            elsewhere: status.elsewhere.as_ref().map(|to| view::elsewhere(to, problem)),
        }
    };
    shown.stages.iter().zip(asked.iter()).map(of).collect()
}

/// What a grant lets its holder do, line by line.
fn grants(shown: &wire::Request) -> Vec<String> {
    let Some(terms) = &shown.ruling.credential else { return Vec::new() };
    // What a change of policy is granted is the change itself.
    if view::diff(&shown.intent).is_some() {
        return Vec::new();
    }
    let count = if terms.uses == 1 {
        "One credential".to_owned()
    } else {
        format!("{} credentials", terms.uses)
    };
    let whom = match &terms.audiences {
        None => "for any audience".to_owned(),
        Some(audiences) => {
            let names: Vec<_> = audiences.iter().map(|name| plain(name)).collect();
            format!("for {}", names.join(", "))
        }
    };
    let (ttl, window) = (when::written(&terms.max_ttl), when::written(&terms.grant_window));
    let mut lines = vec![
        format!("{count} {whom}, good for at most {ttl}"),
        format!("To be used within {window} of the approval, and only for exactly this"),
    ];
    if let Some(broker) = &terms.broker {
        let role = terms.role.as_ref().map(|role| format!(" as {}", plain(role)));
        lines.push(format!("It opens {}{}", plain(broker), role.unwrap_or_default()));
    } else if let Some(role) = &terms.role {
        lines.push(format!("Its role is {}", plain(role)));
    }
    if let Some(silence) = &terms.heartbeat {
        lines.push(format!("It ends when its holder is silent for {}", when::written(silence)));
    }
    if terms.dpop.is_some() {
        lines.push("It is bound to a key that its holder proves to have".to_owned());
    }
    if terms.reuse_within_run {
        lines.push("Another attempt at the same run may use it".to_owned());
    }
    lines
}

impl ReviewLine {
    fn of(authority: &Authority, review: &wire::Review) -> Self {
        Self {
            reviewer: Name::read_known(authority, &review.reviewer),
            is_signed: review.passkey.is_some(),
            approves: review.verdict == wire::Verdict::Approve,
            comment: plain(&review.comment),
            at: view::clock(&review.at),
        }
    }
}

impl LaterLine {
    fn of(authority: &Authority, after: &wire::Afterwards) -> Self {
        let from: Vec<_> = after.by.iter().map(|one| people::approver_text(one)).collect();
        Self {
            rule: after.rule.clone(),
            status: after.status.clone(),
            asks: format!("{} of {}", after.approvals, from.join(", ")),
            due: view::clock(&after.due),
            reviews: after.reviews.iter().map(|one| ReviewLine::of(authority, one)).collect(),
        }
    }
}

impl From<&wire::CredentialStatus> for CredentialLine {
    fn from(credential: &wire::CredentialStatus) -> Self {
        let opened = credential.brokered.as_ref().map(|opened| {
            let problem = opened.problem.as_ref().map(|problem| format!(" ({})", plain(problem)));
            format!("{}: {}{}", plain(&opened.broker), opened.status, problem.unwrap_or_default())
        });
        Self {
            id: credential.id.clone(),
            status: credential.status.replace('_', " "),
            audience: plain(&credential.audience),
            until: view::clock(&credential.expires_at),
            opened,
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
        | ReviewError::Unsigned(_)
        | ReviewError::OtherStatement(_)
        | ReviewError::NotAsked { .. } => Some(plain(&objection.to_string())),
    }
}

#[derive(Deserialize)]
pub(super) struct ReviewForm {
    csrf: String,
    digest: String,
    verdict: String,
    #[serde(default)]
    comment: String,
    /// Said where the page does not show everything: that the rest was read too.
    #[serde(default)]
    read_all: String,
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
    if let Err(refusal) = check_read(&authority, &me, &id, verdict, &form).await {
        return refusal;
    }
    let wish = match review_wish(&authority, &me, &id, &form).await {
        Ok(wish) => wish,
        Err(error) => return view::fault(error),
    };
    let typed = form.comment.clone();
    let review =
        wire::NewReview { verdict, comment: form.comment, digest: form.digest, signature: None };
    match authority.review(&me.caller, &id, review, wish).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => refused(&authority, &me, &id, error, typed).await,
    }
}

/// What a form says of how much its reader has seen, and in which words they decide.
pub(super) trait Decided {
    /// Whether they say that they read what the page does not show.
    fn has_read_all(&self) -> bool;
    /// Their words.
    fn comment(&self) -> &str;
}

impl Decided for ReviewForm {
    fn has_read_all(&self) -> bool {
        self.read_all == "yes"
    }

    fn comment(&self) -> &str {
        &self.comment
    }
}

/// Nobody approves what they have not said to have read, where the page does not show all of it.
pub(super) async fn check_read(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    verdict: wire::Verdict,
    form: &impl Decided,
) -> Result<(), Response> {
    if verdict != wire::Verdict::Approve || form.has_read_all() {
        return Ok(());
    }
    match unread(authority, me, id).await {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => {
            let refused = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "not_all_read", problem);
            Err(not_taken(authority, me, id, refused, form.comment().to_owned()).await)
        }
        Err(error) => Err(view::fault(error)),
    }
}

/// Why nobody may approve yet who has not said that they read more than the page: it does not show all.
async fn unread(
    authority: &Authority,
    me: &SignedIn,
    id: &str,
) -> Result<Option<&'static str>, AppError> {
    let (request, reading) = read(authority, me, id).await?;
    let (diff, context) = said(&authority.show(&request));
    let plan = reading.as_deref().map(|reading| PlanView::of(reading, id));
    let problem = "this page does not show everything: read the rest, and say that you did";
    Ok((!is_whole(plan.as_ref(), &diff, &context)).then_some(problem))
}

/// What follows where a word was not taken: to a sign-in, where that is what is missing; else the same
/// page again.
pub(super) async fn refused(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    error: AppError,
    typed: String,
) -> Response {
    match again::step_up(me, id, &error) {
        Some(to_sign_in) => to_sign_in,
        None => not_taken(authority, me, id, error.into(), typed).await,
    }
}

/// The same page again, with what was typed and why it was not taken.
async fn not_taken(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    error: ApiError,
    typed: String,
) -> Response {
    let faults = error.errors().iter().map(|one| format!("{}: {}", one.field, one.problem));
    let faults: Vec<_> = faults.collect();
    let detail = if faults.is_empty() { error.detail().to_owned() } else { faults.join("; ") };
    let not_taken = NotTaken { fault: Some(plain(&detail)), typed: plain(&typed) };
    match made(authority, me, id, not_taken).await {
        Ok(page) => {
            error.log();
            (error.status(), view::html(&page)).into_response()
        }
        Err(_) => view::refused(&error),
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
    let typed = form.comment.clone();
    let review =
        wire::NewReview { verdict, comment: form.comment, digest: form.digest, signature: None };
    match authority.review_afterwards(&me.caller, &id, review, wish).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => not_taken(&authority, &me, &id, error.into(), typed).await,
    }
}

/// A word given again after it was withdrawn is another wish, though it be the same word.
async fn review_wish(
    authority: &Authority,
    me: &SignedIn,
    id: &str,
    form: &ReviewForm,
) -> Result<Wish, AppError> {
    let request = authority.request(&me.caller, id).await?;
    let who = &me.caller.principal().id;
    let withdrawn = request.withdrawn().iter().filter(|one| one.review.reviewer == *who).count();
    Ok(wish(me, &format!("page review {withdrawn}"), id, form))
}

/// The same form sent twice is one wish: a person presses a button again when nothing happens.
fn wish(me: &SignedIn, route: &str, id: &str, form: &ReviewForm) -> Wish {
    let body = format!("{id}\n{}\n{}\n{}", form.verdict, form.digest, form.comment);
    let key = Digest::of(format!("{}\n{body}", me.caller.access().id).as_bytes()).hex();
    Wish::new(&me.caller, route, &key, body.as_bytes())
}

#[derive(Deserialize)]
pub(super) struct PlanQuery {
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
pub(super) async fn plan(
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
        headline: crate::web::plan::headline(&reading.plan.facts),
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
pub(super) async fn intent(
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

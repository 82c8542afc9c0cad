//! One request: what will happen, its risks, its changes, who decides, and what became of it.

pub(super) mod deciding;
pub(super) mod whole;

use std::sync::Arc;

use askama::Template;
use assent_core::request::{Request, ReviewError, State as RequestState};
use assent_core::wire;
use axum::extract::{Path, State};
use axum::response::Response;

use crate::app::{AppError, Authority, Reading};
use crate::web::inbox;
use crate::web::live::Live;
use crate::web::passkeys::{self, Signing};
use crate::web::people::{self, Name};
use crate::web::plan::PlanView;
use crate::web::risk::{self, RiskLine, Weight};
use crate::web::session::SignedIn;
use crate::web::story::{self, Moment};
use crate::web::text::{LookAlike, plain};
use crate::web::view::{self, Elsewhere, Page, Question, Source};
use crate::web::when::{self, Deadline};
use crate::web::withdrawing::Withdrawing;

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
    withdrawing: Withdrawing,
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
    /// Whether there is something to prove.
    has_evidence: bool,
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
    let story = story::of(&authority.story(&me.caller, id).await?, &|by| authority.name_of(by));
    let before = authority.plan_approved_before(&me.caller, &request).await?;
    let signing = passkeys::signing(authority, me, &request).await?;
    let now = authority.clock().now();
    let membership = authority.membership();
    let shown = authority.show(&request);
    let principal = me.caller.principal();
    let stranger = authority.check_signs_in(&me.caller).err();
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
    let (requester, behind) = people::requester(authority, request.requester());
    let until = request.deadline().map(|at| Deadline::new(at, now));
    let asked = request.asks_of(&principal.id, &membership);
    let stages = stages(authority, &request, &shown);
    Ok(RequestPage {
        page: me.page(&sentence).at("/").live(Live::new(log_size, now)),
        stands: stands(&request, &shown),
        withdrawing: Withdrawing::of(authority, me, &request),
        sentence,
        reason: plain(&shown.intent.reason),
        behind: people::row(&behind, NAMED),
        ids: ids(&request),
        requester,
        filed_at: when::clock(request.filed_at()),
        until,
        ending: shown.ending.as_ref().map(|ending| ended(authority, &shown.state, ending)),
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
        may_review: objection.is_none() && stranger.is_none(),
        signing,
        why_me: asked.iter().map(|one| inbox::why(authority, one)).collect(),
        why_not: match objection {
            Some(objection) => why_not(&objection),
            None => stranger.as_ref().map(|error| plain(&error.to_string())),
        },
        may_review_later: later_objection.is_none() && stranger.is_none(),
        is_whole,
        story,
        has_evidence: shown.state != "pending" || !shown.reviews.is_empty(),
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
fn stands(request: &Request, shown: &wire::Request) -> String {
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

fn ended(authority: &Authority, state: &str, ending: &wire::Ending) -> String {
    let by = ending.by.as_deref().map(|by| match by.strip_prefix("authority:") {
        Some(name) => format!(" by {}", plain(name)),
        None => format!(" by {}", authority.name_read(by).short),
    });
    let at = when::clock_of(&ending.at);
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
            notes.push(format!("others are asked too since {}", when::clock_of(at)));
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
        let counted: Vec<_> = status.counted.iter().map(|who| authority.name_read(who)).collect();
        let is_pending = matches!(request.state(), RequestState::Pending(_));
        let awaited =
            status.awaited.iter().filter(|_| is_pending).map(|who| authority.name_read(who));
        let awaited: Vec<_> = awaited.collect();
        StageView {
            name: plain(&status.name),
            from: status
                .from
                .iter()
                .map(|one| people::approver_text(authority, one))
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
            reviewer: authority.name_read(&review.reviewer),
            is_signed: review.passkey.is_some(),
            approves: review.verdict == wire::Verdict::Approve,
            comment: plain(&review.comment),
            at: when::clock_of(&review.at),
        }
    }
}

impl LaterLine {
    fn of(authority: &Authority, after: &wire::Afterwards) -> Self {
        let from: Vec<_> =
            after.by.iter().map(|one| people::approver_text(authority, one)).collect();
        Self {
            rule: after.rule.clone(),
            status: after.status.clone(),
            asks: format!("{} of {}", after.approvals, from.join(", ")),
            due: when::clock_of(&after.due),
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
            until: when::clock_of(&credential.expires_at),
            opened,
        }
    }
}

/// Why this person is not asked, where that is not plain from the page.
fn why_not(objection: &ReviewError) -> Option<String> {
    match objection {
        ReviewError::NotPending { .. } | ReviewError::OtherDigest { .. } => None,
        ReviewError::OwnRequest(_) => {
            Some("You are behind this request, so your review cannot count".to_owned())
        }
        ReviewError::Twice(_) => {
            Some("You have reviewed this request already; nobody counts twice".to_owned())
        }
        ReviewError::NotAsked { .. } => Some("You are not among those asked now".to_owned()),
        ReviewError::TooLate { .. }
        | ReviewError::NotAPerson(_)
        | ReviewError::Unlinked { .. }
        | ReviewError::SignInAgain(_)
        | ReviewError::Unsigned(_)
        | ReviewError::OtherStatement(_) => Some(plain(&objection.to_string())),
    }
}

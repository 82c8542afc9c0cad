//! The inbox: what waits for somebody and why, what they asked for, and what else is open.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use assent_core::request::{Asked, Request, State};
use assent_core::time::Timestamp;
use axum::extract::{Query, State as Extract};
use axum::response::Response;
use serde::Deserialize;

use crate::app::{AppError, Authority, Waiting};
use crate::web::live::Live;
use crate::web::people::{self, Name};
use crate::web::risk;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when::{Deadline, clock};

/// How many requests each part shows at once.
const AT_ONCE: usize = 25;
/// How many of what somebody asked for and is over.
const ENDED: usize = 5;
/// How many choices a filter offers.
const CHOICES: usize = 50;
/// Longer texts end here in a list.
const LONGEST: usize = 200;

/// Which requests are looked for, and from where on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    environment: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    requester: String,
    #[serde(default)]
    q: String,
    /// The part of which more is wanted: `waiting`, `asked` or `others`.
    #[serde(default)]
    part: String,
    /// The request after which it goes on.
    #[serde(default)]
    after: String,
}

impl Filter {
    fn fits(&self, request: &Request) -> bool {
        let intent = request.intent();
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        is(&self.environment, intent.environment())
            && is(&self.kind, intent.kind())
            && is(&self.requester, &request.requester().id.to_string())
            && self.is_found_in(request)
    }

    /// Whether every word that is looked for stands somewhere in it.
    fn is_found_in(&self, request: &Request) -> bool {
        let words = self.q.to_lowercase();
        let words: Vec<_> = words.split_whitespace().collect();
        if words.is_empty() {
            return true;
        }
        let intent = request.intent();
        let who = request.requester().id.to_string();
        let target = intent.target().iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
        let said = [intent.kind(), intent.environment(), intent.reason(), who.as_str()];
        let text = said.into_iter().chain(target).collect::<Vec<_>>().join("\n").to_lowercase();
        let id = request.id().to_string().to_lowercase();
        // An id is looked for as one: else its letters and digits are found for any other word.
        let is_found = |word: &str| match word.starts_with("req_") {
            true => id.starts_with(word),
            false => text.contains(word),
        };
        words.iter().all(|word| is_found(word))
    }

    fn is_any(&self) -> bool {
        [&self.environment, &self.kind, &self.requester, &self.q]
            .iter()
            .any(|text| !text.is_empty())
    }

    /// The address of the next page of this part.
    fn next(&self, part: &str, after: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let said = [
            ("environment", self.environment.as_str()),
            ("kind", &self.kind),
            ("requester", &self.requester),
            ("q", &self.q),
            ("part", part),
            ("after", after),
        ];
        for (name, value) in said.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("/?{}", query.finish())
    }
}

/// One request in the inbox.
struct Row {
    id: String,
    state: &'static str,
    sentence: String,
    reason: String,
    requester: Name,
    filed_at: String,
    progress: String,
    why: Vec<String>,
    marks: Vec<(&'static str, String)>,
    until: Option<Deadline>,
}

/// One part of the inbox, as far as it is shown.
struct Part {
    rows: Vec<Row>,
    count: usize,
    /// Whether it begins in the midst.
    goes_on: bool,
    next: Option<String>,
}

/// Something to choose, and whether it is chosen.
struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    page: Page,
    waiting: Part,
    asked: Part,
    ended: Vec<Row>,
    others: Part,
    environments: Vec<Choice>,
    kinds: Vec<Choice>,
    requesters: Vec<Choice>,
    q: String,
    is_filtered: bool,
    is_whole: bool,
    only: String,
}

pub(super) async fn page(
    Extract(authority): Extract<Arc<Authority>>,
    me: SignedIn,
    Query(filter): Query<Filter>,
) -> Response {
    match made(&authority, &me, filter).await {
        Ok(page) => view::html(&page),
        Err(error) => view::fault(error),
    }
}

async fn made(authority: &Authority, me: &SignedIn, filter: Filter) -> Result<InboxPage, AppError> {
    let inbox = authority.inbox(&me.caller).await?;
    let ended = authority.ended_of(&me.caller, None, ENDED).await?;
    let now = authority.clock().now();
    let rows = Rows { authority, now };
    let all = || {
        let open = inbox.asked.iter().chain(&inbox.others);
        inbox.waiting.iter().map(|one| &one.request).chain(open)
    };
    let choices = |chosen: &str, of: &dyn Fn(&Request) -> (String, String)| {
        let found: BTreeSet<_> = all().map(|request| of(request)).collect();
        let choice = |(text, value): (String, String)| {
            let chosen = value == chosen;
            Choice { value, text, chosen }
        };
        found.into_iter().take(CHOICES).map(choice).collect::<Vec<_>>()
    };
    let same = |text: &str| (plain(text), text.to_owned());
    let environments = choices(&filter.environment, &|one| same(one.intent().environment()));
    let kinds = choices(&filter.kind, &|one| same(one.intent().kind()));
    let requesters = choices(&filter.requester, &|one| {
        let who = one.requester();
        (people::principal(authority, who).short, who.id.to_string())
    });
    let waiting: Vec<_> = inbox.waiting.iter().filter(|one| filter.fits(&one.request)).collect();
    let fitting = |some: &'_ [Arc<Request>]| -> Vec<Arc<Request>> {
        some.iter().filter(|one| filter.fits(one)).map(Arc::clone).collect()
    };
    let count = inbox.waiting.len();
    let title = if count == 0 { "Inbox".to_owned() } else { format!("({count}) Inbox") };
    let page = me.page(&title).at("/").live(Live::new(inbox.log_size, now));
    let ended = ended.iter().filter(|one| filter.fits(one)).map(|one| rows.row(one, &[], None));
    Ok(InboxPage {
        page,
        waiting: part(
            "waiting",
            &waiting,
            &filter,
            |one| one.request.id().to_string(),
            |one| rows.waiting(one),
        ),
        asked: part(
            "asked",
            &fitting(&inbox.asked),
            &filter,
            |one| one.id().to_string(),
            |one| rows.open(one),
        ),
        ended: ended.collect(),
        others: part(
            "others",
            &fitting(&inbox.others),
            &filter,
            |one| one.id().to_string(),
            |one| rows.open(one),
        ),
        environments,
        kinds,
        requesters,
        q: plain(&filter.q),
        is_filtered: filter.is_any(),
        is_whole: inbox.is_whole,
        only: match filter.part.as_str() {
            part @ ("waiting" | "asked" | "others") => part.to_owned(),
            _ => String::new(),
        },
    })
}

/// As much of a part as is shown at once: from its beginning, or after a request of it.
fn part<T>(
    name: &'static str,
    all: &[T],
    filter: &Filter,
    id: impl Fn(&T) -> String,
    row: impl Fn(&T) -> Row,
) -> Part {
    let is_paged = filter.part == name && !filter.after.is_empty();
    // One that is gone meanwhile was decided: the page begins anew.
    let place = all.iter().position(|one| is_paged && id(one) == filter.after);
    let begin = place.map_or(0, |place| place + 1);
    let shown: Vec<_> = all.iter().skip(begin).take(AT_ONCE).collect();
    let last = shown.last().filter(|_| begin + shown.len() < all.len());
    let next = last.map(|last| filter.next(name, &id(last)));
    let rows = shown.iter().map(|one| row(one)).collect();
    Part { rows, count: all.len(), goes_on: begin > 0, next }
}

struct Rows<'a> {
    authority: &'a Authority,
    now: Timestamp,
}

impl Rows<'_> {
    fn waiting(&self, one: &Waiting) -> Row {
        let until = one.until.map(|at| Deadline::new(at, self.now));
        let mut row = self.row(&one.request, &one.asked, until);
        if one.asked.is_empty() {
            row.why.push("It was granted without asking anybody: look at it now".to_owned());
        }
        row
    }

    fn open(&self, request: &Arc<Request>) -> Row {
        let until = request.deadline().map(|at| Deadline::new(at, self.now));
        self.row(request, &[], until)
    }

    fn row(&self, request: &Request, asked: &[Asked], until: Option<Deadline>) -> Row {
        let shown = self.authority.show(request);
        let facts = request.known().plan.as_ref().map(|plan| &plan.facts);
        let counted: usize = shown.stages.iter().map(|stage| stage.counted.len()).sum();
        let needed: u32 = shown.stages.iter().map(|stage| stage.approvals).sum();
        let is_pending = matches!(request.state(), State::Pending(_));
        let mut marks = facts.map(risk::marks).unwrap_or_default();
        if view::has_hidden(&shown) || !view::look_alikes(&shown).is_empty() {
            marks.insert(0, ("grave", "odd characters".to_owned()));
        }
        Row {
            id: shown.id.clone(),
            state: request.state().word(),
            sentence: short(&risk::sentence(&shown.intent, facts, shown.source.as_ref())),
            reason: short(&plain(&shown.intent.reason)),
            requester: people::principal(self.authority, request.requester()),
            filed_at: clock(request.filed_at()),
            progress: match needed {
                0 => String::new(),
                _ if !is_pending => String::new(),
                _ => format!("{counted} of {needed}"),
            },
            why: asked.iter().map(|one| why(self.authority, one)).collect(),
            marks,
            until,
        }
    }
}

/// Why somebody is asked, in words.
pub(super) fn why(authority: &Authority, asked: &Asked) -> String {
    let (rule, stage) = asked.stage.rsplit_once('/').unwrap_or(("", asked.stage.as_str()));
    let who = match &asked.through {
        assent_core::membership::Approver::Group(group) => format!("you are in {group}"),
        assent_core::membership::Approver::Person(_) => "you are named".to_owned(),
    };
    let who = match &asked.in_place_of {
        Some(person) => format!("you stand in for {}", authority.name_of(person).short),
        None => who,
    };
    format!("Rule {rule}, stage {stage}: {who}")
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

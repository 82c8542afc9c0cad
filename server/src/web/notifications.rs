//! How one is told, and what became of the notices of all.

use std::sync::Arc;

use askama::Template;
use assent_core::notice::Means;
use assent_core::wire;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::{AppError, Authority, Replay};
use crate::name::Name;
use crate::web::csrf::Ours;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

/// Zones that a form offers; any other of the database may be typed.
const ZONES: [&str; 12] = [
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Kyiv",
    "Africa/Johannesburg",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
];
/// How often a digest may come, with the words for it.
const EVERY: [(&str, &str); 8] = [
    ("1h", "every hour"),
    ("2h", "every 2 hours"),
    ("3h", "every 3 hours"),
    ("4h", "every 4 hours"),
    ("6h", "every 6 hours"),
    ("8h", "every 8 hours"),
    ("12h", "every 12 hours"),
    ("24h", "once a day, at midnight UTC"),
];

#[derive(Template)]
#[template(path = "notifications.html")]
struct MinePage {
    page: Page,
    fault: Option<String>,
    kept: bool,
    slack: Way,
    email: Way,
    every: Vec<Choice>,
    at: String,
    quiet_from: String,
    quiet_to: String,
    zone: String,
    zones: &'static [&'static str],
    urgent_waits: bool,
    no_digest: bool,
    daily: bool,
}

struct Way {
    possible: bool,
    chosen: bool,
}

struct Choice {
    value: &'static str,
    words: &'static str,
    chosen: bool,
}

/// The form: `digest` is empty, `at`, or how often.
#[derive(Deserialize)]
pub(super) struct MineForm {
    slack: Option<String>,
    email: Option<String>,
    digest: String,
    at: String,
    quiet_from: String,
    quiet_to: String,
    zone: String,
    urgent_waits: Option<String>,
}

impl MineForm {
    fn wishes(&self) -> wire::NoticeWishes {
        let typed = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let chosen = [("slack", &self.slack), ("email", &self.email)];
        let by = chosen.into_iter().filter(|(_, chosen)| chosen.is_some());
        let digest = match self.digest.as_str() {
            "" => None,
            "at" => Some(wire::NoticeDigest::At(self.at.trim().to_owned())),
            every => Some(wire::NoticeDigest::Every(every.to_owned())),
        };
        let quiet = match (typed(&self.quiet_from), typed(&self.quiet_to)) {
            (None, None) => None,
            (from, to) => Some(wire::NoticeQuiet {
                from: from.unwrap_or_default(),
                to: to.unwrap_or_default(),
            }),
        };
        wire::NoticeWishes {
            by: by.map(|(word, _)| word.to_owned()).collect(),
            digest,
            quiet,
            zone: typed(&self.zone),
            urgent_waits: self.urgent_waits.is_some(),
        }
    }
}

fn mine_page(me: &SignedIn, wishes: &wire::NoticeWishes, means: &[Means]) -> MinePage {
    let way = |means_of: Means| Way {
        possible: means.contains(&means_of),
        chosen: wishes.by.contains(means_of.word()),
    };
    let (every, at) = match &wishes.digest {
        None => (None, None),
        Some(wire::NoticeDigest::Every(every)) => (Some(every.as_str()), None),
        Some(wire::NoticeDigest::At(at)) => (None, Some(at.as_str())),
    };
    let choices =
        EVERY.iter().map(|(value, words)| Choice { value, words, chosen: every == Some(*value) });
    let (from, to) = wishes.quiet.as_ref().map(|q| (q.from.as_str(), q.to.as_str())).unzip();
    MinePage {
        page: me.page("Notifications").at("/settings"),
        fault: None,
        kept: false,
        slack: way(Means::Slack),
        email: way(Means::Email),
        every: choices.collect(),
        at: plain(at.unwrap_or("09:00")),
        quiet_from: plain(from.unwrap_or_default()),
        quiet_to: plain(to.unwrap_or_default()),
        zone: plain(wishes.zone.as_deref().unwrap_or("UTC")),
        zones: &ZONES,
        urgent_waits: wishes.urgent_waits,
        no_digest: wishes.digest.is_none(),
        daily: at.is_some(),
    }
}

pub(super) async fn mine(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    match authority.my_wishes(&me.caller).await {
        Ok((wishes, means)) => view::html(&mine_page(&me, &wishes, &means)),
        Err(error) => view::fault(error),
    }
}

pub(super) async fn wish(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<MineForm>,
) -> Response {
    let means = match authority.my_wishes(&me.caller).await {
        Ok((_, means)) => means,
        Err(error) => return view::fault(error),
    };
    let wishes = form.wishes();
    match authority.wish(&me.caller, Some(wishes.clone())).await {
        Ok(kept) => view::html(&MinePage { kept: true, ..mine_page(&me, &kept, &means) }),
        // What was typed stays, and what is wrong with it is told above.
        Err(AppError::Field { field, problem }) => {
            let fault = Some(plain(&format!("{}: {problem}", spoken(field))));
            let page = MinePage { fault, ..mine_page(&me, &wishes, &means) };
            (StatusCode::UNPROCESSABLE_ENTITY, view::html(&page)).into_response()
        }
        Err(error) => view::fault(error),
    }
}

/// What the form calls a field of the wishes.
fn spoken(field: &str) -> &str {
    match field {
        "digest.every" | "digest.at" => "Digest",
        "quiet" | "quiet.from" | "quiet.to" => "Quiet hours",
        "zone" => "Time zone",
        other => other,
    }
}

#[derive(Template)]
#[template(path = "notices.html")]
struct AllPage {
    page: Page,
    ways: Vec<WayLine>,
    dead: Vec<NoticeLine>,
    waiting: Vec<NoticeLine>,
    sent: Vec<NoticeLine>,
}

struct WayLine {
    name: String,
    kind: String,
    waiting: u64,
    dead: u64,
    problem: Option<String>,
}

struct NoticeLine {
    id: String,
    request: String,
    occasion: String,
    to: Name,
    at: String,
    due: Option<String>,
    attempts: u32,
    problem: Option<String>,
}

impl NoticeLine {
    fn of(authority: &Authority, notice: wire::Notice) -> Self {
        Self {
            id: notice.id,
            request: notice.request,
            occasion: notice.occasion.replace('_', " "),
            to: to_whom(authority, &notice.to),
            at: when::clock_of(&notice.at),
            due: notice.due.as_deref().map(when::clock_of),
            attempts: notice.attempts,
            problem: notice.problem.as_deref().map(plain),
        }
    }
}

/// Whom a notice is for: `person:bob by email` is bob.
fn to_whom(authority: &Authority, to: &str) -> Name {
    let person = to.strip_prefix("person:").and_then(|person| person.rsplit_once(" by "));
    let Some((who, means)) = person else { return Name::plainly(to) };
    let name = authority.name_read(who);
    Name { short: format!("{} by {}", name.short, plain(means)), ..name }
}

/// How many of each a page shows.
const SHOWN: usize = 25;

pub(super) async fn all(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    let read = async |state: &str| authority.notices(&me.caller, Some(state)).await;
    let (dead, waiting, sent) =
        match (read("dead").await, read("waiting").await, read("sent").await) {
            (Ok(dead), Ok(waiting), Ok(sent)) => (dead, waiting, sent),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => return view::fault(error),
        };
    let lines = |all: Vec<wire::Notice>| {
        let shown = all.into_iter().take(SHOWN);
        shown.map(|notice| NoticeLine::of(&authority, notice)).collect()
    };
    let way = |way: wire::NoticeWay| WayLine {
        name: plain(&way.name),
        kind: way.kind,
        waiting: way.waiting,
        dead: way.dead,
        problem: way.problem.as_deref().map(plain),
    };
    view::html(&AllPage {
        page: me.page("Everybody’s notifications").at("/admin/notifications"),
        ways: dead.ways.into_iter().map(way).collect(),
        dead: lines(dead.notices),
        waiting: lines(waiting.notices),
        sent: lines(sent.notices),
    })
}

#[derive(Deserialize)]
pub(super) struct ReplayForm {
    /// The notice; all, where there is none.
    id: Option<String>,
}

pub(super) async fn replay(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<ReplayForm>,
) -> Response {
    let which = form.id.as_deref().map_or(Replay::All, Replay::One);
    match authority.replay_notices(&me.caller, which).await {
        Ok(_) => Redirect::to("/admin/notifications").into_response(),
        Err(error) => view::fault(error),
    }
}

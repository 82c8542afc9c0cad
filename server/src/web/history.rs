//! What was asked before: found by words and filters, and handed out as a file.

use std::sync::Arc;

use askama::Template;
use assent_core::id::RequestId;
use assent_core::principal::PrincipalId;
use assent_core::time::{Span, Timestamp};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::app::{AppError, Authority, Found, somebody, words};
use crate::ledger::{Listed, Search};
use crate::name::Name;
use crate::web::file::Handing;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

/// How many requests a page lists.
const PAGE: usize = 50;
/// How many are read at once for a file.
const BATCH: usize = 500;
/// How many names are offered for a field.
const OFFERED: usize = 60;

const STATES: [&str; 7] =
    ["pending", "approved", "consumed", "denied", "expired", "canceled", "revoked"];

/// What somebody looks for. An empty field of a form is none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HistoryQuery {
    q: String,
    state: String,
    environment: String,
    kind: String,
    requester: String,
    reviewer: String,
    rule: String,
    since: String,
    until: String,
    before: String,
}

impl HistoryQuery {
    fn search(&self) -> Result<Search, AppError> {
        let named = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let who = |field, text: &str| -> Result<Option<PrincipalId>, AppError> {
            named(text).map(|text| somebody(field, &text)).transpose()
        };
        let state = named(&self.state).map(|state| {
            let known = STATES.iter().find(|known| **known == state);
            let problem = format!("expected one of {}", STATES.join(", "));
            known.copied().ok_or(AppError::Field { field: "state", problem })
        });
        let before = named(&self.before).map(|id| id.parse::<RequestId>());
        Ok(Search {
            words: words(&self.q)?,
            states: state.transpose()?.into_iter().collect(),
            environment: named(&self.environment),
            kind: named(&self.kind),
            requester: who("asked by", &self.requester)?,
            reviewer: who("reviewed by", &self.reviewer)?,
            rule: named(&self.rule),
            naming: None,
            since: named(&self.since).map(|text| midnight("from", &text)).transpose()?,
            until: named(&self.until)
                .map(|text| midnight("to", &text).map(|at| at.plus(Span::hours(24))))
                .transpose()?,
            before: before.transpose().map_err(AppError::Id)?,
            limit: PAGE,
        })
    }

    /// Whether anything but words is looked for.
    fn filters(&self) -> bool {
        self.fields().iter().any(|(name, value)| *name != "q" && !value.is_empty())
    }

    fn fields(&self) -> [(&'static str, &str); 9] {
        [
            ("q", &self.q),
            ("state", &self.state),
            ("environment", &self.environment),
            ("kind", &self.kind),
            ("requester", &self.requester),
            ("reviewer", &self.reviewer),
            ("rule", &self.rule),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// As it stands in an address, from this request on.
    fn query(&self, before: Option<RequestId>) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.fields().into_iter().filter(|(_, value)| !value.is_empty()));
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        query.finish()
    }
}

/// The beginning of a day in UTC.
fn midnight(field: &'static str, day: &str) -> Result<Timestamp, AppError> {
    format!("{day}T00:00:00Z")
        .parse()
        .map_err(|_| AppError::Field { field, problem: "write a day as 2026-11-20".to_owned() })
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    page: Page,
    wanted: HistoryQuery,
    states: [&'static str; 7],
    environments: Vec<String>,
    kinds: Vec<String>,
    rules: Vec<String>,
    fault: Option<String>,
    lines: Vec<ListedLine>,
    filters: bool,
    files: String,
    next: Option<String>,
}

/// A request in the list.
struct ListedLine {
    id: String,
    state: String,
    sentence: String,
    reason: String,
    requester: Name,
    filed_at: String,
    /// Who decided; nobody where policy did.
    by: Vec<Name>,
    /// How soon it was decided, where it is.
    after: Option<String>,
    rules: String,
    breaks_glass: bool,
}

impl ListedLine {
    fn of(authority: &Authority, listed: &Listed) -> Self {
        let target = &listed.target;
        let on = if target.is_empty() { String::new() } else { format!(" on {}", plain(target)) };
        Self {
            id: listed.id.to_string(),
            state: listed.state.clone(),
            sentence: format!("{} in {}{on}", listed.kind, listed.environment),
            reason: plain(&listed.reason),
            requester: authority.name_read(&listed.requester),
            filed_at: when::clock(listed.filed_at),
            by: listed.by.iter().map(|who| authority.name_read(who)).collect(),
            after: listed.decided_at.map(|at| listed.filed_at.until(at).in_words()),
            rules: listed.rules.join(", "),
            breaks_glass: listed.breaks_glass,
        }
    }
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(wanted): Query<HistoryQuery>,
) -> Response {
    let found = match wanted.search() {
        Ok(search) => authority.search(&me.caller, search).await,
        Err(error) => Err(error),
    };
    let (found, fault) = match found {
        Ok(found) => (found, None),
        Err(AppError::Field { field, problem }) => {
            (Found { lines: Vec::new(), next: None }, Some(format!("{field}: {problem}")))
        }
        Err(error) => return view::fault(error),
    };
    let policy = authority.policy();
    let rules = policy.rules().map(|(id, ..)| id.to_owned());
    view::html(&HistoryPage {
        page: me.page("History").at("/history"),
        states: STATES,
        environments: policy.environments().take(OFFERED).map(str::to_owned).collect(),
        kinds: policy.kinds().into_iter().take(OFFERED).map(str::to_owned).collect(),
        rules: rules.take(OFFERED).collect(),
        fault,
        lines: found.lines.iter().map(|line| ListedLine::of(&authority, line)).collect(),
        filters: wanted.filters(),
        files: wanted.query(None),
        next: found.next.map(|next| wanted.query(Some(next))),
        wanted,
    })
}

/// In which form a file is handed out.
#[derive(Clone, Copy)]
enum Form {
    Csv,
    JsonLines,
}

/// Everything that is looked for, as a file.
pub(super) async fn export(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(name): Path<String>,
    Query(wanted): Query<HistoryQuery>,
) -> Response {
    let (form, kind) = match name.as_str() {
        "requests.csv" => (Form::Csv, "text/csv; charset=utf-8; header=present"),
        "requests.jsonl" => (Form::JsonLines, "application/jsonl; charset=utf-8"),
        _ => {
            let id = name.chars().take(80).collect();
            return view::fault(AppError::NotFound { what: "file", id });
        }
    };
    let search = match wanted.search() {
        Ok(search) => Search { limit: BATCH, ..search },
        Err(error) => return view::fault(error),
    };
    let (handing, body) = match Handing::begin(authority, me.caller) {
        Ok(begun) => begun,
        Err(error) => return view::fault(error),
    };
    tokio::task::spawn(hand_out(handing, search, form));
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, body).into_response()
}

/// Page by page, as fast as it is taken, to whoever may still read it.
async fn hand_out(mut handing: Handing, mut search: Search, form: Form) {
    if let Form::Csv = form
        && !handing.give(csv(COLUMNS.map(str::to_owned))).await
    {
        return;
    }
    loop {
        let Some(caller) = handing.caller().await.cloned() else { return };
        let found = handing.authority().search(&caller, search.clone()).await;
        let Ok(Found { lines, next }) = found else { return };
        let base = handing.authority().base();
        let part: String = lines.iter().map(|line| row(line, base, form)).collect();
        if !handing.give(part).await {
            return;
        }
        search.before = match next {
            Some(next) => Some(next),
            None => return handing.end(),
        };
    }
}

const COLUMNS: [&str; 14] = [
    "id",
    "state",
    "kind",
    "environment",
    "target",
    "requester",
    "filed_at",
    "decided_at",
    "decided_by",
    "ended_at",
    "rules",
    "break_glass",
    "reason",
    "url",
];

fn row(listed: &Listed, base: &str, form: Form) -> String {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let url = format!("{base}/requests/{}", listed.id);
    match form {
        Form::Csv => csv([
            listed.id.to_string(),
            listed.state.clone(),
            listed.kind.clone(),
            listed.environment.clone(),
            listed.target.clone(),
            listed.requester.clone(),
            listed.filed_at.to_string(),
            time(listed.decided_at).unwrap_or_default(),
            listed.by.join(" "),
            time(listed.ended_at).unwrap_or_default(),
            listed.rules.join(" "),
            listed.breaks_glass.to_string(),
            listed.reason.clone(),
            url,
        ]),
        Form::JsonLines => {
            let line = json!({
                "id": listed.id.to_string(), "state": listed.state, "kind": listed.kind,
                "environment": listed.environment, "target": listed.target,
                "requester": listed.requester, "filed_at": listed.filed_at.to_string(),
                "decided_at": time(listed.decided_at), "decided_by": listed.by,
                "ended_at": time(listed.ended_at), "rules": listed.rules,
                "break_glass": listed.breaks_glass, "reason": listed.reason, "url": url,
            });
            format!("{line}\n")
        }
    }
}

/// One line of CSV (RFC 4180). Programs that show tables run what begins like a formula, so that
/// begins with an apostrophe here; what does not show itself is written out.
fn csv<const N: usize>(cells: [String; N]) -> String {
    let cell = |text: String| {
        let text = plain(&text);
        let runs = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
        let safe = if runs { format!("'{text}") } else { text };
        format!("\"{}\"", safe.replace('"', "\"\""))
    };
    let cells: Vec<_> = cells.into_iter().map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_a_cell_is_no_formula_and_ends_where_it_ends() {
        let line = csv(["=cmd|' /C calc'!A0".to_owned(), "a\"b,c".to_owned(), "-1".to_owned()]);
        assert_eq!(line, "\"'=cmd|' /C calc'!A0\",\"a\"\"b,c\",\"'-1\"\r\n");
        assert_eq!(csv(["a\u{202e}b".to_owned()]), "\"a\\u{202e}b\"\r\n");
    }

    #[test]
    fn an_address_holds_what_was_looked_for_and_reads_back() {
        let wanted = HistoryQuery {
            q: "a&b=c d".to_owned(),
            environment: "prod".to_owned(),
            ..HistoryQuery::default()
        };
        let query = wanted.query(None);
        assert_eq!(query, "q=a%26b%3Dc+d&environment=prod");
        assert!(wanted.filters() && !HistoryQuery::default().filters());
    }

    #[test]
    fn a_last_day_is_looked_through_to_its_end() {
        let wanted = HistoryQuery { until: "2026-11-20".to_owned(), ..HistoryQuery::default() };
        let until = wanted.search().unwrap().until.unwrap();
        assert_eq!(until.to_string(), "2026-11-21T00:00:00.000Z");
        let wrong = HistoryQuery { since: "yesterday".to_owned(), ..HistoryQuery::default() };
        assert!(wrong.search().is_err());
    }
}

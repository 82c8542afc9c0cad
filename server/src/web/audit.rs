//! The audit log: newest first, by type, person or request; and as a file that anybody can verify.

use std::sync::Arc;

use askama::Template;
use assent_core::audit::leaf_hash;
use assent_core::id::RequestId;
use assent_core::principal::PrincipalId;
use assent_core::wire;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::app::{AppError, Authority, somebody};
use crate::ledger::LogSearch;
use crate::name::Name;
use crate::web::file::Handing;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

/// How many entries a page lists.
const PAGE: usize = 50;
/// How many are read at once for a file.
const BATCH: usize = 500;
/// How much of an entry's words a line shows.
const SHOWN: usize = 240;

/// The types that a form offers; others can be typed.
const TYPES: [&str; 24] = [
    "filed",
    "reviewed",
    "withdrawn",
    "approved",
    "denied",
    "refused",
    "expired",
    "canceled",
    "revoked",
    "consumed",
    "minted",
    "redeemed",
    "completed",
    "stopped",
    "escalated",
    "reminded",
    "post_reviewed",
    "post_review_done",
    "post_review_missed",
    "token_created",
    "token_revoked",
    "signal_heard",
    "absence_begun",
    "absence_ended",
];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditQuery {
    kind: String,
    by: String,
    request: String,
    before: Option<u64>,
}

impl AuditQuery {
    fn search(&self) -> Result<LogSearch, AppError> {
        let named = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let by: Option<Result<PrincipalId, AppError>> =
            named(&self.by).map(|text| somebody("by", &text));
        let request = named(&self.request).map(|id| {
            id.parse::<RequestId>()
                .map_err(|error| AppError::Field { field: "request", problem: error.to_string() })
        });
        Ok(LogSearch {
            kind: named(&self.kind),
            by: by.transpose()?,
            request: request.transpose()?,
            before: self.before,
            limit: PAGE + 1,
        })
    }

    fn query(&self, before: u64) -> String {
        let mut query = Serializer::new(String::new());
        let fields = [("kind", &self.kind), ("by", &self.by), ("request", &self.request)];
        query.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
        query.append_pair("before", &before.to_string());
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    page: Page,
    wanted: AuditQuery,
    types: [&'static str; 24],
    fault: Option<String>,
    size: u64,
    root: String,
    at: String,
    base: String,
    lines: Vec<EntryLine>,
    next: Option<String>,
}

struct EntryLine {
    index: u64,
    kind: String,
    at: String,
    by: Option<Name>,
    request: Option<String>,
    words: String,
}

/// What people are called.
type Named<'a> = &'a dyn Fn(&PrincipalId) -> Name;

impl EntryLine {
    fn of((index, entry): &(u64, Value), named: Named<'_>) -> Self {
        let text = |path: &str| entry.pointer(path).and_then(Value::as_str);
        let request = text("/request").or_else(|| text("/refused"));
        let request = request.filter(|id| id.parse::<RequestId>().is_ok());
        Self {
            index: *index,
            kind: plain(&text("/type").unwrap_or("unknown").replace('_', " ")),
            at: when::clock_of(text("/at").unwrap_or_default()),
            by: entry.get("by").and_then(somebody_in).map(|who| named(&who)),
            request: request.map(str::to_owned),
            words: words(entry, named),
        }
    }
}

/// Whom a value names, where it names somebody.
fn somebody_in(value: &Value) -> Option<PrincipalId> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    PrincipalId::new(text("iss")?, text("sub")?).ok()
}

/// What an entry says beside who, when and of which request: what is short of it.
fn words(entry: &Value, named: Named<'_>) -> String {
    const KNOWN: [&str; 5] = ["v", "type", "at", "by", "request"];
    let members = entry.as_object().into_iter().flatten();
    let said = members.filter(|(key, _)| !KNOWN.contains(&key.as_str()));
    let mut words: Vec<String> = Vec::new();
    for (key, value) in said {
        let text = match value {
            Value::String(text) if text.is_empty() => continue,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(all) => {
                let text = |one: &Value| match one.as_str() {
                    Some(text) => Some(text.to_owned()),
                    None => somebody_in(one).map(|who| named(&who).short),
                };
                let texts: Vec<_> = all.iter().filter_map(text).collect();
                if texts.is_empty() {
                    continue;
                }
                texts.join(", ")
            }
            Value::Object(members) => {
                if let Some(who) = somebody_in(value) {
                    words.push(format!("{} {}", key.replace('_', " "), named(&who).short));
                    continue;
                }
                let pick = ["kind", "environment", "sub", "outcome", "to"];
                let texts = pick.iter().filter_map(|name| members.get(*name)?.as_str());
                let texts: Vec<_> = texts.collect();
                if texts.is_empty() {
                    continue;
                }
                texts.join(" ")
            }
            Value::Null => continue,
        };
        words.push(format!("{} {text}", key.replace('_', " ")));
    }
    let all = plain(&words.join(" · ").replace('\n', " "));
    match all.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", all.get(..end).unwrap_or_default()),
        None => all,
    }
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(wanted): Query<AuditQuery>,
) -> Response {
    let found = match wanted.search() {
        Ok(search) => authority.search_log(&me.caller, search).await,
        Err(error) => Err(error),
    };
    let (mut entries, fault) = match found {
        Ok(entries) => (entries, None),
        Err(AppError::Field { field, problem }) => {
            (Vec::new(), Some(format!("{field}: {problem}")))
        }
        Err(error) => return view::fault(error),
    };
    let head = match authority.ledger().head().await {
        Ok(head) => head,
        Err(error) => return view::fault(error.into()),
    };
    let is_full = entries.len() > PAGE;
    entries.truncate(PAGE);
    let last = entries.last().map(|(index, _)| *index).filter(|_| is_full);
    view::html(&AuditPage {
        page: me.page("Audit").at("/audit"),
        types: TYPES,
        fault,
        size: head.size,
        root: head.root.hex(),
        at: when::clock(head.at),
        base: authority.base().to_owned(),
        lines: entries
            .iter()
            .map(|one| EntryLine::of(one, &|who| authority.name_of(who)))
            .collect(),
        next: last.map(|last| wanted.query(last)),
        wanted,
    })
}

#[derive(Template)]
#[template(path = "entry.html")]
struct EntryPage {
    page: Page,
    line: EntryLine,
    leaf: String,
    json: String,
}

/// One entry, whole.
pub(super) async fn entry(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(index): Path<u64>,
) -> Response {
    let missing = || AppError::NotFound { what: "entry", id: index.to_string() };
    let before = index.checked_add(1);
    let search = LogSearch { before, limit: 1, ..LogSearch::default() };
    let found = match authority.search_log(&me.caller, search).await {
        Ok(found) => found,
        Err(error) => return view::fault(error),
    };
    let Some(entry) = found.first().filter(|(found, _)| *found == index) else {
        return view::fault(missing());
    };
    view::html(&EntryPage {
        page: me.page(&format!("Entry {index}")).at("/audit"),
        line: EntryLine::of(entry, &|who| authority.name_of(who)),
        leaf: leaf_hash(&wire::entry_bytes(&entry.1)).hex(),
        json: plain(&serde_json::to_string_pretty(&entry.1).unwrap_or_default()),
    })
}

/// The whole log as `assent audit verify --file` reads it: the checkpoint first, then every entry.
pub(super) async fn export(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    if let Err(error) = authority.check_reads_everything(&me.caller).await {
        return view::fault(error);
    }
    let head = match authority.ledger().head().await {
        Ok(head) => head,
        Err(error) => return view::fault(error.into()),
    };
    let promised = wire::Checkpoint { size: head.size, root: head.root.hex() };
    let (handing, body) = match Handing::begin(authority, me.caller) {
        Ok(begun) => begun,
        Err(error) => return view::fault(error),
    };
    tokio::task::spawn(hand_out(handing, promised));
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"assent-audit.jsonl\""),
    ];
    (headers, body).into_response()
}

/// What was there when it was asked for: what comes meanwhile is in the next file.
async fn hand_out(mut handing: Handing, promised: wire::Checkpoint) {
    let size = promised.size;
    if !handing.give(format!("{}\n", json!({"checkpoint": promised}))).await {
        return;
    }
    let mut from = 0;
    while from < size {
        let Some(caller) = handing.caller().await.cloned() else { return };
        if handing.authority().check_reads_everything(&caller).await.is_err() {
            return;
        }
        let left = usize::try_from(size - from).unwrap_or(BATCH).min(BATCH);
        let entries = handing.authority().ledger().entries(from, left).await.unwrap_or_default();
        if entries.is_empty() {
            return;
        }
        let lines = (from..).zip(&entries);
        let lines = lines.map(|(index, event)| {
            format!("{}\n", json!(wire::Entry { index, event: event.clone() }))
        });
        if !handing.give(lines.collect::<String>()).await {
            return;
        }
        from += entries.len() as u64;
    }
    handing.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_an_entry_is_told_in_short_words_and_hides_nothing() {
        let entry = json!({
            "v": 1, "type": "reviewed", "at": "2026-11-20T21:00:00.000Z", "request": "req_1",
            "by": {"iss": "assent:local", "sub": "bob"}, "verdict": "approve", "comment": "a\u{202e}\nb",
            "empty": "", "none": null, "list": [1], "stages": ["x", "y"], "intent": {"kind": "k", "deep": {}},
            "to": {"iss": "https://id.example.com", "sub": "4711"},
            "counted": [{"iss": "assent:local", "sub": "carol"}],
        });
        let line = EntryLine::of(&(7, entry), &Name::of);
        assert_eq!(line.by.map(|by| by.short).as_deref(), Some("bob"));
        assert_eq!(line.request, None, "not an id");
        assert_eq!(line.kind, "reviewed");
        let words = "comment a\\u{202e} b · counted carol · intent k · stages x, y · to 4711 at id.example.com · \
             verdict approve";
        assert_eq!(line.words, words);
        let long = words_of(&"é".repeat(SHOWN));
        assert!(long.ends_with('…') && long.chars().count() == SHOWN + 1);
    }

    fn words_of(text: &str) -> String {
        words(&json!({"reason": text}), &Name::of)
    }
}

//! The narrow rows of requests, what is counted of them, and by what entries of the log are found.

use std::collections::BTreeMap;

use assent_core::absence::Absence;
use assent_core::id::{AbsenceId, RequestId};
use assent_core::membership::Approver;
use assent_core::principal::PrincipalId;
use assent_core::request::{Event, Fact, Request};
use assent_core::time::Timestamp;
use assent_core::wire;
use rusqlite::{Connection, OptionalExtension as _, ToSql};
use serde_json::Value;

use super::row::{corrupt, id_bytes, requester_key};
use super::{read, unavailable};
use crate::ledger::LedgerError;
use crate::ledger::listing::{
    self, Counted, Listed, LogSearch, Opening, SHORTEST_WORD, Search, Tally,
};

type Answer<T> = Result<T, LedgerError>;

fn execute(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Answer<usize> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    statement.execute(parameters).map_err(unavailable)
}

fn marked(kind: &[u8], of: &[u8]) -> Vec<u8> {
    [kind, of].concat()
}

fn by_rule(rule: &str) -> Vec<u8> {
    marked(b"r:", rule.as_bytes())
}

fn by_person(who: &PrincipalId) -> Vec<u8> {
    marked(b"p:", &requester_key(who))
}

fn by_name(named: &Approver) -> Vec<u8> {
    match named {
        Approver::Person(person) => marked(b"n:", &requester_key(person)),
        Approver::Group(group) => marked(b"g:", group.as_bytes()),
    }
}

/// Writes what is listed of a new request.
pub(super) fn begin(db: &Connection, request: &Request) -> Answer<()> {
    let listed = Listed::of(request);
    let sql = "INSERT INTO listing (request, state, environment, kind, requester, filed, decided, \
        ended, glass, target, reason, asked_by, rules, decided_by) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let requester = requester_key(&request.requester().id);
    let (filed, decided) =
        (listed.filed_at.as_millis(), listed.decided_at.map(Timestamp::as_millis));
    let ended = listed.ended_at.map(Timestamp::as_millis);
    let (rules, by) = (lines(&listed.rules), lines(&listed.by));
    let values: [&dyn ToSql; 14] = [
        &listed.id.to_bytes(),
        &listed.state,
        &listed.environment,
        &listed.kind,
        &requester,
        &filed,
        &decided,
        &ended,
        &listed.breaks_glass,
        &listed.target,
        &listed.reason,
        &listed.requester,
        &rules,
        &by,
    ];
    execute(db, sql, &values)?;
    let seq = db.last_insert_rowid();
    let sql = "INSERT INTO listing_text (rowid, text) VALUES (?1, ?2)";
    execute(db, sql, &[&seq, &listed.searched()])?;
    for rule in &listed.rules {
        list_by(db, &by_rule(rule), seq)?;
    }
    people(db, request, seq)
}

/// Writes what has changed of it.
pub(super) fn advance(db: &Connection, request: &Request) -> Answer<()> {
    let listed = Listed::of(request);
    let sql = "UPDATE listing SET state = ?2, decided = ?3, ended = ?4, decided_by = ?5 \
        WHERE request = ?1 RETURNING seq";
    let decided = listed.decided_at.map(Timestamp::as_millis);
    let ended = listed.ended_at.map(Timestamp::as_millis);
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let values: [&dyn ToSql; 5] =
        [&listed.id.to_bytes(), &listed.state, &decided, &ended, &lines(&listed.by)];
    let seq = statement.query_row(values, |row| row.get(0)).optional().map_err(unavailable)?;
    let seq: i64 = seq.ok_or_else(|| corrupt(format!("{} is not listed", listed.id)))?;
    people(db, request, seq)
}

/// Writes who reviewed it, and whom it names.
fn people(db: &Connection, request: &Request, seq: i64) -> Answer<()> {
    let reviewed = listing::reviewers(request).into_iter().map(by_person);
    let named: Vec<_> = request.names_all().iter().map(by_name).collect();
    reviewed.chain(named).try_for_each(|what| list_by(db, &what, seq))
}

fn list_by(db: &Connection, what: &[u8], seq: i64) -> Answer<()> {
    let sql = "INSERT INTO listed_by (what, seq) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    execute(db, sql, &[&what, &seq]).map(drop)
}

/// Counts what these events of a request add. `granted` says whether it was granted before them.
pub(super) fn count(
    db: &Connection,
    events: &[Event],
    request: &Request,
    granted: bool,
) -> Answer<()> {
    let mut all = listing::counted(events, request, granted);
    for event in events {
        if let (Fact::Reviewed(_), Some(who)) = (&event.fact, &event.by) {
            all.extend(listing::counted_opened(event, opened_at(db, request.id(), who)?));
        }
    }
    let sql = "INSERT INTO tally (day, what, key, bucket, count) VALUES (?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT (day, what, key, bucket) DO UPDATE SET count = count + excluded.count";
    let mut all = all.into_iter();
    all.try_for_each(|Tally { day, what, key, bucket, count }| {
        execute(db, sql, &[&day, &what.word(), &key, &bucket, &count]).map(drop)
    })
}

fn opened_at(db: &Connection, id: RequestId, who: &PrincipalId) -> Answer<Option<Timestamp>> {
    let sql = "SELECT at FROM opened WHERE request = ?1 AND who = ?2";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let values: [&dyn ToSql; 2] = [&id.to_bytes(), &requester_key(who)];
    let at = statement.query_row(values, |row| row.get(0)).optional().map_err(unavailable)?;
    Ok(at.map(Timestamp::from_millis))
}

pub(super) fn note_opening(db: &Connection, opening: &Opening) -> Answer<()> {
    let sql = "INSERT INTO opened (request, who, at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let who = requester_key(&opening.who);
    execute(db, sql, &[&opening.request.to_bytes(), &who, &opening.at.as_millis()]).map(drop)
}

/// By what an entry is found.
pub(super) fn marks(entry: &Value) -> Vec<Vec<u8>> {
    let text = |path: &str| entry.pointer(path).and_then(Value::as_str);
    let kind = text("/type").map(|kind| marked(b"t:", kind.as_bytes()));
    let by = text("/by/iss").zip(text("/by/sub"));
    let by = by.and_then(|(iss, sub)| PrincipalId::new(iss, sub).ok());
    kind.into_iter().chain(by.map(|by| by_person(&by))).collect()
}

/// Writes by what an entry is found.
pub(super) fn mark(db: &Connection, marks: &[Vec<u8>], seq: i64) -> Answer<()> {
    let sql = "INSERT INTO event_mark (what, seq) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    marks.iter().try_for_each(|what| execute(db, sql, &[what, &seq]).map(drop))
}

/// Lists, counts and marks everything that was on record before any of that was kept.
pub(super) fn rebuild(db: &Connection) -> Answer<()> {
    let sql = "SELECT id FROM request ORDER BY id";
    let mut statement = db.prepare(sql).map_err(unavailable)?;
    let mut rows = statement.query([]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let id = RequestId::from_bytes(id_bytes(&row.get::<_, Vec<u8>>(0).map_err(unavailable)?)?);
        // One damaged request must not keep all others away; whoever asks for it is told.
        match read::events_of(db, id) {
            Err(LedgerError::Corrupt(problem)) => {
                tracing::error!(%id, problem, "a request is left out of the history");
            }
            Err(error) => return Err(error),
            Ok(None) => {}
            Ok(Some((request, events))) => {
                begin(db, &request)?;
                count(db, &events, &request, false)?;
            }
        }
    }
    let mut statement = db.prepare("SELECT seq, body FROM event").map_err(unavailable)?;
    let mut rows = statement.query([]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let seq: i64 = row.get(0).map_err(unavailable)?;
        let body: Vec<u8> = row.get(1).map_err(unavailable)?;
        if let Ok(entry) = serde_json::from_slice(&body) {
            mark(db, &marks(&entry), seq)?;
        }
    }
    Ok(())
}

/// Writes whom requests name that were listed before that was kept.
pub(super) fn rebuild_names(db: &Connection) -> Answer<()> {
    let mut statement = db.prepare("SELECT seq, request FROM listing").map_err(unavailable)?;
    let mut rows = statement.query([]).map_err(unavailable)?;
    while let Some(row) = rows.next().map_err(unavailable)? {
        let seq: i64 = row.get(0).map_err(unavailable)?;
        let id = RequestId::from_bytes(id_bytes(&row.get::<_, Vec<u8>>(1).map_err(unavailable)?)?);
        match read::events_of(db, id) {
            Err(LedgerError::Corrupt(problem)) => {
                tracing::error!(%id, problem, "whom a request names is left out");
            }
            Err(error) => return Err(error),
            Ok(None) => {}
            Ok(Some((request, _))) => people(db, &request, seq)?,
        }
    }
    Ok(())
}

/// What a search looks through, and the values it names.
#[derive(Default)]
struct Looking {
    joins: Vec<&'static str>,
    wheres: Vec<String>,
    values: Vec<Box<dyn ToSql>>,
    /// What gives the order.
    seq: &'static str,
}

impl Looking {
    fn value(&mut self, value: impl ToSql + 'static) -> String {
        self.values.push(Box::new(value));
        format!("?{}", self.values.len())
    }

    fn only(&mut self, column: &str, is: &str, value: impl ToSql + 'static) {
        let place = self.value(value);
        self.wheres.push(format!("{column} {is} {place}"));
    }
}

/// The words as the index wants them: each as a phrase, so that nothing in it commands.
fn phrases(words: &[String]) -> String {
    let long = words.iter().filter(|word| word.chars().count() >= SHORTEST_WORD);
    let quoted: Vec<_> = long.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    quoted.join(" AND ")
}

/// What leads and what is probed of marks: `named` is one that leads, where it is rare; of `among` there
/// must be one.
fn looking(search: &Search, named: Option<&[u8]>, among: &[Vec<u8>]) -> Looking {
    let mut looking = Looking { seq: "l.seq", ..Looking::default() };
    let phrases = phrases(&search.words);
    let marks = search.rule.iter().map(|rule| by_rule(rule));
    let marks = marks.chain(search.reviewer.iter().map(by_person));
    let mut marks: Vec<_> = marks.chain(named.map(<[u8]>::to_vec)).collect();
    // What is rare leads: a name, words, a rule or a reviewer, then whatever of the row is narrow.
    if !phrases.is_empty() && named.is_none() {
        looking.joins.push("listing_text AS t CROSS JOIN listing AS l ON l.seq = t.rowid");
        looking.seq = "t.rowid";
        looking.only("listing_text", "MATCH", phrases.clone());
    } else if let Some(mark) = marks.pop() {
        looking.joins.push("listed_by AS b CROSS JOIN listing AS l ON l.seq = b.seq");
        looking.seq = "b.seq";
        looking.only("b.what", "=", mark);
    } else if search.requester.is_some() || search.states.len() == 1 {
        looking.joins.push("listing AS l");
    } else {
        looking.joins.push("listing AS l INDEXED BY listing_narrow");
    }
    if !search.states.is_empty() {
        let places: Vec<_> = search.states.iter().map(|state| looking.value(*state)).collect();
        looking.wheres.push(format!("l.state IN ({})", places.join(", ")));
    }
    if let Some(environment) = &search.environment {
        looking.only("l.environment", "=", environment.clone());
    }
    if let Some(kind) = &search.kind {
        looking.only("l.kind", "=", kind.clone());
    }
    if let Some(requester) = &search.requester {
        looking.only("l.requester", "=", requester_key(requester));
    }
    if let Some(since) = search.since {
        looking.only("l.filed", ">=", since.as_millis());
    }
    if let Some(until) = search.until {
        looking.only("l.filed", "<", until.as_millis());
    }
    // What is looked up elsewhere comes last: only of what is left.
    if named.is_some() && !phrases.is_empty() {
        let place = looking.value(phrases);
        let probe = format!("SELECT 1 FROM listing_text WHERE listing_text MATCH {place}");
        looking.wheres.push(format!("EXISTS ({probe} AND rowid = l.seq)"));
    }
    for one_of in marks.into_iter().map(|mark| vec![mark]).chain([among.to_vec()]) {
        let places: Vec<_> = one_of.into_iter().map(|mark| looking.value(mark)).collect();
        if !places.is_empty() {
            let what = places.join(", ");
            let probe = format!("SELECT 1 FROM listed_by WHERE what IN ({what}) AND seq = l.seq");
            looking.wheres.push(format!("EXISTS ({probe})"));
        }
    }
    looking
}

/// So few requests are found by looking at each of them.
const FEW: usize = 1_000;

/// Whether no more than a few bear one of these marks.
fn are_few(db: &Connection, marks: &[Vec<u8>]) -> Answer<bool> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM listed_by WHERE what = ?1 LIMIT ?2)";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let mut left = FEW;
    for mark in marks {
        let count = statement.query_row((mark, left), |row| row.get(0)).map_err(unavailable)?;
        left = left.saturating_sub(count);
    }
    Ok(left > 0)
}

pub(super) fn search(db: &Connection, search: &Search) -> Answer<Vec<Listed>> {
    let names: Option<Vec<_>> = search.naming.as_ref().map(|all| all.iter().map(by_name).collect());
    let mut found = BTreeMap::new();
    match names {
        None => found = found_by(db, search, None, &[])?,
        // Each name leads by itself, in the order of filing.
        Some(names) if are_few(db, &names)? => {
            for named in &names {
                found.append(&mut found_by(db, search, Some(named), &[])?);
            }
        }
        Some(names) => found = found_by(db, search, None, &names)?,
    }
    Ok(found.into_values().rev().take(search.limit).collect())
}

fn found_by(
    db: &Connection,
    search: &Search,
    named: Option<&[u8]>,
    among: &[Vec<u8>],
) -> Answer<BTreeMap<i64, Listed>> {
    let mut looking = looking(search, named, among);
    if let Some(before) = search.before {
        let sql = "SELECT seq FROM listing WHERE request = ?1";
        let seq = db.query_row(sql, [before.to_bytes()], |row| row.get::<_, i64>(0)).optional();
        let Some(seq) = seq.map_err(unavailable)? else { return Ok(BTreeMap::new()) };
        looking.only(looking.seq, "<", seq);
    }
    let limit = looking.value(i64::try_from(search.limit).unwrap_or(i64::MAX));
    let Looking { joins, wheres, values, seq } = looking;
    let narrowed =
        if wheres.is_empty() { String::new() } else { format!("WHERE {}", wheres.join(" AND ")) };
    let sql = format!(
        "SELECT request, state, environment, kind, filed, decided, ended, glass, target, reason, \
         asked_by, rules, decided_by, seq FROM listing WHERE seq IN (SELECT {seq} FROM {} {narrowed} \
         ORDER BY {seq} DESC LIMIT {limit})",
        joins.join(" ")
    );
    let mut statement = db.prepare_cached(&sql).map_err(unavailable)?;
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(values.as_slice()).map_err(unavailable)?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next().map_err(unavailable)? {
        let seq = row.get(13).map_err(unavailable)?;
        found.insert(seq, listed(row).map_err(unavailable)??);
    }
    Ok(found)
}

fn listed(row: &rusqlite::Row<'_>) -> Result<Answer<Listed>, rusqlite::Error> {
    let id: Vec<u8> = row.get(0)?;
    let time = |at: Option<i64>| at.map(Timestamp::from_millis);
    let listed = Listed {
        id: match id_bytes(&id) {
            Ok(bytes) => RequestId::from_bytes(bytes),
            Err(error) => return Ok(Err(error)),
        },
        state: row.get(1)?,
        environment: row.get(2)?,
        kind: row.get(3)?,
        filed_at: Timestamp::from_millis(row.get(4)?),
        decided_at: time(row.get(5)?),
        ended_at: time(row.get(6)?),
        breaks_glass: row.get(7)?,
        target: row.get(8)?,
        reason: row.get(9)?,
        requester: row.get(10)?,
        rules: unlined(&row.get::<_, String>(11)?),
        by: unlined(&row.get::<_, String>(12)?),
    };
    Ok(Ok(listed))
}

/// Names of rules and people hold no line ends.
fn lines(names: &[String]) -> String {
    names.join("\n")
}

fn unlined(names: &str) -> Vec<String> {
    names.lines().map(str::to_owned).collect()
}

pub(super) fn tallies(db: &Connection, first: i64, last: i64) -> Answer<Vec<Tally>> {
    let sql = "SELECT day, what, key, bucket, count FROM tally WHERE day BETWEEN ?1 AND ?2";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let mut rows = statement.query([first, last]).map_err(unavailable)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(unavailable)? {
        let read = || -> Result<_, rusqlite::Error> {
            let word: String = row.get(1)?;
            Ok((row.get(0)?, word, row.get(2)?, row.get(3)?, row.get(4)?))
        };
        let (day, word, key, bucket, count) = read().map_err(unavailable)?;
        let what = Counted::of_word(&word);
        let what = what.ok_or_else(|| corrupt(format!("`{word}` is counted")))?;
        all.push(Tally { day, what, key, bucket, count });
    }
    all.sort();
    Ok(all)
}

pub(super) fn search_log(db: &Connection, search: &LogSearch) -> Answer<Vec<(u64, Value)>> {
    let before = search.before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    if let Some(request) = search.request {
        return of_request(db, search, request, before);
    }
    let by = search.by.as_ref().map(by_person);
    let kind = search.kind.as_ref().map(|kind| marked(b"t:", kind.as_bytes()));
    let limit = i64::try_from(search.limit).unwrap_or(i64::MAX);
    let seqs: Vec<i64> = match (by, kind) {
        (None, None) => {
            let sql = "SELECT seq FROM event WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
            column(db, sql, &[&before, &limit])?
        }
        (Some(only), None) | (None, Some(only)) => {
            let sql = "SELECT seq FROM event_mark WHERE what = ?3 AND seq < ?1 \
                ORDER BY seq DESC LIMIT ?2";
            column(db, sql, &[&before, &limit, &only])?
        }
        (Some(by), Some(kind)) => {
            let sql = "SELECT seq FROM event_mark AS b WHERE what = ?3 AND seq < ?1 AND EXISTS \
                (SELECT 1 FROM event_mark WHERE what = ?4 AND seq = b.seq) \
                ORDER BY seq DESC LIMIT ?2";
            column(db, sql, &[&before, &limit, &by, &kind])?
        }
    };
    let entry = |seq: i64| {
        let sql = "SELECT body FROM event WHERE seq = ?1";
        let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
        let body: Vec<u8> = statement.query_row([seq], |row| row.get(0)).map_err(unavailable)?;
        Ok((u64::try_from(seq).unwrap_or_default(), read::json(&body, seq)?))
    };
    seqs.into_iter().map(entry).collect()
}

/// A request's entries hang together, and are few.
fn of_request(
    db: &Connection,
    search: &LogSearch,
    request: RequestId,
    before: i64,
) -> Answer<Vec<(u64, Value)>> {
    let sql = "SELECT head FROM request WHERE id = ?1";
    let head = db.query_row(sql, [request.to_bytes()], |row| row.get::<_, i64>(0)).optional();
    let mut next = head.map_err(unavailable)?;
    let mut found = Vec::new();
    while let Some(seq) = next.filter(|_| found.len() < search.limit) {
        let mut statement = db
            .prepare_cached("SELECT prev, body FROM event WHERE seq = ?1")
            .map_err(unavailable)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
        let (prev, body): (Option<i64>, _) =
            statement.query_row([seq], read).map_err(unavailable)?;
        let entry = read::json(&body, seq)?;
        let text = |path: &str| entry.pointer(path).and_then(Value::as_str);
        let by = search.by.as_ref();
        let is_wanted = seq < before
            && search.kind.as_ref().is_none_or(|kind| text("/type") == Some(kind))
            && by.is_none_or(|by| {
                (text("/by/iss"), text("/by/sub")) == (Some(by.iss()), Some(by.sub()))
            });
        if is_wanted {
            found.push((u64::try_from(seq).unwrap_or_default(), entry));
        }
        // Each link goes back; one that does not would never end.
        next = prev.filter(|prev| *prev < seq);
    }
    Ok(found)
}

fn column(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Answer<Vec<i64>> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let rows = statement.query_map(parameters, |row| row.get(0)).map_err(unavailable)?;
    rows.collect::<Result<_, _>>().map_err(unavailable)
}

pub(super) fn keep_absence(db: &Connection, absence: &Absence) -> Answer<()> {
    let body = serde_json::to_string(&wire::Absence::from(absence)).map_err(unavailable)?;
    let sql = "INSERT INTO absence (id, body) VALUES (?1, ?2) \
        ON CONFLICT (id) DO UPDATE SET body = excluded.body";
    execute(db, sql, &[&absence.id.to_bytes(), &body]).map(drop)
}

pub(super) fn absences(db: &Connection) -> Answer<Vec<Absence>> {
    let sql = "SELECT id, body FROM absence ORDER BY id DESC";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows = statement.query_map([], read).map_err(unavailable)?;
    let read = |row: Result<(Vec<u8>, String), rusqlite::Error>| {
        let (id, body) = row.map_err(unavailable)?;
        let stored: wire::Absence = serde_json::from_str(&body).map_err(corrupt)?;
        let absence: Absence = stored.try_into().map_err(corrupt)?;
        match absence.id == AbsenceId::from_bytes(id_bytes(&id)?) {
            true => Ok(absence),
            false => Err(corrupt("an absence under another id")),
        }
    };
    rows.map(read).collect()
}

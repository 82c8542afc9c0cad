//! Questions to the file.

use assent_core::access::Access;
use assent_core::audit::{Frontier, leaf_hash};
use assent_core::canonical;
use assent_core::digest::Digest;
use assent_core::id::{AccessId, CredentialId, RequestId, SignalId, UploadId};
use assent_core::request::{Event, Request, Version};
use assent_core::time::Timestamp;
use assent_core::wire;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};
use serde_json::Value;

use super::row::{StoredAccess, StoredKey, corrupt, digest, id_bytes};
use super::unavailable;
use crate::ledger::{
    Call, Heartbeat, KeptDocument, KeptSignal, KeptTold, LedgerError, Listened, PlanText,
    SealedKey, States,
};

type Answer<T> = Result<T, LedgerError>;

fn one<T>(
    db: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    read: impl FnOnce(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Answer<Option<T>> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    statement.query_row(parameters, read).optional().map_err(unavailable)
}

fn many<T>(
    db: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Answer<Vec<T>> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let rows = statement.query_map(parameters, read).map_err(unavailable)?;
    rows.collect::<Result<_, _>>().map_err(unavailable)
}

fn request_ids(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Answer<Vec<RequestId>> {
    let ids = many(db, sql, parameters, |row| row.get::<_, Vec<u8>>(0))?;
    ids.iter().map(|bytes| id_bytes(bytes).map(RequestId::from_bytes)).collect()
}

pub(super) fn request(
    db: &Connection,
    id: RequestId,
    at: Option<Version>,
) -> Answer<Option<Request>> {
    let Some((version, events)) = all_events(db, id)? else { return Ok(None) };
    let wanted = at.map_or(version, |Version(at)| at.min(version));
    let events = events.iter().take(usize::try_from(wanted).unwrap_or(usize::MAX));
    replayed(id, events).map(Some)
}

/// A request with its events.
pub(super) fn events_of(db: &Connection, id: RequestId) -> Answer<Option<(Request, Vec<Event>)>> {
    let Some((_, events)) = all_events(db, id)? else { return Ok(None) };
    Ok(Some((replayed(id, &events)?, events)))
}

pub(super) fn all_events(db: &Connection, id: RequestId) -> Answer<Option<(u64, Vec<Event>)>> {
    let sql = "SELECT head, version FROM request WHERE id = ?1";
    let found = one(db, sql, &[&id.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((head, version)): Option<(i64, u64)> = found else { return Ok(None) };
    let events = history(db, head)?;
    if events.len() as u64 != version {
        return Err(corrupt(format!("{id} has {} events, not {version}", events.len())));
    }
    Ok(Some((version, events)))
}

fn replayed<'e>(id: RequestId, events: impl IntoIterator<Item = &'e Event>) -> Answer<Request> {
    let request = Request::replay(events).map_err(|e| corrupt(format!("{id}: {e}")))?;
    match request.id() == id {
        true => Ok(request),
        false => Err(corrupt(format!("{id} leads to the events of {}", request.id()))),
    }
}

/// The place of a request's newest entry.
pub(super) fn head_of(db: &Connection, id: RequestId) -> Answer<Option<i64>> {
    one(db, "SELECT head FROM request WHERE id = ?1", &[&id.to_bytes()], |row| row.get(0))
}

/// The hashes of entries as leaves of the log, from this place on.
pub(super) fn leaves(db: &Connection, from: u64, limit: usize) -> Answer<Vec<Digest>> {
    let sql = "SELECT body FROM event WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    many(db, sql, &[&from, &limit], |row| Ok(leaf_hash(row.get_ref(0)?.as_bytes()?)))
}

/// Whether there is a request of this id.
pub(super) fn is_known(db: &Connection, id: &[u8; 16]) -> Answer<bool> {
    let found = one(db, "SELECT 1 FROM request WHERE id = ?1", &[id], |row| row.get::<_, i64>(0))?;
    Ok(found.is_some())
}

/// The events of a request, oldest first, from its newest one back.
fn history(db: &Connection, head: i64) -> Answer<Vec<Event>> {
    let mut events = Vec::new();
    let mut next = Some(head);
    while let Some(seq) = next {
        let sql = "SELECT prev, body FROM event WHERE seq = ?1";
        let found = one(db, sql, &[&seq], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let (prev, body) = found.ok_or_else(|| corrupt(format!("entry {seq} is missing")))?;
        // Each link goes back; one that does not would never end.
        if matches!(prev, Some(prev) if prev >= seq) {
            return Err(corrupt(format!("entry {seq} links forward")));
        }
        let event = wire::event_from_json(&json(&body, seq)?);
        events.push(event.map_err(|e| corrupt(format!("entry {seq}: {e}")))?);
        next = prev;
    }
    events.reverse();
    Ok(events)
}

/// What is stored must be the very bytes that were digested: other bytes with the same meaning to
/// one reader may mean something else to another.
pub(super) fn json(body: &[u8], seq: i64) -> Answer<Value> {
    let value = canonical::parse(body).map_err(|e| corrupt(format!("entry {seq}: {e}")))?;
    match wire::entry_bytes(&value) == body {
        true => Ok(value),
        false => Err(corrupt(format!("entry {seq} is not in canonical form"))),
    }
}

pub(super) fn call(db: &Connection, key: Digest) -> Answer<Option<Call>> {
    let sql = "SELECT asked, request, version, credential FROM call WHERE key = ?1";
    let found = one(db, sql, &[key.as_bytes()], |row| {
        let (asked, request): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let (version, credential): (u64, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
        Ok((asked, request, version, credential))
    })?;
    let Some((asked, request, version, credential)) = found else { return Ok(None) };
    let credential = credential.map(|bytes| id_bytes(&bytes).map(CredentialId::from_bytes));
    Ok(Some(Call {
        asked: digest(&asked)?,
        request: RequestId::from_bytes(id_bytes(&request)?),
        version: Version(version),
        credential: credential.transpose()?,
    }))
}

fn request_id(found: Option<Vec<u8>>) -> Answer<Option<RequestId>> {
    found.map(|bytes| id_bytes(&bytes).map(RequestId::from_bytes)).transpose()
}

pub(super) fn newest_with(db: &Connection, intent: Digest) -> Answer<Option<RequestId>> {
    let sql = "SELECT request FROM filing WHERE intent = ?1 OR stated = ?1 \
        ORDER BY request DESC LIMIT 1";
    request_id(one(db, sql, &[intent.as_bytes()], |row| row.get(0))?)
}

pub(super) fn newest_of(
    db: &Connection,
    intent: Digest,
    requester: &[u8],
) -> Answer<Option<RequestId>> {
    let sql = "SELECT request FROM filing WHERE intent = ?1 AND requester = ?2 \
        ORDER BY request DESC LIMIT 1";
    request_id(one(db, sql, &[intent.as_bytes(), &requester], |row| row.get(0))?)
}

pub(super) fn last_approved(
    db: &Connection,
    requester: &[u8],
    environment: &str,
    kind: &str,
) -> Answer<Option<RequestId>> {
    let sql = "SELECT request FROM approved WHERE requester = ?1 AND environment = ?2 \
        AND kind = ?3 ORDER BY at DESC, request DESC LIMIT 1";
    request_id(one(db, sql, &[&requester, &environment, &kind], |row| row.get(0))?)
}

/// The newest open request with this intent, of the requester's run or of the App for that run.
pub(super) fn open_with(
    db: &Connection,
    intent: Digest,
    requester: &[u8],
    run: [Option<Digest>; 2],
) -> Answer<Option<RequestId>> {
    let sql = "SELECT filing.request FROM filing JOIN request ON request.id = filing.request \
        WHERE filing.intent = ?1 AND filing.requester = ?2 \
        AND (filing.run IS ?3 OR filing.run = ?4) \
        AND filing.begun IS NULL AND request.state IN ('pending', 'approved') \
        ORDER BY filing.request DESC LIMIT 1";
    let [own, established] = run.each_ref().map(|run| run.as_ref().map(Digest::as_bytes));
    let parameters: [&dyn ToSql; 4] = [intent.as_bytes(), &requester, &own, &established];
    request_id(one(db, sql, &parameters, |row| row.get(0))?)
}

pub(super) fn piece(db: &Connection, upload: UploadId, number: u32) -> Answer<Option<Vec<u8>>> {
    let sql = "SELECT sealed FROM plan_piece WHERE upload = ?1 AND number = ?2";
    one(db, sql, &[&upload.to_bytes(), &number], |row| row.get(0))
}

pub(super) fn kept_bytes(db: &Connection, requester: &[u8]) -> Answer<u64> {
    let sql = "SELECT coalesce(sum(size), 0) FROM plan_kept WHERE requester = ?1";
    Ok(one(db, sql, &[&requester], |row| row.get(0))?.unwrap_or(0))
}

/// How many refusals of this request are on record, in all and to this caller.
pub(super) fn refusals(db: &Connection, request: &[u8; 16], who: &[u8]) -> Answer<(usize, usize)> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE who = ?2) FROM refusal WHERE request = ?1";
    let counted = one(db, sql, &[request, &who], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(counted.unwrap_or_default())
}

/// Whether what was requested is begun under this key.
pub(super) fn is_begun_under(
    db: &Connection,
    intent: Digest,
    id: &[u8; 16],
    key: Digest,
) -> Answer<bool> {
    let sql = "SELECT 1 FROM filing WHERE intent = ?1 AND request = ?2 AND begun = ?3";
    let found = one(db, sql, &[intent.as_bytes(), id, key.as_bytes()], |row| row.get::<_, i64>(0))?;
    Ok(found.is_some())
}

pub(super) fn request_of(db: &Connection, id: CredentialId) -> Answer<Option<RequestId>> {
    let sql = "SELECT request FROM credential WHERE id = ?1";
    request_id(one(db, sql, &[&id.to_bytes()], |row| row.get(0))?)
}

pub(super) fn due(db: &Connection, now: Timestamp, limit: usize) -> Answer<Vec<RequestId>> {
    let sql = "SELECT id FROM request WHERE due <= ?1 ORDER BY due LIMIT ?2";
    request_ids(db, sql, &[&now.as_millis(), &limit])
}

pub(super) fn closings(db: &Connection, now: Timestamp) -> Answer<Vec<RequestId>> {
    let sql = "SELECT id FROM request WHERE closing <= ?1 ORDER BY closing, id";
    request_ids(db, sql, &[&now.as_millis()])
}

pub(super) fn errands(db: &Connection) -> Answer<Vec<RequestId>> {
    let sql = "SELECT request FROM errand ORDER BY request";
    request_ids(db, sql, &[])
}

pub(super) fn live(db: &Connection, now: Timestamp) -> Answer<Vec<RequestId>> {
    let sql = "SELECT id FROM request WHERE live > ?1 \
        UNION SELECT id FROM request WHERE closing <= ?1 ORDER BY id DESC";
    request_ids(db, sql, &[&now.as_millis()])
}

pub(super) fn heartbeats(db: &Connection, request: RequestId) -> Answer<Vec<Heartbeat>> {
    let sql = "SELECT request, credential, last, due FROM heartbeat WHERE request = ?1 \
        UNION ALL SELECT request, NULL, last, due FROM waiting WHERE request = ?1";
    beats(db, sql, &[&request.to_bytes()])
}

pub(super) fn silent(db: &Connection, now: Timestamp, limit: usize) -> Answer<Vec<Heartbeat>> {
    let sql = "SELECT request, credential, last, due FROM heartbeat \
        WHERE due <= ?1 AND until > ?1 \
        UNION ALL SELECT request, NULL, last, due FROM waiting WHERE due <= ?1 \
        ORDER BY due LIMIT ?2";
    beats(db, sql, &[&now.as_millis(), &limit])
}

fn beats(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Answer<Vec<Heartbeat>> {
    let rows = many(db, sql, parameters, |row| {
        let (request, credential): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        Ok((request, credential, row.get(2)?, row.get(3)?))
    })?;
    let read = |(request, credential, last, due): (Vec<u8>, Option<Vec<u8>>, i64, i64)| {
        let request = RequestId::from_bytes(id_bytes(&request)?);
        let credential = credential.map(|id| id_bytes(&id).map(CredentialId::from_bytes));
        Ok(Heartbeat {
            request,
            who: credential.transpose()?.map_or(Listened::Requester(request), Listened::Holder),
            last: Timestamp::from_millis(last),
            due: Timestamp::from_millis(due),
        })
    };
    rows.into_iter().map(read).collect()
}

pub(super) fn list(
    db: &Connection,
    states: States,
    before: Option<RequestId>,
    limit: usize,
) -> Answer<Vec<Request>> {
    let before = before.map_or([255; 16], RequestId::to_bytes);
    let (wanted, word) = match states {
        States::Any => ("", ""),
        States::Open => ("AND state IN ('pending', 'approved')", ""),
        States::Only(word) => ("AND state = ?3", word),
    };
    let sql = format!("SELECT id FROM request WHERE id < ?1 {wanted} ORDER BY id DESC LIMIT ?2");
    let read = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let ids = match states {
        States::Only(_) => many(db, &sql, &[&before, &limit, &word], read)?,
        States::Any | States::Open => many(db, &sql, &[&before, &limit], read)?,
    };
    load_all(db, &ids)
}

pub(super) fn open_requests(db: &Connection, limit: usize) -> Answer<Vec<(RequestId, Version)>> {
    let sql = "SELECT id, version FROM request WHERE state IN ('pending', 'approved') \
        ORDER BY id DESC LIMIT ?1";
    let rows = many(db, sql, &[&limit], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
    let read = |(id, version): (Vec<u8>, u64)| {
        Ok((RequestId::from_bytes(id_bytes(&id)?), Version(version)))
    };
    rows.into_iter().map(read).collect()
}

pub(super) fn filed_by(
    db: &Connection,
    requester: &[u8],
    before: Option<RequestId>,
    limit: usize,
) -> Answer<Vec<Request>> {
    let before = before.map_or([255; 16], RequestId::to_bytes);
    let sql = "SELECT request FROM filing WHERE requester = ?1 AND request < ?2 \
        ORDER BY request DESC LIMIT ?3";
    let read = |row: &Row<'_>| row.get::<_, Vec<u8>>(0);
    let ids = many(db, sql, &[&requester, &before, &limit], read)?;
    load_all(db, &ids)
}

fn load_all(db: &Connection, ids: &[Vec<u8>]) -> Answer<Vec<Request>> {
    // One damaged request must not hide all others; whoever asks for it is told.
    let load = |bytes: &Vec<u8>| {
        let id = RequestId::from_bytes(id_bytes(bytes)?);
        match request(db, id, None) {
            Err(LedgerError::Corrupt(problem)) => {
                tracing::error!(%id, problem, "a request is left out of a list");
                Ok(None)
            }
            found => found,
        }
    };
    ids.iter().filter_map(|bytes| load(bytes).transpose()).collect()
}

pub(super) fn entries(db: &Connection, from: u64, limit: usize) -> Answer<Vec<Value>> {
    let from = i64::try_from(from).unwrap_or(i64::MAX);
    let sql = "SELECT seq, body FROM event WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
    let rows = many(db, sql, &[&from, &limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    rows.iter().map(|(seq, body)| json(body, *seq)).collect()
}

pub(super) fn head(db: &Connection) -> Answer<(Frontier, Timestamp)> {
    let sql = "SELECT size, peaks, at FROM log_head";
    let found = one(db, sql, &[], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?))
    })?;
    let (size, peaks, at) = found.ok_or_else(|| corrupt("the log has no head"))?;
    let peaks = peaks.chunks(32).map(digest).collect::<Result<Vec<_>, _>>()?;
    let frontier = Frontier::from_parts(size, peaks);
    let frontier = frontier.ok_or_else(|| corrupt("the log's head does not fit its size"))?;
    Ok((frontier, Timestamp::from_millis(at)))
}

pub(super) fn later_reviews(db: &Connection) -> Answer<Vec<RequestId>> {
    let sql = "SELECT id FROM request WHERE later IS NOT NULL ORDER BY id";
    request_ids(db, sql, &[])
}

pub(super) fn plan(db: &Connection, digest: Digest) -> Answer<Option<PlanText>> {
    let sql = "SELECT summary, redacted FROM plan WHERE digest = ?1";
    one(db, sql, &[digest.as_bytes()], |row| {
        Ok(PlanText { summary: row.get(0)?, redacted: row.get(1)? })
    })
}

pub(super) fn has_plan_of(db: &Connection, digest: Digest, who: &[u8]) -> Answer<bool> {
    let sql = "SELECT 1 FROM plan_by WHERE plan = ?1 AND who = ?2";
    let found = one(db, sql, &[digest.as_bytes(), &who], |row| row.get::<_, i64>(0))?;
    Ok(found.is_some())
}

pub(super) fn plan_of_saved(db: &Connection, saved: Digest, who: &[u8]) -> Answer<Option<Digest>> {
    let sql = "SELECT plan FROM plan_saved WHERE saved = ?1 AND who = ?2";
    let found = one(db, sql, &[saved.as_bytes(), &who], |row| row.get::<_, Vec<u8>>(0))?;
    found.map(|bytes| digest(&bytes)).transpose()
}

pub(super) fn signals(db: &Connection) -> Answer<Vec<KeptSignal>> {
    let sql = "SELECT name, value, who, at FROM signal ORDER BY name";
    let rows = many(db, sql, &[], |row| {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        Ok((name, value, row.get(2)?, row.get(3)?))
    })?;
    let read = |(name, value, by, at): (String, String, String, i64)| {
        let value = canonical::parse(value.as_bytes());
        let value = value.map_err(|error| corrupt(format!("signal {name}: {error}")))?;
        Ok(KeptSignal { name, value, by, at: Timestamp::from_millis(at) })
    };
    rows.into_iter().map(read).collect()
}

pub(super) fn signing_keys(db: &Connection) -> Answer<Vec<SealedKey>> {
    let sql = "SELECT body, sealed FROM signing_key ORDER BY id";
    let rows = many(db, sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let read = |(body, sealed): (String, Option<Vec<u8>>)| {
        let stored: StoredKey = serde_json::from_str(&body).map_err(corrupt)?;
        Ok(SealedKey { key: stored.try_into()?, sealed })
    };
    rows.into_iter().map(read).collect()
}

/// Whether this event token was heard.
pub(super) fn is_heard(db: &Connection, mark: Digest) -> Answer<bool> {
    let sql = "SELECT 1 FROM event_token WHERE mark = ?1";
    Ok(one(db, sql, &[mark.as_bytes()], |row| row.get::<_, i64>(0))?.is_some())
}

/// Whether this signal is kept.
pub(super) fn is_told(db: &Connection, id: SignalId) -> Answer<bool> {
    let sql = "SELECT 1 FROM told WHERE id = ?1";
    Ok(one(db, sql, &[&id.to_bytes()], |row| row.get::<_, i64>(0))?.is_some())
}

pub(super) fn told(db: &Connection) -> Answer<Vec<KeptTold>> {
    type Row = (Vec<u8>, Option<Vec<u8>>, String, bool);
    let sql = "SELECT id, asked, body, settled FROM told ORDER BY seq";
    let rows: Vec<Row> =
        many(db, sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let read = |(id, asked, body, settled): Row| {
        let id = SignalId::from_bytes(id_bytes(&id)?);
        let entry = canonical::parse(body.as_bytes());
        let entry = entry.map_err(|error| corrupt(format!("signal {id}: {error}")))?;
        let asked = asked.map(|bytes| digest(&bytes)).transpose()?;
        Ok(KeptTold { id, asked, entry, settled })
    };
    rows.into_iter().map(read).collect()
}

pub(super) fn within_reach(db: &Connection, now: Timestamp) -> Answer<Vec<RequestId>> {
    let sql = "SELECT id FROM request WHERE state IN ('pending', 'approved') \
        UNION SELECT id FROM request WHERE live > ?1";
    request_ids(db, sql, &[&now.as_millis()])
}

pub(super) fn documents(db: &Connection) -> Answer<Vec<KeptDocument>> {
    let sql = "SELECT name, version, text, who, at FROM policy_document AS newest WHERE version = \
        (SELECT max(version) FROM policy_document WHERE name = newest.name) ORDER BY name";
    many(db, sql, &[], kept_document)
}

pub(super) fn document(db: &Connection, name: &str) -> Answer<Vec<KeptDocument>> {
    let sql = "SELECT name, version, text, who, at FROM policy_document WHERE name = ?1 \
        ORDER BY version";
    many(db, sql, &[&name], kept_document)
}

fn kept_document(row: &Row<'_>) -> Result<KeptDocument, rusqlite::Error> {
    let at = Timestamp::from_millis(row.get(4)?);
    let (name, version, text) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(KeptDocument { name, version, text, by: row.get(3)?, at })
}

pub(super) fn access(db: &Connection, id: AccessId) -> Answer<Option<Access>> {
    let sql = "SELECT body FROM access WHERE id = ?1";
    let body: Option<String> = one(db, sql, &[&id.to_bytes()], |row| row.get(0))?;
    body.map(|body| stored_access(&body)).transpose()
}

pub(super) fn accesses(db: &Connection) -> Answer<Vec<Access>> {
    let sql = "SELECT body FROM access WHERE body ->> 'session' = 0 ORDER BY id DESC";
    let bodies: Vec<String> = many(db, sql, &[], |row| row.get(0))?;
    bodies.iter().map(|body| stored_access(body)).collect()
}

pub(super) fn stored_access(body: &str) -> Answer<Access> {
    serde_json::from_str::<StoredAccess>(body).map_err(corrupt)?.try_into()
}

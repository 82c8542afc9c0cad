//! Notices in the file. They are no facts: what happened is in the journal.

use std::collections::BTreeMap;

use assent_core::id::{NoticeId, RequestId};
use assent_core::notice::Told;
use assent_core::principal::PrincipalId;
use assent_core::request::{Step, Version};
use assent_core::time::Timestamp;
use assent_core::wire::NoticeWishes;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use super::row::{corrupt, id_bytes, requester_key};
use super::{SqliteLedger, unavailable, write};
use crate::ledger::LedgerError;
use crate::ledger::outbox::{
    Counts, Found, Notice, Outbox, Posted, Standing, StoredNotice, StoredTold,
};

const COLUMNS: &str = "id, request, standing, body";

/// Something to write that is no step.
pub(super) enum Post {
    Address(Vec<u64>, Vec<Notice>),
    Keep(Vec<Notice>),
    Forget(Timestamp),
    Wishes(Vec<u8>, Option<String>),
}

impl Post {
    pub(super) fn write(&self, db: &Connection) -> Result<(), LedgerError> {
        match self {
            Self::Address(done, notices) => {
                for seq in done {
                    execute(db, "DELETE FROM posted WHERE seq = ?1", &[seq])?;
                }
                notices.iter().try_for_each(|notice| insert(db, notice, "INSERT OR IGNORE"))
            }
            Self::Keep(notices) => {
                notices.iter().try_for_each(|notice| insert(db, notice, "INSERT OR REPLACE"))
            }
            Self::Forget(before) => {
                let sql = "DELETE FROM notice WHERE at < ?1 AND due IS NULL";
                execute(db, sql, &[&before.as_millis()])
            }
            Self::Wishes(who, Some(body)) => {
                let sql = "INSERT OR REPLACE INTO notice_wishes (who, body) VALUES (?1, ?2)";
                execute(db, sql, &[who, body])
            }
            Self::Wishes(who, None) => {
                execute(db, "DELETE FROM notice_wishes WHERE who = ?1", &[who])
            }
        }
    }
}

/// What is to be told of a step, in the step's transaction.
pub(super) fn post(db: &Connection, step: &Step) -> Result<(), LedgerError> {
    let Some(Posted { request, version, told, .. }) = Posted::of(step) else { return Ok(()) };
    let told: Vec<_> = told.iter().map(StoredTold::from).collect();
    let told = serde_json::to_string(&told).map_err(unavailable)?;
    let sql = "INSERT INTO posted (request, version, told) VALUES (?1, ?2, ?3)";
    execute(db, sql, &[&request.to_bytes(), &version.0, &told])
}

fn execute(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Result<(), LedgerError> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    statement.execute(parameters).map(drop).map_err(unavailable)
}

fn insert(db: &Connection, notice: &Notice, verb: &str) -> Result<(), LedgerError> {
    let body = serde_json::to_string(&StoredNotice::from(notice)).map_err(unavailable)?;
    let due = (notice.standing == Standing::Waiting).then_some(notice.due.as_millis());
    let sql = format!(
        "{verb} INTO notice (id, request, way, standing, due, at, body) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    );
    let values: [&dyn ToSql; 7] = [
        &notice.id.to_bytes(),
        &notice.request.to_bytes(),
        &notice.to.way(),
        &notice.standing.word(),
        &due,
        &notice.told.at.as_millis(),
        &body,
    ];
    execute(db, &sql, &values)
}

fn posted(db: &Connection, limit: usize) -> Result<Found, LedgerError> {
    // One that does not read takes nobody's place.
    let sql = "SELECT seq, request, version, told FROM posted ORDER BY seq";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let mut rows = statement.query([]).map_err(unavailable)?;
    let mut found = Found::default();
    while found.posted.len() < limit {
        let Some(row) = rows.next().map_err(unavailable)? else { break };
        let seq = row.get(0).map_err(unavailable)?;
        match posted_of(seq, row) {
            Ok(posted) => found.posted.push(posted),
            Err(error) => found.damaged.push((seq, error.to_string())),
        }
    }
    Ok(found)
}

fn posted_of(seq: u64, row: &Row<'_>) -> Result<Posted, LedgerError> {
    let request: Vec<u8> = row.get(1).map_err(corrupt)?;
    let version: u64 = row.get(2).map_err(corrupt)?;
    let told: String = row.get(3).map_err(corrupt)?;
    let stored: Vec<StoredTold> = serde_json::from_str(&told).map_err(corrupt)?;
    let told = stored.into_iter().map(Told::try_from).collect::<Result<_, _>>()?;
    let request = RequestId::from_bytes(id_bytes(&request)?);
    Ok(Posted { seq, request, version: Version(version), told })
}

fn notices(
    db: &Connection,
    wanted: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<Notice>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM notice {wanted}");
    let mut statement = db.prepare_cached(&sql).map_err(unavailable)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows = statement.query_map(parameters, read).map_err(unavailable)?;
    let mut all = Vec::new();
    for row in rows {
        let (id, request, standing, body): (Vec<u8>, Vec<u8>, String, String) =
            row.map_err(unavailable)?;
        let id = NoticeId::from_bytes(id_bytes(&id)?);
        let request = RequestId::from_bytes(id_bytes(&request)?);
        let stored: StoredNotice = serde_json::from_str(&body).map_err(corrupt)?;
        all.push(stored.notice(id, request, &standing)?);
    }
    Ok(all)
}

fn counts(db: &Connection) -> Result<BTreeMap<String, Counts>, LedgerError> {
    let sql = "SELECT way, standing, count(*) FROM notice \
        WHERE standing IN ('waiting', 'dead') GROUP BY way, standing";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let rows = statement.query_map([], read).map_err(unavailable)?;
    let mut all: BTreeMap<String, Counts> = BTreeMap::new();
    for row in rows {
        let (way, standing, count): (String, String, u64) = row.map_err(unavailable)?;
        let counts = all.entry(way).or_default();
        match standing.as_str() {
            "dead" => counts.dead = count,
            _ => counts.waiting = count,
        }
    }
    Ok(all)
}

fn wishes(db: &Connection, who: &[u8]) -> Result<Option<NoticeWishes>, LedgerError> {
    let sql = "SELECT body FROM notice_wishes WHERE who = ?1";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let found: Option<String> =
        statement.query_row([who], |row| row.get(0)).optional().map_err(unavailable)?;
    found.map(|body| serde_json::from_str(&body).map_err(corrupt)).transpose()
}

impl SqliteLedger {
    async fn post(&self, post: Post) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Post(Box::new(post), done)).await
    }
}

#[async_trait]
impl Outbox for SqliteLedger {
    async fn posted(&self, limit: usize) -> Result<Found, LedgerError> {
        self.read(move |db| posted(db, limit)).await
    }

    async fn address(&self, done: Vec<u64>, notices: Vec<Notice>) -> Result<(), LedgerError> {
        self.post(Post::Address(done, notices)).await
    }

    async fn due_notices(
        &self,
        way: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError> {
        let way = way.to_owned();
        let wanted = "WHERE way = ?1 AND due <= ?2 ORDER BY due, id LIMIT ?3";
        self.read(move |db| notices(db, wanted, &[&way, &now.as_millis(), &limit])).await
    }

    async fn keep_notices(&self, notices: Vec<Notice>) -> Result<(), LedgerError> {
        self.post(Post::Keep(notices)).await
    }

    async fn notices_of(&self, request: RequestId) -> Result<Vec<Notice>, LedgerError> {
        let wanted = "WHERE request = ?1 ORDER BY id";
        self.read(move |db| notices(db, wanted, &[&request.to_bytes()])).await
    }

    async fn notices(
        &self,
        standing: Option<Standing>,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError> {
        self.read(move |db| match standing {
            None => notices(db, "ORDER BY id DESC LIMIT ?1", &[&limit]),
            Some(standing) => {
                let wanted = "WHERE standing = ?1 ORDER BY id DESC LIMIT ?2";
                notices(db, wanted, &[&standing.word(), &limit])
            }
        })
        .await
    }

    async fn notice(&self, id: NoticeId) -> Result<Option<Notice>, LedgerError> {
        let found = self.read(move |db| notices(db, "WHERE id = ?1", &[&id.to_bytes()])).await?;
        Ok(found.into_iter().next())
    }

    async fn notice_counts(&self) -> Result<BTreeMap<String, Counts>, LedgerError> {
        self.read(counts).await
    }

    async fn forget_notices(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.post(Post::Forget(before)).await
    }

    async fn wishes(&self, who: &PrincipalId) -> Result<Option<NoticeWishes>, LedgerError> {
        let who = requester_key(who);
        self.read(move |db| wishes(db, &who)).await
    }

    async fn keep_wishes(
        &self,
        who: &PrincipalId,
        wishes: Option<NoticeWishes>,
    ) -> Result<(), LedgerError> {
        let body = wishes.map(|wishes| serde_json::to_string(&wishes)).transpose();
        self.post(Post::Wishes(requester_key(who), body.map_err(unavailable)?)).await
    }
}

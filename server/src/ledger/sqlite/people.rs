//! People who sign in, their links, and when their sessions and tokens were used.

use std::collections::BTreeSet;

use assent_core::access::Access;
use assent_core::id::AccessId;
use assent_core::principal::{LOCAL_ISSUER, PrincipalId};
use assent_core::sign_in::Link;
use assent_core::time::Timestamp;
use rusqlite::{Connection, Row, ToSql};
use serde::{Deserialize, Serialize};

use super::read::stored_access;
use super::row::{corrupt, id_bytes};
use super::unavailable;
use crate::ledger::{Account, LedgerError};

type Answer<T> = Result<T, LedgerError>;

/// What of an account is no column of its own.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    provider: String,
    name: Option<String>,
    email: Option<String>,
    groups: BTreeSet<String>,
    confirmed_at: i64,
    signed_in_at: i64,
}

fn execute(db: &Connection, sql: &str, parameters: &[&dyn ToSql]) -> Answer<()> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    statement.execute(parameters).map(drop).map_err(unavailable)
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

pub(super) fn keep_account(db: &Connection, account: &Account) -> Answer<()> {
    let Account { id, provider, name, email, groups, confirmed_at, signed_in_at, refresh } =
        account.clone();
    let (confirmed_at, signed_in_at) = (confirmed_at.as_millis(), signed_in_at.as_millis());
    let stored = Stored { provider, name, email, groups, confirmed_at, signed_in_at };
    let body = serde_json::to_string(&stored).map_err(unavailable)?;
    let sql = "INSERT INTO account (iss, sub, body, refresh) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (iss, sub) DO UPDATE SET body = excluded.body, refresh = excluded.refresh";
    execute(db, sql, &[&id.iss(), &id.sub(), &body, &refresh])
}

pub(super) fn accounts(db: &Connection) -> Answer<Vec<Account>> {
    type Parts = (String, String, String, Option<Vec<u8>>);
    let sql = "SELECT iss, sub, body, refresh FROM account";
    let rows: Vec<Parts> =
        many(db, sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let read = |(iss, sub, body, refresh): Parts| {
        let id = PrincipalId::new(&iss, &sub).map_err(corrupt)?;
        let stored: Stored = serde_json::from_str(&body).map_err(corrupt)?;
        let Stored { provider, name, email, groups, confirmed_at, signed_in_at } = stored;
        let confirmed_at = Timestamp::from_millis(confirmed_at);
        let signed_in_at = Timestamp::from_millis(signed_in_at);
        Ok(Account { id, provider, name, email, groups, confirmed_at, signed_in_at, refresh })
    };
    rows.into_iter().map(read).collect()
}

/// The whole id in one text: a subject holds no `#`.
fn written(id: &PrincipalId) -> String {
    format!("{}#{}", id.iss(), id.sub())
}

fn read(text: &str) -> Answer<PrincipalId> {
    let (iss, sub) = text.rsplit_once('#').unwrap_or((LOCAL_ISSUER, text));
    PrincipalId::new(iss, sub).map_err(corrupt)
}

pub(super) fn keep_link(db: &Connection, link: &Link) -> Answer<()> {
    let sql = "INSERT INTO account_link (person, account, since, until) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (person, account, since) DO UPDATE SET until = excluded.until";
    let (person, account) = (written(&link.person), written(&link.account));
    let (since, until) = (link.since.as_millis(), link.until.map(Timestamp::as_millis));
    execute(db, sql, &[&person, &account, &since, &until])
}

pub(super) fn links(db: &Connection) -> Answer<Vec<Link>> {
    type Parts = (String, String, i64, Option<i64>);
    let sql = "SELECT person, account, since, until FROM account_link ORDER BY since";
    let rows: Vec<Parts> =
        many(db, sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let link = |(person, account, since, until): Parts| {
        let (since, until) = (Timestamp::from_millis(since), until.map(Timestamp::from_millis));
        Ok(Link { person: read(&person)?, account: read(&account)?, since, until })
    };
    rows.into_iter().map(link).collect()
}

pub(super) fn see(db: &Connection, access: AccessId, at: Timestamp) -> Answer<()> {
    let sql = "INSERT INTO seen (access, at) VALUES (?1, ?2) \
        ON CONFLICT (access) DO UPDATE SET at = max(at, excluded.at)";
    execute(db, sql, &[&access.to_bytes(), &at.as_millis()])
}

pub(super) fn seen(db: &Connection) -> Answer<Vec<(AccessId, Timestamp)>> {
    let rows: Vec<(Vec<u8>, i64)> =
        many(db, "SELECT access, at FROM seen", &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let read = |(access, at): (Vec<u8>, i64)| {
        Ok((AccessId::from_bytes(id_bytes(&access)?), Timestamp::from_millis(at)))
    };
    rows.into_iter().map(read).collect()
}

pub(super) fn accesses_of(db: &Connection, who: &PrincipalId) -> Answer<Vec<Access>> {
    let sql = "SELECT body FROM access WHERE body ->> '$.principal.iss' = ?1 \
        AND body ->> '$.principal.sub' = ?2 ORDER BY id DESC";
    let bodies: Vec<String> = many(db, sql, &[&who.iss(), &who.sub()], |row| row.get(0))?;
    bodies.iter().map(|body| stored_access(body)).collect()
}

pub(super) fn accesses_by_sid(db: &Connection, sid: &str) -> Answer<Vec<Access>> {
    let sql = "SELECT body FROM access WHERE body ->> '$.login.sid' = ?1";
    let bodies: Vec<String> = many(db, sql, &[&sid], |row| row.get(0))?;
    bodies.iter().map(|body| stored_access(body)).collect()
}

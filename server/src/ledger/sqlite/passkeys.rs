//! Passkeys as rows, and the entries of the audit log that tell of them.

use assent_core::id::PasskeyId;
use assent_core::passkey::{Passkey, PasskeyStep, Voucher};
use assent_core::principal::PrincipalId;
use assent_core::webauthn::PublicKey;
use assent_core::{canonical, wire};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, ToSql};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::row::{corrupt, requester_key};
use super::unavailable;
use crate::ledger::LedgerError;

/// A passkey's record as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: String,
    person: wire::PrincipalId,
    credential: String,
    key: String,
    name: String,
    device_bound: bool,
    enrolled_at: String,
    removed_at: Option<String>,
    voucher: Option<StoredVoucher>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredVoucher {
    issuer: String,
    subject: String,
    at: String,
    claims: Map<String, Value>,
    key: Value,
    fingerprint: String,
    sealed: String,
}

fn written(passkey: &Passkey) -> Result<String, LedgerError> {
    let stored = Stored {
        id: passkey.id.to_string(),
        person: (&passkey.person).into(),
        credential: URL_SAFE_NO_PAD.encode(&passkey.credential),
        key: URL_SAFE_NO_PAD.encode(passkey.key.cose()),
        name: passkey.name.clone(),
        device_bound: passkey.device_bound,
        enrolled_at: passkey.enrolled_at.to_string(),
        removed_at: passkey.removed_at.map(|at| at.to_string()),
        voucher: passkey.voucher.as_ref().map(|voucher| StoredVoucher {
            issuer: voucher.issuer.clone(),
            subject: voucher.subject.clone(),
            at: voucher.at.to_string(),
            claims: voucher.claims.clone(),
            key: voucher.key.clone(),
            fingerprint: voucher.fingerprint.to_string(),
            sealed: URL_SAFE_NO_PAD.encode(&voucher.sealed),
        }),
    };
    serde_json::to_string(&stored).map_err(corrupt)
}

fn read(text: &str) -> Result<Passkey, LedgerError> {
    let stored: Stored = serde_json::from_str(text).map_err(corrupt)?;
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(corrupt);
    let voucher = |stored: StoredVoucher| -> Result<_, LedgerError> {
        Ok(Voucher {
            issuer: stored.issuer,
            subject: stored.subject,
            at: stored.at.parse().map_err(corrupt)?,
            claims: stored.claims,
            key: stored.key,
            fingerprint: stored.fingerprint.parse().map_err(corrupt)?,
            sealed: decoded(&stored.sealed)?,
        })
    };
    Ok(Passkey {
        id: stored.id.parse().map_err(corrupt)?,
        person: stored.person.try_into().map_err(corrupt)?,
        credential: decoded(&stored.credential)?,
        key: PublicKey::read(&decoded(&stored.key)?).map_err(corrupt)?,
        name: stored.name,
        device_bound: stored.device_bound,
        enrolled_at: stored.enrolled_at.parse().map_err(corrupt)?,
        removed_at: stored.removed_at.map(|at| at.parse()).transpose().map_err(corrupt)?,
        voucher: stored.voucher.map(voucher).transpose()?,
    })
}

fn many(db: &Connection, wanted: &str, by: &dyn ToSql) -> Result<Vec<Passkey>, LedgerError> {
    let sql = format!("SELECT body FROM passkey WHERE {wanted} ORDER BY id");
    let mut statement = db.prepare_cached(&sql).map_err(unavailable)?;
    let rows = statement.query_map([by], |row| row.get::<_, String>(0)).map_err(unavailable)?;
    rows.map(|body| read(&body.map_err(unavailable)?)).collect()
}

pub(super) fn of(db: &Connection, who: &PrincipalId) -> Result<Vec<Passkey>, LedgerError> {
    let all = many(db, "person = ?1", &requester_key(who))?;
    Ok(all.into_iter().filter(|passkey| passkey.person == *who).collect())
}

pub(super) fn one(db: &Connection, id: PasskeyId) -> Result<Option<Passkey>, LedgerError> {
    Ok(many(db, "id = ?1", &id.to_bytes())?.into_iter().next())
}

pub(super) fn with(db: &Connection, credential: &[u8]) -> Result<Option<Passkey>, LedgerError> {
    Ok(many(db, "credential = ?1", &credential)?.into_iter().next())
}

pub(super) fn is_live(db: &Connection, id: PasskeyId) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM passkey WHERE id = ?1 AND removed = 0";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let found = statement.query_row([id.to_bytes()], |_| Ok(())).optional();
    Ok(found.map_err(unavailable)?.is_some())
}

/// Compare and set: a row moves only from what the step was decided on. `false` where it moved before.
pub(super) fn keep(db: &Connection, step: &PasskeyStep) -> Result<bool, LedgerError> {
    let next = step.next();
    let (id, body, removed) = (next.id.to_bytes(), written(next)?, !next.is_live());
    let changed = match step.before() {
        None => {
            let sql = "INSERT INTO passkey (id, person, credential, removed, body) \
                VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
            let person = requester_key(&next.person);
            let values: [&dyn ToSql; 5] = [&id, &person, &next.credential, &removed, &body];
            db.prepare_cached(sql).and_then(|mut sql| sql.execute(values))
        }
        Some(before) => {
            let sql = "UPDATE passkey SET body = ?2, removed = ?3 WHERE id = ?1 AND body = ?4";
            let before = written(before)?;
            let values: [&dyn ToSql; 4] = [&id, &body, &removed, &before];
            db.prepare_cached(sql).and_then(|mut sql| sql.execute(values))
        }
    };
    Ok(changed.map_err(unavailable)? == 1)
}

/// That this entry of the audit log tells of it.
pub(super) fn note(db: &Connection, id: PasskeyId, seq: i64) -> Result<(), LedgerError> {
    let sql = "INSERT INTO passkey_entry (passkey, seq) VALUES (?1, ?2)";
    let noted = db.prepare_cached(sql).and_then(|mut sql| sql.execute((id.to_bytes(), seq)));
    noted.map(drop).map_err(unavailable)
}

/// What the audit log tells of it, each by its place there.
pub(super) fn entries(db: &Connection, id: PasskeyId) -> Result<Vec<(u64, Value)>, LedgerError> {
    let sql = "SELECT event.seq, event.body FROM passkey_entry JOIN event USING (seq) \
        WHERE passkey = ?1 ORDER BY event.seq";
    placed(db, sql, &id.to_bytes())
}

/// What the audit log tells of a request whose newest entry is this, each by its place there.
pub(super) fn of_request(db: &Connection, head: i64) -> Result<Vec<(u64, Value)>, LedgerError> {
    let sql = "WITH RECURSIVE told (seq, prev, body) AS ( \
        SELECT seq, prev, body FROM event WHERE seq = ?1 \
        UNION ALL SELECT event.seq, event.prev, event.body FROM told \
        JOIN event ON event.seq = told.prev) SELECT seq, body FROM told ORDER BY seq";
    placed(db, sql, &head)
}

fn placed(db: &Connection, sql: &str, by: &dyn ToSql) -> Result<Vec<(u64, Value)>, LedgerError> {
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let rows = statement.query_map([by], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)));
    let rows = rows.map_err(unavailable)?;
    rows.map(|row| {
        let (seq, body): (u64, _) = row.map_err(unavailable)?;
        Ok((seq, canonical::parse(&body).map_err(corrupt)?))
    })
    .collect()
}

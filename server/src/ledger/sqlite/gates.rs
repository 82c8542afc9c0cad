//! Runs at GitHub that wait before an environment. They are no facts: what is decided of them is in
//! their requests, and what waits is looked up at GitHub.

use assent_core::id::RequestId;
use assent_core::time::Timestamp;
use rusqlite::{Connection, Row, ToSql};

use super::row::id_bytes;
use super::unavailable;
use crate::ledger::{Gate, GateKey, LedgerError};

const COLUMNS: &str = "repository, run, environment, attempt, owner, name, sha, request, reports, \
    told, check_run, shown, answer, open, at, deployment, stated, said_before";

pub(super) fn one(db: &Connection, key: &GateKey) -> Result<Option<Gate>, LedgerError> {
    let wanted = "repository = ?1 AND run = ?2 AND environment = ?3";
    Ok(all(db, wanted, &[&key.repository, &key.run, &key.environment])?.into_iter().next())
}

pub(super) fn of(db: &Connection, request: RequestId) -> Result<Option<Gate>, LedgerError> {
    Ok(all(db, "request = ?1", &[&request.to_bytes()])?.into_iter().next())
}

pub(super) fn open(db: &Connection) -> Result<Vec<Gate>, LedgerError> {
    all(db, "open = 1 ORDER BY at", &[])
}

pub(super) fn of_run(db: &Connection, repository: u64, run: u64) -> Result<Vec<Gate>, LedgerError> {
    all(db, "repository = ?1 AND run = ?2", &[&repository, &run])
}

/// Of each repository the name under which it was found last.
pub(super) fn guarded(db: &Connection) -> Result<Vec<(String, String, u64)>, LedgerError> {
    // SQLite takes the other columns of the row that holds the maximum.
    let sql = "SELECT owner, name, repository, max(at) FROM gate GROUP BY repository";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.and_then(Iterator::collect).map_err(unavailable)
}

pub(super) fn keep(db: &Connection, gate: &Gate) -> Result<(), LedgerError> {
    let request = gate.request.map(|id| id.to_bytes());
    let at = gate.at.as_millis();
    let values: [&dyn ToSql; 18] = [
        &gate.key.repository,
        &gate.key.run,
        &gate.key.environment,
        &gate.attempt,
        &gate.owner,
        &gate.name,
        &gate.sha,
        &request,
        &gate.reports,
        &gate.told,
        &gate.check_run,
        &gate.shown,
        &gate.answer,
        &gate.open,
        &at,
        &gate.deployment,
        &gate.stated,
        &gate.said_before,
    ];
    let sql = format!(
        "INSERT OR REPLACE INTO gate ({COLUMNS}) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
         ?17, ?18)"
    );
    db.prepare_cached(&sql).and_then(|mut it| it.execute(values)).map(drop).map_err(unavailable)
}

pub(super) fn forget(db: &Connection, before: Timestamp) -> Result<(), LedgerError> {
    let sql = "DELETE FROM gate WHERE at < ?1";
    let mut statement = db.prepare_cached(sql).map_err(unavailable)?;
    statement.execute([before.as_millis()]).map(drop).map_err(unavailable)
}

fn all(db: &Connection, wanted: &str, parameters: &[&dyn ToSql]) -> Result<Vec<Gate>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM gate WHERE {wanted}");
    let mut statement = db.prepare_cached(&sql).map_err(unavailable)?;
    let rows = statement.query_map(parameters, read).map_err(unavailable)?;
    let mut gates = Vec::new();
    for row in rows {
        let (mut gate, request) = row.map_err(unavailable)?;
        let id = request.map(|bytes: Vec<u8>| id_bytes(&bytes)).transpose()?;
        gate.request = id.map(RequestId::from_bytes);
        gates.push(gate);
    }
    Ok(gates)
}

fn read(row: &Row<'_>) -> Result<(Gate, Option<Vec<u8>>), rusqlite::Error> {
    let (repository, run, environment) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let gate = Gate {
        key: GateKey { repository, run, environment },
        attempt: row.get(3)?,
        owner: row.get(4)?,
        name: row.get(5)?,
        sha: row.get(6)?,
        request: None,
        reports: row.get(8)?,
        told: row.get(9)?,
        check_run: row.get(10)?,
        shown: row.get(11)?,
        answer: row.get(12)?,
        open: row.get(13)?,
        at: Timestamp::from_millis(row.get(14)?),
        deployment: row.get(15)?,
        stated: row.get(16)?,
        said_before: row.get(17)?,
    };
    Ok((gate, row.get(7)?))
}

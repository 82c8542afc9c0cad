//! A role goes, with its sessions and with what it owns.

use std::time::Duration;

use tokio_postgres::Client;

use super::session::{self, told};
use super::settings::{Owned, Target};
use super::{lock_of, quoted};
use crate::broker::{BrokerError, Name};

/// How long each session of ours may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Ends every use of the role and drops it. Each step finds what an earlier try has left.
pub(super) async fn close(target: &Target, name: &Name) -> Result<(), BrokerError> {
    let home = &target.database;
    let found = session::with(target, home, LIMIT, |client| lock_out(client, name)).await?;
    let Some(role) = found else { return Ok(()) };
    for database in databases(home, role.uses) {
        session::with(target, &database, LIMIT, |client| disown(client, target, name)).await?;
    }
    session::with(target, home, LIMIT, |client| drop_role(client, name, role.oid)).await
}

/// A role that is there, and the databases in which something depends on it.
struct Found {
    oid: u32,
    uses: Vec<String>,
}

/// Nobody logs in any more, and whoever has is thrown out.
async fn lock_out(client: Client, name: &Name) -> Result<Option<Found>, BrokerError> {
    client.batch_execute(session::BEGIN).await.map_err(told)?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&lock_of(name)]).await.map_err(told)?;
    let sql = "SELECT oid FROM pg_roles WHERE rolname = $1";
    let row = client.query_opt(sql, &[&name.as_str()]).await.map_err(told)?;
    let Some(row) = row else { return Ok(None) };
    let oid: u32 = row.try_get(0).map_err(told)?;
    let statement = format!("ALTER ROLE {} NOLOGIN PASSWORD NULL", quoted(name.as_str()));
    client.batch_execute(&statement).await.map_err(told)?;
    client.batch_execute("COMMIT").await.map_err(told)?;
    end_sessions(&client, oid).await?;
    let sql = "SELECT DISTINCT d.datname::text FROM pg_catalog.pg_shdepend s \
        JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
        WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = $1 \
        AND d.datallowconn";
    let rows = client.query(sql, &[&oid]).await.map_err(told)?;
    let uses = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(told)?;
    Ok(Some(Found { oid, uses }))
}

/// The databases to look through: the one that callers are told, and wherever something depends on
/// the role.
fn databases(home: &str, uses: Vec<String>) -> Vec<String> {
    let elsewhere = uses.into_iter().filter(|database| database != home);
    std::iter::once(home.to_owned()).chain(elsewhere).collect()
}

/// Ends every session of the role, and waits for each of them.
async fn end_sessions(client: &Client, role: u32) -> Result<(), BrokerError> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity \
        WHERE usesysid = $1 AND pid <> pg_catalog.pg_backend_pid()";
    let rows = client.query(sql, &[&role]).await.map_err(told)?;
    for row in rows {
        if !row.try_get::<_, bool>(0).map_err(told)? {
            return Err(BrokerError::Away("a session of the role did not end in time".to_owned()));
        }
    }
    Ok(())
}

/// What the role owns here gets another owner or goes, and so does what it was granted.
async fn disown(client: Client, target: &Target, name: &Name) -> Result<(), BrokerError> {
    let role = quoted(name.as_str());
    let reassign = match &target.owned {
        Owned::Drop => String::new(),
        Owned::Keep => format!("REASSIGN OWNED BY {role} TO CURRENT_USER; "),
        Owned::GiveTo(other) => format!("REASSIGN OWNED BY {role} TO {}; ", quoted(other)),
    };
    let all = format!("{}; {reassign}DROP OWNED BY {role}; COMMIT", session::BEGIN);
    client.batch_execute(&all).await.map_err(told)
}

/// The role goes. A session whose login was under way when the door was shut shows itself only
/// after a while, so it is looked for once more.
async fn drop_role(client: Client, name: &Name, oid: u32) -> Result<(), BrokerError> {
    end_sessions(&client, oid).await?;
    let drop = format!("DROP ROLE IF EXISTS {}", quoted(name.as_str()));
    let all = format!("{}; {drop}; COMMIT", session::BEGIN);
    client.batch_execute(&all).await.map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_is_looked_through_once() {
        let uses = vec!["billing".to_owned(), "orders".to_owned()];
        assert_eq!(databases("orders", uses), ["orders", "billing"]);
        assert_eq!(databases("orders", Vec::new()), ["orders"]);
    }
}

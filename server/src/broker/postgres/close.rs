//! A role goes, with its sessions and with what it owns.

use std::convert::Infallible;
use std::time::Duration;

use tokio_postgres::Client;

use super::session::{self, told};
use super::settings::Target;
use super::{owned, quoted};
use crate::broker::{BrokerError, Name};

/// How long each session of ours may take.
const LIMIT: Duration = Duration::from_secs(15);
/// How often shutting a login is tried in one closing.
const TRIES: usize = 3;
/// How long to wait before it is looked again who is there still.
const LOOK: Duration = Duration::from_millis(50);
/// How often it is looked before a session counts as one that does not end.
const LOOKS: usize = 100;

/// Ends every use of the role and drops it. Each step finds what an earlier try has left.
pub(super) async fn close(target: &Target, name: &Name) -> Result<(), BrokerError> {
    let home = &target.database;
    let Some(role) = shut(target, name).await? else { return Ok(()) };
    for database in databases(home, role.uses) {
        session::with(target, &database, LIMIT, |client| owned::disown(client, target, name))
            .await?;
    }
    guarded(target, name, |client| drop_role(client, name, role.oid)).await
}

/// A role that is there, and the databases in which something depends on it.
struct Found {
    oid: u32,
    uses: Vec<String>,
}

/// Nobody logs in any more, and whoever has is thrown out. What stood in the way of one try is ended
/// before the next.
async fn shut(target: &Target, name: &Name) -> Result<Option<Found>, BrokerError> {
    let mut tries = 1;
    loop {
        match guarded(target, name, |client| lock_out(client, name)).await {
            Err(BrokerError::Refused(_)) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// Does this while another session of ours ends the sessions of the role, and those of other logins
/// of brokers that this waits for: whoever holds one may have locked what is to be changed.
async fn guarded<T, F>(
    target: &Target,
    name: &Name,
    work: impl FnOnce(Client) -> F,
) -> Result<T, BrokerError>
where
    F: Future<Output = Result<T, BrokerError>>,
{
    let home = &target.database;
    let both = |guard: Client| {
        session::with(target, home, LIMIT, |client| async move {
            let sql = "SELECT pg_catalog.pg_backend_pid()";
            let row = client.query_one(sql, &[]).await.map_err(told)?;
            let waiting = row.try_get(0).map_err(told)?;
            clear(&guard, name, waiting).await?;
            tokio::select! {
                biased;
                done = work(client) => done,
                failed = keep_clear(&guard, name, waiting) => failed.map(|never| match never {}),
            }
        })
    };
    session::with(target, home, LIMIT, both).await
}

async fn keep_clear(guard: &Client, name: &Name, waiting: i32) -> Result<Infallible, BrokerError> {
    loop {
        tokio::time::sleep(LOOK).await;
        clear(guard, name, waiting).await?;
    }
}

/// Ends what may stand in the way. People's own sessions never do: a broker's role is nobody else's
/// to lock.
async fn clear(guard: &Client, name: &Name, waiting: i32) -> Result<(), BrokerError> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
        WHERE usename = $1 OR pid = ANY (pg_catalog.pg_blocking_pids($2)) \
        AND usename ~ '^assent_[0-9a-z]{26}$' AND pg_catalog.pg_has_role(usesysid, 'USAGE')";
    guard.query(sql, &[&name.as_str(), &waiting]).await.map_err(told)?;
    Ok(())
}

async fn lock_out(client: Client, name: &Name) -> Result<Option<Found>, BrokerError> {
    client.batch_execute(session::BEGIN).await.map_err(told)?;
    let role = quoted(name.as_str());
    let sql = "SELECT oid FROM pg_roles WHERE rolname = $1";
    let Some(row) = client.query_opt(sql, &[&name.as_str()]).await.map_err(told)? else {
        // An opening whose caller has long given up may be about to be done. The name is taken to
        // find out: this waits for whoever takes it at the same time, and fails if they have it.
        let take = format!("CREATE ROLE {role} NOLOGIN; ROLLBACK");
        client.batch_execute(&take).await.map_err(told)?;
        return Ok(None);
    };
    let oid: u32 = row.try_get(0).map_err(told)?;
    let shut = format!("ALTER ROLE {role} NOLOGIN PASSWORD NULL VALID UNTIL '-infinity'; COMMIT");
    client.batch_execute(&shut).await.map_err(told)?;
    end_sessions(&client, oid).await?;
    strip(&client, oid).await?;
    let sql = "SELECT DISTINCT d.datname::text FROM pg_catalog.pg_shdepend s \
        JOIN pg_catalog.pg_database d ON d.oid = s.dbid \
        WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = $1 \
        AND d.datallowconn";
    let rows = client.query(sql, &[&oid]).await.map_err(told)?;
    let uses = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(told)?;
    Ok(Some(Found { oid, uses }))
}

/// Takes from the role what it is in, and from others that they are in it. If it cannot be dropped,
/// what it leaves behind and runs with its rights has none.
async fn strip(client: &Client, role: u32) -> Result<(), BrokerError> {
    let sql = "SELECT pg_catalog.format('REVOKE %I FROM %I', g.rolname, r.rolname) \
        FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid \
        JOIN pg_catalog.pg_roles r ON r.oid = m.member \
        WHERE m.member = $1 OR m.roleid = $1 AND r.rolname <> current_user";
    for row in client.query(sql, &[&role]).await.map_err(told)? {
        let revoke: String = row.try_get(0).map_err(told)?;
        let all = format!("{}; {revoke}; COMMIT", session::BEGIN);
        if let Err(error) = client.batch_execute(&all).await {
            // Dropping the role, which comes next, takes it all the same.
            tracing::warn!(%error, "a role that is closed could not be stripped of another");
            client.batch_execute("ROLLBACK").await.map_err(told)?;
        }
    }
    Ok(())
}

/// The databases to look through: the one that callers are told, and wherever something depends on
/// the role.
fn databases(home: &str, uses: Vec<String>) -> Vec<String> {
    let elsewhere = uses.into_iter().filter(|database| database != home);
    std::iter::once(home.to_owned()).chain(elsewhere).collect()
}

/// Ends every session of the role, until none is there.
async fn end_sessions(client: &Client, role: u32) -> Result<(), BrokerError> {
    let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
        WHERE usesysid = $1";
    for _ in 0..LOOKS {
        if client.query(sql, &[&role]).await.map_err(told)?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(BrokerError::Refused("a session of the role does not end".to_owned()))
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

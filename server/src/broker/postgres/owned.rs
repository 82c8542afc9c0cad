//! What a role owns goes with it, or is another role's from then on.
//!
//! What runs with its owner's rights must never get an owner who has more rights than whoever wrote
//! it. So only sequences and tables without any code of their own are given away, and only to a role
//! that nobody can log in as and that may do nothing to the cluster. The rights to them that a session
//! granted go: they would outlive it, and with `TRIGGER` its next login put code on the heir's table.

use tokio_postgres::Client;

use super::session::{self, told};
use super::settings::{Owned, Target};
use super::{plain, quoted};
use crate::broker::{BrokerError, Name};

/// What the role owns in this database gets another owner or goes, and so does what it was granted.
pub(super) async fn disown(
    client: Client,
    target: &Target,
    name: &Name,
) -> Result<(), BrokerError> {
    client.batch_execute(session::BEGIN).await.map_err(told)?;
    if let Owned::GiveTo(heir) = &target.owned {
        check_heir(&client, heir).await?;
        give(&client, name, heir).await?;
    }
    let rest = format!("DROP OWNED BY {}; COMMIT", quoted(name.as_str()));
    client.batch_execute(&rest).await.map_err(told)
}

/// What is not fit to own what a session made: by itself, or by a role that it is in.
const HEIR: &str = "WITH RECURSIVE above (oid) AS ( \
        SELECT oid FROM pg_roles WHERE rolname = $1 \
        UNION SELECT m.roleid FROM pg_auth_members m JOIN above a ON m.member = a.oid) \
    SELECT r.rolname::text, r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb \
        OR r.rolreplication OR r.rolbypassrls OR r.rolname ~ '^pg_' OR r.rolname = current_user \
    FROM above JOIN pg_roles r ON r.oid = above.oid";

/// Whether this role may own what a session made. To be asked within a transaction of ours.
pub(super) async fn check_heir(client: &Client, heir: &str) -> Result<(), BrokerError> {
    let rows = client.query(HEIR, &[&heir]).await.map_err(told)?;
    if rows.is_empty() {
        return Err(BrokerError::Refused(format!("`give_to`: there is no role `{heir}`")));
    }
    for row in rows {
        let role: String = row.try_get(0).map_err(told)?;
        if row.try_get(1).map_err(told)? {
            return Err(BrokerError::Refused(format!(
                "`give_to`: `{heir}` is, or is in, `{role}`, which may log in or do something to \
                 the cluster: give to a role that may do neither"
            )));
        }
    }
    Ok(())
}

/// The tables and sequences of a role, but for those in its own schemas, which go with them.
/// Sequences of columns are their tables'. Tables come first: a default of one may name a sequence that
/// is the role's still.
const OWNED: &str = "SELECT c.oid, c.relkind = 'r', format('%I.%I', n.nspname, c.relname) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_roles r ON r.oid = c.relowner \
    WHERE r.rolname = $1 AND n.nspowner <> r.oid AND c.relpersistence <> 't' AND (c.relkind = 'r' \
    OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass \
        AND d.objid = c.oid AND d.deptype IN ('a', 'i'))) ORDER BY c.relkind = 'S'";

/// What takes everybody's rights to a table or sequence away, to its columns and to their sequences, but
/// its owner's.
const GRANTED: &str = "SELECT format('REVOKE ALL ON %s %I.%I FROM %s CASCADE', \
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname, c.relname, \
        CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL ( \
        SELECT grantee FROM aclexplode(c.relacl) UNION \
        SELECT e.grantee FROM pg_attribute a, aclexplode(a.attacl) e WHERE a.attrelid = c.oid) g \
    WHERE g.grantee <> c.relowner AND (c.oid = $1 OR c.relkind = 'S' AND EXISTS ( \
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid \
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.deptype IN ('a', 'i')))";

/// Gives what may be given.
async fn give(client: &Client, name: &Name, heir: &str) -> Result<(), BrokerError> {
    let heir = quoted(heir);
    for row in client.query(OWNED, &[&name.as_str()]).await.map_err(told)? {
        let oid: u32 = row.try_get(0).map_err(told)?;
        let is_table: bool = row.try_get(1).map_err(told)?;
        let place: String = row.try_get(2).map_err(told)?;
        if !is_table {
            revoke(client, oid).await?;
            let sql = format!("ALTER SEQUENCE {place} OWNER TO {heir}");
            client.batch_execute(&sql).await.map_err(told)?;
            continue;
        }
        // From here on nobody puts code into it.
        let lock = format!("LOCK TABLE ONLY {place} IN ACCESS EXCLUSIVE MODE");
        client.batch_execute(&lock).await.map_err(told)?;
        if plain::is_plain(client, oid).await? {
            revoke(client, oid).await?;
            let sql = format!("ALTER TABLE ONLY {place} OWNER TO {heir}");
            client.batch_execute(&sql).await.map_err(told)?;
        }
    }
    Ok(())
}

async fn revoke(client: &Client, oid: u32) -> Result<(), BrokerError> {
    for row in client.query(GRANTED, &[&oid]).await.map_err(told)? {
        let revoke: String = row.try_get(0).map_err(told)?;
        client.batch_execute(&revoke).await.map_err(told)?;
    }
    Ok(())
}

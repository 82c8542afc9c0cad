//! A role is made, or gets another password.

use std::time::Duration;

use assent_core::time::Timestamp;
use tokio_postgres::Client;

use super::session::{self, told};
use super::settings::{Owned, Target};
use super::{owned, quoted};
use crate::broker::{BrokerError, Name};

/// How long all of it may take: less than a use waits for its token, and less than callers wait
/// for an answer.
const LIMIT: Duration = Duration::from_secs(15);

/// What a role shall be.
pub(super) struct Role<'a> {
    pub(super) name: &'a Name,
    pub(super) verifier: String,
    pub(super) until: Timestamp,
    pub(super) connections: u32,
    pub(super) granted: Vec<&'a str>,
}

/// Makes the role. It is there only once the last thing that is sent is done, so a call that gives
/// up in between leaves nothing. From the statement before the last on the database keeps its name
/// for it: a closing that comes meanwhile waits there until the opening is over.
pub(super) async fn open(target: &Target, role: &Role<'_>) -> Result<(), BrokerError> {
    session::with(target, &target.database, LIMIT, |client| make(client, target, role)).await
}

async fn make(client: Client, target: &Target, role: &Role<'_>) -> Result<(), BrokerError> {
    client.batch_execute(session::BEGIN).await.map_err(told)?;
    if let Owned::GiveTo(heir) = &target.owned {
        owned::check_heir(&client, heir).await?;
    }
    let sql = "SELECT 1 FROM pg_roles WHERE rolname = $1";
    let found = client.query_opt(sql, &[&role.name.as_str()]).await.map_err(told)?;
    let statement = if found.is_some() { altering(role) } else { creating(role) };
    client.batch_execute(&statement).await.map_err(told)?;
    client.batch_execute("COMMIT").await.map_err(told)
}

/// It may log in, is in the granted roles, and may nothing else by itself. The authority's login is
/// one of its members, so that it may end its sessions and drop what it owns.
fn creating(role: &Role<'_>) -> String {
    let granted = role.granted.iter().map(|granted| quoted(granted)).collect::<Vec<_>>().join(", ");
    format!(
        "CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT {} IN ROLE {granted} \
         ROLE CURRENT_USER",
        quoted(role.name.as_str()),
        login(role),
    )
}

fn altering(role: &Role<'_>) -> String {
    format!("ALTER ROLE {} {}", quoted(role.name.as_str()), login(role))
}

fn login(role: &Role<'_>) -> String {
    // Neither text holds a quote: one is base64 with `$` and `:`, the other an RFC 3339 time.
    let Role { verifier, until, connections, .. } = role;
    format!("LOGIN CONNECTION LIMIT {connections} PASSWORD '{verifier}' VALID UNTIL '{until}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_made_with_a_limit_an_end_and_quoted_names() {
        let name = Name::of("crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z".parse().unwrap());
        let role = Role {
            name: &name,
            verifier: "SCRAM-SHA-256$4096:c2FsdA==$a:b".to_owned(),
            until: Timestamp::from_millis(1_800_000_000_000),
            connections: 2,
            granted: vec!["reader", "we\"ird"],
        };
        let login = "LOGIN CONNECTION LIMIT 2 PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a:b' \
            VALID UNTIL '2027-01-15T08:00:00.000Z'";
        let name = "\"assent_01jd5k3n7q8r9s0t1v2w3x4y5z\"";
        let wanted = format!(
            "CREATE ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT {login} \
             IN ROLE \"reader\", \"we\"\"ird\" ROLE CURRENT_USER"
        );
        assert_eq!(creating(&role), wanted);
        assert_eq!(altering(&role), format!("ALTER ROLE {name} {login}"));
    }
}

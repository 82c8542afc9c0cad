//! A session with the server as the authority's own login: bounded in time, and gone with the call
//! that wanted it.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, Connection, NoTls};

use super::settings::Target;
use crate::broker::BrokerError;

/// How long reaching the server may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How much of what a server says is told.
const LONGEST: usize = 300;

/// Begins a transaction in which the server itself gives up in time, also on us, and takes names
/// from nowhere but its catalogue.
pub(super) const BEGIN: &str = "BEGIN; SET LOCAL search_path = pg_catalog; \
    SET LOCAL statement_timeout = '8s'; SET LOCAL lock_timeout = '2s'; \
    SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// Does something in a session with this database, and ends it. Nothing of it goes on when the call
/// is dropped: the connection is driven here and nowhere else.
pub(super) async fn with<T, F>(
    target: &Target,
    database: &str,
    limit: Duration,
    work: impl FnOnce(Client) -> F,
) -> Result<T, BrokerError>
where
    F: Future<Output = Result<T, BrokerError>>,
{
    let config = config(target, database)?;
    let away = |_| BrokerError::Away("the database cannot be reached in time".to_owned());
    let late = |_| BrokerError::Refused(format!("it was not done in {limit:?}"));
    match &target.tls {
        Some(tls) => {
            let connected = timeout(CONNECT, config.connect(tls.clone())).await.map_err(away)?;
            let (client, connection) = connected.map_err(told)?;
            timeout(limit, driven(client, connection, work)).await.map_err(late)?
        }
        None => {
            let connected = timeout(CONNECT, config.connect(NoTls)).await.map_err(away)?;
            let (client, connection) = connected.map_err(told)?;
            timeout(limit, driven(client, connection, work)).await.map_err(late)?
        }
    }
}

fn config(target: &Target, database: &str) -> Result<Config, BrokerError> {
    let password = target.password().map_err(BrokerError::Away)?;
    let mut config = Config::new();
    config
        .host(&target.host)
        .port(target.port)
        .dbname(database)
        .user(&target.username)
        .password(password.expose())
        .application_name("assent")
        .ssl_mode(if target.tls.is_some() { SslMode::Require } else { SslMode::Disable });
    Ok(config)
}

async fn driven<T, F, S, R>(
    client: Client,
    connection: Connection<S, R>,
    work: impl FnOnce(Client) -> F,
) -> Result<T, BrokerError>
where
    F: Future<Output = Result<T, BrokerError>>,
    S: AsyncRead + AsyncWrite + Unpin,
    R: AsyncRead + AsyncWrite + Unpin,
{
    // The client goes with the work, which ends the connection.
    let (done, _) = tokio::join!(work(client), connection);
    done
}

/// What went wrong, in the server's words where it said something.
pub(super) fn told(error: tokio_postgres::Error) -> BrokerError {
    let Some(said) = error.as_db_error() else {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        return BrokerError::Away(short(&format!("the database cannot be reached: {cause}")));
    };
    let code = said.code().code();
    let text = short(&format!("{} ({code})", said.message()));
    // No connection, no room for one, stopping or starting (PostgreSQL documentation, appendix A).
    // A timeout is not among them: it says something of what was asked, and nothing of the rest.
    let is_away = code.starts_with("08") || ["57P01", "57P02", "57P03", "53300"].contains(&code);
    if is_away { BrokerError::Away(text) } else { BrokerError::Refused(text) }
}

/// One line that can be shown.
fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

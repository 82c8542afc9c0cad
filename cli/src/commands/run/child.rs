//! The command itself: its environment, its signals, its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use assent_client::Client;
use assent_client::wire::{Credential, Request};
use rustix::process::{Pid, kill_process};
use tokio::process::{Child, Command};

use crate::failure::{Exit, Failure};
use crate::signals::{Ask, Signals};
use crate::terminal;

/// Where PostgreSQL's programs look for what a field says.
const LIBPQ: [(&str, &str); 6] = [
    ("host", "PGHOST"),
    ("port", "PGPORT"),
    ("database", "PGDATABASE"),
    ("username", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("sslmode", "PGSSLMODE"),
];

/// What the command is given.
pub(super) struct Environment<'a> {
    pub(super) request: &'a Request,
    pub(super) credential: &'a Credential,
    pub(super) client: &'a Client,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    /// Why its credential is taken back, unless it succeeded.
    pub(super) failed: Option<String>,
    /// What is to be told, where it did not even begin.
    pub(super) failure: Option<Failure>,
}

/// Runs the command to its end.
pub(super) async fn run(
    command: &[OsString],
    environment: &Environment<'_>,
    signals: &mut Signals,
) -> Ended {
    let Some((program, arguments)) = command.split_first() else {
        return not_started(&OsString::new(), &io::Error::from(io::ErrorKind::NotFound));
    };
    let child = Command::new(program)
        .args(arguments)
        .env("ASSENT_CREDENTIAL", &environment.credential.token)
        .env("ASSENT_REQUEST_ID", &environment.request.id)
        .env("ASSENT_URL", environment.client.base())
        .envs(opened(&environment.credential.fields))
        // What may ask and approve is not for the command; what was approved is.
        .env_remove("ASSENT_TOKEN")
        .spawn();
    match child {
        Ok(child) => until_ended(child, signals).await,
        Err(error) => not_started(program, &error),
    }
}

/// What a broker opened, as variables: each field under its name, and as PostgreSQL's own programs
/// look for it where it is a login there (PostgreSQL documentation, libpq, environment variables).
fn opened(fields: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = fields.iter().map(|(name, value)| {
        (format!("ASSENT_FIELD_{}", name.to_ascii_uppercase()), value.clone())
    });
    let is_postgres = fields.get("url").is_some_and(|url| url.starts_with("postgresql://"));
    let libpq = LIBPQ.iter().filter(|_| is_postgres).filter_map(|(field, variable)| {
        fields.get(*field).map(|value| ((*variable).to_owned(), value.clone()))
    });
    own.chain(libpq).collect()
}

async fn until_ended(mut child: Child, signals: &mut Signals) -> Ended {
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    loop {
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) => ended(status),
                Err(error) => lost(&error),
            },
            ask = signals.next() => forward(ask, id),
        }
    }
}

/// Passes a signal on. Ctrl-C on a terminal has reached the command already, and many programs
/// take a second one as the wish to be torn down.
fn forward(ask: Ask, child: Option<Pid>) {
    if matches!(ask, Ask::Interrupt | Ask::Quit) && terminal::is_in_foreground() {
        return;
    }
    if let Some(child) = child {
        // A command that has just ended needs no signal.
        let _ = kill_process(child, ask.signal());
    }
}

fn ended(status: ExitStatus) -> Ended {
    let (exit, failed) = match (status.code(), status.signal()) {
        (Some(0), _) => (0, None),
        (Some(code), _) => (code, Some(format!("the command failed with exit {code}"))),
        (None, Some(signal)) => {
            (128 + signal, Some(format!("the command was ended by signal {signal}")))
        }
        (None, None) => (255, Some("the command ended in no known way".to_owned())),
    };
    Ended { exit: Exit::Of(u8::try_from(exit).unwrap_or(255)), failed, failure: None }
}

fn lost(error: &io::Error) -> Ended {
    Ended {
        exit: Exit::Unknown,
        failed: Some("it is not known how the command ended".to_owned()),
        failure: Some(Failure::unknown("it is not known how the command ended").because(error)),
    }
}

/// As shells tell it: 127 for a command that is not there, 126 for one that cannot be run.
fn not_started(program: &OsString, error: &io::Error) -> Ended {
    let exit = match error.kind() == io::ErrorKind::NotFound {
        true => Exit::Of(127),
        false => Exit::Of(126),
    };
    let message = format!("`{}` could not be started", program.to_string_lossy());
    Ended {
        exit,
        failed: Some("the command could not be started".to_owned()),
        failure: Some(Failure::new(exit, message).because(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_command_is_the_end_of_the_program() {
        for (raw, code, reason) in [
            (0, 0, None),
            (7 << 8, 7, Some("the command failed with exit 7")),
            (15, 143, Some("the command was ended by signal 15")),
        ] {
            let ended = ended(ExitStatus::from_raw(raw));
            assert_eq!((ended.exit.code(), ended.failed.as_deref()), (code, reason));
        }
    }

    #[test]
    fn what_a_broker_opened_is_in_the_environment() {
        let fields = |url: &str| {
            let fields = [("password", "s3"), ("port", "5432"), ("url", url)];
            fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        };
        let given = opened(&fields("postgresql://host/orders"));
        let names: Vec<&str> = given.keys().map(String::as_str).collect();
        let own = ["ASSENT_FIELD_PASSWORD", "ASSENT_FIELD_PORT", "ASSENT_FIELD_URL"];
        assert_eq!(names, [own.as_slice(), &["PGPASSWORD", "PGPORT"]].concat());
        assert_eq!(given["PGPASSWORD"], "s3");
        assert_eq!(opened(&fields("https://elsewhere")).len(), 3);
        assert!(opened(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_command_that_is_not_there_is_127() {
        let ended = not_started(&"nope".into(), &io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(ended.exit.code(), 127);
    }
}

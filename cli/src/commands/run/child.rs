//! The command itself: its environment, its signals, its end.

mod opened;

use std::ffi::{OsStr, OsString};
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

/// What the command is given.
pub(super) struct Environment<'a> {
    pub(super) request: &'a Request,
    pub(super) credential: &'a Credential,
    pub(super) client: &'a Client,
}

/// How it ended.
#[derive(Debug)]
pub(in crate::commands) struct Ended {
    pub(in crate::commands) exit: Exit,
    /// Why its credential is taken back, unless it succeeded.
    pub(super) failed: Option<String>,
    /// What is to be told, where it did not even begin.
    pub(in crate::commands) failure: Option<Failure>,
}

/// Runs the command to its end.
pub(super) async fn run(
    command: &[OsString],
    environment: &Environment<'_>,
    signals: &mut Signals,
) -> Ended {
    let Some((program, arguments)) = command.split_first() else {
        return not_started(OsStr::new(""), &io::Error::from(io::ErrorKind::NotFound));
    };
    let fields = &environment.credential.fields;
    let mut command = Command::new(program);
    for name in opened::hidden(fields) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .env("ASSENT_CREDENTIAL", &environment.credential.token)
        .env("ASSENT_REQUEST_ID", &environment.request.id)
        .env("ASSENT_URL", environment.client.base())
        .envs(opened::variables(fields))
        // What may ask and approve is not for the command; what was approved is.
        .env_remove("ASSENT_TOKEN");
    to_its_end(command, signals).await
}

/// Runs a command to its end, and passes signals on to it meanwhile.
pub(in crate::commands) async fn to_its_end(mut command: Command, signals: &mut Signals) -> Ended {
    match command.spawn() {
        Ok(child) => until_ended(child, signals).await,
        Err(error) => not_started(command.as_std().get_program(), &error),
    }
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
fn not_started(program: &OsStr, error: &io::Error) -> Ended {
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
    fn a_command_that_is_not_there_is_127() {
        let ended = not_started(OsStr::new("nope"), &io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(ended.exit.code(), 127);
    }
}

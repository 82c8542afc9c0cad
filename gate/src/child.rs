//! The command itself: its environment, its signals, its end.

mod opened;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use assent_client::Client;
use assent_client::wire::{Credential, Request};
use rustix::process::{Pid, getpgrp, kill_process, kill_process_group};
use rustix::termios::tcgetpgrp;
use tokio::process::{Child, Command};

use crate::{Ask, Obstacle, Signals};

/// What the command is given.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// What was granted.
    pub request: &'a Request,
    /// By what.
    pub credential: &'a Credential,
    /// Where.
    pub client: &'a Client,
}

/// Whom a signal is passed on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The command alone. What it started is its own affair, as in a terminal.
    Command,
    /// Everything that it started, too: it has a process group of its own.
    Group,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// The code, as shells tell it; `None` where it is not known.
    pub code: Option<u8>,
    /// Why its credential is taken back, unless it succeeded.
    pub failed: Option<String>,
    /// What is to be told, where it did not even begin.
    pub obstacle: Option<Obstacle>,
}

/// A command that finds what was granted in its environment; `None` where none is named.
pub fn given(command: &[OsString], environment: Environment<'_>) -> Option<Command> {
    let (program, arguments) = command.split_first()?;
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
    Some(command)
}

/// Runs a command to its end, and passes signals on to it meanwhile.
pub async fn to_its_end(mut command: Command, reach: Reach, signals: &mut Signals) -> Ended {
    if reach == Reach::Group {
        command.process_group(0);
    }
    match command.spawn() {
        Ok(child) => until_ended(child, reach, signals).await,
        Err(error) => not_started(command.as_std().get_program(), &error),
    }
}

async fn until_ended(mut child: Child, reach: Reach, signals: &mut Signals) -> Ended {
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    loop {
        tokio::select! {
            status = child.wait() => return match status {
                Ok(status) => ended(status),
                Err(error) => lost(&error),
            },
            ask = signals.next() => forward(ask, id, reach),
        }
    }
}

/// Passes a signal on. Ctrl-C on a terminal has reached the command already, and many programs
/// take a second one as the wish to be torn down.
fn forward(ask: Ask, child: Option<Pid>, reach: Reach) {
    let was_heard = reach == Reach::Command && is_in_foreground();
    if matches!(ask, Ask::Interrupt | Ask::Quit) && was_heard {
        return;
    }
    let Some(child) = child else { return };
    // A command that has just ended needs no signal.
    let _ = match reach {
        Reach::Command => kill_process(child, ask.signal()),
        Reach::Group => kill_process_group(child, ask.signal()),
    };
}

/// Whether this process's group has the terminal, so that Ctrl-C reaches every process of it.
fn is_in_foreground() -> bool {
    let Ok(terminal) = File::open("/dev/tty") else { return false };
    tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp())
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
    Ended { code: Some(u8::try_from(exit).unwrap_or(255)), failed, obstacle: None }
}

fn lost(error: &io::Error) -> Ended {
    Ended {
        code: None,
        failed: Some("it is not known how the command ended".to_owned()),
        obstacle: Some(Obstacle::unknown("it is not known how the command ended").because(error)),
    }
}

/// As shells tell it: 127 for a command that is not there, 126 for one that cannot be run.
fn not_started(program: &OsStr, error: &io::Error) -> Ended {
    let code = match error.kind() == io::ErrorKind::NotFound {
        true => 127,
        false => 126,
    };
    let message = format!("`{}` could not be started", program.to_string_lossy());
    Ended {
        code: Some(code),
        failed: Some("the command could not be started".to_owned()),
        obstacle: Some(Obstacle::unknown(message).because(error)),
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
            assert_eq!((ended.code, ended.failed.as_deref()), (Some(code), reason));
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_127() {
        let ended = not_started(OsStr::new("nope"), &io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(ended.code, Some(127));
    }
}

//! Why a command could not do its work, and with which code it ends.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use assent_client::{ClientError, ErrorKind};
use assent_gate::{Ask, Obstacle, Sort};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Granted, or done.
    Granted,
    /// Refused, denied, expired, or still pending when the wait was over.
    Refused,
    /// Wrong usage or bad input.
    Usage,
    /// It could not be found out.
    Unknown,
    /// As the command that was run, or as the signal that ended it.
    Of(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Granted => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unknown => 3,
            Self::Of(code) => code,
        }
    }
}

impl From<Ask> for Exit {
    /// As shells tell it of a program that a signal ended.
    fn from(ask: Ask) -> Self {
        Self::Of(ask.code())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads what is printed any more. Nothing to tell: nobody would read it.
    OutputClosed,
    /// Something to tell.
    Told(Box<Told>),
}

/// What is told of a failure.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Told(Box::new(Told { exit, message, causes: Vec::new(), hints: Vec::new() }))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Exit::Unknown, message)
    }

    /// Ending with another code.
    pub(crate) fn ending(mut self, exit: Exit) -> Self {
        if let Self::Told(told) = &mut self {
            told.exit = exit;
        }
        self
    }

    /// With what lies behind it.
    pub(crate) fn because(mut self, cause: impl Display) -> Self {
        if let Self::Told(told) = &mut self {
            told.causes.push(cause.to_string());
        }
        self
    }

    /// With what may be done about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Told(told) = &mut self {
            told.hints.push(hint.into());
        }
        self
    }

    /// A file that could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::usage(format!("`{}`", path.display())).because(error)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        let told = match obstacle {
            Obstacle::Call(error) => return (*error).into(),
            Obstacle::Here(told) => told,
        };
        let exit = match told.sort {
            Sort::Wrong => Exit::Usage,
            Sort::Refused => Exit::Refused,
            Sort::Unknown => Exit::Unknown,
        };
        let assent_gate::Told { message, causes, hints, .. } = *told;
        Self::Told(Box::new(Told { exit, message, causes, hints }))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = error.problem.as_ref().map(|problem| problem.status);
        if error.code() == Some("not_opened") {
            // Whose key it was is of no use to whoever typed a command: it was made for this one.
            return Self::unknown(error.message).hint(
                "what was begun is closed by itself; run the command again, which asks anew or spends \
                 another use",
            );
        }
        match error.kind {
            ErrorKind::Usage | ErrorKind::Invalid | ErrorKind::NotFound => {
                Self::usage(error.message)
            }
            ErrorKind::Conflict => Self::refused(error.message),
            ErrorKind::Unauthorized if status == Some(403) => Self::refused(error.message),
            ErrorKind::Unauthorized => {
                Self::usage(error.message).hint("log in with `assent login`, or set ASSENT_TOKEN")
            }
            ErrorKind::Unreachable => Self::unknown(error.message)
                .hint("check that the server runs and that its URL is right"),
            ErrorKind::Untrusted => Self::unknown(error.message)
                .hint("if the server's authority is a private one, give its --ca-bundle"),
            ErrorKind::NoToken => Self::usage(error.message),
            ErrorKind::Unavailable | ErrorKind::Protocol => Self::unknown(error.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_of(kind: ErrorKind) -> Exit {
        let message = String::new();
        let (retryable, problem, wait) = (false, None, None);
        match Failure::from(ClientError { kind, retryable, message, problem, wait, nonce: None }) {
            Failure::Told(told) => told.exit,
            Failure::OutputClosed => panic!("a client error is told"),
        }
    }

    #[test]
    fn client_errors_have_their_exit_codes() {
        for (kind, code) in [
            (ErrorKind::Usage, 2),
            (ErrorKind::Invalid, 2),
            (ErrorKind::NotFound, 2),
            (ErrorKind::Unauthorized, 2),
            (ErrorKind::Conflict, 1),
            (ErrorKind::NoToken, 2),
            (ErrorKind::Unreachable, 3),
            (ErrorKind::Untrusted, 3),
            (ErrorKind::Unavailable, 3),
            (ErrorKind::Protocol, 3),
        ] {
            assert_eq!(exit_of(kind).code(), code, "{kind:?}");
        }
    }
}

//! What came of a step, as a word for later steps and as the code it ends with.

use assent_client::wire::{Request, Said};
use assent_client::{ClientError, ErrorKind};
use assent_gate::{Obstacle, Sort};

use crate::files::WriteError;

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It may be done.
    Granted,
    /// It was asked, and nobody waits for it here.
    Submitted,
    /// Somebody said no.
    Denied,
    /// Nobody decided in the time that policy gives.
    Expired,
    /// It was withdrawn.
    Canceled,
    /// The grant was taken back.
    Revoked,
    /// Nobody decided in the time that this step waits.
    TimedOut,
    /// `check`: people are still asked.
    Pending,
    /// Policy does not allow it, or not here.
    Refused,
    /// It could not be found out.
    Unreachable,
    /// What was given is wrong.
    Invalid,
}

impl Outcome {
    /// The output `outcome`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Submitted => "",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Revoked => "revoked",
            Self::TimedOut => "timed-out",
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Invalid => "invalid",
        }
    }

    /// The code that the step ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Granted | Self::Submitted => 0,
            Self::Denied | Self::Expired | Self::Canceled | Self::Revoked => 1,
            Self::Invalid => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
            Self::TimedOut => 5,
            Self::Pending => 6,
        }
    }

    /// What it is called in a sentence of its own.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Granted => "Granted",
            Self::Submitted => "Asked",
            Self::Denied => "Denied",
            Self::Expired => "Expired",
            Self::Canceled => "Canceled",
            Self::Revoked => "Taken back",
            Self::TimedOut => "Nobody decided in time",
            Self::Pending => "Still pending",
            Self::Refused => "Refused by policy",
            Self::Unreachable => "It could not be found out",
            Self::Invalid => "The inputs are wrong",
        }
    }

    /// What the end of a request without a grant is.
    pub(crate) fn of_end(request: &Request) -> Self {
        match request.state.as_str() {
            "denied" if request.ruling.outcome == Said::Refuse => Self::Refused,
            "denied" => Self::Denied,
            "expired" => Self::Expired,
            "canceled" => Self::Canceled,
            "revoked" => Self::Revoked,
            _ => Self::Unreachable,
        }
    }
}

/// Why a step does not go on.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    /// What came of it.
    pub(crate) outcome: Outcome,
    /// In words.
    pub(crate) why: String,
}

impl Stop {
    pub(crate) fn new(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into() }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        let outcome = match error.kind {
            ErrorKind::Usage | ErrorKind::Invalid | ErrorKind::NotFound => Outcome::Invalid,
            ErrorKind::Unauthorized | ErrorKind::Conflict => Outcome::Refused,
            ErrorKind::NoToken if !error.retryable => Outcome::Invalid,
            ErrorKind::NoToken
            | ErrorKind::Unreachable
            | ErrorKind::Untrusted
            | ErrorKind::Unavailable
            | ErrorKind::Protocol => Outcome::Unreachable,
        };
        Self { outcome, why: error.message }
    }
}

impl From<Obstacle> for Stop {
    fn from(obstacle: Obstacle) -> Self {
        let sort = match &obstacle {
            Obstacle::Call(error) => return (**error).clone().into(),
            Obstacle::Here(told) => told.sort,
        };
        let outcome = match sort {
            Sort::Wrong => Outcome::Invalid,
            Sort::Refused => Outcome::Refused,
            Sort::Unknown => Outcome::Unreachable,
        };
        Self { outcome, why: obstacle.to_string() }
    }
}

impl From<WriteError> for Stop {
    fn from(error: WriteError) -> Self {
        Self::new(Outcome::Unreachable, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_code() {
        let codes = [
            (Outcome::Granted, 0),
            (Outcome::Submitted, 0),
            (Outcome::Denied, 1),
            (Outcome::Expired, 1),
            (Outcome::Canceled, 1),
            (Outcome::Revoked, 1),
            (Outcome::Invalid, 2),
            (Outcome::Unreachable, 3),
            (Outcome::Refused, 4),
            (Outcome::TimedOut, 5),
            (Outcome::Pending, 6),
        ];
        for (outcome, code) in codes {
            assert_eq!(outcome.code(), code, "{outcome:?}");
        }
    }
}

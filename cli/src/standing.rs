//! What a request's state means to whoever asked.

use assent_client::wire::Request;

use crate::failure::{Exit, Failure};

/// Granted, open or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// People are asked.
    Pending,
    /// There is a grant, or it was used.
    Granted,
    /// It ended without a grant, or the grant was taken back.
    Ended,
}

impl Standing {
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        match request.state.as_str() {
            "pending" => Ok(Self::Pending),
            "approved" | "consumed" => Ok(Self::Granted),
            "denied" | "expired" | "canceled" | "revoked" => Ok(Self::Ended),
            other => Err(Failure::unknown(format!("the server answered with the state `{other}`"))
                .hint("this program may be older than the server")),
        }
    }

    /// How a wait for it ends.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Granted => Exit::Granted,
            Self::Pending | Self::Ended => Exit::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::request;

    #[test]
    fn only_a_grant_exits_with_0() {
        for (state, code) in [
            ("approved", 0),
            ("consumed", 0),
            ("pending", 1),
            ("denied", 1),
            ("expired", 1),
            ("canceled", 1),
            ("revoked", 1),
        ] {
            assert_eq!(Standing::of(&request(state)).unwrap().exit().code(), code, "{state}");
        }
    }

    #[test]
    fn a_state_that_is_not_known_is_no_grant() {
        match Standing::of(&request("granted!")).unwrap_err() {
            Failure::Told(told) => assert_eq!(told.exit.code(), 3),
            Failure::OutputClosed => panic!("it is told"),
        }
    }
}

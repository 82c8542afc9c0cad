//! Where a request stands, read from what the server says, and how to tell it.

use std::fmt;

use assent_client::wire;
use assent_core::intent::Intent;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::Value;

/// The states of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// People are asked.
    Pending,
    /// A credential may be minted.
    Approved,
    /// Policy refused it or a person denied it.
    Denied,
    /// Nobody decided, or nobody used it, in time.
    Expired,
    /// It was withdrawn.
    Canceled,
    /// It was used up or its action is over.
    Consumed,
    /// The permission was taken back.
    Revoked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Consumed => "consumed",
            Self::Revoked => "revoked",
        })
    }
}

//! The local time, for diagnostics only.
//!
//! Log and trace lines carry it. No rule depends on it: what is too late is for
//! the server to say.

/// The local time, RFC 3339 in UTC with milliseconds.
pub(crate) fn stamp() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

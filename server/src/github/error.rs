//! Why GitHub did not do what it was asked.

use assent_core::time::Timestamp;

/// Why a call to GitHub came to nothing. What stands in it is safe to log and to show: it holds no
/// secret, and of what GitHub said only one short line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    /// The App is not known, or may not do this (401, 403).
    #[error("GitHub refuses it: {0}")]
    Refused(String),
    /// There is no such thing, or the App is not installed where it would be seen (404, 410, and 301:
    /// what moved is another thing under that name).
    #[error("GitHub knows no such thing: {0}")]
    NotFound(String),
    /// It does not fit what is there (409, 422).
    #[error("GitHub finds that it does not fit: {0}")]
    Conflict(String),
    /// Nothing may be asked until then: GitHub said so, or what is left is kept for what people wait
    /// for.
    #[error("GitHub takes no more calls until {until}")]
    Limited {
        /// Until when.
        until: Timestamp,
    },
    /// GitHub gives less than all of it, and a part is worth nothing here.
    #[error("GitHub tells only a part: {0}")]
    Partial(String),
    /// There was no answer, or none that can be read. Of a write it is not known whether it was done.
    #[error("GitHub cannot be asked: {0}")]
    Away(String),
}

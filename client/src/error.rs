//! Why a call failed, and whether it may be sent again.

use assent_core::wire::Problem;
use assent_core::wire::oauth::OauthError;

/// A call that did not give an answer of its kind.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ClientError {
    /// What sort of failure it is.
    pub kind: ErrorKind,
    /// Whether the same call, with the same key, may be sent again.
    pub retryable: bool,
    /// What happened, for people; names the authority and what was asked.
    pub message: String,
    /// What the authority said, where it said something.
    pub problem: Option<Box<Problem>>,
}

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's settings or arguments are wrong.
    Usage,
    /// The authority could not be reached, or its answer was lost.
    Unreachable,
    /// The authority answered that it cannot now.
    Unavailable,
    /// The caller is not known, or may not.
    Unauthorized,
    /// There is no such thing, or not for this caller.
    NotFound,
    /// The state of things forbids it.
    Conflict,
    /// The authority found a fault in what was sent.
    Invalid,
    /// The answer is none that this client understands.
    Protocol,
}

impl ClientError {
    /// The authority's stable code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.code.as_str())
    }

    pub(crate) fn usage(message: String) -> Self {
        Self { kind: ErrorKind::Usage, retryable: false, message, problem: None }
    }

    pub(crate) fn unreachable(base: &str, error: &reqwest::Error) -> Self {
        let cause = root_cause(error);
        let message = format!("the Assent server at {base} could not be reached: {cause}");
        Self { kind: ErrorKind::Unreachable, retryable: true, message, problem: None }
    }

    pub(crate) fn protocol(base: &str, what: &str) -> Self {
        let message = format!("{base} does not answer like an Assent server: {what}");
        Self { kind: ErrorKind::Protocol, retryable: false, message, problem: None }
    }

    pub(crate) fn answered(status: u16, problem: Problem) -> Self {
        let kind = match status {
            // RFC 6749 section 5.2 answers so what is not believed, not only what is malformed.
            400 if problem.code == "invalid_grant" => ErrorKind::Unauthorized,
            401 | 403 => ErrorKind::Unauthorized,
            404 => ErrorKind::NotFound,
            409 | 410 => ErrorKind::Conflict,
            429 | 502 | 503 | 504 => ErrorKind::Unavailable,
            500..=599 => ErrorKind::Protocol,
            _ => ErrorKind::Invalid,
        };
        let retryable = kind == ErrorKind::Unavailable || problem.code == "still_running";
        let faults: Vec<_> =
            problem.errors.iter().map(|e| format!("{}: {}", e.field, e.problem)).collect();
        let message = match faults.is_empty() {
            true => problem.detail.clone(),
            false => format!("{}: {}", problem.detail, faults.join("; ")),
        };
        Self { kind, retryable, message, problem: Some(Box::new(problem)) }
    }

    /// An error of the token endpoint, whose form OAuth prescribes.
    pub(crate) fn answered_by_oauth(status: u16, error: OauthError) -> Self {
        let detail = error.error_description.unwrap_or_else(|| error.error.clone());
        let problem = Problem {
            type_: "about:blank".to_owned(),
            title: "Error".to_owned(),
            status,
            code: error.error,
            detail,
            errors: Vec::new(),
        };
        Self::answered(status, problem)
    }
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
}

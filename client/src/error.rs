//! Why a call failed, and whether it may be sent again.

use std::time::Duration;

use assent_core::wire::Problem;
use assent_core::wire::oauth::OauthError;
use reqwest::StatusCode;

/// A call that did not give an answer of its kind.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// How long the authority asks to be left alone.
    pub wait: Option<Duration>,
    /// The nonce that the authority wants in the next proof of possession.
    pub nonce: Option<String>,
}

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's settings or arguments are wrong.
    Usage,
    /// The authority could not be reached, or its answer was lost.
    Unreachable,
    /// Nobody who is trusted here vouches for the authority's certificate.
    Untrusted,
    /// The authority answered that it cannot now.
    Unavailable,
    /// The caller has no token to present: its file cannot be read, or its issuer gave none.
    NoToken,
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

/// What the token endpoint says of what was presented (RFC 6749 section 5.2, RFC 8628 section 3.5).
const REFUSALS: [&str; 3] = ["invalid_grant", "access_denied", "expired_token"];

impl ClientError {
    /// The authority's stable code, where it gave one.
    pub fn code(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.code.as_str())
    }

    pub(crate) fn usage(message: String) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    pub(crate) fn no_token(message: String) -> Self {
        Self::new(ErrorKind::NoToken, message)
    }

    /// No connection, or none that lasted until the answer was there.
    pub(crate) fn lost(server: &str, error: &reqwest::Error) -> Self {
        if error.is_builder() {
            // A header or a URL that cannot be sent. What it holds may be secret.
            return Self::usage("the call cannot be sent: its token is not one".to_owned());
        }
        match rustls_error(error) {
            Some(rustls::Error::InvalidCertificate(why)) => Self::untrusted(server, why),
            Some(rustls::Error::InvalidMessage(_)) => {
                Self::protocol(server, "it does not speak TLS")
            }
            _ => {
                let cause = cause(error);
                let message = format!("{server} could not be reached: {cause}");
                Self { retryable: true, ..Self::new(ErrorKind::Unreachable, message) }
            }
        }
    }

    fn untrusted(server: &str, why: &rustls::CertificateError) -> Self {
        use rustls::CertificateError as E;
        let why = if matches!(why, E::UnknownIssuer | E::BadSignature) {
            "none of the trusted authorities vouches for it".to_owned()
        } else if matches!(why, E::NotValidForName | E::NotValidForNameContext { .. }) {
            "it is for a server of another name".to_owned()
        } else {
            // Of the rest, the words of the library are clear: expired, revoked, not for servers.
            why.to_string()
        };
        let message = format!("the certificate of {server} is not trusted: {why}");
        Self::new(ErrorKind::Untrusted, message)
    }

    pub(crate) fn protocol(base: &str, what: &str) -> Self {
        let message = format!("{base} does not answer like an Assent server: {what}");
        Self::new(ErrorKind::Protocol, message)
    }

    /// An Assent server that has no such call. That says nothing about the thing that was asked for.
    pub(crate) fn unknown_call(base: &str, method: &str, path: &str, problem: Problem) -> Self {
        let message = format!(
            "the Assent server at {base} knows no `{method} {path}`: it is older than this \
             program, or its URL has a path too many"
        );
        Self { problem: Some(Box::new(problem)), ..Self::new(ErrorKind::Protocol, message) }
    }

    /// Somebody else than the authority who does not give what was asked for.
    pub(crate) fn answered_elsewhere(from: &str, status: StatusCode) -> Self {
        let kind = match status.as_u16() {
            401 | 403 => ErrorKind::Unauthorized,
            429 | 500..=599 => ErrorKind::Unavailable,
            _ => ErrorKind::Protocol,
        };
        let what = if status.is_success() { "something else than was asked for" } else { "" };
        let message = format!("{from} answered {status} {what}").trim_end().to_owned();
        Self { retryable: kind == ErrorKind::Unavailable, ..Self::new(kind, message) }
    }

    /// Whether the authority does not know the token that was presented, or not any more.
    pub(crate) fn is_rejected_token(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.status == 401)
    }

    fn new(kind: ErrorKind, message: String) -> Self {
        Self { kind, retryable: false, message, problem: None, wait: None, nonce: None }
    }

    pub(crate) fn answered(status: u16, problem: Problem) -> Self {
        let kind = match status {
            // RFC 6749 section 5.2 answers so what is not believed, not only what is malformed.
            400 if REFUSALS.contains(&problem.code.as_str()) => ErrorKind::Unauthorized,
            401 | 403 => ErrorKind::Unauthorized,
            404 => ErrorKind::NotFound,
            409 | 410 => ErrorKind::Conflict,
            429 | 502 | 503 | 504 => ErrorKind::Unavailable,
            500..=599 => ErrorKind::Protocol,
            _ => ErrorKind::Invalid,
        };
        // What it tried outside and could not have is tried again when somebody wants it: each try may
        // leave something open there.
        let tried = status == StatusCode::BAD_GATEWAY.as_u16();
        let retryable = kind == ErrorKind::Unavailable && !tried || problem.code == "still_running";
        let faults: Vec<_> =
            problem.errors.iter().map(|e| format!("{}: {}", e.field, e.problem)).collect();
        let message = match faults.is_empty() {
            true => problem.detail.clone(),
            false => format!("{}: {}", problem.detail, faults.join("; ")),
        };
        let message = message.replace(|c: char| c.is_control() && c != '\n', " ");
        Self { retryable, problem: Some(Box::new(problem)), ..Self::new(kind, message) }
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
            intent: None,
        };
        Self::answered(status, problem)
    }
}

/// What lies behind a failure, in words: the last of its causes says most.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
}

/// What TLS had to object, if that is the failure.
fn rustls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An I/O error does not name what it wraps as its source.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

//! What a failed call to the server means to the person who runs Terraform.

use assent_client::{ClientError, ErrorKind};

use crate::diagnostic::Diagnostic;
use crate::intent::sentence;

/// Why the call failed, in one sentence or two.
pub(crate) fn why(error: &ClientError) -> String {
    sentence(&error.to_string())
}

/// The failure as a diagnostic: why, and what to do.
pub(crate) fn told(error: &ClientError, summary: &str) -> Diagnostic {
    let advice = match error.kind {
        ErrorKind::Usage => "Correct the provider block.",
        ErrorKind::Unreachable => "Check `url` in the provider block and that the server is up.",
        ErrorKind::Unavailable => "Run terraform again later.",
        ErrorKind::Unauthorized => {
            "Check the access token: it may be wrong, expired or revoked, or not allowed to do this."
        }
        ErrorKind::NotFound => "It does not exist, or may not be seen with this access token.",
        ErrorKind::Conflict => "It has changed meanwhile; run terraform again.",
        ErrorKind::Invalid => "Correct the configuration and run terraform again.",
        ErrorKind::Protocol => "Check that `url` is the address of an Assent server.",
    };
    Diagnostic::error(summary, format!("{} {advice}", why(error)))
}

/// Whether what was to be ended is over anyway: ended already, or not there.
///
/// An answer that may change when the call is sent again says no such thing.
pub(crate) fn is_over(error: &ClientError) -> bool {
    error.kind == ErrorKind::NotFound && !error.retryable || has_ended(error)
}

/// Whether the server knows what the call was about, and it has ended.
pub(crate) fn has_ended(error: &ClientError) -> bool {
    error.kind == ErrorKind::Conflict && !error.retryable
}

/// A fault of this provider, whose details are in its log.
pub(crate) fn ours(doing: &str) -> Diagnostic {
    let detail = format!("There was no answer from {doing}; TF_LOG=debug shows more.");
    Diagnostic::error("The provider failed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, retryable: bool) -> ClientError {
        let message = "the request is consumed".to_owned();
        ClientError { kind, retryable, message, problem: None }
    }

    #[test]
    fn what_ended_or_is_gone_is_over() {
        assert!(is_over(&error(ErrorKind::NotFound, false)));
        assert!(is_over(&error(ErrorKind::Conflict, false)));
        assert!(!is_over(&error(ErrorKind::Conflict, true)));
        assert!(has_ended(&error(ErrorKind::Conflict, false)));
        assert!(!has_ended(&error(ErrorKind::NotFound, false)));
        assert!(!is_over(&error(ErrorKind::Unreachable, true)));
    }

    #[test]
    fn a_failure_says_why_and_what_to_do() {
        let told = told(&error(ErrorKind::Conflict, false), "No credential was minted");
        let detail = "The request is consumed. It has changed meanwhile; run terraform again.";
        assert_eq!(
            (told.summary.as_str(), told.detail.as_str()),
            ("No credential was minted", detail)
        );
    }
}

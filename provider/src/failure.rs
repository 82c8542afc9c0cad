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
    let advice = match error.kind() {
        ErrorKind::Unreachable => "Check `url` in the provider block and that the server is up.",
        ErrorKind::Unauthorized => "Check the access token: it may be wrong, expired or revoked.",
        ErrorKind::Forbidden => "Whoever the access token belongs to may not do this.",
        ErrorKind::NotFound => "It does not exist, or may not be seen with this access token.",
        ErrorKind::Conflict => "It has changed meanwhile; run terraform again.",
        ErrorKind::Invalid => "Correct the configuration and run terraform again.",
        ErrorKind::Server => "The server could not do it now; run terraform again later.",
    };
    Diagnostic::error(summary, format!("{} {advice}", why(error)))
}

/// A fault of this provider, whose details are in its log.
pub(crate) fn ours(doing: &str) -> Diagnostic {
    let detail = format!("{doing} ended without an answer; TF_LOG=debug shows why.");
    Diagnostic::error("The provider failed", sentence(&detail).replace("..", "."))
}

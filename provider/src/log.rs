//! Log lines for Terraform.
//!
//! Terraform reads one JSON object per line from a plugin's stderr and shows it
//! under `TF_LOG`. Stderr may be closed at any time; a lost line must never end
//! a run, so failures to write are ignored.

use std::io::Write;

use crate::clock;

/// How much a line weighs, in Terraform's words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    /// What only a developer wants to know.
    Debug,
    /// What a person may want to know.
    Info,
    /// What went wrong without ending the call.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Writes one line. Messages never hold secrets or values of the configuration.
pub(crate) fn log(level: Level, message: impl AsRef<str>) {
    let line = serde_json::json!({
        "@level": level.name(),
        "@message": message.as_ref(),
        "@module": "assent",
        "@timestamp": clock::stamp(),
    });
    let _ = writeln!(std::io::stderr(), "{line}");
}

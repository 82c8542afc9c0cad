//! A trace of the calls that Terraform makes, for tests and for support.
//!
//! If `ASSENT_PROVIDER_TRACE` names a file, one JSON line per call is appended:
//! time, process, call and type name. Values are never written: the trace of a
//! run with secrets in it can be shown to anybody.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use crate::clock;
use crate::log::{Level, log};

/// Where calls are traced to, if anywhere.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Option<PathBuf>);

impl Trace {
    /// A trace to this file; `None` traces nothing.
    pub(crate) fn to(file: Option<PathBuf>) -> Self {
        Self(file)
    }

    /// Notes one call.
    ///
    /// The line is one write to a file opened for appending: the processes of
    /// one Terraform run share the file.
    pub(crate) fn note(&self, call: &str, type_name: Option<&str>) {
        let Some(file) = &self.0 else { return };
        let line = serde_json::json!({
            "time": clock::stamp(),
            "pid": std::process::id(),
            "rpc": call,
            "type": type_name,
        });
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            log(Level::Warn, format!("the trace file cannot be written: {error}"));
        }
    }
}

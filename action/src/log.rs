//! What is printed: the one place that writes to the log of the step.

use std::io::{self, Write as _};
use std::sync::Mutex;

use crate::commands::{self, Level};
use crate::files::unguessable;

/// The log of the step. Whatever is printed at once stands together, so that a command for the runner
/// never falls between a stop and its resume.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<()>);

impl Log {
    /// Hides a secret from now on, in this job.
    pub(crate) fn mask(&self, secret: &str) {
        self.print(&commands::masks(secret));
    }

    /// Prints text that anybody may have written. Without chance to be had nothing is printed: a stop that
    /// can be guessed stops nothing.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if let Ok(token) = unguessable() {
            self.print(&commands::untrusted([text.as_ref()], &token));
        }
    }

    /// Shows a note on the page of the run.
    pub(crate) fn annotate(&self, level: Level, title: &str, message: &str) {
        self.print(&[commands::annotation(level, title, message)]);
    }

    fn print(&self, lines: &[String]) {
        let _one = self.0.lock();
        let mut text = lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        let mut out = io::stdout().lock();
        // Whoever closed the log does not want it.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

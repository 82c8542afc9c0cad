//! What is printed: the one place that writes to the log of the step.

use std::io::{self, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::commands::{self, Level};
use crate::files::unguessable;

/// The log of the step. Whatever is printed at once stands together, so that a command for the runner
/// never falls between a stop and its resume.
#[derive(Debug, Default)]
pub(crate) struct Log {
    one: Mutex<()>,
    is_shared: AtomicBool,
}

impl Log {
    /// Hides a secret from now on, in this job. Not once the log is shared: the runner may have been made
    /// deaf to commands, and would show what it is to hide.
    pub(crate) fn mask(&self, secret: &str) {
        if !self.is_shared.load(Ordering::SeqCst) {
            self.print(&commands::masks(secret));
        }
    }

    /// From now on others print here too, until the step ends. What is secret from then on is told nobody.
    pub(crate) fn share(&self) {
        self.is_shared.store(true, Ordering::SeqCst);
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
        let _one = self.one.lock();
        if lines.is_empty() {
            return;
        }
        let text = format!("{}\n", lines.join("\n"));
        // Whoever prints here too may have stopped within a line, where a stop would stop nothing.
        let text = if self.is_shared.load(Ordering::SeqCst) { format!("\n{text}") } else { text };
        let mut out = io::stdout().lock();
        // Whoever closed the log does not want it.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

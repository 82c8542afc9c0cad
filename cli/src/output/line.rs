//! One line of talk that is written over where that is possible, and else written when it changes.

use std::io::{self, Write as _};

use crate::terminal;

/// The line. It is wiped when it goes out of use, so that what is said next begins at the margin.
#[derive(Debug)]
pub(crate) struct Line {
    rewrites: bool,
    shown: bool,
}

impl Line {
    pub(crate) fn new(rewrites: bool) -> Self {
        Self { rewrites, shown: false }
    }

    /// Whether it can be written over, so that a clock may run in it.
    pub(crate) fn rewrites(&self) -> bool {
        self.rewrites
    }

    /// Shows this text.
    pub(crate) fn show(&mut self, text: &str) {
        let mut out = io::stderr().lock();
        // Talk that cannot be heard is no failure.
        let _ = match self.rewrites {
            // A line that wrapped could not be written over: what is too long is cut.
            true => {
                let width = terminal::width().saturating_sub(1);
                let cut: String = text.chars().take(width).collect();
                write!(out, "\r\u{1b}[2K{cut}").and_then(|()| out.flush())
            }
            false => writeln!(out, "{text}"),
        };
        self.shown = true;
    }

    /// Wipes it.
    pub(crate) fn wipe(&mut self) {
        if self.rewrites && self.shown {
            let mut out = io::stderr().lock();
            let _ = write!(out, "\r\u{1b}[2K").and_then(|()| out.flush());
            self.shown = false;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.wipe();
    }
}

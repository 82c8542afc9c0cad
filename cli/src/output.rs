//! Where everything is printed: data on stdout, talk on stderr, and nothing beside it.

mod line;
mod paint;
mod table;
mod text;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde::Serialize;

pub(crate) use assent_gate::clean;
pub(crate) use line::Line;
pub(crate) use paint::Paint;
pub(crate) use table::{Cell, Table, facts};

use crate::failure::{Exit, Failure, Told};
use crate::settings::Environment;

/// Stdout and stderr, as they are.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    data: Paint,
    talk: Paint,
    rewrites: bool,
    terminal: bool,
}

impl Output {
    pub(crate) fn new(environment: &Environment) -> Self {
        let terminal = io::stderr().is_terminal();
        let colour = environment.wants_colour();
        Self {
            data: Paint::new(colour && io::stdout().is_terminal()),
            talk: Paint::new(colour && terminal),
            rewrites: terminal && environment.can_rewrite(),
            terminal,
        }
    }

    /// How data is coloured.
    pub(crate) fn data_paint(&self) -> Paint {
        self.data
    }

    /// How talk is coloured.
    pub(crate) fn talk_paint(&self) -> Paint {
        self.talk
    }

    /// Whether a person reads the talk as it comes.
    pub(crate) fn talks_to_a_terminal(&self) -> bool {
        self.terminal
    }

    /// Prints data and a line end.
    pub(crate) fn data(&self, text: impl Display) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| unprinted(&e))
    }

    /// Prints a value in its wire shape.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(serde_json::to_string_pretty(value).unwrap_or_default())
    }

    /// Prints a value in its wire shape on one line.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(serde_json::to_string(value).unwrap_or_default())
    }

    /// Whether a person looks at the data, and it can be written over.
    pub(crate) fn shows(&self) -> bool {
        self.rewrites && io::stdout().is_terminal()
    }

    /// Writes to the terminal that shows the data, as it is.
    pub(crate) fn frame(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| unprinted(&e))
    }

    /// Says something. Talk that cannot be heard is no failure.
    pub(crate) fn talk(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A line of talk that is written over as things change.
    pub(crate) fn line(&self) -> Line {
        Line::new(self.rewrites)
    }

    /// Tells of a failure; the one place where that is done.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        match failure {
            Failure::OutputClosed => Exit::Granted,
            Failure::Told(told) => {
                self.talk(told_text(told, self.talk));
                told.exit
            }
        }
    }

    /// Tells of wrong usage, or prints the help that was asked for.
    pub(crate) fn usage(&self, error: &clap::Error) -> ExitCode {
        let exit = error.exit_code();
        let typed = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
        match text::hides_secrets(&error.render().to_string(), typed) {
            Some(safe) => self.talk(safe.trim_end()),
            // A reader that is gone is no failure here either.
            None => drop(error.print()),
        }
        u8::try_from(exit).map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

fn told_text(told: &Told, paint: Paint) -> String {
    let mut text = format!("{} {}", paint.bad("error:"), clean(&told.message));
    // One cause reads as the end of the sentence; several are a list.
    match told.causes.as_slice() {
        [cause] => text.push_str(&format!(": {}", clean(cause))),
        causes => causes.iter().for_each(|cause| text.push_str(&format!("\n  {}", clean(cause)))),
    }
    for hint in &told.hints {
        text.push_str(&format!("\n{} {}", paint.good("hint:"), clean(hint)));
    }
    text
}

fn unprinted(error: &io::Error) -> Failure {
    match error.kind() == io::ErrorKind::BrokenPipe {
        true => Failure::OutputClosed,
        false => Failure::unknown("nothing can be printed").because(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: Failure) -> String {
        match failure {
            Failure::Told(told) => told_text(&told, Paint::new(false)),
            Failure::OutputClosed => panic!("nothing to tell"),
        }
    }

    #[test]
    fn a_failure_has_its_causes_and_hints() {
        let one = Failure::usage("`x`").because("no such file").hint("look again");
        assert_eq!(told(one), "error: `x`: no such file\nhint: look again");
        let two = Failure::usage("bad").because("a").because("b");
        assert_eq!(told(two), "error: bad\n  a\n  b");
    }

    #[test]
    fn no_failure_steers_the_terminal() {
        assert_eq!(told(Failure::refused("\u{1b}[2J")), "error: \\u{1b}[2J");
    }

    #[test]
    fn a_closed_pipe_ends_quietly() {
        let closed = unprinted(&io::Error::from(io::ErrorKind::BrokenPipe));
        let output = Output::new(&Environment::default());
        assert_eq!(output.failure(&closed), Exit::Granted);
    }
}

//! What only a terminal can do: its width, typing without an echo, and whose it is.

use std::io::{self, IsTerminal as _};

use assent_client::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::failure::Failure;
use crate::output::Output;

/// How many characters fit into a line of stderr.
pub(crate) fn width() -> usize {
    let size = tcgetwinsize(io::stderr()).map(|size| usize::from(size.ws_col));
    size.ok().filter(|columns| *columns > 0).unwrap_or(80)
}

/// How many characters fit into a line of stdout, and how many lines.
pub(crate) fn size() -> (usize, usize) {
    let size = tcgetwinsize(io::stdout()).map(|size| (size.ws_col, size.ws_row));
    let (columns, lines) = size.ok().filter(|(c, l)| *c > 0 && *l > 0).unwrap_or((80, 24));
    (usize::from(columns), usize::from(lines))
}

/// Keys as they are pressed, unseen and without waiting for the line's end, until this is dropped.
/// Ctrl-c stays what it is.
pub(crate) struct Keys {
    _quiet: Quiet,
}

impl Keys {
    /// `None` where nobody types.
    pub(crate) fn begin() -> Option<Self> {
        let modes = LocalModes::ECHO | LocalModes::ICANON;
        Quiet::begin_without(modes).map(|quiet| Self { _quiet: quiet })
    }
}

/// Reads one line of stdin that nobody shall see: on a terminal it is asked for, without an echo.
pub(crate) fn secret_line(what: &str, output: &Output) -> Result<String, Failure> {
    let typed = io::stdin().is_terminal();
    if typed {
        output.talk(format!("{what}, which will not be shown:"));
    }
    let quiet = if typed { Quiet::begin() } else { None };
    let mut line = String::new();
    let read = io::stdin().read_line(&mut line);
    drop(quiet);
    read.map_err(|e| Failure::usage("stdin cannot be read").because(e))?;
    match line.trim() {
        "" => Err(Failure::usage(format!("stdin holds no {what}"))),
        line => Ok(line.to_owned()),
    }
}

/// A secret line of a stdin that is no terminal, if there is one.
pub(crate) fn piped_secret() -> Result<Option<Secret>, Failure> {
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|e| Failure::usage("stdin cannot be read").because(e))?;
    let line = line.trim();
    Ok((!line.is_empty()).then(|| Secret::new(line.to_owned())))
}

/// A terminal that does not echo, until this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> Option<Self> {
        Self::begin_without(LocalModes::ECHO)
    }

    fn begin_without(modes: LocalModes) -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(modes);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).ok()?;
        Some(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

//! `assent completions`

use clap_complete::Shell;

use crate::args;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Prints a completion script.
pub(crate) fn run(shell: Shell, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "assent", &mut script);
    output.data(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Granted)
}

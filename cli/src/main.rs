//! `assent`: the command line of Assent.
//!
//! What was typed (`args`) becomes what it means (`settings`) and is done (`commands`). Data goes
//! to stdout and talk to stderr (`output`); every failure ends here, in one exit code. Nothing
//! here decides about approval.

mod args;
mod browser;
mod clock;
mod commands;
mod events;
mod failure;
mod output;
mod settings;
mod show;
mod standing;
mod terminal;
mod waiting;

use std::process::ExitCode;

use failure::{Exit, Failure};
use output::Output;
use settings::Environment;

fn main() -> ExitCode {
    // The server's and the policy commands' workers are this program again.
    if let Some(code) = assent_rego::run_if_worker() {
        return code;
    }
    let environment = Environment::read();
    let output = Output::new(&environment);
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(error) => return output.usage(&error),
    };
    let done = runtime()
        .and_then(|runtime| runtime.block_on(commands::dispatch(cli, &environment, &output)));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => output.failure(&failure).into(),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| Failure::new(Exit::Unknown, "the program could not start").because(e))
}

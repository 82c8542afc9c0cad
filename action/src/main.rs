//! The gate of Assent inside a workflow of GitHub Actions: asks, waits, and gives what was granted.
//!
//! It decides nothing: the authority does. It reads what a runner gives a step, and tells the runner
//! what came of it. `assent-action main`, or nothing behind its name, is the step itself; `assent-action
//! post` ends with the job what the step asked for.

mod ask;
mod command;
mod commands;
mod comment;
mod connection;
mod environment;
mod event;
mod files;
mod grant;
mod inputs;
mod intent;
mod log;
mod markdown;
mod outcome;
mod post;
mod runner;
mod summary;
mod waiting;

use std::process::ExitCode;
use std::sync::Arc;

use commands::Level;
use environment::Environment;
use log::Log;
use outcome::Outcome;

fn main() -> ExitCode {
    let log = Arc::new(Log::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = match runtime {
        Ok(runtime) => runtime.block_on(done(&log)),
        Err(error) => {
            log.annotate(Level::Error, "Assent", &format!("it cannot start: {error}"));
            Outcome::Unreachable.code()
        }
    };
    ExitCode::from(code)
}

async fn done(log: &Arc<Log>) -> u8 {
    let environment = Environment::read();
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] | ["main"] => ask::run(&environment, log).await,
        ["post"] => post::run(&environment, log).await,
        _ => {
            let usage = "usage: assent-action [main | post]; inputs are read from INPUT_ variables";
            log.annotate(Level::Error, "Assent", usage);
            Outcome::Invalid.code()
        }
    }
}

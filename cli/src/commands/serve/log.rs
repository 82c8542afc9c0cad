//! The server's log: on stderr, as JSON unless a person reads it.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;

/// Sends the log to stderr from now on.
pub(super) fn install(environment: &Environment, output: &Output) -> Result<(), Failure> {
    let filter = environment.log.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| Failure::usage("ASSENT_LOG is not a log filter").because(e))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let installed = match environment.log_is_json || !output.talks_to_a_terminal() {
        true => log.json().flatten_event(true).finish().try_init(),
        false => log.with_ansi(environment.wants_colour()).with_target(false).finish().try_init(),
    };
    installed.map_err(|e| Failure::unknown("the log cannot be written").because(e))
}

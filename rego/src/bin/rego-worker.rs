//! A worker and nothing else, for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    assent_rego::run_if_worker().unwrap_or(ExitCode::from(2))
}

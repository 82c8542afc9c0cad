//! The gate of Assent inside a workflow of GitHub Actions: asks, waits, and gives what was granted.
//!
//! It decides nothing: the authority does. It reads what a runner gives a step, and tells the runner
//! what came of it.

mod commands;
mod environment;
mod event;
mod files;
mod inputs;
mod markdown;

fn main() {}

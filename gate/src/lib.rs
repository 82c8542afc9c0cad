//! What a program does that stands before an action: it asks, waits, is given what was granted, runs
//! what may be run now, and ends what is over.
//!
//! It decides nothing, reads no environment and prints nothing: who uses it does.

mod text;

pub use text::clean;

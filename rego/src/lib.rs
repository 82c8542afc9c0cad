//! Rego that cannot say yes by accident.
mod account;
mod builtins;
mod dialect;
mod engine;
mod frame;
pub mod opa;
mod opinion;
mod policy;
mod pool;
mod profile;
mod question;
mod source;
mod syntax;
mod worker;

pub use account::{Account, Coverage};
pub use dialect::{Dialect, DialectError};
pub use engine::Outcome;
pub use opinion::Opinion;
pub use policy::{Policy, PolicyError, Revision};
pub use pool::{Answer, Breaker, CheckError, FAULTS_TO_OPEN, Launch, Limits, OPEN_FOR, Pool};
pub use question::{MAX_INPUT_BYTES, MAX_INPUT_DEPTH, Party, Question, Review};
pub use source::{Fault, MAX_BRACKETS, MAX_MODULE_BYTES, Module, Version};
pub use worker::{ARGUMENT, Bounds, run_if_worker};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod traps;

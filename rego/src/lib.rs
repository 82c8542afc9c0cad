//! Rego that cannot say yes by accident.
//!
//! A policy written for another product, or for OPA, is asked about a request and gives an
//! [`Opinion`]: reasons to refuse, reasons to ask people, or consent that satisfies at most what
//! the rule that asked names. Whatever is not a clean answer is [`Opinion::Failed`].
//!
//! - [`Module::new`] looks at a text without parsing it; [`Policy`] is modules, data and a
//!   [`Dialect`].
//! - A [`Pool`] has it loaded and evaluated in worker processes. The program that makes the pool
//!   calls [`run_if_worker`] first thing in `main`, because it is started again as the worker.
//! - [`opa`] asks an OPA that runs elsewhere.
//!
//! The calling process never parses or evaluates Rego, never trusts a worker's answer further than
//! its shape, and never waits longer than its [`Limits`] say. Nothing here permits anything.

mod account;
mod builtins;
mod dialect;
mod engine;
mod engines;
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
pub use engines::{About, Engines};
pub use opinion::Opinion;
pub use policy::{Policy, PolicyError, Revision};
pub use pool::{Answer, Breaker, CheckError, FAULTS_TO_OPEN, Launch, Limits, OPEN_FOR, Pool};
pub use question::{MAX_INPUT_BYTES, MAX_INPUT_DEPTH, Party, Question, Review};
pub use source::{Fault, MAX_BRACKETS, MAX_MODULE_BYTES, Module, Version};
pub use worker::{ARGUMENT, Bounds, run_if_worker};

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod equivalence;
#[cfg(test)]
mod suites;
#[cfg(test)]
mod traps;

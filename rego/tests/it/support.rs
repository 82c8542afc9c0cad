//! A pool over the worker program of this crate, and policies in one line.

use std::time::Duration;

use assent_rego::{Dialect, Launch, Limits, Module, Opinion, Policy, Pool, Version};

/// Generous with time, because the machine may be busy; as strict as always with memory.
pub(crate) fn limits() -> Limits {
    Limits {
        workers: 4,
        load: Duration::from_secs(20),
        timer: Duration::from_millis(500),
        evaluation: Duration::from_secs(20),
        turn: Duration::from_secs(60),
        ..Limits::default()
    }
}

pub(crate) fn pool(limits: Limits) -> Pool {
    Pool::new(Launch::program(env!("CARGO_BIN_EXE_rego-worker")), limits)
}

pub(crate) fn module(text: &str) -> Module {
    Module::new("policy.rego", text, Version::V1).unwrap()
}

pub(crate) fn policy(dialect: Dialect, text: &str) -> Policy {
    Policy::new(dialect, vec![module(text)]).unwrap()
}

pub(crate) fn permits(opinion: &Opinion) -> bool {
    matches!(opinion, Opinion::Answered { allows: true, .. })
}

pub(crate) fn reason(opinion: &Opinion) -> &str {
    match opinion {
        Opinion::Failed { reason } => reason,
        Opinion::Answered { .. } => panic!("answered: {opinion:?}"),
    }
}

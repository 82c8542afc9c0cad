//! What parent and worker say to each other: a length of four bytes, then that much JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::Coverage;
use crate::engine::Outcome;
use crate::policy::{Policy, Revision};
use crate::source::Fault;

/// The longest answer a parent reads.
pub(crate) const MAX_ANSWER_BYTES: usize = 2 * 1024 * 1024;
/// The longest order a worker reads.
pub(crate) const MAX_ORDER_BYTES: usize = 64 * 1024 * 1024;

/// What a worker is told to do. The input is generic because the parent has JSON and the worker
/// reads it straight into the engine's values.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order<P, I> {
    /// Check and load a policy.
    Load { revision: Revision, policy: P },
    /// Evaluate one that is loaded.
    Ask { revision: Revision, input: I, now_ns: i64, account: bool },
}

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Loaded,
    Refused(Vec<Fault>),
    Evaluated {
        outcomes: BTreeMap<String, Outcome>,
        prints: Vec<String>,
        coverage: Vec<Coverage>,
        broken: bool,
    },
    /// The order made no sense: it was asked for what it had not loaded.
    Confused(String),
}

/// The message with its length before it.
pub(crate) fn framed(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(head) = bytes.get_mut(..4) {
        head.copy_from_slice(&length);
    }
    Ok(bytes)
}

//! The audit log: its entries and checkpoint, read from the beginning by somebody who does not trust
//! who wrote it.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::{Frontier, leaf_hash};
use crate::evidence;
use crate::id::{RequestId, SignalId};
use crate::request::{Effect, Event, Fact, Request};
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::wire::{entry_bytes, event_from_json, signal_from_entry};

/// A place of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// How many entries it has.
    pub size: u64,
    /// The Merkle root over them, RFC 6962 section 2.1, in hex.
    pub root: String,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its index, from 0: the leaf's index in the Merkle tree.
    pub index: u64,
    /// The event; its canonical JSON (RFC 8785) is the leaf's data.
    pub event: Value,
}

/// Some entries of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entries {
    /// In order.
    pub entries: Vec<Entry>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// An entry is missing, moved or doubled.
    #[error("entry {expected} is missing: {found} stands in its place")]
    Gap {
        /// The index that was due.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// An entry that is no event of this format.
    #[error("entry {index}: {problem}")]
    Unreadable {
        /// Its index.
        index: u64,
        /// What is wrong.
        problem: String,
    },
    /// A history that no lifecycle can have written.
    #[error("request {request}: {problem}")]
    Impossible {
        /// The request.
        request: String,
        /// What is wrong.
        problem: String,
    },
    /// Entries go back in time.
    #[error("entry {index} is older than the one before it of request {request}")]
    BackInTime {
        /// Its index.
        index: u64,
        /// The request.
        request: String,
    },
    /// Something was stopped by a signal that was never heard before, or does not say so.
    #[error("request {request}: it was stopped by the signal {signal}, {problem}")]
    Unsignalled {
        /// The request.
        request: String,
        /// The signal it names.
        signal: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A review was signed with a passkey that was not its reviewer's by what the log says before.
    #[error("request {request}: a review is signed, but {problem}")]
    Unsigned {
        /// The request.
        request: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The log is not the one that was promised.
    #[error(
        "the log has {size} entries with root {root}, but the checkpoint says {promised_size} with root {promised_root}"
    )]
    OtherLog {
        /// How many entries were read.
        size: u64,
        /// Their root.
        root: String,
        /// How many the checkpoint says.
        promised_size: u64,
        /// The root the checkpoint says.
        promised_root: String,
    },
}

/// A log being read.
#[derive(Debug, Default)]
pub struct History {
    frontier: Frontier,
    requests: BTreeMap<RequestId, Vec<Event>>,
    signals: HashMap<SignalId, Signal>,
    /// What was told of each passkey so far.
    passkeys: HashMap<String, Vec<Value>>,
}

/// What a verified log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many entries.
    pub entries: u64,
    /// How many requests.
    pub requests: u64,
    /// The root.
    pub root: String,
    /// How many requests are in each state, by replay.
    pub states: BTreeMap<&'static str, u64>,
}

impl History {
    /// Reads the next entry.
    ///
    /// # Errors
    /// [`HistoryError`] at the first entry that cannot stand where it stands.
    pub fn read(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        let index = self.frontier.size();
        if entry.index != index {
            return Err(HistoryError::Gap { expected: index, found: entry.index });
        }
        self.frontier.push(leaf_hash(&entry_bytes(&entry.event)));
        if entry.event.get("request").is_none() {
            let signal = signal_from_entry(&entry.event)
                .map_err(|error| HistoryError::Unreadable { index, problem: error.to_string() })?;
            self.signals.extend(signal.map(|signal| (signal.id, signal)));
            if let Some(passkey) = entry.event.get("passkey").and_then(Value::as_str) {
                let told = self.passkeys.entry(passkey.to_owned()).or_default();
                told.push(entry.event.clone());
            }
            return Ok(());
        }
        let event = event_from_json(&entry.event)
            .map_err(|error| HistoryError::Unreadable { index, problem: error.to_string() })?;
        self.check_heard(&event)?;
        self.check_signed(&event)?;
        let events = self.requests.entry(event.request).or_default();
        let last: Option<Timestamp> = events.last().map(|event| event.at);
        if last.is_some_and(|last| event.at < last) {
            let request = event.request.to_string();
            return Err(HistoryError::BackInTime { index, request });
        }
        events.push(event);
        Ok(())
    }

    /// What a signal stopped, a signal stands for: heard before, of this subject, saying this.
    fn check_heard(&self, event: &Event) -> Result<(), HistoryError> {
        let Fact::Stopped { signal, about, concern, .. } = &event.fact else { return Ok(()) };
        let problem = match self.signals.get(signal) {
            None => "which is not on record before",
            Some(heard) if heard.about != *about || heard.concern() != Some(*concern) => {
                "which says something else"
            }
            Some(_) => return Ok(()),
        };
        let (request, signal) = (event.request.to_string(), signal.to_string());
        Err(HistoryError::Unsignalled { request, signal, problem })
    }

    /// A review that is signed was signed with a passkey that was the reviewer's then.
    fn check_signed(&self, event: &Event) -> Result<(), HistoryError> {
        let Fact::Reviewed(review) = &event.fact else { return Ok(()) };
        let passkey = review.signature.as_ref().map(|signed| signed.passkey().to_string());
        let told = passkey.and_then(|passkey| self.passkeys.get(&passkey));
        let request = event.request.to_string();
        let checked = evidence::check_passkey(told.into_iter().flatten(), review);
        checked.map(drop).map_err(|problem| HistoryError::Unsigned { request, problem })
    }

    /// That the signal was about this request as it was then, and that policy wanted it stopped.
    fn check_stopped(&self, events: &[Event]) -> Result<(), HistoryError> {
        for (at, event) in events.iter().enumerate() {
            let Fact::Stopped { signal, accounts, .. } = &event.fact else { continue };
            let before = Request::replay(events.iter().take(at)).ok();
            let heard = before.zip(self.signals.get(signal));
            let meant = heard.map(|(before, signal)| before.stopped_by(signal, accounts, event.at));
            if meant.is_none_or(|effect| effect == Effect::None) {
                let (request, signal) = (event.request.to_string(), signal.to_string());
                let problem = "which does not stop it";
                return Err(HistoryError::Unsignalled { request, signal, problem });
            }
        }
        Ok(())
    }

    /// Replays every request and holds the whole against the checkpoint.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn finish(self, promised: &Checkpoint) -> Result<Summary, HistoryError> {
        let (size, root) = (self.frontier.size(), self.frontier.root().hex());
        if (size, &root) != (promised.size, &promised.root) {
            return Err(HistoryError::OtherLog {
                size,
                root,
                promised_size: promised.size,
                promised_root: promised.root.clone(),
            });
        }
        let mut states = BTreeMap::new();
        for (id, events) in &self.requests {
            let request = Request::replay(events).map_err(|error| HistoryError::Impossible {
                request: id.to_string(),
                problem: error.to_string(),
            })?;
            self.check_stopped(events)?;
            *states.entry(request.state().word()).or_insert(0) += 1;
        }
        let requests = self.requests.len() as u64;
        Ok(Summary { entries: size, requests, root, states })
    }
}

//! One change of the ring, ready to be committed: what changes, and what the audit log says of it.

use serde_json::{Map, Value, json};

use crate::credential::ring::Key;
use crate::principal::PrincipalId;
use crate::time::Timestamp;

/// One change of the ring. Only a ring makes it.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a step changes nothing until a ledger has committed it"]
pub struct RingStep {
    at: Timestamp,
    keys: Vec<Key>,
    events: Vec<Value>,
}

impl RingStep {
    /// That nothing has changed: for a ledger that has something of its own to write.
    pub fn empty(at: Timestamp) -> Self {
        Self { at, keys: Vec::new(), events: Vec::new() }
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The records after it, those that it changes.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What happened, as it is recorded.
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// This and, after it, another of the same moment: both are committed, or neither.
    pub fn and(mut self, other: Self) -> Self {
        self.keys.retain(|key| other.keys.iter().all(|later| later.id != key.id));
        self.keys.extend(other.keys);
        self.events.extend(other.events);
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn changed(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// The public half is in the log, so that whoever reads it can check what the key signed.
    pub(super) fn made(&mut self, key: &Key, by: Option<&PrincipalId>) {
        let more = json!({
            "origin": key.origin.word(),
            "signs_from": key.signs_from.to_string(),
            "jwk": key.jwk,
        });
        self.event("key_made", key, by, more);
    }

    pub(super) fn activated(&mut self, key: &Key) {
        self.event("key_activated", key, None, json!({}));
    }

    pub(super) fn superseded(&mut self, key: &Key) {
        let at = key.superseded_at.map(|at| at.to_string());
        let until = key.published_until().map(|at| at.to_string());
        let more = json!({"superseded_at": at, "published_until": until});
        self.event("key_superseded", key, None, more);
    }

    pub(super) fn withdrawn(&mut self, key: &Key, by: &PrincipalId) {
        let until = key.published_until().map(|at| at.to_string());
        self.event("key_withdrawn", key, Some(by), json!({"published_until": until}));
    }

    pub(super) fn retired(&mut self, key: &Key) {
        self.event("key_retired", key, None, json!({}));
    }

    pub(super) fn revoked(&mut self, key: &Key, reason: &str, by: &PrincipalId) {
        self.event("key_revoked", key, Some(by), json!({"reason": reason}));
    }

    fn event(&mut self, fact: &str, key: &Key, by: Option<&PrincipalId>, more: Value) {
        let mut event = json!({
            "v": 1,
            "type": fact,
            "at": self.at.to_string(),
            "key": {"id": key.id.as_str(), "algorithm": key.algorithm.name()},
        });
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            let by = by.map(PrincipalId::to_json);
            event.extend(by.map(|by| ("by".to_owned(), by)));
            event.extend(more.into_iter().collect::<Map<_, _>>());
        }
        self.events.push(event);
    }
}

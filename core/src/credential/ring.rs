//! The authority's signing keys: which there are, and what each may do at a moment.
//!
//! A key is published before it signs, so that verifiers that keep the set for a while know it in
//! time; it signs until another of its algorithm takes over; and it stays published until all that
//! it may have signed is over. All of that follows from times, so it is true without anybody acting
//! on it; [`Ring::tend`] only writes it down. A revoked key is gone at once.

mod step;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::credential::{Algorithm, KeyId, SigningKey};
use crate::digest::Digest;
use crate::intent::MAX_DURATION;
use crate::principal::PrincipalId;
use crate::time::{Span, Timestamp};

pub use step::RingStep;

/// How long a key stays published after it has signed for the last time: the longest life of a
/// credential, and some minutes for clocks that differ.
pub const OVERLAP: Span = Span::seconds(MAX_DURATION.as_seconds() + 600);
/// The most keys of one algorithm that are published at once. AWS takes 100 (IAM, OIDC providers).
const MOST: usize = 32;

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The authority made it.
    Made,
    /// An administrator brought it.
    Imported,
    /// It lay in a file, from before there was a ring.
    TakenOver,
}

impl Origin {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Imported => "imported",
            Self::TakenOver => "taken_over",
        }
    }

    /// The origin of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Made, Self::Imported, Self::TakenOver].into_iter().find(|o| o.word() == word)
    }
}

/// The record of a signing key. The private half is not here.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its id.
    pub id: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The public half, a JWK.
    pub jwk: Value,
    /// Where it came from.
    pub origin: Origin,
    /// Since when it is published.
    pub made_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// When it was written down that it signs.
    pub activated_at: Option<Timestamp>,
    /// When another takes over, or nothing does.
    pub superseded_at: Option<Timestamp>,
    /// How it ended.
    pub ended: Option<Ended>,
    /// The call that made it, so that the same call again makes no other.
    pub call: Option<KeyCall>,
}

/// The call that made a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyCall {
    /// The digest of caller, route and idempotency key.
    pub key: Digest,
    /// The digest of what was asked.
    pub asked: Digest,
}

/// How a key ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why it was revoked; `None` where it was just over.
    pub revoked: Option<String>,
}

/// What a key does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is published and does not sign yet.
    Published,
    /// It signs.
    Signing,
    /// It signs no more and is published still.
    Retiring,
    /// It is over.
    Retired,
    /// It was taken out at once.
    Revoked,
}

impl Stage {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether tokens that it signed are good, as far as it goes.
    pub fn is_published(self) -> bool {
        match self {
            Self::Published | Self::Signing | Self::Retiring => true,
            Self::Retired | Self::Revoked => false,
        }
    }
}

impl Key {
    /// What it does at this moment.
    pub fn stage(&self, now: Timestamp) -> Stage {
        match &self.ended {
            Some(Ended { revoked: Some(_), .. }) => return Stage::Revoked,
            Some(Ended { revoked: None, .. }) => return Stage::Retired,
            None => {}
        }
        match self.superseded_at {
            Some(at) if now >= at => match self.published_until() {
                Some(until) if now >= until => Stage::Retired,
                Some(_) | None => Stage::Retiring,
            },
            Some(_) | None if now >= self.signs_from => Stage::Signing,
            Some(_) | None => Stage::Published,
        }
    }

    /// Until when it is published, as far as that is known.
    pub fn published_until(&self) -> Option<Timestamp> {
        match (&self.ended, self.superseded_at) {
            (Some(ended), _) => Some(ended.at),
            (None, Some(at)) if at < self.signs_from => Some(at),
            (None, Some(at)) => Some(at.plus(OVERLAP)),
            (None, None) => None,
        }
    }
}

/// When keys follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How long a key is published before it signs.
    pub lead: Span,
    /// How long a key signs before the next one does, where that is not left to people.
    pub every: Option<Span>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { lead: Span::hours(1), every: None }
    }
}

/// A key to be taken in.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// The key.
    pub key: &'a SigningKey,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it signs at once, without waiting until verifiers know it.
    pub at_once: bool,
    /// The call that asks for it.
    pub call: Option<KeyCall>,
}

/// Why a key was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It is here, or was.
    #[error("the key `{0}` is known already; a key that was used is never taken in again")]
    Known(KeyId),
    /// Too many are published.
    #[error("{MOST} keys for {0} are published already: wait until some are over, or revoke them")]
    TooMany(Algorithm),
}

/// Why a key was not taken out of use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetireError {
    /// There is none.
    #[error("there is no key `{0}`")]
    NoSuchKey(KeyId),
    /// Nothing else signs with its algorithm.
    #[error("nothing else signs with {0}: rotate instead, and it retires by itself")]
    Needed(Algorithm),
}

/// Every key there is or was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ring(BTreeMap<KeyId, Key>);

impl Ring {
    /// Of these records.
    pub fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        Self(keys.into_iter().map(|key| (key.id.clone(), key)).collect())
    }

    /// Every key, oldest first.
    pub fn keys(&self) -> Vec<&Key> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|key| (key.made_at, key.signs_from, &key.id));
        all
    }

    /// The key of this id.
    pub fn get(&self, id: &KeyId) -> Option<&Key> {
        self.0.get(id)
    }

    /// The key that this call made.
    pub fn of_call(&self, key: Digest) -> Option<&Key> {
        self.0.values().find(|made| made.call.is_some_and(|call| call.key == key))
    }

    /// What signs with this algorithm at this moment.
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Option<&Key> {
        self.of_algorithm(algorithm).find(|key| key.stage(now) == Stage::Signing)
    }

    /// What is published at this moment, oldest first.
    pub fn published(&self, now: Timestamp) -> Vec<&Key> {
        self.keys().into_iter().filter(|key| key.stage(now).is_published()).collect()
    }

    /// Until when [`Ring::published`] and [`Ring::signing`] say the same, as far as that is known.
    pub fn same_until(&self, now: Timestamp) -> Option<Timestamp> {
        let alive = self.0.values().filter(|key| key.ended.is_none());
        let moments = alive
            .flat_map(|key| [Some(key.signs_from), key.superseded_at, key.published_until()])
            .flatten();
        moments.filter(|at| *at > now).min()
    }

    /// Takes a key in. It signs after the lead; at once where it is told so, or where nothing else
    /// signs with its algorithm.
    ///
    /// # Errors
    /// [`AddError`].
    pub fn add(
        &self,
        new: NewKey<'_>,
        schedule: Schedule,
        by: Option<&PrincipalId>,
        now: Timestamp,
    ) -> Result<RingStep, AddError> {
        let NewKey { key, origin, at_once, call } = new;
        let algorithm = key.algorithm();
        if self.0.contains_key(key.id()) {
            return Err(AddError::Known(key.id().clone()));
        }
        let published = self.published(now).into_iter().filter(|k| k.algorithm == algorithm);
        // What signs at once is for an emergency, which nothing should stand in the way of.
        if published.count() >= MOST && !at_once {
            return Err(AddError::TooMany(algorithm));
        }
        let waits = !at_once && self.signing(algorithm, now).is_some();
        let signs_from = if waits { now.plus(schedule.lead) } else { now };
        let mut step = RingStep::empty(now);
        let added = Key {
            id: key.id().clone(),
            algorithm,
            jwk: key.jwk().clone(),
            origin,
            made_at: now,
            signs_from,
            activated_at: (signs_from <= now).then_some(now),
            superseded_at: None,
            ended: None,
            call,
        };
        step.made(&added, by);
        if added.activated_at.is_some() {
            step.activated(&added);
        }
        step.changed(added);
        for before in self.of_algorithm(algorithm) {
            let signs_on = before.superseded_at.is_none_or(|at| at > signs_from);
            if before.ended.is_none() && signs_on {
                let superseded = Key { superseded_at: Some(signs_from), ..before.clone() };
                step.superseded(&superseded);
                let superseded = superseded.over(now, &mut step);
                step.changed(superseded);
            }
        }
        Ok(step)
    }

    /// Takes a key out of use, where another signs or nobody needs its algorithm; it stays published
    /// as long as what it signed lives. `None` where that is so already.
    ///
    /// # Errors
    /// [`RetireError`].
    pub fn retire(
        &self,
        id: &KeyId,
        is_needed: bool,
        by: &PrincipalId,
        now: Timestamp,
    ) -> Result<Option<RingStep>, RetireError> {
        let key = self.0.get(id).ok_or_else(|| RetireError::NoSuchKey(id.clone()))?;
        match key.stage(now) {
            Stage::Retiring | Stage::Retired | Stage::Revoked => return Ok(None),
            Stage::Signing if is_needed => return Err(RetireError::Needed(key.algorithm)),
            Stage::Published | Stage::Signing => {}
        }
        let mut step = RingStep::empty(now);
        self.bridge(key, &mut step);
        let retired = Key { superseded_at: Some(now), ..key.clone() };
        step.withdrawn(&retired, by);
        let retired = retired.over(now, &mut step);
        step.changed(retired);
        Ok(Some(step))
    }

    /// Takes a key out at once: nothing that it signed is good any more. What signs must have been
    /// replaced before. `None` where that is so already.
    ///
    /// # Errors
    /// [`RetireError`].
    pub fn revoke(
        &self,
        id: &KeyId,
        reason: &str,
        by: &PrincipalId,
        now: Timestamp,
    ) -> Result<Option<RingStep>, RetireError> {
        let key = self.0.get(id).ok_or_else(|| RetireError::NoSuchKey(id.clone()))?;
        match key.stage(now) {
            Stage::Retired | Stage::Revoked => return Ok(None),
            Stage::Signing => return Err(RetireError::Needed(key.algorithm)),
            Stage::Published | Stage::Retiring => {}
        }
        let mut step = RingStep::empty(now);
        self.bridge(key, &mut step);
        let ended = Some(Ended { at: now, revoked: Some(reason.to_owned()) });
        let superseded_at = key.superseded_at.map(|at| at.min(now)).or(Some(now));
        let revoked = Key { superseded_at, ended, ..key.clone() };
        step.revoked(&revoked, reason, by);
        step.changed(revoked);
        Ok(Some(step))
    }

    /// Writes down what time has done: keys that sign now, and keys that are over.
    pub fn tend(&self, now: Timestamp) -> Option<RingStep> {
        let mut step = RingStep::empty(now);
        for key in self.0.values().filter(|key| key.ended.is_none()) {
            let mut next = key.clone();
            let signs = key.superseded_at.is_none_or(|at| at > key.signs_from);
            if key.activated_at.is_none() && signs && now >= key.signs_from {
                next.activated_at = Some(now);
                step.activated(&next);
            }
            let next = next.over(now, &mut step);
            if next != *key {
                step.changed(next);
            }
        }
        (!step.is_empty()).then_some(step)
    }

    /// Whether another key of this algorithm is to be made now: there is none, or the newest has
    /// signed for long enough that the next must be published.
    pub fn wants(&self, algorithm: Algorithm, schedule: Schedule, now: Timestamp) -> bool {
        let mut alive = self.of_algorithm(algorithm).filter(|key| key.ended.is_none());
        let newest = alive.find(|key| key.superseded_at.is_none());
        match (newest, schedule.every) {
            (None, _) => true,
            (Some(newest), Some(every)) => now.plus(schedule.lead) >= newest.signs_from.plus(every),
            (Some(_), None) => false,
        }
    }

    /// After this step.
    #[must_use]
    pub fn after(&self, step: &RingStep) -> Self {
        let mut next = self.clone();
        next.0.extend(step.keys().iter().map(|key| (key.id.clone(), key.clone())));
        next
    }

    fn of_algorithm(&self, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.0.values().filter(move |key| key.algorithm == algorithm)
    }

    /// Whoever would have made room for this key goes on until whoever would have followed it.
    fn bridge(&self, key: &Key, step: &mut RingStep) {
        let makes_room = |before: &&Key| {
            before.ended.is_none()
                && before.id != key.id
                && before.superseded_at == Some(key.signs_from)
                && key.signs_from > step.at()
        };
        if let Some(before) = self.of_algorithm(key.algorithm).find(makes_room) {
            step.changed(Key { superseded_at: key.superseded_at, ..before.clone() });
        }
    }
}

impl Key {
    /// The same, ended if that is due.
    fn over(self, now: Timestamp, step: &mut RingStep) -> Self {
        if self.published_until().is_none_or(|until| now < until) {
            return self;
        }
        let ended = Self { ended: Some(Ended { at: now, revoked: None }), ..self };
        step.retired(&ended);
        ended
    }
}

//! The authority's signing keys, at work: what signs for whom, and what is published.
//!
//! The ring says what each key may do; here are the private halves, in memory as long as they sign
//! or will, and sealed in the ledger. A change is committed before it has any effect.

mod audiences;
mod open;
pub mod pem;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use assent_core::canonical;
use assent_core::credential::ring::{Ring, RingStep, Schedule, Stage};
use assent_core::credential::{Algorithm, KeyId, KeySet, Signer};
use assent_core::digest::Digest;
use assent_core::time::{Span, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use zeroize::Zeroizing;

use crate::ledger::{KeyChange, Ledger, LedgerError, SealedKey};
use crate::sealing::{SealError, Sealer};

pub use audiences::Audiences;
pub use open::{OpenError, Opening};

/// The longest that anybody may keep the published keys without asking again: a key that is revoked
/// is gone everywhere then.
const LONGEST_KEPT: Span = Span::minutes(5);

/// How signing keys are dealt with.
#[derive(Clone, Debug, Default)]
pub struct KeySettings {
    /// When they follow one another.
    pub schedule: Schedule,
    /// Which audience gets which algorithm.
    pub audiences: Audiences,
}

/// The keys of one authority.
#[derive(Debug)]
pub struct Keys {
    ledger: Arc<dyn Ledger>,
    sealer: Sealer,
    issuer: String,
    settings: KeySettings,
    held: RwLock<Held>,
    /// Held while the ring is changed: one change at a time.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Held {
    ring: Ring,
    hands: BTreeMap<KeyId, Hand>,
    published: Arc<Published>,
}

/// A key that signs or will.
#[derive(Clone, Debug)]
struct Hand {
    signer: Arc<Signer>,
    sealed: Vec<u8>,
}

/// What everybody may know of the keys at a moment.
#[derive(Debug)]
pub struct Published {
    /// When it is to be made anew, as far as that is known.
    until: Option<Timestamp>,
    /// To verify with.
    pub set: KeySet,
    /// The JWK set (RFC 7517 section 5).
    pub jwks: Value,
    /// The same, as it is sent.
    pub bytes: Vec<u8>,
    /// By what it is known again (RFC 9110 section 8.8.3).
    pub etag: String,
    /// What is signed with.
    pub algorithms: Vec<Algorithm>,
}

/// Why a change of the keys was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// It could not be written, or whether it was is not known.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The private half could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Keys {
    /// How they are dealt with.
    pub fn settings(&self) -> &KeySettings {
        &self.settings
    }

    /// Which keys there are.
    pub fn ring(&self) -> Ring {
        self.held().ring.clone()
    }

    /// What signs for this audience at this moment.
    pub fn signer(&self, audience: &str, now: Timestamp) -> Option<Arc<Signer>> {
        let held = self.held();
        let key = held.ring.signing(self.settings.audiences.algorithm(audience), now)?;
        held.hands.get(&key.id).map(|hand| Arc::clone(&hand.signer))
    }

    /// What is published at this moment.
    pub fn published(&self, now: Timestamp) -> Arc<Published> {
        let still_so = |published: &Published| published.until.is_none_or(|until| now < until);
        let published = Arc::clone(&self.held().published);
        if still_so(&published) {
            return published;
        }
        let mut held = self.held_mut();
        if !still_so(&held.published) {
            held.published = Arc::new(Published::of(&held.ring, now));
        }
        Arc::clone(&held.published)
    }

    /// Whether this key is published at this moment: what a key signed that is not, is not good.
    pub fn publishes(&self, key: &KeyId, now: Timestamp) -> bool {
        self.held().ring.get(key).is_some_and(|key| key.stage(now).is_published())
    }

    /// For how long whoever fetches the published keys may keep them: never so long that a new key
    /// signs before they know it.
    pub fn kept_for(&self) -> Span {
        self.settings.schedule.lead.min(LONGEST_KEPT)
    }

    /// Waits until nobody else changes the ring.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Whether a private half is held that has signed for the last time.
    pub(crate) fn holds_spent(&self, now: Timestamp) -> bool {
        let held = self.held();
        let is_spent = |id: &KeyId| held.ring.get(id).is_none_or(|key| !signs(key.stage(now)));
        held.hands.keys().any(is_spent)
    }

    /// Commits a step, with the private half of the key that it adds; forgets the private halves of
    /// keys that have signed for the last time. Only in turn.
    pub(crate) async fn commit(
        &self,
        step: &RingStep,
        added: Option<&Zeroizing<Vec<u8>>>,
    ) -> Result<(), ChangeError> {
        let (ring, mut hands) = {
            let held = self.held();
            (held.ring.after(step), held.hands.clone())
        };
        if let Some(pkcs8) = added
            && let Ok(signer) = Signer::new(&self.issuer, pkcs8)
        {
            let sealed = self.sealer.seal(&purpose(signer.key_id()), pkcs8)?;
            let (id, signer) = (signer.key_id().clone(), Arc::new(signer));
            hands.insert(id, Hand { signer, sealed });
        }
        let now = step.at();
        let spent = |id: &KeyId| ring.get(id).is_none_or(|key| !signs(key.stage(now)));
        let changed = |id: &KeyId| step.keys().iter().any(|key| key.id == *id);
        let forgotten: Vec<_> = hands.keys().filter(|id| spent(id)).cloned().collect();
        forgotten.iter().for_each(|id| drop(hands.remove(id)));
        let keys = ring.keys().into_iter().filter(|k| changed(&k.id) || forgotten.contains(&k.id));
        let sealed = |id: &KeyId| hands.get(id).map(|hand| hand.sealed.clone());
        let keys = keys.map(|key| SealedKey { key: key.clone(), sealed: sealed(&key.id) });
        let change = KeyChange { keys: keys.collect(), entries: step.events().to_vec(), at: now };
        let done = self.ledger.commit_keys(change).await;
        if done.is_err() {
            // Whether it was written is not known: what the ledger says counts.
            self.read_again(now).await?;
        }
        done?;
        let published = Arc::new(Published::of(&ring, now));
        *self.held_mut() = Held { ring, hands, published };
        Ok(())
    }

    async fn read_again(&self, now: Timestamp) -> Result<(), LedgerError> {
        let stored = self.ledger.signing_keys().await?;
        let held = Held::open(&stored, &self.sealer, &self.issuer, now);
        let held = held.map_err(|error| LedgerError::Corrupt(error.to_string()))?;
        *self.held_mut() = held;
        Ok(())
    }

    fn held(&self) -> RwLockReadGuard<'_, Held> {
        // Whoever panicked has replaced all of it or nothing.
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn of(ring: &Ring, now: Timestamp) -> Self {
        let published = ring.published(now);
        let jwks = json!({"keys": published.iter().map(|key| &key.jwk).collect::<Vec<_>>()});
        let bytes = canonical::bytes(&jwks);
        let digest = Digest::of(&bytes);
        let mut algorithms: Vec<_> = published.iter().map(|key| key.algorithm).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        Self {
            until: ring.same_until(now),
            set: KeySet::read(&jwks),
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.as_bytes())),
            jwks,
            bytes,
            algorithms,
        }
    }
}

/// Whether a key of this stage signs, or will.
fn signs(stage: Stage) -> bool {
    match stage {
        Stage::Published | Stage::Signing => true,
        Stage::Retiring | Stage::Retired | Stage::Revoked => false,
    }
}

/// What a private half is sealed for: one key, and nothing else.
fn purpose(id: &KeyId) -> String {
    format!("signing-key/{id}")
}

//! The keys at the start: opened from the ledger, sealed anew where the sealing key is another, taken
//! over from a file of before, or made.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use assent_core::credential::ring::{AddError, NewKey, Origin, Ring};
use assent_core::credential::{Algorithm, KeyError, KeyId, Signer, SigningKey};
use assent_core::time::Timestamp;
use serde_json::json;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::{ChangeError, Hand, Held, KeySettings, Keys, Published, purpose, signs};
use crate::chance::Chance;
use crate::ledger::{KeyChange, Ledger, LedgerError, SealedKey};
use crate::sealing::{SealError, Sealer};

/// Of what the keys are opened.
#[derive(Debug)]
pub struct Opening {
    /// Where their records are.
    pub ledger: Arc<dyn Ledger>,
    /// What opens them.
    pub sealer: Sealer,
    /// For whom they sign.
    pub issuer: String,
    /// How they are dealt with.
    pub settings: KeySettings,
    /// The private key of before there was a ring, PKCS #8.
    pub before: Option<Zeroizing<Vec<u8>>>,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What is sealed does not open.
    #[error(
        "the signing key `{id}` cannot be opened: {problem}; give the sealing key that was used \
         before, or name its file by --earlier-sealing-key"
    )]
    Sealed {
        /// Which.
        id: KeyId,
        /// Why.
        problem: SealError,
    },
    /// What was sealed is not the key of its record.
    #[error("what is kept of the signing key `{0}` is not that key: restore the ledger")]
    Other(KeyId),
    /// There is a ring, and a key of before that is not in it.
    #[error(
        "it holds the signing key `{0}`, which the ledger does not know: restore the ledger it \
         belongs to, or move the file away"
    )]
    Strange(KeyId),
    /// What was before is no key, or none can be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It cannot be taken in.
    #[error(transparent)]
    Add(#[from] AddError),
}

impl From<ChangeError> for OpenError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Ledger(error) => Self::Ledger(error),
            ChangeError::Seal(error) => Self::Seal(error),
        }
    }
}

impl Keys {
    /// Opens them. Where there are none, the one of before is taken in, or one is made.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(opening: Opening, now: Timestamp) -> Result<Self, OpenError> {
        let Opening { ledger, sealer, issuer, settings, before } = opening;
        let stored = ledger.signing_keys().await?;
        let held = Held::open(&stored, &sealer, &issuer, now)?;
        let (held, changing) = (RwLock::new(held), Mutex::default());
        let keys = Self { ledger, sealer, issuer, settings, held, changing };
        match before {
            Some(pkcs8) => keys.take_over(&pkcs8, now).await?,
            None if stored.is_empty() => {
                let pkcs8 = SigningKey::generate(Algorithm::Es256, Chance::default().source())?;
                keys.begin(Origin::Made, &pkcs8, now).await?;
            }
            None => {}
        }
        keys.reseal(&stored, now).await?;
        Ok(keys)
    }

    async fn take_over(&self, pkcs8: &Zeroizing<Vec<u8>>, now: Timestamp) -> Result<(), OpenError> {
        let key = SigningKey::read(pkcs8)?;
        let ring = self.ring();
        match ring.get(key.id()) {
            Some(_) => Ok(()),
            None if ring == Ring::default() => self.begin(Origin::TakenOver, pkcs8, now).await,
            None => Err(OpenError::Strange(key.id().clone())),
        }
    }

    async fn begin(
        &self,
        origin: Origin,
        pkcs8: &Zeroizing<Vec<u8>>,
        now: Timestamp,
    ) -> Result<(), OpenError> {
        let key = SigningKey::read(pkcs8)?;
        let new = NewKey { key: &key, origin, at_once: true, call: None };
        let step = self.ring().add(new, self.settings.schedule, None, now)?;
        Ok(self.commit(&step, Some(pkcs8)).await?)
    }

    /// What another sealing key sealed is sealed with the one of today.
    async fn reseal(&self, stored: &[SealedKey], now: Timestamp) -> Result<(), OpenError> {
        let mut keys = Vec::new();
        let mut told = Vec::new();
        for SealedKey { key, sealed } in stored {
            let Some(sealed) = sealed else { continue };
            let with = Sealer::sealed_with(sealed);
            if with == self.sealer.name() {
                continue;
            }
            let opened = self.sealer.open(&purpose(&key.id), sealed)?;
            let sealed = self.sealer.seal(&purpose(&key.id), &opened)?;
            if let Some(hand) = self.held_mut().hands.get_mut(&key.id) {
                hand.sealed.clone_from(&sealed);
            }
            let from = with.map(|name| name.to_string());
            told.push(json!({"id": key.id.as_str(), "from": from}));
            keys.push(SealedKey { key: key.clone(), sealed: Some(sealed) });
        }
        if keys.is_empty() {
            return Ok(());
        }
        let entry = json!({
            "v": 1, "type": "keys_resealed", "at": now.to_string(), "keys": told,
            "to": self.sealer.name().map(|name| name.to_string()),
        });
        Ok(self.ledger.commit_keys(KeyChange { keys, entries: vec![entry], at: now }).await?)
    }
}

impl Held {
    /// What these records say at this moment.
    pub(super) fn open(
        stored: &[SealedKey],
        sealer: &Sealer,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let ring = Ring::of(stored.iter().map(|stored| stored.key.clone()));
        let mut hands = BTreeMap::new();
        for SealedKey { key, sealed } in stored.iter().filter(|s| signs(s.key.stage(now))) {
            let other = || OpenError::Other(key.id.clone());
            let sealed = sealed.as_ref().ok_or_else(other)?;
            let unopened = |problem| OpenError::Sealed { id: key.id.clone(), problem };
            let pkcs8 = sealer.open(&purpose(&key.id), sealed).map_err(unopened)?;
            let signer = Signer::new(issuer, &pkcs8).map_err(|_| other())?;
            if *signer.key_id() != key.id || signer.jwk() != key.jwk {
                return Err(other());
            }
            let (signer, sealed) = (Arc::new(signer), sealed.clone());
            hands.insert(key.id.clone(), Hand { signer, sealed });
        }
        let published = Arc::new(Published::of(&ring, now));
        Ok(Self { ring, hands, published })
    }
}

//! The signing keys, as administrators deal with them, and what time does to them.

use std::sync::Arc;
use std::time::Duration;

use assent_core::credential::fit::misfits;
use assent_core::credential::ring::{KeyCall, NewKey, Origin, RingStep, Stage};
use assent_core::credential::{Algorithm, KeyError, KeyId, Signer, SigningKey};
use assent_core::principal::PrincipalId;
use assent_core::wire;
use zeroize::Zeroizing;

use crate::app::requests::checked;
use crate::app::{AppError, Authority, Caller, Wish};
use crate::keys::{Published, pem};

/// How often it is looked whether a key is due.
const EVERY: Duration = Duration::from_secs(1);

impl Authority {
    /// What everybody may know of the keys now.
    pub fn published(&self) -> Arc<Published> {
        self.keys.published(self.clock.now())
    }

    /// The public keys, as a JWK set.
    pub fn jwks(&self) -> serde_json::Value {
        self.published().jwks.clone()
    }

    /// For how many seconds that may be kept.
    pub fn published_for(&self) -> u64 {
        self.keys.kept_for().as_seconds()
    }

    /// What signs for this audience now.
    ///
    /// # Errors
    /// [`AppError::NoKey`].
    pub(crate) fn signer(&self, audience: &str) -> Result<Arc<Signer>, AppError> {
        let algorithm = self.keys.settings().audiences.algorithm(audience);
        let signer = self.keys.signer(audience, self.clock.now());
        signer.ok_or(AppError::NoKey(algorithm))
    }

    /// Every signing key. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`].
    pub fn signing_keys(&self, caller: &Caller) -> Result<wire::Keys, AppError> {
        caller.check_administrator()?;
        let ring = self.keys.ring();
        let keys = ring.keys().into_iter().map(|key| self.shown(key)).collect();
        let misfits = misfits(&self.base, &self.published().algorithms);
        let misfits = misfits.into_iter().map(wire::IssuerMisfit::from).collect();
        Ok(wire::Keys { issuer: self.base.clone(), keys, misfits })
    }

    /// Makes a key, or takes one in that is brought; it takes over from the one that signs now. Only
    /// for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`]; [`AppError::AddKey`].
    pub async fn make_key(
        &self,
        caller: &Caller,
        wanted: wire::NewKey,
        wish: Wish,
    ) -> Result<wire::Key, AppError> {
        caller.check_administrator()?;
        let wire::NewKey { algorithm, at_once, private_key } = wanted;
        let said = algorithm.as_deref().map(str::parse::<Algorithm>).transpose();
        let said = said.map_err(|problem| field("algorithm", &problem))?;
        let private_key = private_key.map(Zeroizing::new);
        let _turn = self.keys.turn().await;
        let ring = self.keys.ring();
        if let Some(made) = ring.of_call(wish.key) {
            let is_same = made.call.is_some_and(|call| call.asked == wish.asked);
            return if is_same { Ok(self.shown(made)) } else { Err(AppError::KeyReused) };
        }
        let (pkcs8, origin) = match private_key {
            None => (self.fresh_key(said.unwrap_or(Algorithm::Es256)).await?, Origin::Made),
            Some(text) => {
                let read = pem::read(&text).map_err(|problem| field("private_key", &problem))?;
                (read, Origin::Imported)
            }
        };
        let key = SigningKey::read(&pkcs8).map_err(|problem| field("private_key", &problem))?;
        if said.is_some_and(|said| said != key.algorithm()) {
            let problem = format!("the key that is brought is for {}", key.algorithm());
            return Err(field("algorithm", &problem));
        }
        let call = Some(KeyCall { key: wish.key, asked: wish.asked });
        let new = NewKey { key: &key, origin, at_once, call };
        let by = Some(&caller.principal().id);
        let step = ring.add(new, self.keys.settings().schedule, by, self.clock.now())?;
        self.commit_keys(&step, Some(&pkcs8)).await?;
        self.shown_by(key.id())
    }

    /// Takes a key out of use. Done before is done. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::RetireKey`].
    pub async fn retire_key(&self, caller: &Caller, id: &str) -> Result<wire::Key, AppError> {
        caller.check_administrator()?;
        let id = key_id(id)?;
        let _turn = self.keys.turn().await;
        let ring = self.keys.ring();
        let needed = self.keys.settings().audiences.needed();
        let is_needed = ring.get(&id).is_some_and(|key| needed.contains(&key.algorithm));
        let by = &caller.principal().id;
        if let Some(step) = ring.retire(&id, is_needed, by, self.clock.now())? {
            self.commit_keys(&step, None).await?;
        }
        self.shown_by(&id)
    }

    /// Takes a key out at once: no token that it signed is good any more. What signs now is replaced
    /// in the same step. Done before is done. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`]; [`AppError::RetireKey`].
    pub async fn revoke_key(
        &self,
        caller: &Caller,
        id: &str,
        reason: wire::Reason,
    ) -> Result<wire::Key, AppError> {
        caller.check_administrator()?;
        let id = key_id(id)?;
        let reason = checked(reason)?;
        if reason.is_empty() {
            return Err(field("reason", &"say why, in at most 2000 bytes"));
        }
        let _turn = self.keys.turn().await;
        let (ring, now) = (self.keys.ring(), self.clock.now());
        let by = &caller.principal().id;
        let signs = ring.get(&id).filter(|key| key.stage(now) == Stage::Signing);
        let Some(signing) = signs else {
            if let Some(step) = ring.revoke(&id, &reason, by, now)? {
                self.commit_keys(&step, None).await?;
            }
            return self.shown_by(&id);
        };
        let pkcs8 = self.fresh_key(signing.algorithm).await?;
        let (key, origin) = (SigningKey::read(&pkcs8)?, Origin::Made);
        let new = NewKey { key: &key, origin, at_once: true, call: None };
        let replaced = ring.add(new, self.keys.settings().schedule, Some(by), now)?;
        let step = match ring.after(&replaced).revoke(&id, &reason, by, now)? {
            Some(revoked) => replaced.and(revoked),
            None => replaced,
        };
        self.commit_keys(&step, Some(&pkcs8)).await?;
        self.shown_by(&id)
    }

    /// Tends the keys until the server stops.
    pub async fn tend_keys_until_closing(&self) {
        loop {
            if let Err(error) = self.tend_keys().await {
                tracing::error!(%error, "the signing keys could not be tended; it is tried again");
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Writes down what time has done to the keys, and makes those that are due.
    ///
    /// # Errors
    /// [`AppError::Keys`]; [`AppError::Key`].
    pub async fn tend_keys(&self) -> Result<(), AppError> {
        let _turn = self.keys.turn().await;
        let now = self.clock.now();
        let tended = self.keys.ring().tend(now);
        let tended = tended.or_else(|| self.keys.holds_spent(now).then(|| RingStep::empty(now)));
        if let Some(step) = tended {
            self.commit_keys(&step, None).await?;
        }
        let schedule = self.keys.settings().schedule;
        for algorithm in self.keys.settings().audiences.needed() {
            let ring = self.keys.ring();
            if !ring.wants(algorithm, schedule, now) {
                continue;
            }
            let pkcs8 = self.fresh_key(algorithm).await?;
            let key = SigningKey::read(&pkcs8)?;
            let new = NewKey { key: &key, origin: Origin::Made, at_once: false, call: None };
            let step = ring.add(new, schedule, None::<&PrincipalId>, self.clock.now())?;
            self.commit_keys(&step, Some(&pkcs8)).await?;
            tracing::info!(key = %key.id(), %algorithm, "a signing key was made");
        }
        Ok(())
    }

    /// Made where it keeps nobody waiting: an RSA key takes its time.
    async fn fresh_key(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, AppError> {
        let chance = self.chance.clone();
        let made =
            tokio::task::spawn_blocking(move || SigningKey::generate(algorithm, chance.source()));
        Ok(made.await.unwrap_or(Err(KeyError::NoRandomness))?)
    }

    async fn commit_keys(
        &self,
        step: &RingStep,
        added: Option<&Zeroizing<Vec<u8>>>,
    ) -> Result<(), AppError> {
        self.keys.commit(step, added).await?;
        self.waiters.wake_log();
        Ok(())
    }

    fn shown_by(&self, id: &KeyId) -> Result<wire::Key, AppError> {
        let ring = self.keys.ring();
        let missing = || AppError::NotFound { what: "key", id: id.to_string() };
        ring.get(id).map(|key| self.shown(key)).ok_or_else(missing)
    }

    fn shown(&self, key: &assent_core::credential::ring::Key) -> wire::Key {
        let now = self.clock.now();
        let audiences = match key.stage(now) {
            Stage::Signing => self.keys.settings().audiences.that_get(key.algorithm),
            Stage::Published | Stage::Retiring | Stage::Retired | Stage::Revoked => Vec::new(),
        };
        wire::Key::show(key, audiences, now)
    }
}

fn key_id(text: &str) -> Result<KeyId, AppError> {
    let missing = |_| AppError::NotFound { what: "key", id: text.chars().take(80).collect() };
    text.parse().map_err(missing)
}

fn field(field: &'static str, problem: &dyn std::fmt::Display) -> AppError {
    AppError::Field { field, problem: problem.to_string() }
}

//! The use cases: what a caller can have done. No HTTP here, and no SQL.

mod access;
pub mod authzen;
mod credentials;
mod error;
mod requests;
mod sweep;
mod waiters;

use std::sync::{Arc, PoisonError, RwLock};

use assent_core::access::Access;
use assent_core::credential::{KeySet, Secret, Signer};
use assent_core::digest::Digest;
use assent_core::id::AccessId;
use assent_core::membership::Membership;
use assent_core::policy::Policy;
use assent_core::principal::Principal;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use error::AppError;
pub use requests::{Filed, Listing};

use crate::app::authzen::Authzen;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::ledger::Ledger;
use waiters::Waiters;

/// What an authority is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where requests are kept.
    pub ledger: Arc<dyn Ledger>,
    /// What rules.
    pub policy: Policy,
    /// What signs.
    pub signer: Signer,
    /// What time it is.
    pub clock: Clock,
    /// The base URL under which callers reach it, without a slash at the end. The issuer.
    pub base: String,
    /// Ends when the server is to stop.
    pub closing: CancellationToken,
}

/// The authority. Everything it knows beyond the ledger can be lost.
#[derive(Debug)]
pub struct Authority {
    ledger: Arc<dyn Ledger>,
    policy: RwLock<Arc<Policy>>,
    signer: Signer,
    keys: KeySet,
    clock: Clock,
    chance: Chance,
    base: String,
    closing: CancellationToken,
    waiters: Waiters,
    doors: access::Doors,
    authzen: Authzen,
}

/// Who calls, as their access token proved.
#[derive(Clone, Debug)]
pub struct Caller {
    access: Access,
}

impl Caller {
    /// Who.
    pub fn principal(&self) -> &Principal {
        &self.access.principal
    }

    /// The record of what was presented.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Whether they may administer.
    pub fn is_administrator(&self) -> bool {
        self.access.administrator
    }
}

/// One wish of a caller, that must have its effect once however often it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    key: Digest,
    asked: Digest,
}

impl Wish {
    /// The wish of this caller on this route, by its idempotency key.
    pub fn new(caller: &Caller, route: &str, key: &str, body: &[u8]) -> Self {
        let who = &caller.principal().id;
        let parts: [&[u8]; 7] = [
            who.iss().as_bytes(),
            b"\0",
            who.sub().as_bytes(),
            b"\0",
            route.as_bytes(),
            b"\0",
            key.as_bytes(),
        ];
        Self { key: Digest::of_parts(&parts), asked: Digest::of(body) }
    }
}

impl Wish {
    /// An id that this wish and no other gives.
    fn access_id(&self) -> AccessId {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(self.key.as_bytes()).for_each(|(byte, key)| *byte = *key);
        AccessId::from_bytes(bytes)
    }
}

impl Authority {
    /// Puts an authority together.
    pub fn new(parts: Parts) -> Self {
        let Parts { ledger, policy, signer, clock, base, closing } = parts;
        let keys = KeySet::read(&json!({"keys": [signer.jwk()]}));
        Self {
            ledger,
            policy: RwLock::new(Arc::new(policy)),
            signer,
            keys,
            clock,
            chance: Chance::default(),
            base,
            closing,
            waiters: Waiters::default(),
            doors: access::Doors::default(),
            authzen: Authzen::default(),
        }
    }

    /// The policy of this moment.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who is in which group at this moment, and who stands in for whom.
    pub fn membership(&self) -> Membership {
        self.policy().membership(self.clock.now())
    }

    /// Rules by another policy from now on. Requests keep the ruling they were given; who is in
    /// which group is asked of the new one.
    pub fn replace_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// The base URL, without a slash at the end. Also the issuer of credentials.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The public keys, as a JWK set.
    pub fn jwks(&self) -> serde_json::Value {
        json!({"keys": [self.signer.jwk()]})
    }

    /// Ends when the server is to stop.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// The authority's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The ledger, to read.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// A fresh secret of 256 bits.
    ///
    /// # Errors
    /// [`AppError::NoChance`].
    pub fn secret(&self) -> Result<Secret, AppError> {
        Ok(self.chance.secret()?)
    }
}

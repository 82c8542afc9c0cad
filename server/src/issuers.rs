//! The public keys of foreign issuers: found, fetched, kept for a while.
//!
//! Only issuers that a trust names are ever asked, and no token steers what is fetched: the address
//! is the trust's, and what it leads to must be of the same origin. Keys are fetched anew when they
//! have grown old or do not hold the key that a token names, but no more than once a minute for
//! each issuer; while the issuer is away, those that are there are used for an hour at most.

mod discovery;
mod fetch;
pub(crate) mod guard;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assent_core::policy::cidr::Cidr;
use assent_core::time::{Span, Timestamp};
use assent_core::token::PublicKeys;
use assent_core::trust::{KeySource, Trust};
use serde_json::Value;
use url::Url;

pub use discovery::DiscoveryError;
pub use fetch::FetchError;
use fetch::Fetcher;
pub use guard::Names;

/// For how long keys are used before they are fetched again.
const FRESH: Span = Span::minutes(5);
/// For how long they are used at most.
const STALE: Span = Span::hours(1);
/// How long after a fetch that went well there is no other.
const PAUSE: Span = Span::seconds(60);
/// How long after one that failed.
const PAUSE_AFTER_FAILURE: Span = Span::seconds(10);

/// What may be reached for the keys of issuers, beyond public addresses over https.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Networks of one's own, of which addresses may be connected to.
    pub networks: Vec<Cidr>,
    /// Whether issuers of this machine are, and without TLS.
    pub loopback: bool,
    /// Certificates (PEM) of authorities that are believed beside the system's.
    pub authorities: Vec<Vec<u8>>,
    /// How long one fetch may take, from the name's resolution to the last byte.
    pub patience: Duration,
    /// How names become addresses.
    pub names: Names,
}

impl Default for Reach {
    fn default() -> Self {
        let (networks, authorities, names) = Default::default();
        Self { networks, loopback: false, authorities, patience: Duration::from_secs(5), names }
    }
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The last fetch failed, and nothing young enough is left of those before.
    #[error("the issuer's keys cannot be fetched: {0}")]
    Away(String),
}

/// The keys of every issuer that was asked for.
#[derive(Debug)]
pub struct Issuers {
    fetcher: Fetcher,
    known: Mutex<HashMap<Place, Shared>>,
    metadata: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Said>>>>,
}

/// What an issuer says of itself, and when it was asked.
#[derive(Debug, Default)]
struct Said {
    metadata: Option<(Arc<Value>, Timestamp)>,
    tried_at: Option<Timestamp>,
    failed: Option<String>,
}

/// An issuer, and where its keys are if not where it says.
type Place = (String, Option<String>);
/// One lock for each place: who is slow keeps only its own callers waiting, and many of those fetch
/// once.
type Shared = Arc<tokio::sync::Mutex<Slot>>;

#[derive(Debug, Default)]
struct Slot {
    keys: Option<(Arc<PublicKeys>, Timestamp)>,
    tried_at: Option<Timestamp>,
    failed: Option<String>,
}

impl Issuers {
    /// Knows nothing yet, and reaches no further than this.
    pub fn new(reach: Reach) -> Self {
        let (known, metadata) = Default::default();
        Self { fetcher: Fetcher::new(reach), known, metadata }
    }

    /// The keys by which tokens of this trust are checked, with the one of this id if it is to be
    /// had.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub async fn keys(
        &self,
        trust: &Trust,
        key_id: &str,
        now: Timestamp,
    ) -> Result<Arc<PublicKeys>, IssuerError> {
        self.keys_of(trust.issuer(), trust.keys(), key_id, now).await
    }

    /// The keys of this issuer, which are to be had there, with the one of this id if it is to be
    /// had.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub async fn keys_of(
        &self,
        issuer: &str,
        source: &KeySource,
        key_id: &str,
        now: Timestamp,
    ) -> Result<Arc<PublicKeys>, IssuerError> {
        let at = match source {
            KeySource::Pinned(keys) => return Ok(Arc::new(keys.clone())),
            KeySource::Discovered => None,
            KeySource::At(address) => Some(address.clone()),
        };
        let slot = self.slot((issuer.to_owned(), at.clone()));
        let mut slot = slot.lock().await;
        if slot.wants(key_id, now) {
            slot.tried_at = Some(now);
            match self.fetcher.keys(issuer, at.as_deref()).await {
                Ok(keys) => {
                    slot.keys = Some((Arc::new(keys), now));
                    slot.failed = None;
                }
                Err(error) => {
                    tracing::warn!(issuer, %error, "an issuer's keys could not be fetched");
                    slot.failed = Some(error.to_string());
                }
            }
        }
        slot.usable(now)
    }

    /// What this issuer says of itself (OpenID Connect Discovery 1.0 section 4), which must be of
    /// exactly this issuer.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub async fn metadata(&self, issuer: &str, now: Timestamp) -> Result<Arc<Value>, IssuerError> {
        let said = {
            let mut all = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(issuer.to_owned()).or_default())
        };
        let mut said = said.lock().await;
        let is_fresh = said.metadata.as_ref().is_some_and(|(_, at)| now < at.plus(FRESH));
        let pause = if said.failed.is_some() { PAUSE_AFTER_FAILURE } else { PAUSE };
        if !is_fresh && said.tried_at.is_none_or(|tried_at| now >= tried_at.plus(pause)) {
            said.tried_at = Some(now);
            match self.fetcher.metadata(issuer).await {
                Ok(metadata) => {
                    said.metadata = Some((Arc::new(metadata), now));
                    said.failed = None;
                }
                Err(error) => {
                    tracing::warn!(issuer, %error, "an issuer's metadata could not be fetched");
                    said.failed = Some(error.to_string());
                }
            }
        }
        match &said.metadata {
            Some((metadata, at)) if now < at.plus(STALE) => Ok(Arc::clone(metadata)),
            Some(_) | None => {
                let why = said.failed.as_deref().unwrap_or("it was not asked again yet");
                Err(IssuerError::Away(why.to_owned()))
            }
        }
    }

    /// An address that policy lists, and connections that go nowhere else than issuers' may.
    ///
    /// # Errors
    /// [`FetchError`] for what must not be reached.
    pub fn way_to(&self, address: &str) -> Result<(Url, reqwest::Client), FetchError> {
        self.fetcher.way_to(address)
    }

    fn slot(&self, place: Place) -> Shared {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(place).or_default())
    }
}

impl Slot {
    /// Whether to fetch now.
    fn wants(&self, key_id: &str, now: Timestamp) -> bool {
        let is_good = self
            .keys
            .as_ref()
            .is_some_and(|(keys, fetched_at)| keys.has(key_id) && now < fetched_at.plus(FRESH));
        let pause = if self.failed.is_some() { PAUSE_AFTER_FAILURE } else { PAUSE };
        !is_good && self.tried_at.is_none_or(|tried_at| now >= tried_at.plus(pause))
    }

    fn usable(&self, now: Timestamp) -> Result<Arc<PublicKeys>, IssuerError> {
        match &self.keys {
            Some((keys, fetched_at)) if now < fetched_at.plus(STALE) => Ok(Arc::clone(keys)),
            Some(_) | None => {
                let why = self.failed.as_deref().unwrap_or("it was not asked again yet");
                Err(IssuerError::Away(why.to_owned()))
            }
        }
    }
}

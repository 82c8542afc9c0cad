//! One access token for all calls of a client, exchanged again before it ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Identity;
use crate::transport::Transport;
use crate::{ClientError, ErrorKind, FreshToken, Secret, Witness};

/// How soon an exchange that failed is tried again while the old token is still good.
const NEXT_TRY: Duration = Duration::from_secs(10);

/// Keeps the access token that was exchanged for an identity.
#[derive(Debug)]
pub(crate) struct Keeper {
    identity: Identity,
    witness: Witness,
    kept: Mutex<Kept>,
    /// How many exchanges have ended so far.
    exchanges: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    held: Option<Held>,
    /// Why the last exchange failed, if it did.
    failure: Option<ClientError>,
}

/// A token, and how long it may be used.
#[derive(Debug)]
struct Held {
    token: Secret,
    renew_at: Instant,
    ends_at: Instant,
}

impl Keeper {
    pub(crate) fn new(identity: Identity, witness: Witness) -> Self {
        Self { identity, witness, kept: Mutex::default(), exchanges: AtomicU64::new(0) }
    }

    /// A token that is good now, as far as is known.
    pub(crate) async fn token(&self, transport: &Transport) -> Result<Secret, ClientError> {
        let seen = self.exchanges.load(Ordering::SeqCst);
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        if let Some(held) = &kept.held
            && now < held.renew_at
        {
            return Ok(held.token.clone());
        }
        match (self.exchange(&mut kept, seen, transport).await, &mut kept.held) {
            (Err(_), Some(held)) if Instant::now() < held.ends_at => {
                held.renew_at = Instant::now() + NEXT_TRY;
                Ok(held.token.clone())
            }
            (settled, _) => settled,
        }
    }

    /// Another token than this one, which the authority does not accept any more.
    pub(crate) async fn instead_of(
        &self,
        rejected: &Secret,
        transport: &Transport,
    ) -> Result<Secret, ClientError> {
        let seen = self.exchanges.load(Ordering::SeqCst);
        let mut kept = self.kept.lock().await;
        match &kept.held {
            Some(held) if held.token.expose() != rejected.expose() => Ok(held.token.clone()),
            _ => {
                kept.held = None;
                self.exchange(&mut kept, seen, transport).await
            }
        }
    }

    /// Gets a new token, once for all that wait for it: who saw fewer exchanges end than there were
    /// has waited for one, and takes its failure.
    async fn exchange(
        &self,
        kept: &mut Kept,
        seen: u64,
        transport: &Transport,
    ) -> Result<Secret, ClientError> {
        if let Some(failure) = &kept.failure
            && seen != self.exchanges.load(Ordering::SeqCst)
        {
            return Err(failure.clone());
        }
        let exchanged = self.exchanged(transport).await;
        self.exchanges.fetch_add(1, Ordering::SeqCst);
        match exchanged {
            Ok(FreshToken { token, expires_in }) => {
                let now = Instant::now();
                let (renew_at, ends_at) = (now + expires_in * 4 / 5, now + expires_in);
                *kept = Kept {
                    held: Some(Held { token: token.clone(), renew_at, ends_at }),
                    failure: None,
                };
                Ok(token)
            }
            Err(error) => {
                kept.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    /// A token that was made for this exchange and was not accepted may have been kept too long on its way:
    /// another is asked for, once.
    async fn exchanged(&self, transport: &Transport) -> Result<FreshToken, ClientError> {
        match self.exchanged_once(transport).await {
            Err(error) if error.kind == ErrorKind::Unauthorized && self.identity.is_made_anew() => {
                self.exchanged_once(transport).await
            }
            settled => settled,
        }
    }

    async fn exchanged_once(&self, transport: &Transport) -> Result<FreshToken, ClientError> {
        let token = self.identity.token(transport).await?;
        self.witness.see(&token);
        let exchanged = transport.exchange(&token).await;
        if let Ok(fresh) = &exchanged {
            self.witness.see(&fresh.token);
        }
        exchanged.map_err(|error| match error.kind {
            ErrorKind::Unauthorized | ErrorKind::Invalid => self.identity.refused(&token, error),
            ErrorKind::Usage
            | ErrorKind::Unreachable
            | ErrorKind::Untrusted
            | ErrorKind::Unavailable
            | ErrorKind::NoToken
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Protocol => error,
        })
    }
}

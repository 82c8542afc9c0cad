//! The credentials that this process opened and has not closed.
//!
//! Terraform forgets to close what it opened when a run fails or is stopped, so
//! whatever is left here is revoked at the end of the process. Terraform ends
//! every process of a run that way; each revokes only what it opened itself.
//! Only ids are kept: the token is handed to Terraform and nowhere kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assent_client::{Client, ClientError, IdempotencyKey, wire};
use tokio::task::JoinSet;

use crate::failure;
use crate::log::{Level, log};

/// Open credentials by id, each with the way to the server that minted it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenCredentials(Arc<Mutex<BTreeMap<String, Held>>>);

/// One that is open. Its signs of life end with it.
#[derive(Debug)]
struct Held {
    client: Client,
    _beats: JoinSet<()>,
}

impl OpenCredentials {
    /// Notes an open credential, and sends signs of life for it where they are asked for.
    pub(super) fn note(&self, credential: &wire::Credential, client: &Client) {
        let mut beats = JoinSet::new();
        if let Some(heartbeat) = credential.heartbeat.clone() {
            let (id, client) = (credential.id.clone(), client.clone());
            beats.spawn(async move {
                let over = client.keep_alive(&id, Some(&heartbeat)).await;
                log(Level::Warn, format!("credential {id} has ended: {}", failure::why(&over)));
            });
        }
        let held = Held { client: client.clone(), _beats: beats };
        self.entries().insert(credential.id.clone(), held);
    }

    /// Looks whether one is still good. What this process did not open is not looked at.
    ///
    /// # Errors
    /// It ended, or the server could not be asked.
    pub(super) async fn look_at(
        &self,
        id: &str,
    ) -> Result<Option<wire::CredentialStatus>, ClientError> {
        let client = self.client_of(id);
        match client {
            Some(client) => client.credential(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Revokes one. What this process did not open, or closed already, is left alone.
    ///
    /// # Errors
    /// The server could not be told; the credential stays noted.
    pub(super) async fn revoke(&self, id: &str) -> Result<(), ClientError> {
        let client = self.client_of(id);
        let Some(client) = client else { return Ok(()) };
        match client.revoke_credential(id, &IdempotencyKey::fresh()).await {
            Ok(()) => {}
            // It ended by itself, or with its request.
            Err(error) if failure::is_over(&error) => {}
            Err(error) => return Err(error),
        }
        self.entries().remove(id);
        Ok(())
    }

    /// Revokes all that are left, all at once.
    pub(crate) async fn revoke_all(&self) {
        let ids: Vec<_> = self.entries().keys().cloned().collect();
        let mut revocations = JoinSet::new();
        for id in ids {
            let open = self.clone();
            revocations.spawn(async move {
                match open.revoke(&id).await {
                    Ok(()) => log(Level::Info, format!("revoked credential {id} at the end")),
                    Err(error) => {
                        let why = failure::why(&error);
                        log(Level::Error, format!("credential {id} cannot be revoked: {why}"));
                    }
                }
            });
        }
        while revocations.join_next().await.is_some() {}
    }

    fn client_of(&self, id: &str) -> Option<Client> {
        self.entries().get(id).map(|held| held.client.clone())
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

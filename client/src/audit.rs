//! What anybody can check the authority by: its keys and metadata, and the audit log.

use std::time::Duration;

use assent_core::wire;
use serde_json::Value;

use crate::transport::Call;
use crate::{Client, ClientError};

impl Client {
    /// The authority's public keys (RFC 7517).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn jwks(&self) -> Result<Value, ClientError> {
        self.transport.send(Call::get("/.well-known/jwks.json")).await
    }

    /// The authority's metadata: its issuer above all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn discovery(&self) -> Result<Value, ClientError> {
        self.transport.send(Call::get("/.well-known/openid-configuration")).await
    }

    /// How long the audit log is, and its root.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn checkpoint(&self) -> Result<wire::Checkpoint, ClientError> {
        self.transport.send(Call::get("/v1/audit/checkpoint")).await
    }

    /// Entries of the audit log from this index on, at most a thousand.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn entries(&self, from: u64) -> Result<wire::Entries, ClientError> {
        let from = from.to_string();
        self.transport.send(Call::get("/v1/audit/entries").with_query(&[("from", &from)])).await
    }

    /// Entries from this index on; waits for one if there is none yet.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn await_entries(
        &self,
        from: u64,
        timeout: Duration,
    ) -> Result<wire::Entries, ClientError> {
        let (from, wait) = (from.to_string(), format!("{}s", timeout.as_secs()));
        let call = Call::get("/v1/audit/entries")
            .with_query(&[("from", &from), ("wait", &wait)])
            .patient(timeout + Duration::from_secs(10));
        self.transport.send_once(call).await
    }
}

//! What other systems tell: what is the matter, and with whom.

use assent_core::wire;

use crate::transport::Call;
use crate::{Client, ClientError, IdempotencyKey};

impl Client {
    /// Everything that other systems have told.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signals(&self) -> Result<wire::Signals, ClientError> {
        self.transport.send(Call::get("/v1/signals")).await
    }

    /// Tells what is the matter with a subject, or takes it back.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_a_source` where policy does not let the caller tell it.
    pub async fn tell(
        &self,
        signal: &wire::NewSignal,
        key: &IdempotencyKey,
    ) -> Result<wire::ToldSignal, ClientError> {
        self.transport.send(Call::change("/v1/signals", signal, key)).await
    }
}

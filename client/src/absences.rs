//! Being out of office.

use assent_core::wire;
use serde_json::json;

use crate::transport::{Call, path};
use crate::{Client, ClientError, IdempotencyKey};

impl Client {
    /// Every absence on record, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn absences(&self) -> Result<wire::Absences, ClientError> {
        self.transport.send(Call::get("/v1/absences")).await
    }

    /// Says that the caller is out of office.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_absence(
        &self,
        absence: &wire::NewAbsence,
        key: &IdempotencyKey,
    ) -> Result<wire::Absence, ClientError> {
        self.transport.send(Call::change("/v1/absences", absence, key)).await
    }

    /// Takes an absence back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn end_absence(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Absence, ClientError> {
        self.transport.send(Call::change(&path("/v1/absences/{}/end", id), &json!({}), key)).await
    }
}

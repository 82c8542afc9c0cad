//! The only place that makes chance: ids, secrets, signatures.

use assent_core::credential::Secret;
use assent_core::device::UserCode;
use assent_core::id::{
    AccessId, CredentialId, EvaluationId, PasskeyId, RequestId, ReviewId, UploadId,
};
use assent_core::time::Timestamp;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The system gave no randomness. Nothing safe can be done then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoChance;

/// The system's randomness.
#[derive(Clone, Debug)]
pub struct Chance(SystemRandom);

impl Default for Chance {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Chance {
    /// The source itself, for signing.
    pub fn source(&self) -> &dyn SecureRandom {
        &self.0
    }

    /// A request's id.
    ///
    /// # Errors
    /// [`NoChance`], as everywhere here.
    pub fn request_id(&self, now: Timestamp) -> Result<RequestId, NoChance> {
        Ok(RequestId::new(now, self.bytes()?))
    }

    /// A review's id.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn review_id(&self, now: Timestamp) -> Result<ReviewId, NoChance> {
        Ok(ReviewId::new(now, self.bytes()?))
    }

    /// A credential's id.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn credential_id(&self, now: Timestamp) -> Result<CredentialId, NoChance> {
        Ok(CredentialId::new(now, self.bytes()?))
    }

    /// An access token's id.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn access_id(&self, now: Timestamp) -> Result<AccessId, NoChance> {
        Ok(AccessId::new(now, self.bytes()?))
    }

    /// The id of an evaluation that was denied.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn evaluation_id(&self, now: Timestamp) -> Result<EvaluationId, NoChance> {
        Ok(EvaluationId::new(now, self.bytes()?))
    }

    /// A passkey's id.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn passkey_id(&self, now: Timestamp) -> Result<PasskeyId, NoChance> {
        Ok(PasskeyId::new(now, self.bytes()?))
    }

    /// The id of what is sent of an exact plan.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn upload_id(&self, now: Timestamp) -> Result<UploadId, NoChance> {
        Ok(UploadId::new(now, self.bytes()?))
    }

    /// A secret of 256 bits.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn secret(&self) -> Result<Secret, NoChance> {
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(self.bytes::<32>()?)))
    }

    /// A code that a person types; `None` where chance gave none, which it hardly ever does.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn user_code(&self) -> Result<Option<UserCode>, NoChance> {
        Ok(UserCode::of_chance(&self.bytes()?))
    }

    /// A salt of 128 bits.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn salt(&self) -> Result<[u8; 16], NoChance> {
        self.bytes()
    }

    /// A key of 256 bits that nobody else gets to see.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn key(&self) -> Result<[u8; 32], NoChance> {
        self.bytes()
    }

    fn bytes<const N: usize>(&self) -> Result<[u8; N], NoChance> {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).map_err(|_| NoChance)?;
        Ok(bytes)
    }
}

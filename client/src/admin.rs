//! Who has access to the authority, and the keys that it signs with.

use assent_core::wire;
use serde_json::json;

use crate::transport::{Call, path};
use crate::{Client, ClientError, IdempotencyKey};

impl Client {
    /// Makes the first administrator, with the one-time code of the first start.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bootstrap(
        &self,
        code: &str,
        sub: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::FreshAccess, ClientError> {
        let body = wire::Bootstrap { code: code.to_owned(), sub: sub.to_owned() };
        self.transport.send(Call::change("/v1/bootstrap", &body, key)).await
    }

    /// Who the caller is.
    ///
    /// # Errors
    /// [`ClientError`], like every call here.
    pub async fn whoami(&self) -> Result<wire::Whoami, ClientError> {
        self.transport.send(Call::get("/v1/whoami")).await
    }

    /// Makes an access token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_access(
        &self,
        wanted: &wire::NewAccess,
        key: &IdempotencyKey,
    ) -> Result<wire::FreshAccess, ClientError> {
        self.transport.send(Call::change("/v1/access", wanted, key)).await
    }

    /// All access tokens' records.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn access_list(&self) -> Result<wire::AccessList, ClientError> {
        self.transport.send(Call::get("/v1/access")).await
    }

    /// Takes an access token back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_access(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Access, ClientError> {
        self.transport.send(Call::change(&path("/v1/access/{}/revoke", id), &json!({}), key)).await
    }

    /// Every signing key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn signing_keys(&self) -> Result<wire::Keys, ClientError> {
        self.transport.send(Call::get("/v1/keys")).await
    }

    /// Makes a signing key, or brings one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn make_key(
        &self,
        wanted: &wire::NewKey,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        self.transport.send(Call::change("/v1/keys", wanted, key)).await
    }

    /// Takes a signing key out of use.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retire_key(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        self.transport.send(Call::change(&path("/v1/keys/{}/retire", id), &json!({}), key)).await
    }

    /// Takes a signing key out at once.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_key(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Key, ClientError> {
        let body = json!({"reason": reason});
        self.transport.send(Call::change(&path("/v1/keys/{}/revoke", id), &body, key)).await
    }
}

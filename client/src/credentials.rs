//! Credentials: minted, held, looked at, checked, and taken back, one or all.

use std::time::Duration;

use assent_core::credential::KeyError;
use assent_core::wire;
use serde_json::{Value, json};

use crate::transport::{Call, path};
use crate::{Client, ClientError, IdempotencyKey, Secret};

/// How long it may take to end everything that fits.
const ENDING_ALL: Duration = Duration::from_secs(120);

impl Client {
    /// Mints a credential. Repeated with its key, it gives the same credential again.
    ///
    /// What a broker opens beside it is opened anew by each repetition. So an answer that was lost is
    /// asked for again, but what failed behind the authority is not: that is for whoever calls to decide.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_opened` where the broker could not open what was wanted.
    pub async fn mint(
        &self,
        id: &str,
        wanted: &wire::MintRequest,
        key: &IdempotencyKey,
    ) -> Result<wire::Credential, ClientError> {
        let path = path("/v1/requests/{}/credentials", id);
        let call = Call::change(&path, wanted, key);
        let call = if wanted.broker.is_some() { call.opening() } else { call };
        self.transport.send(call).await
    }

    /// Mints a credential that is bound to a key (RFC 9449). `prove` makes a proof for a call by `POST`
    /// of this URL, with this nonce where the authority asks for one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn mint_bound(
        &self,
        id: &str,
        wanted: &wire::MintRequest,
        key: &IdempotencyKey,
        prove: impl Fn(&str, Option<&str>) -> Result<String, KeyError>,
    ) -> Result<wire::Credential, ClientError> {
        let path = path("/v1/requests/{}/credentials", id);
        let url = format!("{}{path}", self.transport.base());
        let send = async |nonce: Option<&str>| {
            let fault = |error| ClientError::usage(format!("no proof can be made: {error}"));
            let proof = prove(&url, nonce).map_err(fault)?;
            self.transport.send_once(Call::change(&path, wanted, key).proven(proof)).await
        };
        match send(None).await {
            Err(error) if error.code() == Some("use_dpop_nonce") => {
                send(error.nonce.as_deref()).await
            }
            settled => settled,
        }
    }

    /// Sends a sign of life for a credential.
    ///
    /// # Errors
    /// [`ClientError`]; code `credential_over` where there is nothing left to hold.
    pub async fn heartbeat(&self, credential: &str) -> Result<wire::Heartbeat, ClientError> {
        let path = path("/v1/credentials/{}/heartbeat", credential);
        self.transport.send(Call::change(&path, &json!({}), &IdempotencyKey::fresh())).await
    }

    /// Lists credentials: `state`, `environment`, `kind`, `requester`, `cursor` and `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn credentials(
        &self,
        query: &[(&str, &str)],
    ) -> Result<wire::CredentialList, ClientError> {
        self.transport.send(Call::get("/v1/credentials").with_query(query)).await
    }

    /// Looks at a credential that is held: an error once it has ended, so that whoever holds it
    /// learns of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn credential(
        &self,
        credential: &str,
    ) -> Result<wire::CredentialStatus, ClientError> {
        self.transport.send(Call::get(&path("/v1/credentials/{}", credential))).await
    }

    /// Takes one credential back, by its id.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_credential(
        &self,
        credential: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ClientError> {
        let path = path("/v1/credentials/{}/revoke", credential);
        let _: Value = self.transport.send(Call::change(&path, &json!({}), key)).await?;
        Ok(())
    }

    /// Ends every grant and credential that fits.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_all(
        &self,
        wanted: &wire::Revocation,
        key: &IdempotencyKey,
    ) -> Result<wire::Revoked, ClientError> {
        let call = Call::change("/v1/revocations", wanted, key);
        self.transport.send(call.patient(ENDING_ALL)).await
    }

    /// Asks the authority whether a token is good now (RFC 7662).
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn introspect(&self, token: &Secret) -> Result<wire::Introspection, ClientError> {
        self.transport.send(Call::form("/oauth/introspect", &[("token", token.expose())])).await
    }

    /// Spends a single-use token; the second time it is refused.
    ///
    /// # Errors
    /// [`ClientError`]; code `credential_spent` the second time.
    pub async fn redeem(
        &self,
        token: &Secret,
        audience: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Introspection, ClientError> {
        let body = json!({"token": token.expose(), "audience": audience});
        self.transport.send(Call::change("/v1/credentials/redeem", &body, key)).await
    }
}

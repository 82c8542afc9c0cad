//! A token of a trusted issuer, exchanged for an access token (RFC 8693).

use std::time::Duration;

use assent_core::wire::oauth;

use crate::transport::Call;
use crate::{Client, ClientError, Secret};

/// A fresh access token, as an exchange gives it.
#[derive(Clone, Debug)]
pub struct FreshToken {
    /// For [`Client::with_token`].
    pub token: Secret,
    /// How long it lives from now on.
    pub expires_in: Duration,
}

impl Client {
    /// Exchanges a token of an issuer that the authority trusts, such as a GitHub Actions job's, for
    /// an access token. No token of the client's own is needed, and none is sent.
    ///
    /// A trust can say that a subject token is good once: get a new one for each call.
    ///
    /// # Errors
    /// [`ClientError`]: [`crate::ErrorKind::Unauthorized`] with code `invalid_grant` where the token
    /// is not accepted. Why not, only the authority's log says.
    pub async fn exchange(&self, subject_token: &Secret) -> Result<FreshToken, ClientError> {
        let call = Call::form(
            "/oauth/token",
            &[
                ("grant_type", oauth::TOKEN_EXCHANGE),
                ("subject_token", subject_token.expose()),
                ("subject_token_type", oauth::JWT),
            ],
        );
        let given: oauth::Exchanged = self.transport.with_token(None).send(call).await?;
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            let what = format!("it gave a token of type `{}`", given.token_type);
            return Err(ClientError::protocol(self.base(), &what));
        }
        let expires_in = Duration::from_secs(given.expires_in);
        Ok(FreshToken { token: Secret::new(given.access_token), expires_in })
    }
}

//! A token of a trusted issuer, exchanged for an access token (RFC 8693).

use std::time::Duration;

use assent_core::wire::oauth;

use crate::transport::{Call, Transport};
use crate::{Client, ClientError, Secret};

/// The longest life of an access token that is believed: a year.
const LONGEST_LIFE: u64 = 366 * 24 * 60 * 60;

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
        self.transport.exchange(subject_token).await
    }
}

impl Transport {
    /// The same, sent once: a subject token may be good only once, also if the answer is lost.
    pub(crate) async fn exchange(&self, subject_token: &Secret) -> Result<FreshToken, ClientError> {
        let call = Call::form(
            "/oauth/token",
            &[
                ("grant_type", oauth::TOKEN_EXCHANGE),
                ("subject_token", subject_token.expose()),
                ("subject_token_type", oauth::JWT),
            ],
        );
        let given: oauth::Granted = self.present(&call, None).await.map_err(|f| f.error)?;
        FreshToken::bearer(self.base(), given)
    }
}

impl FreshToken {
    /// What the token endpoint gave, if it is of the one type that is understood.
    pub(crate) fn bearer(base: &str, given: oauth::Granted) -> Result<Self, ClientError> {
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            let what = format!("it gave a token of type `{}`", given.token_type);
            return Err(ClientError::protocol(base, &what));
        }
        let expires_in = Duration::from_secs(given.expires_in.min(LONGEST_LIFE));
        Ok(Self { token: Secret::new(given.access_token), expires_in })
    }
}

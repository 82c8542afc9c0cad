//! Signing in by a browser (RFC 8628): the program shows a code, the person answers elsewhere.

use std::time::Duration;

use assent_core::wire::oauth;

use crate::exchange::FreshToken;
use crate::transport::Call;
use crate::{Client, ClientError, Secret};

/// How much longer to wait between two polls when the authority says that they are too often (RFC
/// 8628 section 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// However seldom an authority wants to be asked, a person does not wait longer than this to be told.
const SLOWEST: Duration = Duration::from_secs(60);

/// A sign-in that waits for its person.
#[derive(Clone, Debug)]
pub struct DeviceLogin {
    /// What the person types. Text of the authority's: clean it before it is shown.
    pub user_code: String,
    /// Where, as the authority says.
    pub verification_uri: String,
    /// For how long it waits.
    pub expires_in: Duration,
    code: Secret,
    interval: Duration,
}

impl Client {
    /// Begins to sign in. No token of the client's own is needed, and none is sent.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn begin_login(&self) -> Result<DeviceLogin, ClientError> {
        let fields = [("client_id", oauth::COMMAND_LINE)];
        let call = Call::form("/oauth/device_authorization", &fields);
        let begun: oauth::DeviceAuthorization =
            self.transport.present(&call, None).await.map_err(|failure| failure.error)?;
        Ok(DeviceLogin {
            user_code: begun.user_code,
            verification_uri: begun.verification_uri,
            expires_in: Duration::from_secs(begun.expires_in.min(60 * 60)),
            code: Secret::new(begun.device_code),
            interval: Duration::from_secs(begun.interval.clamp(1, SLOWEST.as_secs())),
        })
    }

    /// Waits for the person's answer. A lost connection is tried again as long as the code is good.
    ///
    /// # Errors
    /// [`ClientError`]: [`crate::ErrorKind::Unauthorized`] with code `access_denied` where the person
    /// said no, with `expired_token` where nobody said anything.
    pub async fn await_login(&self, login: &DeviceLogin) -> Result<FreshToken, ClientError> {
        let call = Call::form(
            "/oauth/token",
            &[
                ("grant_type", oauth::DEVICE_CODE),
                ("device_code", login.code.expose()),
                ("client_id", oauth::COMMAND_LINE),
            ],
        );
        let (mut pause, mut waited) = (login.interval, Duration::ZERO);
        loop {
            tokio::time::sleep(pause).await;
            waited += pause;
            let answer = self.transport.present::<oauth::Granted>(&call, None).await;
            let error = match answer {
                Ok(given) => return FreshToken::bearer(self.base(), given),
                Err(failure) => failure.error,
            };
            match error.code() {
                Some("authorization_pending") => {}
                Some("slow_down") => pause = (pause + SLOWER).min(SLOWEST),
                _ if error.retryable => {
                    pause = error.wait.unwrap_or(pause * 2).max(pause).min(SLOWEST);
                }
                _ => return Err(error),
            }
            // An authority that never says so: the code is over all the same.
            if waited > login.expires_in {
                return Err(error);
            }
        }
    }
}

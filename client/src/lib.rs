//! The one typed HTTP client of the authority, shared by provider, action and command line.
//!
//! Only this crate knows URLs and retry. It never decides anything about approval, never stores a
//! token, and never retries a call that changes something without its idempotency key.

mod absences;
mod admin;
mod audit;
mod credentials;
mod device;
mod error;
mod exchange;
mod github;
mod heartbeat;
mod key;
mod notices;
mod plans;
mod policy;
mod requests;
mod settings;
mod signals;
mod token;
mod transport;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use assent_core::credential::Secret as CoreSecret;
pub use assent_core::wire;
pub use device::DeviceLogin;
pub use error::{ClientError, ErrorKind};
pub use exchange::FreshToken;
pub use key::IdempotencyKey;
pub use reqwest::Client as HttpClient;
pub use reqwest::RequestBuilder as HttpRequest;
pub use reqwest::redirect::Policy as Redirects;
pub use settings::{Retry, Roots, Settings, Witness};
pub use token::{Identity, IdentitySource, TokenSource};
use transport::Transport;
pub use url::Url;
pub use wait::{Patience, Progress};

/// A secret text that cannot print itself.
pub type Secret = CoreSecret;

/// A connection to one authority. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Arc<Transport>,
}

impl Client {
    /// Makes ready; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a URL that is not http or https, or http to anywhere but loopback;
    /// or for one that holds more than where the authority is.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        Ok(Self { transport: Arc::new(Transport::new(settings)?) })
    }

    /// The same over a connection that somebody else has made ready, for nobody in particular and
    /// with nothing sent twice. An answer of more bytes than `largest` is none.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        http: HttpClient,
        url: Url,
        timeout: Duration,
        largest: usize,
    ) -> Result<Self, ClientError> {
        Ok(Self { transport: Arc::new(Transport::over(http, url, timeout, largest)?) })
    }

    /// The authority's base URL, without a slash at the end.
    pub fn base(&self) -> &str {
        self.transport.base()
    }

    /// The same connection, for whoever has this token.
    #[must_use]
    pub fn with_token(&self, token: Secret) -> Self {
        Self { transport: Arc::new(self.transport.with_token(token)) }
    }
}

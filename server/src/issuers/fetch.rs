//! Fetching small JSON documents from issuers that are listed, and from nobody else.

use std::sync::OnceLock;
use std::time::Duration;

use assent_core::canonical;
use assent_core::token::PublicKeys;
use reqwest::{Certificate, Client, StatusCode};
use serde_json::Value;
use url::Url;

use crate::issuers::Reach;
use crate::issuers::discovery::{self, DiscoveryError};
use crate::issuers::guard::{Forbidden, Guard};
use crate::unreached::cause;

/// The largest document that is read. Key sets have a few kilobytes.
const LARGEST: usize = 256 * 1024;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It must not be.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The metadata leads to no keys.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// No TLS to be had on this machine, or the extra certificates are none.
    #[error("no TLS to be had: {0}")]
    Tls(String),
    /// Not reached, or not in time.
    #[error("{url}: {problem}")]
    Lost {
        /// What was asked.
        url: String,
        /// What happened.
        problem: String,
    },
    /// Answered, but not with what was asked for.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The status. Redirects are not followed.
        status: StatusCode,
    },
    /// More than anybody needs.
    #[error("{0} has more than {LARGEST} bytes")]
    TooLarge(String),
    /// Not JSON, or not strict.
    #[error("{0} is not strict JSON")]
    NotJson(String),
}

#[derive(Debug)]
pub(super) struct Fetcher {
    guard: Guard,
    authorities: Vec<Vec<u8>>,
    patience: Duration,
    /// Made when it is first needed: most servers trust nobody.
    client: OnceLock<Result<Client, String>>,
}

impl Fetcher {
    pub(super) fn new(reach: Reach) -> Self {
        let Reach { networks, loopback, authorities, patience, names } = reach;
        let guard = Guard::new(networks, loopback, names);
        Self { guard, authorities, patience, client: OnceLock::new() }
    }

    /// The keys of this issuer: from this address, or from where its metadata says.
    pub(super) async fn keys(
        &self,
        issuer: &str,
        at: Option<&str>,
    ) -> Result<PublicKeys, FetchError> {
        let at = match at {
            Some(address) => discovery::parsed(address)?,
            None => {
                let metadata = self.json(&discovery::metadata_at(issuer)?).await?;
                discovery::keys_at(issuer, &metadata)?
            }
        };
        Ok(PublicKeys::read(&self.json(&at).await?))
    }

    /// What this issuer says of itself.
    pub(super) async fn metadata(&self, issuer: &str) -> Result<Value, FetchError> {
        let metadata = self.json(&discovery::metadata_at(issuer)?).await?;
        discovery::check_issuer(issuer, &metadata)?;
        Ok(metadata)
    }

    pub(super) fn way_to(&self, address: &str) -> Result<(Url, Client), FetchError> {
        let url = discovery::parsed(address)?;
        self.guard.check_url(&url)?;
        Ok((url, self.client()?.clone()))
    }

    async fn json(&self, url: &Url) -> Result<Value, FetchError> {
        self.guard.check_url(url)?;
        let lost = |error: reqwest::Error| FetchError::Lost {
            url: url.to_string(),
            problem: cause(&error),
        };
        let request = self.client()?.get(url.clone()).header("accept", "application/json");
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(FetchError::Status { url: url.to_string(), status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(FetchError::TooLarge(url.to_string()));
            }
            body.extend_from_slice(&chunk);
        }
        canonical::parse(&body).map_err(|_| FetchError::NotJson(url.to_string()))
    }

    fn client(&self) -> Result<&Client, FetchError> {
        let made = self.client.get_or_init(|| self.make().map_err(|error| cause(&error)));
        made.as_ref().map_err(|problem| FetchError::Tls(problem.clone()))
    }

    fn make(&self) -> Result<Client, reqwest::Error> {
        let certificates = self.authorities.iter().map(|pem| Certificate::from_pem_bundle(pem));
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>()?;
        Client::builder()
            .user_agent(concat!("assent/", env!("CARGO_PKG_VERSION")))
            // A proxy would resolve names itself, and a redirect would lead past the checks.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(self.guard.clone())
            .timeout(self.patience)
            .pool_max_idle_per_host(0)
            .tls_certs_merge(certificates.into_iter().flatten())
            .build()
    }
}

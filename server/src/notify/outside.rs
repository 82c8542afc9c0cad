//! Calls to channels over HTTP. Where they go, the settings say, and to public addresses only, unless
//! those say otherwise; redirects are not followed; of an answer only what is needed is read.

use std::time::Duration;

use assent_core::credential::Secret;
use assent_core::policy::cidr::Cidr;
use assent_core::time::Span;
use reqwest::header::RETRY_AFTER;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder};
use url::Url;

use super::NotTold;
use crate::broker::outside::{said, short};
use crate::issuers::Names;
use crate::issuers::guard::Guard;
use crate::unreached::cause;

/// How long one call may take, from the name's resolution to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024;
/// Nobody is waited for longer than this, whatever they say.
const LONGEST_WAIT: u64 = 3600;

/// The way out.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    client: Client,
    guard: Guard,
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    /// For how long the other side wants to be left alone.
    pub(super) retry_after: Option<Span>,
    pub(super) body: Vec<u8>,
}

impl Outside {
    /// To public addresses and to these networks, believing the system's authorities and these (PEM).
    pub(super) fn new(
        networks: Vec<Cidr>,
        loopback: bool,
        authorities: &[u8],
    ) -> Result<Self, String> {
        let guard = Guard::new(networks, loopback, Names::default());
        let certificates =
            Certificate::from_pem_bundle(authorities).map_err(|error| error.to_string())?;
        let client = Client::builder()
            .user_agent(concat!("assent/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(Policy::none())
            .dns_resolver(guard.clone())
            .timeout(PATIENCE)
            .pool_max_idle_per_host(0)
            .tls_certs_merge(certificates)
            .build();
        Ok(Self { client: client.map_err(|error| cause(&error))?, guard })
    }

    /// That notices may go there.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        self.guard.check_url(url).map_err(|_| {
            "an https URL without user, password and fragment, to a public address or to one of \
             `networks`"
                .to_owned()
        })
    }

    /// To make a call with.
    pub(super) fn post(&self, url: &Url) -> RequestBuilder {
        self.client.post(url.clone())
    }

    /// What it answers; the way is away where it does not. An address may be a secret, so that only
    /// its host is told.
    pub(super) async fn send(&self, call: RequestBuilder) -> Result<Answer, NotTold> {
        let away = |problem: &str| NotTold::away(short(problem), None);
        let call = call.build().map_err(|_| away("no call can be made"))?;
        let host = call.url().host_str().unwrap_or_default().to_owned();
        let lost = |error: reqwest::Error| away(&format!("{host}: {}", cause(&error)));
        let mut response = self.client.execute(call).await.map_err(lost)?;
        let status = response.status().as_u16();
        let told = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = told.and_then(|text| text.trim().parse::<u64>().ok());
        let retry_after = retry_after.map(|seconds| Span::seconds(seconds.min(LONGEST_WAIT)));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body })
    }

    /// Sends it to somebody who says all by the status: taken, away, or never.
    pub(super) async fn deliver(&self, call: RequestBuilder) -> Result<(), NotTold> {
        let Answer { status, retry_after, body } = self.send(call).await?;
        let text = said(&String::from_utf8_lossy(&body));
        let problem = match text.trim() {
            "" => format!("it answered {status}"),
            text => format!("it answered {status}: {text}"),
        };
        match status {
            200..=299 => Ok(()),
            // Gone, not there, not allowed: that changes when somebody changes the settings.
            400 | 401 | 403 | 404 | 405 | 410 | 413 | 422 => Err(NotTold::never(short(&problem))),
            _ => Err(NotTold::away(short(&problem), retry_after)),
        }
    }
}

/// An address that is a secret, as those of incoming webhooks are.
pub(super) fn secret_url(secret: &Secret) -> Result<Url, String> {
    Url::parse(secret.expose()).map_err(|_| "it holds no URL".to_owned())
}

//! Calls to what brokers open things at, over HTTP. The addresses are the operator's, the answers
//! anybody's: they are small, in time and from where they were asked for, or they are none.

use std::path::Path;
use std::time::Duration;

use assent_core::credential::Secret;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Request};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::BrokerError;
use crate::unreached::cause;

/// How long one call may take, from the name's resolution to the last byte: less than a use waits
/// for its token, and less than callers wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 1024 * 1024;
/// How much of what a stranger says is told.
const LONGEST: usize = 300;
/// From this length on a piece of what a stranger says may be a secret.
const SECRETIVE: usize = 32;

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    /// It may hold secrets.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The way out. Redirects are not followed, and no proxy is asked.
#[derive(Clone, Debug)]
pub(super) struct Outside(Client);

impl Outside {
    /// The system's authorities are believed, and whoever is in this file (PEM).
    pub(super) fn believing(ca_file: Option<&Path>) -> Result<Self, String> {
        let certificates = match ca_file {
            None => Vec::new(),
            Some(path) => {
                let told =
                    |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
                let pem = std::fs::read(path).map_err(|e| told(&e))?;
                let all = Certificate::from_pem_bundle(&pem).map_err(|e| told(&e))?;
                if all.is_empty() {
                    return Err(told(&"it holds no certificate"));
                }
                all
            }
        };
        let client = Client::builder()
            .user_agent(concat!("assent/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            // What is asked for is seldom, and a connection that waited may be gone.
            .pool_max_idle_per_host(0)
            .tls_certs_merge(certificates)
            .build();
        client.map(Self).map_err(|error| cause(&error))
    }

    /// To make requests with.
    pub(super) fn client(&self) -> &Client {
        &self.0
    }

    /// What it answers; [`BrokerError::Away`] where it does not. A redirect is no answer.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, BrokerError> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let away = |problem: &str| BrokerError::Away(short(&format!("{host}: {problem}")));
        let lost = |error: reqwest::Error| away(&cause(&error));
        let mut response = self.0.execute(request).await.map_err(lost)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(away(&format!("it answered {status}, and redirects are not followed")));
        }
        // Grown once: growing again would leave parts of a secret behind in freed memory.
        let announced = response.content_length().unwrap_or(64 * 1024);
        let size = usize::try_from(announced).unwrap_or(LARGEST).min(LARGEST);
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(away(&format!("it answered with more than {LARGEST} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: status.as_u16(), body })
    }
}

/// Whether secrets may be sent there: over https, or without leaving this machine. Anything but a
/// place is refused.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|problem| format!("`{}`: {problem}", short(text)))?;
    let is_here = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match url.scheme() {
        "https" if plain => Ok(url),
        "http" if plain && is_here => Ok(url),
        "https" | "http" if plain => Err("https, unless it is this machine".to_owned()),
        _ => Err("an https URL, without user, password, query or fragment".to_owned()),
    }
}

/// A secret as it may stand in an environment variable and in a header: one word of visible ASCII.
pub(super) fn word(text: &str, longest: usize) -> Option<Secret> {
    let fits = (1..=longest).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| Secret::new(text.to_owned()))
}

/// What a stranger says, as one line that can be shown: without what may be a secret that it was
/// sent or has made.
pub(crate) fn said(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut told = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match is_part(first) {
            true => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        told.push_str(if piece.len() >= SECRETIVE { "…" } else { piece });
        rest = after;
    }
    short(&told)
}

/// One line that can be shown.
pub(crate) fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_https_or_nowhere() {
        for good in [
            "https://sts.amazonaws.com",
            "http://127.0.0.1:4/x",
            "http://[::1]",
            "http://localhost",
        ] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sts.amazonaws.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "https://user:secret@example.com",
            "https://example.com/?a=b",
            "https://example.com/#a",
            "ftp://example.com",
            "sts.amazonaws.com",
            "",
        ] {
            let told = address(bad).unwrap_err();
            assert!(!told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_told() {
        let token = format!("eyJhbGciOiJFUzI1NiJ9.{}.{}", "e".repeat(40), "s".repeat(86));
        let told = said(&format!("no such token\n{token}, for role arn:aws:iam::123:role/deploy"));
        assert!(!told.contains(&"e".repeat(40)) && !told.contains(&"s".repeat(20)), "{told}");
        assert!(told.starts_with("no such token "), "{told}");
        assert!(told.contains("arn:aws:iam::123:role/deploy"), "{told}");
        assert!(said(&"x y ".repeat(1000)).len() <= LONGEST);
    }

    #[test]
    fn a_word_is_one_word_of_visible_characters() {
        assert!(word("ASIA", 128).is_some());
        for bad in ["", "a b", "a\nLD_PRELOAD=x", "a\0b", "naïve", "long"] {
            assert!(word(bad, 3).is_none(), "{bad:?}");
        }
    }
}

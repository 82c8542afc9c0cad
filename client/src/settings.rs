//! How an authority is reached: what a [`crate::Client`] is made from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Certificate;
use url::Url;

use crate::{ClientError, Secret, TokenSource};

/// Where the authority is, who calls, and how patiently.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The authority's base URL.
    pub url: Url,
    /// Where the caller's access token comes from.
    pub token: TokenSource,
    /// What calls: `assent/0.1.0`.
    pub user_agent: String,
    /// Who else may vouch for servers, beside those whom the operating system trusts.
    pub roots: Roots,
    /// How long one call may take. Calls that wait for something to happen take longer.
    pub timeout: Duration,
    /// When a call is sent again.
    pub retry: Retry,
    /// Who is shown each secret before it is used.
    pub witness: Witness,
}

impl Settings {
    /// The usual settings for this authority, for nobody in particular.
    pub fn new(url: Url, user_agent: impl Into<String>) -> Self {
        Self {
            url,
            token: TokenSource::Nothing,
            user_agent: user_agent.into(),
            roots: Roots::default(),
            timeout: Duration::from_secs(30),
            retry: Retry::default(),
            witness: Witness::default(),
        }
    }

    /// The same, for whoever holds this token; for nobody without one.
    #[must_use]
    pub fn with_token(self, token: Option<Secret>) -> Self {
        Self { token: token.into(), ..self }
    }
}

/// Who is shown each token that is got for calls, before it is sent anywhere: whoever writes a log masks
/// it there. Nobody by default.
#[derive(Clone, Default)]
pub struct Witness(Option<Arc<See>>);

type See = dyn Fn(&Secret) + Send + Sync;

impl Witness {
    /// This one.
    pub fn new(witness: impl Fn(&Secret) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(witness)))
    }

    pub(crate) fn see(&self, secret: &Secret) {
        if let Some(witness) = &self.0 {
            witness(secret);
        }
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Witness(..)" } else { "Witness(nobody)" })
    }
}

/// When a call that may be sent again is sent again.
///
/// Pauses grow threefold from a tenth of a second and are cut at random, so that many callers do
/// not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a call is sent at most, the first time included.
    pub attempts: u32,
    /// The longest pause. An authority that asks for a longer one is not asked again.
    pub max_wait: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 4, max_wait: Duration::from_secs(5) }
    }
}

impl Retry {
    /// How long to wait before the next attempt, after this many; `None` to give up. `asked` is what
    /// the authority asked for, and `chance` is any number.
    pub(crate) fn pause(
        &self,
        attempts: u32,
        asked: Option<Duration>,
        chance: u32,
    ) -> Option<Duration> {
        let is_over = attempts >= self.attempts || asked.is_some_and(|asked| asked > self.max_wait);
        let factor = 3_u32.saturating_pow(attempts.saturating_sub(1));
        let full = Duration::from_millis(100).saturating_mul(factor).min(self.max_wait);
        (!is_over).then(|| spread(full, chance).max(asked.unwrap_or_default()))
    }
}

/// A pause of between half of this and all of it.
pub(crate) fn spread(full: Duration, chance: u32) -> Duration {
    full.mul_f64(0.5 + f64::from(chance) / f64::from(u32::MAX) / 2.0)
}

/// Any number. Without chance to be had, always the same: pauses are then merely not spread.
pub(crate) fn chance() -> u32 {
    let mut bytes = [0_u8; 4];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

/// Certificates of authorities that are trusted beside the operating system's.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<Certificate>);

impl Roots {
    /// Those in a text of PEM blocks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] if there is none in it, or one that is no certificate.
    pub fn from_pem(text: &[u8]) -> Result<Self, ClientError> {
        let fault = |problem: &str| ClientError::usage(problem.to_owned());
        let found = Certificate::from_pem_bundle(text)
            .map_err(|_| fault("a certificate in it cannot be read"))?;
        if found.is_empty() {
            return Err(fault("there is no certificate in it; it must be PEM"));
        }
        // Whether they are certificates indeed is found out only where a connection is made ready.
        let ready = reqwest::Client::builder().tls_certs_only(found.clone()).build();
        ready.map_err(|_| fault("a certificate in it cannot be read"))?;
        Ok(Self(found))
    }

    pub(crate) fn into_certificates(self) -> Vec<Certificate> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_within_bounds_and_end() {
        let retry = Retry { attempts: 4, max_wait: Duration::from_millis(500) };
        let longest = |attempts| retry.pause(attempts, None, u32::MAX).map(|p| p.as_millis());
        assert_eq!([1, 2, 3, 4].map(longest), [Some(100), Some(300), Some(500), None]);
        let shortest = |attempts| retry.pause(attempts, None, 0).map(|p| p.as_millis());
        assert_eq!([1, 2, 3].map(shortest), [Some(50), Some(150), Some(250)]);
    }

    #[test]
    fn what_the_authority_asks_for_is_waited_or_it_is_not_asked_again() {
        let retry = Retry { attempts: 2, max_wait: SECOND };
        assert_eq!(retry.pause(1, Some(SECOND), 0), Some(SECOND));
        assert_eq!(retry.pause(1, Some(2 * SECOND), 0), None);
        assert_eq!(retry.pause(1, Some(Duration::ZERO), u32::MAX).unwrap().as_millis(), 100);
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in [&b""[..], b"/etc/ssl/ca.pem", b"-----BEGIN CERTIFICATE-----", broken] {
            assert!(Roots::from_pem(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
    }
}

//! What is asked of the authority: its keys, whether a credential was taken back, and to spend one.
//! Three calls, so that a service in any language can do the same.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assent_core::credential::dpop::Sent;
use assent_core::credential::{KeySet, Secret};
use assent_core::digest::Digest;
use assent_core::time::{Span, Timestamp};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// How often the keys are fetched at most because somebody named one that is not known.
const REFRESH: Span = Span::minutes(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the authority says of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is good.
    Good,
    /// It was taken back, or is spent, or never was.
    Over,
}

/// The authority, and the access token with which it is asked.
pub struct Authority {
    base: String,
    token: Secret,
    http: reqwest::Client,
    keys: Mutex<Known>,
}

struct Known {
    keys: Arc<KeySet>,
    fetched: Timestamp,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Authority {
    /// Fetches the keys of the authority at this URL, which has no slash at the end.
    ///
    /// # Errors
    /// What stood in the way.
    pub async fn reach(base: &str, token: Secret, now: Timestamp) -> anyhow::Result<Self> {
        let redirect = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(redirect).timeout(PATIENCE).build()?;
        let keys = Arc::new(fetched(&http, base).await?);
        let keys = Mutex::new(Known { keys, fetched: now });
        Ok(Self { base: base.to_owned(), token, http, keys })
    }

    /// Who signs the credentials.
    pub fn issuer(&self) -> &str {
        &self.base
    }

    pub(crate) fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// The keys as they are now, unless they were fetched just before: whoever invents names of keys
    /// makes nobody fetch them again and again.
    pub(crate) async fn newer_keys(&self, now: Timestamp) -> Arc<KeySet> {
        {
            let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if now < known.fetched.plus(REFRESH) {
                return Arc::clone(&known.keys);
            }
            known.fetched = now;
        }
        if let Ok(keys) = fetched(&self.http, &self.base).await {
            self.keys.lock().unwrap_or_else(PoisonError::into_inner).keys = Arc::new(keys);
        }
        self.keys()
    }

    /// Whether a credential is good now (RFC 7662).
    pub(crate) async fn introspect(&self, token: &str) -> Result<Said, Refusal> {
        let url = format!("{}/oauth/introspect", self.base);
        let call = self.http.post(url).form(&[("token", token)]);
        let (status, said) = self.answered(call).await?;
        match (status, said.get("active").and_then(Value::as_bool)) {
            (200, Some(true)) => Ok(Said::Good),
            (200, Some(false)) => Ok(Said::Over),
            (_, _) => Err(Refusal::Unknown),
        }
    }

    /// Spends a credential. The proof that came with it is passed on: the authority redeems a bound
    /// one for nobody who was not shown its key.
    pub(crate) async fn redeem(
        &self,
        token: &str,
        audience: &str,
        sent: Option<&Sent<'_>>,
    ) -> Result<Said, Refusal> {
        let mut body = json!({"token": token, "audience": audience});
        if let (Some(sent), Some(body)) = (sent, body.as_object_mut()) {
            let dpop = json!({"proof": sent.proof, "method": sent.method, "uri": sent.uri});
            body.insert("dpop".to_owned(), dpop);
        }
        let url = format!("{}/v1/credentials/redeem", self.base);
        let call = self.http.post(url).header("idempotency-key", fresh_key()?).json(&body);
        let (status, said) = self.answered(call).await?;
        let code = said.get("code").and_then(Value::as_str);
        match (status, code) {
            (200, _) if said.get("active") == Some(&Value::Bool(true)) => Ok(Said::Good),
            (403, Some("credential_inactive")) | (409, Some("credential_spent")) => Ok(Said::Over),
            (_, _) => Err(Refusal::Unknown),
        }
    }

    async fn answered(&self, call: reqwest::RequestBuilder) -> Result<(u16, Value), Refusal> {
        let answer = call.bearer_auth(self.token.expose()).send().await;
        let answer = answer.map_err(|_| Refusal::Unknown)?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.map_err(|_| Refusal::Unknown)?))
    }
}

async fn fetched(http: &reqwest::Client, base: &str) -> anyhow::Result<KeySet> {
    let url = format!("{base}/.well-known/jwks.json");
    let set: Value = http.get(url).send().await?.error_for_status()?.json().await?;
    Ok(KeySet::read(&set))
}

/// Each call is a wish of its own: the same credential shown twice is to be refused the second time.
fn fresh_key() -> Result<String, Refusal> {
    let mut chance = [0; 16];
    aws_lc_rs::rand::fill(&mut chance).map_err(|_| Refusal::Unknown)?;
    Ok(Digest::of(&chance).hex())
}

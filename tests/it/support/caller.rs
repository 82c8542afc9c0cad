//! Somebody who calls: typed, or with whatever bytes a test wants sent.

use assent_client::{Client, IdempotencyKey, Secret, Settings};
use serde_json::Value;

use super::Answer;

/// A caller with a token, or without.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    token: Option<String>,
    http: reqwest::Client,
    base: String,
}

/// A key for a new wish.
pub(crate) fn fresh_key() -> IdempotencyKey {
    IdempotencyKey::fresh()
}

impl Caller {
    pub(crate) fn new(base: &str, token: Option<&str>) -> Self {
        let settings = Settings::new(base.parse().unwrap(), "assent-tests")
            .with_token(token.map(|token| Secret::new(token.to_owned())));
        let redirect = reqwest::redirect::Policy::none();
        Self {
            client: Client::new(settings).unwrap(),
            token: token.map(str::to_owned),
            http: reqwest::Client::builder().redirect(redirect).build().unwrap(),
            base: base.to_owned(),
        }
    }

    /// The token this caller presents.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A call to be filled in further, with the token set.
    pub(crate) fn call(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let call = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => call.bearer_auth(token),
            None => call,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        sent(self.call("GET", path)).await
    }

    /// Sends JSON under a fresh key.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_again(fresh_key().as_str(), path, body).await
    }

    /// Sends JSON under this key.
    pub(crate) async fn post_again(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.post_bytes(key, path, "application/json", body.to_string().into_bytes()).await
    }

    /// Sends these bytes as this type.
    pub(crate) async fn post_bytes(
        &self,
        key: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Answer {
        let call = self.call("POST", path).header("idempotency-key", key);
        sent(call.header("content-type", kind).body(body)).await
    }

    /// Puts JSON in its place.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        sent(self.call("PUT", path).json(body)).await
    }

    /// Takes away what is there.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        sent(self.call("DELETE", path)).await
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        sent(self.call("POST", path).form(fields)).await
    }
}

/// Sends a call and reads the whole answer.
pub(crate) async fn sent(call: reqwest::RequestBuilder) -> Answer {
    Answer::read(call.send().await.unwrap()).await.unwrap()
}

//! One call, and sending it again where that is safe.

use std::time::Duration;

use assent_core::wire::Problem;
use assent_core::wire::oauth::OauthError;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ClientError, IdempotencyKey, Secret, Settings};

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How often a call is sent at most.
const TRIES: u32 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
}

/// One call. Only one that asks, or one that carries its key, can be sent twice.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Body,
    key: Option<String>,
    timeout: Duration,
}

enum Body {
    None,
    Json(Vec<u8>),
    Form(String),
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: Vec::new(),
            body: Body::None,
            key: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// Asks with a body; changes nothing.
    pub(crate) fn ask(path: &str, body: &impl Serialize) -> Self {
        let json = serde_json::to_vec(body).unwrap_or_default();
        Self { method: Method::POST, body: Body::Json(json), ..Self::get(path) }
    }

    /// Sends JSON as it is; safe to repeat by itself.
    pub(crate) fn raw(path: &str, json: Vec<u8>) -> Self {
        Self { method: Method::POST, body: Body::Json(json), ..Self::get(path) }
    }

    pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        Self { method: Method::POST, body: Body::Form(form.finish()), ..Self::get(path) }
    }

    pub(crate) fn change(path: &str, body: &impl Serialize, key: &IdempotencyKey) -> Self {
        Self { key: Some(key.as_str().to_owned()), ..Self::ask(path, body) }
    }

    pub(crate) fn with_query(mut self, query: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.query.extend(query.iter().map(own));
        self
    }

    pub(crate) fn patient(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Self, ClientError> {
        let Settings { url, token, user_agent } = settings;
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                let message = format!("{url} is not https; a token is not sent in the clear");
                return Err(ClientError::usage(message));
            }
            other => {
                let message = format!("{url} begins with `{other}`; write https://…");
                return Err(ClientError::usage(message));
            }
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            let message = "the server's URL must hold no user, password or query".to_owned();
            return Err(ClientError::usage(message));
        }
        let http = reqwest::Client::builder()
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|e| ClientError::usage(format!("no TLS to be had: {e}")))?;
        Ok(Self { http, base: url.as_str().trim_end_matches('/').to_owned(), token })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same connection with another token, or none.
    pub(crate) fn with_token(&self, token: Option<Secret>) -> Self {
        Self { http: self.http.clone(), base: self.base.clone(), token }
    }

    /// Sends a call, again where the failure says that it may be.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let mut pause = Duration::from_millis(100);
        for _ in 1..TRIES {
            match self.try_once(&call).await {
                Err(error) if error.retryable => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                settled => return settled,
            }
        }
        self.try_once(&call).await
    }

    pub(crate) async fn send_once<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<T, ClientError> {
        self.try_once(&call).await
    }

    async fn try_once<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ClientError> {
        let url = format!("{}{}", self.base, call.path);
        let mut request =
            self.http.request(call.method.clone(), url).query(&call.query).timeout(call.timeout);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(json) => {
                request.header("content-type", "application/json").body(json.clone())
            }
            Body::Form(form) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.clone()),
        };
        let lost = |error: reqwest::Error| ClientError::unreachable(&self.base, &error);
        let response = request.send().await.map_err(lost)?;
        self.read(response).await
    }

    async fn read<T: DeserializeOwned>(&self, mut response: Response) -> Result<T, ClientError> {
        let status = response.status();
        let mut body = Vec::new();
        let lost = |error: reqwest::Error| ClientError::unreachable(&self.base, &error);
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(ClientError::protocol(&self.base, "the answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let body = if status == StatusCode::NO_CONTENT { b"null".as_slice() } else { &body };
            let fault = |e: serde_json::Error| ClientError::protocol(&self.base, &e.to_string());
            return serde_json::from_slice(body).map_err(fault);
        }
        if let Ok(problem) = serde_json::from_slice::<Problem>(&body) {
            return Err(ClientError::answered(status.as_u16(), problem));
        }
        match serde_json::from_slice::<OauthError>(&body) {
            Ok(error) => Err(ClientError::answered_by_oauth(status.as_u16(), error)),
            Err(_) => Err(self.foreign(status, &body)),
        }
    }

    /// An error that no Assent server wrote: a proxy's, most likely.
    fn foreign(&self, status: StatusCode, body: &[u8]) -> ClientError {
        let is_json = serde_json::from_slice::<Value>(body).is_ok();
        let what = if is_json { "an error of another form" } else { "no JSON" };
        let mut error = ClientError::protocol(&self.base, &format!("{status} with {what}"));
        error.retryable = matches!(status.as_u16(), 502..=504);
        error
    }
}

//! One call, and sending it again where that is safe.

use std::sync::Arc;
use std::time::Duration;

use assent_core::wire::Problem;
use assent_core::wire::oauth::OauthError;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::settings::{self, Retry};
use crate::token::{self, Keeper, TokenSource};
use crate::{ClientError, IdempotencyKey, Secret, Settings};

/// The largest answer that is read.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The longest that making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: String,
    presents: Presents,
    timeout: Duration,
    retry: Retry,
    /// The largest answer that is read, whatever the call.
    largest: usize,
}

/// What is presented with each call.
#[derive(Clone, Debug)]
enum Presents {
    /// What the source gives as it stands.
    Plain(TokenSource),
    /// A token that is kept until another is needed.
    Kept(Arc<Keeper>),
}

/// One call. Only one that asks, or one that carries its key, can be sent twice.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Body,
    key: Option<String>,
    approval: Option<String>,
    proof: Option<String>,
    /// How long it takes at least until it is given up.
    patience: Duration,
    /// The largest answer that is read.
    most: usize,
    /// Whether each time that it is carried out opens something outside.
    opens: bool,
}

enum Body {
    None,
    Json(Vec<u8>),
    Bytes(Vec<u8>),
    Form(String),
}

/// What is made of an answer that succeeded.
type Reads<T> = fn(&Transport, StatusCode, &[u8]) -> Result<T, ClientError>;

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: Vec::new(),
            body: Body::None,
            key: None,
            approval: None,
            proof: None,
            patience: Duration::ZERO,
            most: MAX_ANSWER,
            opens: false,
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

    /// Puts something in its place; safe to repeat by itself.
    pub(crate) fn put(path: &str, body: &impl Serialize) -> Self {
        Self { method: Method::PUT, ..Self::ask(path, body) }
    }

    /// Puts bytes in their place; safe to repeat by itself.
    pub(crate) fn put_bytes(path: &str, bytes: Vec<u8>) -> Self {
        Self { method: Method::PUT, body: Body::Bytes(bytes), ..Self::get(path) }
    }

    /// Asks to be given something once.
    pub(crate) fn once(path: &str, key: &IdempotencyKey, most: usize) -> Self {
        Self { key: Some(key.as_str().to_owned()), most, ..Self::get(path) }
    }

    /// Takes something away.
    pub(crate) fn delete(path: &str) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// The same, by the approval of this request.
    pub(crate) fn approved_by(mut self, request: Option<&str>) -> Self {
        self.approval = request.map(str::to_owned);
        self
    }

    /// The same, with this proof of possession. It is good once, so the call is not sent again.
    pub(crate) fn proven(self, proof: String) -> Self {
        Self { proof: Some(proof), ..self }
    }

    /// The same, where it opens something outside each time that it is carried out, whatever its key: a
    /// gateway that answers instead of the authority does not know whether it was.
    pub(crate) fn opening(self) -> Self {
        Self { opens: true, ..self }
    }

    pub(crate) fn with_query(mut self, query: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.query.extend(query.iter().map(own));
        self
    }

    pub(crate) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whether it may be sent again even if it was perhaps carried out. What has no key and changes
    /// something may not.
    fn is_repeatable(&self) -> bool {
        let reads = self.method == Method::GET || self.method == Method::POST;
        self.key.is_some() || reads || matches!(self.body, Body::Bytes(_))
    }
}

impl Transport {
    pub(crate) fn new(settings: Settings) -> Result<Self, ClientError> {
        let Settings { url, token, user_agent, roots, timeout, retry, witness } = settings;
        check_place(&url)?;
        let http = unproxied_in_the_clear(reqwest::Client::builder(), &url)
            .user_agent(user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(timeout))
            .tls_certs_merge(roots.into_certificates())
            .build()
            .map_err(|e| ClientError::usage(format!("no TLS to be had: {e}")))?;
        let presents = match token {
            TokenSource::Exchanged(identity) => {
                Presents::Kept(Arc::new(Keeper::new(identity, witness)))
            }
            plain @ (TokenSource::Nothing | TokenSource::Given(_) | TokenSource::File(_)) => {
                Presents::Plain(plain)
            }
        };
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, presents, timeout, retry, largest: usize::MAX })
    }

    pub(crate) fn over(
        http: reqwest::Client,
        url: Url,
        timeout: Duration,
        largest: usize,
    ) -> Result<Self, ClientError> {
        check_place(&url)?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let presents = Presents::Plain(TokenSource::Nothing);
        let retry = Retry { attempts: 1, max_wait: Duration::ZERO };
        Ok(Self { http, base, presents, timeout, retry, largest })
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The same connection with another token.
    pub(crate) fn with_token(&self, token: Secret) -> Self {
        Self { presents: Presents::Plain(TokenSource::Given(token)), ..self.clone() }
    }

    /// Sends a call, again where the failure says that it may be.
    pub(crate) async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        self.send_reading(call, Self::understand).await
    }

    /// The same, for an answer that is taken as its bytes.
    pub(crate) async fn send_for_bytes(&self, call: Call) -> Result<Vec<u8>, ClientError> {
        self.send_reading(call, |_, _, body| Ok(body.to_vec())).await
    }

    async fn send_reading<T>(&self, call: Call, read: Reads<T>) -> Result<T, ClientError> {
        let mut attempts = 0;
        loop {
            let failure = match self.try_once(&call, read).await {
                Err(failure) if failure.error.retryable => failure,
                settled => return settled.map_err(|failure| failure.error),
            };
            attempts += 1;
            let may = failure.is_unheard || call.is_repeatable();
            let pause = self.retry.pause(attempts, failure.error.wait, settings::chance());
            match pause.filter(|_| may) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure.error),
            }
        }
    }

    pub(crate) async fn send_once<T: DeserializeOwned>(
        &self,
        call: Call,
    ) -> Result<T, ClientError> {
        self.try_once(&call, Self::understand).await.map_err(|failure| failure.error)
    }

    /// Sends a call with a token that is good, as far as is known. If the authority knows better,
    /// another token is got, once: what was rejected was not carried out.
    async fn try_once<T>(&self, call: &Call, read: Reads<T>) -> Result<T, Failure> {
        let token = self.token().await.map_err(Failure::unheard)?;
        let rejected = match self.present_reading(call, token.as_ref(), read).await {
            Err(failure) if failure.error.is_rejected_token() => failure,
            settled => return settled,
        };
        let Some(token) = token else { return Err(rejected) };
        match self.token_instead_of(&token).await.map_err(Failure::unheard)? {
            Some(other) => self.present_reading(call, Some(&other), read).await,
            None => Err(rejected),
        }
    }

    /// What is presented now.
    async fn token(&self) -> Result<Option<Secret>, ClientError> {
        match &self.presents {
            Presents::Plain(TokenSource::Given(token)) => Ok(Some(token.clone())),
            Presents::Plain(TokenSource::File(path)) => {
                token::read(path, "the access token").await.map(Some)
            }
            Presents::Plain(TokenSource::Nothing | TokenSource::Exchanged(_)) => Ok(None),
            Presents::Kept(keeper) => keeper.token(self).await.map(Some),
        }
    }

    /// What can be presented instead of a token that was rejected.
    async fn token_instead_of(&self, rejected: &Secret) -> Result<Option<Secret>, ClientError> {
        match &self.presents {
            Presents::Plain(_) => {
                let other = self.token().await?;
                Ok(other.filter(|other| other.expose() != rejected.expose()))
            }
            Presents::Kept(keeper) => keeper.instead_of(rejected, self).await.map(Some),
        }
    }

    /// Sends a call once, presenting this.
    pub(crate) async fn present<T: DeserializeOwned>(
        &self,
        call: &Call,
        token: Option<&Secret>,
    ) -> Result<T, Failure> {
        self.present_reading(call, token, Self::understand).await
    }

    async fn present_reading<T>(
        &self,
        call: &Call,
        token: Option<&Secret>,
        understand: Reads<T>,
    ) -> Result<T, Failure> {
        let url = format!("{}{}", self.base, call.path);
        let timeout = self.timeout.max(call.patience);
        let mut request =
            self.http.request(call.method.clone(), url).query(&call.query).timeout(timeout);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(proof) = &call.proof {
            request = request.header("dpop", proof);
        }
        if let Some(approval) = &call.approval {
            request = request.header("assent-approval", approval);
        }
        request = match &call.body {
            Body::None => request,
            Body::Json(json) => {
                request.header("content-type", "application/json").body(json.clone())
            }
            Body::Bytes(bytes) => {
                request.header("content-type", "application/octet-stream").body(bytes.clone())
            }
            Body::Form(form) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.clone()),
        };
        let response = request.send().await.map_err(|error| Failure {
            is_unheard: error.is_connect(),
            error: ClientError::lost(&self.server(), &error),
        })?;
        let wait = retry_after(&response);
        let nonce = response.headers().get("dpop-nonce").and_then(|nonce| nonce.to_str().ok());
        let nonce = nonce.map(str::to_owned);
        let answer = read(&self.server(), response, call.most.min(self.largest)).await;
        let (status, body) = answer.map_err(Failure::heard)?;
        if status.is_success() {
            return understand(self, status, &body).map_err(Failure::heard);
        }
        let error = self.refused(call, status, &body);
        Err(Failure::heard(ClientError { wait, nonce, ..error }))
    }

    /// Fetches something small from elsewhere, over the same kind of connection.
    pub(crate) async fn fetch<T: DeserializeOwned>(
        &self,
        url: Url,
        bearer: &Secret,
    ) -> Result<T, ClientError> {
        check_guarded(&url)?;
        let from = place(&url);
        let http = match url.scheme() {
            "https" => self.http.clone(),
            _ => unproxied_in_the_clear(reqwest::Client::builder(), &url)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(|e| ClientError::usage(format!("{from} cannot be asked: {e}")))?,
        };
        let request = http.get(url).bearer_auth(bearer.expose()).timeout(self.timeout);
        let response = request.send().await.map_err(|error| ClientError::lost(&from, &error))?;
        let wait = retry_after(&response);
        let (status, body) = read(&from, response, MAX_ANSWER).await?;
        if !status.is_success() {
            return Err(ClientError { wait, ..ClientError::answered_elsewhere(&from, status) });
        }
        // What was answered is not repeated: it may hold a secret.
        let fault = |_| ClientError::answered_elsewhere(&from, status);
        serde_json::from_slice(&body).map_err(fault)
    }

    /// What the authority is called.
    fn server(&self) -> String {
        format!("the Assent server at {}", self.base)
    }

    /// What an answer says.
    fn understand<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
    ) -> Result<T, ClientError> {
        let body = if status == StatusCode::NO_CONTENT { b"null".as_slice() } else { body };
        let fault = |e: serde_json::Error| ClientError::protocol(&self.base, &e.to_string());
        serde_json::from_slice(body).map_err(fault)
    }

    /// Why there is no answer.
    fn refused(&self, call: &Call, status: StatusCode, body: &[u8]) -> ClientError {
        if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
            if matches!(problem.code.as_str(), "no_such_path" | "no_such_method") {
                let method = call.method.as_str();
                return ClientError::unknown_call(&self.base, method, &call.path, problem);
            }
            return ClientError::answered(status.as_u16(), problem);
        }
        match serde_json::from_slice::<OauthError>(body) {
            Ok(error) => ClientError::answered_by_oauth(status.as_u16(), error),
            Err(_) => self.foreign(call, status, body),
        }
    }

    /// An error that no Assent server wrote: a proxy's, most likely.
    fn foreign(&self, call: &Call, status: StatusCode, body: &[u8]) -> ClientError {
        let is_json = serde_json::from_slice::<Value>(body).is_ok();
        let what = if is_json { "an error of another form" } else { "no JSON" };
        let mut error = ClientError::protocol(&self.base, &format!("{status} with {what}"));
        error.retryable = match status {
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => !call.opens,
            other => other == StatusCode::SERVICE_UNAVAILABLE,
        };
        error
    }
}

/// One attempt that failed.
pub(crate) struct Failure {
    /// Why.
    pub(crate) error: ClientError,
    /// Whether the authority certainly did nothing.
    is_unheard: bool,
}

impl Failure {
    fn heard(error: ClientError) -> Self {
        Self { error, is_unheard: false }
    }

    fn unheard(error: ClientError) -> Self {
        Self { error, is_unheard: true }
    }
}

/// Reads a whole answer.
async fn read(
    from: &str,
    mut response: Response,
    most: usize,
) -> Result<(StatusCode, Vec<u8>), ClientError> {
    let mut body = Vec::new();
    let lost = |error: reqwest::Error| ClientError::lost(from, &error);
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > most {
            return Err(ClientError::protocol(from, "the answer is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status(), body))
}

/// What goes to this machine in the clear goes to no proxy: it would read the token.
fn unproxied_in_the_clear(builder: reqwest::ClientBuilder, url: &Url) -> reqwest::ClientBuilder {
    if url.scheme() == "https" { builder } else { builder.no_proxy() }
}

/// Refuses what is more than where the authority is.
fn check_place(url: &Url) -> Result<(), ClientError> {
    check_guarded(url)?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        let message = "the server's URL must hold no user, password or query".to_owned();
        return Err(ClientError::usage(message));
    }
    Ok(())
}

/// Refuses what would send a token in the clear.
fn check_guarded(url: &Url) -> Result<(), ClientError> {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let message = match url.scheme() {
        "https" => return Ok(()),
        "http" if loopback => return Ok(()),
        "http" => format!("{} is not https; a token is not sent in the clear", place(url)),
        other => format!("{} begins with `{other}`; write https://…", place(url)),
    };
    Err(ClientError::usage(message))
}

/// Where a URL leads, without what else it may hold.
fn place(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// How long a server asks to be left alone (RFC 9110 section 10.2.3). A date is not understood.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// An answer that may say that there is nothing. Only the server itself says so, not a proxy.
pub(crate) fn some<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.problem.as_ref().is_some_and(|said| said.code == "not_found") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Puts one id into a path, so that no id can leave its segment.
pub(crate) fn path(template: &str, id: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let id: String = id
        .bytes()
        .map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    template.replacen("{}", &id, 1)
}

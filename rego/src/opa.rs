//! An OPA that runs elsewhere, for policies that need what the engine here lacks.
//!
//! It is asked by its data API with strict builtin errors, because by default OPA takes an error
//! for "no value" and `not` over it for true. Whatever is not a well-formed answer within the time
//! is no answer. What OPA reads besides its input, such as its clock, is its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Certificate, Client, Response, StatusCode};
use serde_json::{Map, Value, json};
use url::{Host, Url};

use crate::account::Account;
use crate::dialect::Dialect;
use crate::engine::Outcome;
use crate::opinion::failed;
use crate::pool::Answer;
use crate::question::Question;

/// The longest answer that is read.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// The longest time an OPA may be given.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(5);

/// Where an OPA is and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaSettings {
    /// The document to be asked for: `https://opa.internal/v1/data/main`. A rule for the dialects
    /// that read one, the package for those that read rules by their names.
    pub url: String,
    /// How the answer is read and the input made.
    pub dialect: Dialect,
    /// How long the whole call may take.
    pub timeout: Duration,
    /// A file with the bearer token, read for each call.
    pub token_file: Option<PathBuf>,
    /// A file of certificates in PEM, trusted instead of the usual authorities.
    pub ca_file: Option<PathBuf>,
}

/// Why an OPA cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpaError {
    /// The URL is none, or not one of the data API.
    #[error(
        "`{0}` is not an address of OPA's data API: a URL whose path begins with /v1/data, such as \
         https://opa.internal/v1/data/main, without user, query or fragment"
    )]
    Url(String),
    /// Input and token would go over the network in the clear.
    #[error("`{0}` is not https; only an OPA on this machine may be asked without")]
    Clear(String),
    /// Zero, or too long.
    #[error("the timeout must be more than 0 s and at most 5 s")]
    Timeout,
    /// The file of certificates cannot be used.
    #[error("the CA file `{path}` cannot be used: {problem}")]
    Authorities {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no TLS to be had.
    #[error("no HTTP client could be made: {0}")]
    Client(String),
}

/// An OPA that can be asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Opa {
    client: Client,
    url: Url,
    dialect: Dialect,
    timeout: Duration,
    token_file: Option<PathBuf>,
}

impl Opa {
    /// Checks the settings and reads the CA file. Asks nothing yet.
    ///
    /// # Errors
    /// [`OpaError`] with what is wrong with the settings.
    pub fn new(settings: OpaSettings) -> Result<Self, OpaError> {
        let OpaSettings { url: text, dialect, timeout, token_file, ca_file } = settings;
        let url = checked(&text)?;
        if timeout.is_zero() || timeout > MAX_TIMEOUT {
            return Err(OpaError::Timeout);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("assent/", env!("CARGO_PKG_VERSION")))
            .redirect(Redirects::none())
            // What the environment says about proxies is not what the policy's author said.
            .no_proxy()
            .connect_timeout(timeout)
            .timeout(timeout);
        if let Some(path) = ca_file {
            let problem = |problem: String| OpaError::Authorities {
                path: path.display().to_string(),
                problem,
            };
            let pem = std::fs::read(&path).map_err(|e| problem(e.to_string()))?;
            let certificates =
                Certificate::from_pem_bundle(&pem).map_err(|e| problem(e.to_string()))?;
            if certificates.is_empty() {
                return Err(problem("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|e| OpaError::Client(e.to_string()))?;
        Ok(Self { client, url, dialect, timeout, token_file })
    }

    /// Asks about a request.
    pub async fn ask(&self, question: &Question) -> Answer {
        let begun = Instant::now();
        let mut account = Account::default();
        let opinion = match self.outcomes(question).await {
            Ok(outcomes) => {
                account.outcomes = outcomes
                    .iter()
                    .map(|(name, outcome)| crate::pool::line(name, outcome))
                    .collect();
                self.dialect.opinion(&outcomes)
            }
            Err(reason) => failed(reason),
        };
        account.took = begun.elapsed();
        Answer { opinion, account }
    }

    async fn outcomes(&self, question: &Question) -> Result<BTreeMap<String, Outcome>, String> {
        let input = self.dialect.input(question)?;
        let answered = tokio::time::timeout(self.timeout, self.answered(&input)).await;
        let answer = answered.unwrap_or_else(|_| Err(self.late()))?;
        self.read(answer)
    }

    fn late(&self) -> String {
        format!("OPA gave no answer within {} ms", self.timeout.as_millis())
    }

    /// What went wrong with the call, by its innermost cause. Whether the client saw first that it
    /// is late, or we did, is all the same.
    fn lost(&self, what: &str, error: &reqwest::Error) -> String {
        if error.is_timeout() { self.late() } else { format!("{what}: {}", cause(error)) }
    }

    async fn answered(&self, input: &Value) -> Result<Map<String, Value>, String> {
        let body = json!({"input": input}).to_string();
        let mut call = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .body(body);
        if let Some(token) = self.token()? {
            call = call.header(AUTHORIZATION, token);
        }
        let response = call.send().await.map_err(|e| self.lost("OPA could not be asked", &e))?;
        self.well_formed(response).await
    }

    /// The rest of the answer, as long as it may be, if it is what OPA answers.
    async fn well_formed(&self, mut response: Response) -> Result<Map<String, Value>, String> {
        if response.status() != StatusCode::OK {
            return Err(format!("OPA answered {}", response.status()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err("what OPA answered is not application/json".to_owned());
        }
        let broken = |e: &reqwest::Error| self.lost("OPA's answer broke off", e);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| broken(&e))? {
            if bytes.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(format!("what OPA answered has more than {MAX_ANSWER_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(answer)) => Ok(answer),
            Ok(_) | Err(_) => Err("what OPA answered is not a JSON object".to_owned()),
        }
    }

    /// The bearer token, if there is one; a file that cannot be read is not the same as none.
    fn token(&self) -> Result<Option<HeaderValue>, String> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = std::fs::read_to_string(path)
            .map_err(|e| format!("the token file `{}` cannot be read: {e}", path.display()))?;
        let token = text.trim();
        let visible = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
        let header =
            visible.then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok()).flatten();
        let mut header =
            header.ok_or_else(|| format!("the token file `{}` holds no token", path.display()))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    /// The outcome of each rule that the dialect reads.
    fn read(&self, mut answer: Map<String, Value>) -> Result<BTreeMap<String, Outcome>, String> {
        if let Some(warning) = answer.get("warning") {
            return Err(format!("OPA warns: {warning}"));
        }
        let Some(result) = answer.remove("result") else {
            return Err("the document that OPA was asked for is undefined".to_owned());
        };
        if let Some(name) = self.dialect.reads_one() {
            return Ok(BTreeMap::from([(name.to_owned(), Outcome::Value(result))]));
        }
        let Value::Object(package) = result else {
            let message = "the document that OPA was asked for is not a package; the dialect \
                           reads rules by their names";
            return Err(message.to_owned());
        };
        let read: BTreeMap<String, Outcome> = package
            .into_iter()
            .filter(|(name, _)| self.dialect.reads(name))
            .map(|(name, value)| (name, Outcome::Value(value)))
            .collect();
        if read.is_empty() {
            return Err(format!(
                "the package that OPA was asked for has none of the rules that `{}` reads",
                self.dialect
            ));
        }
        Ok(read)
    }
}

/// A URL of the data API, asking for strict builtin errors.
fn checked(text: &str) -> Result<Url, OpaError> {
    let wrong = || OpaError::Url(text.to_owned());
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    if !plain || url.fragment().is_some() || !url.path().starts_with("/v1/data/") {
        return Err(wrong());
    }
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong()),
    };
    match url.scheme() {
        "https" => {}
        "http" if here => {}
        "http" => return Err(OpaError::Clear(text.to_owned())),
        _ => return Err(wrong()),
    }
    url.set_query(Some("strict-builtin-errors=true"));
    Ok(url)
}

/// The innermost cause, which says what happened.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

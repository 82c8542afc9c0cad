//! GitHub: an installation token of a GitHub App for one credential, narrowed to repositories and
//! permissions, and revoked when the credential ends.
//!
//! Only who has a token can revoke it, so it is kept, sealed, until then. That one is asked for is
//! kept before it is asked for: where the answer is lost, or is a failure of GitHub's own, nobody has
//! that token, and it is told until when it may exist. GitHub ends every token after an hour.
//!
//! What is called: GitHub REST API, *Create an installation access token for an app*, *Revoke an
//! installation access token*, *Get the authenticated app*; *Generating a JSON Web Token (JWT) for a
//! GitHub App*.

mod app;
mod settings;
mod token;

use assent_core::credential::Secret;
use assent_core::time::{Span, Timestamp};
use async_trait::async_trait;
use reqwest::{Method, Request, RequestBuilder};
use serde_json::Value;

use super::outside::{Answer, said};
use super::settings::SettingsFault;
use super::{Broker, BrokerError, Closed, Closing, Fields, Kept, KeptError, Name, Opening};
use super::{Recall, Sought};
use settings::Role;
use token::{Record, Token};

pub use settings::GithubSettings;

/// How long a token lives.
const LIFE: Span = Span::minutes(60);
/// By how much clocks may differ.
const LEEWAY: Span = Span::minutes(5);
/// The version of the API that is written for.
const VERSION: &str = "2022-11-28";

/// An installation of a GitHub App, and what may be granted of it.
#[derive(Debug)]
pub struct Github {
    target: settings::Target,
}

impl Github {
    /// Set up like this. What it says of environment variables, `variable` knows.
    ///
    /// # Errors
    /// [`SettingsFault`].
    pub fn new(
        settings: GithubSettings,
        variable: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<Self, SettingsFault> {
        Ok(Self { target: settings.settled(variable)? })
    }
}

#[async_trait]
impl Broker for Github {
    fn check(&self, sought: &Sought<'_>) -> Result<(), String> {
        self.target.roles.named(sought.role).map(drop)
    }

    fn recall(&self) -> Recall {
        Recall::Ends
    }

    async fn open(&self, opening: &Opening<'_>) -> Result<Fields, BrokerError> {
        let (name, kept, now) = (opening.name(), opening.kept(), opening.now());
        let role = self.target.roles.named(opening.role()).map_err(BrokerError::Refused)?;
        let before = record(kept, name).await?;
        if let Some(token) = before.token.as_ref().filter(|token| token.lives(now)) {
            self.revoke(&token.secret, now).await?;
        }
        let lost = |until| Record { token: None, lost_until: until };
        let may_live = now.plus(LIFE).plus(LEEWAY);
        keep(kept, name, &lost(Some(may_live))).await?;
        let answer = self.ask(role, now).await?;
        match answer.status {
            201 => {}
            // It was not taken, so nothing was made.
            400..=499 => {
                keep(kept, name, &lost(before.lost_until)).await?;
                return Err(refusal("no token was made", &answer));
            }
            // Whoever fails, or answers otherwise, may have made one before.
            _ => return Err(refusal("whether a token was made is not known", &answer)),
        }
        let token = match Token::of(&answer, role, now, may_live) {
            Ok(token) => token,
            Err(Unfit { problem, token }) => {
                if let Some(token) = token {
                    self.revoke(&token, now).await?;
                    keep(kept, name, &lost(before.lost_until)).await?;
                }
                let problem = format!("GitHub answered what was not asked for: {problem}");
                return Err(BrokerError::Refused(problem));
            }
        };
        let record = Record { token: Some(token.clone()), lost_until: before.lost_until };
        if let Err(problem) = keep(kept, name, &record).await {
            self.revoke(&token.secret, now).await?;
            return Err(problem);
        }
        Ok(self.fields(token, opening.until()))
    }

    async fn close(&self, closing: &Closing<'_>) -> Result<Closed, BrokerError> {
        let (name, kept, now) = (closing.name(), closing.kept(), closing.now());
        let mut record = match kept.get(name).await {
            Ok(None) => return Ok(Closed::Gone),
            Ok(Some(bytes)) => Record::read(&bytes).map_err(BrokerError::Refused)?,
            // Nobody can revoke it any more, and by now nobody needs to.
            Err(KeptError::Sealed { until, .. }) if now >= until => Record::default(),
            Err(problem) => return Err(unkept(&problem)),
        };
        if let Some(token) = record.token.take().filter(|token| token.lives(now)) {
            self.revoke(&token.secret, now).await?;
        }
        match record.lost_until.filter(|until| now < *until) {
            Some(until) => {
                keep(kept, name, &record).await?;
                Ok(Closed::Outlives(until))
            }
            None => {
                kept.remove(name).await.map_err(|problem| unkept(&problem))?;
                Ok(Closed::Gone)
            }
        }
    }
}

impl Github {
    /// Asks for a token of this role.
    async fn ask(&self, role: &Role, now: Timestamp) -> Result<Answer, BrokerError> {
        let path = format!("app/installations/{}/access_tokens", self.target.installation);
        let request = self.request(Method::POST, &path).json(&role.asked());
        self.send_as_app(request, now).await
    }

    /// Ends a token. Whoever says that it is not good any more is believed if it knows us.
    async fn revoke(&self, token: &Secret, now: Timestamp) -> Result<(), BrokerError> {
        let request = self.request(Method::DELETE, "installation/token");
        let request = built(request.bearer_auth(token.expose()))?;
        let answer = self.target.outside.send(request).await?;
        match answer.status {
            204 => Ok(()),
            401 => {
                let known = self.send_as_app(self.request(Method::GET, "app"), now).await?;
                match known.status {
                    200 => Ok(()),
                    _ => Err(refusal("it is not known whether a token was revoked", &known)),
                }
            }
            _ => Err(refusal("a token was not revoked", &answer)),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let client = self.target.outside.client();
        let request = client.request(method, format!("{}/{path}", self.target.api));
        request
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", VERSION)
    }

    /// Sends it as the app itself.
    async fn send_as_app(
        &self,
        request: RequestBuilder,
        now: Timestamp,
    ) -> Result<Answer, BrokerError> {
        let proof = self.target.app.proof(now).map_err(BrokerError::Away)?;
        self.target.outside.send(built(request.bearer_auth(proof.expose()))?).await
    }

    /// What a caller is told. The credential's end is the token's, unless that is sooner.
    fn fields(&self, token: Token, until: Timestamp) -> Fields {
        let Token { secret, expires_at } = token;
        Fields::from([
            ("token", secret),
            ("host", Secret::new(self.target.host.clone())),
            ("api_url", Secret::new(self.target.api.clone())),
            ("installation", Secret::new(self.target.installation.to_string())),
            ("expires_at", Secret::new(expires_at.min(until).to_string())),
        ])
    }
}

/// What was not asked for. It is to be revoked where it can be.
struct Unfit {
    problem: &'static str,
    token: Option<Secret>,
}

impl Token {
    /// What was made, if it is what was asked for.
    fn of(answer: &Answer, role: &Role, now: Timestamp, latest: Timestamp) -> Result<Self, Unfit> {
        let none = |problem| Unfit { problem, token: None };
        let body = assent_core::canonical::parse(&answer.body);
        let body = body.map_err(|_| none("what is not strict JSON"))?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let secret = text("token").and_then(token::word).ok_or_else(|| none("no token"))?;
        let fit = || {
            let expires_at = text("expires_at").and_then(|text| text.parse::<Timestamp>().ok());
            let expires_at = expires_at.ok_or("a token without an end")?;
            if expires_at <= now || expires_at > latest {
                return Err("a token that is over or lasts longer than an hour");
            }
            role.is_what_was_asked(&body).map(|()| expires_at)
        };
        match fit() {
            Ok(expires_at) => Ok(Self { secret, expires_at }),
            Err(problem) => Err(Unfit { problem, token: Some(secret) }),
        }
    }
}

fn built(request: RequestBuilder) -> Result<Request, BrokerError> {
    request.build().map_err(|_| BrokerError::Refused("no request can be made of it".to_owned()))
}

/// What GitHub said instead. What it is overwhelmed by says nothing of what was asked.
fn refusal(what: &str, answer: &Answer) -> BrokerError {
    let body = assent_core::canonical::parse(&answer.body).unwrap_or_default();
    let message = body.get("message").and_then(Value::as_str).unwrap_or("no reason");
    let status = answer.status;
    let text = format!("{what}: {} ({status})", said(message));
    if status == 429 || status >= 500 {
        BrokerError::Away(text)
    } else {
        BrokerError::Refused(text)
    }
}

async fn record(kept: &Kept, name: &Name) -> Result<Record, BrokerError> {
    match kept.get(name).await.map_err(|problem| unkept(&problem))? {
        Some(bytes) => Record::read(&bytes).map_err(BrokerError::Refused),
        None => Ok(Record::default()),
    }
}

/// Nothing to remember is remembered by nothing.
async fn keep(kept: &Kept, name: &Name, record: &Record) -> Result<(), BrokerError> {
    let done = match record.matters_until() {
        Some(until) => kept.put(name, until, &record.written()).await,
        None => kept.remove(name).await,
    };
    done.map_err(|problem| unkept(&problem))
}

fn unkept(problem: &KeptError) -> BrokerError {
    BrokerError::Refused(problem.to_string())
}

//! A workload's own token, which an issuer gives it and the authority exchanges.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{presentable, read};
use crate::transport::Transport;
use crate::{ClientError, ErrorKind, Secret};

/// The longest text of a foreign token that is told to a person.
const LONGEST_TOLD: usize = 200;

/// Who a workload is, by an issuer's account.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What it is called when something is wrong with it: `the identity token of GitHub Actions`.
    pub name: String,
    /// Where it comes from.
    pub source: IdentitySource,
    /// Whom the token must be made for. An endpoint is asked for exactly that, and without it for
    /// the authority's URL; a token that was made beforehand is held against the same.
    pub audience: Option<String>,
}

/// Where a workload's own token comes from.
#[derive(Clone, Debug)]
pub enum IdentitySource {
    /// It was handed over at the start. There is no other one.
    Given(Secret),
    /// It stands in this file, which somebody renews.
    File(PathBuf),
    /// It is asked of an endpoint, as in a job of GitHub Actions: each time a new one.
    Endpoint {
        /// Where; the audience is added to its query.
        url: Url,
        /// What is presented there.
        bearer: Secret,
    },
}

impl Identity {
    /// The token, as it is now.
    pub(crate) async fn token(&self, transport: &Transport) -> Result<Secret, ClientError> {
        let token = match &self.source {
            IdentitySource::Given(token) => presentable(token.expose())
                .ok_or_else(|| self.fault("it is not one token and nothing else"))?,
            IdentitySource::File(path) => read(path, &self.name).await?,
            IdentitySource::Endpoint { url, bearer } => {
                return self.ask(transport, url, bearer).await;
            }
        };
        self.check_audience(&token, transport.base())?;
        Ok(token)
    }

    /// Whether each token is made when it is asked for.
    pub(crate) fn is_made_anew(&self) -> bool {
        matches!(self.source, IdentitySource::Endpoint { .. })
    }

    /// Asks an endpoint for a token that is made for this authority.
    async fn ask(
        &self,
        transport: &Transport,
        url: &Url,
        bearer: &Secret,
    ) -> Result<Secret, ClientError> {
        let audience = self.audience.as_deref().unwrap_or(transport.base());
        let mut url = url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let given: Given = transport.fetch(url, bearer).await.map_err(|error| {
            let is_refused = error.kind == ErrorKind::Unauthorized;
            let advice =
                if is_refused { "; does the job have `permissions: id-token: write`?" } else { "" };
            let message = format!("{} cannot be had: {}{advice}", self.name, error.message);
            ClientError { message, kind: ErrorKind::NoToken, ..error }
        })?;
        presentable(&given.value).ok_or_else(|| self.fault("the endpoint gave no token"))
    }

    /// That the authority did not accept a token of this identity.
    pub(crate) fn refused(&self, token: &Secret, error: ClientError) -> ClientError {
        let made = Claims::of(token).map(|claims| format!(" ({claims})")).unwrap_or_default();
        let message = format!("{}{made} was not accepted: {}", self.name, error.message);
        ClientError { message, ..error }
    }

    /// Says before the authority does, and more clearly, that a token is for somebody else: it would
    /// be good there, so it is not sent here. A token that cannot be read is the authority's to judge.
    fn check_audience(&self, token: &Secret, base: &str) -> Result<(), ClientError> {
        let Some(claims) = Claims::of(token) else { return Ok(()) };
        let audience = self.audience.as_deref().unwrap_or(base);
        if claims.audiences.iter().any(|one| one == audience) {
            return Ok(());
        }
        let advice = match self.audience {
            Some(_) => "",
            None => " unless another one is named: that of the trust",
        };
        Err(self.fault(&format!("it is {claims}, but the audience must be `{audience}`{advice}")))
    }

    fn fault(&self, problem: &str) -> ClientError {
        ClientError::no_token(format!("{} cannot be used: {problem}", self.name))
    }
}

/// What an endpoint answers.
#[derive(Deserialize)]
struct Given {
    value: String,
}

/// What a token says of itself, unverified: for messages, never for a decision.
struct Claims {
    issuer: String,
    audiences: Vec<String>,
}

impl Claims {
    fn of(token: &Secret) -> Option<Self> {
        let payload = token.expose().split('.').nth(1)?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let audiences = match claims.get("aud")? {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => {
                many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
        };
        let issuer = claims.get("iss")?.as_str()?.to_owned();
        Some(Self { issuer, audiences })
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audiences = self.audiences.join("`, `");
        write!(f, "of issuer `{}` for audience `{}`", told(&self.issuer), told(&audiences))
    }
}

/// A foreign text as it can be told: short, and on one line.
fn told(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &Value) -> Secret {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!("{}.{}.{}", part("{}"), part(&claims.to_string()), part("hunter2")))
    }

    /// The authority.
    const BASE: &str = "https://assent.example.com";

    fn identity(audience: &str) -> Identity {
        Identity {
            name: "the identity token of HCP Terraform".to_owned(),
            source: IdentitySource::Given(Secret::new(String::new())),
            audience: Some(audience.to_owned()),
        }
    }

    #[test]
    fn a_token_for_somebody_else_is_told_before_it_is_sent() {
        let iss = "https://app.terraform.io";
        for aud in [serde_json::json!("vault"), serde_json::json!(["vault", "aws"])] {
            let token = token(&serde_json::json!({"iss": iss, "aud": aud, "sub": "hunter2"}));
            let error = identity(BASE).check_audience(&token, BASE).unwrap_err();
            assert!(error.message.contains(iss) && error.message.contains("vault"), "{error}");
            assert!(error.message.contains("must be `https://assent.example.com`"), "{error}");
            assert!(!error.message.contains("hunter2"), "{error}");
            identity("vault").check_audience(&token, BASE).unwrap();
            let found = Identity { audience: None, ..identity(BASE) };
            let error = found.check_audience(&token, BASE).unwrap_err();
            assert!(error.message.contains("unless another one is named"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_authority() {
        let odd = token(&serde_json::json!({"aud": 7}));
        for text in ["opaque", "a.b.c", "..", odd.expose()] {
            identity("x").check_audience(&Secret::new(text.to_owned()), BASE).unwrap();
        }
    }

    #[test]
    fn a_foreign_text_stays_on_its_line() {
        let text = format!("a\nb\u{1b}[31m{}", "c".repeat(1000));
        assert_eq!(told(&text).chars().count(), LONGEST_TOLD);
        assert!(told(&text).starts_with("ab[31mc"));
    }
}

//! GitHub's OAuth: who somebody is there, by the number that an account keeps, and whether they are in
//! an organization whose people come in. The token is forgotten as soon as both are known.

use std::collections::BTreeSet;

use assent_core::credential::Secret;
use assent_core::principal::PrincipalId;
use assent_core::sign_in::{Identity, IdentityError, shown};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use super::oidc::{Demands, Sent};
use super::outside::{ask, away, refusal, secret};
use super::{Arrived, ProviderError};
use crate::github::Place;
use crate::issuers::Issuers;

/// GitHub as it is set up.
#[derive(Clone, Debug)]
pub struct Github {
    pub(super) place: Place,
    pub(super) client: String,
    pub(super) secret: Secret,
    pub(super) comes_in: ComesIn,
}

/// Whose people come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ComesIn {
    /// Whoever has an account. The settings say so in words.
    Anyone,
    /// The members of any of these organizations.
    MembersOf(BTreeSet<String>),
}

impl Github {
    /// Of whose accounts it speaks.
    pub fn issuer(&self) -> &str {
        &self.place.url
    }

    /// Whether whoever has an account comes in.
    pub(super) fn takes_anyone(&self) -> bool {
        matches!(self.comes_in, ComesIn::Anyone)
    }

    /// Where the browser is sent (GitHub, *Authorizing OAuth apps*).
    ///
    /// # Errors
    /// [`ProviderError::Away`] where that is no address.
    pub fn begin(
        &self,
        sent: Sent<'_>,
        challenge: &str,
        demands: &Demands,
    ) -> Result<String, ProviderError> {
        let mut url = self.page("authorize")?;
        let scope = match self.comes_in {
            ComesIn::Anyone => "",
            ComesIn::MembersOf(_) => "read:org",
        };
        url.query_pairs_mut()
            .append_pair("client_id", &self.client)
            .append_pair("redirect_uri", sent.redirect)
            .append_pair("scope", scope)
            .append_pair("state", sent.state)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        if demands.again {
            url.query_pairs_mut().append_pair("prompt", "select_account");
        }
        Ok(url.into())
    }

    /// Whom this code stands for. GitHub says of nobody when they proved who they are.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn arrive(
        &self,
        issuers: &Issuers,
        code: &str,
        sent: Sent<'_>,
    ) -> Result<Arrived, ProviderError> {
        let (url, client) = issuers.way_to(self.page("access_token")?.as_str()).map_err(away)?;
        let form = [
            ("client_id", self.client.as_str()),
            ("client_secret", self.secret.expose()),
            ("code", code),
            ("redirect_uri", sent.redirect),
            ("code_verifier", sent.verifier),
        ];
        let (status, answer) = ask(client.post(url).form(&form)).await?;
        if let Some(refused) = refusal(status, &answer) {
            return Err(refused);
        }
        let token = secret(&answer, "access_token").ok_or_else(|| away("it gave no token"))?;
        let (status, user) = self.asked(issuers, "user", &token).await?;
        if status != StatusCode::OK {
            return Err(away(format!("it answered {status} when asked who that is")));
        }
        let number = user.get("id").and_then(Value::as_u64).filter(|number| *number > 0);
        let number = number.ok_or(IdentityError::Subject)?.to_string();
        let id = PrincipalId::new(self.issuer(), &number).map_err(|_| IdentityError::Subject)?;
        self.check_member(issuers, &token).await?;
        let (acr, amr, sid) = Default::default();
        Ok(Arrived {
            identity: Identity { id, at: None, acr, amr, sid },
            name: shown(&user, "name").or_else(|| shown(&user, "login")),
            email: None,
            groups: BTreeSet::new(),
            refresh: None,
            word: None,
        })
    }

    /// Whether the account is an active member of one of the organizations (*Get an organization
    /// membership for the authenticated user*).
    async fn check_member(&self, issuers: &Issuers, token: &Secret) -> Result<(), ProviderError> {
        let organizations = match &self.comes_in {
            ComesIn::Anyone => return Ok(()),
            ComesIn::MembersOf(organizations) => organizations,
        };
        for organization in organizations {
            let path = format!("user/memberships/orgs/{organization}");
            let (status, answer) = self.asked(issuers, &path, token).await?;
            match status {
                StatusCode::OK if answer.get("state").is_some_and(|state| state == "active") => {
                    return Ok(());
                }
                StatusCode::OK | StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => {}
                _ => {
                    return Err(away(format!(
                        "it answered {status} when asked for {organization}"
                    )));
                }
            }
        }
        Err(ProviderError::Outsider)
    }

    async fn asked(
        &self,
        issuers: &Issuers,
        path: &str,
        token: &Secret,
    ) -> Result<(StatusCode, Map<String, Value>), ProviderError> {
        let api = self.place.api.as_str().trim_end_matches('/');
        let (url, client): (Url, Client) =
            issuers.way_to(&format!("{api}/{path}")).map_err(away)?;
        let call: RequestBuilder = client.get(url).bearer_auth(token.expose());
        ask(call.header("x-github-api-version", "2022-11-28")).await
    }

    fn page(&self, name: &str) -> Result<Url, ProviderError> {
        let url = format!("{}/login/oauth/{name}", self.place.url);
        Url::parse(&url).map_err(away)
    }
}

//! A provider of OpenID Connect: the code flow with PKCE, userinfo, and asking again.

use std::collections::BTreeSet;
use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::principal::PrincipalId;
use assent_core::sign_in::{
    Expected, Identity, IdentityError, Logout, LogoutError, groups_of, shown, verified_email,
};
use assent_core::time::{Span, Timestamp};
use assent_core::token::{PublicKeys, TokenError, UnverifiedToken, VerifiedEvent, VerifiedToken};
use assent_core::trust::KeySource;
use reqwest::RequestBuilder;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::outside::{ask, away, refusal, secret};
use super::{Arrived, ProviderError, Word};
use crate::issuers::Issuers;

/// A provider as it is set up.
#[derive(Clone, Debug)]
pub struct Oidc {
    pub(super) issuer: String,
    pub(super) client: String,
    pub(super) secret: Secret,
    pub(super) auth: ClientAuth,
    pub(super) scopes: Vec<String>,
    pub(super) groups: Option<Groups>,
}

/// How we prove ourselves at the token endpoint (OpenID Connect Core 1.0 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuth {
    Basic,
    Post,
}

/// Where groups stand, and of which the provider is believed.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    pub(super) claim: String,
    pub(super) of: BTreeSet<String>,
}

/// What is wanted of a sign-in beyond that there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// That it is a fresh one.
    pub again: bool,
    /// Any of these classes.
    pub acr: Vec<String>,
    /// Whose it must be, to spare them typing it.
    pub hint: Option<String>,
}

/// What one ceremony sends along, to be found again.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Where the provider sends the browser back.
    pub redirect: &'a str,
    /// By what the answer is known as that of this ceremony.
    pub state: &'a str,
    /// By what the identity token is.
    pub nonce: &'a str,
    /// The secret of which only the hash was sent (RFC 7636).
    pub verifier: &'a str,
}

impl Oidc {
    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The groups of which it is believed.
    pub fn groups(&self) -> Option<&BTreeSet<String>> {
        self.groups.as_ref().map(|groups| &groups.of)
    }

    /// Where the browser is sent (OpenID Connect Core 1.0 section 3.1.2.1).
    ///
    /// # Errors
    /// [`ProviderError::Away`].
    pub async fn begin(
        &self,
        issuers: &Issuers,
        sent: Sent<'_>,
        challenge: &str,
        demands: &Demands,
        now: Timestamp,
    ) -> Result<String, ProviderError> {
        let metadata = issuers.metadata(&self.issuer, now).await.map_err(away)?;
        let at = text(&metadata, "authorization_endpoint")?;
        // The browser goes there; what no secret may be sent to, nobody is sent to.
        let (mut url, _) = issuers.way_to(at).map_err(away)?;
        let scopes = self.scopes.join(" ");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client)
            .append_pair("redirect_uri", sent.redirect)
            .append_pair("scope", &scopes)
            .append_pair("state", sent.state)
            .append_pair("nonce", sent.nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        // `max_age` makes the provider say when they proved who they are.
        let age = if demands.again { "0" } else { "28800" };
        url.query_pairs_mut().append_pair("max_age", age);
        if demands.again {
            url.query_pairs_mut().append_pair("prompt", "login");
        } else if self.scopes.iter().any(|scope| scope == "offline_access") {
            url.query_pairs_mut().append_pair("prompt", "consent");
        }
        if !demands.acr.is_empty() {
            url.query_pairs_mut().append_pair("acr_values", &demands.acr.join(" "));
        }
        if let Some(hint) = &demands.hint {
            url.query_pairs_mut().append_pair("login_hint", hint);
        }
        Ok(url.into())
    }

    /// Whether an answer of the provider names itself as it must (RFC 9207 section 2.4).
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn check_issuer(
        &self,
        issuers: &Issuers,
        said: Option<&str>,
        now: Timestamp,
    ) -> Result<(), ProviderError> {
        let metadata = issuers.metadata(&self.issuer, now).await.map_err(away)?;
        let supported = metadata.get("authorization_response_iss_parameter_supported");
        match said {
            Some(said) if said == self.issuer => Ok(()),
            None if supported != Some(&Value::Bool(true)) => Ok(()),
            Some(_) | None => {
                Err(ProviderError::Refused("the answer is another provider's".to_owned()))
            }
        }
    }

    /// Whom this code stands for (OpenID Connect Core 1.0 section 3.1.3).
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn arrive(
        &self,
        issuers: &Issuers,
        code: &str,
        sent: Sent<'_>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Arrived, ProviderError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", sent.redirect),
            ("code_verifier", sent.verifier),
        ];
        let tokens = self.tokens(issuers, &form, now).await?;
        let id_token = tokens.id_token.as_ref().ok_or_else(|| away("it gave no identity token"))?;
        let (token, keys) = self.verified(issuers, id_token, now).await?;
        let (issuer, client, nonce) = (self.issuer(), self.client.as_str(), sent.nonce);
        let access_token = tokens.access_token.expose();
        let expected = Expected { issuer, client, nonce, access_token, since };
        let identity = Identity::of_code_flow(&token, expected, now)?;
        let claims = token.all_claims();
        let info = match claims_groups(claims, self.groups.as_ref()) {
            Some(_) => None,
            None => Some(self.userinfo(issuers, &tokens, &identity.id, now).await?),
        };
        let info = info.as_ref();
        let look = |name| shown(claims, name).or_else(|| shown(info?, name));
        Ok(Arrived {
            name: look("name").or_else(|| look("preferred_username")),
            email: verified_email(claims).or_else(|| verified_email(info?)),
            groups: self.groups_in(claims, info),
            word: Some(Word { token: id_token.clone(), keys, client: self.client.clone() }),
            refresh: tokens.refresh,
            identity,
        })
    }

    /// The groups of somebody as they are now, [`ProviderError::Refused`] where the provider does not know
    /// them any more; and with what to ask the next time, where it gave that, whatever else it said.
    pub async fn refresh(
        &self,
        issuers: &Issuers,
        who: &PrincipalId,
        refresh: &Secret,
        now: Timestamp,
    ) -> (Result<BTreeSet<String>, ProviderError>, Option<Secret>) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        match self.tokens(issuers, &form, now).await {
            Ok(tokens) => (self.groups_now(issuers, who, &tokens, now).await, tokens.refresh),
            Err(error) => (Err(error), None),
        }
    }

    async fn groups_now(
        &self,
        issuers: &Issuers,
        who: &PrincipalId,
        tokens: &Tokens,
        now: Timestamp,
    ) -> Result<BTreeSet<String>, ProviderError> {
        let claims = match &tokens.id_token {
            Some(id_token) => {
                let (token, _) = self.verified(issuers, id_token, now).await?;
                Identity::of_refresh(&token, who, &self.client, now)?;
                token.all_claims().clone()
            }
            None => Map::new(),
        };
        let info = match claims_groups(&claims, self.groups.as_ref()) {
            Some(_) => None,
            None => Some(self.userinfo(issuers, tokens, who, now).await?),
        };
        Ok(self.groups_in(&claims, info.as_ref()))
    }

    /// Whose sessions this logout token ends, and by what it is known again.
    ///
    /// # Errors
    /// Why it is not believed.
    pub async fn logout(
        &self,
        issuers: &Issuers,
        token: &str,
        now: Timestamp,
    ) -> Result<(Logout, VerifiedEvent), LogoutProblem> {
        let unverified = UnverifiedToken::read_logout_token(token)?;
        if unverified.unverified_issuer() != self.issuer {
            return Err(LogoutError::Issuer.into());
        }
        let keys = self.keys(issuers, unverified.unverified_key_id(), now).await?;
        let event = unverified.verify_logout_token(&keys, now)?;
        Ok((Logout::of(&event, &self.issuer, &self.client)?, event))
    }

    fn groups_in(
        &self,
        claims: &Map<String, Value>,
        info: Option<&Map<String, Value>>,
    ) -> BTreeSet<String> {
        let Some(groups) = &self.groups else { return BTreeSet::new() };
        let claim = claims.get(&groups.claim).or_else(|| info?.get(&groups.claim));
        groups_of(claim, &groups.of)
    }

    async fn tokens(
        &self,
        issuers: &Issuers,
        form: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Tokens, ProviderError> {
        let metadata = issuers.metadata(&self.issuer, now).await.map_err(away)?;
        let at = text(&metadata, "token_endpoint")?;
        let (url, client) = issuers.way_to(at).map_err(away)?;
        let (status, answer) = ask(self.proven(client.post(url), form)).await?;
        if let Some(refused) = refusal(status, &answer) {
            return Err(refused);
        }
        let is_bearer = |kind: &str| kind.eq_ignore_ascii_case("bearer");
        if !answer.get("token_type").and_then(Value::as_str).is_some_and(is_bearer) {
            return Err(away("it gave no bearer token"));
        }
        let access_token = secret(&answer, "access_token");
        Ok(Tokens {
            access_token: access_token.ok_or_else(|| away("it gave no access token"))?,
            id_token: secret(&answer, "id_token"),
            refresh: secret(&answer, "refresh_token"),
        })
    }

    fn proven(&self, call: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
        // RFC 6749 section 2.3.1: both parts are encoded as a form's before they are joined.
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        match self.auth {
            ClientAuth::Basic => {
                let (name, secret) = (encoded(&self.client), encoded(self.secret.expose()));
                call.basic_auth(name, Some(secret)).form(form)
            }
            ClientAuth::Post => {
                let ours =
                    [("client_id", self.client.as_str()), ("client_secret", self.secret.expose())];
                let form: Vec<_> = form.iter().copied().chain(ours).collect();
                call.form(&form)
            }
        }
    }

    async fn userinfo(
        &self,
        issuers: &Issuers,
        tokens: &Tokens,
        who: &PrincipalId,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ProviderError> {
        let metadata = issuers.metadata(&self.issuer, now).await.map_err(away)?;
        let Some(at) = metadata.get("userinfo_endpoint").and_then(Value::as_str) else {
            return Ok(Map::new());
        };
        let (url, client) = issuers.way_to(at).map_err(away)?;
        let call = client.get(url).bearer_auth(tokens.access_token.expose());
        let (status, answer) = ask(call).await?;
        if let Some(refused) = refusal(status, &answer) {
            return Err(refused);
        }
        // OpenID Connect Core 1.0 section 5.3.2.
        match answer.get("sub").and_then(Value::as_str) == Some(who.sub()) {
            true => Ok(answer),
            false => Err(IdentityError::Subject.into()),
        }
    }

    async fn verified(
        &self,
        issuers: &Issuers,
        token: &Secret,
        now: Timestamp,
    ) -> Result<(VerifiedToken, Arc<PublicKeys>), ProviderError> {
        let doubt = |error: TokenError| ProviderError::Identity(error.into());
        let unverified = UnverifiedToken::read(token.expose()).map_err(doubt)?;
        let keys = self.keys(issuers, unverified.unverified_key_id(), now).await?;
        Ok((unverified.verify(&keys, now).map_err(doubt)?, keys))
    }

    async fn keys(
        &self,
        issuers: &Issuers,
        key_id: &str,
        now: Timestamp,
    ) -> Result<Arc<PublicKeys>, ProviderError> {
        let metadata = issuers.metadata(&self.issuer, now).await.map_err(away)?;
        let source = KeySource::At(text(&metadata, "jwks_uri")?.to_owned());
        issuers.keys_of(&self.issuer, &source, key_id, now).await.map_err(away)
    }
}

/// Why a logout token ends nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error it holds")]
pub enum LogoutProblem {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Logout(#[from] LogoutError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// What a token endpoint gave.
#[derive(Debug)]
struct Tokens {
    access_token: Secret,
    id_token: Option<Secret>,
    refresh: Option<Secret>,
}

fn text<'a>(metadata: &'a Value, name: &str) -> Result<&'a str, ProviderError> {
    let said = metadata.get(name).and_then(Value::as_str);
    said.filter(|said| Url::parse(said).is_ok())
        .ok_or_else(|| away(format!("its metadata has no `{name}`")))
}

/// Whether the identity token says all of the groups that it is asked for; `Some` where nothing else
/// has to be asked.
fn claims_groups(claims: &Map<String, Value>, groups: Option<&Groups>) -> Option<()> {
    match groups {
        None => Some(()),
        Some(groups) => claims.contains_key(&groups.claim).then_some(()),
    }
}

/// For how long after a sign-in at the provider the tokens of somebody go on.
pub const SIGN_IN_LASTS: Span = Span::hours(30 * 24);
/// The same where their provider cannot be asked whether they are still there: it gave no refresh token.
pub const UNASKED_LASTS: Span = Span::hours(24);

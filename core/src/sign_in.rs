//! Signing in: which identity token is believed, what is on record of a sign-in, and what a logout
//! token ends.
//!
//! Nothing here fetches or redirects. What a provider says has a signature that was checked before
//! ([`crate::token`]); here it is held against what was asked: the same client, the same ceremony, as
//! lately as was wanted. A person is issuer and subject; names and addresses never decide anything.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::membership::{Membership, is_name_character};
use crate::principal::{PrincipalId, is_visible};
use crate::time::{Span, Timestamp};
use crate::token::{TokenError, Typ, VerifiedEvent, VerifiedToken};

/// The difference of clocks that is overlooked.
const LEEWAY: Span = Span::seconds(60);
/// For how long after its issue an identity token opens a session: a ceremony is over soon.
const TAKEN_FOR: Span = Span::minutes(10);
/// The most methods that are read of one sign-in.
const MOST_METHODS: usize = 16;
/// The most groups that are read of one person.
const MOST_GROUPS: usize = 2_000;
/// The event of a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How and when somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Where, by the name that the settings give it.
    pub provider: String,
    /// When they proved who they are, as the provider says; `None` where it does not say. A session of
    /// the provider's may be older than ours.
    pub at: Option<Timestamp>,
    /// The class of that (`acr`), in the provider's words.
    pub acr: Option<String>,
    /// The methods of that (`amr`, RFC 8176).
    pub amr: BTreeSet<String>,
    /// The provider's session, which it may end.
    pub sid: Option<String>,
}

impl Login {
    /// As entries of the audit log tell of it.
    pub fn to_json(&self) -> Value {
        json!({
            "provider": self.provider,
            "at": self.at.map(|at| at.to_string()),
            "acr": self.acr,
            "amr": self.amr,
        })
    }
}

/// What a token of a person's own is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// To look.
    Read,
    /// To ask: to file, wait, spend and end what one has asked for; and to look.
    Request,
    /// To review; and to look.
    Review,
    /// Everything that its person may do, save administering.
    AllOfMine,
}

impl Scope {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Read, Self::Request, Self::Review, Self::AllOfMine];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Review => "review",
            Self::AllOfMine => "all-of-mine",
        }
    }

    /// Whether it is enough where this is needed.
    pub fn suffices(self, needed: Self) -> bool {
        needed == Self::Read || self == Self::AllOfMine || self == needed
    }
}

/// The text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read, request, review or all-of-mine")]
pub struct NotAScope;

impl std::str::FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        Self::ALL.into_iter().find(|scope| scope.word() == text).ok_or(NotAScope)
    }
}

/// What one ceremony expects of the identity token that ends it.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// Us, as the provider knows us.
    pub client: &'a str,
    /// What was sent along, to be found in the token again.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: &'a str,
    /// Since when at the earliest they must have proved who they are, where that is asked.
    pub since: Option<Timestamp>,
}

/// Who signed in, as an identity token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub id: PrincipalId,
    /// When they proved that, where the token says.
    pub at: Option<Timestamp>,
    /// Its class.
    pub acr: Option<String>,
    /// Its methods.
    pub amr: BTreeSet<String>,
    /// The provider's session.
    pub sid: Option<String>,
}

/// Why an identity token opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not believed at all.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Of another kind.
    #[error("it is no identity token")]
    Kind,
    /// Somebody else's.
    #[error("it is of the issuer `{0}`")]
    Issuer(String),
    /// For others, or for others too (OpenID Connect Core 1.0 section 3.1.3.7).
    #[error("it is not for this client alone")]
    Audience,
    /// Issued to another (`azp`).
    #[error("it was issued to another client")]
    Party,
    /// Of another ceremony.
    #[error("it is of another sign-in: its nonce differs")]
    Nonce,
    /// It came with another access token (`at_hash`).
    #[error("it belongs to another access token")]
    AccessToken,
    /// Issued too long ago.
    #[error("it was issued too long ago")]
    Old,
    /// The provider let them pass without proving again who they are.
    #[error("the provider did not ask to sign in again")]
    NotAgain,
    /// Its subject can name nobody.
    #[error("its subject can name nobody")]
    Subject,
}

impl Identity {
    /// Takes an identity token of the code flow for what it says, if it is the one that was expected.
    ///
    /// # Errors
    /// [`IdentityError`]: on any doubt (OpenID Connect Core 1.0 sections 2 and 3.1.3.7).
    pub fn of_code_flow(
        token: &VerifiedToken,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let identity = Self::of(token, (expected.issuer, expected.client), now)?;
        if token.claim("nonce") != Some(expected.nonce) {
            return Err(IdentityError::Nonce);
        }
        check_access_token(token, expected.access_token)?;
        let issued_at = token.moment("iat")?.ok_or(TokenError::Claim("iat"))?;
        if now >= issued_at.plus(TAKEN_FOR) {
            return Err(IdentityError::Old);
        }
        match (expected.since, identity.at) {
            (Some(since), Some(at)) if at.plus(LEEWAY) < since => Err(IdentityError::NotAgain),
            (Some(_), None) => Err(IdentityError::NotAgain),
            (Some(_) | None, _) => Ok(identity),
        }
    }

    /// Takes an identity token that came when a session was refreshed, if it is of the same person
    /// (OpenID Connect Core 1.0 section 12.2).
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn of_refresh(
        token: &VerifiedToken,
        who: &PrincipalId,
        client: &str,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let identity = Self::of(token, (who.iss(), client), now)?;
        if identity.id == *who { Ok(identity) } else { Err(IdentityError::Subject) }
    }

    fn of(
        token: &VerifiedToken,
        (issuer, client): (&str, &str),
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        if token.typ() != Typ::Jwt || token.all_claims().contains_key("events") {
            return Err(IdentityError::Kind);
        }
        if token.issuer() != issuer {
            return Err(IdentityError::Issuer(token.issuer().to_owned()));
        }
        if !token.audiences().iter().eq([client]) {
            return Err(IdentityError::Audience);
        }
        if token.all_claims().get("azp").is_some_and(|party| *party != client) {
            return Err(IdentityError::Party);
        }
        let id = PrincipalId::new(issuer, token.subject()).map_err(|_| IdentityError::Subject)?;
        let at = token.moment("auth_time")?;
        if at.is_some_and(|at| at > now.plus(LEEWAY)) {
            return Err(TokenError::TooEarly(at.unwrap_or(now)).into());
        }
        let short = |text: &&str| (1..=255).contains(&text.len()) && text.chars().all(is_visible);
        let text = |name| token.claim(name).filter(short).map(str::to_owned);
        let amr = token.claims("amr").unwrap_or_default().into_iter().filter(short);
        Ok(Self {
            id,
            at,
            acr: text("acr"),
            amr: amr.take(MOST_METHODS).map(str::to_owned).collect(),
            sid: text("sid"),
        })
    }
}

/// The left half of the hash of an access token (OpenID Connect Core 1.0 section 3.1.3.6), where the
/// identity token has it.
fn check_access_token(token: &VerifiedToken, access_token: &str) -> Result<(), IdentityError> {
    let Some(said) = token.all_claims().get("at_hash") else { return Ok(()) };
    let algorithm = match token.algorithm() {
        "ES384" => &SHA384,
        "EdDSA" | "Ed25519" => &SHA512,
        _ => &SHA256,
    };
    let hash = digest(algorithm, access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    let ours = URL_SAFE_NO_PAD.encode(left);
    if said.as_str() == Some(ours.as_str()) { Ok(()) } else { Err(IdentityError::AccessToken) }
}

/// The groups of somebody, of those that their provider is believed about: a text or a list of texts.
/// Nothing else of the claim is read, and a claim of another form is no groups at all.
pub fn groups_of(claim: Option<&Value>, of: &BTreeSet<String>) -> BTreeSet<String> {
    let named = match claim {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) if all.len() <= MOST_GROUPS => {
            all.iter().map(Value::as_str).collect::<Option<Vec<_>>>().unwrap_or_default()
        }
        Some(_) | None => Vec::new(),
    };
    let is_group = |name: &&str| name.chars().all(is_name_character) && of.contains(*name);
    named.into_iter().filter(is_group).map(str::to_owned).collect()
}

/// What a claim that is for eyes only says: cut, and without anything that hides.
pub fn shown(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    let text: String = text.chars().filter(|letter| is_visible(*letter)).take(120).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The address that the provider says it has verified to be theirs (OpenID Connect Core 1.0 section 5.1).
pub fn verified_email(claims: &Map<String, Value>) -> Option<String> {
    let is_verified = claims.get("email_verified") == Some(&Value::Bool(true));
    let text = claims.get("email")?.as_str()?;
    // An address that would have to be cut or cleaned is none.
    let is_one = (3..=254).contains(&text.len()) && shown(claims, "email").as_deref() == Some(text);
    (is_verified && is_one).then(|| text.to_owned())
}

/// Whose sessions a provider ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// All of this person's, or the ones of the session below.
    pub who: Option<PrincipalId>,
    /// The provider's session.
    pub sid: Option<String>,
}

/// Why a logout token ends nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogoutError {
    /// Somebody else's.
    #[error("it is of another issuer")]
    Issuer,
    /// For others.
    #[error("it is not for this client alone")]
    Audience,
    /// It does not say that somebody signed out.
    #[error("it tells of no logout")]
    Event,
    /// It could be taken for an identity token.
    #[error("it has a nonce, which no logout token has")]
    Nonce,
    /// It says neither who nor which session.
    #[error("it names neither a subject nor a session")]
    Nobody,
}

impl Logout {
    /// What a logout token ends (OpenID Connect Back-Channel Logout 1.0 section 2.6).
    ///
    /// # Errors
    /// [`LogoutError`].
    pub fn of(token: &VerifiedEvent, issuer: &str, client: &str) -> Result<Self, LogoutError> {
        let claims = token.claims();
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(issuer) {
            return Err(LogoutError::Issuer);
        }
        let is_ours = match claims.get("aud") {
            Some(Value::Array(all)) => all.len() == 1 && all.iter().all(|one| *one == client),
            Some(one) => *one == client,
            None => false,
        };
        if !is_ours {
            return Err(LogoutError::Audience);
        }
        let events = claims.get("events").and_then(Value::as_object);
        if !events.and_then(|events| events.get(LOGOUT)).is_some_and(Value::is_object) {
            return Err(LogoutError::Event);
        }
        if claims.contains_key("nonce") {
            return Err(LogoutError::Nonce);
        }
        let who = text("sub").and_then(|sub| PrincipalId::new(issuer, sub).ok());
        let sid = text("sid").filter(|sid| (1..=255).contains(&sid.len())).map(str::to_owned);
        if who.is_none() && sid.is_none() {
            return Err(LogoutError::Nobody);
        }
        Ok(Self { who, sid })
    }
}

/// A link between two accounts of one person, made by signing in to both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The account that was there first: as whom the person is known.
    pub person: PrincipalId,
    /// The other.
    pub account: PrincipalId,
    /// Since when.
    pub since: Timestamp,
    /// Until when, where an administrator has undone it. Whoever was linked stays tied for ever.
    pub until: Option<Timestamp>,
}

/// Why two accounts are not linked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Both are of one issuer: a person has one account there.
    #[error("a person has one account at each provider, and both of these are of one")]
    SameIssuer,
    /// Linked already, to this or another.
    #[error("`{0}` is linked already; only an administrator changes that")]
    Taken(PrincipalId),
    /// The first sign-in is too long ago, or was none.
    #[error("sign in again first: linking needs a sign-in at most {} ago", .0.in_words())]
    SignInAgain(Span),
}

/// How lately somebody who links must have signed in.
pub const LINKS_WITHIN: Span = Span::minutes(5);

impl Link {
    /// Links an account to a person who signed in then, as accounts are known now. Switching accounts
    /// is how one person becomes two: whoever has one at that issuer needs an administrator.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn make(
        person: &PrincipalId,
        signed_in_at: Option<Timestamp>,
        account: &PrincipalId,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Self, LinkError> {
        if signed_in_at.is_none_or(|at| at.until(now) > LINKS_WITHIN) {
            return Err(LinkError::SignInAgain(LINKS_WITHIN));
        }
        if person.iss() == account.iss() {
            return Err(LinkError::SameIssuer);
        }
        let known_as = |who| membership.known_as(&BTreeSet::from([who]));
        let (theirs, others) = (known_as(person), known_as(account));
        let meets = |one: &&PrincipalId| others.iter().any(|other| other.iss() == one.iss());
        if let Some(taken) = theirs.iter().find(meets) {
            return Err(LinkError::Taken(taken.clone()));
        }
        let (person, account) = (person.clone(), account.clone());
        Ok(Self { person, account, since: now, until: None })
    }

    /// Whether it counts still.
    pub fn is_current(&self) -> bool {
        self.until.is_none()
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.person, self.account)
    }
}

#[cfg(test)]
mod tests;

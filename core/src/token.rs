//! Tokens of foreign issuers: JWTs that somebody else signed, read and checked strictly.
//!
//! What is accepted is one shape (RFC 7519 in the compact form of RFC 7515 section 3.1) and nothing
//! around it: the token chooses neither its key nor its algorithm nor its rules (RFC 8725). Nothing
//! is fetched here and no clock is read: keys and time are arguments.
//!
//! An [`UnverifiedToken`] says what it would like to be; only that is read of it which is needed to
//! find the key. A [`VerifiedToken`] can only be made by [`UnverifiedToken::verify`].

#[cfg(test)]
mod hostile;
mod keys;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod wycheproof;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::canonical;
use crate::digest::Digest;
use crate::time::{Span, Timestamp};

pub(crate) use keys::PublicKey;
pub use keys::{Algorithm, PublicKeys};

/// The longest token that is looked at.
pub const MAX_TOKEN: usize = 16_384;
/// How far apart two clocks may be.
pub const LEEWAY: Span = Span::seconds(60);
/// The longest life of a token that is believed: a workload's token is for one job, one run.
pub const MAX_LIFE: Span = Span::hours(24);
/// The `typ` of what an authority says to another of itself: a type of its own (RFC 8725 section 3.11).
pub(crate) const INTRODUCTION: &str = "assent-authority+jwt";
/// For how long after its issue a security event token is taken: a transmitter that could not reach
/// us tries again, for days.
pub const EVENT_TOKENS_LAST: Span = Span::hours(7 * 24);
/// The longest claim that names something.
const MAX_TEXT: usize = 512;
/// The most audiences that are read.
const MAX_AUDIENCES: usize = 16;

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three base64url parts of strict JSON, or too long.
    #[error("it is no token: {0}")]
    Malformed(&'static str),
    /// Another algorithm or type, or a header that steers the verifier.
    #[error("its header is not accepted: {0}")]
    Header(&'static str),
    /// A claim is missing or of another type.
    #[error("its claim `{0}` is missing or not of its type")]
    Claim(&'static str),
    /// No such key.
    #[error("it is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// The key is for another algorithm than the token says.
    #[error("it says `{said}`, but its key is for {key}")]
    Algorithm {
        /// What the header says.
        said: String,
        /// What the key is for.
        key: Algorithm,
    },
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// Over.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// From the future.
    #[error("it is not valid before {0}")]
    TooEarly(Timestamp),
    /// Good only together with a proof of a key (RFC 7800), and nothing here asks for one.
    #[error("it is bound to a key: whoever holds it alone is not believed")]
    Bound,
    /// It would be good for longer than any run takes.
    #[error("it lives longer than {MAX_LIFE}")]
    TooLong,
}

/// What a token says that it is (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typ {
    /// `JWT`, or nothing said: what CI systems and identity providers hand out.
    Jwt,
    /// `at+jwt` (RFC 9068 section 2.1): an access token, such as another Assent's credential.
    AccessToken,
    /// Ours: what another authority says when it calls for itself.
    Authority,
    /// `secevent+jwt` (RFC 8417 section 2.3): a statement of what happened, and never proof of who
    /// presents it.
    EventToken,
    /// `logout+jwt` (OpenID Connect Back-Channel Logout 1.0 section 2.4): that somebody signed out.
    LogoutToken,
}

/// A token that was read and is not believed yet.
#[derive(Clone)]
pub struct UnverifiedToken {
    typ: Typ,
    algorithm: String,
    key_id: String,
    issuer: String,
    audiences: BTreeSet<String>,
    claims: Map<String, Value>,
    input: String,
    signature: Vec<u8>,
}

/// A token whose signature is its issuer's and whose time is now. For whom it is and what its claims
/// mean is not decided here: that a trust does.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    typ: Typ,
    issuer: String,
    audiences: BTreeSet<String>,
    subject: String,
    expires_at: Timestamp,
    mark: Digest,
    algorithm: String,
    claims: Map<String, Value>,
}

impl std::fmt::Debug for UnverifiedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { issuer, key_id, .. } = self;
        f.debug_struct("UnverifiedToken")
            .field("issuer", issuer)
            .field("key_id", key_id)
            .finish_non_exhaustive()
    }
}

impl UnverifiedToken {
    /// Reads a token in compact form.
    ///
    /// # Errors
    /// [`TokenError::Malformed`], [`TokenError::Header`], [`TokenError::Claim`]: whatever would be
    /// refused whoever had signed it.
    pub fn read(token: &str) -> Result<Self, TokenError> {
        match Self::read_any(token)? {
            token @ Self { typ: Typ::Jwt | Typ::AccessToken | Typ::Authority, .. } => Ok(token),
            Self { typ: Typ::EventToken | Typ::LogoutToken, .. } => {
                Err(TokenError::Header("typ is none that is taken here"))
            }
        }
    }

    /// Reads a logout token in compact form. Providers that are older than its type name say `JWT`:
    /// such a one is told from others by its claims alone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_logout_token(token: &str) -> Result<Self, TokenError> {
        match Self::read_any(token)? {
            token @ Self { typ: Typ::LogoutToken | Typ::Jwt, .. } => Ok(token),
            Self { typ: Typ::AccessToken | Typ::Authority | Typ::EventToken, .. } => {
                Err(TokenError::Header("typ is not logout+jwt"))
            }
        }
    }

    /// Reads a security event token in compact form, and nothing else: what says who somebody is
    /// says nothing of what happened to them (RFC 8417 section 4.5).
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_event_token(token: &str) -> Result<Self, TokenError> {
        match Self::read_any(token)? {
            token @ Self { typ: Typ::EventToken, .. } => Ok(token),
            Self {
                typ: Typ::Jwt | Typ::AccessToken | Typ::Authority | Typ::LogoutToken, ..
            } => Err(TokenError::Header("typ is not secevent+jwt")),
        }
    }

    fn read_any(token: &str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Malformed("it is too long"));
        }
        let shape = || TokenError::Malformed("it has not three parts");
        let (input, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = input.split_once('.').ok_or_else(shape)?;
        if claims.contains('.') {
            return Err(shape());
        }
        let header = Header::read(&object(header)?)?;
        let claims = object(claims)?;
        Ok(Self {
            typ: header.typ,
            algorithm: header.algorithm,
            key_id: header.key_id,
            issuer: text(&claims, "iss")?,
            audiences: audiences(&claims)?,
            claims,
            input: input.to_owned(),
            signature: decode(signature)?,
        })
    }

    /// Who it says issued it: to look a trust up by, never to fetch anything from.
    pub fn unverified_issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom it says that it is: to look a trust up by.
    pub fn unverified_audiences(&self) -> &BTreeSet<String> {
        &self.audiences
    }

    /// The key it names: to see whether a set of keys has it.
    pub fn unverified_key_id(&self) -> &str {
        &self.key_id
    }

    /// Believes it, if one of these keys signed it and this is its time.
    ///
    /// # Errors
    /// [`TokenError`]: on any doubt.
    pub fn verify(&self, keys: &PublicKeys, now: Timestamp) -> Result<VerifiedToken, TokenError> {
        let key = keys.get(&self.key_id).ok_or(TokenError::UnknownKey)?;
        key.verify(&self.algorithm, self.input.as_bytes(), &self.signature)?;
        if self.claims.contains_key("cnf") {
            return Err(TokenError::Bound);
        }
        let expires_at = self.check_time(now)?;
        Ok(VerifiedToken {
            typ: self.typ,
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            subject: text(&self.claims, "sub")?,
            expires_at,
            mark: self.mark()?,
            algorithm: self.algorithm.clone(),
            claims: self.claims.clone(),
        })
    }

    /// Believes a security event token, if one of these keys signed it and it was issued lately. It
    /// says when it was, and by what it is known again; what it tells is in its claims.
    ///
    /// # Errors
    /// [`TokenError`]: on any doubt.
    pub fn verify_event_token(
        &self,
        keys: &PublicKeys,
        now: Timestamp,
    ) -> Result<VerifiedEvent, TokenError> {
        let key = keys.get(&self.key_id).ok_or(TokenError::UnknownKey)?;
        key.verify(&self.algorithm, self.input.as_bytes(), &self.signature)?;
        let issued_at = instant(&self.claims, "iat")?;
        if issued_at > now.plus(LEEWAY) {
            return Err(TokenError::TooEarly(issued_at));
        }
        if now >= issued_at.plus(EVENT_TOKENS_LAST) {
            return Err(TokenError::Expired(issued_at.plus(EVENT_TOKENS_LAST)));
        }
        // It needs no end; one that has an end is over then (RFC 8417 section 2.2).
        if self.claims.contains_key("exp") {
            let expires_at = instant(&self.claims, "exp")?;
            if now >= expires_at.plus(LEEWAY) {
                return Err(TokenError::Expired(expires_at));
            }
        }
        text(&self.claims, "jti")?;
        Ok(VerifiedEvent { issued_at, mark: self.mark()?, claims: self.claims.clone() })
    }

    /// Believes a logout token, if one of these keys signed it and this is its time. Whom it is about
    /// is in its claims: a subject, a session, or both.
    ///
    /// # Errors
    /// [`TokenError`]: on any doubt.
    pub fn verify_logout_token(
        &self,
        keys: &PublicKeys,
        now: Timestamp,
    ) -> Result<VerifiedEvent, TokenError> {
        let key = keys.get(&self.key_id).ok_or(TokenError::UnknownKey)?;
        key.verify(&self.algorithm, self.input.as_bytes(), &self.signature)?;
        self.check_time(now)?;
        text(&self.claims, "jti")?;
        let issued_at = instant(&self.claims, "iat")?;
        Ok(VerifiedEvent { issued_at, mark: self.mark()?, claims: self.claims.clone() })
    }

    fn check_time(&self, now: Timestamp) -> Result<Timestamp, TokenError> {
        let issued_at = instant(&self.claims, "iat")?;
        let expires_at = instant(&self.claims, "exp")?;
        if issued_at > now.plus(LEEWAY) {
            return Err(TokenError::TooEarly(issued_at));
        }
        if self.claims.contains_key("nbf") {
            let from = instant(&self.claims, "nbf")?;
            if from > now.plus(LEEWAY) {
                return Err(TokenError::TooEarly(from));
            }
        }
        if now >= expires_at.plus(LEEWAY) {
            return Err(TokenError::Expired(expires_at));
        }
        if issued_at.until(expires_at) > MAX_LIFE {
            return Err(TokenError::TooLong);
        }
        Ok(expires_at)
    }

    /// By what it is known again: its `jti`, or where it has none, all that was signed. Never the
    /// signature, of which there can be several for one text.
    fn mark(&self) -> Result<Digest, TokenError> {
        let (kind, value) = match self.claims.contains_key("jti") {
            true => ("jti", text(&self.claims, "jti")?),
            false => ("jws", self.input.clone()),
        };
        let parts = ["assent/subject-token/v1", &self.issuer, kind, &value];
        let parts: Vec<&[u8]> =
            parts.iter().flat_map(|part| [part.as_bytes(), b"\0".as_slice()]).collect();
        Ok(Digest::of_parts(&parts))
    }
}

/// A security event token that is its issuer's, and young enough.
#[derive(Clone, Debug)]
pub struct VerifiedEvent {
    issued_at: Timestamp,
    mark: Digest,
    claims: Map<String, Value>,
}

impl VerifiedEvent {
    /// When it was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Until when it would be believed, and so must be remembered.
    pub fn believed_until(&self) -> Timestamp {
        self.issued_at.plus(EVENT_TOKENS_LAST)
    }

    /// By what it is known again: the same for the same `jti` of the same issuer.
    pub fn mark(&self) -> Digest {
        self.mark
    }

    /// What it says.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl VerifiedToken {
    /// What kind of token it is.
    pub fn typ(&self) -> Typ {
        self.typ
    }

    /// Who issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom it is.
    pub fn audiences(&self) -> &BTreeSet<String> {
        &self.audiences
    }

    /// Whom it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When it says that it is over.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Until when it is believed, the difference of clocks included.
    pub fn believed_until(&self) -> Timestamp {
        self.expires_at.plus(LEEWAY)
    }

    /// By what it is known again: the same for the same `jti` of the same issuer.
    pub fn mark(&self) -> Digest {
        self.mark
    }

    /// All that it says.
    pub fn all_claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The text of a claim; of one inside another where the name is a JSON Pointer (RFC 6901):
    /// `/kubernetes.io/serviceaccount/uid`. `None` where there is none, or it is no text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        let value = match name.strip_prefix('/') {
            None => self.claims.get(name)?,
            Some(path) => {
                let (first, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
                self.claims.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)?
            }
        };
        value.as_str()
    }

    /// What its header says it is signed with: one of those that are accepted.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// A claim that is a moment, in whole seconds (RFC 7519 section 2, `NumericDate`). `None` where
    /// there is none.
    ///
    /// # Errors
    /// [`TokenError::Claim`] where it is something else.
    pub fn moment(&self, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
        self.claims.contains_key(name).then(|| instant(&self.claims, name)).transpose()
    }

    /// The texts of a claim that is a list of them; `None` where there is none, or it is no such list.
    pub fn claims(&self, name: &str) -> Option<Vec<&str>> {
        self.claims.get(name)?.as_array()?.iter().map(Value::as_str).collect()
    }
}

/// RFC 7515 section 4. `x5t` says which certificate the key has (GitHub Actions sends it); it steers
/// nothing, and is not looked at.
const HEADERS: [&str; 5] = ["alg", "kid", "typ", "x5t", "x5t#S256"];

struct Header {
    typ: Typ,
    algorithm: String,
    key_id: String,
}

impl Header {
    fn read(header: &Map<String, Value>) -> Result<Self, TokenError> {
        if header.keys().any(|name| !HEADERS.contains(&name.as_str())) {
            return Err(TokenError::Header("only alg, kid, typ and x5t are known"));
        }
        let of = |name: &str| header.get(name).map(Value::as_str);
        let typ = match of("typ") {
            None => Typ::Jwt,
            // RFC 7519 section 5.1: a media type, whose letters' case does not matter.
            Some(Some(typ)) if typ.eq_ignore_ascii_case("jwt") => Typ::Jwt,
            Some(Some(typ)) if typ.eq_ignore_ascii_case("at+jwt") => Typ::AccessToken,
            Some(Some(INTRODUCTION)) => Typ::Authority,
            Some(Some(typ)) if typ.eq_ignore_ascii_case("secevent+jwt") => Typ::EventToken,
            Some(Some(typ)) if typ.eq_ignore_ascii_case("logout+jwt") => Typ::LogoutToken,
            Some(_) => return Err(TokenError::Header("typ is none that is taken here")),
        };
        let algorithm = of("alg").flatten().filter(|alg| Algorithm::is_known(alg));
        let algorithm = algorithm.ok_or(TokenError::Header("alg is none that is accepted"))?;
        let key_id = of("kid").flatten().filter(|id| (1..=256).contains(&id.len()));
        let key_id = key_id.ok_or(TokenError::Header("kid is not 1 to 256 bytes of text"))?;
        Ok(Self { typ, algorithm: algorithm.to_owned(), key_id: key_id.to_owned() })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed("a part is not base64url"))
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    match canonical::parse(&decode(part)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(TokenError::Malformed("a part is not a JSON object")),
        Err(_) => Err(TokenError::Malformed("a part is not strict JSON")),
    }
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, TokenError> {
    let value = claims.get(name).and_then(Value::as_str);
    let value = value.filter(|text| (1..=MAX_TEXT).contains(&text.len()));
    value.map(str::to_owned).ok_or(TokenError::Claim(name))
}

/// RFC 7519 section 4.1.3: a text, or a list of them.
fn audiences(claims: &Map<String, Value>) -> Result<BTreeSet<String>, TokenError> {
    let fault = || TokenError::Claim("aud");
    let Some(Value::Array(several)) = claims.get("aud") else {
        return Ok(BTreeSet::from([text(claims, "aud")?]));
    };
    if !(1..=MAX_AUDIENCES).contains(&several.len()) {
        return Err(fault());
    }
    let one = |value: &Value| {
        let text = value.as_str().filter(|text| (1..=MAX_TEXT).contains(&text.len()));
        text.map(str::to_owned).ok_or_else(fault)
    };
    several.iter().map(one).collect()
}

/// RFC 7519 section 2, `NumericDate`, in whole seconds.
fn instant(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, TokenError> {
    let seconds = claims.get(name).and_then(Value::as_i64).filter(|s| (0..1 << 40).contains(s));
    let seconds = seconds.ok_or(TokenError::Claim(name))?;
    Ok(Timestamp::from_millis(seconds.saturating_mul(1000)))
}

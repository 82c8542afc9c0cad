//! Checking a token, offline. Any service may use this; it needs the authority's key set and a
//! moment, and nothing else.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::canonical;
use crate::credential::dpop::{ProofError, Thumbprint};
use crate::credential::possession;
use crate::credential::{Algorithm, MAX_LIFE};
use crate::id::{CredentialId, RequestId};
use crate::time::{Span, Timestamp};
use crate::token::PublicKey;

/// The longest token that is looked at.
const MAX_TOKEN: usize = 16_384;
/// How far apart two clocks may be.
const LEEWAY: Span = Span::seconds(60);

/// Public keys by their id. A key is for one algorithm, and a token has no say in it.
#[derive(Clone, Debug, Default)]
pub struct KeySet(BTreeMap<String, PublicKey>);

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not three base64url parts of strict JSON, or too long.
    #[error("not a token: {0}")]
    Malformed(&'static str),
    /// Another algorithm, type, or a header that steers the verifier.
    #[error("its header is not accepted: {0}")]
    Header(&'static str),
    /// No such key.
    #[error("it is signed with a key that is not in the key set")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing or of another type.
    #[error("its claim `{0}` is missing or not of its type")]
    Claim(&'static str),
    /// From another authority.
    #[error("it was issued by `{0}`")]
    Issuer(String),
    /// For somebody else.
    #[error("it is for `{0}`")]
    Audience(String),
    /// Over.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// From the future.
    #[error("it is not valid before {0}")]
    TooEarly(Timestamp),
    /// It is bound to a key, and no proof of that key was asked for.
    #[error("it is bound to a key: it is worth nothing without a proof of that key")]
    Bound,
    /// A proof came with it, but it is bound to no key.
    #[error("it is bound to no key, so no proof belongs to it")]
    Unbound,
    /// It is bound to a key, and the proof of it is not good.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// What a good token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// The credential.
    pub id: CredentialId,
    /// The request it was granted for.
    pub request: RequestId,
    /// `assent:v1:ENVIRONMENT:KIND`.
    pub sub: String,
    /// For whom it is.
    pub audience: String,
    /// Since when it is good.
    pub issued_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// The intent's digest.
    pub digest: String,
    /// Where the action may be done.
    pub environment: String,
    /// The key that it is bound to (RFC 9449 section 6.1); `None` where whoever has it may use it.
    pub confirmation: Option<Thumbprint>,
    /// Everything it says.
    pub all: Map<String, Value>,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517 section 5). Keys that sign with nothing of ours, are too weak, not
    /// for signatures or private are left out; of two with one id, neither counts.
    pub fn read(set: &Value) -> Self {
        let mut keys = BTreeMap::new();
        let mut twice = Vec::new();
        for key in set.get("keys").and_then(Value::as_array).into_iter().flatten() {
            let Some((id, key)) = PublicKey::read(key).filter(|(_, key)| is_ours(key)) else {
                continue;
            };
            if keys.insert(id.clone(), key).is_some() {
                twice.push(id);
            }
        }
        keys.retain(|id, _| !twice.contains(id));
        Self(keys)
    }

    /// Whether there is a key of this id.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }
}

fn is_ours(key: &PublicKey) -> bool {
    Algorithm::ALL.iter().any(|algorithm| key.is_for(algorithm.name()))
}

/// Who checks: for which authority, for which audience.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: String,
    audience: Option<String>,
}

impl Verifier {
    /// A service that is this audience and trusts this issuer.
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self { issuer: issuer.to_owned(), audience: Some(audience.to_owned()) }
    }

    /// The authority itself, which looks at its own tokens for any audience.
    pub fn of_own(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), audience: None }
    }

    /// Checks a token that was presented by itself. One that is bound to a key is refused:
    /// [`Verifier::verify_bound`] takes those.
    ///
    /// # Errors
    /// [`Rejection`]: on any doubt.
    pub fn verify(&self, token: &str, keys: &KeySet, now: Timestamp) -> Result<Claims, Rejection> {
        let claims = self.examine(token, keys, now)?;
        match claims.confirmation {
            None => Ok(claims),
            Some(_) => Err(Rejection::Bound),
        }
    }

    /// What a token says that is good, whoever has it: to tell about it, never to let somebody in.
    ///
    /// # Errors
    /// [`Rejection`]: on any doubt.
    pub fn examine(&self, token: &str, keys: &KeySet, now: Timestamp) -> Result<Claims, Rejection> {
        let claims = Claims::read(signed_claims(token, &ACCESS_TOKEN, keys)?)?;
        self.check(&claims, now)?;
        Ok(claims)
    }

    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejection> {
        let issuer = text(&claims.all, "iss")?;
        if issuer != self.issuer {
            return Err(Rejection::Issuer(issuer));
        }
        if self.audience.as_ref().is_some_and(|audience| *audience != claims.audience) {
            return Err(Rejection::Audience(claims.audience.clone()));
        }
        if claims.issued_at > now.plus(LEEWAY) {
            return Err(Rejection::TooEarly(claims.issued_at));
        }
        if claims.all.contains_key("nbf") {
            let from = instant(&claims.all, "nbf")?;
            if from > now.plus(LEEWAY) {
                return Err(Rejection::TooEarly(from));
            }
        }
        if now >= claims.expires_at {
            return Err(Rejection::Expired(claims.expires_at));
        }
        if claims.issued_at.until(claims.expires_at) > MAX_LIFE {
            return Err(Rejection::Claim("exp"));
        }
        Ok(())
    }
}

/// The key id a token names, before anything was checked: to find the key, never to trust it.
///
/// # Errors
/// [`Rejection`] when the header would be refused in any case.
pub fn unverified_key_id(token: &str) -> Result<String, Rejection> {
    Ok(Parts::split(token)?.header(&ACCESS_TOKEN)?.key_id)
}

/// One kind of token, by the `typ` of its header, and what is said of any other.
pub(super) struct Form {
    pub(super) typ: &'static str,
    pub(super) fault: &'static str,
}

/// RFC 9068 section 2.1.
const ACCESS_TOKEN: Form = Form { typ: "at+jwt", fault: "typ is not at+jwt" };

/// The claims of a token of this form, once its signature is found good. They are not checked.
pub(super) fn signed_claims(
    token: &str,
    form: &Form,
    keys: &KeySet,
) -> Result<Map<String, Value>, Rejection> {
    let parts = Parts::split(token)?;
    let Header { algorithm, key_id } = parts.header(form)?;
    let key = keys.0.get(&key_id).ok_or(Rejection::UnknownKey)?;
    if !key.is_for(algorithm.name()) {
        return Err(Rejection::Header("alg is not its key's"));
    }
    let verified = key.verify(algorithm.name(), parts.input.as_bytes(), &parts.signature);
    verified.map_err(|_| Rejection::Signature)?;
    json_object(parts.claims)
}

struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    input: &'a str,
    signature: Vec<u8>,
}

struct Header {
    algorithm: Algorithm,
    key_id: String,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Self, Rejection> {
        if token.len() > MAX_TOKEN {
            return Err(Rejection::Malformed("too long"));
        }
        let shape = || Rejection::Malformed("not three parts");
        let (input, signature) = token.rsplit_once('.').ok_or_else(shape)?;
        let (header, claims) = input.split_once('.').ok_or_else(shape)?;
        if claims.contains('.') {
            return Err(shape());
        }
        let signature = decode(signature)?;
        Ok(Self { header, claims, input, signature })
    }

    /// RFC 9068 section 4 and RFC 8725: algorithms of ours, one type, and no header that would let
    /// the token choose its own key or its own rules.
    fn header(&self, form: &Form) -> Result<Header, Rejection> {
        let header = json_object(self.header)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(|name| name.parse().ok());
        let algorithm = algorithm.ok_or(Rejection::Header("alg is none of ours"))?;
        if text("typ") != Some(form.typ) {
            return Err(Rejection::Header(form.fault));
        }
        if header.keys().any(|name| !matches!(name.as_str(), "alg" | "typ" | "kid")) {
            return Err(Rejection::Header("only alg, typ and kid are known"));
        }
        let id = text("kid").filter(|id| (1..=256).contains(&id.len()));
        let id = id.ok_or(Rejection::Header("kid is not 1 to 256 bytes of text"))?;
        Ok(Header { algorithm, key_id: id.to_owned() })
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed("not base64url"))
}

fn json_object(part: &str) -> Result<Map<String, Value>, Rejection> {
    match canonical::parse(&decode(part)?) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Rejection::Malformed("not a JSON object")),
        Err(_) => Err(Rejection::Malformed("not strict JSON")),
    }
}

impl Claims {
    fn read(all: Map<String, Value>) -> Result<Self, Rejection> {
        Ok(Self {
            id: text(&all, "jti")?.parse().map_err(|_| Rejection::Claim("jti"))?,
            request: text(&all, "request_id")?
                .parse()
                .map_err(|_| Rejection::Claim("request_id"))?,
            sub: text(&all, "sub")?,
            audience: text(&all, "aud")?,
            issued_at: instant(&all, "iat")?,
            expires_at: instant(&all, "exp")?,
            digest: text(&all, "digest")?,
            environment: text(&all, "environment")?,
            confirmation: possession::confirmation(&all)?,
            all,
        })
    }
}

pub(super) fn text(claims: &Map<String, Value>, name: &'static str) -> Result<String, Rejection> {
    let value = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    value.map(str::to_owned).ok_or(Rejection::Claim(name))
}

pub(super) fn instant(
    claims: &Map<String, Value>,
    name: &'static str,
) -> Result<Timestamp, Rejection> {
    let seconds = claims.get(name).and_then(Value::as_i64).filter(|s| (0..1 << 40).contains(s));
    let seconds = seconds.ok_or(Rejection::Claim(name))?;
    Ok(Timestamp::from_millis(seconds.saturating_mul(1000)))
}

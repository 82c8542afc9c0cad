//! The public keys of an issuer. A key is for one algorithm, and the token has no say in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::token::TokenError;

/// The most keys that are read of one set.
const MAX_KEYS: usize = 64;

/// The members of a key that say which it is and what it is for (RFC 7517 section 4, RFC 7518 section
/// 6, RFC 8037 section 2).
const PLAIN: [&str; 9] = ["kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"];

/// What a key signs with (RFC 7518 section 3.1, RFC 8037, RFC 9864).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, of at least 2048 bits: what an RSA key is for that says
    /// nothing.
    Rs256,
    /// RSASSA-PSS with SHA-256, of at least 2048 bits: only for a key that says so.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The names that a token's header and a key may give it.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Rs256 => &["RS256"],
            Self::Ps256 => &["PS256"],
            Self::Es256 => &["ES256"],
            Self::Es384 => &["ES384"],
            Self::EdDsa => &["EdDSA", "Ed25519"],
        }
    }

    pub(super) fn is_known(name: &str) -> bool {
        let all = [Self::Rs256, Self::Ps256, Self::Es256, Self::Es384, Self::EdDsa];
        all.iter().any(|algorithm| algorithm.names().contains(&name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().first().copied().unwrap_or_default())
    }
}

/// Public keys by their id.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(BTreeMap<String, PublicKey>);

/// One public key, for one algorithm.
#[derive(Clone)]
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
    jwk: Value,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

impl PublicKeys {
    /// Reads a JWK set (RFC 7517 section 5). A key that is of no accepted kind, too weak, not for
    /// signatures, without an id, or private is left out; of two with one id, neither counts.
    pub fn read(set: &Value) -> Self {
        let mut keys = BTreeMap::new();
        let mut twice = BTreeSet::new();
        let all = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        for jwk in all.take(MAX_KEYS) {
            let Some((id, key)) = PublicKey::read(jwk) else { continue };
            if keys.insert(id.clone(), key).is_some() {
                twice.insert(id);
            }
        }
        keys.retain(|id, _| !twice.contains(id));
        Self(keys)
    }

    /// Whether there is a key of this id.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this id as a JWK (RFC 7517), with no more than what makes it.
    pub fn jwk(&self, id: &str) -> Option<&Value> {
        self.0.get(id).map(|key| &key.jwk)
    }

    pub(super) fn get(&self, id: &str) -> Option<&PublicKey> {
        self.0.get(id)
    }
}

impl PublicKey {
    /// Reads a JWK; with its id.
    pub(crate) fn read(jwk: &Value) -> Option<(String, Self)> {
        let id = jwk.get("kid").and_then(Value::as_str);
        let id = id.filter(|id| (1..=256).contains(&id.len()))?;
        Some((id.to_owned(), Self::of_jwk(jwk)?))
    }

    /// A key by itself, whatever its id. `None` for one that is of no accepted kind, too weak, not
    /// for signatures, or private.
    pub(crate) fn of_jwk(jwk: &Value) -> Option<Self> {
        let text = |name| jwk.get(name).and_then(Value::as_str);
        let is_private = ["d", "p", "q", "k"].iter().any(|name| jwk.get(name).is_some());
        let signs = jwk.get("use").is_none_or(|purpose| purpose == "sig");
        let verifies = jwk.get("key_ops").is_none_or(|ops| {
            ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"))
        });
        if is_private || !signs || !verifies {
            return None;
        }
        let says = jwk.get("alg").map(Value::as_str);
        let algorithm = match (text("kty")?, text("crv")) {
            ("RSA", None) if says == Some(Some("PS256")) => Algorithm::Ps256,
            ("RSA", None) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("EC", Some("P-384")) => Algorithm::Es384,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        };
        let fits = says.is_none_or(|said| said.is_some_and(|s| algorithm.names().contains(&s)));
        let key = fits.then(|| algorithm.parse(jwk))??;
        let member = |name: &&str| {
            let value = jwk.get(*name).filter(|value| value.is_string())?;
            Some(((*name).to_owned(), value.clone()))
        };
        let jwk = Value::Object(PLAIN.iter().filter_map(member).collect());
        Some(Self { algorithm, key, jwk })
    }

    /// Whether it is for the algorithm of this name.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.algorithm.names().contains(&name)
    }

    /// Whether it signed this, by the algorithm that the token says and the key has.
    ///
    /// # Errors
    /// [`TokenError::Algorithm`], [`TokenError::Signature`].
    pub(crate) fn verify(
        &self,
        said: &str,
        input: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let key = self.algorithm;
        if !key.names().contains(&said) {
            return Err(TokenError::Algorithm { said: said.to_owned(), key });
        }
        self.key.verify_sig(input, signature).map_err(|_| TokenError::Signature)
    }
}

impl Algorithm {
    /// RFC 7518 section 6 and RFC 8037 section 2.
    fn parse(self, jwk: &Value) -> Option<ParsedPublicKey> {
        let bytes = |name| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
        let sized = |name, size: usize| bytes(name).filter(|bytes| bytes.len() == size);
        let point = |size| Some([vec![4], sized("x", size)?, sized("y", size)?].concat());
        match self {
            Self::Rs256 | Self::Ps256 => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                // 2048 to 8192 bits; the exponent is odd and beyond the ones that invite trouble.
                let strong = (256..=1024).contains(&n.len()) && n.first().is_some_and(|b| *b > 0);
                let strong = strong && (n.len() > 256 || n.first().is_some_and(|b| *b >= 0x80));
                let sound = (3..=8).contains(&e.len()) && e.last().is_some_and(|b| b & 1 == 1);
                let parameters = if self == Self::Ps256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                let key = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
                (strong && sound).then(|| key.to_parsed_public_key(parameters).ok())?
            }
            Self::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(32)?).ok(),
            Self::Es384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point(48)?).ok(),
            Self::EdDsa => ParsedPublicKey::new(&ED25519, sized("x", 32)?).ok(),
        }
    }
}

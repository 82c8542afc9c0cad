//! The other side: whoever holds a key and shows it with each call.

use std::fmt;

use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::canonical;
use crate::credential::dpop::Thumbprint;
use crate::credential::{KeyError, Secret};
use crate::digest::Digest;
use crate::time::Timestamp;

/// A private key that tokens are bound to, on P-256 or of Ed25519.
pub struct Holder {
    pair: Pair,
    jwk: Value,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").field("jwk", &self.jwk).finish_non_exhaustive()
    }
}

impl Holder {
    /// Holds this PKCS #8 key.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn new(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8) {
            // SEC 1 section 2.3.3: the form, then the coordinates.
            let point = pair.public_key().as_ref().get(1..).filter(|point| point.len() == 64);
            let (x, y) = point.ok_or(KeyError::NotAKey)?.split_at(32);
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
            return Ok(Self { pair: Pair::P256(pair), jwk });
        }
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::NotAKey)?;
        let x = encode(pair.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        Ok(Self { pair: Pair::Ed25519(pair), jwk })
    }

    /// Holds the key of this PEM text (RFC 7468 section 10), as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn from_pem(text: &Secret) -> Result<Self, KeyError> {
        let fault = || KeyError::NotAKey;
        let (_, rest) =
            text.expose().split_once("-----BEGIN PRIVATE KEY-----").ok_or_else(fault)?;
        let (body, _) = rest.split_once("-----END PRIVATE KEY-----").ok_or_else(fault)?;
        let body: String = body.split_whitespace().collect();
        let body = zeroize::Zeroizing::new(body);
        let bytes = base64::engine::general_purpose::STANDARD.decode(body.as_bytes());
        Self::new(&zeroize::Zeroizing::new(bytes.map_err(|_| fault())?))
    }

    /// By what the key is known.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], which no holder's key is.
    pub fn thumbprint(&self) -> Result<Thumbprint, KeyError> {
        Thumbprint::of_jwk(&self.jwk).ok_or(KeyError::NotAKey)
    }

    /// A proof for one call (RFC 9449 section 4.2): by this method, of this URL, presenting this token
    /// where there is one, with the nonce that was asked for where one was.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn proof(
        &self,
        (method, uri): (&str, &str),
        token: Option<&str>,
        nonce: Option<&str>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<String, KeyError> {
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_| KeyError::NoRandomness)?;
        let uri = uri.split(['?', '#']).next().unwrap_or_default();
        let mut claims = json!({
            "jti": URL_SAFE_NO_PAD.encode(id),
            "htm": method,
            "htu": uri,
            "iat": now.as_seconds(),
        });
        let ath = |token: &str| URL_SAFE_NO_PAD.encode(Digest::of(token.as_bytes()).as_bytes());
        let more = [("ath", token.map(ath)), ("nonce", nonce.map(str::to_owned))];
        if let Some(claims) = claims.as_object_mut() {
            let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
            claims.extend(more.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        let algorithm = match self.pair {
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        };
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": self.jwk});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(canonical::bytes(value));
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = match &self.pair {
            Pair::P256(pair) => {
                let signature = pair.sign(random, input.as_bytes());
                signature.map_err(|_| KeyError::NoRandomness)?.as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
        };
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

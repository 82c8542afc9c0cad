//! The App itself: its key, and the proof by which it calls.

use assent_core::credential::Secret;
use assent_core::time::{Span, Timestamp};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// For how long a proof is good: GitHub takes ten minutes at most.
const GOOD: Span = Span::minutes(9);
/// How far back it begins, for clocks that are behind.
const BACK: i64 = 60;
/// The smallest key that GitHub has given out.
const SMALLEST: usize = 2048 / 8;

/// A GitHub App, as it calls.
pub(super) struct App {
    id: String,
    key: KeyPair,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// With this private key, PEM as GitHub gives it (PKCS #1), or PKCS #8.
    pub(super) fn new(id: String, pem: &[u8]) -> Result<Self, String> {
        let key = match PrivateKeyDer::from_pem_slice(pem) {
            Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()).ok(),
            Ok(PrivateKeyDer::Pkcs8(der)) => KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
            Ok(_) | Err(_) => None,
        };
        let key = key.filter(|key| key.public_modulus_len() >= SMALLEST);
        let fault = || "it holds no RSA private key of 2048 bits or more, as PEM".to_owned();
        Ok(Self { id, key: key.ok_or_else(fault)? })
    }

    /// That it is us who call (RS256, RFC 7518 section 3.3).
    pub(super) fn proof(&self, now: Timestamp) -> Result<Secret, String> {
        let (from, to) = (now.as_seconds() - BACK, now.plus(GOOD).as_seconds());
        let claims = json!({"iss": self.id, "iat": from, "exp": to});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let signed = self.key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            input.as_bytes(),
            &mut signature,
        );
        signed.map_err(|_| "the App's key does not sign".to_owned())?;
        Ok(Secret::new(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

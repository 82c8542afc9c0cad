//! Signing keys: one pair of one algorithm. The private half never leaves it again.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SecureRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::canonical;

/// RSA keys that verifiers take (AWS: 2048 to 4096 bits), in bytes of the modulus.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// What the authority signs with (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256: for whoever takes it.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: for whoever takes nothing else.
    Rs256,
    /// Ed25519: for one's own services.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    /// Its name in headers and keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no algorithm that is signed with here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no algorithm that is signed with here: ES256, RS256 or EdDSA")]
pub struct NotAnAlgorithm(String);

impl FromStr for Algorithm {
    type Err = NotAnAlgorithm;

    fn from_str(text: &str) -> Result<Self, NotAnAlgorithm> {
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| NotAnAlgorithm(text.chars().take(40).collect()))
    }
}

/// A key's id: the thumbprint of its public half (RFC 7638), so that nobody has to choose one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no key's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is a thumbprint: 43 letters, digits, `-` and `_`")]
pub struct NotAKeyId;

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAKeyId)?;
        if bytes.len() == 32 { Ok(Self(text.to_owned())) } else { Err(NotAKeyId) }
    }
}

/// The bytes are no key to sign with, or there was no chance to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PKCS #8 of a key that is signed with here.
    #[error("not a PKCS #8 private key on P-256, of Ed25519, or of RSA with 2048 to 4096 bits")]
    NotAKey,
    /// The random source failed.
    #[error("no randomness")]
    NoRandomness,
}

/// A private key, and what everybody may know of it.
pub struct SigningKey {
    id: KeyId,
    algorithm: Algorithm,
    public: Value,
    #[cfg_attr(not(feature = "authority"), expect(dead_code, reason = "only it signs"))]
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, algorithm, .. } = self;
        f.debug_struct("SigningKey")
            .field("id", id)
            .field("algorithm", algorithm)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new private key, PKCS #8 (RFC 5958). One for RS256 takes a while, and is not drawn from
    /// `random`: aws-lc makes RSA keys from its own source.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn generate(
        algorithm: Algorithm,
        random: &dyn SecureRandom,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let made = match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)
                    .map(|document| document.as_ref().to_vec())
            }
            Algorithm::EdDsa => {
                Ed25519KeyPair::generate_pkcs8(random).map(|document| document.as_ref().to_vec())
            }
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa3072)
                .and_then(|pair| pair.as_der())
                .map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
        };
        made.map(Zeroizing::new).map_err(|_| KeyError::NoRandomness)
    }

    /// Reads a private key, PKCS #8. What kind of key it is decides the algorithm.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn read(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let pair = Pair::read(pkcs8).ok_or(KeyError::NotAKey)?;
        let members = pair.members().ok_or(KeyError::NotAKey)?;
        let id = KeyId(URL_SAFE_NO_PAD.encode(canonical::digest(&members).as_bytes()));
        let algorithm = pair.algorithm();
        let mut public = members;
        if let Some(public) = public.as_object_mut() {
            let said = [("use", "sig"), ("alg", algorithm.name()), ("kid", id.as_str())];
            public.extend(said.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        Ok(Self { id, algorithm, public, pair })
    }

    /// Its id.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK (RFC 7517).
    pub fn jwk(&self) -> &Value {
        &self.public
    }

    #[cfg(feature = "authority")]
    pub(super) fn sign(
        &self,
        input: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, KeyError> {
        let signed = match &self.pair {
            Pair::Es256(pair) => pair.sign(random, input).map(|made| made.as_ref().to_vec()),
            Pair::EdDsa(pair) => pair.try_sign(input).map(|made| made.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, random, input, &mut made)
                    .map(|()| made)
            }
        };
        signed.map_err(|_| KeyError::NoRandomness)
    }
}

impl Pair {
    fn read(pkcs8: &[u8]) -> Option<Self> {
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8) {
            return Some(Self::Es256(pair));
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(pkcs8) {
            return Some(Self::EdDsa(pair));
        }
        let pair = RsaKeyPair::from_pkcs8(pkcs8).ok()?;
        RSA_BYTES.contains(&pair.public_modulus_len()).then_some(Self::Rs256(pair))
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// The members of the public key that its thumbprint is made of (RFC 7638 section 3.2, RFC 8037
    /// section 2).
    fn members(&self) -> Option<Value> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Some(match self {
            Self::Es256(pair) => {
                let (x, y) = coordinates(pair.public_key().as_ref())?;
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Self::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
            Self::Rs256(pair) => {
                let (n, e) = rsa_components(pair.public_key().as_ref())?;
                json!({"kty": "RSA", "n": text(n), "e": text(e)})
            }
        })
    }
}

/// Modulus and exponent of an RSA public key in DER (RFC 8017 appendix A.1.1), without leading zeros.
fn rsa_components(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inside, rest) = element(0x30, der)?;
    let (n, more) = element(0x02, inside)?;
    let (e, end) = element(0x02, more)?;
    let bare = |integer| <[u8]>::strip_prefix(integer, &[0]).unwrap_or(integer);
    (rest.is_empty() && end.is_empty()).then(|| (bare(n), bare(e)))
}

/// The first element, if it has this tag, and what follows it (X.690 sections 8.1.3 and 10.1).
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

/// The coordinates of an uncompressed point (SEC 1 section 2.3.3).
fn coordinates(point: &[u8]) -> Option<(&[u8], &[u8])> {
    let (form, point) = point.split_first()?;
    (*form == 4 && point.len() == 64).then(|| point.split_at(32))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::credential::{KeySet, Rejection, Signer, Verifier};
    use crate::time::Timestamp;

    /// RFC 8037 appendix A.1: the private key, in the PKCS #8 of RFC 8410 section 7.
    fn of_rfc_8037() -> SigningKey {
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        SigningKey::read(&[&head[..], &seed].concat()).unwrap()
    }

    #[test]
    fn a_known_key_has_its_known_id_and_signature() {
        let key = of_rfc_8037();
        assert_eq!(key.id().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(key.jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = key.sign(input.as_bytes(), &SystemRandom::new()).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(signature),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }

    fn signers() -> [Signer; 3] {
        Algorithm::ALL.map(|algorithm| {
            let pkcs8 = SigningKey::generate(algorithm, &SystemRandom::new()).unwrap();
            let signer = Signer::new("https://assent.example.com", &pkcs8).unwrap();
            assert_eq!((signer.algorithm(), signer.key_id().as_str().len()), (algorithm, 43));
            signer
        })
    }

    #[test]
    fn t21_every_algorithm_verifies_by_its_own_key_and_by_no_other() {
        let random = SystemRandom::new();
        let signers = signers();
        let all: Vec<_> = signers.iter().map(Signer::jwk).collect();
        let keys = KeySet::read(&json!({"keys": all}));
        let verifier = Verifier::of_own("https://assent.example.com");
        let verify = |token: &str, keys: &KeySet| {
            verifier.verify(token, keys, Timestamp::from_millis(0)).unwrap_err()
        };
        // What is signed well fails only later, at the claims that it lacks.
        let good = Rejection::Claim("jti");
        for signer in &signers {
            let token = signer.sign("at+jwt", &json!({}), &random).unwrap();
            assert_eq!(verify(&token, &keys), good);
            let (input, signature) = token.rsplit_once('.').unwrap();
            let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
            flipped[7] ^= 1;
            let flipped = format!("{input}.{}", URL_SAFE_NO_PAD.encode(flipped));
            assert_eq!(verify(&flipped, &keys), Rejection::Signature);
            for other in signers.iter().filter(|other| other.key_id() != signer.key_id()) {
                // Another's key under this one's id, and this one's token under another's algorithm.
                let mut posing = other.jwk();
                posing["kid"] = json!(signer.key_id().as_str());
                let posing = KeySet::read(&json!({"keys": [posing]}));
                assert_eq!(verify(&token, &posing), Rejection::Header("alg is not its key's"));
                let header = json!({
                    "alg": other.algorithm().name(), "typ": "at+jwt", "kid": signer.key_id().as_str(),
                });
                let said = URL_SAFE_NO_PAD.encode(header.to_string());
                let said = format!("{said}.{}", token.split_once('.').unwrap().1);
                assert_eq!(verify(&said, &keys), Rejection::Header("alg is not its key's"));
            }
        }
    }

    #[test]
    fn a_weak_rsa_key_is_none() {
        let weak = STANDARD.decode(WEAK_RSA).unwrap();
        assert_eq!(SigningKey::read(&weak).unwrap_err(), KeyError::NotAKey);
    }

    #[test]
    fn what_is_no_key_is_refused_and_ids_are_thumbprints() {
        for bad in [&b""[..], b"x", &[0x30; 300]] {
            assert_eq!(SigningKey::read(bad).unwrap_err(), KeyError::NotAKey);
        }
        let id = of_rfc_8037().id().clone();
        assert_eq!(id.as_str().parse::<KeyId>(), Ok(id));
        for bad in ["", "x", "../etc/passwd", &"a".repeat(44), &"=".repeat(43)] {
            assert_eq!(bad.parse::<KeyId>(), Err(NotAKeyId), "{bad}");
        }
        assert_eq!("RS256".parse(), Ok(Algorithm::Rs256));
        for bad in ["", "rs256", "none", "HS256", "PS256"] {
            assert!(bad.parse::<Algorithm>().is_err());
        }
    }

    /// 1024 bits, made for this test.
    const WEAK_RSA: &str = "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBANZ8NozMc6fIOZ6w\
        5NWeAhhEbYyHziU4MQBEJJyZBVpI6IDzSJdhf3WPemIRPX43WNZsyOqJFQBXYkpT\
        hrByrfzLlS7X+aIFoes+nBx5HqRRESUs7spxNuUlCGe7fWz2YrQRTVeFfkrMqk+7\
        1j1SmP60RVYuGXl2IhE4ek0pK21ZAgMBAAECgYANYq8c1l2ZaPt/ldaSJkxHK24S\
        yR7qX7lfJOGMDFizK72m3of3OpRzx8KBgEXwLJAUwbFAQdHXtZxiuxe6x01oThU7\
        TARgduq6lxWT26tCozSU/YSag2R+tDpYhxKjizJ3bkWd2NtY7OVuyOONJWCfTZag\
        SqZT9TpVeWX6tMPeyQJBAPnya17VcwWcbXE3juUcrrGz8ZvlVRBFV3AeYJEYsyYu\
        IETeTnte4mG2eNQPnZIQnvj7NFnm7nXC1VswGVVgX68CQQDbrfGWdGVftkf8M2wT\
        f9/vx9htQopI2GK5OtlihxzX91LIPLRCwYizKTAEC9knMpSrxXH92D9rIpnk1cZ+\
        4f13AkAGcBAD6UuFIXpQKDYuAIcfXJskgMuoF6Eg6idilVhH63g5TeCHnPIHwkNq\
        ctyEHpl5oD7A8gnCTrpgFuUQJeNRAkBe/tUdrq+3t+dhFAuEUyPPWKgqdz+9SHVI\
        jD488Rhz+6t8k2OQCojGkOUGmukInkLUFMm6b6zc81WBM0Bm1er5AkEAlMsQUb6z\
        aAXMzVSWiIE0CORBHp37H70MCftwtPN+vPZV0dn2hrq5P8dt5eP35Bm9a9QhZxU1\
        tMAVBfh03V1Blg==";
}

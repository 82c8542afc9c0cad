//! The public half of a passkey: a COSE key (RFC 9052 section 7, RFC 9053, RFC 8230).

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};

use crate::webauthn::WebauthnError;
use crate::webauthn::cbor::{Item, Reader};

/// What a passkey signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, of at least 2048 bits.
    Rs256,
}

impl Algorithm {
    /// Those that are accepted, best first.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Its number (IANA, COSE Algorithms).
    pub fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Rs256 => -257,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// A passkey's public key, for one algorithm.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
    cose: Vec<u8>,
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.cose == other.cose
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm.name())
    }
}

/// The members of a key: each has one meaning by the key's type (RFC 9053 section 7).
#[derive(Default)]
struct Members<'a> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    curve: Option<i64>,
    first: Option<&'a [u8]>,
    second: Option<&'a [u8]>,
}

impl PublicKey {
    /// Reads a COSE key with exactly the members that it needs, and nothing after it.
    ///
    /// # Errors
    /// [`WebauthnError::Key`], [`WebauthnError::Malformed`].
    pub fn read(cose: &[u8]) -> Result<Self, WebauthnError> {
        let members = Members::read(cose)?;
        let (algorithm, key) = members.parse().ok_or(WebauthnError::Key)?;
        Ok(Self { algorithm, key, cose: cose.to_vec() })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// As it was written: COSE.
    pub fn cose(&self) -> &[u8] {
        &self.cose
    }

    /// That it signed this.
    ///
    /// # Errors
    /// [`WebauthnError::Signature`].
    pub fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), WebauthnError> {
        self.key.verify_sig(signed, signature).map_err(|_| WebauthnError::Signature)
    }
}

impl<'a> Members<'a> {
    fn read(cose: &'a [u8]) -> Result<Self, WebauthnError> {
        let mut reader = Reader::new(cose);
        let pairs = reader.map()?;
        let mut members = Self::default();
        for _ in 0..pairs {
            // What -1 and -2 are called depends on whether there is a curve: an RSA key has none.
            let has_curve = members.curve.is_some();
            let is_new = match (reader.item()?, reader.item()?) {
                (Item::Int(1), Item::Int(kind)) => members.kind.replace(kind).is_none(),
                (Item::Int(3), Item::Int(number)) => members.algorithm.replace(number).is_none(),
                (Item::Int(-1), Item::Int(curve)) => members.curve.replace(curve).is_none(),
                (Item::Int(-1), Item::Bytes(n)) if !has_curve => members.first.replace(n).is_none(),
                (Item::Int(-2), Item::Bytes(x)) if has_curve => members.first.replace(x).is_none(),
                (Item::Int(-2), Item::Bytes(e)) => members.second.replace(e).is_none(),
                (Item::Int(-3), Item::Bytes(y)) if has_curve => members.second.replace(y).is_none(),
                _ => false,
            };
            if !is_new {
                return Err(WebauthnError::Key);
            }
        }
        match reader.rest() {
            [] => Ok(members),
            _ => Err(WebauthnError::Malformed("something follows the key")),
        }
    }

    fn parse(&self) -> Option<(Algorithm, ParsedPublicKey)> {
        let first = self.first?;
        match (self.kind?, self.algorithm?, self.curve, self.second) {
            // EC2 on P-256.
            (2, -7, Some(1), Some(y)) if first.len() == 32 && y.len() == 32 => {
                let point = [&[4], first, y].concat();
                let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()?;
                Some((Algorithm::Es256, key))
            }
            // OKP on Ed25519.
            (1, -8, Some(6), None) if first.len() == 32 => {
                Some((Algorithm::EdDsa, ParsedPublicKey::new(&ED25519, first).ok()?))
            }
            (3, -257, None, Some(e)) => {
                let is_strong = (256..=1024).contains(&first.len()) && first.first()? >= &0x80;
                let is_sound = (3..=8).contains(&e.len()) && e.last()? & 1 == 1;
                let key = RsaPublicKeyComponents { n: first, e };
                let key = key.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
                (is_strong && is_sound).then_some((Algorithm::Rs256, key))
            }
            _ => None,
        }
    }
}

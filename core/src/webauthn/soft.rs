//! A passkey made of software, for tests. It stands alone, so that other test binaries take it too.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Present, verified, and bound to its device.
pub(crate) const DEVICE_BOUND: u8 = 0b0000_0101;
/// Present, verified, and kept by whoever syncs it.
pub(crate) const SYNCED: u8 = 0b0001_1101;

pub(crate) enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

/// A passkey with its private half.
pub(crate) struct Soft {
    pub(crate) key: Key,
    pub(crate) credential: Vec<u8>,
    /// What it says of itself (WebAuthn section 6.1).
    pub(crate) flags: u8,
    /// What the browser around it adds to its client data, or changes there.
    pub(crate) said: Value,
}

impl Soft {
    /// For the algorithm of this number (IANA, COSE Algorithms).
    pub(crate) fn new(algorithm: i64) -> Self {
        let key = match algorithm {
            -7 => Key::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            -8 => Key::EdDsa(Ed25519KeyPair::generate().unwrap()),
            -257 => Key::Rs256(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            other => panic!("no algorithm {other}"),
        };
        let mut credential = vec![0; 32];
        aws_lc_rs::rand::fill(&mut credential).unwrap();
        Self { key, credential, flags: DEVICE_BOUND, said: json!({}) }
    }

    /// Its public half as COSE.
    pub(crate) fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
            }
            Key::EdDsa(pair) => {
                let x = pair.public_key().as_ref();
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], x].concat()
            }
            Key::Rs256(pair) => {
                // `SEQUENCE { INTEGER n, INTEGER e }` (RFC 8017 appendix A.1.1), of 2048 bits.
                let n = &pair.public_key().as_ref()[9..265];
                let head = [0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0];
                [&head, n, &[0x21, 0x43, 1, 0, 1]].concat()
            }
        }
    }

    fn authenticator_data(&self, party: &str, flags: u8) -> Vec<u8> {
        [digest(&SHA256, party.as_bytes()).as_ref(), &[flags], &[0; 4]].concat()
    }

    fn client_data(&self, kind: &str, origin: &str, challenge: &[u8]) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let mut said = json!({
            "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false,
        });
        for (name, value) in self.said.as_object().unwrap() {
            said[name] = value.clone();
        }
        said.to_string().into_bytes()
    }

    /// The attestation object and client data of its making, as a browser hands them over.
    pub(crate) fn register(
        &self,
        party: &str,
        origin: &str,
        challenge: &[u8],
    ) -> (Vec<u8>, Vec<u8>) {
        let size = u16::try_from(self.credential.len()).unwrap().to_be_bytes();
        let data = [
            self.authenticator_data(party, self.flags | 1 << 6).as_slice(),
            &[0; 16],
            &size,
            &self.credential,
            &self.cose(),
        ]
        .concat();
        let size = u16::try_from(data.len()).unwrap().to_be_bytes();
        let head = match size {
            [0, small] => vec![0x58, small],
            [high, low] => vec![0x59, high, low],
        };
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData", head.as_slice(), &data].concat();
        (object, self.client_data("webauthn.create", origin, challenge))
    }

    /// Authenticator data, client data and signature of its use.
    pub(crate) fn sign(
        &self,
        party: &str,
        origin: &str,
        challenge: &[u8],
    ) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let data = self.authenticator_data(party, self.flags);
        let client_data = self.client_data("webauthn.get", origin, challenge);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Es256(pair) => pair.sign(&random, &signed).unwrap().as_ref().to_vec(),
            Key::EdDsa(pair) => pair.sign(&signed).as_ref().to_vec(),
            Key::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, &signed, &mut signature).unwrap();
                signature
            }
        };
        (data, client_data, signature)
    }
}

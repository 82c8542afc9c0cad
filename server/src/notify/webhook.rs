//! Signed webhooks, as Standard Webhooks has them: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` over `ID.TIMESTAMP.BODY` (specification of standardwebhooks.com, version 1).
//!
//! A secret `whsec_…` signs with HMAC-SHA256 (`v1`), one `whsk_…` with Ed25519 (`v1a`). While a secret
//! is being replaced both sign, so that a receiver can take either.

use assent_core::credential::Secret;
use assent_core::digest::Digest;
use assent_core::time::Timestamp;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::NotTold;
use super::message::Message;
use super::outside::Outside;

/// A receiver.
#[derive(Debug)]
pub(super) struct Hook {
    outside: Outside,
    url: Url,
    keys: Vec<Key>,
}

/// What signs.
enum Key {
    Shared(Box<hmac::Key>),
    Own(Ed25519KeyPair),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Shared(_) => "Key(v1)",
            Self::Own(_) => "Key(v1a)",
        })
    }
}

impl Key {
    fn read(secret: &Secret) -> Result<Self, String> {
        let told = "expected whsec_ and 24 to 64 bytes in base64, or whsk_ and the 32 bytes of an \
            Ed25519 key";
        let text = secret.expose().trim();
        let decoded = |text: &str| STANDARD.decode(text).map(Zeroizing::new).map_err(|_| told);
        if let Some(text) = text.strip_prefix("whsec_") {
            let bytes = decoded(text)?;
            if !(24..=64).contains(&bytes.len()) {
                return Err(told.to_owned());
            }
            return Ok(Self::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes))));
        }
        let text = text.strip_prefix("whsk_").ok_or(told)?;
        let bytes = decoded(text)?;
        // Some write the public half behind the seed.
        let seed = bytes.get(..32).filter(|_| matches!(bytes.len(), 32 | 64)).ok_or(told)?;
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self::Own).map_err(|_| told.to_owned())
    }

    fn sign(&self, signed: &[u8]) -> String {
        match self {
            Self::Shared(key) => format!("v1,{}", STANDARD.encode(hmac::sign(key, signed))),
            Self::Own(key) => format!("v1a,{}", STANDARD.encode(key.sign(signed))),
        }
    }
}

impl Hook {
    /// Signing with all of these.
    pub(super) fn new(outside: Outside, url: Url, secrets: &[Secret]) -> Result<Self, String> {
        outside.check(&url)?;
        let keys = secrets.iter().map(Key::read).collect::<Result<_, _>>()?;
        Ok(Self { outside, url, keys })
    }

    pub(super) async fn tell(&self, messages: &[Message], now: Timestamp) -> Result<(), NotTold> {
        let (id, body) = match messages {
            [one] => (one.id.clone(), one.event.to_string()),
            several => {
                let ids: Vec<_> = several.iter().map(|one| one.id.as_bytes()).collect();
                let all: Vec<_> = several.iter().map(|one| &one.event).collect();
                let body = json!({"type": "notices", "timestamp": now.to_string(), "data": all});
                (format!("ntc_{}", Digest::of_parts(&ids).hex()), body.to_string())
            }
        };
        let headers = signed_headers(&self.keys, &id, now.as_seconds(), body.as_bytes());
        let mut call = self.outside.post(&self.url).header("content-type", "application/json");
        for (name, value) in headers {
            call = call.header(name, value);
        }
        self.outside.deliver(call.body(body)).await
    }
}

fn signed_headers(
    keys: &[Key],
    id: &str,
    seconds: i64,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let mut signed = format!("{id}.{seconds}.").into_bytes();
    signed.extend_from_slice(body);
    let signatures: Vec<_> = keys.iter().map(|key| key.sign(&signed)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Key, String> {
        Key::read(&Secret::new(text.to_owned()))
    }

    /// The example of the specification.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let headers = signed_headers(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(headers[1].1, "1614265330");
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn both_secrets_sign_while_one_is_replaced() {
        let keys = [
            key(&format!("whsec_{}", STANDARD.encode([1; 32]))).unwrap(),
            key(&format!("whsk_{}", STANDARD.encode([2; 32]))).unwrap(),
        ];
        let [_, _, (_, signatures)] = signed_headers(&keys, "ntc_1", 7, b"{}");
        let all: Vec<_> = signatures.split(' ').map(|one| one.split(',').next()).collect();
        assert_eq!(all, [Some("v1"), Some("v1a")]);
    }

    #[test]
    fn t66_what_is_no_secret_is_refused_and_not_told() {
        let short = format!("whsec_{}", STANDARD.encode([1; 23]));
        for bad in ["", "canary", "whsec_", "whsec_canary!", short.as_str(), "whsk_AAAA"] {
            let told = key(bad).unwrap_err();
            assert!(!told.contains("canary"), "{told}");
        }
        let shown = format!("{:?}", key(&format!("whsec_{}", STANDARD.encode([1; 32]))).unwrap());
        assert_eq!(shown, "Key(v1)");
    }
}

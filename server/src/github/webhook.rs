//! Deliveries of GitHub's webhooks: who sent them is proven over the bytes as they came, before
//! anything of them is read (*Validating webhook deliveries*).
//!
//! What a delivery says is a hint and no more: it can be lost, late, repeated and out of order.

use std::fmt;

use assent_core::credential::Secret;
use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use serde_json::Value;

/// The largest delivery that is taken. GitHub sends up to 25 MiB; what is listened for is small.
pub const LARGEST: usize = 1024 * 1024;
/// The longest name of a delivery that is remembered. GitHub's have 36 characters.
const LONGEST_ID: usize = 128;

/// A delivery that GitHub sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Which. The same when it is sent again.
    pub id: String,
    /// Of what it tells, such as `deployment_protection_rule`.
    pub event: String,
    /// What it tells. Written by anybody.
    pub body: Value,
}

/// Why a delivery is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It does not show that whoever knows the webhook's secret sent it.
    #[error("`x-hub-signature-256` is missing, or is not of these bytes by this App's secret")]
    Signature,
    /// It is signed, but says not which delivery it is or of what it tells.
    #[error("`x-github-delivery` or `x-github-event` is missing or no plain word")]
    Unnamed,
    /// It is signed, but no JSON. The webhook's content type has to be `application/json`.
    #[error("the body is no JSON object: set the webhook's content type to application/json")]
    NotJson,
}

/// What proves deliveries.
pub(super) struct Prover(hmac::Key);

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").finish_non_exhaustive()
    }
}

impl Prover {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
    }

    /// The delivery, if it is one.
    pub(super) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Unverified> {
        let given = signature(headers).ok_or(Unverified::Signature)?;
        // Compares in constant time.
        hmac::verify(&self.0, body, &given).map_err(|_| Unverified::Signature)?;
        let word = |name| word(headers, name).ok_or(Unverified::Unnamed);
        let (id, event) = (word("x-github-delivery")?, word("x-github-event")?);
        let body: Value = serde_json::from_slice(body).map_err(|_| Unverified::NotJson)?;
        if !body.is_object() {
            return Err(Unverified::NotJson);
        }
        Ok(Delivery { id, event, body })
    }
}

/// Whether a delivery comes with a signature at all: of one without, the body is not read.
pub(crate) fn is_signed(headers: &HeaderMap) -> bool {
    signature(headers).is_some()
}

/// `sha256=` and 64 digits, once. The older `x-hub-signature` (SHA-1) is not looked at.
fn signature(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = only(headers, "x-hub-signature-256")?.strip_prefix("sha256=")?;
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn word(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = only(headers, name)?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_word = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(fits);
    is_word.then(|| text.to_owned())
}

/// A header that is there once. Of two nobody knows which one counts.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    let one = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(one)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const BODY: &[u8] = br#"{"action":"requested","new":{"field":[1.5,null]},"sender":{"id":7}}"#;

    fn prover() -> Prover {
        Prover::new(&Secret::new("It's a Secret to Everybody".to_owned()))
    }

    fn signed(secret: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let hex = |tag: &[u8]| tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("sha256={}", hex(hmac::sign(&key, body).as_ref()))
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in all {
            let value = HeaderValue::from_str(value).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        map
    }

    fn verify(signature: &[(&'static str, &str)], body: &[u8]) -> Result<Delivery, Unverified> {
        let mut map = headers(signature);
        map.extend(headers(&[
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
            ("x-github-event", "deployment_protection_rule"),
        ]));
        prover().verify(&map, body)
    }

    /// The example of GitHub's documentation, *Validating webhook deliveries*.
    #[test]
    fn t32_the_example_of_the_documentation_is_signed_so() {
        let wanted = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signed("It's a Secret to Everybody", b"Hello, World!"), wanted);
        let told = verify(&[("x-hub-signature-256", wanted)], b"Hello, World!");
        assert_eq!(told, Err(Unverified::NotJson), "the signature was good");
    }

    #[test]
    fn t32_a_signed_delivery_is_taken_with_fields_nobody_knows() {
        let good = signed("It's a Secret to Everybody", BODY);
        let delivery = verify(&[("x-hub-signature-256", &good)], BODY).unwrap();
        assert_eq!(delivery.event, "deployment_protection_rule");
        assert_eq!(delivery.id, "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        assert_eq!(delivery.body["sender"]["id"], 7);
    }

    #[test]
    fn t32_what_is_not_signed_by_the_secret_is_not_read() {
        let good = signed("It's a Secret to Everybody", BODY);
        let other = signed("guessed", BODY);
        let empty = signed("", BODY);
        let upper = format!("sha256={}", good.trim_start_matches("sha256=").to_uppercase());
        let bare = good.trim_start_matches("sha256=").to_owned();
        let longer = format!("{good}00");
        let shorter = good[..good.len() - 2].to_owned();
        let wrong = [&other, &empty, &upper, &bare, &longer, &shorter];
        for signature in wrong.into_iter().map(String::as_str).chain(["", "sha256=", "sha1=00"]) {
            let told = verify(&[("x-hub-signature-256", signature)], BODY);
            assert_eq!(told, Err(Unverified::Signature), "{signature}");
        }
        assert_eq!(verify(&[], BODY), Err(Unverified::Signature));
        let twice = [("x-hub-signature-256", good.as_str()), ("x-hub-signature-256", &other)];
        assert_eq!(verify(&twice, BODY), Err(Unverified::Signature));
    }

    /// The right signature under the older name, and the older one, are none.
    #[test]
    fn t32_sha1_alone_is_no_signature() {
        let good = signed("It's a Secret to Everybody", BODY);
        for value in [good.as_str(), "sha1=8f2e3b0a5b7d8f5a1f2e3b0a5b7d8f5a1f2e3b0a"] {
            assert_eq!(verify(&[("x-hub-signature", value)], BODY), Err(Unverified::Signature));
        }
    }

    /// Whatever re-encodes a body on its way changes what was signed.
    #[test]
    fn t32_a_body_that_was_written_anew_is_another() {
        let good = signed("It's a Secret to Everybody", BODY);
        let value: Value = serde_json::from_slice(BODY).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        let mut spaced = BODY.to_vec();
        spaced.push(b'\n');
        let escaped = String::from_utf8(BODY.to_vec()).unwrap().replace("action", "\\u0061ction");
        let form = [b"payload=".as_slice(), BODY].concat();
        for body in [pretty.as_slice(), &spaced, escaped.as_bytes(), &form, &BODY[1..], b""] {
            let told = verify(&[("x-hub-signature-256", &good)], body);
            assert_eq!(told, Err(Unverified::Signature));
        }
    }

    #[test]
    fn t32_what_is_signed_and_no_json_object_is_refused_after_the_proof() {
        for body in [b"payload=%7B%7D".as_slice(), b"[]", b"7", b"", b"{", b"\xff\xfe"] {
            let good = signed("It's a Secret to Everybody", body);
            let told = verify(&[("x-hub-signature-256", &good)], body);
            assert_eq!(told, Err(Unverified::NotJson), "{body:?}");
        }
    }

    #[test]
    fn t32_a_delivery_names_itself_by_one_plain_word() {
        let good = signed("It's a Secret to Everybody", BODY);
        let long = "a".repeat(LONGEST_ID + 1);
        for (id, event) in [
            ("", "push"),
            ("a b", "push"),
            ("a\u{e9}", "push"),
            (long.as_str(), "push"),
            ("id", ""),
            ("id", "push push"),
            ("id", "../push"),
        ] {
            let map = headers(&[
                ("x-hub-signature-256", &good),
                ("x-github-delivery", id),
                ("x-github-event", event),
            ]);
            assert_eq!(prover().verify(&map, BODY), Err(Unverified::Unnamed), "{id} {event}");
        }
        let none = headers(&[("x-hub-signature-256", &good)]);
        assert_eq!(prover().verify(&none, BODY), Err(Unverified::Unnamed));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert!(!format!("{:?}", prover()).contains("Secret"));
    }
}

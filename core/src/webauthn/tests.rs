//! The verifier: what is taken of a passkey's answer, and all that is refused.

use serde_json::json;

use super::soft::{DEVICE_BOUND, SYNCED, Soft};
use super::*;

const ORIGIN: &str = "https://assent.example.com";
const CHALLENGE: &[u8] = b"exactly this";

fn party() -> RelyingParty {
    RelyingParty::of(ORIGIN).unwrap()
}

fn registered(soft: &Soft, origin: &str) -> Result<Registered, WebauthnError> {
    let (attestation, client_data) = soft.register("assent.example.com", origin, CHALLENGE);
    UnverifiedRegistration { attestation, client_data }.verify(&party(), CHALLENGE)
}

fn assertion(soft: &Soft, id: &str, origin: &str) -> UnverifiedAssertion {
    let (authenticator_data, client_data, signature) = soft.sign(id, origin, CHALLENGE);
    UnverifiedAssertion { authenticator_data, client_data, signature }
}

fn asserted(soft: &Soft, id: &str, origin: &str) -> Result<Flags, WebauthnError> {
    let key = PublicKey::read(&soft.cose()).unwrap();
    assertion(soft, id, origin).verify(&party(), CHALLENGE, &key)
}

#[test]
fn passkeys_of_every_algorithm_are_made_and_used() {
    for algorithm in Algorithm::ALL {
        let soft = Soft::new(algorithm.number());
        let made = registered(&soft, ORIGIN).unwrap();
        assert_eq!((made.key.algorithm(), &made.credential), (algorithm, &soft.credential));
        assert!(made.flags.is_device_bound());
        assert_eq!(made.key, PublicKey::read(&soft.cose()).unwrap());
        let flags = asserted(&soft, "assent.example.com", ORIGIN).unwrap();
        assert!(flags.is_device_bound() && !flags.is_backed_up());
        let synced = Soft { flags: SYNCED, ..soft };
        let flags = asserted(&synced, "assent.example.com", ORIGIN).unwrap();
        assert!(!flags.is_device_bound() && flags.is_backed_up());
    }
}

#[test]
fn only_a_name_with_https_or_localhost_has_passkeys() {
    for base in ["https://assent.example.com", "http://localhost:8420", "https://a.b:8443"] {
        assert_eq!(RelyingParty::of(base).unwrap().origin(), base);
    }
    for base in [
        "http://assent.example.com",
        "https://127.0.0.1",
        "http://127.0.0.1:8420",
        "https://[::1]:8420",
        "https://assent.example.com/",
        "https://assent.example.com:x",
        "https://bob@example.com",
        "https://",
        "localhost",
    ] {
        assert_eq!(RelyingParty::of(base), None, "{base}");
    }
}

#[test]
fn t64_what_was_signed_elsewhere_or_in_a_frame_is_refused() {
    let soft = Soft::new(-7);
    let id = "assent.example.com";
    for origin in
        ["https://evil.example.com", "http://assent.example.com", "https://assent.example.com:444"]
    {
        assert_eq!(asserted(&soft, id, origin), Err(WebauthnError::Origin));
        assert_eq!(registered(&soft, origin), Err(WebauthnError::Origin));
    }
    assert_eq!(asserted(&soft, "example.com", ORIGIN), Err(WebauthnError::RelyingParty));
    for said in [
        json!({"crossOrigin": true}),
        json!({"crossOrigin": null}),
        json!({"crossOrigin": "false"}),
        json!({"topOrigin": ORIGIN}),
    ] {
        let framed = Soft { said, ..Soft::new(-7) };
        assert_eq!(asserted(&framed, id, ORIGIN), Err(WebauthnError::Framed));
        assert_eq!(registered(&framed, ORIGIN), Err(WebauthnError::Framed));
    }
    let other = Soft { said: json!({"type": "webauthn.create"}), ..Soft::new(-7) };
    assert_eq!(asserted(&other, id, ORIGIN), Err(WebauthnError::Ceremony));
    let other = Soft { said: json!({"challenge": "b3RoZXI"}), ..Soft::new(-7) };
    assert_eq!(asserted(&other, id, ORIGIN), Err(WebauthnError::Challenge));
    // Browsers may add what they like.
    let more = Soft { said: json!({"other_keys_can_be_added_here": "x"}), ..Soft::new(-7) };
    assert!(asserted(&more, id, ORIGIN).is_ok());
}

#[test]
fn somebody_must_be_there_and_be_verified() {
    for (flags, why) in [
        (DEVICE_BOUND & !1, WebauthnError::NotPresent),
        (DEVICE_BOUND & !4, WebauthnError::NotVerified),
        (DEVICE_BOUND | 1 << 4, WebauthnError::Malformed("backed up, and not eligible for it")),
    ] {
        let soft = Soft { flags, ..Soft::new(-7) };
        assert_eq!(asserted(&soft, "assent.example.com", ORIGIN), Err(why.clone()));
        assert_eq!(registered(&soft, ORIGIN), Err(why));
    }
}

#[test]
fn another_key_did_not_sign_it() {
    for algorithm in Algorithm::ALL {
        let (soft, other) = (Soft::new(algorithm.number()), Soft::new(algorithm.number()));
        let key = PublicKey::read(&other.cose()).unwrap();
        let signed = assertion(&soft, "assent.example.com", ORIGIN);
        assert_eq!(signed.verify(&party(), CHALLENGE, &key), Err(WebauthnError::Signature));
    }
}

/// Every bit of every part, one at a time.
#[test]
fn every_single_bit_flip_is_refused() {
    for algorithm in Algorithm::ALL {
        let soft = Soft::new(algorithm.number());
        let good = assertion(&soft, "assent.example.com", ORIGIN);
        let cose = soft.cose();
        let accepts = |signed: &UnverifiedAssertion, cose: &[u8], challenge: &[u8]| {
            let key = PublicKey::read(cose);
            key.is_ok_and(|key| signed.verify(&party(), challenge, &key).is_ok())
        };
        assert!(accepts(&good, &cose, CHALLENGE));
        let flips = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            (0..bytes.len() * 8).map(move |bit| {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
        };
        for flipped in flips(&good.signature) {
            let signed = UnverifiedAssertion { signature: flipped, ..good.clone() };
            assert!(!accepts(&signed, &cose, CHALLENGE));
        }
        for flipped in flips(&good.client_data) {
            let signed = UnverifiedAssertion { client_data: flipped, ..good.clone() };
            assert!(!accepts(&signed, &cose, CHALLENGE));
        }
        for flipped in flips(&good.authenticator_data) {
            let signed = UnverifiedAssertion { authenticator_data: flipped, ..good.clone() };
            assert!(!accepts(&signed, &cose, CHALLENGE));
        }
        for flipped in flips(&cose) {
            assert!(!accepts(&good, &flipped, CHALLENGE), "{flipped:02x?}");
        }
        for flipped in flips(CHALLENGE) {
            assert!(!accepts(&good, &cose, &flipped));
        }
    }
}

#[test]
fn what_is_cut_short_or_goes_on_is_refused() {
    let soft = Soft::new(-7);
    let (attestation, client_data) = soft.register("assent.example.com", ORIGIN, CHALLENGE);
    let verify = |attestation: Vec<u8>| {
        let client_data = client_data.clone();
        UnverifiedRegistration { attestation, client_data }.verify(&party(), CHALLENGE)
    };
    assert!(verify(attestation.clone()).is_ok());
    for end in 0..attestation.len() {
        assert!(verify(attestation[..end].to_vec()).is_err());
    }
    assert!(verify([attestation.as_slice(), &[0]].concat()).is_err());
    let cose = soft.cose();
    for end in 0..cose.len() {
        assert!(PublicKey::read(&cose[..end]).is_err());
    }
    // A member that is no part of the key, and one that is there twice.
    let with = |more: &[u8]| [&[cose[0] + 1], &cose[1..], more].concat();
    assert_eq!(PublicKey::read(&with(&[4, 1])), Err(WebauthnError::Key));
    assert_eq!(PublicKey::read(&with(&[1, 2])), Err(WebauthnError::Key));
    // A number that is longer than it need be, and a map without end.
    assert!(PublicKey::read(&[&[cose[0], 0x18, 1], &cose[2..]].concat()).is_err());
    assert!(PublicKey::read(&[&[0xbf], &cose[1..], &[0xff]].concat()).is_err());
    let long = UnverifiedAssertion {
        client_data: vec![b' '; MAX_PART + 1],
        ..assertion(&soft, "assent.example.com", ORIGIN)
    };
    let key = PublicKey::read(&cose).unwrap();
    let refused = long.verify(&party(), CHALLENGE, &key);
    assert_eq!(refused, Err(WebauthnError::Malformed("it is too long")));
}

#[test]
fn weak_and_foreign_keys_are_none() {
    let rsa = Soft::new(-257).cose();
    // 1024 bits.
    let head = [0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x58, 128];
    let small = [&head, &rsa[11..139], &[0x21, 0x43, 1, 0, 1][..]].concat();
    assert_eq!(PublicKey::read(&small), Err(WebauthnError::Key));
    // An even exponent.
    let even = [&rsa[..rsa.len() - 1], &[0]].concat();
    assert_eq!(PublicKey::read(&even), Err(WebauthnError::Key));
    // A point that is not on the curve.
    let mut point = Soft::new(-7).cose();
    point[10..42].fill(1);
    assert_eq!(PublicKey::read(&point), Err(WebauthnError::Key));
    // ES256 over the coordinates of another curve, EdDSA by the number of ES256.
    let mut curve = Soft::new(-7).cose();
    curve[6] = 2;
    assert_eq!(PublicKey::read(&curve), Err(WebauthnError::Key));
    let mut number = Soft::new(-8).cose();
    number[4] = 0x26;
    assert_eq!(PublicKey::read(&number), Err(WebauthnError::Key));
}

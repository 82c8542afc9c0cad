//! Proofs: the good ones, and everything around them that is none.

use aws_lc_rs::rand::SystemRandom;
use serde_json::json;

use super::*;
use crate::credential::{Algorithm, SigningKey};
use crate::token::tests::{ALGORITHMS as KINDS, KEYS, encode, merged};

const URI: &str = "https://orders.example.com/deploy/api";
const TOKEN: &str = "header.claims.signature";

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_210_286_000)
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() + seconds * 1000)
}

/// The public key of one kind, as a proof names it.
fn jwk(kind: &str) -> Value {
    let set = KEYS.jwks();
    let found = set["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == kind);
    merged(found.unwrap().clone(), json!({"kid": null, "use": null}))
}

fn claims() -> Value {
    json!({
        "jti": "0b9e0a4f", "htm": "POST", "htu": URI, "iat": now().as_seconds(),
        "ath": encode(Digest::of(TOKEN.as_bytes()).as_bytes()),
    })
}

/// A proof that is as it should be but for what these say.
fn proof_of(kind: &str, header: Value, more: Value) -> String {
    let header = merged(json!({"alg": kind, "typ": "dpop+jwt", "jwk": jwk(kind)}), header);
    KEYS.token(kind, &header.to_string(), &merged(claims(), more).to_string())
}

fn fresh() -> Proofs {
    Proofs::new(Replays::with_room(100))
}

fn checked(proof: &str) -> Result<Thumbprint, ProofError> {
    checked_at(proof, now())
}

fn checked_at(proof: &str, at: Timestamp) -> Result<Thumbprint, ProofError> {
    let key = jwk(KINDS.iter().find(|kind| checked_key(proof, kind)).unwrap_or(&"ES256"));
    let bound = Bound { token: TOKEN, key: Thumbprint::of_jwk(&key).unwrap() };
    fresh().check(&Sent { proof, method: "POST", uri: URI }, Some(bound), at)
}

/// Whether the proof names this key.
fn checked_key(proof: &str, kind: &str) -> bool {
    let header = proof.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header = header.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    header.is_some_and(|header| header["jwk"]["x"] == jwk(kind)["x"] && header["alg"] == kind)
}

fn with(more: Value) -> Result<Thumbprint, ProofError> {
    checked(&proof_of("ES256", json!({}), more))
}

fn with_header(header: Value) -> Result<Thumbprint, ProofError> {
    checked(&proof_of("ES256", header, json!({})))
}

/// RFC 9449 sections 4.1 and 7.1, figures 2, 12 and 13.
#[test]
fn the_proofs_of_the_rfc_are_good() {
    let header = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0\
                  VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10\
                  NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
    let mint = "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUu\
                Y29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbd\
                LXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap();
    let at = Timestamp::from_millis(1_562_262_620_000);
    let proof = format!("{header}.{mint}");
    let sent = Sent { proof: &proof, method: "POST", uri: "https://server.example.com/token" };
    assert_eq!(fresh().check(&sent, None, at), Ok(key));
    let used = "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxl\
                Lm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0Ji\
                MHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyV\
                nmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let proof = format!("{header}.{used}");
    let uri = "https://resource.example.org/protectedresource";
    let bound = Bound { token: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", key };
    let sent = Sent { proof: &proof, method: "GET", uri };
    assert_eq!(fresh().check(&sent, Some(bound), at), Ok(key));
    let other = Bound { token: "another", key };
    assert_eq!(fresh().check(&sent, Some(other), at), Err(ProofError::Token));
}

#[test]
fn a_proof_of_each_kind_of_key_is_good() {
    for kind in KINDS {
        let proof = proof_of(kind, json!({}), json!({}));
        assert_eq!(checked(&proof), Ok(Thumbprint::of_jwk(&jwk(kind)).unwrap()), "{kind}");
    }
    let random = SystemRandom::new();
    let ed = aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8v1(&random).unwrap();
    let p256 = SigningKey::generate(Algorithm::Es256, &random).unwrap();
    for pkcs8 in [ed.as_ref(), &p256] {
        let holder = Holder::new(pkcs8).unwrap();
        let key = holder.thumbprint().unwrap();
        let call = ("POST", "https://orders.example.com/deploy/api?dry=1");
        let proof = holder.proof(call, Some(TOKEN), None, now(), &random).unwrap();
        let sent = Sent { proof: &proof, method: "POST", uri: URI };
        let bound = Bound { token: TOKEN, key };
        assert_eq!(fresh().check(&sent, Some(bound), now()), Ok(key));
        assert!(!format!("{holder:?}").contains(&encode(pkcs8)[40..60]));
        let pem = base64::engine::general_purpose::STANDARD.encode(pkcs8);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
        let read = Holder::from_pem(&crate::credential::Secret::new(pem)).unwrap();
        assert_eq!(read.thumbprint(), Ok(key));
    }
    assert!(Holder::new(b"no key").is_err());
}

#[test]
fn t31_a_proof_that_was_only_examined_is_used_later_once_and_in_time() {
    let proofs = fresh();
    let proof = proof_of("ES256", json!({}), json!({}));
    let sent = Sent { proof: &proof, method: "POST", uri: URI };
    let whose = Digest::of(b"alice");
    let first = proofs.examine(&sent, None, now()).unwrap();
    let second = proofs.examine(&sent, None, now()).unwrap();
    assert_eq!(first.key(), Thumbprint::of_jwk(&jwk("ES256")).unwrap());
    // By then it may be forgotten that it was used.
    let old = Err(ProofError::Old(now()));
    assert_eq!(proofs.take(&first, whose, after(121)), old);
    proofs.take(&first, whose, after(120)).unwrap();
    assert_eq!(proofs.take(&second, whose, after(120)), Err(ProofError::Replayed));
}

#[test]
fn t31_a_proof_is_good_once_and_for_its_own_token_key_and_call() {
    let proofs = fresh();
    let proof = proof_of("ES256", json!({}), json!({}));
    let key = Thumbprint::of_jwk(&jwk("ES256")).unwrap();
    let good = Sent { proof: &proof, method: "POST", uri: URI };
    let bound = Some(Bound { token: TOKEN, key });
    let other = Thumbprint::of_jwk(&jwk("EdDSA")).unwrap();
    let refused = [
        (Sent { method: "GET", ..good }, bound, ProofError::Method("POST".to_owned())),
        (Sent { uri: "https://orders.example.com/deploy/db", ..good }, bound, ProofError::Uri),
        (good, Some(Bound { token: "another", key }), ProofError::Token),
        (good, Some(Bound { token: TOKEN, key: other }), ProofError::Key),
    ];
    for (sent, bound, error) in refused {
        assert_eq!(proofs.check(&sent, bound, now()), Err(error));
    }
    assert_eq!(proofs.check(&good, bound, now()), Ok(key), "what is refused is not used up");
    for later in [0, 60, 120] {
        assert_eq!(proofs.check(&good, bound, after(later)), Err(ProofError::Replayed));
    }
    // Another key may have chosen the same id.
    let proof = proof_of("EdDSA", json!({}), json!({}));
    let sent = Sent { proof: &proof, ..good };
    let bound = Some(Bound { token: TOKEN, key: other });
    assert_eq!(proofs.check(&sent, bound, now()), Ok(other));
    // What can happen only once anyway needs no memory.
    assert_eq!(check_once(&sent, bound, now()), Ok(other));
    assert_eq!(check_once(&sent, bound, after(121)), Err(ProofError::Old(now())));
}

#[test]
fn t18_t20_a_proofs_time_is_kept_to_the_second() {
    let proof = proof_of("ES256", json!({}), json!({}));
    for good in [-60, 0, 60, 120] {
        assert!(checked_at(&proof, after(good)).is_ok(), "{good}");
    }
    assert_eq!(checked_at(&proof, after(121)), Err(ProofError::Old(now())));
    assert_eq!(checked_at(&proof, after(-61)), Err(ProofError::TooEarly(now())));
    let seconds = now().as_seconds();
    assert!(with(json!({"exp": seconds - 59, "nbf": seconds + 60})).is_ok());
    assert_eq!(with(json!({"exp": seconds - 60})), Err(ProofError::Old(now())));
    assert_eq!(with(json!({"nbf": seconds + 61})), Err(ProofError::TooEarly(after(61))));
    for wrong in [json!("1795210286"), json!(1.5), json!(-1), json!(1_u64 << 40), json!([1])] {
        for name in ["iat", "exp", "nbf"] {
            assert_eq!(with(json!({name: wrong})), Err(ProofError::Claim(name)), "{name} {wrong}");
        }
    }
}

#[test]
fn t20_claims_that_are_missing_or_of_another_type_are_refused() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        for wrong in [json!(null), json!(""), json!(1), json!([URI]), json!({}), json!(true)] {
            let refused = with(json!({name: wrong}));
            // A number is a time, though a wrong one.
            let is_time = name == "iat" && wrong == 1;
            assert!(is_time || refused == Err(ProofError::Claim(name)), "{name} {wrong}");
            assert!(refused.is_err(), "{name} {wrong}");
        }
    }
    assert_eq!(with(json!({"jti": "x".repeat(257)})), Err(ProofError::Claim("jti")));
    for ath in [encode(b"x"), format!("{}=", claims()["ath"].as_str().unwrap())] {
        assert_eq!(with(json!({"ath": ath})), Err(ProofError::Token));
    }
    for method in ["post", "POST ", "GET"] {
        assert_eq!(with(json!({"htm": method})), Err(ProofError::Method(method.to_owned())));
    }
    assert!(with(json!({"htu": format!("{URI}?x=1"), "more": {"is": "ignored"}})).is_ok());
}

#[test]
fn t21_t23_a_proofs_header_says_type_algorithm_and_key_and_nothing_else() {
    for typ in [json!(null), json!("JWT"), json!("at+jwt"), json!("dpop"), json!(1)] {
        let refused = ProofError::Header("typ is not dpop+jwt");
        assert_eq!(with_header(json!({"typ": typ})), Err(refused), "{typ}");
    }
    assert!(with_header(json!({"typ": "DPoP+JWT"})).is_ok());
    for alg in ["none", "HS256", "RS256", "ES384", "EdDSA", "es256"] {
        let refused = ProofError::Header("alg is not its key's");
        assert_eq!(with_header(json!({"alg": alg})), Err(refused), "{alg}");
    }
    for name in ["kid", "jku", "x5c", "x5u", "crit", "b64", "zip", "cty"] {
        let refused = ProofError::Header("only typ, alg and jwk are known");
        assert_eq!(with_header(json!({name: "x"})), Err(refused), "{name}");
    }
    let unusable = Err(ProofError::Header("jwk is no public key that is accepted"));
    for (name, value) in [
        ("d", json!("AAAA")),
        ("kty", json!("oct")),
        ("crv", json!("P-521")),
        ("x", json!("AAAA")),
        ("y", json!(1)),
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("key_ops", json!(["sign"])),
    ] {
        let jwk = merged(jwk("ES256"), json!({name: value}));
        assert_eq!(with_header(json!({"jwk": jwk})), unusable, "{name}");
    }
    for jwk in [json!(null), json!("x"), json!([jwk("ES256")])] {
        assert_eq!(with_header(json!({"jwk": jwk})), Err(ProofError::Header("jwk is no key")));
    }
    // Somebody else's key beside one's own signature.
    assert_eq!(
        with_header(json!({"jwk": jwk("EdDSA"), "alg": "EdDSA"})),
        Err(ProofError::Signature)
    );
    let secret = jwk("RS256")["n"].as_str().unwrap().as_bytes().to_vec();
    let header = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk("RS256")}).to_string();
    let input = format!("{}.{}", encode(header), encode(claims().to_string()));
    let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let confused = format!("{input}.{}", encode(aws_lc_rs::hmac::sign(&mac, input.as_bytes())));
    assert!(checked(&confused).is_err());
}

#[test]
fn t23_whatever_is_no_token_is_refused() {
    let good = proof_of("ES256", json!({}), json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk("ES256")}).to_string();
    let twice = format!("{{\"htm\": \"POST\", {}", &claims().to_string()[1..]);
    let texts = [
        String::new(),
        "x".to_owned(),
        "...".to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}, {good}"),
        format!("{signed}.{}", &signature[1..]),
        "A".repeat(1 << 20),
        KEYS.token("ES256", &header, &twice),
        KEYS.token("ES256", &header, "[]"),
        KEYS.token("ES256", "[]", &claims().to_string()),
        KEYS.token("ES256", &header, &format!("{}{}", "[".repeat(5_000), "]".repeat(5_000))),
    ];
    for text in &texts {
        assert!(checked(text).is_err(), "{text}");
    }
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 1 << (at % 7);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        assert!(checked(&changed).is_err(), "byte {at} may be changed");
    }
}

#[test]
fn a_nonce_that_is_asked_for_must_be_there() {
    let proofs = || fresh().with_nonces(Nonces::new(&[7; 32], Span::minutes(5)));
    let checked = |more: Value| {
        let proof = proof_of("ES256", json!({}), more);
        let key = Thumbprint::of_jwk(&jwk("ES256")).unwrap();
        let bound = Bound { token: TOKEN, key };
        proofs().check(&Sent { proof: &proof, method: "POST", uri: URI }, Some(bound), now())
    };
    let nonce = proofs().nonce(now()).unwrap();
    assert!(checked(json!({"nonce": nonce})).is_ok());
    let old = proofs().nonce(after(-600)).unwrap();
    for wrong in [json!(null), json!(""), json!("x"), json!(1), json!([nonce]), json!(old)] {
        assert_eq!(checked(json!({"nonce": wrong})), Err(ProofError::Nonce), "{wrong}");
    }
    // One that nobody asked for does no harm.
    assert!(with(json!({"nonce": "x"})).is_ok());
    assert_eq!(fresh().nonce(now()), None);
}

//! Tokens by the real way (filed, approved, spent, released, minted), and hostile ones beside them.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::digest::Digest;
use crate::id::{CredentialId, RequestId, ReviewId};
use crate::intent::UnverifiedIntent;
use crate::membership::Membership;
use crate::policy::ruling::{Outcome, Requirement, Ruling, Stage, Terms};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::request::{Filing, Receipt, Request, Said, Spend, Step, Verdict};
use crate::time::{Span, Timestamp};

const ISSUER: &str = "https://assent.example.com";
const AUDIENCE: &str = "postgres://orders";

fn start() -> Timestamp {
    Timestamp::from_millis(1_795_210_286_000)
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_millis(start().as_millis() + seconds * 1000)
}

fn person(name: &str) -> Principal {
    Principal {
        id: PrincipalId::local(name).unwrap(),
        kind: PrincipalKind::Person,
        groups: BTreeSet::new(),
        acts_for: BTreeSet::new(),
        claims: serde_json::Map::new(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is the ledger")]
fn committed(step: &Step) -> Receipt {
    Receipt::for_committed(step)
}

/// A signing key, its public half, and one token by the real way.
struct Minting {
    pkcs8: Zeroizing<Vec<u8>>,
    signer: Signer,
    minted: Minted,
}

fn mint() -> Minting {
    mint_bound(None)
}

fn mint_bound(confirmation: Option<dpop::Thumbprint>) -> Minting {
    let random = SystemRandom::new();
    let pkcs8 = SigningKey::generate(Algorithm::Es256, &random).unwrap();
    let signer = Signer::new(ISSUER, &pkcs8).unwrap();
    let stated = UnverifiedIntent {
        kind: "database.session".to_owned(),
        environment: "production".to_owned(),
        target: BTreeMap::from([("database".to_owned(), "orders".to_owned())]),
        subject: Some(Digest::of(b"plan")),
        reason: "look at a stuck job".to_owned(),
        ..UnverifiedIntent::default()
    };
    let stage = Stage {
        name: "r/dba".to_owned(),
        rules: BTreeSet::from(["r".to_owned()]),
        approvals: 1,
        from: BTreeSet::from(["person:bob".parse().unwrap()]),
        elsewhere: None,
        exclude: BTreeSet::new(),
        after: None,
        login_within: None,
        signature: None,
        means: Default::default(),
        expires_after: None,
        escalate: None,
        remind: None,
    };
    let (stages, expires_after) = (vec![stage], Span::hours(1));
    let requirement = Requirement { stages, expires_after, terms: Terms::DEFAULT };
    let ruling = Ruling {
        outcome: Outcome::Require(requirement),
        rules: BTreeSet::from(["r".to_owned()]),
        notify: BTreeSet::new(),
        post_reviews: Vec::new(),
        risk: None,
        policy: Digest::of(b"policy"),
    };
    let id = RequestId::new(start(), [1; 10]);
    let (intent, requester) = (stated.verify().unwrap(), person("alice"));
    let filed = Request::file(
        Filing { id, intent, requester, ruling, known: Known::default(), heartbeat: None },
        start(),
    );
    let request = filed.next();
    let (verdict, digest) = (Verdict::Approve, request.digest());
    let said = Said {
        verdict,
        digest,
        comment: String::new(),
        signed_in_at: None,
        means: Default::default(),
    };
    let nobody = Membership::default();
    let review = ReviewId::new(start(), [2; 10]);
    let reviewed = request.review(review, &person("bob"), said, &nobody, start()).unwrap();
    let credential = CredentialId::new(start(), [3; 10]);
    let (audience, ttl) = (AUDIENCE.to_owned(), Some(Span::minutes(5)));
    let spend = Spend { ttl, confirmation, ..Spend::on(credential, audience) };
    let sealed = reviewed.next().consume(&person("alice"), spend, &nobody, start()).unwrap();
    let receipt = committed(sealed.step());
    let minted = signer.mint(sealed.release(&receipt).unwrap(), &random).unwrap();
    Minting { pkcs8, signer, minted }
}

impl Minting {
    fn token(&self) -> &str {
        self.minted.token.expose()
    }

    fn keys(&self) -> KeySet {
        KeySet::read(&json!({"keys": [self.signer.jwk()]}))
    }

    fn kid(&self) -> Value {
        self.signer.jwk()["kid"].clone()
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid()})
    }

    fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        self.verify_at(token, after(10))
    }

    fn verify_at(&self, token: &str, now: Timestamp) -> Result<Claims, Rejection> {
        Verifier::new(ISSUER, AUDIENCE).verify(token, &self.keys(), now)
    }

    /// Whatever the text, signed with the authority's own key.
    fn sign(&self, header: &str, claims: &str) -> String {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn with_header(&self, header: &Value) -> Result<Claims, Rejection> {
        self.verify(&self.sign(&header.to_string(), &self.minted.claims.to_string()))
    }

    fn with_claims(&self, claims: &str) -> Result<Claims, Rejection> {
        self.verify(&self.sign(&self.header().to_string(), claims))
    }

    fn with(&self, name: &str, value: Value) -> Result<Claims, Rejection> {
        let mut claims = self.minted.claims.clone();
        claims[name] = value;
        self.with_claims(&claims.to_string())
    }

    fn without(&self, name: &str) -> Result<Claims, Rejection> {
        let mut claims = self.minted.claims.clone();
        claims.as_object_mut().unwrap().remove(name).unwrap();
        self.with_claims(&claims.to_string())
    }
}

#[test]
fn what_is_minted_verifies_and_says_what_was_granted() {
    let minting = mint();
    let claims = minting.verify(minting.token()).unwrap();
    assert_eq!(claims.sub, "assent:v1:production:database.session");
    assert_eq!((claims.audience.as_str(), claims.environment.as_str()), (AUDIENCE, "production"));
    assert_eq!((claims.issued_at, claims.expires_at), (start(), after(300)));
    assert_eq!(claims.id, minting.minted.credential);
    assert_eq!(Value::Object(claims.all.clone()), minting.minted.claims);
    assert_eq!(claims.all["approved_by"], json!(["bob"]));
    assert_eq!(claims.all["client_id"], json!("alice"));
    assert_eq!(
        claims.all["authorization_details"],
        json!([{
            "type": "assent_intent", "actions": ["database.session"], "locations": ["production"],
            "target": {"database": "orders"}, "digest": claims.digest,
            "subject_digest": Digest::of(b"plan").to_string(),
        }])
    );
    assert_eq!(minting.minted.fingerprint, Digest::of(minting.token().as_bytes()));
    assert!(Verifier::of_own(ISSUER).verify(minting.token(), &minting.keys(), after(10)).is_ok());
}

#[test]
fn every_flipped_bit_of_a_token_is_refused() {
    let minting = mint();
    let keys = minting.keys();
    let verifier = Verifier::new(ISSUER, AUDIENCE);
    let token = minting.token().as_bytes();
    for at in 0..token.len() * 8 {
        let mut flipped = token.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        let Ok(flipped) = String::from_utf8(flipped) else { continue };
        assert!(verifier.verify(&flipped, &keys, after(10)).is_err(), "bit {at}: {flipped}");
    }
    for end in 0..token.len() {
        assert!(
            verifier.verify(&minting.token()[..end], &keys, after(10)).is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn every_flipped_bit_under_the_base64_is_refused() {
    let minting = mint();
    let parts: Vec<Vec<u8>> =
        minting.token().split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
    for part in 0..3 {
        for at in 0..parts[part].len() * 8 {
            let mut flipped = parts.clone();
            flipped[part][at / 8] ^= 1 << (at % 8);
            let token: Vec<_> = flipped.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            assert!(minting.verify(&token.join(".")).is_err(), "part {part} bit {at}");
        }
    }
}

#[test]
fn t24_another_audience_or_issuer_is_refused() {
    let minting = mint();
    let verify = |issuer, audience| {
        Verifier::new(issuer, audience).verify(minting.token(), &minting.keys(), after(10))
    };
    assert_eq!(verify(ISSUER, "postgres://order"), Err(Rejection::Audience(AUDIENCE.to_owned())));
    assert_eq!(verify(ISSUER, "POSTGRES://orders"), Err(Rejection::Audience(AUDIENCE.to_owned())));
    assert_eq!(
        verify("https://assent.example.com/", AUDIENCE),
        Err(Rejection::Issuer(ISSUER.to_owned()))
    );
    let own = Verifier::of_own("https://other.example.com");
    assert!(own.verify(minting.token(), &minting.keys(), after(10)).is_err());
    let other = Rejection::Issuer("https://evil.example.com".to_owned());
    assert_eq!(minting.with("iss", json!("https://evil.example.com")), Err(other));
    for audience in [json!([AUDIENCE]), json!([AUDIENCE, "x"]), json!([]), json!(null), json!("")] {
        assert_eq!(minting.with("aud", audience), Err(Rejection::Claim("aud")));
    }
}

#[test]
fn t18_t20_time_is_kept_to_the_second() {
    let minting = mint();
    let at = |seconds| minting.verify_at(minting.token(), after(seconds)).err();
    assert_eq!(at(299), None);
    assert_eq!(
        minting
            .verify_at(minting.token(), Timestamp::from_millis(after(300).as_millis() - 1))
            .err(),
        None
    );
    assert_eq!(at(300), Some(Rejection::Expired(after(300))));
    assert_eq!(at(100_000), Some(Rejection::Expired(after(300))));
    // The issuer's clock may be ahead by a minute.
    assert_eq!(at(-60), None);
    let early = Timestamp::from_millis(after(-60).as_millis() - 1);
    assert_eq!(minting.verify_at(minting.token(), early).err(), Some(Rejection::TooEarly(start())));
    assert_eq!(at(-300), Some(Rejection::TooEarly(start())));
    let now = after(10).as_seconds();
    assert!(minting.with("nbf", json!(now + 60)).is_ok());
    assert_eq!(minting.with("nbf", json!(now + 61)).err(), Some(Rejection::TooEarly(after(71))));
    assert_eq!(minting.with("nbf", json!("soon")).err(), Some(Rejection::Claim("nbf")));
    let week = 7 * 86_400;
    assert!(minting.with("exp", json!(start().as_seconds() + week)).is_ok());
    assert_eq!(
        minting.with("exp", json!(start().as_seconds() + week + 1)).err(),
        Some(Rejection::Claim("exp"))
    );
}

#[test]
fn t20_a_claim_that_is_missing_or_of_another_type_is_refused() {
    let minting = mint();
    let texts = ["iss", "sub", "aud", "jti", "request_id", "digest", "environment"];
    for name in texts {
        assert_eq!(minting.without(name).err(), Some(Rejection::Claim(name)), "no {name}");
        for value in [json!(1), json!(null), json!(true), json!(["x"]), json!({}), json!("")] {
            assert_eq!(
                minting.with(name, value.clone()).err(),
                Some(Rejection::Claim(name)),
                "{name}: {value}"
            );
        }
    }
    for name in ["iat", "exp"] {
        assert_eq!(minting.without(name).err(), Some(Rejection::Claim(name)), "no {name}");
        let good = start().as_seconds();
        for value in [
            json!(good.to_string()),
            json!(good as f64 + 0.5),
            json!(null),
            json!(-1),
            json!(1u64 << 40),
            json!([good]),
        ] {
            assert_eq!(
                minting.with(name, value.clone()).err(),
                Some(Rejection::Claim(name)),
                "{name}: {value}"
            );
        }
    }
    for jti in [
        "crd_1",
        "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
        "../etc/passwd",
        "crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z\0",
    ] {
        assert_eq!(minting.with("jti", json!(jti)).err(), Some(Rejection::Claim("jti")), "{jti}");
    }
}

#[test]
fn t21_the_algorithm_is_ours_and_not_the_tokens() {
    let minting = mint();
    let point = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &minting.pkcs8).unwrap();
    let point = point.public_key().as_ref().to_vec();
    for algorithm in [
        "none", "None", "NONE", "HS256", "ES384", "PS256", "Ed25519", "es256", "", "ES256 ",
        "RS256", "EdDSA",
    ] {
        let header = json!({"alg": algorithm, "typ": "at+jwt", "kid": minting.kid()});
        let is_ours = matches!(algorithm, "RS256" | "EdDSA");
        let refused = if is_ours { "alg is not its key's" } else { "alg is none of ours" };
        let refused = Err(Rejection::Header(refused));
        assert_eq!(minting.with_header(&header), refused, "{algorithm}");
        // Keyed by what everybody knows (row 21), or not signed at all.
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(minting.minted.claims.to_string())
        );
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &point);
        let tag = aws_lc_rs::hmac::sign(&key, input.as_bytes());
        for signature in [URL_SAFE_NO_PAD.encode(tag), String::new()] {
            assert_eq!(minting.verify(&format!("{input}.{signature}")), refused, "{algorithm}");
        }
    }
    // ES256 in name, and no signature of that key.
    let unsigned = minting.token().rsplit_once('.').unwrap().0;
    for signature in [vec![], vec![0; 64], vec![0xff; 64], vec![0; 63], vec![1; 72]] {
        let token = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(minting.verify(&token), Err(Rejection::Signature));
    }
    assert_eq!(mint().verify(minting.token()), Err(Rejection::UnknownKey));
}

#[test]
fn t23_no_header_steers_the_verifier() {
    let minting = mint();
    let known = "only alg, typ and kid are known";
    for name in
        ["jku", "jwk", "x5u", "x5c", "x5t", "crit", "b64", "zip", "cty", "enc", "ALG", "nonce"]
    {
        let mut header = minting.header();
        header[name] = json!(if name == "jwk" { minting.signer.jwk() } else { json!("x") });
        assert_eq!(minting.with_header(&header), Err(Rejection::Header(known)), "{name}");
    }
    for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt", "secevent+jwt", ""] {
        let mut header = minting.header();
        header["typ"] = json!(typ);
        assert_eq!(
            minting.with_header(&header),
            Err(Rejection::Header("typ is not at+jwt")),
            "{typ}"
        );
    }
    for header in [json!([]), json!("x"), json!(null), json!(1)] {
        assert_eq!(minting.with_header(&header), Err(Rejection::Malformed("not a JSON object")));
    }
    assert!(minting.with_header(&json!({})).is_err());
}

#[test]
fn t23_duplicate_members_are_refused_in_header_and_claims() {
    let minting = mint();
    let strict = Err(Rejection::Malformed("not strict JSON"));
    let claims = minting.minted.claims.to_string();
    let doubled = format!("{{\"aud\":\"{AUDIENCE}\",{}", &claims[1..]);
    assert_eq!(minting.with_claims(&doubled), strict);
    let escaped = format!("{{\"\\u0061ud\":\"x\",{}", &claims[1..]);
    assert_eq!(minting.with_claims(&escaped), strict);
    let header = minting.header().to_string();
    let doubled = format!("{{\"alg\":\"none\",{}", &header[1..]);
    assert_eq!(minting.verify(&minting.sign(&doubled, &claims)), strict);
}

#[test]
fn hostile_json_is_refused_and_nothing_falls() {
    let minting = mint();
    let deep = format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000));
    let claims = minting.minted.claims.to_string();
    let with = |value: &str| format!("{{\"x\":{value},{}", &claims[1..]);
    for bad in [
        with(&deep),
        with("1e999"),
        with("9007199254740993"),
        with("\"\\ud800\""),
        format!("{claims} {claims}"),
        format!("{claims}x"),
        String::new(),
        "{".to_owned(),
        "\u{feff}{}".to_owned(),
    ] {
        assert_eq!(
            minting.with_claims(&bad).err(),
            Some(Rejection::Malformed("not strict JSON")),
            "{:.60}",
            bad
        );
    }
    for bad in ["[]", "null", "\"x\"", "1"] {
        assert_eq!(
            minting.with_claims(bad).err(),
            Some(Rejection::Malformed("not a JSON object")),
            "{bad}"
        );
    }
    assert_eq!(
        minting.with("x", json!("x".repeat(20_000))).err(),
        Some(Rejection::Malformed("too long"))
    );
    // What we do not know stands in the token and decides nothing.
    assert!(minting.with("x", json!({"administrator": true})).is_ok());
}

#[test]
fn t22_a_key_id_is_a_map_key_and_nothing_else() {
    let minting = mint();
    let refused = Rejection::Header("kid is not 1 to 256 bytes of text");
    let cases = [
        (json!("unknown"), Rejection::UnknownKey),
        (json!("../../etc/passwd"), Rejection::UnknownKey),
        (json!("' OR 1=1 --"), Rejection::UnknownKey),
        (json!("\0"), Rejection::UnknownKey),
        (json!(format!("{}\0", minting.kid().as_str().unwrap())), Rejection::UnknownKey),
        (json!("k".repeat(256)), Rejection::UnknownKey),
        (json!("k".repeat(257)), refused.clone()),
        (json!("k".repeat(10_000)), refused.clone()),
        (json!(""), refused.clone()),
        (json!(7), refused.clone()),
        (json!(null), refused.clone()),
        (json!([minting.kid()]), refused.clone()),
    ];
    for (kid, wanted) in cases {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": kid});
        assert_eq!(minting.with_header(&header), Err(wanted), "{kid:.40}");
    }
    assert_eq!(minting.with_header(&json!({"alg": "ES256", "typ": "at+jwt"})), Err(refused));
}

#[test]
fn t22_of_two_keys_with_one_id_neither_counts() {
    let (minting, other) = (mint(), mint());
    let mut twin = other.signer.jwk();
    twin["kid"] = minting.kid();
    let own = minting.signer.jwk();
    let verify = |keys: Value| {
        Verifier::new(ISSUER, AUDIENCE)
            .verify(minting.token(), &KeySet::read(&json!({"keys": keys})), after(10))
            .err()
    };
    assert_eq!(verify(json!([own, other.signer.jwk()])), None);
    assert_eq!(verify(json!([own, twin])), Some(Rejection::UnknownKey));
    assert_eq!(verify(json!([twin, own])), Some(Rejection::UnknownKey));
    assert_eq!(verify(json!([own, own, own])), Some(Rejection::UnknownKey));
}

#[test]
fn a_key_set_holds_signature_keys_of_ours_and_no_others() {
    let minting = mint();
    let own = minting.signer.jwk();
    let with = |name: &str, value: Value| {
        let mut key = own.clone();
        key[name] = value;
        key
    };
    let short = URL_SAFE_NO_PAD.encode([1; 31]);
    let padded = format!("{}=", own["x"].as_str().unwrap());
    let bad = [
        with("kty", json!("RSA")),
        with("kty", json!("oct")),
        with("kty", json!(null)),
        with("crv", json!("P-384")),
        with("crv", json!(["P-256"])),
        with("alg", json!("RS256")),
        with("alg", json!("none")),
        with("alg", json!("ES384")),
        with("d", json!("AAAA")),
        // Not on the curve.
        with("y", json!(URL_SAFE_NO_PAD.encode([7; 32]))),
        with("use", json!("enc")),
        with("x", json!(short)),
        with("x", json!("")),
        with("y", json!(7)),
        with("x", json!(padded)),
        with("kid", json!("")),
        with("kid", json!("k".repeat(257))),
        with("kid", json!(1)),
        json!({}),
        json!([]),
        json!(null),
        json!("key"),
    ];
    for key in bad {
        let keys = KeySet::read(&json!({"keys": [key]}));
        let refused =
            Verifier::new(ISSUER, AUDIENCE).verify(minting.token(), &keys, after(10)).err();
        assert_eq!(refused, Some(Rejection::UnknownKey), "{key}");
    }
    for set in [
        json!(null),
        json!([]),
        json!({}),
        json!({"keys": {}}),
        json!({"keys": "x"}),
        json!({"keys": [[[]]]}),
        own.clone(),
    ] {
        let refused = Verifier::new(ISSUER, AUDIENCE)
            .verify(minting.token(), &KeySet::read(&set), after(10))
            .err();
        assert_eq!(refused, Some(Rejection::UnknownKey), "{set}");
    }
    // What else stands in a set does not harm its good keys (RFC 7517 section 5).
    let keys = KeySet::read(&json!({"keys": [null, {"kty": "OKP"}, own], "more": 1}));
    assert!(Verifier::new(ISSUER, AUDIENCE).verify(minting.token(), &keys, after(10)).is_ok());
}

#[test]
fn only_the_one_spelling_of_a_token_is_read() {
    let minting = mint();
    let token = minting.token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{token}") };
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    let others = [
        format!("{token}."),
        format!(".{token}"),
        format!("{header}..{claims}.{signature}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{signature}.x"),
        header.to_string(),
        format!("{header}.{claims}.{}", padded(signature)),
        format!("{}.{claims}.{signature}", padded(header)),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token} "),
        format!("Bearer {token}"),
        format!("{header}.{claims}.{signature}="),
        format!("{header}.{claims}.{signature}=="),
        format!(
            "{header}.{claims}.{}",
            STANDARD.encode(URL_SAFE_NO_PAD.decode(signature).unwrap())
        ),
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "....".to_owned(),
        "\u{1f600}.\u{1f600}.x".to_owned(),
    ];
    for other in others {
        assert!(minting.verify(&other).is_err(), "{other}");
    }
    // 64 bytes are 86 digits, the last of which has four bits to spare (RFC 4648 section 3.5).
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (stem, last) = token.split_at(token.len() - 1);
    let at = alphabet.find(last).unwrap();
    for spare in 1..16 {
        let other = format!("{stem}{}", &alphabet[at + spare..=at + spare]);
        assert_eq!(minting.verify(&other), Err(Rejection::Malformed("not base64url")));
    }
}

#[test]
fn an_unverified_key_id_is_told_only_of_a_header_that_could_be_accepted() {
    let minting = mint();
    assert_eq!(unverified_key_id(minting.token()).map(Value::from), Ok(minting.kid()));
    let claims = minting.minted.claims.to_string();
    for header in [
        json!({"alg": "none", "typ": "at+jwt", "kid": "k"}),
        json!({"alg": "ES256", "typ": "JWT", "kid": "k"}),
        json!({"alg": "ES256", "typ": "at+jwt", "kid": "k", "jku": "https://evil.example.com"}),
    ] {
        assert!(
            unverified_key_id(&minting.sign(&header.to_string(), &claims)).is_err(),
            "{header}"
        );
    }
    for text in ["", "a.b", "a.b.c", "assent_token"] {
        assert!(unverified_key_id(text).is_err(), "{text}");
    }
}

#[test]
fn t66_nothing_that_can_be_printed_holds_a_secret() {
    let minting = mint();
    let signature = minting.token().rsplit_once('.').unwrap().1;
    let printed = [
        format!("{:?}", minting.minted),
        format!("{:#?}", minting.minted.token),
        format!("{:?}", minting.signer),
        format!("{:?}", Secret::new("hunter2".to_owned())),
    ];
    let private = URL_SAFE_NO_PAD.encode(&minting.pkcs8);
    for text in printed {
        assert!(!text.contains(signature) && !text.contains(&private[..20]), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("pair"), "{text}");
    }
    assert_eq!(format!("{:?}", minting.minted.token), "Secret(..)");
}

#[test]
fn a_key_is_read_or_refused() {
    let minting = mint();
    for bad in [&[][..], b"x", &minting.pkcs8[1..], &minting.pkcs8[..minting.pkcs8.len() - 1]] {
        assert_eq!(Signer::new(ISSUER, bad).unwrap_err(), KeyError::NotAKey);
    }
    let again = Signer::new(ISSUER, &minting.pkcs8).unwrap();
    assert_eq!(again.jwk(), minting.signer.jwk());
    let names: Vec<_> = again.jwk().as_object().unwrap().keys().cloned().collect();
    assert!(!names.contains(&"d".to_owned()), "a public key has no private part");
}

/// Somebody's key, and a token that is bound to it.
fn bound() -> (dpop::Holder, Minting) {
    let holder =
        dpop::Holder::new(&SigningKey::generate(Algorithm::Es256, &SystemRandom::new()).unwrap())
            .unwrap();
    let minting = mint_bound(Some(holder.thumbprint().unwrap()));
    (holder, minting)
}

const CALL: (&str, &str) = ("POST", "https://orders.example.com/deploy");

fn shown(holder: &dpop::Holder, token: &str, keys: &KeySet) -> Result<Claims, Rejection> {
    let random = SystemRandom::new();
    let proof = holder.proof(CALL, Some(token), None, after(10), &random).unwrap();
    let sent = dpop::Sent { proof: &proof, method: CALL.0, uri: CALL.1 };
    let proofs = dpop::Proofs::new(dpop::Replays::with_room(10));
    Verifier::new(ISSUER, AUDIENCE).verify_bound((token, &sent), keys, &proofs, after(10))
}

#[test]
fn t31_a_bound_token_is_worth_nothing_without_its_key() {
    let (holder, minting) = bound();
    let (token, keys) = (minting.token(), minting.keys());
    let claims = shown(&holder, token, &keys).unwrap();
    assert_eq!(claims.confirmation, Some(holder.thumbprint().unwrap()));
    assert_eq!(claims.all["cnf"], json!({"jkt": holder.thumbprint().unwrap().to_string()}));
    assert_eq!(minting.verify(token), Err(Rejection::Bound));
    let (thief, _) = bound();
    let refused = shown(&thief, token, &keys);
    assert_eq!(refused, Err(Rejection::Proof(dpop::ProofError::Key)));
    let free = mint();
    let refused = shown(&holder, free.token(), &free.keys());
    assert_eq!(refused, Err(Rejection::Unbound));
    assert_eq!(free.verify(free.token()).unwrap().confirmation, None);
    assert!(!free.minted.claims.as_object().unwrap().contains_key("cnf"));
}

#[test]
fn t20_a_confirmation_that_is_not_understood_is_refused() {
    let (_, minting) = bound();
    let good = minting.minted.claims["cnf"]["jkt"].clone();
    for wrong in [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({"jkt": null}),
        json!({"jkt": ""}),
        json!({"jkt": "AAAA"}),
        json!({"jkt": 1}),
        json!({"jkt": [good]}),
        json!({"x5t#S256": good}),
        json!({"jkt": good, "x5t#S256": good}),
        json!({"jkt": format!("{}=", good.as_str().unwrap())}),
    ] {
        assert_eq!(minting.with("cnf", wrong.clone()), Err(Rejection::Claim("cnf")), "{wrong}");
    }
    // Without it the token would be good for anybody, but it is not what was signed.
    assert_eq!(minting.without("cnf").unwrap().confirmation, None);
}

#[test]
fn t25_a_credential_permits_exactly_what_was_granted() {
    let minting = mint();
    let claims = minting.verify(minting.token()).unwrap();
    let action = |kind, environment, target: &[(&'static str, &'static str)]| {
        let target = target.iter().copied().collect();
        Action { kind, environment, target }
    };
    let orders = &[("database", "orders")][..];
    assert!(claims.permits(&action("database.session", "production", orders)));
    for (kind, environment, target) in [
        ("database.migrate", "production", orders),
        ("database", "production", orders),
        ("database.session", "staging", orders),
        ("database.session", "Production", orders),
        ("database.session", "production", &[("database", "payroll")]),
        ("database.session", "production", &[("database", "orders2")]),
        ("database.session", "production", &[("table", "orders")]),
        ("database.session", "production", &[]),
        ("database.session", "production", &[("database", "orders"), ("table", "x")]),
    ] {
        let action = action(kind, environment, target);
        assert!(!claims.permits(&action), "{action:?}");
    }
    let detail = minting.minted.claims["authorization_details"][0].clone();
    let with = |name: &str, value: Value| {
        let mut detail = detail.clone();
        detail[name] = value;
        let claims = minting.with("authorization_details", json!([detail])).unwrap();
        claims.permits(&action("database.session", "production", orders))
    };
    assert!(with("digest", detail["digest"].clone()));
    for (name, value) in [
        ("type", json!("another")),
        ("actions", json!("database.session")),
        ("actions", json!([])),
        ("locations", json!(null)),
        ("target", json!("orders")),
        ("target", json!({"database": ["orders"]})),
        ("digest", json!(Digest::of(b"other").to_string())),
        ("only_on", json!("sundays")),
    ] {
        assert!(!with(name, value.clone()), "{name} {value}");
    }
    for details in [json!(null), json!({}), json!([]), json!([[]]), detail.clone()] {
        let claims = minting.with("authorization_details", details.clone()).unwrap();
        let permits = claims.permits(&action("database.session", "production", orders));
        assert!(!permits, "{details}");
    }
}

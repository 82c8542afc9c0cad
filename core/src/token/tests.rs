//! One good token of each kind, and everything around it that is none.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::json;

use super::*;

pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";
pub(crate) const AUDIENCE: &str = "https://assent.example.com";
pub(crate) const NOW: i64 = 1_795_210_286;

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);

/// The private keys of an issuer, one of each kind.
pub(crate) struct Keys {
    pub(crate) rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

pub(crate) const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Modulus and exponent of an RSA public key in DER (RFC 8017 appendix A.1.1).
pub(crate) fn rsa_parts(key: &RsaKeyPair) -> (Vec<u8>, Vec<u8>) {
    fn value(der: &[u8]) -> (&[u8], &[u8]) {
        let (size, rest) = match der[1] {
            short @ 0..0x80 => (usize::from(short), &der[2..]),
            long => {
                let count = usize::from(long & 0x7f);
                let (size, rest) = der[2..].split_at(count);
                (size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)), rest)
            }
        };
        rest.split_at(size)
    }
    let (sequence, _) = value(key.public_key().as_ref());
    let (n, rest) = value(sequence);
    let (e, _) = value(rest);
    let bare = |bytes: &[u8]| bytes.iter().copied().skip_while(|b| *b == 0).collect();
    (bare(n), bare(e))
}

impl Keys {
    fn generate() -> Self {
        let random = SystemRandom::new();
        let ec = |algorithm| {
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap()
        };
        Self {
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            p256: ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// The signature of this algorithm, whatever the text says.
    pub(crate) fn sign(&self, algorithm: &str, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let mut rsa = vec![0; 256];
        match algorithm {
            "RS256" => self.rsa.sign(&RSA_PKCS1_SHA256, &random, input, &mut rsa).unwrap(),
            "PS256" => self.rsa.sign(&RSA_PSS_SHA256, &random, input, &mut rsa).unwrap(),
            "ES256" => return self.p256.sign(&random, input).unwrap().as_ref().to_vec(),
            "ES384" => return self.p384.sign(&random, input).unwrap().as_ref().to_vec(),
            "EdDSA" => return self.ed.sign(input).as_ref().to_vec(),
            other => panic!("{other}"),
        }
        rsa
    }

    /// The public keys; each one's id is its algorithm.
    pub(crate) fn jwks(&self) -> Value {
        let (n, e) = rsa_parts(&self.rsa);
        let (n, e) = (encode(n), encode(e));
        let ec = |kid: &str, crv: &str, key: &EcdsaKeyPair| {
            let point = key.public_key().as_ref();
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            json!({"kty": "EC", "crv": crv, "kid": kid, "x": encode(x), "y": encode(y)})
        };
        json!({"keys": [
            {"kty": "RSA", "kid": "RS256", "n": n, "e": e, "alg": "RS256", "use": "sig"},
            {"kty": "RSA", "kid": "PS256", "n": n, "e": e, "alg": "PS256"},
            ec("ES256", "P-256", &self.p256),
            ec("ES384", "P-384", &self.p384),
            {"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": encode(self.ed.public_key())},
        ]})
    }

    /// A token of these very texts.
    pub(crate) fn token(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(claims));
        format!("{input}.{}", encode(self.sign(algorithm, input.as_bytes())))
    }

    /// A token that is as it should be but for what these say.
    pub(crate) fn good(&self, algorithm: &str, header: Value, claims: Value) -> String {
        let header = merged(json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"}), header);
        let claims = merged(good_claims(), claims);
        self.token(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// What a job of GitHub Actions says.
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "repo:acme/orders:environment:production",
        "jti": "0b9e0a4f-32e9-4d6b-a9a9-5c1f8d4b1e0d",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 290,
        "repository": "acme/orders",
        "repository_id": "4711",
        "repository_owner": "acme",
        "repository_owner_id": "17",
        "environment": "production",
        "event_name": "push",
        "ref": "refs/heads/main",
        "actor": "alice",
        "actor_id": "1001",
        "run_id": "99",
        "run_attempt": "1",
    })
}

/// The first with the members of the second; those that are null there are taken away.
pub(crate) fn merged(mut one: Value, other: Value) -> Value {
    for (name, value) in other.as_object().unwrap() {
        let members = one.as_object_mut().unwrap();
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    one
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

pub(crate) fn verified(token: &str) -> Result<VerifiedToken, TokenError> {
    UnverifiedToken::read(token)?.verify(&PublicKeys::read(&KEYS.jwks()), now())
}

/// Whether a token of these claims, well signed, is believed.
fn of_claims(claims: Value) -> Result<VerifiedToken, TokenError> {
    verified(&KEYS.good("ES256", json!({}), claims))
}

fn of_header(header: Value) -> Result<VerifiedToken, TokenError> {
    verified(&KEYS.good("ES256", header, json!({})))
}

#[test]
fn a_good_token_of_each_kind_is_believed() {
    for algorithm in ALGORITHMS {
        let token = verified(&KEYS.good(algorithm, json!({}), json!({}))).unwrap();
        assert_eq!((token.issuer(), token.typ()), (ISSUER, Typ::Jwt), "{algorithm}");
        assert_eq!(token.audiences(), &BTreeSet::from([AUDIENCE.to_owned()]));
        assert_eq!(token.claim("repository_id"), Some("4711"));
        assert_eq!(token.believed_until(), Timestamp::from_millis((NOW + 350) * 1000));
    }
    assert_eq!(of_header(json!({"typ": "at+jwt"})).unwrap().typ(), Typ::AccessToken);
    for typ in [json!(null), json!("jwt"), json!("JWT")] {
        assert_eq!(of_header(json!({"typ": typ})).unwrap().typ(), Typ::Jwt);
    }
    of_header(json!({"x5t": "mtBQG1P2iPr1FDDj8d7VWWzTzXQ"})).unwrap();
    let ed = KEYS.good("EdDSA", json!({"alg": "Ed25519"}), json!({}));
    verified(&ed).unwrap();
}

#[test]
fn t18_t20_a_foreign_tokens_time_is_kept_to_the_second() {
    let at = |claim: &str, seconds: i64| of_claims(json!({claim: NOW + seconds})).map(drop);
    let when = |seconds: i64| Timestamp::from_millis((NOW + seconds) * 1000);
    for good in [-59, 0, 60] {
        assert_eq!(at("exp", good + 1), Ok(()), "exp {good}");
    }
    assert_eq!(at("exp", -60), Err(TokenError::Expired(when(-60))));
    assert_eq!(at("exp", -300), Err(TokenError::Expired(when(-300))));
    for claim in ["iat", "nbf"] {
        assert_eq!(at(claim, 60), Ok(()), "{claim}");
        assert_eq!(at(claim, 61), Err(TokenError::TooEarly(when(61))), "{claim}");
        assert_eq!(at(claim, 300), Err(TokenError::TooEarly(when(300))), "{claim}");
    }
    let lives = |seconds: i64| of_claims(json!({"iat": NOW, "exp": NOW + seconds})).map(drop);
    assert_eq!(lives(86_400), Ok(()));
    assert_eq!(lives(86_401), Err(TokenError::TooLong));
}

#[test]
fn t20_a_foreign_tokens_claim_that_is_missing_or_of_another_type_is_refused() {
    let wrong = [
        json!(null),
        json!(true),
        json!("1795210500"),
        json!(1_795_210_500.5),
        json!(-1),
        json!(1_u64 << 40),
        json!([NOW]),
        json!({"now": NOW}),
        json!(""),
    ];
    for claim in ["exp", "iat"] {
        for value in &wrong {
            let refused = of_claims(json!({claim: value})).unwrap_err();
            assert_eq!(refused, TokenError::Claim(claim), "{claim}: {value}");
        }
    }
    for value in wrong.iter().filter(|value| !value.is_null()) {
        let refused = of_claims(json!({"nbf": value})).unwrap_err();
        assert_eq!(refused, TokenError::Claim("nbf"), "{value}");
    }
    of_claims(json!({"nbf": null})).unwrap();
    let no_text = [json!(null), json!(""), json!(1), json!(["a"]), json!("x".repeat(513))];
    for (claim, values) in [("iss", &no_text[..]), ("sub", &no_text), ("jti", &no_text[1..])] {
        for value in values {
            let refused = of_claims(json!({claim: value})).unwrap_err();
            assert_eq!(refused, TokenError::Claim(claim), "{claim}: {value}");
        }
    }
    let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
    for value in [json!(null), json!(""), json!([]), json!([1]), json!(["a", ""]), json!(many)] {
        assert_eq!(of_claims(json!({"aud": value})).unwrap_err(), TokenError::Claim("aud"));
    }
}

#[test]
fn t21_the_key_and_not_the_token_decides_the_algorithm() {
    for (kid, said) in [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "ES256")] {
        let header = json!({"alg": said, "kid": kid, "typ": "JWT"}).to_string();
        let token = KEYS.token(said, &header, &good_claims().to_string());
        let refused = verified(&token).unwrap_err();
        assert!(matches!(refused, TokenError::Algorithm { .. }), "{kid} {said}: {refused}");
    }
    for alg in ["none", "None", "nOnE", "", "HS256", "HS512", "RS1", "ES256K", "RS512", "rs256"] {
        let refused = of_header(json!({"alg": alg})).unwrap_err();
        assert!(matches!(refused, TokenError::Header(_)), "{alg}: {refused}");
    }
    for alg in [json!(null), json!(1), json!(["ES256"]), json!({"alg": "ES256"})] {
        assert!(matches!(of_header(json!({"alg": alg})), Err(TokenError::Header(_))), "{alg}");
    }
}

/// The set of the one key that this JWK is.
fn keys_of(jwk: Value) -> PublicKeys {
    PublicKeys::read(&json!({"keys": [jwk]}))
}

fn jwk(kid: &str) -> Value {
    let set = KEYS.jwks();
    let mut keys = set["keys"].as_array().unwrap().iter();
    keys.find(|key| key["kid"] == kid).unwrap().clone()
}

#[test]
fn t21_a_key_that_is_weak_or_for_something_else_is_none() {
    let (n, e) = rsa_parts(&KEYS.rsa);
    let weak = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let (short, _) = rsa_parts(&weak);
    for (kid, change) in [
        ("RS256", json!({"alg": "ES256"})),
        ("RS256", json!({"alg": "HS256"})),
        ("RS256", json!({"alg": "none"})),
        ("RS256", json!({"alg": 1})),
        ("RS256", json!({"use": "enc"})),
        ("RS256", json!({"use": 1})),
        ("RS256", json!({"key_ops": ["sign"]})),
        ("RS256", json!({"key_ops": "verify"})),
        ("RS256", json!({"crv": "P-256"})),
        ("RS256", json!({"kty": "oct", "k": encode(&n)})),
        ("RS256", json!({"kty": "EC"})),
        ("RS256", json!({"d": "AQAB"})),
        ("RS256", json!({"n": encode(&n[..128])})),
        ("RS256", json!({"n": encode(&short[1..])})),
        ("RS256", json!({"n": encode([&[0_u8][..], &n].concat())})),
        ("RS256", json!({"n": encode([&[1_u8][..], &vec![7; 1024]].concat())})),
        ("RS256", json!({"n": ""})),
        ("RS256", json!({"n": format!("{}=", encode(&n))})),
        ("RS256", json!({"e": encode([3])})),
        ("RS256", json!({"e": encode([1])})),
        ("RS256", json!({"e": encode([1, 0, 0])})),
        ("RS256", json!({"e": encode(vec![255; 9])})),
        ("RS256", json!({"e": null})),
        ("RS256", json!({"kid": null})),
        ("RS256", json!({"kid": ""})),
        ("RS256", json!({"kid": 7})),
        ("RS256", json!({"kid": "k".repeat(257)})),
        ("ES256", json!({"crv": "P-384"})),
        ("ES256", json!({"crv": "secp256k1"})),
        ("ES256", json!({"alg": "ES384"})),
        ("ES256", json!({"x": encode([0; 32]), "y": encode([0; 32])})),
        ("ES256", json!({"x": encode([1; 31])})),
        ("ES256", json!({"y": null})),
        ("EdDSA", json!({"crv": "X25519"})),
        ("EdDSA", json!({"x": encode([1; 31])})),
        ("EdDSA", json!({"d": encode([1; 32])})),
    ] {
        let key = merged(jwk(kid), change.clone());
        assert!(keys_of(key).is_empty(), "{kid} {change}");
    }
    assert!(!keys_of(jwk("RS256")).is_empty() && !e.is_empty());
    let plain = merged(jwk("RS256"), json!({"alg": null, "use": null, "key_ops": ["verify"]}));
    assert!(keys_of(plain).has("RS256"));
    for no_set in [json!(null), json!([]), json!({"keys": {}}), json!({"keys": [1, null, "x"]})] {
        assert!(PublicKeys::read(&no_set).is_empty(), "{no_set}");
    }
}

#[test]
fn t22_of_two_foreign_keys_with_one_id_neither_counts() {
    let other = merged(jwk("ES384"), json!({"kid": "ES256"}));
    let keys = PublicKeys::read(&json!({"keys": [jwk("ES256"), other, jwk("RS256")]}));
    assert!(!keys.has("ES256") && keys.has("RS256"));
    // A set of a thousand keys is read to its limit and no further.
    let many: Vec<_> =
        (0..1000).map(|n| merged(jwk("ES256"), json!({"kid": n.to_string()}))).collect();
    let keys = PublicKeys::read(&json!({"keys": many}));
    assert!(keys.has("63") && !keys.has("64"));
}

#[test]
fn t22_a_foreign_tokens_key_id_is_a_map_key_and_nothing_else() {
    for kid in ["../../etc/passwd", "x' OR '1'='1", "\0", "RS256\0", "https://evil.example/k", " "]
    {
        assert_eq!(of_header(json!({"kid": kid})).unwrap_err(), TokenError::UnknownKey, "{kid:?}");
    }
    for kid in [json!(""), json!("k".repeat(257)), json!("k".repeat(10_000)), json!(7), json!(null)]
    {
        assert!(matches!(of_header(json!({"kid": kid})), Err(TokenError::Header(_))), "{kid}");
    }
}

#[test]
fn t23_no_header_of_a_foreign_token_steers_the_verifier() {
    for name in [
        "jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "apu", "p2c",
        "nonce", "iss", "aud", "url", "svt", "ppt", "ALG", "Kid",
    ] {
        for value in [json!("x"), json!(["exp"]), json!(false), json!({})] {
            let refused = of_header(json!({name: value})).unwrap_err();
            assert!(matches!(refused, TokenError::Header(_)), "{name} {value}: {refused}");
        }
    }
    for typ in ["JOSE", "JWE", "dpop+jwt", "secevent+jwt", "logout+jwt", "assent-denial+jwt", ""] {
        assert!(matches!(of_header(json!({"typ": typ})), Err(TokenError::Header(_))), "{typ}");
    }
}

#[test]
fn t23_duplicate_members_of_a_foreign_token_are_refused() {
    let (header, claims) = (json!({"alg": "ES256", "kid": "ES256"}), good_claims());
    let twice =
        |json: &Value, member: &str| json.to_string().replacen('{', &format!("{{{member},"), 1);
    let strict = TokenError::Malformed("a part is not strict JSON");
    for member in ["\"alg\":\"none\"", "\"kid\":\"RS256\"", "\"\\u0061lg\":\"none\""] {
        let token = KEYS.token("ES256", &twice(&header, member), &claims.to_string());
        assert_eq!(verified(&token).unwrap_err(), strict, "{member}");
    }
    for member in
        ["\"exp\":9999999999", "\"aud\":\"x\"", "\"\\u0065xp\":1", "\"iss\":\"https://a\""]
    {
        let token = KEYS.token("ES256", &header.to_string(), &twice(&claims, member));
        assert_eq!(verified(&token).unwrap_err(), strict, "{member}");
    }
}

#[test]
fn t31_a_token_is_known_again_by_its_jti_whatever_else_it_says() {
    let mark = |claims: Value| of_claims(claims).unwrap().mark();
    let first = mark(json!({}));
    assert_eq!(mark(json!({"sub": "another", "exp": NOW + 100})), first);
    assert_ne!(mark(json!({"jti": "another"})), first);
    assert_ne!(mark(json!({"iss": "https://gitlab.example.com"})), first);
    // Without one, it is all that was signed; another signature of it is the same token.
    let (one, again) = (mark(json!({"jti": null})), mark(json!({"jti": null})));
    assert_eq!(one, again);
    assert_ne!(mark(json!({"jti": null, "run_id": "100"})), one);
}

#[test]
fn a_claim_inside_another_is_found_by_its_pointer_and_only_texts_count() {
    let claims = json!({
        "kubernetes.io": {"namespace": "ci", "serviceaccount": {"uid": "u-1", "n": 7}},
        "a/b": {"c": "deep"}, "list": ["x"], "number": 7, "yes": true,
    });
    let token = of_claims(claims).unwrap();
    for (name, wanted) in [
        ("/kubernetes.io/serviceaccount/uid", Some("u-1")),
        ("/kubernetes.io/namespace", Some("ci")),
        ("/a~1b/c", Some("deep")),
        ("/sub", Some("repo:acme/orders:environment:production")),
        ("/kubernetes.io/serviceaccount/n", None),
        ("/kubernetes.io/serviceaccount", None),
        ("/kubernetes.io/serviceaccount/uid/x", None),
        ("kubernetes.io", None),
        ("/list/0", Some("x")),
        ("list", None),
        ("number", None),
        ("yes", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(token.claim(name), wanted, "{name}");
    }
}

#[test]
fn a_foreign_token_that_is_bound_to_a_key_is_not_taken_from_whoever_sends_it() {
    let bound = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    for cnf in [bound, json!({}), json!(false)] {
        let found = of_claims(json!({"cnf": cnf})).map(drop);
        assert_eq!(found, Err(TokenError::Bound), "{cnf}");
    }
}

#[test]
fn t66_a_token_does_not_print_itself() {
    let text = KEYS.good("ES256", json!({}), json!({"secret": "canary"}));
    let read = UnverifiedToken::read(&text).unwrap();
    let signature = text.rsplit_once('.').unwrap().1;
    let shown = format!("{read:?}");
    assert!(!shown.contains("canary") && !shown.contains(signature), "{shown}");
}

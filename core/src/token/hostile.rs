//! Thousands of tokens that look like a good one, each wrong in its own way. None is taken, and none
//! is more than an error.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use serde_json::json;

use super::tests::{ALGORITHMS, KEYS, NOW, encode, good_claims, now, rsa_parts};
use super::*;
use crate::trust::Trust;
use crate::trust::tests::github;

static DOOR: LazyLock<(PublicKeys, Trust)> =
    LazyLock::new(|| (PublicKeys::read(&KEYS.jwks()), github()));

/// Whether anybody is let in by this text.
fn lets_in(token: &str) -> bool {
    let (keys, trust) = &*DOOR;
    let verified = UnverifiedToken::read(token).and_then(|read| read.verify(keys, now()));
    verified.is_ok_and(|token| trust.admit(&token).is_ok())
}

/// Counts what was refused; fails with the token that was not.
#[derive(Default)]
struct Corpus {
    refused: usize,
}

impl Corpus {
    #[track_caller]
    fn refuses(&mut self, token: &str, what: impl std::fmt::Display) {
        assert!(!lets_in(token), "{what}: {token}");
        self.refused += 1;
    }
}

/// Chance that is the same every time (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    }
}

fn any_values() -> Vec<Value> {
    let mut values = vec![
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("none"),
        json!("*"),
        json!("../.."),
        json!("https://evil.example"),
        json!("https://assent.example.com.evil.example"),
        json!("https://assent.example.com/"),
        json!("HTTPS://assent.example.com"),
        json!([]),
        json!([[]]),
        json!(["https://assent.example.com", "https://evil.example"]),
        json!({}),
        json!({"https://assent.example.com": true}),
        json!("x".repeat(5_000)),
        json!("\u{202e}moc.elpmaxe"),
        json!("17 "),
        json!("4711\n"),
        json!("04711"),
        json!("production/../staging"),
        json!("Production"),
    ];
    values.extend((0..8).map(|bits| json!(1_u64 << (bits * 7))));
    values
}

/// Each wrong value in each claim that matters, well signed.
fn claims(corpus: &mut Corpus) {
    for algorithm in ALGORITHMS {
        for claim in [
            "iss",
            "aud",
            "sub",
            "exp",
            "iat",
            "nbf",
            "repository_id",
            "repository_owner_id",
            "environment",
            "event_name",
            "actor_id",
        ] {
            let required = claim != "nbf";
            let missing = required.then_some(Value::Null);
            for value in any_values().into_iter().chain(missing) {
                // Some values are as good as those they replace.
                let harmless = match claim {
                    "sub" | "actor_id" => value.as_str().is_some_and(|text| !text.is_empty()),
                    "iat" | "nbf" => value.as_i64().is_some_and(|seconds| seconds >= 0),
                    _ => false,
                };
                if harmless {
                    continue;
                }
                let token = KEYS.good(algorithm, json!({}), json!({claim: value}));
                corpus.refuses(&token, format_args!("{algorithm} {claim} {value}"));
            }
        }
    }
}

/// Times just beyond what is allowed, audiences with others beside ours, and types of token that are
/// made for something else, well signed.
fn edges(corpus: &mut Corpus) {
    let life = i64::try_from(MAX_LIFE.as_seconds()).unwrap();
    let apart = i64::try_from(LEEWAY.as_seconds()).unwrap();
    // Of those that are good only with a proof, none is taken without.
    let mut wrong = vec![
        json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}),
        json!({"cnf": {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}),
        json!({"cnf": {}}),
        json!({"cnf": "x"}),
    ];
    for seconds in [0, 1, 60, 3_600, 86_400, 31_536_000, 1 << 39] {
        wrong.push(json!({"exp": NOW - apart - seconds}));
        wrong.push(json!({"iat": NOW + apart + 1 + seconds, "exp": NOW + life + seconds}));
        wrong.push(json!({"nbf": NOW + apart + 1 + seconds}));
        wrong.push(json!({"iat": NOW, "exp": NOW + life + 1 + seconds}));
    }
    for text in ["1800000000", "2026-11-21T00:00:00Z", "Infinity", "1e10", "0x7fffffff"] {
        for claim in ["exp", "iat", "nbf"] {
            wrong.push(json!({claim: text}));
            wrong.push(json!({claim: [NOW + 100]}));
            wrong.push(json!({claim: {"$date": NOW + 100}}));
        }
    }
    let ours = good_claims()["aud"].as_str().unwrap().to_owned();
    for other in ["", "*", "https://evil.example", "https://assent.example.com/", " ", "\u{0}"] {
        wrong.push(json!({"aud": [ours, other]}));
        wrong.push(json!({"aud": [other, ours]}));
        wrong.push(json!({"aud": format!("{ours} {other}")}));
        wrong.push(json!({"aud": format!("{ours},{other}x")}));
        wrong.push(json!({"aud": {(ours.as_str()): other}}));
    }
    wrong.push(json!({"aud": vec![ours.clone(); 17]}));
    wrong.push(json!({"aud": [[ours]]}));
    for algorithm in ALGORITHMS {
        for claims in &wrong {
            let token = KEYS.good(algorithm, json!({}), claims.clone());
            corpus.refuses(&token, format_args!("{algorithm} {claims}"));
        }
        for typ in [
            "at+jwt",
            "AT+JWT",
            "dpop+jwt",
            "secevent+jwt",
            "logout+jwt",
            "token-introspection+jwt",
            "kb+jwt",
            "application/jwt",
            "JWE",
            "JOSE",
            "JOSE+JSON",
            "jwt ",
            "JW\u{0422}",
        ] {
            let token = KEYS.good(algorithm, json!({"typ": typ}), json!({}));
            corpus.refuses(&token, format_args!("{algorithm} {typ}"));
        }
        // Well signed, and of the one fault that they are too long: one of a byte less is taken.
        for more in ["x".repeat(12_500), "\u{1F600}".repeat(3_200), "[".repeat(13_000)] {
            let token = KEYS.good(algorithm, json!({}), json!({"more": more}));
            assert!(token.len() > MAX_TOKEN, "{algorithm}: {}", token.len());
            corpus.refuses(&token, format_args!("{algorithm} huge"));
        }
        let largest = (1..).map(|less| "x".repeat(12_500 - less));
        let mut largest =
            largest.map(|more| KEYS.good(algorithm, json!({}), json!({"more": more})));
        let largest = largest.find(|token| token.len() <= MAX_TOKEN).unwrap();
        assert!(lets_in(&largest), "{algorithm}: {} bytes are not too long", largest.len());
    }
}

/// Each header that steers, each algorithm and type that is not the key's.
fn headers(corpus: &mut Corpus) {
    let names = [
        "jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "nonce", "url",
        "p2s",
    ];
    for algorithm in ALGORITHMS {
        for name in names {
            for value in any_values() {
                let token = KEYS.good(algorithm, json!({name: value}), json!({}));
                corpus.refuses(&token, format_args!("{algorithm} {name} {value}"));
            }
        }
        for said in
            ["none", "NONE", "HS256", "HS384", "HS512", "RS384", "RS512", "PS512", "ES512", "dir"]
        {
            let token = KEYS.good(algorithm, json!({"alg": said}), json!({}));
            corpus.refuses(&token, format_args!("{algorithm} as {said}"));
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            corpus.refuses(&format!("{unsigned}."), format_args!("{said} unsigned"));
        }
        for other in ALGORITHMS.iter().filter(|other| **other != algorithm) {
            for header in
                [json!({"alg": other}), json!({"kid": other}), json!({"alg": other, "kid": other})]
            {
                let token = KEYS.good(algorithm, header.clone(), json!({}));
                corpus.refuses(&token, format_args!("{algorithm} with {header}"));
            }
        }
        for value in any_values() {
            for name in ["alg", "kid", "typ"] {
                let token = KEYS.good(algorithm, json!({name: value}), json!({}));
                corpus.refuses(&token, format_args!("{algorithm} {name} {value}"));
            }
        }
    }
}

/// A public key as the secret of an HMAC, in every form somebody could have it.
fn confusions(corpus: &mut Corpus) {
    let (n, e) = rsa_parts(&KEYS.rsa);
    let jwks = KEYS.jwks();
    let mut secrets: Vec<Vec<u8>> = vec![n.clone(), e, [&[0_u8][..], &n].concat(), Vec::new()];
    for key in jwks["keys"].as_array().unwrap() {
        secrets.push(key.to_string().into_bytes());
        for member in ["n", "e", "x", "y", "kid"] {
            let text = key[member].as_str().unwrap_or_default();
            secrets.push(text.as_bytes().to_vec());
            secrets.push(URL_SAFE_NO_PAD.decode(text).unwrap_or_default());
        }
    }
    for secret in secrets {
        for kid in ALGORITHMS {
            for said in ["HS256", kid] {
                let header = json!({"alg": said, "kid": kid, "typ": "JWT"}).to_string();
                let input = format!("{}.{}", encode(header), encode(good_claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
                corpus.refuses(&format!("{input}.{}", encode(tag)), format_args!("{said} {kid}"));
            }
        }
    }
}

/// Texts that two readers could read in two ways, well signed.
fn texts(corpus: &mut Corpus) {
    let header = json!({"alg": "ES256", "kid": "ES256"}).to_string();
    let claims = good_claims().to_string();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let inside = |text: &str, more: &str| text.replacen('{', &format!("{{{more},"), 1);
    let mut broken = Vec::new();
    for name in ["alg", "kid", "iss", "aud", "exp", "sub", "repository_id", "\\u0065xp"] {
        for value in ["1", "\"x\"", "null", "[]"] {
            broken.push(inside(&format!("{{\"{name}\":{value},{}", &claims[1..]), "\"exp\":1"));
            let twice = format!("\"{name}\":{value},\"{name}\":{value}");
            broken.push(inside(&claims, &twice));
        }
    }
    for more in [
        "\"a\":NaN",
        "\"a\":Infinity",
        "\"a\":01",
        "\"a\":.5",
        "\"a\":0x1",
        "\"a\":'b'",
        "a:1",
        "\"a\":1,,\"b\":2",
        "\"a\":\"\u{1}\"",
        "\"a\":\"\\ud800\"",
        "\"a\":9007199254740993",
        "/**/\"a\":1",
        "\"a\":1//\n",
    ] {
        broken.push(inside(&claims, more));
    }
    for levels in [65, 100, 1_000, 5_000] {
        broken.push(inside(&claims, &format!("\"a\":{}", deep(levels))));
    }
    broken.extend([
        format!("{claims}{claims}"),
        format!("{claims} x"),
        format!("\u{feff}{claims}"),
        format!("[{claims}]"),
        format!("{:?}", claims),
        claims[..claims.len() - 1].to_owned(),
        String::new(),
        "null".to_owned(),
    ]);
    for text in &broken {
        corpus.refuses(&KEYS.token("ES256", &header, text), text);
        corpus.refuses(&KEYS.token("ES256", text, &claims), text);
    }
    let invalid = [claims.as_bytes(), &[0xff, 0xfe]].concat();
    let input = format!("{}.{}", encode(&header), encode(invalid));
    let signed = encode(KEYS.sign("ES256", input.as_bytes()));
    corpus.refuses(&format!("{input}.{signed}"), "no UTF-8");
}

/// The same token in other spellings, and what only looks like one.
fn spellings(corpus: &mut Corpus) {
    for algorithm in ALGORITHMS {
        let good = KEYS.good(algorithm, json!({}), json!({}));
        assert!(lets_in(&good), "what they all are made from is good: {algorithm}");
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{good}") };
        let mut others = vec![
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{signature}"),
            format!("{header}.{claims}"),
            format!("{header}..{signature}"),
            format!(".{claims}.{signature}"),
            format!("{header}.{claims}."),
            format!("{header}.{claims}.{claims}"),
            format!("{claims}.{header}.{signature}"),
            format!("Bearer {good}"),
            good.to_uppercase(),
            good.to_lowercase(),
            good.replace('.', "%2E"),
            format!(
                "{{\"payload\":\"{claims}\",\"protected\":\"{header}\",\"signature\":\"{signature}\"}}"
            ),
            format!("{header}.{header}.{claims}.{signature}.{signature}"),
            format!("{header}.{claims}.{}", "A".repeat(20_000)),
            "A".repeat(1 << 20),
            ".".repeat(100),
            "..".to_owned(),
            String::new(),
        ];
        for (at, part) in parts.iter().enumerate() {
            for odd in ["=", "==", "\n", " ", "\t", "\0", "+", "/", "-_", "A", "é"] {
                for changed in [format!("{part}{odd}"), format!("{odd}{part}")] {
                    let mut parts = parts.clone();
                    parts[at] = &changed;
                    others.push(parts.join("."));
                }
            }
        }
        for other in others {
            corpus.refuses(&other, format_args!("{algorithm}"));
        }
    }
}

/// One character changed, anywhere.
fn flips(corpus: &mut Corpus) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    let mut chance = Chance(7);
    for algorithm in ALGORITHMS {
        let good = KEYS.good(algorithm, json!({}), json!({}));
        for _ in 0..400 {
            let mut bytes = good.clone().into_bytes();
            let at = chance.below(bytes.len());
            let letter = LETTERS[chance.below(LETTERS.len())];
            if bytes[at] != letter {
                bytes[at] = letter;
                corpus
                    .refuses(&String::from_utf8(bytes).unwrap(), format_args!("{algorithm} {at}"));
            }
        }
        // Parts of two good tokens do not make a third.
        let other = KEYS.good(algorithm, json!({}), json!({"jti": "other", "exp": NOW + 200}));
        let (a, b): (Vec<&str>, Vec<&str>) =
            (good.split('.').collect(), other.split('.').collect());
        for mixed in [[a[0], b[1], a[2]], [a[0], a[1], b[2]], [b[0], a[1], b[2]]] {
            corpus.refuses(&mixed.join("."), format_args!("{algorithm} mixed"));
        }
    }
}

#[test]
fn t20_t21_t22_t23_of_thousands_of_hostile_tokens_none_is_taken() {
    let mut corpus = Corpus::default();
    claims(&mut corpus);
    edges(&mut corpus);
    headers(&mut corpus);
    confusions(&mut corpus);
    texts(&mut corpus);
    spellings(&mut corpus);
    flips(&mut corpus);
    assert!(corpus.refused > 5_000, "only {}", corpus.refused);
}

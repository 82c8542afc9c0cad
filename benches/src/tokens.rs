//! How long a foreign token takes that is believed, and how long hostile ones take at most; what the
//! authority does with tokens, and what checking them costs a service.
//!
//! The hostile ones are made here from good ones: every byte changed, every header and claim of another
//! kind, as deep and as long as is looked at, and as slow to check as a key may be. That none of such
//! tokens is believed, a test of core shows on a corpus of its own; here they are timed.

mod checking;
mod ending;
mod refusing;
mod serving;
mod world;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use assent_core::time::Timestamp;
use assent_core::token::{MAX_TOKEN, PublicKeys, UnverifiedToken};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Effort;
use crate::report::{self, Spread};

const NOW: i64 = 1_800_000_000;
/// What no token may take.
const LIMIT: Duration = Duration::from_millis(10);

/// Makes tokens as an issuer does.
pub(crate) struct Signer {
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

pub(crate) fn run(effort: Effort) -> Result<()> {
    let world = world::World::start()?;
    checking::run(&world, effort)?;
    serving::run(&world, effort)?;
    refusing::run(&world, effort)?;
    ending::run(&world, effort)?;
    foreign(effort)
}

fn foreign(effort: Effort) -> Result<()> {
    let signer = Signer::generate()?;
    let keys = PublicKeys::read(&signer.jwks()?);
    report::heading("A foreign token, read and checked: p50 / p99, and the slowest");
    let mut rows = Vec::new();
    for algorithm in ["ES256", "RS256"] {
        let good = signer.token(algorithm, &json!({}), &json!({}))?;
        let times = (0..effort.decisions / 50).map(|_| timed(&good, &keys));
        let times: Vec<_> = times.collect();
        ensure!(times.iter().all(|(believed, _)| *believed), "a good token is not believed");
        rows.push(row(&format!("good, {algorithm}"), &times)?);
    }
    let hostile = signer.hostile()?;
    ensure!(hostile.len() > 5_000, "only {} hostile tokens", hostile.len());
    // Each is timed three times, and its best counts: what is measured is the token, not the machine.
    let best = |token: &String| {
        let mut all = (0..3).map(|_| timed(token, &keys));
        all.by_ref().min_by_key(|(_, took)| *took)
    };
    let times: Vec<_> = hostile.iter().filter_map(best).collect();
    ensure!(!times.iter().any(|(believed, _)| *believed), "a hostile token is believed");
    rows.push(row(&format!("hostile, {}", report::thousands(times.len() as f64)), &times)?);
    report::table(&["tokens", "p50 / p99", "slowest"], &rows);
    let slowest = times.iter().map(|(_, took)| *took).max().unwrap_or_default();
    ensure!(slowest < LIMIT, "a hostile token takes {slowest:?}");
    Ok(())
}

fn row(what: &str, times: &[(bool, Duration)]) -> Result<Vec<String>> {
    let times: Vec<Duration> = times.iter().map(|(_, took)| *took).collect();
    let slowest = times.iter().max().context("nothing was measured")?;
    let spread = Spread::of_durations(&times)?;
    Ok(vec![
        what.to_owned(),
        format!("{spread:.3}"),
        format!("{:.3} ms", slowest.as_secs_f64() * 1e3),
    ])
}

/// Whether a token is believed, and how long that took to find out.
fn timed(token: &str, keys: &PublicKeys) -> (bool, Duration) {
    let began = Instant::now();
    let now = Timestamp::from_millis(NOW * 1_000);
    let verified = UnverifiedToken::read(token).and_then(|read| read.verify(keys, now));
    (verified.is_ok(), began.elapsed())
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn merged(mut whole: Value, more: &Value) -> Value {
    if let (Some(whole), Some(more)) = (whole.as_object_mut(), more.as_object()) {
        whole.extend(more.clone());
    }
    whole
}

impl Signer {
    pub(crate) fn generate() -> Result<Self> {
        let (random, scheme) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let gone = |_| anyhow!("no keys to be had");
        let document = EcdsaKeyPair::generate_pkcs8(scheme, &random).map_err(gone)?;
        let ec = EcdsaKeyPair::from_pkcs8(scheme, document.as_ref())?;
        // The longest keys that are taken: the slowest to check.
        let rsa = RsaKeyPair::generate(KeySize::Rsa8192).map_err(gone)?;
        Ok(Self { ec, rsa })
    }

    pub(crate) fn jwks(&self) -> Result<Value> {
        let point = self.ec.public_key().as_ref();
        let (x, y) = point.get(1..).context("no point")?.split_at(32);
        let public = self.rsa.public_key();
        let n = public.modulus().big_endian_without_leading_zero();
        let e = public.exponent().big_endian_without_leading_zero();
        Ok(json!({"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "ES256", "x": encode(x), "y": encode(y)},
            {"kty": "RSA", "kid": "RS256", "n": encode(n), "e": encode(e)},
        ]}))
    }

    fn signed(&self, algorithm: &str, header: &str, claims: &str) -> Result<String> {
        let input = format!("{}.{}", encode(header), encode(claims));
        let (random, gone) = (SystemRandom::new(), |_| anyhow!("nothing can be signed"));
        let signature = if algorithm == "RS256" {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let sign = self.rsa.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature);
            sign.map_err(gone)?;
            signature
        } else {
            self.ec.sign(&random, input.as_bytes()).map_err(gone)?.as_ref().to_vec()
        };
        Ok(format!("{input}.{}", encode(signature)))
    }

    pub(crate) fn token(&self, algorithm: &str, header: &Value, claims: &Value) -> Result<String> {
        let header = merged(json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"}), header);
        let good = json!({
            "iss": "https://issuer.example.com", "aud": "https://assent.example.com",
            "sub": "robot", "iat": NOW, "exp": NOW + 300, "jti": "1",
        });
        self.signed(algorithm, &header.to_string(), &merged(good, claims).to_string())
    }

    fn hostile(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let good = self.token("ES256", &json!({}), &json!({}))?;
        // Every byte: the token ends before it, it is said twice, left out, or another.
        for at in 0..good.len() {
            let (before, from) = good.split_at(at);
            let (byte, after) = from.split_at(1);
            all.push(before.to_owned());
            all.push(format!("{before}{byte}{byte}{after}"));
            all.push(format!("{before}{after}"));
            for other in *b"A_.=~\n0zQ7-%" {
                let mut bytes = good.clone().into_bytes();
                let byte = bytes.get_mut(at).context("no byte")?;
                if *byte == other {
                    continue;
                }
                *byte = other;
                all.extend(String::from_utf8(bytes));
            }
        }
        let values = [
            json!(true),
            json!(-1),
            json!(1e300),
            json!(""),
            json!([]),
            json!({}),
            json!([[[]]]),
            json!("none"),
            json!("x".repeat(8_000)),
            json!("\u{0}"),
            json!(1_u64 << 53),
        ];
        for algorithm in ["ES256", "RS256"] {
            for value in &values {
                // Another issuer's name is for trusts to refuse, not for the signature.
                let claims = ["exp", "iat", "iss", "aud"];
                let of = if value.is_string() { 2 } else { claims.len() };
                for claim in claims.into_iter().take(of) {
                    all.push(self.token(algorithm, &json!({}), &json!({claim: value}))?);
                }
                for name in ["alg", "kid", "typ", "jku", "jwk", "x5c", "x5u", "crit", "b64", "zip"]
                {
                    all.push(self.token(algorithm, &json!({name: value}), &json!({}))?);
                }
            }
            // A wrong signature over as much as is looked at: everything is checked, then refused.
            let room = MAX_TOKEN / 4 * 3 - 2_000;
            for size in [1_000, room / 2, room] {
                let long = self.token(algorithm, &json!({}), &json!({"more": "x".repeat(size)}))?;
                let (input, signature) = long.rsplit_once('.').context("no signature")?;
                all.push(format!("{input}.{}", signature.chars().rev().collect::<String>()));
                let other = self.token(algorithm, &json!({}), &json!({"jti": "2"}))?;
                let (_, signature) = other.rsplit_once('.').context("no signature")?;
                all.push(format!("{input}.{signature}"));
            }
            let header = json!({"alg": algorithm, "kid": algorithm}).to_string();
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[[],", "]")] {
                for levels in [63, 64, 65, 1_000, 2_000] {
                    let middle = if open.starts_with('{') { "1" } else { "[]" };
                    let deep = format!("{}{middle}{}", open.repeat(levels), close.repeat(levels));
                    all.push(self.signed(algorithm, &header, &format!("{{\"a\":{deep}}}"))?);
                    all.push(self.signed(algorithm, &deep, &header)?);
                }
            }
            let members: Vec<String> = (0..900).map(|at| format!("\"m{at}\":{at}")).collect();
            let many = format!("{{{},\"m0\":0}}", members.join(","));
            all.push(self.signed(algorithm, &header, &many)?);
        }
        for unit in ["A", ".", "=", "A.", "\u{1F600}", "e30."] {
            for size in [100, 16_384, 16_385, 1 << 20] {
                all.push(unit.repeat(size / unit.len()));
            }
        }
        Ok(all)
    }
}

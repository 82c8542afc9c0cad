//! Statements and passkeys: what is signed, by whom, until when, and that every bit of it counts.

use std::cell::RefCell;

use super::*;
use crate::id::PasskeyId;
use crate::passkey::{EnrolError, MAX_PASSKEYS, Passkey, UnverifiedVoucher, VouchError, Voucher};
use crate::policy::ruling::SignatureDemand;
use crate::request::Request;
use crate::token::PublicKeys;
use crate::webauthn::soft::{DEVICE_BOUND, SYNCED, Soft};
use crate::webauthn::{
    PublicKey, Registered, RelyingParty, UnverifiedAssertion, UnverifiedRegistration, WebauthnError,
};

const SERVER: &str = "https://assent.example.com";
const PARTY: &str = "assent.example.com";

/// A signed review, for tests of what follows from one.
#[derive(Clone, Copy)]
pub(crate) struct SignedReview<'a> {
    pub(crate) request: &'a Request,
    pub(crate) approver: &'a PrincipalId,
    pub(crate) verdict: Verdict,
    pub(crate) comment: &'a str,
    pub(crate) nonce: [u8; 16],
    pub(crate) at: Timestamp,
    pub(crate) enrolled_for: Span,
    pub(crate) device_bound: bool,
    pub(crate) vouched: bool,
}

thread_local! {
    /// One passkey for all of them: who has which is no matter there.
    static KEY: RefCell<Soft> = RefCell::new(Soft::new(-8));
}

impl SignedReview<'_> {
    pub(crate) fn signature(&self) -> Signature {
        let statement = Statement {
            server: SERVER.to_owned(),
            request: self.request.id(),
            digest: self.request.digest(),
            policy: self.request.ruling().policy,
            verdict: self.verdict,
            comment: Statement::digest_of(self.comment),
            party: PARTY.to_owned(),
            approver: self.approver.clone(),
            credential: vec![1],
            nonce: self.nonce,
            issued_at: self.at,
            expires_at: self.at.plus(STATEMENTS_LAST),
            log: (1, Digest::of(b"root")),
        };
        KEY.with_borrow_mut(|soft| {
            soft.flags = if self.device_bound { DEVICE_BOUND } else { SYNCED };
            let sent = signed(soft, &statement);
            let recorded = Recorded {
                passkey: PasskeyId::new(self.at, [1; 10]),
                key: soft.cose(),
                enrolled_at: self.at.before(self.enrolled_for),
                vouched: self.vouched,
                statement: sent.statement,
                assertion: sent.assertion,
            };
            recorded.verify().unwrap()
        })
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn bob() -> PrincipalId {
    PrincipalId::new("https://idp.example.com", "bob").unwrap()
}

fn registered(soft: &Soft) -> Registered {
    let party = RelyingParty::of(SERVER).unwrap();
    let (attestation, client_data) = soft.register(PARTY, SERVER, b"c");
    UnverifiedRegistration { attestation, client_data }.verify(&party, b"c").unwrap()
}

fn passkey(soft: &Soft) -> Passkey {
    let id = PasskeyId::new(now(), [7; 10]);
    let made = (registered(soft), "phone");
    Passkey::enrol(id, &bob(), made, Some(now()), &[], now()).unwrap().next().clone()
}

fn statement(soft: &Soft) -> Statement {
    Statement {
        server: SERVER.to_owned(),
        request: RequestId::new(now(), [3; 10]),
        digest: Digest::of(b"intent"),
        policy: Digest::of(b"policy"),
        verdict: Verdict::Approve,
        comment: Statement::digest_of("fine"),
        party: PARTY.to_owned(),
        approver: bob(),
        credential: soft.credential.clone(),
        nonce: [9; 16],
        issued_at: now(),
        expires_at: now().plus(STATEMENTS_LAST),
        log: (5, Digest::of(b"root")),
    }
}

fn signed(soft: &Soft, statement: &Statement) -> UnverifiedSignature {
    let bytes = statement.bytes();
    let challenge = Statement::challenge(&bytes);
    let (authenticator_data, client_data, signature) =
        soft.sign(PARTY, SERVER, challenge.as_bytes());
    UnverifiedSignature {
        credential: soft.credential.clone(),
        statement: bytes,
        assertion: UnverifiedAssertion { authenticator_data, client_data, signature },
    }
}

#[test]
fn a_statement_reads_back_from_its_own_bytes_only() {
    let statement = statement(&Soft::new(-8));
    let bytes = statement.bytes();
    assert_eq!(Statement::read(&bytes), Ok(statement.clone()));
    let text = String::from_utf8(bytes).unwrap();
    for other in [
        text.replace(":", ": "),
        text.replace("\"v\":1", "\"v\":2"),
        text.replace("\"v\":1", "\"more\":1,\"v\":1"),
        text.replace("\"tenant\":\"default\"", "\"tenant\":\"other\""),
        text.replace("\"verdict\":\"approve\"", "\"verdict\":\"APPROVE\""),
        text.replace("{\"iss\"", "{\"also\":1,\"iss\""),
        format!("{text} "),
    ] {
        assert_ne!(other, text);
        assert!(Statement::read(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn every_part_of_a_statement_is_in_what_is_signed() {
    let one = statement(&Soft::new(-8));
    let challenge = |statement: &Statement| Statement::challenge(&statement.bytes());
    let others = [
        Statement { server: "https://b.example.com".to_owned(), ..one.clone() },
        Statement { request: RequestId::new(now(), [4; 10]), ..one.clone() },
        Statement { digest: Digest::of(b"b"), ..one.clone() },
        Statement { policy: Digest::of(b"b"), ..one.clone() },
        Statement { verdict: Verdict::Deny, ..one.clone() },
        Statement { comment: Digest::of(b"b"), ..one.clone() },
        Statement { party: "example.com".to_owned(), ..one.clone() },
        Statement { approver: PrincipalId::local("bob").unwrap(), ..one.clone() },
        Statement { credential: vec![2], ..one.clone() },
        Statement { nonce: [8; 16], ..one.clone() },
        Statement { issued_at: now().plus(Span::seconds(1)), ..one.clone() },
        Statement { expires_at: now(), ..one.clone() },
        Statement { log: (6, Digest::of(b"root")), ..one.clone() },
        Statement { log: (5, Digest::of(b"b")), ..one.clone() },
    ];
    let all: std::collections::BTreeSet<_> = others.iter().chain([&one]).map(challenge).collect();
    assert_eq!(all.len(), others.len() + 1);
}

#[test]
fn a_statement_that_was_not_given_here_is_not_known() {
    let (ours, theirs) = (Nonces::new(&[1; 32]), Nonces::new(&[2; 32]));
    let given = ours.give(statement(&Soft::new(-8)));
    assert!(ours.gave(&given) && !theirs.gave(&given));
    let later = Statement { expires_at: now().plus(Span::hours(9)), ..given.clone() };
    assert!(!ours.gave(&later), "nobody signs for later");
    assert!(!ours.gave(&Statement { nonce: [9; 16], ..given }));
}

#[test]
fn only_the_persons_own_live_passkey_signs_and_only_in_time() {
    for algorithm in [-7, -8, -257] {
        let soft = Soft::new(algorithm);
        let (passkey, statement) = (passkey(&soft), statement(&soft));
        let good = signed(&soft, &statement);
        let signature = good.clone().verify(&passkey, SERVER, now()).unwrap();
        assert_eq!(signature.statement(), &statement);
        assert_eq!(signature.recorded().clone().verify().as_ref(), Ok(&signature));
        let refused = |sent: &UnverifiedSignature, passkey: &Passkey, server: &str, at| {
            sent.clone().verify(passkey, server, at).unwrap_err()
        };
        let late = refused(&good, &passkey, SERVER, now().plus(STATEMENTS_LAST));
        assert_eq!(late, SignatureError::Stale("it is over"));
        let early = refused(&good, &passkey, SERVER, now().before(Span::seconds(1)));
        assert_eq!(early, SignatureError::Stale("it is over"));
        let other = refused(&good, &passkey, "https://b.example.com", now());
        assert_eq!(other, SignatureError::Stale("it is another server's"));
        let removed = passkey.remove(&bob(), now()).unwrap().next().clone();
        assert_eq!(refused(&good, &removed, SERVER, now()), SignatureError::Removed);
        let theirs = Passkey { person: PrincipalId::local("carol").unwrap(), ..passkey.clone() };
        let why = SignatureError::Stale("it is somebody else's");
        assert_eq!(refused(&good, &theirs, SERVER, now()), why);
        let other = Passkey { credential: vec![1], ..passkey.clone() };
        assert_eq!(refused(&good, &other, SERVER, now()), SignatureError::UnknownPasskey);
        // Another key under the same name.
        let key = PublicKey::read(&Soft::new(algorithm).cose()).unwrap();
        let other = Passkey { key, ..passkey.clone() };
        let wrong = SignatureError::Webauthn(WebauthnError::Signature);
        assert_eq!(refused(&good, &other, SERVER, now()), wrong);
        // Enrolled only after it was given.
        let young = Passkey { enrolled_at: now().plus(Span::seconds(1)), ..passkey };
        let why = SignatureError::Stale("it is older than the passkey");
        assert_eq!(refused(&good, &young, SERVER, now().plus(Span::minutes(1))), why);
    }
}

/// Of what is on record of a signed review, every bit of every part counts.
#[test]
fn every_single_bit_flip_of_what_is_on_record_is_refused() {
    for algorithm in [-7, -8, -257] {
        let soft = Soft::new(algorithm);
        let signature =
            signed(&soft, &statement(&soft)).verify(&passkey(&soft), SERVER, now()).unwrap();
        let recorded = signature.recorded();
        let parts: [fn(&mut Recorded) -> &mut Vec<u8>; 5] = [
            |r| &mut r.statement,
            |r| &mut r.key,
            |r| &mut r.assertion.authenticator_data,
            |r| &mut r.assertion.client_data,
            |r| &mut r.assertion.signature,
        ];
        let mut flips = 0;
        for part in parts {
            for bit in 0..part(&mut recorded.clone()).len() * 8 {
                let mut flipped = recorded.clone();
                part(&mut flipped)[bit / 8] ^= 1 << (bit % 8);
                assert!(flipped.verify().is_err(), "{algorithm}: bit {bit}");
                flips += 1;
            }
        }
        assert!(flips > 8_000, "{flips}");
    }
}

#[test]
fn t71_a_signature_is_worth_what_its_key_is() {
    let soft = Soft::new(-7);
    let strength = |flags, passkey: &Passkey| {
        let soft = Soft { flags, credential: soft.credential.clone(), ..Soft::new(-7) };
        let key = PublicKey::read(&soft.cose()).unwrap();
        let passkey = Passkey { key, ..passkey.clone() };
        signed(&soft, &statement(&soft)).verify(&passkey, SERVER, now()).unwrap().strength()
    };
    let enrolled = passkey(&soft);
    let bound = SignatureDemand { device_bound: true, ..SignatureDemand::default() };
    assert!(strength(DEVICE_BOUND, &enrolled).meets(&bound));
    assert!(!strength(SYNCED, &enrolled).meets(&bound), "a vendor's account has it too");
    assert!(strength(SYNCED, &enrolled).meets(&SignatureDemand::default()));
    let held = SignatureDemand { enrolled_for: Some(Span::hours(24)), ..Default::default() };
    let since = |span| Passkey { enrolled_at: now().before(span), ..enrolled.clone() };
    assert!(strength(DEVICE_BOUND, &since(Span::hours(24))).meets(&held));
    assert!(!strength(DEVICE_BOUND, &since(Span::minutes(24 * 60 - 1))).meets(&held));
    let vouched = SignatureDemand { vouched: true, ..Default::default() };
    assert!(!strength(DEVICE_BOUND, &enrolled).meets(&vouched));
}

#[test]
fn t70_a_passkey_is_enrolled_only_just_after_a_sign_in() {
    let soft = Soft::new(-7);
    let enrol = |since: Option<Timestamp>, theirs: &[Passkey], name: &str| {
        let (id, made) = (PasskeyId::new(now(), [8; 10]), registered(&soft));
        Passkey::enrol(id, &bob(), (made, name), since, theirs, now()).map(drop)
    };
    let ago = |span| Some(now().before(span));
    assert_eq!(enrol(ago(Span::seconds(299)), &[], "key"), Ok(()));
    assert_eq!(enrol(ago(Span::minutes(5)), &[], "key"), Err(EnrolError::SignInAgain));
    assert_eq!(enrol(None, &[], "key"), Err(EnrolError::SignInAgain));
    assert_eq!(enrol(ago(Span::ZERO), &[passkey(&soft)], "key"), Err(EnrolError::Known));
    let many: Vec<_> = (0..MAX_PASSKEYS).map(|_| passkey(&Soft::new(-8))).collect();
    assert_eq!(enrol(ago(Span::ZERO), &many, "key"), Err(EnrolError::TooMany));
    for name in ["", " ", "a\u{202e}b", &"x".repeat(65)] {
        assert_eq!(enrol(ago(Span::ZERO), &[], name), Err(EnrolError::Name));
    }
}

#[test]
fn a_removed_passkey_stays_so_and_was_live_before() {
    let enrolled = passkey(&Soft::new(-7));
    let later = now().plus(Span::hours(1));
    let removed = enrolled.remove(&bob(), later).unwrap().next().clone();
    assert!(!removed.is_live() && removed.remove(&bob(), later).is_none());
    assert!(removed.was_live(now()) && !removed.was_live(later));
    assert!(!removed.was_live(now().before(Span::seconds(1))));
    assert!(removed.rename("other", later).unwrap().is_none());
    let renamed = enrolled.rename(" other ", later).unwrap().unwrap();
    assert_eq!(renamed.next().name, "other");
    assert!(enrolled.rename("phone", later).unwrap().is_none());
}

mod vouching {
    use super::*;
    use crate::token::TokenError;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

    struct Provider(EcdsaKeyPair);

    impl Provider {
        fn keys(&self) -> PublicKeys {
            let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
            let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
            let key = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k"});
            PublicKeys::read(&json!({"keys": [key]}))
        }

        fn token(&self, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let input = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "k"})), part(claims));
            let signature = self.0.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    #[test]
    fn t70_only_the_persons_own_provider_vouches_and_for_this_key_alone() {
        let provider = Provider(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
        let (keys, enrolled) = (provider.keys(), passkey(&Soft::new(-7)));
        let nonce = Passkey::voucher_nonce(&enrolled.key, PARTY);
        let claims = json!({
            "iss": "https://idp.example.com", "sub": "bob", "aud": "assent", "nonce": nonce,
            "iat": now().as_seconds(), "exp": now().as_seconds() + 300, "email": "bob@example.com",
        });
        let vouch = |claims: &Value| -> Result<Voucher, VouchError> {
            let token = &provider.token(claims);
            let sent = UnverifiedVoucher { token, keys: &keys, client_id: "assent" };
            sent.verify(&enrolled, PARTY, vec![1], now())
        };
        let voucher = vouch(&claims).unwrap();
        assert!(!voucher.claims.contains_key("email") && voucher.claims.contains_key("nonce"));
        let step = enrolled.vouch(voucher.clone(), now()).unwrap();
        assert_eq!(step.event()["claims"]["sub"], "bob");
        assert!(step.next().vouch(voucher, now()).is_none());
        let with = |name: &str, value: Value| {
            let mut claims = claims.clone();
            claims[name] = value;
            vouch(&claims).unwrap_err()
        };
        assert_eq!(with("sub", json!("eve")), VouchError::Person);
        assert_eq!(with("iss", json!("https://other.example.com")), VouchError::Person);
        assert_eq!(with("aud", json!("other")), VouchError::Audience("other".to_owned()));
        let both = with("aud", json!(["assent", "other"]));
        assert_eq!(both, VouchError::Audience("assent, other".to_owned()));
        assert!(matches!(with("azp", json!("other")), VouchError::Audience(_)));
        let elsewhere = Passkey::voucher_nonce(&enrolled.key, "example.com");
        assert_eq!(with("nonce", json!(elsewhere)), VouchError::Nonce);
        let other = Passkey::voucher_nonce(&passkey(&Soft::new(-7)).key, PARTY);
        assert_eq!(with("nonce", json!(other)), VouchError::Nonce);
        let over = with("exp", json!(now().as_seconds() - 61));
        assert!(matches!(over, VouchError::Token(TokenError::Expired(_))));
    }
}

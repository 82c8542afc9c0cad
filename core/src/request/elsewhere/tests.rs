//! What a partner may say, and every way in which it can lie.
#![cfg(feature = "wire")]

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::credential::{Algorithm, Signer, SigningKey};
use crate::id::{CredentialId, ReviewId, SignalId};
use crate::policy::Policy;
use crate::policy::document::PolicyDocument;
use crate::policy::situation::{Known, Situation};
use crate::principal::{Principal, PrincipalKind};
use crate::request::tests::key;
use crate::request::{Filing, Said, Verdict};
use crate::signal::{Concern, OnGranted, Reactions, Says, Signal, Subject, Teller};
use crate::wire::{event_from_json, event_to_json};

const OURS: &str = "https://assent.platform.example";
const THEIRS: &str = "https://assent.payments.example";

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
groups: {ours: [person:bob, person:carol]}
authorities:
  payments:
    issuer: https://assent.payments.example
    controls: [{kinds: [terraform.apply], environments: [production]}]
    people: {rob: person:bob, alicia: person:alice}
rules:
  - id: r
    require:
      stages:
        - {name: ours, approvals: 1, from: [group:ours]}
        - {name: theirs, approvals: 1, from: [{authority: payments}]}
";

fn policy() -> Policy {
    compiled(POLICY)
}

fn compiled(text: &str) -> Policy {
    let document = PolicyDocument { file: "p.yaml".to_owned(), text: text.to_owned() };
    Policy::compile(&[document]).unwrap()
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

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + minute * 60_000)
}

fn filed(policy: &Policy) -> Request {
    let stated = crate::intent::UnverifiedIntent {
        kind: "terraform.apply".to_owned(),
        environment: "production".to_owned(),
        target: BTreeMap::from([("workspace".to_owned(), "payments".to_owned())]),
        reason: "because".to_owned(),
        ..Default::default()
    };
    let (intent, requester, known) = (stated.verify().unwrap(), person("alice"), Known::default());
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now: at(0) };
    let ruling = policy.rule(&situation);
    let id = RequestId::new(at(0), [1; 10]);
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, at(0))
        .next()
        .clone()
}

fn theirs() -> RequestId {
    RequestId::new(at(11), [2; 10])
}

/// Bob has approved at minute 10, so the stage over there is open and asked at minute 11.
fn asked() -> (Request, Vec<crate::request::Event>) {
    asked_after("bob", &policy())
}

/// The same, where this person of ours approved.
fn asked_after(who: &str, policy: &Policy) -> (Request, Vec<crate::request::Event>) {
    let request = filed(policy);
    let said = Said {
        verdict: Verdict::Approve,
        digest: request.digest(),
        comment: String::new(),
        signed_in_at: None,
        means: Default::default(),
    };
    let id = ReviewId::new(at(10), [3; 10]);
    let members = &policy.membership(at(10));
    let reviewed = request.review(id, &person(who), said, members, at(10)).unwrap();
    let mut events = reviewed.events().to_vec();
    let asked = reviewed.next().asked_elsewhere("r/theirs", OURS, theirs(), at(11)).unwrap();
    events.extend(asked.events().to_vec());
    (asked.next().clone(), events)
}

/// Somebody's key, and what it signs.
struct Pen {
    pair: EcdsaKeyPair,
    jwk: Value,
}

impl Pen {
    fn new() -> Self {
        let pkcs8 = SigningKey::generate(Algorithm::Es256, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        Self { pair, jwk: Signer::new(THEIRS, &pkcs8).unwrap().jwk() }
    }

    fn evidence(&self, claims: &Value) -> Evidence {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": self.jwk["kid"]});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Evidence { token, key: self.jwk.clone() }
    }
}

/// What their authority signs when all is right, at minute 20.
fn claims(request: &Request) -> Value {
    let question = request.question("r/theirs", OURS).unwrap();
    json!({
        "iss": THEIRS,
        "sub": "assent:v1:production:assent.endorsement",
        "aud": OURS,
        "client_id": format!("{OURS}#assent:authority"),
        "iat": at(20).as_seconds(),
        "exp": at(35).as_seconds(),
        "jti": CredentialId::new(at(20), [4; 10]).to_string(),
        "request_id": theirs().to_string(),
        "digest": question.digest().to_string(),
        "environment": "production",
        "kind": "assent.endorsement",
        "policy": question.digest().to_string(),
        "approved_by": ["olga"],
    })
}

fn endorse(request: &Request, evidence: Evidence) -> Result<Step, EndorseError> {
    request.endorse("r/theirs", evidence, &policy().membership(at(20)), at(20))
}

#[test]
fn an_endorsement_fills_the_stage_and_is_on_record_with_its_proof() {
    let (request, _) = asked();
    let step = endorse(&request, Pen::new().evidence(&claims(&request))).unwrap();
    let State::Approved(approved) = step.next().state() else { panic!("{step:?}") };
    let olga = PrincipalId::new(THEIRS, "olga").unwrap();
    assert_eq!(approved.counted, [PrincipalId::local("bob").unwrap(), olga].into());
    for event in step.events() {
        assert_eq!(event_from_json(&event_to_json(event)).unwrap(), *event);
    }
    assert_eq!(step.next().errands(at(20)), [("r/theirs".to_owned(), Errand::Watch)]);
}

#[test]
fn t24_a_partner_that_lies_about_anything_is_not_believed() {
    let (request, _) = asked();
    let lies: [(&str, Value, &str); 11] = [
        ("digest", json!(request.digest().to_string()), "for the digest"),
        ("digest", json!(format!("sha256:{}", "0".repeat(64))), "for the digest"),
        ("aud", json!("https://assent.other.example"), "it is for `https://assent.other"),
        ("aud", json!([OURS]), "`aud` is missing"),
        ("iss", json!("https://assent.other.example"), "it was issued by"),
        ("request_id", json!(request.id().to_string()), "is of request"),
        ("kind", json!("terraform.apply"), "for something else"),
        ("iat", json!(at(8).as_seconds()), "before the stage opened"),
        ("exp", json!(at(19).as_seconds()), "expired"),
        ("approved_by", json!([]), "0 of those who count"),
        ("approved_by", json!("olga"), "does not say who approved"),
    ];
    let pen = Pen::new();
    for (claim, value, said) in lies {
        let mut claims = claims(&request);
        claims[claim] = value.clone();
        let error = endorse(&request, pen.evidence(&claims)).unwrap_err();
        assert!(error.to_string().contains(said), "{claim} {value}: {error}");
    }
    let mut foreign = pen.evidence(&claims(&request));
    foreign.key = Pen::new().jwk;
    assert!(endorse(&request, foreign).is_err(), "signed by another key");
}

#[test]
fn t07_who_is_behind_the_change_or_has_spoken_does_not_count_from_there() {
    let (request, _) = asked();
    let pen = Pen::new();
    let ours = format!("{OURS}#alice");
    for (people, said) in [
        (json!(["alicia"]), "`alice`, who approved there, is behind"),
        (json!([ours, "olga"]), "is behind the change"),
        (json!(["rob"]), "0 of those who count"),
    ] {
        let mut claims = claims(&request);
        claims["approved_by"] = people.clone();
        let error = endorse(&request, pen.evidence(&claims)).unwrap_err();
        assert!(error.to_string().contains(said), "{people}: {error}");
    }
    let mut claims = claims(&request);
    claims["approved_by"] = json!(["rob", "olga"]);
    assert!(endorse(&request, pen.evidence(&claims)).is_ok(), "olga is enough");
}

#[test]
fn whoever_counted_over_there_is_not_awaited_here_and_their_review_is_not_taken() {
    let policy =
        compiled(&format!("{POLICY}        - {{name: last, approvals: 1, from: [group:ours]}}\n"));
    let (request, _) = asked_after("carol", &policy);
    let mut claims = claims(&request);
    claims["approved_by"] = json!(["rob"]);
    let endorsed = endorse(&request, Pen::new().evidence(&claims)).unwrap().next().clone();
    let members = policy.membership(at(21));
    let awaited = |request: &Request, at| {
        let shown = crate::wire::Request::show(request, &members, at, OURS);
        shown.stages.into_iter().find(|stage| stage.name == "r/last").unwrap().awaited
    };
    assert_eq!(endorsed.state().word(), "pending");
    assert_eq!(awaited(&endorsed, at(21)), Vec::<String>::new());
    let said = Said {
        verdict: Verdict::Approve,
        digest: endorsed.digest(),
        comment: String::new(),
        signed_in_at: None,
        means: Default::default(),
    };
    let id = ReviewId::new(at(21), [5; 10]);
    assert!(endorsed.review(id, &person("bob"), said, &members, at(21)).is_err());
    // Without rob over there, bob is who is awaited.
    claims["approved_by"] = json!(["olga"]);
    let endorsed = endorse(&request, Pen::new().evidence(&claims)).unwrap().next().clone();
    assert_eq!(awaited(&endorsed, at(21)), ["bob"]);
}

#[test]
fn t24_a_partner_does_not_speak_for_anybody_elses_people() {
    let (request, _) = asked();
    let pen = Pen::new();
    let endorsed = |names: Value| {
        let mut claims = claims(&request);
        claims["approved_by"] = names;
        endorse(&request, pen.evidence(&claims))
    };
    for name in [format!("{OURS}#carol"), "https://github.com#583231".to_owned()] {
        let error = endorsed(json!([name])).unwrap_err();
        assert!(error.to_string().contains("0 of those who count"), "{name}: {error}");
    }
    let error = endorsed(json!(["assent:local#carol", "olga"])).unwrap_err();
    assert!(error.to_string().contains("does not say who approved"), "{error}");
    let step = endorsed(json!([format!("{OURS}#carol"), format!("{THEIRS}#olga")])).unwrap();
    let State::Approved(approved) = step.next().state() else { panic!("{step:?}") };
    let olga = PrincipalId::new(THEIRS, "olga").unwrap();
    assert_eq!(approved.counted, [PrincipalId::local("bob").unwrap(), olga].into());
}

#[test]
fn t07_however_a_name_is_written_it_is_one_person() {
    let (request, _) = asked();
    let pen = Pen::new();
    let mut claims = claims(&request);
    // Alicia there is our alice, who asks; rob is our bob, who has approved here.
    claims["approved_by"] = json!([format!("{THEIRS}#alicia")]);
    let error = endorse(&request, pen.evidence(&claims)).unwrap_err();
    assert!(error.to_string().contains("`alice`, who approved there, is behind"), "{error}");
    claims["approved_by"] = json!([format!("{THEIRS}#rob")]);
    let error = endorse(&request, pen.evidence(&claims)).unwrap_err();
    assert!(error.to_string().contains("0 of those who count"), "{error}");
}

#[test]
fn t11_who_is_suspended_does_not_count_from_there() {
    let (request, _) = asked();
    let pen = Pen::new();
    let olga = PrincipalId::new(THEIRS, "olga").unwrap();
    let none = policy().membership(at(20)).with_suspended([olga.clone()].into());
    let evidence = pen.evidence(&claims(&request));
    let waiting = request.endorse("r/theirs", evidence, &none, at(20)).unwrap();
    assert_eq!(waiting.next().state().word(), "pending");

    let granted = endorse(&request, pen.evidence(&claims(&request))).unwrap();
    let granted = granted.next();
    assert!(granted.still_holds(&policy().membership(at(21))));
    assert!(!granted.still_holds(&none));
    let signal = Signal {
        id: SignalId::from_bytes([5; 16]),
        at: at(21),
        about: Subject::Person(olga),
        says: Says::Is(Concern::Suspended),
        until: None,
        reason: "gone".to_owned(),
        teller: Teller::Administrator,
        topic: None,
        told_at: at(21),
        reactions: Reactions { approved: OnGranted::Revoke, ..Reactions::to(Concern::Suspended) },
    };
    let stopped = granted.stop(&signal, &crate::request::KnownAs::new(), at(21)).unwrap();
    assert_eq!(stopped.next().state().word(), "revoked");
}

#[test]
fn t31_an_endorsement_counts_once_for_one_request() {
    let (request, _) = asked();
    let pen = Pen::new();
    let evidence = pen.evidence(&claims(&request));
    let endorsed = endorse(&request, evidence.clone()).unwrap();
    let again = endorse(endorsed.next(), evidence.clone());
    assert_eq!(again.unwrap_err(), EndorseError::NotAwaited("r/theirs".to_owned()));
    // Another request of the same intent asks another question.
    let other = Request { id: RequestId::new(at(0), [9; 10]), ..filed(&policy()) };
    assert_ne!(other.question("r/theirs", OURS), request.question("r/theirs", OURS));
    // Before the stage is open, nothing is asked and nothing is taken.
    assert!(filed(&policy()).asked_elsewhere("r/theirs", OURS, theirs(), at(1)).is_none());
    let early = filed(&policy()).endorse("r/theirs", evidence, &policy().membership(at(1)), at(1));
    assert_eq!(early.unwrap_err(), EndorseError::NotAwaited("r/theirs".to_owned()));
}

#[test]
fn what_was_taken_back_ends_the_grant_and_what_is_over_is_told() {
    let (request, _) = asked();
    let endorsed = endorse(&request, Pen::new().evidence(&claims(&request))).unwrap();
    let step = endorsed.next().withdrawn_elsewhere("r/theirs", "oops".to_owned(), at(21)).unwrap();
    assert_eq!(step.next().state().word(), "revoked");
    assert_eq!(step.next().errands(at(21)), [("r/theirs".to_owned(), Errand::Tell)]);
    let told = step.next().told_elsewhere("r/theirs", at(21)).unwrap();
    assert!(!told.next().has_errands());

    let denied = request.denied_elsewhere("r/theirs", "no".to_owned(), at(12)).unwrap();
    assert_eq!(denied.next().state().word(), "denied");
    assert!(endorse(denied.next(), Pen::new().evidence(&claims(&request))).is_err());
    let canceled = request.cancel(&person("alice"), "c".to_owned(), at(12)).unwrap();
    assert_eq!(canceled.next().errands(at(12)), [("r/theirs".to_owned(), Errand::Tell)]);
    let expired = request.lapse(at(25 * 60)).unwrap();
    assert_eq!(expired.next().errands(at(25 * 60)), [("r/theirs".to_owned(), Errand::Tell)]);
}

#[test]
fn t56_while_a_spent_use_becomes_a_token_nobody_there_is_told_that_it_is_over() {
    let (request, _) = asked();
    let endorsed = endorse(&request, Pen::new().evidence(&claims(&request))).unwrap();
    let errand = |request: &Request, minute| request.errands(at(minute));
    let id = CredentialId::new(at(21), [7; 10]);
    let (alice, members) = (person("alice"), policy().membership(at(21)));
    let spend = crate::request::Spend::on(id, "aws");
    let spent = endorsed.next().consume(&alice, spend, &members, at(21)).unwrap();
    let spent = spent.step().next().clone();
    assert_eq!(spent.state().word(), "consumed");
    assert_eq!(errand(&spent, 21), [("r/theirs".to_owned(), Errand::Watch)]);
    assert!(spent.told_elsewhere("r/theirs", at(21)).is_none());
    let minted = spent.minted(id, Digest::of(b"token"), key(), at(21)).unwrap();
    assert_eq!(errand(minted.next(), 21), [("r/theirs".to_owned(), Errand::Watch)]);
    let over = minted.next().complete(&alice, at(22)).unwrap();
    assert_eq!(errand(over.next(), 22), [("r/theirs".to_owned(), Errand::Tell)]);
    // One that never became a token is over, too.
    assert_eq!(errand(&spent, 40), [("r/theirs".to_owned(), Errand::Tell)]);
}

//! Credentials that are bound to a key (RFC 9449): minted with a proof, told of, redeemed with one.

use assent_client::{Secret, wire};
use assent_core::credential::dpop::Holder;
use assent_core::credential::{Algorithm, KeySet, Rejection, SigningKey, Verifier};
use assent_core::time::{Span, Timestamp};
use aws_lc_rs::rand::SystemRandom;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, filing, fresh_key, sent};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: possession}
rules:
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m, uses: 9}}
  - id: production
    when: {intent.environment: production}
    allow: {credential: {max_ttl: 15m, uses: 9, dpop: required}}
";

fn holder() -> Holder {
    Holder::new(&SigningKey::generate(Algorithm::Es256, &SystemRandom::new()).unwrap()).unwrap()
}

struct Bench {
    server: Server,
    alice: Caller,
    path: String,
    uri: String,
    holder: Holder,
}

impl Bench {
    async fn of(environment: &str) -> Self {
        let server = Server::ruled_by(POLICY).await;
        let alice = server.person("alice").await;
        let request = alice.client.file(&filing(environment, "r"), &fresh_key()).await.unwrap();
        let path = format!("/v1/requests/{}/credentials", request.id);
        let uri = format!("{}{path}", server.authority.base());
        Self { server, alice, path, uri, holder: holder() }
    }

    fn now(&self) -> Timestamp {
        self.server.authority.clock().now()
    }

    fn proof(&self, holder: &Holder, nonce: Option<&str>) -> String {
        let random = SystemRandom::new();
        holder.proof(("POST", &self.uri), None, nonce, self.now(), &random).unwrap()
    }

    async fn mint_as(&self, key: &str, proofs: &[&str]) -> Answer {
        let call = self.alice.call("POST", &self.path).header("idempotency-key", key);
        let call = proofs.iter().fold(call, |call, proof| call.header("dpop", *proof));
        sent(call.json(&json!({"audience": "aws"}))).await
    }

    async fn mint(&self, proofs: &[&str]) -> Answer {
        self.mint_as(fresh_key().as_str(), proofs).await
    }

    /// The nonce that the authority asks for.
    async fn nonce(&self) -> String {
        let answer = self.mint(&[&self.proof(&self.holder, None)]).await;
        let nonce = answer.headers["dpop-nonce"].to_str().unwrap().to_owned();
        answer.refuses(400, "use_dpop_nonce");
        nonce
    }

    async fn bound(&self) -> wire::Credential {
        let nonce = self.nonce().await;
        let minted = self.mint(&[&self.proof(&self.holder, Some(&nonce))]).await.is(201);
        serde_json::from_str(&minted.text).unwrap()
    }

    async fn redeem(&self, token: &str, dpop: Option<Value>) -> Answer {
        let mut body = json!({"token": token, "audience": "aws"});
        if let Some(dpop) = dpop {
            body["dpop"] = dpop;
        }
        self.alice.post("/v1/credentials/redeem", &body).await
    }
}

#[tokio::test]
async fn a_credential_is_bound_to_the_key_that_was_shown() {
    let bench = Bench::of("staging").await;
    let minted = bench.bound().await;
    let key = bench.holder.thumbprint().unwrap().to_string();
    assert_eq!((minted.token_type.as_str(), &minted.claims["cnf"]), ("DPoP", &json!({"jkt": key})));
    let status = bench.alice.client.credential(&minted.id).await.unwrap();
    assert_eq!(status.confirmation, Some(key.clone()));
    let token = Secret::new(minted.token.clone());
    let said = bench.alice.client.introspect(&token).await.unwrap();
    assert!(said.active);
    assert_eq!(
        (&said.claims["token_type"], &said.claims["cnf"]["jkt"]),
        (&json!("DPoP"), &json!(key))
    );
    let keys = KeySet::read(&bench.alice.client.jwks().await.unwrap());
    let alone = Verifier::new(bench.server.authority.base(), "aws");
    assert_eq!(alone.verify(&minted.token, &keys, bench.now()), Err(Rejection::Bound));
    // It is on record which key, before there was a token.
    let entries = bench.alice.get("/v1/audit/entries").await.is(200).json();
    let events = entries["entries"].as_array().unwrap().iter().map(|entry| &entry["event"]);
    let text = events.map(ToString::to_string).find(|text| text.contains("consumed")).unwrap();
    assert!(text.contains(&key), "{text}");
    // One without a proof is as it always was.
    let plain = bench.mint(&[]).await.is(201).json();
    assert_eq!((&plain["token_type"], &plain["claims"]["cnf"]), (&json!("Bearer"), &json!(null)));
    let plain = Secret::new(plain["token"].as_str().unwrap().to_owned());
    let said = bench.alice.client.introspect(&plain).await.unwrap();
    assert_eq!(said.claims["token_type"], "Bearer");
}

#[tokio::test]
async fn where_a_rule_says_so_nothing_is_minted_without_a_proof() {
    let bench = Bench::of("production").await;
    bench.mint(&[]).await.refuses(403, "dpop_required");
    let request = bench.path.split('/').nth(3).unwrap();
    assert_eq!(bench.alice.client.request(request).await.unwrap().credentials, []);
    assert_eq!(bench.bound().await.token_type, "DPoP");
    let shown = bench.alice.client.request(request).await.unwrap();
    assert_eq!(shown.ruling.credential.unwrap().dpop.as_deref(), Some("required"));
}

#[tokio::test]
async fn t31_a_proof_mints_once_for_its_own_call_with_a_nonce_of_ours() {
    let bench = Bench::of("staging").await;
    let nonce = bench.nonce().await;
    let random = SystemRandom::new();
    let at = |call, now| bench.holder.proof(call, None, Some(&nonce), now, &random).unwrap();
    let other = bench.uri.replace("/credentials", "/complete");
    let later = bench.now().plus(Span::minutes(5));
    let earlier = Timestamp::from_millis(bench.now().as_millis() - 121_000);
    for (what, proof) in [
        ("another URL", at(("POST", &other), bench.now())),
        ("another host", at(("POST", &bench.uri.replace("127.0.0.1", "localhost")), bench.now())),
        ("another method", at(("GET", &bench.uri), bench.now())),
        ("the future", at(("POST", &bench.uri), later)),
        ("the past", at(("POST", &bench.uri), earlier)),
        ("no proof", "x".to_owned()),
        ("a token", bench.alice.token().to_owned()),
        ("nothing", String::new()),
    ] {
        let answer = bench.mint(&[&proof]).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        answer.refuses(400, "invalid_dpop_proof");
    }
    for wrong in ["x", &nonce[1..]] {
        let proof = bench.proof(&bench.holder, Some(wrong));
        bench.mint(&[&proof]).await.refuses(400, "use_dpop_nonce");
    }
    let good = bench.proof(&bench.holder, Some(&nonce));
    bench.mint(&[&good, &good]).await.refuses(400, "invalid_dpop_proof");
    bench.mint(&[&good]).await.is(201);
    assert!(bench.mint(&[&good]).await.refuses(400, "invalid_dpop_proof").contains("before"));
    let request = bench.path.split('/').nth(3).unwrap();
    assert_eq!(bench.alice.client.request(request).await.unwrap().credentials.len(), 1);
}

#[tokio::test]
async fn t68_a_proof_of_somebody_who_may_not_mint_is_not_remembered() {
    let bench = Bench::of("staging").await;
    let mallory = bench.server.person("mallory").await;
    let nonce = bench.nonce().await;
    let good = bench.proof(&bench.holder, Some(&nonce));
    let body = json!({"audience": "aws"});
    let nowhere = "/v1/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z/credentials";
    let uri = format!("{}{nowhere}", bench.server.authority.base());
    let random = SystemRandom::new();
    let for_nothing =
        bench.holder.proof(("POST", &uri), None, Some(&nonce), bench.now(), &random).unwrap();
    // What was remembered would be refused as used before.
    for _ in 0..2 {
        let call = mallory.call("POST", &bench.path).header("dpop", &good);
        let call = call.header("idempotency-key", fresh_key().as_str());
        sent(call.json(&body)).await.refuses(403, "not_requester");
        let call = mallory.call("POST", nowhere).header("dpop", &for_nothing);
        let call = call.header("idempotency-key", fresh_key().as_str());
        sent(call.json(&body)).await.refuses(404, "not_found");
    }
    bench.mint(&[&good]).await.is(201);
    bench.mint(&[&good]).await.refuses(400, "invalid_dpop_proof");
}

#[tokio::test]
async fn t56_a_repeated_wish_needs_the_same_key_again() {
    let bench = Bench::of("staging").await;
    let nonce = bench.nonce().await;
    let wish = fresh_key();
    let mint = async |holder: &Holder| {
        let proof = bench.proof(holder, Some(&nonce));
        bench.mint_as(wish.as_str(), &[&proof]).await
    };
    let first = mint(&bench.holder).await.is(201);
    let again = mint(&bench.holder).await.is(201);
    assert_eq!(first.str("id"), again.str("id"));
    mint(&holder()).await.refuses(422, "key_reused");
    bench.mint_as(wish.as_str(), &[]).await.refuses(422, "key_reused");
}

#[tokio::test]
async fn a_bound_credential_is_redeemed_only_with_the_proof_that_was_shown() {
    let bench = Bench::of("staging").await;
    let minted = bench.bound().await;
    let random = SystemRandom::new();
    let uri = "https://orders.example.com/deploy";
    let proof = |holder: &Holder, token: &str| {
        holder.proof(("POST", uri), Some(token), Some("theirs"), bench.now(), &random).unwrap()
    };
    let good = proof(&bench.holder, &minted.token);
    let passed_on = |proof: &str, method: &str, uri: &str| {
        Some(json!({"proof": proof, "method": method, "uri": uri}))
    };
    let elsewhere = "https://orders.example.com/delete";
    for (what, shown) in [
        ("nothing", None),
        ("another key", passed_on(&proof(&holder(), &minted.token), "POST", uri)),
        ("another token", passed_on(&proof(&bench.holder, "x"), "POST", uri)),
        ("another method", passed_on(&good, "GET", uri)),
        ("another URL", passed_on(&good, "POST", elsewhere)),
        ("no proof", passed_on("x", "POST", uri)),
    ] {
        let answer = bench.redeem(&minted.token, shown).await;
        assert_eq!(answer.status, 403, "{what}: {answer:?}");
        answer.refuses(403, "invalid_dpop_proof");
    }
    let said = bench.redeem(&minted.token, passed_on(&good, "POST", uri)).await.is(200);
    assert_eq!(said.json()["token_type"], "DPoP");
    let again = bench.redeem(&minted.token, passed_on(&good, "POST", uri)).await;
    again.refuses(409, "credential_spent");
}

#[tokio::test]
async fn a_nonce_ends_with_the_process_that_gave_it() {
    let bench = Bench::of("staging").await;
    let nonce = bench.nonce().await;
    let other = Bench::of("staging").await;
    let proof = other.proof(&other.holder, Some(&nonce));
    other.mint(&[&proof]).await.refuses(400, "use_dpop_nonce");
    bench.server.remains.time.pass(Span::minutes(10));
    let proof = bench.proof(&bench.holder, Some(&nonce));
    bench.mint(&[&proof]).await.refuses(400, "use_dpop_nonce");
}

#[tokio::test]
async fn the_metadata_say_how_proofs_are_signed() {
    let server = Server::start().await;
    let said = server.stranger().get("/.well-known/openid-configuration").await.is(200).json();
    let algorithms = said["dpop_signing_alg_values_supported"].as_array().unwrap().clone();
    assert!(algorithms.contains(&json!("ES256")) && algorithms.contains(&json!("EdDSA")));
    assert_eq!(said["authorization_details_types_supported"], json!(["assent_intent"]));
}

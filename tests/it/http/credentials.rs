//! Presented credentials: hostile ones, foreign ones, ones that are over.

use std::sync::Arc;

use assent_client::{ErrorKind, Secret};
use assent_server::ledger::{Ledger, MemoryLedger};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use crate::support::{Caller, Server, filing, fresh_key, mint};

struct Good {
    server: Server,
    alice: Caller,
    bob: Caller,
    request: String,
    id: String,
    token: String,
}

async fn good() -> Good {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let credential = mint(&alice, &request).await.unwrap();
    let (id, token) = (credential.id, credential.token);
    Good { server, alice, bob, request: request.id, id, token }
}

impl Good {
    /// Inactive, with nothing beside that; and nobody can spend it.
    async fn refuses(&self, what: &str, token: &str) {
        let answer = self.bob.form("/oauth/introspect", &[("token", token)]).await.is(200);
        assert_eq!(answer.json(), json!({"active": false}), "{what}");
        let body = json!({"token": token, "audience": "aws"});
        let spent = self.bob.post("/v1/credentials/redeem", &body).await;
        assert_eq!(spent.status, 403, "{what}: {spent:?}");
        spent.refuses(403, "credential_inactive");
    }

    fn parts(&self) -> (Value, Value, String) {
        let parts: Vec<&str> = self.token.split('.').collect();
        let json = |part: &str| serde_json::from_slice(&B64.decode(part).unwrap()).unwrap();
        (json(parts[0]), json(parts[1]), parts[2].to_owned())
    }
}

fn joined(header: &str, claims: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", B64.encode(header), B64.encode(claims))
}

#[tokio::test]
async fn t21_hostile_credentials_are_inactive() {
    let good = good().await;
    let (header, claims, signature) = good.parts();
    let kid = header["kid"].clone();
    let with = |changes: Value| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        joined(&header.to_string(), &claims.to_string(), &signature)
    };
    let jwks = good.alice.get("/.well-known/jwks.json").await.text;
    let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, jwks.as_bytes());
    let confused = with(json!({"alg": "HS256"}));
    let signed = confused.rsplit_once('.').unwrap().0.to_owned();
    let confused =
        format!("{signed}.{}", B64.encode(aws_lc_rs::hmac::sign(&mac, signed.as_bytes())));
    let twice = format!("{{\"aud\": \"aws\", {}", &claims.to_string()[1..]);
    let mut other_claims = claims.clone();
    other_claims["exp"] = json!(4_000_000_000_u64);
    let hostile = [
        ("nothing", String::new()),
        ("no token", "x".to_owned()),
        ("three dots", "...".to_owned()),
        ("long", "A".repeat(100_000)),
        (
            "alg none",
            joined(
                &json!({"alg": "none", "kid": kid, "typ": "JWT"}).to_string(),
                &claims.to_string(),
                "",
            ),
        ),
        ("alg none, old signature", with(json!({"alg": "none"}))),
        ("HS256 with the public key", confused),
        ("another alg", with(json!({"alg": "ES384"}))),
        ("unknown kid", with(json!({"kid": "unknown"}))),
        ("path as kid", with(json!({"kid": "../../etc/passwd"}))),
        ("SQL as kid", with(json!({"kid": "' OR 1=1 --"}))),
        ("NUL in kid", with(json!({"kid": "\u{0}"}))),
        ("huge kid", with(json!({"kid": "k".repeat(10_000)}))),
        ("number as kid", with(json!({"kid": 1}))),
        ("jku", with(json!({"jku": "http://127.0.0.1:1/keys"}))),
        ("jwk", with(json!({"jwk": {"kty": "EC"}}))),
        ("crit", with(json!({"crit": ["exp"]}))),
        ("other claims", joined(&header.to_string(), &other_claims.to_string(), &signature)),
        ("duplicate claims", joined(&header.to_string(), &twice, &signature)),
        ("padding", format!("{}=", good.token)),
        ("a fourth part", format!("{}.x", good.token)),
        ("a space", format!(" {}", good.token)),
        ("an access token", good.alice.token().to_owned()),
    ];
    for (what, token) in &hostile {
        good.refuses(what, token).await;
    }
    let seen = good.bob.client.introspect(&Secret::new(good.token.clone())).await.unwrap();
    assert!(seen.active, "the good one is not");
}

#[tokio::test]
async fn t21_no_flipped_bit_is_overlooked() {
    let good = good().await;
    for place in 0..good.token.len() {
        let mut bytes = good.token.as_bytes().to_vec();
        bytes[place] ^= 1 << (place % 7);
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let seen = good.server.authority.introspect(&Secret::new(changed)).await.unwrap();
        assert!(!seen.active, "byte {place} may be changed");
    }
}

#[tokio::test]
async fn t24_a_credential_for_another_audience_or_of_another_server_is_refused() {
    let good = good().await;
    let token = Secret::new(good.token.clone());
    for audience in ["gcp", "", "AWS", "aws "] {
        let refused = good.bob.client.redeem(&token, audience, &fresh_key()).await.unwrap_err();
        assert_eq!(refused.code(), Some("credential_inactive"), "{audience}");
    }
    let other = Server::start().await;
    let stranger = other.person("bob").await;
    assert!(!stranger.client.introspect(&token).await.unwrap().active);
    let refused = stranger.client.redeem(&token, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("credential_inactive"));
    assert!(good.bob.client.redeem(&token, "aws", &fresh_key()).await.unwrap().active);
}

#[tokio::test]
async fn t31_a_credential_is_no_access_token() {
    let good = good().await;
    let holder = good.server.holder_of(&good.token);
    holder.get("/v1/whoami").await.refuses(401, "invalid_token");
}

#[tokio::test]
async fn t55_a_token_signed_off_the_record_is_inactive() {
    let record: Arc<dyn Ledger> = Arc::new(MemoryLedger::default());
    let server = Server::with(Arc::clone(&record)).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let remains = server.stop().await;
    // The same key and issuer, but what it does is not on our record.
    let forger = Server::again(Arc::new(MemoryLedger::default()), remains).await;
    let mallory = forger.person("alice").await;
    let request = mallory.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let forged = Secret::new(mint(&mallory, &request).await.unwrap().token);
    assert!(mallory.client.introspect(&forged).await.unwrap().active);
    let server = Server::again(record, forger.stop().await).await;
    assert!(!alice.client.introspect(&forged).await.unwrap().active);
    let refused = bob.client.redeem(&forged, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("credential_inactive"));
    drop(server);
}

#[tokio::test]
async fn a_credential_is_taken_back_by_its_token_or_its_id() {
    let good = good().await;
    good.bob.form("/oauth/revoke", &[("token", "nobody's")]).await.is(200);
    good.alice.form("/oauth/revoke", &[("token", &good.token)]).await.is(200);
    good.refuses("revoked", &good.token).await;
    assert_eq!(good.alice.client.credential(&good.id).await.unwrap().status, "revoked");
    good.alice.form("/oauth/revoke", &[("token", &good.token)]).await.is(200);
    good.alice.client.revoke_credential(&good.id, &fresh_key()).await.unwrap();
    let size = good.alice.client.checkpoint().await.unwrap().size;
    good.alice.client.revoke_credential(&good.id, &fresh_key()).await.unwrap();
    assert_eq!(good.alice.client.checkpoint().await.unwrap().size, size, "done before is done");
}

/// RFC 7009 section 2.1: what the token endpoint gives is taken back here, too, but only by its own.
#[tokio::test]
async fn an_access_token_is_taken_back_by_itself() {
    let good = good().await;
    let mine = [("token", good.alice.token())];
    let refused = good.bob.form("/oauth/revoke", &mine).await;
    refused.refuses_in_oauth(400, "unauthorized_client");
    good.alice.get("/v1/whoami").await.is(200);
    good.alice.form("/oauth/revoke", &mine).await.is(200);
    good.alice.get("/v1/whoami").await.refuses(401, "invalid_token");
    // What was minted with it ends by itself.
    let seen = good.bob.client.introspect(&Secret::new(good.token.clone())).await.unwrap();
    assert!(seen.active);
}

#[tokio::test]
async fn t05_a_grant_of_one_use_is_spent_once() {
    let good = good().await;
    let request = good.alice.client.request(&good.request).await.unwrap();
    assert_eq!(request.state, "consumed");
    let again = mint(&good.alice, &request).await.unwrap_err();
    assert_eq!(again.code(), Some("not_approved"));
    assert_eq!(request.credentials.len(), 1);
}

#[tokio::test]
async fn an_introspection_without_a_token_is_refused() {
    let good = good().await;
    let answer = good.bob.form("/oauth/introspect", &[("other", "x")]).await;
    let told = answer.refuses_in_oauth(400, "invalid_request");
    assert!(told.contains("token"), "{told}");
    let answer = good.bob.form("/oauth/introspect", &[("token", "x"), ("token", "y")]).await;
    answer.refuses_in_oauth(400, "invalid_request");
    let hinted = [("token", good.token.as_str()), ("token_type_hint", "access_token")];
    assert_eq!(good.bob.form("/oauth/introspect", &hinted).await.is(200).json()["active"], true);
}

/// RFC 7662 section 2.3 and RFC 7009 section 2.2.1: a library for OAuth reads these, and no problem of
/// ours.
#[tokio::test]
async fn faults_about_tokens_are_told_in_the_words_of_oauth() {
    let good = good().await;
    let form = [("token", good.token.as_str())];
    let server = &good.server;
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        // RFC 6750 section 3.1: who presented nothing is told nothing about it.
        let answer = server.stranger().form(path, &form).await;
        assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
        answer.refuses_in_oauth(401, "invalid_client");
        let answer = server.holder_of("assent_nobody").form(path, &form).await;
        let challenge = "Bearer error=\"invalid_token\"";
        assert_eq!(answer.headers["www-authenticate"], challenge, "{path}");
        answer.refuses_in_oauth(401, "invalid_token");
        let twice = [form[0], form[0]];
        good.bob.form(path, &twice).await.refuses_in_oauth(400, "invalid_request");
        let huge = "x".repeat(3 << 20);
        let answer = good.bob.form(path, &[("token", &huge)]).await;
        answer.refuses_in_oauth(413, "invalid_request");
    }
    // Nothing of that ended it.
    let seen = good.bob.client.introspect(&Secret::new(good.token.clone())).await.unwrap();
    assert!(seen.active);
    // The typed client reads them as it reads all others.
    let error = server.holder_of("assent_nobody").client;
    let error = error.introspect(&Secret::new(good.token.clone())).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Unauthorized, Some("invalid_token")));
}

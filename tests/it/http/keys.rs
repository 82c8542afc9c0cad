//! Signing keys over their lives: what signs, what is published, and what of it is still good.

use assent_client::{Secret, wire};
use assent_core::credential::ring::{OVERLAP, Schedule};
use assent_core::credential::{Algorithm, KeySet, SigningKey, Verifier};
use assent_core::time::Span;
use assent_server::chance::Chance;
use assent_server::keys::{Audiences, KeySettings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};

use super::authzen::{EVALUATION, REQUESTS, ask};
use crate::support::{Caller, Server, Setup, filing, fresh_key, sent};

const JWKS: &str = "/.well-known/jwks.json";
const AZURE: &str = "api://AzureADTokenExchange";
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: keys}
groups:
  approvers: [person:bob]
rules:
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 168h}}
  - id: production
    when: {intent.environment: production}
    require:
      stages: [{name: one, approvals: 1, from: [group:approvers]}]
";

async fn start(keys: KeySettings) -> Server {
    let source = assent_server::policy::Source::Given(crate::support::documents(POLICY));
    Server::set_up(Setup { source, keys, ..Setup::default() }).await
}

/// A token for this audience that lives as long as any.
async fn token(who: &Caller, audience: &str) -> Secret {
    let reason = format!("{:?}", fresh_key());
    let request = who.client.file(&filing("staging", &reason), &fresh_key()).await.unwrap();
    let wanted =
        wire::MintRequest { audience: audience.to_owned(), ..wire::MintRequest::default() };
    Secret::new(who.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap().token)
}

fn header(token: &Secret) -> Value {
    let part = token.expose().split('.').next().unwrap();
    serde_json::from_slice(&B64.decode(part).unwrap()).unwrap()
}

fn kid(token: &Secret) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

async fn published(server: &Server) -> Vec<String> {
    let set = server.stranger().get(JWKS).await.is(200).json();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn rotate(root: &Caller, at_once: bool) -> wire::Key {
    let wanted = wire::NewKey { at_once, ..wire::NewKey::default() };
    root.client.make_key(&wanted, &fresh_key()).await.unwrap()
}

fn pem(algorithm: Algorithm) -> (String, Vec<u8>) {
    let pkcs8 = SigningKey::generate(algorithm, Chance::default().source()).unwrap();
    let text = STANDARD.encode(&*pkcs8);
    (format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"), pkcs8.to_vec())
}

async fn facts(root: &Caller) -> Vec<String> {
    let entries = root.client.entries(0).await.unwrap().entries;
    let types = entries.iter().map(|entry| entry.event["type"].as_str().unwrap().to_owned());
    types.filter(|fact| fact.starts_with("key_")).collect()
}

#[tokio::test]
async fn t29_a_key_is_published_before_it_signs_and_until_what_it_signed_is_over() {
    let server = start(KeySettings::default()).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let first = token(&alice, "aws").await;
    let next = rotate(&root, false).await;
    assert_eq!((next.stage.as_str(), published(&server).await.len()), ("published", 2));
    assert_eq!(kid(&token(&alice, "aws").await), kid(&first));
    server.time().pass(Span::hours(1));
    server.authority.tend_keys().await.unwrap();
    let second = token(&alice, "aws").await;
    assert_eq!(kid(&second), next.id);

    // What the old one signed is good until it is over, online and offline.
    server.time().pass(Span::hours(166));
    let alice = server.person("alice").await;
    assert!(alice.client.introspect(&first).await.unwrap().active);
    let set = KeySet::read(&server.stranger().client.jwks().await.unwrap());
    let verifier = Verifier::new(server.base(), "aws");
    let now = server.authority.clock().now();
    assert!(verifier.verify(first.expose(), &set, now).is_ok());
    assert!(verifier.verify(second.expose(), &set, now).is_ok());

    server.time().pass(OVERLAP);
    assert!(!published(&server).await.contains(&kid(&first)));
    let root = server.administrator().await;
    server.authority.tend_keys().await.unwrap();
    let facts = facts(&root).await;
    for fact in ["key_made", "key_superseded", "key_activated", "key_retired"] {
        assert!(facts.contains(&fact.to_owned()), "{facts:?}");
    }
}

#[tokio::test]
async fn t55_what_a_revoked_key_signed_is_inactive_at_once() {
    let server = start(KeySettings::default()).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let stolen = token(&alice, "aws").await;
    assert!(alice.client.introspect(&stolen).await.unwrap().active);
    let path = format!("/v1/keys/{}/revoke", kid(&stolen));
    for unfit in [" ", "sto\u{202e}len"] {
        root.post(&path, &json!({"reason": unfit})).await.refuses(422, "invalid");
    }
    let revoked = root.client.revoke_key(&kid(&stolen), "stolen", &fresh_key()).await.unwrap();
    assert_eq!((revoked.stage.as_str(), revoked.revoked.as_deref()), ("revoked", Some("stolen")));
    assert!(!published(&server).await.contains(&kid(&stolen)));
    assert!(!alice.client.introspect(&stolen).await.unwrap().active);
    let refused = alice.client.redeem(&stolen, "aws", &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("credential_inactive"));
    let fresh = token(&alice, "aws").await;
    assert_ne!(kid(&fresh), kid(&stolen));
    assert!(alice.client.introspect(&fresh).await.unwrap().active);
    // Done before is done, and it never comes back.
    let again = root.client.revoke_key(&kid(&stolen), "again", &fresh_key()).await.unwrap();
    assert_eq!(again.revoked.as_deref(), Some("stolen"));
    let facts = facts(&root).await;
    assert_eq!(facts.iter().filter(|fact| *fact == "key_revoked").count(), 1);
}

#[tokio::test]
async fn an_emergency_rotation_signs_at_once_and_lets_the_old_tokens_live() {
    let server = start(KeySettings::default()).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let before = token(&alice, "aws").await;
    let next = rotate(&root, true).await;
    assert_eq!(next.stage, "signing");
    assert_eq!(kid(&token(&alice, "aws").await), next.id);
    assert!(alice.client.introspect(&before).await.unwrap().active);
    let needed = root.post(&format!("/v1/keys/{}/retire", next.id), &json!({})).await;
    needed.refuses(409, "key_needed");
}

#[tokio::test]
async fn the_same_call_makes_one_key_and_only_administrators_make_any() {
    let server = start(KeySettings::default()).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let made = root.post_again("the same wish", "/v1/keys", &json!({})).await.is(201).str("id");
    let again = root.post_again("the same wish", "/v1/keys", &json!({})).await.is(201).str("id");
    assert_eq!(made, again);
    let other = root.post_again("the same wish", "/v1/keys", &json!({"at_once": true})).await;
    other.refuses(422, "key_reused");
    for refused in [
        alice.get("/v1/keys").await,
        alice.post("/v1/keys", &json!({})).await,
        alice.post(&format!("/v1/keys/{made}/retire"), &json!({})).await,
        alice.post(&format!("/v1/keys/{made}/revoke"), &json!({"reason": "x"})).await,
    ] {
        refused.refuses(403, "not_administrator");
    }
    server.stranger().get("/v1/keys").await.refuses(401, "no_token");
    for id in ["nonsense", &"a".repeat(43)] {
        let path = format!("/v1/keys/{id}/revoke");
        root.post(&path, &json!({"reason": "x"})).await.refuses(404, "not_found");
    }
    let retired = root.post(&format!("/v1/keys/{made}/retire"), &json!({})).await.is(200);
    assert_eq!(retired.str("stage"), "retired");
}

#[tokio::test]
async fn an_audience_gets_the_algorithm_that_it_takes() {
    let own = ("https://own.example.com".to_owned(), Algorithm::EdDsa);
    let audiences = Audiences::default().with([own]);
    let server = start(KeySettings { audiences, ..KeySettings::default() }).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);

    // Before the key is there, no use is spent.
    let request = alice.client.file(&filing("staging", "early"), &fresh_key()).await.unwrap();
    let path = format!("/v1/requests/{}/credentials", request.id);
    alice.post(&path, &json!({"audience": AZURE})).await.refuses(503, "no_key");
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "approved");

    server.authority.tend_keys().await.unwrap();
    let set = KeySet::read(&server.stranger().client.jwks().await.unwrap());
    for (audience, algorithm) in
        [("sts.amazonaws.com", "ES256"), (AZURE, "RS256"), ("https://own.example.com", "EdDSA")]
    {
        let token = token(&alice, audience).await;
        assert_eq!(header(&token)["alg"], algorithm, "{audience}");
        let now = server.authority.clock().now();
        let verified = Verifier::new(server.base(), audience).verify(token.expose(), &set, now);
        assert!(verified.is_ok(), "{audience}: {verified:?}");
        assert!(alice.client.introspect(&token).await.unwrap().active, "{audience}");
    }
    let discovery = server.stranger().get("/.well-known/openid-configuration").await.is(200);
    let algorithms = &discovery.json()["id_token_signing_alg_values_supported"];
    assert_eq!(*algorithms, json!(["ES256", "RS256", "EdDSA"]));
    let all = root.client.signing_keys().await.unwrap();
    let rsa = all.keys.iter().find(|key| key.algorithm == "RS256").unwrap();
    assert!(rsa.audiences.contains(&AZURE.to_owned()));
    let bits = B64.decode(rsa.jwk["n"].as_str().unwrap()).unwrap().len() * 8;
    assert_eq!(bits, 3072);
    let told: Vec<_> = all.misfits.iter().map(|misfit| misfit.who.as_str()).collect();
    assert!(told.contains(&"AWS"), "an issuer with a port: {told:?}");
}

#[tokio::test]
async fn a_key_that_is_brought_signs_and_what_is_none_is_refused_unseen() {
    let server = start(KeySettings::default()).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let (text, pkcs8) = pem(Algorithm::Es256);
    let wanted = json!({"private_key": text, "at_once": true});
    let brought = root.post("/v1/keys", &wanted).await.is(201);
    assert_eq!(
        (brought.str("origin"), brought.str("stage")),
        ("imported".into(), "signing".into())
    );
    assert_eq!(brought.str("id"), SigningKey::read(&pkcs8).unwrap().id().as_str());
    assert_eq!(kid(&token(&alice, "aws").await), brought.str("id"));
    root.post("/v1/keys", &wanted).await.refuses(409, "key_known");

    let (ed, _) = pem(Algorithm::EdDsa);
    let other = json!({"private_key": ed, "algorithm": "ES256"});
    root.post("/v1/keys", &other).await.refuses(422, "invalid");
    for bad in ["canary", &text.replace("PRIVATE", "EC PRIVATE"), &text[..60]] {
        let answer = root.post("/v1/keys", &json!({"private_key": bad})).await;
        assert!(!answer.text.contains(bad), "{}", answer.text);
        answer.refuses(422, "invalid");
    }
    for bad in [json!({"algorithm": "none"}), json!({"algorithm": "HS256"}), json!({"d": "x"})] {
        assert!((400..500).contains(&root.post("/v1/keys", &bad).await.status), "{bad}");
    }
}

#[tokio::test]
async fn the_key_set_may_be_kept_and_asked_for_again() {
    let server = start(KeySettings::default()).await;
    let (root, stranger) = (server.administrator().await, server.stranger());
    let first = stranger.get(JWKS).await.is(200);
    assert_eq!(first.headers["cache-control"], "public, max-age=300");
    assert_eq!(first.headers["content-type"], "application/json");
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    let again =
        async |tags: &str| sent(stranger.call("GET", JWKS).header("if-none-match", tags)).await;
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let answer = again(&known).await.is(304);
        assert!(answer.text.is_empty() && answer.headers["etag"] == tag.as_str(), "{known}");
    }
    for other in ["\"x\"", "x", &tag[1..]] {
        assert_eq!(again(other).await.is(200).text, first.text);
    }
    rotate(&root, false).await;
    let changed = again(&tag).await.is(200);
    assert_ne!(changed.headers["etag"], tag.as_str());
    // Where a key signs at once, nobody is told to keep the set.
    let schedule = Schedule { lead: Span::ZERO, every: None };
    let eager = start(KeySettings { schedule, ..KeySettings::default() }).await;
    let kept = eager.stranger().get(JWKS).await.is(200);
    assert_eq!(kept.headers["cache-control"], "public, max-age=0");
}

#[tokio::test]
async fn keys_follow_one_another_by_themselves_where_that_is_wanted() {
    let schedule = Schedule { lead: Span::hours(1), every: Some(Span::hours(48)) };
    let server = start(KeySettings { schedule, ..KeySettings::default() }).await;
    let alice = server.person("alice").await;
    let first = kid(&token(&alice, "aws").await);
    server.time().pass(Span::minutes(47 * 60 - 1));
    server.authority.tend_keys().await.unwrap();
    let es256 = async || {
        let set = server.stranger().get(JWKS).await.json();
        let all = set["keys"].as_array().unwrap().clone();
        all.into_iter().filter(|key| key["alg"] == "ES256").count()
    };
    assert_eq!(es256().await, 1);
    server.time().pass(Span::minutes(1));
    for _ in 0..3 {
        server.authority.tend_keys().await.unwrap();
        assert_eq!(es256().await, 2);
    }
    let alice = server.person("alice").await;
    assert_eq!(kid(&token(&alice, "aws").await), first);
    server.time().pass(Span::hours(1));
    assert_ne!(kid(&token(&alice, "aws").await), first);
}

#[tokio::test]
async fn what_binds_a_denial_goes_on_through_a_rotation_but_not_past_a_revocation() {
    let authzen = assent_server::app::authzen::Authzen { access_request: true, environment: None };
    let source = assent_server::policy::Source::Given(crate::support::documents(POLICY));
    let server = Server::set_up(Setup { source, authzen, ..Setup::default() }).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let evaluation = json!({
        "subject": {"type": "person", "id": "alice"}, "action": {"name": "terraform.apply"},
        "resource": {"type": "workspace", "id": "payments", "properties": {"environment": "production"}},
    });
    let denied = async || {
        let said = ask(&alice, EVALUATION, &evaluation).await.is(200).json();
        let how = &said["context"]["access_request"];
        let mut body = evaluation.clone();
        body["denial"] = json!({
            "binding_token": how["binding_token"], "expires_at": how["expires_at"],
            "evaluation_id": said["context"]["evaluation_id"], "reason": said["context"]["reason"],
        });
        body
    };
    let before = denied().await;
    let next = rotate(&root, true).await;
    alice.post(REQUESTS, &before).await.is(202);
    let bound = denied().await;
    let signed = Secret::new(bound["denial"]["binding_token"].as_str().unwrap().to_owned());
    assert_eq!(kid(&signed), next.id);
    root.client.revoke_key(&next.id, "stolen", &fresh_key()).await.unwrap();
    alice.post(REQUESTS, &bound).await.refuses(400, "invalid_denial_binding");
}

#[tokio::test]
async fn keys_and_their_rotation_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let server = Server::on_file_ruled_by(&file, POLICY).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let before = token(&alice, "aws").await;
    let next = rotate(&root, false).await;
    let held = root.client.signing_keys().await.unwrap().keys;
    let server = Server::on_file_again(&file, server.stop().await, POLICY).await;
    let root = server.administrator().await;
    assert_eq!(root.client.signing_keys().await.unwrap().keys, held);
    let alice = server.person("alice").await;
    assert!(alice.client.introspect(&before).await.unwrap().active);
    server.time().pass(Span::hours(1));
    assert_eq!(kid(&token(&alice, "aws").await), next.id);
    // The one that has signed for the last time is forgotten, and the token it signed is good.
    server.authority.tend_keys().await.unwrap();
    let kept = server.authority.ledger().signing_keys().await.unwrap();
    let old = kept.iter().find(|kept| kept.key.id.as_str() == kid(&before)).unwrap();
    assert!(old.sealed.is_none());
    let server = Server::on_file_again(&file, server.stop().await, POLICY).await;
    let alice = server.person("alice").await;
    assert!(alice.client.introspect(&before).await.unwrap().active);
}

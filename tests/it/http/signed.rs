//! Reviews that a passkey signed: whose word counts where a rule asks for that, and what it proves.

use assent_client::wire;
use assent_core::credential::KeySet;
use assent_core::evidence::{self, EvidenceError};
use assent_core::statement::Statement;
use assent_core::time::Span;
use assent_server::policy::Source;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::passkey::{DEVICE_BOUND, Enrolled, SYNCED, Soft, send};
use crate::support::{Caller, Server, Setup, approve, deny, documents, filing, fresh_key};

fn policy(signature: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
metadata: {{name: signed}}
groups: {{release: [person:bob, person:carol]}}
rules:
  - id: signed
    require:
      stages: [{{name: release, approvals: 1, from: [group:release], signature: {signature}}}]
"
    )
}

pub(crate) async fn server(signature: &str) -> Server {
    let source = Source::Given(documents(&policy(signature)));
    Server::for_browsers(Setup { source, ..Setup::default() }).await
}

pub(crate) async fn filed(server: &Server, reason: &str) -> wire::Request {
    let alice = server.person("alice").await;
    alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap()
}

async fn state(who: &Caller, request: &wire::Request) -> (String, usize) {
    let now = who.client.request(&request.id).await.unwrap();
    (now.state, now.reviews.len())
}

#[tokio::test]
async fn only_a_signed_review_counts_where_a_stage_asks_for_one() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    for (verdict, end) in [("approve", "approved"), ("deny", "denied")] {
        let request = filed(&server, verdict).await;
        for unsigned in [approve(&bob, &request).await, deny(&bob, &request).await] {
            assert_eq!(unsigned.unwrap_err().code(), Some("signature_needed"));
        }
        assert_eq!(state(&bob, &request).await, ("pending".to_owned(), 0));
        let decided = key.decide(&bob, &request, verdict).await.is(200).json();
        assert_eq!(decided["state"], end);
        assert_eq!(decided["reviews"][0]["passkey"], key.id.to_string());
    }
}

#[tokio::test]
async fn every_algorithm_signs() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    for algorithm in [-7, -8, -257] {
        let key = Enrolled::of(&server, "bob", Soft::new(algorithm)).await;
        let request = filed(&server, &format!("algorithm {algorithm}")).await;
        assert_eq!(key.decide(&bob, &request, "approve").await.is(200).json()["state"], "approved");
    }
}

#[tokio::test]
async fn a_signature_is_good_for_exactly_what_was_signed() {
    let server = server("passkey").await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let (request, other) = (filed(&server, "one").await, filed(&server, "other").await);
    let given = key.statement(&bob, &request, "approve", "looked at").await.is(200).json();
    let signed = key.sign(&given);
    send(&bob, &request, "deny", &signed).await.refuses(409, "other_statement");
    send(&bob, &other, "approve", &signed).await.refuses(409, "other_statement");
    // Somebody else's passkey, and somebody else's statement.
    send(&carol, &request, "approve", &signed).await.refuses(403, "unknown_passkey");
    key.statement(&carol, &request, "approve", "x").await.refuses(403, "unknown_passkey");
    let comment = key.statement(&bob, &request, "approve", "another comment").await.is(200).json();
    send(&bob, &request, "approve", &key.sign(&comment)).await.refuses(409, "other_statement");
    // A statement that somebody made up, and one that this server gave but for its end.
    let bytes = URL_SAFE_NO_PAD.decode(given["statement"].as_str().unwrap()).unwrap();
    let ours = Statement::read(&bytes).unwrap();
    let made_up = [
        Statement { nonce: [7; 16], ..ours.clone() },
        Statement { expires_at: ours.expires_at.plus(Span::hours(24)), ..ours.clone() },
    ];
    for statement in made_up {
        let statement = serde_json::to_value(wire::Statement::from(&statement)).unwrap();
        let sent = send(&bob, &request, "approve", &key.sign(&statement)).await;
        sent.refuses(409, "stale_statement");
    }
    assert_eq!(state(&bob, &request).await, ("pending".to_owned(), 0));
    send(&bob, &request, "approve", &signed).await.is(200);
    assert_eq!(state(&bob, &other).await, ("pending".to_owned(), 0));
}

#[tokio::test]
async fn every_part_of_what_is_sent_is_looked_at() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let given = key.statement(&bob, &request, "approve", "looked at").await.is(200).json();
    let signed = key.sign(&given);
    for part in ["credential_id", "statement", "authenticator_data", "client_data", "signature"] {
        let mut bytes = URL_SAFE_NO_PAD.decode(signed[part].as_str().unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let mut changed = signed.clone();
        changed[part] = URL_SAFE_NO_PAD.encode(bytes).into();
        let refused = send(&bob, &request, "approve", &changed).await;
        assert!([400, 403, 409].contains(&refused.status), "{part}: {}", refused.text);
        changed[part] = json!("not base64url!");
        send(&bob, &request, "approve", &changed).await.refuses(422, "invalid");
    }
    assert_eq!(state(&bob, &request).await, ("pending".to_owned(), 0));
}

#[tokio::test]
async fn a_statement_is_over_after_five_minutes() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let given = key.statement(&bob, &request, "approve", "looked at").await.is(200).json();
    server.time().pass(Span::minutes(5));
    let late = send(&bob, &request, "approve", &key.sign(&given)).await;
    late.refuses(409, "stale_statement");
}

#[tokio::test]
async fn a_signed_review_that_is_sent_again_is_answered_as_it_is_on_record() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let given = key.statement(&bob, &request, "approve", "looked at").await.is(200).json();
    let review = |verdict: &str| {
        json!({
            "verdict": verdict, "comment": "looked at", "digest": request.digest,
            "signature": key.sign(&given),
        })
    };
    let (wish, path) = (fresh_key(), format!("/v1/requests/{}/reviews", request.id));
    let (first, other) = (review("approve"), review("deny"));
    let taken = bob.post_again(wish.as_str(), &path, &first).await.is(200).json();
    // The statement is over, and its passkey is gone.
    server.time().pass(Span::minutes(6));
    let remove = format!("/v1/passkeys/{}/remove", key.id);
    bob.post_again(fresh_key().as_str(), &remove, &json!({})).await.is(200);
    let again = bob.post_again(wish.as_str(), &path, &first).await.is(200).json();
    assert_eq!((&again["version"], &again["state"]), (&taken["version"], &taken["state"]));
    bob.post_again(wish.as_str(), &path, &other).await.refuses(422, "key_reused");
    bob.post_again(fresh_key().as_str(), &path, &first).await.refuses(403, "passkey_removed");
}

#[tokio::test]
async fn a_removed_passkey_signs_nothing_and_undoes_nothing() {
    let server = server("passkey").await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let (before, after) = (filed(&server, "before").await, filed(&server, "after").await);
    key.decide(&bob, &before, "approve").await.is(200);
    let given = key.statement(&bob, &after, "approve", "looked at").await.is(200).json();
    let path = format!("/v1/passkeys/{}/remove", key.id);
    carol.post_again(fresh_key().as_str(), &path, &json!({})).await.refuses(404, "not_found");
    let removed = bob.post_again(fresh_key().as_str(), &path, &json!({})).await.is(200).json();
    assert!(removed["removed_at"].is_string());
    send(&bob, &after, "approve", &key.sign(&given)).await.refuses(403, "passkey_removed");
    key.statement(&bob, &after, "approve", "x").await.refuses(403, "passkey_removed");
    assert_eq!(state(&bob, &before).await, ("approved".to_owned(), 1));
    // An administrator takes out what was stolen.
    let (root, stolen) =
        (server.administrator().await, Enrolled::of(&server, "carol", Soft::new(-7)).await);
    let path = format!("/v1/passkeys/{}/remove", stolen.id);
    root.post_again(fresh_key().as_str(), &path, &json!({})).await.is(200);
    stolen.statement(&carol, &after, "approve", "x").await.refuses(403, "passkey_removed");
}

#[tokio::test]
async fn t70_a_fresh_passkey_waits_where_a_rule_holds_it_back() {
    let server = server("{passkey: any, enrolled_for: 24h}").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let early = key.decide(&bob, &request, "approve").await;
    let told = early.refuses(403, "signature_needed");
    assert!(told.contains("enrolled at least 1 d ago"), "{told}");
    server.time().pass(Span::hours(24));
    let bob = server.person("bob").await;
    let request = filed(&server, "a day later").await;
    key.decide(&bob, &request, "approve").await.is(200);
}

#[tokio::test]
async fn t70_a_passkey_that_nobody_vouched_for_is_not_enough_where_a_rule_wants_that() {
    let server = server("{passkey: any, vouched: true}").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let refused = key.decide(&bob, &request, "approve").await;
    let told = refused.refuses(403, "signature_needed");
    assert!(told.contains("identity provider vouched for"), "{told}");
}

#[tokio::test]
async fn t71_a_synced_passkey_does_not_count_where_a_device_bound_one_is_asked_for() {
    let server = server("{passkey: device-bound}").await;
    let bob = server.person("bob").await;
    let request = filed(&server, "one").await;
    let synced = Soft { flags: SYNCED, ..Soft::new(-7) };
    let synced = Enrolled::of(&server, "bob", synced).await;
    let refused = synced.decide(&bob, &request, "approve").await;
    assert!(refused.refuses(403, "signature_needed").contains("never leaves its device"));
    // What it says when it signs counts, not what it said when it was enrolled.
    let mut turned = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    turned.soft.flags = SYNCED;
    turned.decide(&bob, &request, "approve").await.refuses(403, "signature_needed");
    turned.soft.flags = DEVICE_BOUND;
    turned.decide(&bob, &request, "approve").await.is(200);
}

#[tokio::test]
async fn t64_what_was_signed_in_a_frame_or_elsewhere_is_refused() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let mut key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    for said in [
        json!({"crossOrigin": true}),
        json!({"topOrigin": "https://evil.example.com"}),
        json!({"origin": "https://evil.example.com"}),
        json!({"origin": "http://localhost:1"}),
    ] {
        key.soft.said = said;
        key.decide(&bob, &request, "approve").await.refuses(403, "passkey_refused");
    }
    assert_eq!(state(&bob, &request).await, ("pending".to_owned(), 0));
}

async fn trusted(server: &Server) -> KeySet {
    KeySet::read(&server.stranger().get("/.well-known/jwks.json").await.is(200).json())
}

#[tokio::test]
async fn evidence_proves_a_signed_approval_to_a_stranger() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-8)).await;
    let request = filed(&server, "one").await;
    key.decide(&bob, &request, "approve").await.is(200);
    filed(&server, "another, so that the log goes on").await;
    let given = bob.client.evidence(&request.id).await.unwrap();
    let keys = trusted(&server).await;
    let proven = evidence::verify(&given, &keys).unwrap();
    assert_eq!(proven.request.state().word(), "approved");
    assert_eq!(proven.request.digest().to_string(), request.digest);
    let review = proven.reviews.first().unwrap();
    assert_eq!(review.review.reviewer.to_string(), "bob");
    assert!(review.strength.unwrap().device_bound);
    // What is read back from a file is the same.
    let text = serde_json::to_string(&given).unwrap();
    assert!(evidence::verify(&serde_json::from_str(&text).unwrap(), &keys).is_ok());

    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = serde_json::to_value(&given).unwrap();
        change(&mut changed);
        let changed: wire::Evidence = serde_json::from_value(changed).unwrap();
        evidence::verify(&changed, &keys).unwrap_err()
    };
    let is = |error: EvidenceError, wanted: &str| {
        assert!(error.to_string().contains(wanted), "{error}");
    };
    is(refused(&|e| e["v"] = json!(2)), "format 2");
    is(refused(&|e| e["server"] = json!("https://other.example.com")), "not of the server");
    is(refused(&|e| e["entries"][1]["entry"]["comment"] = json!("fine")), "is not in the log");
    is(refused(&|e| e["entries"][0]["proof"] = json!([])), "is not in the log");
    is(refused(&|e| e["entries"][1]["index"] = json!(0)), "is not in the log");
    is(refused(&|e| drop(e["entries"].as_array_mut().unwrap().remove(1))), "no request's history");
    is(refused(&|e| e["passkeys"] = json!({})), "was not enrolled before");
    is(refused(&|e| e["request"] = json!("req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z")), "another request");
    let strangers = KeySet::read(&json!({"keys": []}));
    let unknown = evidence::verify(&given, &strangers).unwrap_err();
    assert!(matches!(unknown, EvidenceError::Checkpoint(_)), "{unknown}");
}

#[tokio::test]
async fn evidence_of_an_unsigned_review_claims_no_signature() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    let given = bob.client.evidence(&request.id).await.unwrap();
    let proven = evidence::verify(&given, &trusted(&server).await).unwrap();
    assert!(proven.reviews.iter().all(|review| review.strength.is_none()));
    let robot = server.workload("robot", &[]).await;
    let path = format!("/v1/requests/{}/evidence", request.id);
    robot.get(&path).await.refuses(404, "not_found");
}

#[tokio::test]
async fn signatures_outlive_the_server_that_checked_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let remains = crate::support::Remains::fresh();
    let base = format!("http://localhost:{}", remains.address.port());
    let setup = || Setup {
        source: Source::Given(documents(&policy("passkey"))),
        public: Some(base.clone()),
        ..Setup::default()
    };
    let server = Server::on_file_again_set_up(&file, remains, setup()).await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-257)).await;
    let request = filed(&server, "one").await;
    key.decide(&bob, &request, "approve").await.is(200);
    let waiting = filed(&server, "two").await;
    let given = key.statement(&bob, &waiting, "approve", "looked at").await.is(200).json();
    let remains = server.stop().await;
    let server = Server::on_file_again_set_up(&file, remains, setup()).await;
    let bob = server.holder_of(bob.token());
    assert_eq!(state(&bob, &request).await, ("approved".to_owned(), 1));
    let evidence = bob.client.evidence(&request.id).await.unwrap();
    let proven = evidence::verify(&evidence, &trusted(&server).await).unwrap();
    assert!(proven.reviews[0].strength.is_some());
    // What was given before is not known any more: decide once more.
    let stale = send(&bob, &waiting, "approve", &key.sign(&given)).await;
    stale.refuses(409, "stale_statement");
    key.decide(&bob, &waiting, "approve").await.is(200);
}

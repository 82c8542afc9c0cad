//! Credentials that end with their holder.

use assent_client::wire::{self, MintRequest};
use assent_core::time::Span;

use crate::support::{Caller, Server, assent, filing, fresh_key};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: beats
    when: {intent.environment: beats}
    allow: {credential: {max_ttl: 1h, uses: 3, heartbeat: 2m}}
  - id: silent
    when: {intent.environment: silent}
    allow: {credential: {max_ttl: 1h, uses: 3}}
";

async fn minted(who: &Caller, environment: &str, heartbeat: Option<&str>) -> wire::Credential {
    let filing = filing(environment, "r");
    let request = who.client.file(&filing, &fresh_key()).await.unwrap();
    let heartbeat = heartbeat.map(str::to_owned);
    let wanted = MintRequest { audience: "aws".to_owned(), heartbeat, ..MintRequest::default() };
    who.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap()
}

async fn status(who: &Caller, credential: &wire::Credential) -> String {
    who.client.credential(&credential.id).await.unwrap().status
}

async fn is_active(who: &Caller, credential: &wire::Credential) -> bool {
    let token = assent_client::Secret::new(credential.token.clone());
    who.client.introspect(&token).await.unwrap().active
}

async fn start() -> (Server, Caller) {
    let server = Server::ruled_by(POLICY).await;
    server.authority.sweep().await.unwrap();
    let alice = server.person("alice").await;
    (server, alice)
}

#[tokio::test]
async fn a_credential_lives_as_long_as_its_holder_is_heard_of() {
    let (server, alice) = start().await;
    let credential = minted(&alice, "beats", None).await;
    assert_eq!(credential.heartbeat.as_deref(), Some("2m"));
    for _ in 0..4 {
        server.time().pass(Span::seconds(119));
        let heard = alice.client.heartbeat(&credential.id).await.unwrap();
        let shown = alice.client.credential(&credential.id).await.unwrap();
        assert_eq!(heard.heartbeat_due, shown.heartbeat_due);
    }
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
    server.time().pass(Span::seconds(119));
    assert!(is_active(&alice, &credential).await);
    server.time().pass(Span::seconds(1));
    // The clock alone ends it, whether or not a sweep ran.
    assert!(!is_active(&alice, &credential).await);
    assert_eq!(status(&alice, &credential).await, "silent");
    let over = alice.client.heartbeat(&credential.id).await.unwrap_err();
    assert_eq!(over.code(), Some("credential_over"));
    let entries = alice.client.entries(0).await.unwrap().entries;
    let lost: Vec<_> = entries.iter().filter(|e| e.event["type"] == "heartbeat_lost").collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].event["credential"], credential.id.as_str());
    assert!(entries.iter().all(|e| e.event["type"] != "heartbeat"), "signs of life are no facts");
    super::life::verify_log(&alice).await;
}

#[tokio::test]
async fn a_silence_that_nobody_asks_about_is_ended_by_the_sweep() {
    let (server, alice) = start().await;
    let ones = [minted(&alice, "beats", None).await, minted(&alice, "beats", Some("1m")).await];
    assert_eq!(ones[1].heartbeat.as_deref(), Some("1m"), "a holder may promise more");
    let longer = minted(&alice, "beats", Some("30m")).await;
    assert_eq!(longer.heartbeat.as_deref(), Some("2m"), "and not less than rules ask");
    server.time().pass(Span::minutes(2));
    assert_eq!(server.authority.sweep().await.unwrap(), 3);
    for one in ones.iter().chain([&longer]) {
        assert_eq!(status(&alice, one).await, "silent");
    }
    assert_eq!(server.authority.sweep().await.unwrap(), 0);
}

#[tokio::test]
async fn where_nobody_asks_for_signs_of_life_silence_ends_nothing() {
    let (server, alice) = start().await;
    let (plain, own) =
        (minted(&alice, "silent", None).await, minted(&alice, "silent", Some("5m")).await);
    assert_eq!((&plain.heartbeat, own.heartbeat.as_deref()), (&None, Some("5m")));
    assert_eq!(alice.client.heartbeat(&plain.id).await.unwrap(), wire::Heartbeat::default());
    server.time().pass(Span::minutes(6));
    server.authority.sweep().await.unwrap();
    assert_eq!(status(&alice, &plain).await, "live");
    assert_eq!(status(&alice, &own).await, "silent");
    let filing = filing("silent", "r");
    let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
    for text in ["1s", "soon"] {
        let (audience, heartbeat) = ("aws".to_owned(), Some(text.to_owned()));
        let wanted = MintRequest { audience, heartbeat, ..MintRequest::default() };
        let refused = alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap_err();
        assert!(refused.to_string().contains("heartbeat"), "{text}: {refused}");
    }
}

#[tokio::test]
async fn nobody_but_the_holder_shows_signs_of_life() {
    let (server, alice) = start().await;
    let bob = server.person("bob").await;
    let credential = minted(&alice, "beats", None).await;
    let refused = bob.client.heartbeat(&credential.id).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_requester"));
    assert_eq!(
        server
            .stranger()
            .post(&format!("/v1/credentials/{}/heartbeat", credential.id), &serde_json::json!({}))
            .await
            .status,
        401
    );
    let unknown = alice.client.heartbeat("crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z").await.unwrap_err();
    assert_eq!(unknown.code(), Some("not_found"));
}

#[tokio::test]
async fn an_outage_of_the_authority_is_nobodys_silence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let server = Server::on_file_ruled_by(&file, POLICY).await;
    server.authority.sweep().await.unwrap();
    let alice = server.person("alice").await;
    let credential = minted(&alice, "beats", None).await;
    let token = alice.token().to_owned();
    let remains = server.stop().await;
    remains.time.pass(Span::minutes(30));
    let server = Server::on_file_again(&file, remains, POLICY).await;
    let alice = server.holder_of(&token);
    assert!(is_active(&alice, &credential).await);
    server.authority.sweep().await.unwrap();
    assert_eq!(
        status(&alice, &credential).await,
        "live",
        "it was not heard because nobody was there"
    );
    server.time().pass(Span::seconds(119));
    assert!(is_active(&alice, &credential).await);
    server.time().pass(Span::seconds(1));
    assert!(!is_active(&alice, &credential).await, "its grace is its own time, and no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_is_sent_on_the_command_line() {
    let (server, alice) = start().await;
    let (base, credential) = (server.base(), minted(&alice, "beats", None).await);
    let beat = async |who: &Caller, id: &str, more: &[&str]| {
        let words = [&["credential", "heartbeat", id][..], more].concat();
        assent(base, who.token(), &words).await
    };
    let now = server.time().pass(Span::seconds(119));
    let due = now.plus(Span::minutes(2)).to_string();
    let heard = beat(&alice, &credential.id, &[]).await.exits(0);
    assert_eq!(heard.data, format!("{due}\n"));
    assert_eq!(heard.talk, "heard; the next sign of life is due within 2m\n");
    let heard = beat(&alice, &credential.id, &["-o", "json"]).await.exits(0).json();
    assert_eq!(heard, serde_json::json!({"heartbeat": "2m", "heartbeat_due": due}));

    let plain = minted(&alice, "silent", None).await;
    let unheard = beat(&alice, &plain.id, &[]).await.exits(0);
    assert!(unheard.data.is_empty() && unheard.talk.contains("nobody listens"), "{unheard:?}");
    let bob = server.person("bob").await;
    let refused = beat(&bob, &credential.id, &[]).await.exits(1);
    assert!(refused.talk.contains("alice"), "{refused:?}");
    server.time().pass(Span::minutes(2));
    let late = beat(&alice, &credential.id, &[]).await.exits(1);
    assert!(late.data.is_empty() && late.talk.contains("has ended"), "{late:?}");
    beat(&alice, "crd_1", &[]).await.exits(2);
}

//! What is good at this moment, and the end of all of it.

use assent_client::wire::{self, Revocation};
use assent_core::time::Span;
use serde_json::json;

use crate::support::{Caller, Server, approve, filing, fresh_key, mint};

fn everything(reason: &str) -> Revocation {
    Revocation { all: true, reason: reason.to_owned(), ..Revocation::default() }
}

async fn file(who: &Caller, environment: &str, reason: &str) -> wire::Request {
    who.client.file(&filing(environment, reason), &fresh_key()).await.unwrap()
}

async fn live(who: &Caller, more: &[(&str, &str)]) -> Vec<String> {
    let query = [&[("state", "live")], more].concat();
    let list = who.client.credentials(&query).await.unwrap();
    list.credentials.into_iter().map(|entry| entry.credential.id).collect()
}

async fn is_active(who: &Caller, credential: &wire::Credential) -> bool {
    let token = assent_client::Secret::new(credential.token.clone());
    who.client.introspect(&token).await.unwrap().active
}

#[tokio::test]
async fn what_is_live_is_listed_and_nothing_else() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let ci = server.workload("ci", &["alice"]).await;
    let kept = mint(&alice, &file(&alice, "staging", "kept").await).await.unwrap();
    let over = file(&alice, "staging", "over").await;
    mint(&alice, &over).await.unwrap();
    alice.client.complete(&over.id, &fresh_key()).await.unwrap();
    file(&alice, "staging", "never minted").await;
    // Newest first is by the millisecond.
    server.time().pass(Span::seconds(1));
    let one = file(&ci, "one", "of the pipeline").await;
    approve(&bob, &one).await.unwrap();
    let theirs = mint(&ci, &one).await.unwrap();

    assert_eq!(live(&bob, &[]).await, [theirs.id.clone(), kept.id.clone()]);
    assert_eq!(live(&bob, &[("environment", "one")]).await, std::slice::from_ref(&theirs.id));
    assert_eq!(live(&bob, &[("requester", "alice")]).await, std::slice::from_ref(&kept.id));
    assert!(live(&bob, &[("kind", "database.session")]).await.is_empty());
    assert_eq!(live(&ci, &[]).await, std::slice::from_ref(&theirs.id), "a workload sees its own");
    let all = bob.client.credentials(&[]).await.unwrap();
    assert_eq!(all.credentials.len(), 3);
    assert_eq!(bob.get("/v1/credentials?state=dead").await.status, 422);

    server.time().pass(Span::minutes(15));
    assert!(live(&bob, &[]).await.is_empty(), "what has expired is not live");
}

#[tokio::test]
async fn what_was_spent_or_signed_with_a_revoked_key_is_live_no_more() {
    let server = Server::start().await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let status = async |credential: &wire::Credential| {
        alice.client.credential(&credential.id).await.unwrap().status
    };
    let spent = mint(&alice, &file(&alice, "staging", "spent").await).await.unwrap();
    let kept = mint(&alice, &file(&alice, "staging", "kept").await).await.unwrap();
    let db = server.workload("db", &[]).await;
    let token = assent_client::Secret::new(spent.token.clone());
    db.client.redeem(&token, "aws", &fresh_key()).await.unwrap();
    assert!(!is_active(&alice, &spent).await && is_active(&alice, &kept).await);
    assert_eq!((status(&spent).await, status(&kept).await), ("redeemed".into(), "live".into()));
    assert_eq!(live(&alice, &[]).await, std::slice::from_ref(&kept.id));

    // A rotation ends nothing; a revocation does, and what is minted from then on is live.
    let key = alice.client.jwks().await.unwrap()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let next = wire::NewKey { at_once: true, ..wire::NewKey::default() };
    root.client.make_key(&next, &fresh_key()).await.unwrap();
    assert_eq!(live(&alice, &[]).await, std::slice::from_ref(&kept.id));
    root.client.revoke_key(&key, "stolen", &fresh_key()).await.unwrap();
    assert!(!is_active(&alice, &kept).await);
    assert_eq!(status(&kept).await, "key_revoked");
    let fresh = mint(&alice, &file(&alice, "staging", "fresh").await).await.unwrap();
    assert!(is_active(&alice, &fresh).await);
    assert_eq!(live(&alice, &[]).await, std::slice::from_ref(&fresh.id));
    let all = alice.client.credentials(&[]).await.unwrap().credentials;
    let mut told: Vec<_> = all.into_iter().map(|entry| entry.credential.status).collect();
    told.sort();
    assert_eq!(told, ["key_revoked", "live", "redeemed"]);
    super::life::verify_log(&alice).await;
}

#[tokio::test]
async fn a_list_of_many_is_read_page_by_page() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut minted = Vec::new();
    for number in 0..5 {
        server.time().pass(Span::seconds(1));
        let request = file(&alice, "staging", &format!("r{number}")).await;
        minted.push(mint(&alice, &request).await.unwrap().id);
    }
    minted.reverse();
    for state in ["live", "any"] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut query = vec![("limit", "2"), ("state", state)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page = alice.client.credentials(&query).await.unwrap();
            seen.extend(page.credentials.into_iter().map(|entry| entry.credential.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, minted, "{state}");
    }
}

#[tokio::test]
async fn everything_of_an_environment_ends_at_once_and_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let (alice, bob, _) = server.people().await;
    let root = server.administrator().await;
    let mut minted = Vec::new();
    for number in 0..20 {
        let request = file(&alice, "staging", &format!("r{number}")).await;
        minted.push(mint(&alice, &request).await.unwrap());
    }
    let unused = file(&alice, "staging", "approved and not used").await;
    let pending = file(&alice, "production", "pending").await;
    let one = file(&alice, "one", "elsewhere").await;
    approve(&bob, &one).await.unwrap();
    let elsewhere = mint(&alice, &one).await.unwrap();

    let staging =
        Revocation { environment: Some("staging".to_owned()), ..everything("an incident") };
    let counted = Revocation { dry_run: true, ..staging.clone() };
    let would = root.client.revoke_all(&counted, &fresh_key()).await.unwrap();
    assert_eq!((would.requests, would.grants, would.credentials), (21, 1, 20));
    assert!(is_active(&alice, &minted[0]).await, "counting ends nothing");

    let done = root.client.revoke_all(&staging, &fresh_key()).await.unwrap();
    assert_eq!((done.requests, done.grants, done.credentials), (21, 1, 20));
    assert!(done.failed.is_empty() && done.open_outside.is_empty());
    for credential in &minted {
        assert!(!is_active(&alice, credential).await);
    }
    assert!(is_active(&alice, &elsewhere).await, "of another environment");
    assert_eq!(live(&bob, &[]).await, std::slice::from_ref(&elsewhere.id));
    assert_eq!(alice.client.request(&unused.id).await.unwrap().state, "revoked");
    assert_eq!(alice.client.request(&pending.id).await.unwrap().state, "pending");
    let ending = alice.client.request(&unused.id).await.unwrap().ending.unwrap();
    assert_eq!(
        (ending.reason.as_str(), ending.by.unwrap().contains("root")),
        ("an incident", true)
    );

    let again = root.client.revoke_all(&staging, &fresh_key()).await.unwrap();
    assert_eq!((again.requests, again.grants, again.credentials), (0, 0, 0));
    let entries = bob.client.entries(0).await.unwrap().entries;
    let orders = entries.iter().filter(|entry| entry.event["type"] == "all_revoked");
    assert_eq!(orders.count(), 2, "the order itself is on record, and counting is none");
    super::life::verify_log(&bob).await;
}

#[tokio::test]
async fn only_an_administrator_who_says_all_ends_everything() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let credential = mint(&alice, &file(&alice, "staging", "r").await).await.unwrap();
    let refused = alice.client.revoke_all(&everything("mine"), &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_administrator"), "{refused}");
    let root = server.administrator().await;
    let unsaid = json!({"all": false, "reason": "r"});
    assert_eq!(root.post("/v1/revocations", &unsaid).await.status, 422);
    assert_eq!(root.post("/v1/revocations", &json!({"reason": "r"})).await.status, 422);
    assert!(is_active(&alice, &credential).await);
    root.client.revoke_all(&everything("all of it"), &fresh_key()).await.unwrap();
    assert!(!is_active(&alice, &credential).await);
}

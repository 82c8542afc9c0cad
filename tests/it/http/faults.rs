//! A ledger that cannot: told as such, and mended without anybody's help.

use std::path::Path;

use assent_client::Secret;
use assent_core::time::Span;
use rusqlite::Connection;
use serde_json::json;
use tokio::task::JoinSet;

use super::life::verify_log;
use crate::support::{Caller, Server, filing, fresh_key, mint};

struct Faulty {
    server: Server,
    alice: Caller,
    tool: Connection,
    _folder: tempfile::TempDir,
}

async fn faulty() -> Faulty {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let server = Server::on_file(&file).await;
    let alice = server.person("alice").await;
    Faulty { server, alice, tool: tool(&file), _folder: folder }
}

/// Somebody else at the file, as an operator might be.
fn tool(file: &Path) -> Connection {
    let tool = Connection::open(file).unwrap();
    tool.pragma_update(None, "foreign_keys", "OFF").unwrap();
    tool
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_what_cannot_be_written_is_not_acknowledged() {
    let Faulty { server, alice, tool, _folder } = faulty().await;
    let body = serde_json::to_value(filing("one", "r")).unwrap();
    let granted = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let token = mint(&alice, &granted).await.unwrap().token;
    let before = alice.client.checkpoint().await.unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    let form = [("token", token.as_str())];
    let (refused, unrevoked) = tokio::join!(
        alice.post_again("key-number-1", "/v1/requests", &body),
        alice.form("/oauth/revoke", &form),
    );
    // RFC 7009 section 2.2.1: it is to be assumed that the token still exists.
    assert_eq!(unrevoked.headers["retry-after"], "1");
    unrevoked.refuses_in_oauth(503, "temporarily_unavailable");
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(refused.refuses(503, "unavailable").contains("try again with the same key"));
    assert_eq!(alice.client.checkpoint().await.unwrap(), before);
    tool.execute_batch("ROLLBACK").unwrap();
    alice.post_again("key-number-1", "/v1/requests", &body).await.is(201);
    let summary = verify_log(&alice).await;
    assert_eq!((summary.requests, summary.entries), (2, before.size + 1));
    drop(server);
}

/// Files the request of this number; the third of every ten cannot be written.
async fn file_one(alice: Caller, number: usize) -> u16 {
    let reason = if number % 10 == 3 { "poison" } else { "wholesome" };
    let body = serde_json::to_value(filing("one", &format!("{reason} {number}"))).unwrap();
    alice.post_again(&format!("key-number-{number}"), "/v1/requests", &body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn t57_a_step_that_fails_takes_nothing_with_it_for_good() {
    let Faulty { server, alice, tool, _folder } = faulty().await;
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON event \
        WHEN CAST(NEW.body AS TEXT) LIKE '%poison%' \
        BEGIN SELECT RAISE(ABORT, 'poison'); END";
    tool.execute_batch(poison).unwrap();
    let before = server.authority.ledger().head().await.unwrap().size;
    let all = async || {
        let filings: JoinSet<_> = (0..60).map(|number| file_one(alice.clone(), number)).collect();
        filings.join_all().await
    };
    let statuses = all().await;
    assert!(statuses.iter().all(|status| [201, 503].contains(status)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 503).count() >= 6, "{statuses:?}");
    assert_eq!(file_one(alice.clone(), 3).await, 503);
    verify_log(&alice).await;
    tool.execute_batch("DROP TRIGGER poison").unwrap();
    assert!(all().await.iter().all(|status| *status == 201));
    assert!(all().await.iter().all(|status| *status == 201));
    let summary = verify_log(&alice).await;
    assert_eq!((summary.requests, summary.entries), (60, before + 60));
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_told_and_keeps_nothing_else_from_its_end() {
    let Faulty { server, alice, tool, _folder } = faulty().await;
    let damaged = alice.client.file(&filing("one", "damaged"), &fresh_key()).await.unwrap();
    server.time().pass(Span::seconds(1));
    let whole = alice.client.file(&filing("one", "whole"), &fresh_key()).await.unwrap();
    let sql = "UPDATE event SET body = CAST('{}' AS BLOB) WHERE CAST(body AS TEXT) LIKE ?1";
    assert_eq!(tool.execute(sql, ["%damaged%"]).unwrap(), 1);
    let path = format!("/v1/requests/{}", damaged.id);
    let told = alice.get(&path).await.refuses(500, "corrupt");
    assert!(told.contains("operator"), "{told}");
    server.time().pass(Span::hours(5));
    assert_eq!(server.authority.sweep().await.unwrap(), 1);
    assert_eq!(alice.client.request(&whole.id).await.unwrap().state, "expired");
}

/// The key is one wish's; whoever uses it for two at once must not be told that both were done.
#[tokio::test(flavor = "multi_thread")]
async fn t05_two_redemptions_under_one_key_at_once_spend_one_token() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    for _ in 0..50 {
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
            tokens.push(Secret::new(mint(&alice, &request).await.unwrap().token));
        }
        let key = fresh_key();
        let redeem = |token: &Secret| {
            let body = json!({"token": token.expose(), "audience": "aws"});
            let (bob, key) = (bob.clone(), key.clone());
            async move { bob.post_again(key.as_str(), "/v1/credentials/redeem", &body).await }
        };
        let (one, other) = tokio::join!(redeem(&tokens[0]), redeem(&tokens[1]));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422], "{one:?} {other:?}");
        let mut active = 0;
        for token in &tokens {
            active += usize::from(bob.client.introspect(token).await.unwrap().active);
        }
        assert_eq!(active, 1, "the one that was not spent");
    }
}

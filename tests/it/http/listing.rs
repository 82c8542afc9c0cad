//! Lists, page by page, and the log as it is read over HTTP.

use assent_core::time::Span;

use super::life::verify_log;
use crate::support::{Server, approve, filing, fresh_key};

#[tokio::test]
async fn pages_hold_every_request_once_newest_first() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut filed = Vec::new();
    for number in 0..7 {
        server.time().pass(Span::seconds(1));
        let environment = if number % 2 == 0 { "staging" } else { "production" };
        let request = filing(environment, &format!("r{number}"));
        filed.push(alice.client.file(&request, &fresh_key()).await.unwrap().id);
    }
    filed.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let mut query = vec![("limit", "3")];
        let next: Option<String> = cursor.take();
        query.extend(next.as_deref().map(|cursor| ("cursor", cursor)));
        let page = alice.client.requests(&query).await.unwrap();
        assert!(page.requests.len() <= 3);
        seen.extend(page.requests.into_iter().map(|request| request.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, filed);
    for (query, count) in [
        (("state", "open"), 7),
        (("state", "pending"), 3),
        (("state", "approved"), 4),
        (("state", "denied"), 0),
        (("environment", "staging"), 4),
        (("environment", "mars"), 0),
        (("kind", "terraform.apply"), 7),
        (("kind", "database.session"), 0),
        (("requester", "alice"), 7),
        (("requester", "bob"), 0),
        (("reviewer", "bob"), 0),
        (("rule", "staging"), 4),
        (("q", "staging alice"), 4),
        (("since", "2999-01-01T00:00:00Z"), 0),
        (("until", "2999-01-01T00:00:00Z"), 7),
    ] {
        let found = alice.client.requests(&[query]).await.unwrap().requests.len();
        assert_eq!(found, count, "{query:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_told() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for (name, value) in
        [("q", "ab"), ("since", "yesterday"), ("state", "lost"), ("cursor", "req_1")]
    {
        assert!(alice.client.requests(&[(name, value)]).await.is_err(), "{name}={value}");
    }
}

/// What a workload searches for is looked for among its own.
#[tokio::test]
async fn a_workload_finds_its_own_requests_only() {
    let server = Server::start().await;
    let (alice, ci) = (server.person("alice").await, server.workload("ci", &[]).await);
    alice.client.file(&filing("staging", "hers"), &fresh_key()).await.unwrap();
    let own = ci.client.file(&filing("staging", "its own"), &fresh_key()).await.unwrap();
    for query in [vec![], vec![("q", "staging")], vec![("requester", "ci")]] {
        let found = ci.client.requests(&query).await.unwrap().requests;
        assert_eq!(found.iter().map(|r| &r.id).collect::<Vec<_>>(), [&own.id], "{query:?}");
    }
    assert!(ci.client.requests(&[("requester", "alice")]).await.unwrap().requests.is_empty());
}

#[tokio::test]
async fn the_log_verifies_over_http_and_tells_of_everything() {
    let server = Server::start().await;
    // What was made at the start: the keys.
    let keys = server.authority.ledger().head().await.unwrap().size;
    let (alice, bob, carol) = server.people().await;
    for reason in ["a", "b"] {
        let request = alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap();
        approve(&bob, &request).await.unwrap();
        approve(&carol, &request).await.unwrap();
    }
    let summary = verify_log(&alice).await;
    assert_eq!(summary.requests, 2);
    assert_eq!(
        summary.entries,
        keys + 3 + 2 * 5,
        "three tokens; filed, two reviews, filled, approved"
    );
    assert_eq!(summary.states.get("approved"), Some(&2));
    let tail = alice.client.entries(summary.entries - 1).await.unwrap().entries;
    assert_eq!((tail.len(), tail[0].index), (1, summary.entries - 1));
    assert!(alice.client.entries(summary.entries).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn events_are_streamed_as_they_are_written() {
    let server = Server::start().await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let size = alice.client.checkpoint().await.unwrap().size;
    let mut stream = bob.call("GET", "/v1/events").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = stream.chunk().await.unwrap().expect("the stream ended");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(text.contains(&format!("id: {size}")), "{text}");
    assert!(text.contains(&request.id), "{text}");
    let mut replay = bob.call("GET", "/v1/events?after=0").send().await.unwrap();
    let first = replay.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("id: 1\n"), "{first:?}");
}

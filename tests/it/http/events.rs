//! The log as it is written: from where on, for whom, how often at once, and until when.

use assent_core::time::Span;
use assent_server::app::STREAMS_OF_ONE;

use crate::support::{Caller, Server, filing, fresh_key, sent};

/// A stream, read as far as a test wants.
struct Stream {
    answer: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(call: reqwest::RequestBuilder) -> Self {
        let answer = call.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self { answer, text: String::new() }
    }

    /// Reads until it says this.
    async fn until(&mut self, words: &str) {
        while !self.text.contains(words) {
            let chunk = self.answer.chunk().await.unwrap();
            let chunk = chunk.unwrap_or_else(|| panic!("ended before `{words}`: {}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    /// Reads to its end.
    async fn end(mut self) -> String {
        while let Ok(Some(chunk)) = self.answer.chunk().await {
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        self.text
    }
}

async fn file(who: &Caller, reason: &str) -> String {
    who.client.file(&filing("production", reason), &fresh_key()).await.unwrap().id
}

/// The cookie of somebody who signs in by a link.
async fn session(server: &Server, name: &str) -> (String, String) {
    let (_, code) = server.authority.seed_person(name).await.unwrap();
    let session = server.authority.sign_in_by_code(code.expose()).await.unwrap();
    let id = format!("acc_{}", session.expose().split('_').nth(1).unwrap());
    (format!("assent={}", session.expose()), id)
}

#[tokio::test]
async fn who_comes_again_goes_on_after_the_last_they_saw() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let first = file(&alice, "first").await;
    let size = alice.client.checkpoint().await.unwrap().size;
    let second = file(&alice, "second").await;
    let call =
        bob.call("GET", "/v1/events?after=0").header("last-event-id", (size - 1).to_string());
    let mut stream = Stream::open(call).await;
    assert_eq!(stream.answer.headers()["x-accel-buffering"], "no");
    assert_eq!(stream.answer.headers()["cache-control"], "no-store");
    stream.until(&second).await;
    assert!(!stream.text.contains(&first), "{}", stream.text);
    assert!(stream.text.contains(&format!("id: {size}\n")), "{}", stream.text);
}

#[tokio::test]
async fn a_page_follows_by_its_session_and_is_told_little() {
    let server = Server::start().await;
    let (alice, stranger) = (server.person("alice").await, server.stranger());
    let (cookie, _) = session(&server, "bob").await;
    let path = "/v1/events?brief=true";
    let mut stream = Stream::open(stranger.call("GET", path).header("cookie", &cookie)).await;
    let id = file(&alice, "words that only the page may show").await;
    stream.until(&id).await;
    assert!(stream.text.contains("\"type\":\"filed\""), "{}", stream.text);
    assert!(!stream.text.contains("only the page"), "{}", stream.text);
    // Neither from another site, nor by a cookie that is a token's, nor without any.
    for site in ["cross-site", "same-site"] {
        let call = stranger.call("GET", path).header("cookie", &cookie);
        sent(call.header("sec-fetch-site", site)).await.refuses(401, "no_token");
    }
    let call = stranger.call("GET", path).header("cookie", format!("assent={}", alice.token()));
    sent(call).await.refuses(401, "invalid_token");
    stranger.get(path).await.refuses(401, "no_token");
}

#[tokio::test]
async fn t63_a_session_that_ends_is_told_nothing_more() {
    let server = Server::start().await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let (cookie, id) = session(&server, "bob").await;
    let stranger = server.stranger();
    let call = || stranger.call("GET", "/v1/events?brief=true").header("cookie", &cookie);
    let mut stream = Stream::open(call()).await;
    let seen = file(&alice, "before").await;
    stream.until(&seen).await;
    root.client.revoke_access(&id, &fresh_key()).await.unwrap();
    let unseen = file(&alice, "after").await;
    let told = stream.end().await;
    assert!(told.contains(&seen) && !told.contains(&unseen), "{told}");
    sent(call()).await.refuses(401, "invalid_token");
}

#[tokio::test]
async fn t63_a_session_that_runs_out_is_told_nothing_more() {
    let server = Server::start().await;
    let (cookie, _) = session(&server, "bob").await;
    let stranger = server.stranger();
    let call = stranger.call("GET", "/v1/events").header("cookie", &cookie);
    let stream = Stream::open(call).await;
    server.time().pass(Span::hours(8));
    assert_eq!(stream.end().await, "");
}

#[tokio::test]
async fn t68_one_caller_follows_in_so_many_places_at_once() {
    let server = Server::start().await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let mut open = Vec::new();
    for _ in 0..STREAMS_OF_ONE {
        open.push(Stream::open(bob.call("GET", "/v1/events")).await);
    }
    bob.get("/v1/events").await.refuses(429, "too_many_streams");
    let mut other = Stream::open(carol.call("GET", "/v1/events")).await;
    drop(open);
    // The places are given back as soon as it is noticed that nobody listens any more.
    let again = crate::support::eventually("a place", async || {
        let answer = bob.call("GET", "/v1/events").send().await.unwrap();
        (answer.status() == 200).then_some(answer)
    });
    drop(again.await);
    let id = file(&carol, "still heard").await;
    other.until(&id).await;
}

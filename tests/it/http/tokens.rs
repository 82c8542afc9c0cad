//! Access tokens: which are believed, who makes them, who sees what by them.

use assent_core::time::Span;
use serde_json::json;

use crate::support::{Caller, Server, filing, fresh_key, mint, sent};

async fn told(who: &Caller, code: &str) -> String {
    who.get("/v1/whoami").await.refuses(401, code)
}

#[tokio::test]
async fn each_fault_of_a_token_has_its_own_message() {
    let server = Server::start().await;
    let other = Server::start().await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let malformed = "should begin with `assent_` and be whole";
    let token = alice.token();
    for text in ["x", "assent_", "ghp_0123456789", &token[..token.len() - 1], &format!("{token}0")]
    {
        let told = told(&server.holder_of(text), "invalid_token").await;
        assert!(told.contains(malformed), "{told}");
    }
    let foreign = other.person("alice").await;
    let said = told(&server.holder_of(foreign.token()), "invalid_token").await;
    assert!(said.contains("was it made by another server?"), "{said}");

    let bob = server.person("bob").await;
    let id = format!("acc_{}", bob.token().split('_').nth(1).unwrap());
    root.client.revoke_access(&id, &fresh_key()).await.unwrap();
    let said = told(&bob, "invalid_token").await;
    assert!(said.contains("ended at"), "{said}");

    server.time().pass(Span::hours(25));
    let said = told(&alice, "invalid_token").await;
    assert!(said.contains("ended at"), "{said}");
    assert!(!said.contains(alice.token()), "{said}");
}

#[tokio::test]
async fn t67_no_changed_token_is_believed() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let token = alice.token();
    for place in (0..token.len()).step_by(3) {
        let mut bytes = token.as_bytes().to_vec();
        bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).unwrap();
        told(&server.holder_of(&changed), "invalid_token").await;
    }
}

#[tokio::test]
async fn a_token_is_taken_from_one_header_only() {
    let server = Server::start().await;
    let (alice, stranger) = (server.person("alice").await, server.stranger());
    let twice = alice.call("GET", "/v1/whoami").header("authorization", "Bearer x");
    sent(twice).await.refuses(401, "no_token");
    let basic = stranger.call("GET", "/v1/whoami").basic_auth("alice", Some(alice.token()));
    sent(basic).await.refuses(401, "no_token");
    let query = format!("/v1/whoami?access_token={}", alice.token());
    stranger.get(&query).await.refuses(401, "no_token");
    let cookie = stranger.call("GET", "/v1/whoami");
    let cookie = cookie.header("cookie", format!("assent={}", alice.token()));
    sent(cookie).await.refuses(401, "no_token");
    let lower = stranger.call("GET", "/v1/whoami");
    sent(lower.header("authorization", format!("bearer {}", alice.token()))).await.is(200);
}

#[tokio::test]
async fn only_administrators_make_and_list_tokens() {
    let server = Server::start().await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let robot = server.workload("robot", &[]).await;
    let wanted = json!({"kind": "person", "sub": "mallory", "administrator": true});
    for who in [&alice, &robot] {
        who.post("/v1/access", &wanted).await.refuses(403, "not_administrator");
        who.get("/v1/access").await.refuses(403, "not_administrator");
    }
    let made = root.post("/v1/access", &wanted).await.is(201);
    let mallory = server.holder_of(&made.str("token"));
    let who = mallory.client.whoami().await.unwrap();
    assert_eq!((who.principal.sub.as_str(), who.administrator), ("mallory", true));
    let listed = root.get("/v1/access").await.is(200);
    assert!(listed.text.contains("mallory"));
    assert!(!listed.text.contains(mallory.token()), "a list shows a token");
}

#[tokio::test]
async fn a_token_that_is_wanted_must_make_sense() {
    let server = Server::start().await;
    let root = server.administrator().await;
    for (wanted, field) in [
        (json!({"kind": "person", "sub": ""}), "sub"),
        (json!({"kind": "person", "sub": "a b"}), "sub"),
        (json!({"kind": "person", "sub": "bob\u{200b}"}), "sub"),
        (json!({"kind": "person", "sub": "bob", "acts_for": ["eve"]}), "acts_for"),
        (json!({"kind": "workload", "sub": "ci", "acts_for": ["e e"]}), "acts_for"),
        (json!({"kind": "person", "sub": "bob", "expires_after": "soon"}), "expires_after"),
        (json!({"kind": "person", "sub": "bob", "expires_after": "0s"}), "expires_after"),
        (json!({"kind": "person", "sub": "bob", "expires_after": "366d"}), "expires_after"),
    ] {
        let answer = root.post("/v1/access", &wanted).await;
        assert_eq!(answer.json()["errors"][0]["field"], field, "{wanted} {answer:?}");
        answer.refuses(422, "invalid");
    }
}

#[tokio::test]
async fn a_token_is_taken_back_by_its_owner_or_an_administrator() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let id = |who: &Caller| format!("acc_{}", who.token().split('_').nth(1).unwrap());
    let path = format!("/v1/access/{}/revoke", id(&alice));
    bob.post(&path, &json!({})).await.refuses(404, "not_found");
    alice.client.whoami().await.unwrap();
    let gone = alice.post(&path, &json!({})).await.is(200);
    assert!(gone.json()["revoked_at"].is_string());
    told(&alice, "invalid_token").await;
}

#[tokio::test]
async fn t07_a_workload_sees_its_own_requests_only() {
    let server = Server::start().await;
    let (alice, robot) = (server.person("alice").await, server.workload("robot", &[]).await);
    let hers = alice.client.file(&filing("staging", "hers"), &fresh_key()).await.unwrap();
    let its = robot.client.file(&filing("staging", "its"), &fresh_key()).await.unwrap();
    let credential = mint(&alice, &hers).await.unwrap();
    let id = &hers.id;
    for path in [
        format!("/v1/requests/{id}"),
        format!("/v1/requests/{id}/wait"),
        format!("/v1/credentials/{}", credential.id),
    ] {
        robot.get(&path).await.refuses(404, "not_found");
    }
    for verb in ["cancel", "revoke", "complete"] {
        let path = format!("/v1/requests/{id}/{verb}");
        robot.post(&path, &json!({})).await.refuses(404, "not_found");
    }
    let path = format!("/v1/requests/{id}/credentials");
    robot.post(&path, &json!({"audience": "aws"})).await.refuses(404, "not_found");
    let path = format!("/v1/credentials/{}/revoke", credential.id);
    robot.post(&path, &json!({})).await.refuses(404, "not_found");
    robot.form("/oauth/revoke", &[("token", &credential.token)]).await;
    assert_eq!(alice.client.credential(&credential.id).await.unwrap().status, "live");
    let list = robot.client.requests(&[]).await.unwrap().requests;
    assert_eq!(list.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), [its.id.as_str()]);
    for path in ["/v1/audit/entries", "/v1/events"] {
        robot.get(path).await.refuses(403, "not_administrator");
    }
    assert_eq!(alice.client.requests(&[]).await.unwrap().requests.len(), 2);
}

#[tokio::test]
async fn t63_a_browsers_session_is_no_access_token_and_the_other_way_round() {
    let server = Server::start().await;
    let (token, code) = server.authority.seed_person("bob").await.unwrap();
    let session = server.authority.sign_in_by_code(code.expose()).await.unwrap();
    let sneaky = server.holder_of(session.expose());
    told(&sneaky, "invalid_token").await;
    let page = async |cookie: &str| {
        let call = server.stranger().call("GET", "/");
        sent(call.header("cookie", format!("assent={cookie}"))).await.status
    };
    assert_eq!(page(session.expose()).await, 200);
    assert_eq!(page(token.expose()).await, 303, "sent to where one signs in");
}

#[tokio::test]
async fn t63_a_session_ends_with_the_token_it_was_opened_with() {
    let server = Server::start().await;
    let bob = server.person("bob").await;
    let session = server.authority.sign_in_by_token(bob.token()).await.unwrap();
    let page = async || {
        let call = server.stranger().call("GET", "/");
        sent(call.header("cookie", format!("assent={}", session.expose()))).await.status
    };
    assert_eq!(page().await, 200);
    let id = format!("acc_{}", bob.token().split('_').nth(1).unwrap());
    bob.client.revoke_access(&id, &fresh_key()).await.unwrap();
    assert_eq!(page().await, 303, "sent to where one signs in");
}

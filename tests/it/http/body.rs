//! Bodies that are not what they should be: refused with the place of the fault.

use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, filing, fresh_key};

const FILE: &str = "/v1/requests";

async fn send(who: &Caller, body: &[u8]) -> Answer {
    who.post_bytes(fresh_key().as_str(), FILE, "application/json", body.to_vec()).await
}

fn good() -> Value {
    serde_json::to_value(filing("production", "r")).unwrap()
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let body = good().to_string().into_bytes();
        let answer = alice.post_bytes(fresh_key().as_str(), FILE, kind, body).await;
        let told = answer.refuses(415, "wrong_content_type");
        assert!(told.contains("application/json"), "{told}");
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        let body = good().to_string().into_bytes();
        alice.post_bytes(fresh_key().as_str(), FILE, kind, body).await.is(201);
    }
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        let answer = alice.post(path, &json!({"token": "x"})).await;
        answer.refuses_in_oauth(415, "invalid_request");
    }
}

#[tokio::test]
async fn t61_text_that_is_no_json_is_refused_with_its_place() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let whole = good().to_string();
    let deep = format!("{{\"intent\": {}1{}}}", "[".repeat(80), "]".repeat(80));
    let twice = "{\"intent\": {},\n \"intent\": {}}";
    let (cut, trailing) = (&whole[..whole.len() / 2], format!("{whole} x"));
    for (body, said) in [
        (cut, "line 1 column"),
        ("", "line 1 column 0"),
        ("{\"intent\":\n  nope}", "line 2 column"),
        (twice, "line 2 column"),
        (&deep, "nested deeper than 64 levels"),
        (&trailing, "trailing"),
        ("{\"a\": 9007199254740993}", "2^53"),
    ] {
        let told = send(&alice, body.as_bytes()).await.refuses(400, "not_json");
        assert!(told.contains(said), "`{told}` does not say `{said}`");
    }
    send(&alice, b"{\"intent\": \"\xff\"}").await.refuses(400, "not_json");
    let told = send(&alice, twice.as_bytes()).await.refuses(400, "not_json");
    assert!(told.contains("intent"), "{told}");
}

#[tokio::test]
async fn fields_that_are_unknown_missing_or_of_another_type_are_named() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let intent = |field: &str, value: Value| {
        let mut body = good();
        body["intent"][field] = value;
        body
    };
    let mut missing = good();
    missing["intent"].as_object_mut().unwrap().remove("environment");
    for (body, said) in [
        (intent("colour", json!("red")), "colour"),
        (intent("kind", json!(7)), "intent.kind"),
        (intent("target", json!(["a"])), "intent.target"),
        (missing, "environment"),
        (json!([]), "Filing"),
        (json!({"intent": good()["intent"], "reattach": "yes"}), "reattach"),
    ] {
        let told = send(&alice, body.to_string().as_bytes()).await.refuses(422, "invalid");
        assert!(told.contains(said), "`{told}` does not say `{said}`");
    }
}

#[tokio::test]
async fn an_intent_with_faults_is_told_all_of_them() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut body = good();
    body["intent"]["kind"] = json!("Not A Kind");
    body["intent"]["environment"] = json!("");
    body["intent"]["digest"] = json!("sha256:xyz");
    body["intent"]["duration"] = json!("soon");
    for path in [FILE, "/v1/decisions"] {
        let sent = if path == FILE { body.clone() } else { body["intent"].clone() };
        let answer = alice.post(path, &sent).await;
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        let fields: Vec<_> = errors.iter().map(|e| e["field"].as_str().unwrap()).collect();
        for field in ["intent.kind", "intent.environment", "intent.digest", "intent.duration"] {
            assert!(fields.contains(&field), "{field} is not among {fields:?}");
        }
        answer.refuses(422, "invalid_intent");
    }
}

#[tokio::test]
async fn t61_a_body_beyond_the_limit_is_refused() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let mut body = good();
    body["intent"]["reason"] = json!("x".repeat(2 * 1024 * 1024));
    send(&alice, body.to_string().as_bytes()).await.refuses(413, "too_large");
    body["intent"]["reason"] = json!("x".repeat(900 * 1024));
    send(&alice, body.to_string().as_bytes()).await.refuses(422, "invalid_intent");
    alice.client.whoami().await.unwrap();
}

#[tokio::test]
async fn t61_a_head_beyond_the_limit_is_refused() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let call = alice.call("GET", "/v1/whoami").header("x-junk", "x".repeat(64 * 1024));
    match call.send().await {
        Ok(answer) => assert_eq!(answer.status().as_u16(), 431),
        Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
    }
    alice.client.whoami().await.unwrap();
}

#[tokio::test]
async fn what_there_is_not_is_not_found_and_said_what() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let ids = [
        "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
        "nonsense",
        "crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
        "%00",
        "%ff",
    ];
    for id in ids {
        alice.get(&format!("/v1/requests/{id}")).await.refuses(404, "not_found");
        alice.get(&format!("/v1/requests/{id}/wait")).await.refuses(404, "not_found");
        alice.get(&format!("/v1/credentials/{id}")).await.refuses(404, "not_found");
        for verb in ["cancel", "revoke", "complete"] {
            let path = format!("/v1/requests/{id}/{verb}");
            alice.post(&path, &json!({})).await.refuses(404, "not_found");
        }
        alice
            .post(&format!("/v1/credentials/{id}/revoke"), &json!({}))
            .await
            .refuses(404, "not_found");
        alice.post(&format!("/v1/access/{id}/revoke"), &json!({})).await.refuses(404, "not_found");
        let mint = json!({"audience": "aws"});
        alice
            .post(&format!("/v1/requests/{id}/credentials"), &mint)
            .await
            .refuses(404, "not_found");
    }
}

#[tokio::test]
async fn queries_that_make_no_sense_are_refused_like_bodies() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    for (path, said) in [
        ("/v1/requests?state=sideways".to_owned(), "state"),
        ("/v1/requests?limit=many".to_owned(), "limit"),
        ("/v1/requests?colour=red".to_owned(), "colour"),
        (format!("/v1/requests/{}/wait?timeout=soon", request.id), "timeout"),
        (format!("/v1/requests/{}/wait?after=-1", request.id), "after"),
        ("/v1/audit/entries?from=x".to_owned(), "from"),
        ("/v1/events?after=x".to_owned(), "after"),
    ] {
        let answer = alice.get(&path).await;
        let text = answer.text.clone();
        answer.refuses(422, "invalid");
        assert!(text.contains(said), "`{text}` does not say `{said}`");
    }
    alice.get("/v1/requests?cursor=nonsense").await.refuses(404, "not_found");
}

#[tokio::test]
async fn what_is_asked_of_a_credential_must_make_sense() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    crate::support::approve(&bob, &request).await.unwrap();
    let path = format!("/v1/requests/{}/credentials", request.id);
    for (body, field) in [
        (json!({"audience": ""}), "audience"),
        (json!({"audience": "a\u{0}b"}), "audience"),
        (json!({"audience": "a".repeat(300)}), "audience"),
        (json!({"audience": "aws", "ttl": "0s"}), "ttl"),
        (json!({"audience": "aws", "ttl": "soon"}), "ttl"),
    ] {
        let answer = alice.post(&path, &body).await;
        assert_eq!(answer.json()["errors"][0]["field"], field, "{body}");
        answer.refuses(422, "invalid");
    }
    let told = alice.post(&path, &json!({"audience": "gcp"})).await;
    assert!(told.refuses(403, "audience_not_allowed").contains("aws"));
    let told = bob.post(&path, &json!({"audience": "aws"})).await;
    assert!(told.refuses(403, "not_requester").contains("alice"));
    crate::support::mint(&alice, &request).await.unwrap();
}

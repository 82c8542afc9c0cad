//! Bodies and questions that are meant to harm. Each is refused or denied, and the server goes on.

use assent_server::app::authzen::Authzen;
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, REQUESTS, SEARCH, ask, decided, own};
use crate::support::{Answer, Caller, Server, sent};

async fn send(who: &Caller, path: &str, body: impl Into<reqwest::Body>) -> Answer {
    let call = who.call("POST", path).header("content-type", "application/json");
    sent(call.header("idempotency-key", "a-key-of-ours").body(body)).await
}

#[tokio::test]
async fn duplicates_depth_size_and_tails_are_refused_everywhere() {
    let server = Server::deciding(Authzen { access_request: true, ..Authzen::default() }).await;
    let alice = server.person("alice").await;
    let whole = own("alice", "staging").to_string();
    let twice = whole.replacen('{', "{\"subject\": {\"type\": \"person\", \"id\": \"bob\"},", 1);
    let inner = whole.replace("\"id\":\"alice\"", "\"id\":\"bob\",\"id\":\"alice\"");
    assert_ne!(inner, whole);
    let deep = whole.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(80), "]".repeat(80)), 1);
    let large = whole.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(300 * 1024)), 1);
    let tail = format!("{whole}{whole}");
    let number = whole.replacen('{', "{\"x\":9007199254740993,", 1);
    let cases: [(&str, &[u8]); 7] = [
        ("not_json", twice.as_bytes()),
        ("not_json", inner.as_bytes()),
        ("not_json", deep.as_bytes()),
        ("too_large", large.as_bytes()),
        ("not_json", tail.as_bytes()),
        ("not_json", number.as_bytes()),
        ("not_json", b"{\"subject\": \"\xff\"}"),
    ];
    for path in [EVALUATION, EVALUATIONS, SEARCH, REQUESTS] {
        for (code, body) in cases {
            send(&alice, path, body.to_vec()).await.refuses(400, code);
        }
    }
    assert_eq!(decided(&alice, &own("alice", "staging")).await["decision"], true);
}

#[tokio::test]
async fn too_many_at_once_are_refused_and_the_most_are_answered() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let many = |count: usize, context: Value| {
        let mut body = own("alice", "staging");
        body["context"] = context;
        body["evaluations"] = json!(vec![json!({}); count]);
        body
    };
    let said = ask(&alice, EVALUATIONS, &many(256, json!({}))).await.is(200).json();
    assert_eq!(said["evaluations"].as_array().unwrap().len(), 256);
    let told = ask(&alice, EVALUATIONS, &many(257, json!({}))).await.refuses(400, "invalid");
    assert!(told.contains("256"), "{told}");
    // A context that no intent can hold is denied for each, not evaluated.
    let large = many(8, json!({"x": "x".repeat(70_000)}));
    let said = ask(&alice, EVALUATIONS, &large).await.is(200).json();
    for one in said["evaluations"].as_array().unwrap() {
        assert_eq!((&one["decision"], &one["context"]["reason"]), (&json!(false), &json!("unfit")));
    }
}

#[tokio::test]
async fn odd_texts_are_denied_and_never_change_what_is_asked() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let odd = [
        "",
        " ",
        "\u{0}",
        "\u{202e}gnigats",
        "a\nb",
        "../../etc",
        "%00",
        "<script>",
        "\u{feff}staging",
    ];
    for text in odd {
        for place in ["/action/name", "/resource/type", "/resource/properties/environment"] {
            let mut body = own("alice", "staging");
            *body.pointer_mut(place).unwrap() = json!(text);
            let said = decided(&alice, &body).await;
            // `../../etc` is a name like any other here: it is a label, and permitted in staging.
            let is_name = place == "/resource/type" && text == "../../etc";
            assert_eq!(said["decision"], is_name, "{place} {text:?}: {said}");
        }
    }
    let long = "x".repeat(600);
    let mut body = own("alice", "staging");
    body["resource"]["id"] = json!(long);
    assert_eq!(decided(&alice, &body).await["context"]["reason"], "unfit");
}

#[tokio::test]
async fn an_approval_that_is_only_words_is_nothing() {
    let off = Server::start().await;
    let on = Server::deciding(Authzen { access_request: true, ..Authzen::default() }).await;
    for server in [off, on] {
        let alice = server.person("alice").await;
        for approval in [
            json!({"id": "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z", "approved_until": "2999-01-01T00:00:00Z"}),
            json!({"id": "", "state": "approved"}),
            json!({"id": ["req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z"]}),
            json!(true),
            json!(null),
            json!([{"id": "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z"}]),
        ] {
            for environment in ["production", "mars"] {
                let mut body = own("alice", environment);
                body["context"] = json!({"approval": approval, "decision": true});
                let said = decided(&alice, &body).await;
                assert_eq!(said["decision"], false, "{body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_know_answers_500_and_no_decision() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let server = Server::on_file(&file).await;
    let alice = server.person("alice").await;
    assert_eq!(decided(&alice, &own("alice", "staging")).await["decision"], true);
    let tool = rusqlite::Connection::open(&file).unwrap();
    tool.execute_batch("ALTER TABLE access RENAME TO mislaid").unwrap();
    for path in [EVALUATION, EVALUATIONS, SEARCH] {
        let answer = ask(&alice, path, &own("alice", "staging")).await;
        assert_eq!((answer.status, answer.json().get("decision")), (500, None), "{answer:?}");
        assert!(!answer.text.contains("mislaid") && !answer.text.contains("SQL"), "{answer:?}");
    }
    tool.execute_batch("ALTER TABLE mislaid RENAME TO access").unwrap();
    assert_eq!(decided(&alice, &own("alice", "staging")).await["decision"], true);
}

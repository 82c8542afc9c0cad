//! An OPA over HTTP, and a server that answers as OPA would, or worse.

use std::io::Write as _;
use std::time::Duration;

use assent_rego::opa::{MAX_ANSWER_BYTES, Opa, OpaError, OpaSettings};
use assent_rego::{Dialect, Opinion, Question};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::reason;

fn settings(url: &str, dialect: Dialect) -> OpaSettings {
    let timeout = Duration::from_secs(5);
    OpaSettings { url: url.to_owned(), dialect, timeout, token_file: None, ca_file: None }
}

fn question() -> Question {
    Question {
        intent: json!({"kind": "x"}),
        plan: Some(json!({"resource_changes": []})),
        ..Question::default()
    }
}

/// Serves one call with these bytes and tells what was sent. What follows is sent until the other
/// side has had enough.
async fn served(
    answer: Vec<u8>,
    follow: Option<Vec<u8>>,
) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/data/main", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        let mut bytes = [0; 4096];
        while !asked.ends_with(b"}}") && !asked.ends_with(b"}}}") {
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "the call ended early");
            asked.extend_from_slice(&bytes[..read]);
        }
        stream.write_all(&answer).await.unwrap();
        if let Some(follow) = follow {
            while stream.write_all(&follow).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
        String::from_utf8(asked).unwrap()
    });
    (url, serving)
}

fn http(status: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

async fn answered(dialect: Dialect, body: &str) -> Opinion {
    let (url, serving) = served(http("200 OK", "application/json", body), None).await;
    let opinion = Opa::new(settings(&url, dialect)).unwrap().ask(&question()).await.opinion;
    serving.await.unwrap();
    opinion
}

/// What is asked of a server that answers like this is not answered, for this reason.
async fn failed(answer: Vec<u8>, follow: Option<Vec<u8>>, expected: &str) {
    let (url, _serving) = served(answer, follow).await;
    let opinion =
        Opa::new(settings(&url, Dialect::Conftest)).unwrap().ask(&question()).await.opinion;
    assert!(reason(&opinion).contains(expected), "{opinion:?}");
}

#[tokio::test]
async fn the_call_is_strict_and_carries_the_token() {
    let mut token = tempfile::NamedTempFile::new().unwrap();
    writeln!(token, "sesame").unwrap();
    let (url, serving) =
        served(http("200 OK", "application/json", r#"{"result": {"deny": []}}"#), None).await;
    let settings = OpaSettings {
        token_file: Some(token.path().to_owned()),
        ..settings(&url, Dialect::Conftest)
    };
    let opinion = Opa::new(settings).unwrap().ask(&question()).await.opinion;
    assert_eq!(opinion, Opinion::Answered { denies: vec![], warns: vec![], allows: false });
    let asked = serving.await.unwrap();
    assert!(
        asked.starts_with("POST /v1/data/main?strict-builtin-errors=true HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("authorization: Bearer sesame\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"input":{"resource_changes":[]}}"#), "{asked}");
}

#[tokio::test]
async fn answers_are_read_as_the_dialect_has_it() {
    let conftest = r#"{"result": {"deny_a": ["no"], "warn": [{"msg": "hm"}], "other": 7}, "decision_id": "1"}"#;
    let expected =
        Opinion::Answered { denies: vec!["no".into()], warns: vec!["hm".into()], allows: false };
    assert_eq!(answered(Dialect::Conftest, conftest).await, expected);
    let permit = r#"{"result": {"ruling": "permit"}}"#;
    let expected = Opinion::Answered { denies: vec![], warns: vec![], allows: true };
    assert_eq!(answered(Dialect::Assent, permit).await, expected);
    let query = r#"{"result": ["a"]}"#;
    let expected = Opinion::Answered { denies: vec!["a".into()], warns: vec![], allows: false };
    assert_eq!(answered(Dialect::HcpTerraform, query).await, expected);
}

#[tokio::test]
async fn whatever_is_no_clean_answer_is_none() {
    for (dialect, body, expected) in [
        (Dialect::Conftest, "{}", "undefined"),
        (Dialect::Conftest, r#"{"result": {}}"#, "none of the rules"),
        (Dialect::Conftest, r#"{"result": {"allow": true}}"#, "none of the rules"),
        (Dialect::Conftest, r#"{"result": true}"#, "not a package"),
        (Dialect::Conftest, r#"{"result": {"deny": true}}"#, "not a set"),
        (Dialect::Conftest, r#"{"result": {"deny": []}, "warning": {"code": "x"}}"#, "OPA warns"),
        (Dialect::Conftest, r#"{"result": {"deny": []}"#, "not a JSON object"),
        (Dialect::Conftest, r#"[{"result": {"deny": []}}]"#, "not a JSON object"),
        (Dialect::Conftest, "", "not a JSON object"),
        (Dialect::Assent, r#"{"result": true}"#, "not an object"),
        (Dialect::Assent, r#"{"result": {"ruling": "permit", "x": 1}}"#, "unknown field"),
        (Dialect::SpaceliftApproval, r#"{"result": {"approve": "yes"}}"#, "neither true nor false"),
    ] {
        let opinion = answered(dialect, body).await;
        assert!(reason(&opinion).contains(expected), "{body}: {opinion:?}");
    }
}

#[tokio::test]
async fn a_faulty_server_gives_no_answer() {
    let fine = r#"{"result": {"deny": []}}"#;
    failed(http("500 Internal Server Error", "application/json", fine), None, "OPA answered 500")
        .await;
    failed(http("204 No Content", "application/json", ""), None, "OPA answered 204").await;
    failed(http("200 OK", "text/html", fine), None, "not application/json").await;
    failed(Vec::new(), None, "").await;
    failed(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{"
            .to_vec(),
        None,
        "",
    )
    .await;
    failed(b"nonsense\r\n\r\n".to_vec(), None, "").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, _) =
        served(http("200 OK", "application/json", r#"{"result": {"deny": []}}"#), None).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n"
    );
    failed(redirect.into_bytes(), None, "OPA answered 307").await;
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"result\": {\"deny\": []}, \"x\": \"".to_vec();
    failed(head, Some(vec![b'x'; 65_536]), &format!("more than {MAX_ANSWER_BYTES} bytes")).await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/data/main", listener.local_addr().unwrap());
    let short =
        OpaSettings { timeout: Duration::from_millis(20), ..settings(&url, Dialect::Conftest) };
    let opinion = Opa::new(short).unwrap().ask(&question()).await.opinion;
    reason(&opinion);
    drop(listener);
    let opinion =
        Opa::new(settings(&url, Dialect::Conftest)).unwrap().ask(&question()).await.opinion;
    assert!(reason(&opinion).contains("refused"), "{opinion:?}");
}

#[tokio::test]
async fn a_token_that_cannot_be_read_is_not_left_out() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in [empty.path().to_owned(), "/no/such/token".into()] {
        let with = OpaSettings {
            token_file: Some(path),
            ..settings("http://127.0.0.1:9/v1/data/main", Dialect::Conftest)
        };
        let opinion = Opa::new(with).unwrap().ask(&question()).await.opinion;
        assert!(reason(&opinion).contains("the token file"), "{opinion:?}");
    }
}

#[test]
fn settings_that_would_be_unsafe_are_refused() {
    let refused = |url: &str| Opa::new(settings(url, Dialect::Conftest)).unwrap_err();
    for url in [
        "opa.internal",
        "https://opa.internal/",
        "https://opa.internal/v0/data/main",
        "ftp://opa/v1/data/x",
        "https://user:secret@opa.internal/v1/data/x",
        "https://opa.internal/v1/data/x?strict-builtin-errors=false",
        "https://opa.internal/v1/data/x#y",
    ] {
        assert!(matches!(refused(url), OpaError::Url(_)), "{url}");
    }
    assert!(matches!(refused("http://opa.internal/v1/data/x"), OpaError::Clear(_)));
    let base = settings("https://opa.internal/v1/data/x", Dialect::Conftest);
    for seconds in [0, 6] {
        let slow = OpaSettings { timeout: Duration::from_secs(seconds), ..base.clone() };
        assert_eq!(Opa::new(slow).unwrap_err(), OpaError::Timeout);
    }
    for ca_file in ["/no/such/file", "/dev/null"] {
        let with = OpaSettings { ca_file: Some(ca_file.into()), ..base.clone() };
        assert!(matches!(Opa::new(with), Err(OpaError::Authorities { .. })), "{ca_file}");
    }
}

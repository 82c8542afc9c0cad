//! `assent signal`: told, listed and taken back, as people type it.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::FREEZE;
use crate::support::{Caller, Did, Server, assent, filing, fresh_key, mint};

async fn run(server: &Server, who: &Caller, words: &[&str]) -> Did {
    assent(server.base(), who.token(), &[&["signal"][..], words].concat()).await
}

/// What the last word of a row is: the signal's id.
fn id(line: &str) -> &str {
    line.split_whitespace().last().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_is_told_listed_and_taken_back_on_the_command_line() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let credential = mint(&alice, &request).await.unwrap();
    let root = async |words: &[&str]| run(&server, &root, words).await;
    let none = root(&["list"]).await.exits(0);
    assert_eq!((none.data.as_str(), none.talk.as_str()), ("", "no signals\n"));

    let words = ["tell", "suspended", "--person", "alice", "--reason", "left the company"];
    let told = root(&words).await.exits(0);
    let signal = id(&told.data).to_owned();
    let since = server.administrator().await.client.signals().await.unwrap().about[0].at.clone();
    let row = format!("person alice suspended {since} administrator left the company {signal}");
    let head = "ABOUT STATE SINCE UNTIL BY REASON ID".to_owned();
    assert_eq!(told.lines(), [head.clone(), row.clone()]);
    // It was heard: they do nothing any more, and what they had is over.
    alice.get("/v1/whoami").await.refuses(403, "suspended");
    let shown = server.administrator().await.client.request(&request.id).await.unwrap();
    assert_eq!(shown.credentials[0].status, "revoked");
    let entries = server.administrator().await.client.entries(0).await.unwrap().entries;
    let stopped = entries.iter().find(|entry| entry.event["type"] == "stopped").unwrap();
    assert_eq!(stopped.event["signal"], signal);

    server.time().pass(Span::seconds(1));
    let words = ["tell", "incident", "--environment", "production", "-r", "INC-1", "--until", "4h"];
    let incident = root(&[&words[..], &["-o", "json"]].concat()).await.exits(0).json();
    assert_eq!(incident["about"], json!({"environment": "production"}));
    let words = ["tell", "flagged", "--workload", "https://ci.example.com#repo:1", "-r", "odd"];
    root(&words).await.exits(0);
    let listed = root(&["list"]).await.exits(0).lines();
    assert_eq!((&listed[0], listed.len()), (&head, 4));
    assert!(listed.contains(&row), "{listed:?}");
    let until = format!(
        "environment production incident {} {} administrator INC-1 {}",
        incident["at"].as_str().unwrap(),
        incident["until"].as_str().unwrap(),
        incident["id"].as_str().unwrap()
    );
    assert!(listed.contains(&until), "{listed:?}");
    let foreign = "workload https://ci.example.com#repo:1 flagged";
    assert!(listed.iter().any(|line| line.starts_with(foreign)), "{listed:?}");
    let all = root(&["list", "--output", "json"]).await.exits(0).json();
    assert_eq!(all["about"].as_array().unwrap().len(), 3);
    assert_eq!(all["signals"], json!({}));

    let words = ["clear", "--person", "alice", "--reason", "was a mistake"];
    let cleared = root(&words).await.exits(0);
    assert_eq!(
        (cleared.data.as_str(), cleared.talk.as_str()),
        ("", "cleared: person alice; what was ended stays ended\n")
    );
    alice.get("/v1/whoami").await.is(200);
    assert!(!alice.client.introspect(&secret(&credential.token)).await.unwrap().active);
    let words = ["clear", "--environment", "production", "-r", "over", "-o", "json"];
    assert_eq!(root(&words).await.exits(0).json()["state"], "clear");
    server.time().pass(Span::hours(4));
    let listed = root(&["list"]).await.exits(0).lines();
    assert_eq!(listed.len(), 2, "{listed:?}");
}

fn secret(token: &str) -> assent_client::Secret {
    assent_client::Secret::new(token.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_told_is_refused_in_words() {
    let server = Server::ruled_by(FREEZE).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let tell = ["tell", "risky", "--person", "bob", "--reason", "r"];
    for (who, words, code, told) in [
        (&alice, &tell[..], 1, "`sources` says who may"),
        (&alice, &["list"], 1, "administrator"),
        (&root, &["tell", "risky", "--person", "bob"], 2, "--reason"),
        (&root, &["tell", "risky", "--reason", "r"], 2, "--person"),
        (&root, &["tell", "clear", "--person", "bob", "--reason", "r"], 2, "suspended"),
        (&root, &["tell", "incident", "--person", "bob", "--reason", "r"], 2, "incident"),
        (&root, &["tell", "risky", "--person", "bob", "-r", "r", "--until", "soon"], 2, "until"),
        (&root, &["clear", "--person", "bob", "--environment", "x", "-r", "r"], 2, "--environment"),
    ] {
        let did = run(&server, who, words).await.exits(code);
        assert!(did.data.is_empty() && did.talk.contains(told), "{words:?}: {}", did.talk);
    }
    let all = run(&server, &root, &["list", "-o", "json"]).await.json();
    assert_eq!(all["about"], Value::Array(Vec::new()));
}

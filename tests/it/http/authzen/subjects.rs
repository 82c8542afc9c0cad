//! Who may ask about whom.

use serde_json::json;

use super::{EVALUATION, SEARCH, ask, decided, own};
use crate::support::Server;

#[tokio::test]
async fn everybody_asks_about_themselves_and_nobody_else() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    server.person("bob").await;
    for kind in ["person", "user"] {
        let mut body = own("alice", "staging");
        body["subject"]["type"] = json!(kind);
        assert_eq!(decided(&alice, &body).await["decision"], true);
        body["subject"]["id"] = json!("assent:local#alice");
        assert_eq!(decided(&alice, &body).await["decision"], true);
    }
    let known = ask(&alice, EVALUATION, &own("bob", "staging")).await;
    let known = known.refuses(403, "foreign_subject");
    let unknown = ask(&alice, EVALUATION, &own("zoe", "staging")).await;
    let unknown = unknown.refuses(403, "foreign_subject");
    assert_eq!(known.replace("bob", "zoe"), unknown, "nobody learns who is known");
    for (kind, id) in [
        ("workload", "alice"),
        ("spaceship", "alice"),
        ("person", "Alice"),
        ("person", "alice "),
        ("person", "https://id.example.com#alice"),
        ("person", ""),
        ("", "alice"),
        ("person", "a\u{200b}lice"),
    ] {
        let mut body = own("alice", "staging");
        body["subject"] = json!({"type": kind, "id": id});
        ask(&alice, EVALUATION, &body).await.refuses(403, "foreign_subject");
        ask(&alice, SEARCH, &body).await.refuses(403, "foreign_subject");
    }
}

#[tokio::test]
async fn a_workload_asks_about_itself_and_whom_it_acts_for() {
    let server = Server::start().await;
    server.person("alice").await;
    server.person("bob").await;
    let ci = server.workload("ci", &["alice", "erin"]).await;
    assert_eq!(decided(&ci, &own("alice", "staging")).await["decision"], true);
    let mut itself = own("ci", "staging");
    itself["subject"]["type"] = json!("workload");
    assert_eq!(decided(&ci, &itself).await["decision"], true);
    ask(&ci, EVALUATION, &own("bob", "staging")).await.refuses(403, "foreign_subject");
    ask(&ci, EVALUATION, &own("ci", "staging")).await.refuses(403, "foreign_subject");
    // It acts for people; a workload of such a name is another.
    server.workload("alice", &[]).await;
    let mut other = own("alice", "staging");
    other["subject"]["type"] = json!("workload");
    ask(&ci, EVALUATION, &other).await.refuses(403, "foreign_subject");
    // Whom the authority has never verified is not ruled on, even for whom may ask.
    let unknown = decided(&ci, &own("erin", "staging")).await;
    assert_eq!(
        (&unknown["decision"], &unknown["context"]["reason"]),
        (&json!(false), &json!("unknown_subject"))
    );
    // That a person acts for somebody is no more than words.
    let mut body = own("bob", "staging");
    body["subject"]["properties"] = json!({"act": {"sub": "ci", "iss": "assent:local"}});
    ask(&ci, EVALUATION, &body).await.refuses(403, "foreign_subject");
}

#[tokio::test]
async fn an_administrator_asks_about_everybody_who_is_known() {
    let server = Server::start().await;
    let root = server.administrator().await;
    server.person("alice").await;
    assert_eq!(decided(&root, &own("alice", "staging")).await["decision"], true);
    for (kind, id) in
        [("person", "zoe"), ("workload", "alice"), ("spaceship", "alice"), ("person", "a b")]
    {
        let mut body = own("alice", "staging");
        body["subject"] = json!({"type": kind, "id": id});
        let said = decided(&root, &body).await;
        assert_eq!(
            (&said["decision"], &said["context"]["reason"]),
            (&json!(false), &json!("unknown_subject"))
        );
    }
}

#[tokio::test]
async fn whose_tokens_have_all_ended_is_not_known_any_more() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    assert_eq!(decided(&root, &own("alice", "staging")).await["decision"], true);
    let tokens = root.get("/v1/access").await.is(200).json();
    let tokens = tokens["tokens"].as_array().unwrap();
    let hers = tokens.iter().find(|token| token["principal"]["sub"] == "alice").unwrap();
    let path = format!("/v1/access/{}/revoke", hers["id"].as_str().unwrap());
    root.post(&path, &json!({})).await.is(200);
    let said = decided(&root, &own("alice", "staging")).await;
    assert_eq!(said["context"]["reason"], "unknown_subject", "{said}");
    ask(&alice, EVALUATION, &own("alice", "staging")).await.refuses(401, "invalid_token");
}

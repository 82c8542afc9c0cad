//! `assent trust`: written, listed, shown, tried and removed.

use std::process::Output;

use tokio::process::Command;

use super::*;
use crate::support::program;

async fn assent(server: &Server, token: &str, words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(words).env_clear().env("HOME", home.path());
    command.env("ASSENT_URL", server.base()).env("ASSENT_TOKEN", token);
    command.stdin(std::process::Stdio::null()).output().await.unwrap()
}

#[track_caller]
fn told(output: &Output, code: i32, words: &[&str]) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "{text}");
    words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
}

#[tokio::test]
async fn a_trust_is_written_tried_and_removed_on_the_command_line() {
    let issuer = Issuer::start().await;
    let server = ruled_by(&rules("  {}")).await;
    let root = server.administrator().await;
    let run = async |words: &[&str]| assent(&server, root.token(), words).await;
    let add = [
        "trust",
        "add",
        "orders",
        "--shape",
        "github-actions",
        "--issuer",
        issuer.url.as_str(),
        "--audience",
        AUDIENCE,
        "--claim",
        "repository_owner_id=17",
        "--claim",
        "repository_id=4711",
        "--kind",
        "terraform.*",
        "--environment",
        "production",
        "--person",
        "583231=person:alice",
    ];
    // Too wide: any branch.
    told(&run(&add).await, 2, &["too wide", "environment"]);
    let narrow = ["--claim", "environment=staging", "--claim", "environment=production"];
    let more = ["--claim", "event_name=push", "--claim", "event_name=issue_comment"];
    told(&run(&[&add[..], &narrow, &more].concat()).await, 0, &["warning", "issue_comment"]);
    told(&run(&["trust", "list"]).await, 0, &["orders", "github-actions", "the API"]);
    let named = ["principal ", "repository:{repository_id}", "583231 is person:alice"];
    let shown = [&["environment is production or staging"], &named[..]].concat();
    told(&run(&["trust", "show", "orders"]).await, 0, &shown);
    told(&run(&["trust", "show", "other"]).await, 2, &["no trust `other` rules"]);
    let token = job(&issuer, json!({}));
    let tried = run(&["trust", "check", &token]).await;
    told(
        &tried,
        0,
        &["would be exchanged", "repository:4711:environment:production", "orders takes it"],
    );
    let other = job(&issuer, json!({"environment": "testing"}));
    told(&run(&["trust", "check", &other]).await, 1, &["would be refused", "`environment`"]);
    presented(&server, &token).await.is(200);
    let removed = run(&["trust", "remove", "orders", "--output", "json"]).await;
    told(&removed, 0, &[]);
    let removed: Value = serde_json::from_slice(&removed.stdout).unwrap();
    assert_eq!(removed, json!({"removed": "orders"}));
    refused(&presented(&server, &job(&issuer, json!({}))).await, 400, "invalid_grant");
    let alice = server.person("alice").await;
    told(&assent(&server, alice.token(), &["trust", "check", &token]).await, 1, &["administrator"]);
}

#[tokio::test]
async fn a_trust_of_a_file_is_not_removed_and_it_is_said_where_it_stands() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let root = server.administrator().await;
    let file = root.client.trusts().await.unwrap().trusts[0].file.clone().unwrap();
    let removed = assent(&server, root.token(), &["trust", "remove", "acme"]).await;
    told(&removed, 2, &["`acme` stands in the policy file", &file, "take it out of that file"]);
    let nobody = assent(&server, root.token(), &["trust", "remove", "nobody"]).await;
    told(&nobody, 2, &["there is no trust `nobody`"]);
    assert_eq!(root.client.trusts().await.unwrap().trusts.len(), 1);
}

//! The same by `assent`, as people type it.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::database::{BROKER_PASSWORD, Database};
use super::{POLICY, first_pending};
use crate::support::{Binary, approve, eventually, policy_in, program};

fn assent(binary: &Binary, who: &str) -> Command {
    let mut command = Command::new(program());
    command.env("ASSENT_URL", &binary.base).env("ASSENT_TOKEN", &binary.tokens[who]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn psql_works_under_approval_and_not_after_it() {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    policy_in(&at("policy"), POLICY);
    std::fs::write(at("password"), BROKER_PASSWORD).unwrap();
    let text = super::brokers_yaml(database.port, "");
    let password = format!("password_file: {}", at("password").display());
    std::fs::write(at("brokers.yaml"), text.replace("password_env: BROKER_PASSWORD", &password))
        .unwrap();
    let more = [Path::new("--brokers").to_owned(), at("brokers.yaml")];
    let more: Vec<&Path> = more.iter().map(AsRef::as_ref).collect();
    let mut binary = Binary::start_with(&at("data"), &at("policy"), &more).await;

    let intent = ["--kind", "database.session", "--environment", "production"];
    let asking = assent(&binary, "alice")
        .arg("run")
        .args(intent)
        .args(["--duration", "10m", "--audience", "orders", "--broker", "orders-db", "--"])
        .args(["psql", "-qAtXc", "SELECT count(*), current_user FROM orders"])
        .output();
    let bob = binary.person("bob");
    let deciding = async { approve(&bob, &first_pending(&bob).await).await.unwrap() };
    let (ran, request) = tokio::join!(asking, deciding);
    let ran = ran.unwrap();
    let (out, told) =
        (String::from_utf8(ran.stdout).unwrap(), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}");
    assert!(out.starts_with("3|assent_0"), "{out} {told}");
    // It is completed with the command, and the server closes it by itself.
    eventually("the end of its role", async || database.roles().is_empty().then_some(())).await;

    let minted = assent(&binary, "alice")
        .args(["credential", "mint", "--request", &request.id, "--audience", "orders"])
        .args(["--broker", "orders-db"])
        .output()
        .await
        .unwrap();
    assert!(!minted.status.success(), "one use, minted twice");
    let request = super::file(&binary.person("alice"), "free").await;
    let mint = |more: &'static [&'static str]| {
        assent(&binary, "alice")
            .args(["credential", "mint", "--request", &request.id, "--audience", "orders"])
            .args(["--broker", "orders-db"])
            .args(more)
            .output()
    };
    let json = mint(&["-o", "json"]).await.unwrap();
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let fields = serde_json::from_value(json["fields"].clone()).unwrap();
    assert_eq!(database.psql(&fields, "SELECT 1").await.unwrap(), "1");
    let lines = String::from_utf8(mint(&[]).await.unwrap().stdout).unwrap();
    for name in ["token=", "host=127.0.0.1", "password=", "username=assent_0", "url=postgresql://"]
    {
        assert!(lines.lines().any(|line| line.starts_with(name)), "{name}: {lines}");
    }
    binary.kill().await;
}

//! `examples/postgres`, as it stands: its policy, its brokers and its script.

use std::path::PathBuf;
use std::process::Stdio;

use assent_client::Secret;
use assent_core::time::Span;
use assent_server::broker::Brokers;
use assent_server::policy::{Reading, Source};
use tokio::process::Command;

use super::database::{BROKER_PASSWORD, Database};
use super::first_pending;
use crate::support::{Server, Setup, approve, program};

fn example(name: &str) -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().join("examples/postgres").join(name)
}

/// The brokers of the example, in front of this database.
fn brokers(port: u16) -> Brokers {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(example("brokers.yaml")).unwrap();
    assert!(text.contains("port: 5432"));
    let file = folder.path().join("brokers.yaml");
    std::fs::write(&file, text.replace("port: 5432", &format!("port: {port}"))).unwrap();
    let variable = |name: &str| {
        (name == "ORDERS_DB_PASSWORD").then(|| Secret::new(BROKER_PASSWORD.to_owned()))
    };
    Brokers::read(&file, &variable).unwrap()
}

/// A session is asked for on the command line, approved by a person, and works with `psql`; ten
/// minutes later it does not, and what was open is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_minutes_later_psql_is_refused_and_its_open_session_is_gone() {
    let database = Database::start().await;
    let source = Source::Directory(example("policy"));
    assert!(source.read(&Reading::default()).await.is_ok());
    let setup = Setup { source, brokers: brokers(database.port), ..Setup::default() };
    let server = Server::set_up(setup).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let assent = || {
        let mut command = Command::new(program());
        command.env("ASSENT_URL", server.base()).env("ASSENT_TOKEN", alice.token());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    };
    let asking = assent()
        .args(["request", "--kind", "database.session", "--environment", "production"])
        .args(["--duration", "10m", "--reason", "look at an order", "--wait"])
        .output();
    let deciding = async { approve(&bob, &first_pending(&bob).await).await.unwrap() };
    let (asked, request) = tokio::join!(asking, deciding);
    let asked = asked.unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let minted = assent()
        .args(["credential", "mint", "--request", &request.id, "--audience", "orders-db"])
        .args(["--broker", "orders-db", "--output", "json"])
        .output()
        .await
        .unwrap();
    let minted: serde_json::Value = serde_json::from_slice(&minted.stdout).unwrap();
    let fields = serde_json::from_value(minted["fields"].clone()).unwrap();
    assert_eq!(database.psql(&fields, "SELECT count(*) FROM orders").await.unwrap(), "3");
    let session = database.session(&fields).await.unwrap();
    assert_eq!(session.ask("SELECT 1").await.unwrap(), "1");

    server.time().pass(Span::minutes(10));
    assert_eq!(server.authority.close_due().await.unwrap(), 1);
    assert!(session.ended().await, "the open session lives");
    let refused = database.psql(&fields, "SELECT 1").await.unwrap_err();
    assert!(refused.contains("authentication failed"), "{refused}");
    assert!(database.roles().is_empty());
}

/// What `make demo-postgres APPROVE=auto` runs, from its beginning to its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_runs_as_it_stands() {
    let mut demo = Command::new(example("demo.sh"));
    demo.env("APPROVE", "auto").env("ASSENT_BIN", program());
    let ran = demo.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    for told in ["1|a lamp", "permission denied", "FATAL", "broker closed", "ok: "] {
        assert!(out.contains(told), "{told}: {out}");
    }
    assert!(!out.contains("postgresql://"), "a secret is printed");
}

//! The real binary, killed with SIGKILL between the record and the answer: whatever may exist by
//! then is found by the next start.

mod signaled;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assent_core::time::Span;
use serde_json::{Value, json};

use super::database::{BROKER_PASSWORD, Database};
use super::proxy::{Proxy, Stop};
use super::{POLICY, brokers_yaml, file, settled, setup};
use crate::support::{Binary, Remains, Server, fresh_key, policy_in};

/// Where the binary keeps its things.
pub(super) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        policy_in(&folder.path().join("policy"), POLICY);
        std::fs::write(folder.path().join("password"), BROKER_PASSWORD).unwrap();
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) async fn start(&self, port: u16) -> Binary {
        let (policy, brokers) = (self.policy(), self.brokers(port));
        let more: [&Path; 2] = [Path::new("--brokers"), &brokers];
        Binary::start_with(&self.data(), &policy, &more).await
    }

    /// The first start, with an administrator.
    pub(super) async fn start_governed(&self, port: u16) -> (Binary, String) {
        let (policy, brokers) = (self.policy(), self.brokers(port));
        let more: [&Path; 2] = [Path::new("--brokers"), &brokers];
        Binary::start_governed(&self.data(), &policy, &more).await
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy")
    }

    /// The file that says where the database is.
    fn brokers(&self, port: u16) -> PathBuf {
        let file = self.folder.path().join("brokers.yaml");
        let password = self.folder.path().join("password").display().to_string();
        let text = brokers_yaml(port, "");
        let text =
            text.replace("password_env: BROKER_PASSWORD", &format!("password_file: {password}"));
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Kills the binary while it opens, at this point; gives what is left, and the call that was lost.
async fn killed(
    place: &Place,
    database: &Database,
    stop: Stop,
) -> (BTreeMap<String, String>, String) {
    let proxy = Proxy::start(database.port, stop).await;
    let mut binary = place.start(proxy.port).await;
    let tokens = binary.tokens.clone();
    let alice = binary.holder_of(&tokens["alice"]);
    let request = file(&alice, "free").await;
    let path = format!("/v1/requests/{}/credentials", request.id);
    let lost = alice.call("POST", &path).header("idempotency-key", KEY);
    let mut lost = tokio::spawn(lost.json(&wanted()).send());
    tokio::select! {
        () = proxy.stopped() => {}
        answer = &mut lost => panic!("{stop:?}: answered {answer:?}"),
    }
    binary.kill().await;
    assert!(lost.await.unwrap().is_err(), "{stop:?}: it was answered");
    (tokens, path)
}

/// The idempotency key of the call whose answer is lost.
const KEY: &str = "the-call-whose-answer-is-lost";

fn wanted() -> Value {
    json!({"audience": "orders", "broker": "orders-db"})
}

const STOPS: [Stop; 5] = [
    Stop::Before("BEGIN"),
    Stop::Before("CREATE ROLE"),
    Stop::After("CREATE ROLE"),
    Stop::Before("COMMIT"),
    Stop::After("COMMIT"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_while_a_broker_opens_leaves_no_login_behind() {
    let database = Database::start().await;
    let mut left = 0;
    for stop in STOPS {
        let place = Place::new();
        let (_, path) = killed(&place, &database, stop).await;
        left += database.roles().len();
        // Nobody asks again: after a minute the use counts as never handed out.
        let ledger = place.data().join("ledger.sqlite");
        let server =
            Server::on_file_again_set_up(&ledger, Remains::fresh(), setup(database.port)).await;
        server.time().pass(Span::minutes(2));
        server.authority.sweep().await.unwrap();
        assert_eq!(server.authority.close_due().await.unwrap(), 1, "{stop:?}");
        assert!(database.roles().is_empty(), "{stop:?}");
        let bob = server.person("bob").await;
        let id = path.split('/').nth(3).unwrap();
        let shown = bob.client.request(id).await.unwrap();
        assert_eq!(shown.credentials.len(), 1, "{stop:?}: not one use");
        let credential = &shown.credentials[0];
        assert_eq!(credential.fingerprint, None, "{stop:?}");
        assert_eq!(credential.brokered.as_ref().unwrap().status, "closed", "{stop:?}");
    }
    assert_eq!(left, 1, "of all crashes one comes after the role was there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_a_mint_that_kill_9_cut_off_is_asked_again_and_opens_one_login() {
    let database = Database::start().await;
    for stop in [Stop::Before("BEGIN"), Stop::After("CREATE ROLE"), Stop::After("COMMIT")] {
        let place = Place::new();
        let (tokens, path) = killed(&place, &database, stop).await;
        let mut binary = place.start(database.port).await;
        let alice = binary.holder_of(&tokens["alice"]);
        let minted = alice.post_again(KEY, &path, &wanted()).await.is(201);
        let fields: std::collections::BTreeMap<String, String> =
            serde_json::from_value(minted.json()["fields"].clone()).unwrap();
        assert_eq!(database.roles(), [fields["username"].clone()], "{stop:?}");
        let session = database.session(&fields).await.unwrap();

        // A live one outlives the next crash; its end is seen to by whoever comes after.
        binary.kill().await;
        session.ask("SELECT 1").await.unwrap();
        binary = place.start(database.port).await;
        let alice = binary.holder_of(&tokens["alice"]);
        let id = path.split('/').nth(3).unwrap();
        session.ask("SELECT 1").await.unwrap();
        alice.client.complete(id, &fresh_key()).await.unwrap();
        let looked = settled(&alice, id, "closed").await;
        assert_eq!(looked.credentials[0].brokered.as_ref().unwrap().status, "closed", "{stop:?}");
        assert!(session.ended().await);
        assert!(database.roles().is_empty(), "{stop:?}");
        binary.kill().await;
    }
}

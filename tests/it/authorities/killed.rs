//! Two real servers, and the one that asks is killed with SIGKILL between any two steps.

use std::net::{SocketAddr, TcpListener};

use assent_client::wire;
use serde_json::Value;

use super::{ours, theirs};
use crate::support::{Binary, Caller, approve, filing, fresh_key, mint, program};

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// One server that is killed and started again on the same place and directory.
struct Side {
    place: SocketAddr,
    directory: tempfile::TempDir,
    binary: Option<Binary>,
    tokens: Vec<(String, String)>,
}

impl Side {
    fn new(place: SocketAddr, policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("policy")).unwrap();
        std::fs::write(directory.path().join("policy/policy.yaml"), policy).unwrap();
        Self { place, directory, binary: None, tokens: Vec::new() }
    }

    async fn start(&mut self) {
        let (data, policy) =
            (self.directory.path().join("data"), self.directory.path().join("policy"));
        let binary = Binary::start_at(self.place, &data, &policy).await;
        if self.tokens.is_empty() {
            self.tokens.clone_from(&binary.tokens);
        }
        self.binary = Some(binary);
    }

    async fn kill(&mut self) {
        self.binary.take().unwrap().kill().await;
    }

    async fn again(&mut self) {
        self.kill().await;
        self.start().await;
    }

    fn base(&self) -> String {
        format!("http://{}", self.place)
    }

    fn caller(&self, name: &str) -> Caller {
        let token = self.tokens.iter().find(|(one, _)| one == name).unwrap();
        Caller::new(&self.base(), Some(&token.1))
    }
}

/// The request, once it is so.
async fn once(caller: &Caller, id: &str, is_so: impl Fn(&wire::Request) -> bool) -> wire::Request {
    let mut shown = caller.client.request(id).await.unwrap();
    for _ in 0..60 {
        if is_so(&shown) {
            return shown;
        }
        let leg = std::time::Duration::from_secs(2);
        shown = caller.client.wait(id, shown.version, leg).await.unwrap();
    }
    panic!("it did not come about: {shown:?}");
}

async fn run(arguments: &[&str], server: &str, token: &str) -> String {
    let output = tokio::process::Command::new(program())
        .args(arguments)
        .env("ASSENT_URL", server)
        .env("ASSENT_TOKEN", token)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let more = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{more}");
    text
}

#[tokio::test]
async fn t56_the_asking_server_killed_between_any_two_steps_asks_once_and_is_answered_once() {
    let (here, there) = (free(), free());
    let (here_base, there_base) = (format!("http://{here}"), format!("http://{there}"));
    let their_policy = theirs(&here_base, &there_base).replace("person:oscar", "person:carol");
    let mut us = Side::new(here, &ours(&there_base, ""));
    let mut them = Side::new(there, &their_policy);
    them.start().await;
    us.start().await;
    for killed_after in 0..5 {
        let (alice, bob) = (us.caller("alice"), us.caller("bob"));
        let reason = format!("killed after step {killed_after}");
        let filed = alice.client.file(&filing("production", &reason), &fresh_key()).await.unwrap();
        // The partner is away when the stage opens, so that the question is not on record yet.
        if killed_after == 0 {
            them.kill().await;
        }
        approve(&bob, &filed).await.unwrap();
        if killed_after == 0 {
            us.again().await;
            them.start().await;
        }
        let asked =
            |shown: &wire::Request| shown.stages[1].elsewhere.as_ref().unwrap().status == "asked";
        if killed_after == 1 {
            us.again().await;
        }
        let shown = once(&alice, &filed.id, asked).await;
        if killed_after == 2 {
            us.again().await;
        }
        let id = shown.stages[1].elsewhere.clone().unwrap().request.unwrap();
        let carol = them.caller("carol");
        let question = carol.client.request(&id).await.unwrap();
        if killed_after == 3 {
            us.kill().await;
        }
        approve(&carol, &question).await.unwrap();
        match killed_after {
            3 => us.start().await,
            4 => us.again().await,
            _ => {}
        }
        let shown = once(&alice, &filed.id, |shown| shown.state == "approved").await;
        mint(&alice, &shown).await.unwrap();
        let all = carol.client.requests(&[]).await.unwrap();
        let asked: Vec<_> = all.requests.iter().filter(|one| one.intent.reason == reason).collect();
        assert_eq!(asked.len(), 1, "asked once");
        let question = carol.client.request(&id).await.unwrap();
        assert_eq!(question.credentials.len(), 1, "answered once");
    }
    // What was written between all those ends proves itself, to whoever looks.
    let token = us.tokens.iter().find(|(name, _)| name == "alice").unwrap().1.clone();
    let told = run(&["audit", "verify", "--output", "json"], &us.base(), &token).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["ok"], true);
    us.kill().await;
    them.kill().await;
}

//! Two real servers, and the one that asks, or the one that is asked, is killed with SIGKILL between any
//! two steps.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use assent_client::wire;
use serde_json::Value;

use super::between::{Between, Then};
use super::{ours, theirs};
use crate::support::{
    Binary, Caller, approve, filing, free_place, fresh_key, mint, policy_in, program,
};

/// One server that is killed and started again on the same place and directory.
struct Side {
    place: SocketAddr,
    /// Where others find it, if not there.
    public: Option<String>,
    directory: tempfile::TempDir,
    binary: Option<Binary>,
    tokens: BTreeMap<String, String>,
}

impl Side {
    fn new(place: SocketAddr, policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        policy_in(&directory.path().join("policy"), policy);
        Self { place, public: None, directory, binary: None, tokens: BTreeMap::new() }
    }

    async fn start(&mut self) {
        let (data, policy) =
            (self.directory.path().join("data"), self.directory.path().join("policy"));
        let binary = match &self.public {
            Some(url) => Binary::start_behind(self.place, url, &data, &policy).await,
            None => Binary::start_at(self.place, &data, &policy).await,
        };
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
        Caller::new(&self.base(), Some(&self.tokens[name]))
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
    let (here, there) = (free_place(), free_place());
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
    let verify = ["audit", "verify", "--output", "json"];
    let told = run(&verify, &us.base(), &us.tokens["alice"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["ok"], true);
    us.kill().await;
    them.kill().await;
}

/// Where the one that is asked is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    /// The question has reached it, and it has not filed it.
    BeforeItFiles,
    /// It has filed it, and the answer is lost.
    Filed,
    /// Its person has approved, and whoever did has no answer.
    Reviewed,
    /// It is looked at, and has not answered.
    LookedAt,
    /// The credential is wanted, and not minted.
    BeforeItMints,
    /// The credential is minted, and the answer is lost.
    Minted,
    /// It is told that all is over here, and the answer is lost.
    Told,
}

impl Kill {
    /// The call that is stopped, and where.
    fn trap(self, between: &Between) {
        match self {
            Self::BeforeItFiles => between.trap("POST", "/v1/requests", Then::StopBefore),
            Self::Filed => between.trap("POST", "/v1/requests", Then::StopAfter),
            Self::Reviewed => {}
            Self::LookedAt => between.trap("GET", "/wait", Then::StopAfter),
            Self::BeforeItMints => between.trap("POST", "/credentials", Then::StopBefore),
            Self::Minted => between.trap("POST", "/credentials", Then::StopAfter),
            Self::Told => between.trap("POST", "/complete", Then::StopAfter),
        }
    }
}

/// What the audit log of a server tells of a request, by type.
async fn told_of(caller: &Caller, id: &str, kind: &str) -> usize {
    let (mut next, mut found) = (0, 0);
    loop {
        let entries = caller.client.entries(next).await.unwrap().entries;
        if entries.is_empty() {
            return found;
        }
        next += entries.len() as u64;
        let fits =
            |entry: &&wire::Entry| entry.event["request"] == id && entry.event["type"] == kind;
        found += entries.iter().filter(fits).count();
    }
}

#[tokio::test]
async fn t56_the_asked_server_killed_between_any_two_steps_decides_once_and_loses_nothing() {
    let (here, there) = (free_place(), free_place());
    let between = Between::start(format!("http://{there}")).await;
    let here_base = format!("http://{here}");
    let their_policy = theirs(&here_base, between.url()).replace("person:oscar", "person:carol");
    let mut us = Side::new(here, &ours(between.url(), ""));
    let mut them = Side::new(there, &their_policy);
    them.public = Some(between.url().to_owned());
    them.start().await;
    us.start().await;
    let (alice, bob) = (us.caller("alice"), us.caller("bob"));
    for kill in [
        Kill::BeforeItFiles,
        Kill::Filed,
        Kill::Reviewed,
        Kill::LookedAt,
        Kill::BeforeItMints,
        Kill::Minted,
        Kill::Told,
    ] {
        let reason = format!("{kill:?}");
        let filed = alice.client.file(&filing("production", &reason), &fresh_key()).await.unwrap();
        // What is stopped is gone when it goes on, and its answer, too.
        let die = async |them: &mut Side| {
            between.reached().await;
            them.again().await;
            between.go();
        };
        if matches!(kill, Kill::BeforeItFiles | Kill::Filed | Kill::LookedAt) {
            kill.trap(&between);
        }
        approve(&bob, &filed).await.unwrap();
        if matches!(kill, Kill::BeforeItFiles | Kill::Filed) {
            die(&mut them).await;
        }
        let asked =
            |shown: &wire::Request| shown.stages[1].elsewhere.as_ref().unwrap().status == "asked";
        let shown = once(&alice, &filed.id, asked).await;
        let id = shown.stages[1].elsewhere.clone().unwrap().request.unwrap();
        let carol = them.caller("carol");
        let question = carol.client.request(&id).await.unwrap();
        if matches!(kill, Kill::BeforeItMints | Kill::Minted) {
            kill.trap(&between);
        }
        match kill == Kill::Reviewed {
            true => {
                let (key, digest) = (fresh_key(), question.digest.clone());
                let (verdict, comment) = (wire::Verdict::Approve, "as discussed".to_owned());
                let review = wire::NewReview { verdict, comment, digest, signature: None };
                let sending = carol.client.review(&id, &review, &key);
                let (sent, ()) = tokio::join!(sending, them.again());
                // Whether it was written or not: the same call again has it written once.
                drop(sent);
                let again = carol.client.review(&id, &review, &key).await.unwrap();
                assert_ne!(again.state, "pending");
            }
            false => drop(approve(&carol, &question).await.unwrap()),
        }
        if matches!(kill, Kill::LookedAt | Kill::BeforeItMints | Kill::Minted) {
            die(&mut them).await;
        }
        let shown = once(&alice, &filed.id, |shown| shown.state == "approved").await;
        mint(&alice, &shown).await.unwrap();
        if kill == Kill::Told {
            kill.trap(&between);
        }
        alice.client.complete(&filed.id, &fresh_key()).await.unwrap();
        if kill == Kill::Told {
            die(&mut them).await;
        }
        let over = |shown: &wire::Request| {
            shown.credentials.iter().all(|credential| credential.status == "completed")
        };
        let question = once(&carol, &id, over).await;
        assert_eq!(question.credentials.len(), 1, "{kill:?}: answered once");
        let all = carol.client.requests(&[]).await.unwrap().requests;
        let asked = all.iter().filter(|one| one.intent.reason == reason).count();
        assert_eq!(asked, 1, "{kill:?}: asked once");
        let auditor = them.caller("alice");
        assert_eq!(told_of(&auditor, &id, "reviewed").await, 1, "{kill:?}: decided once");
        assert_eq!(told_of(&auditor, &id, "consumed").await, 1, "{kill:?}: spent once");
        assert_eq!(told_of(&alice, &filed.id, "endorsed").await, 1, "{kill:?}: taken once");
    }
    for side in [&us, &them] {
        let verify = ["audit", "verify", "--output", "json"];
        let told = run(&verify, &side.base(), &side.tokens["alice"]).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["ok"], true);
    }
    us.kill().await;
    them.kill().await;
}

//! Minting in the real binary, killed with SIGKILL at whatever moment: no credential without a record,
//! no second credential of one use, and what was spent and never handed out is found.
//!
//! Where a broker opens something between the record and the token, the moments are chosen one by one:
//! `brokers/crash.rs`. Here they are taken as they come, many times.

use std::collections::BTreeMap;
use std::path::Path;

use assent_client::{IdempotencyKey, wire};
use assent_core::digest::Digest;
use assent_core::time::Span;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{
    Binary, Caller, POLICY, Remains, Server, cycles, filing, fresh_key, policy_in,
};

/// How many credentials are asked for at once in each cycle.
const AT_ONCE: usize = 16;

fn wanted() -> wire::MintRequest {
    wire::MintRequest { audience: "aws".to_owned(), ..wire::MintRequest::default() }
}

/// A grant of one use, and the wish to mint from it.
#[derive(Clone)]
struct Wish {
    request: String,
    key: IdempotencyKey,
}

/// How far a mint had come when the authority died, by what is on record of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Nothing,
    Spent,
    Minted,
}

/// What the audit log says of every request: the uses that were spent, and the tokens that were made.
#[derive(Default)]
struct OnRecord {
    spent: BTreeMap<String, Vec<String>>,
    minted: BTreeMap<String, Vec<String>>,
}

impl OnRecord {
    async fn read(auditor: &Caller) -> Self {
        let checkpoint = auditor.client.checkpoint().await.unwrap();
        let (mut history, mut record, mut read) = (wire::History::default(), Self::default(), 0);
        while read < checkpoint.size {
            for entry in auditor.client.entries(read).await.unwrap().entries {
                history.read(&entry).unwrap();
                read += 1;
                record.note(&entry.event);
            }
        }
        history.finish(&checkpoint).unwrap();
        record
    }

    fn note(&mut self, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let credential = text("credential");
        match event["type"].as_str() {
            Some("consumed") => self.spent.entry(text("request")).or_default().push(credential),
            Some("minted") => self.minted.entry(credential).or_default().push(text("fingerprint")),
            _ => {}
        }
    }

    fn reached(&self, wish: &Wish) -> Reached {
        let Some(spent) = self.spent.get(&wish.request) else { return Reached::Nothing };
        assert_eq!(spent.len(), 1, "one use was spent twice: {spent:?}");
        if self.minted.contains_key(&spent[0]) { Reached::Minted } else { Reached::Spent }
    }

    /// A credential that somebody holds is on record, use and fingerprint.
    fn holds(&self, wish: &Wish, held: &wire::Credential) {
        assert_eq!(self.spent.get(&wish.request), Some(&vec![held.id.clone()]));
        let fingerprint = Digest::of(held.token.as_bytes()).to_string();
        assert!(self.minted[&held.id].contains(&fingerprint), "a token without its record");
    }
}

/// Asks for all at once, and kills the binary when so many answers are there.
async fn killed_amid(
    binary: &mut Binary,
    alice: &Caller,
    wishes: &[Wish],
    answers: usize,
) -> Vec<Option<wire::Credential>> {
    let mut minting = JoinSet::new();
    for (at, wish) in wishes.iter().cloned().enumerate() {
        let call = alice.call("POST", &format!("/v1/requests/{}/credentials", wish.request));
        let call = call.header("idempotency-key", wish.key.as_str()).json(&wanted());
        minting.spawn(async move {
            let Ok(answer) = call.send().await else { return (at, None) };
            (at, answer.json::<wire::Credential>().await.ok())
        });
    }
    let mut held = vec![None; wishes.len()];
    let mut arrived = 0;
    while arrived < answers
        && let Some(done) = minting.join_next().await
    {
        let (at, credential) = done.unwrap();
        arrived += 1;
        held[at] = credential;
    }
    binary.kill().await;
    while let Some(done) = minting.join_next().await {
        let (at, credential) = done.unwrap();
        held[at] = credential;
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_minting_under_kill_9_gives_nothing_without_a_record_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (data, policy) = (folder.path().join("data"), folder.path().join("policy"));
    policy_in(&policy, POLICY);
    let mut binary = Binary::start(&data, &policy).await;
    let tokens = binary.tokens.clone();
    let mut reached = BTreeMap::<Reached, usize>::new();
    let mut given_up: Vec<Wish> = Vec::new();
    let (mut answered, mut lost) = (0, 0);
    for cycle in 0..cycles(25) {
        let alice = binary.holder_of(&tokens["alice"]);
        let mut wishes = Vec::new();
        for number in 0..AT_ONCE {
            let filing = filing("staging", &format!("cycle {cycle}, number {number}"));
            let request = alice.client.file(&filing, &fresh_key()).await.unwrap().id;
            wishes.push(Wish { request, key: fresh_key() });
        }
        let held = killed_amid(&mut binary, &alice, &wishes, cycle % (AT_ONCE / 2)).await;

        binary = Binary::start(&data, &policy).await;
        let (alice, carol) =
            (binary.holder_of(&tokens["alice"]), binary.holder_of(&tokens["carol"]));
        let record = OnRecord::read(&carol).await;
        for (at, (wish, held)) in wishes.iter().zip(&held).enumerate() {
            let before = record.reached(wish);
            *reached.entry(before).or_default() += 1;
            answered += usize::from(held.is_some());
            lost += usize::from(held.is_none());
            if let Some(held) = held {
                record.holds(wish, held);
            }
            if before == Reached::Spent && at % 2 == 0 {
                given_up.push(wish.clone());
                continue;
            }
            // Asked again it is the same credential, and with another wish none at all.
            let again = alice.client.mint(&wish.request, &wanted(), &wish.key).await.unwrap();
            if let Some(spent) = record.spent.get(&wish.request) {
                assert_eq!(again.id, spent[0]);
            }
            let second = alice.client.mint(&wish.request, &wanted(), &fresh_key()).await;
            assert_eq!(second.unwrap_err().code(), Some("not_approved"), "a second of one use");
        }
        let record = OnRecord::read(&carol).await;
        assert!(record.spent.values().all(|uses| uses.len() == 1), "a use was spent twice");
    }
    binary.kill().await;
    println!("{answered} answered, {lost} lost; {reached:?}; {} given up", given_up.len());
    assert!(lost > 0 && answered > 0, "the crashes come at the wrong moments");
    assert!(reached.contains_key(&Reached::Minted) && reached.contains_key(&Reached::Nothing));
    found_and_taken_back(&data, &given_up).await;
}

/// Nobody asks again for these: after a minute each counts as never handed out, and is good for
/// nothing.
async fn found_and_taken_back(data: &Path, given_up: &[Wish]) {
    let ledger = data.join("ledger.sqlite");
    let server = Server::on_file_again(&ledger, Remains::fresh(), POLICY).await;
    server.time().pass(Span::minutes(2));
    server.authority.sweep().await.unwrap();
    let bob = server.person("bob").await;
    for wish in given_up {
        let shown = bob.client.request(&wish.request).await.unwrap();
        let states: Vec<_> = shown.credentials.iter().map(|one| one.status.as_str()).collect();
        assert_eq!(states, ["abandoned"]);
    }
    let live = bob.client.credentials(&[("state", "live")]).await.unwrap();
    assert!(live.credentials.iter().all(|one| one.credential.fingerprint.is_some()));
}

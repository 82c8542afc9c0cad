//! The real binary under load, killed with SIGKILL and started again on the same directory, many
//! times: what was acknowledged is there, and what is asked again is done once.
//!
//! 20 cycles by default; `ASSENT_CRASH_CYCLES=100` runs more.

mod minting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use assent_client::wire;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Binary, Caller, POLICY, cycles, filing, fresh_key, policy_in, until};

/// How many clients press at once.
const CLIENTS: usize = 6;

/// One call that changes something, and what came back before the crash.
#[derive(Clone, Debug)]
struct Wish {
    who: &'static str,
    key: String,
    path: String,
    body: Value,
    acknowledged: Option<Effect>,
}

/// What a wish has brought about; the rest of an answer may change with time and place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Effect {
    id: String,
    version: Option<u64>,
    state: Option<String>,
}

impl Effect {
    #[track_caller]
    fn of(answer: &Answer) -> Self {
        assert!((200..300).contains(&answer.status), "{answer:?}");
        let json = answer.json();
        Self {
            id: answer.str("id"),
            version: json["version"].as_u64(),
            state: json["state"].as_str().map(str::to_owned),
        }
    }
}

/// Everybody who calls, by the tokens of the first start.
#[derive(Clone)]
struct People(BTreeMap<String, Caller>);

impl People {
    fn at(binary: &Binary, tokens: &BTreeMap<String, String>) -> Self {
        let holder = |(name, token): (&String, &String)| (name.clone(), binary.holder_of(token));
        Self(tokens.iter().map(holder).collect())
    }

    /// The effect of a wish; `None` where the answer was lost.
    async fn send(&self, wish: &Wish) -> Option<Effect> {
        let call = self.0[wish.who].call("POST", &wish.path);
        let call = call.header("idempotency-key", &wish.key).json(&wish.body);
        let answer = Answer::read(call.send().await.ok()?).await.ok()?;
        Some(Effect::of(&answer))
    }
}

#[derive(Clone, Default)]
struct Record {
    wishes: Arc<Mutex<Vec<Wish>>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Record {
    /// Sends a wish and writes down what became of it.
    async fn wish(
        &self,
        people: &People,
        who: &'static str,
        path: String,
        body: Value,
    ) -> Option<Effect> {
        let key = fresh_key().as_str().to_owned();
        let mut wish = Wish { who, key, path, body, acknowledged: None };
        wish.acknowledged = people.send(&wish).await;
        let effect = wish.acknowledged.clone();
        self.wishes.lock().unwrap().push(wish);
        if effect.is_some() {
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
        effect
    }
}

/// Files, reviews, mints and completes until an answer is lost.
async fn press(people: People, record: Record, name: String) -> Option<()> {
    for round in 0.. {
        let filing = filing("one", &format!("{name}, round {round}"));
        let digest = filing.intent.clone().verify().unwrap().digest().to_string();
        let body = serde_json::to_value(filing).unwrap();
        let id = record.wish(&people, "alice", "/v1/requests".to_owned(), body).await?.id;
        let path = |verb: &str| format!("/v1/requests/{id}/{verb}");
        let review = json!({"verdict": "approve", "comment": "", "digest": digest});
        record.wish(&people, "bob", path("reviews"), review).await?;
        let wanted = json!({"audience": "aws"});
        record.wish(&people, "alice", path("credentials"), wanted).await?;
        if round % 2 == 1 {
            record.wish(&people, "alice", path("complete"), json!({})).await?;
        }
    }
    Some(())
}

/// What is asked again after a crash is what was done, or is done now; and done once.
async fn ask_again(people: &People, wishes: &[Wish]) {
    for wish in wishes {
        let is_over = |other: &Wish| {
            other.path == wish.path.replace("/credentials", "/complete")
                && wish.path.ends_with("/credentials")
        };
        if wishes.iter().any(is_over) {
            // The credential of an action that is over is not given again; the log tells of it.
            continue;
        }
        let again = people.send(wish).await.expect("the server is away again");
        if let Some(before) = &wish.acknowledged {
            assert_eq!(&again, before, "{wish:?}");
        }
        assert_eq!(people.send(wish).await.as_ref(), Some(&again), "{wish:?}");
    }
}

/// The log from its beginning against its checkpoint: whole, and with nothing in it twice.
async fn verify(people: &People) -> wire::Summary {
    let auditor = &people.0["carol"].client;
    let checkpoint = auditor.checkpoint().await.unwrap();
    let (mut history, mut read) = (wire::History::default(), 0);
    let (mut filed, mut spent) = (BTreeSet::new(), BTreeSet::new());
    while read < checkpoint.size {
        for entry in auditor.entries(read).await.unwrap().entries {
            history.read(&entry).unwrap();
            read += 1;
            let event = &entry.event;
            match event["type"].as_str() {
                Some("filed") => {
                    assert!(filed.insert(event["intent"]["reason"].to_string()), "filed twice");
                }
                Some("consumed") => {
                    assert!(spent.insert(event["request"].to_string()), "spent twice");
                }
                _ => {}
            }
        }
    }
    history.finish(&checkpoint).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (data, policy) = (folder.path().join("data"), folder.path().join("policy"));
    policy_in(&policy, POLICY);
    let mut binary = Binary::start(&data, &policy).await;
    let tokens = binary.tokens.clone();
    assert_eq!(tokens.len(), 3, "alice, bob and carol");
    let (mut asked, mut lost) = (0, 0);
    for cycle in 0..cycles(20) {
        let (people, record) = (People::at(&binary, &tokens), Record::default());
        let mut pressing = JoinSet::new();
        for client in 0..CLIENTS {
            let name = format!("cycle {cycle}, client {client}");
            pressing.spawn(press(people.clone(), record.clone(), name));
        }
        let enough = 5 + cycle * 13 % 60;
        until("enough answers", || record.acknowledged.load(Ordering::SeqCst) >= enough).await;
        binary.kill().await;
        pressing.join_all().await;

        binary = Binary::start(&data, &policy).await;
        let people = People::at(&binary, &tokens);
        let wishes = record.wishes.lock().unwrap().clone();
        asked += wishes.len();
        lost += wishes.iter().filter(|wish| wish.acknowledged.is_none()).count();
        verify(&people).await;
        ask_again(&people, &wishes).await;
        verify(&people).await;
    }
    assert!(lost > 0, "no answer was ever lost: the crashes come at the wrong moments");
    let summary = verify(&People::at(&binary, &tokens)).await;
    println!("{asked} wishes, {lost} answers lost, {} entries", summary.entries);
    binary.kill().await;
}

//! Killed just after a signal was acknowledged: what it ends is at an end from the first answer of the
//! next start, and is followed through.

use assent_client::wire;
use assent_server::ledger::{Ledger as _, SqliteLedger};
use serde_json::json;

use super::super::database::Database;
use super::super::{file, open, wanted};
use super::Place;
use crate::http::life::verify_log;
use crate::support::{Caller, cycles, eventually, fresh_key};

/// How many other credentials the same person has: the more, the longer a signal is followed through.
const OTHERS: usize = 30;

/// Whether a signal was not followed through when the binary was killed.
async fn was_cut_short(place: &Place) -> bool {
    let ledger = SqliteLedger::open(&place.data().join("ledger.sqlite")).unwrap();
    let told = ledger.told().await.unwrap();
    assert_eq!(told.len(), 1, "an acknowledged signal is not on record");
    !told[0].settled
}

async fn is_active(root: &Caller, credential: &wire::Credential) -> bool {
    let token = assent_client::Secret::new(credential.token.clone());
    root.client.introspect(&token).await.unwrap().active
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_just_after_a_signal_is_acknowledged_leaves_nothing_alive() {
    let database = Database::start().await;
    let (mut cut_short, cycles) = (0, cycles(3));
    for _ in 0..cycles {
        let place = Place::new();
        let (mut binary, root_token) = place.start_governed(database.port).await;
        let (tokens, root) = (binary.tokens.clone(), Caller::new(&binary.base, Some(&root_token)));
        let alice = binary.holder_of(&tokens["alice"]);
        let mut credentials = Vec::new();
        for _ in 0..OTHERS {
            let request = file(&alice, "tokens").await;
            let wanted = wire::MintRequest { broker: None, ..wanted("") };
            credentials.push(alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap());
        }
        let brokered = file(&alice, "free").await;
        let login = open(&alice, &brokered).await.unwrap();
        let session = database.session(&login.fields).await.unwrap();
        let waits = file(&alice, "production").await;
        credentials.push(login.clone());

        let about = json!({"person": {"iss": "assent:local", "sub": "alice"}});
        let signal = json!({"about": about, "state": "suspended", "reason": "an alert"});
        let heard = root.post("/v1/signals", &signal).await.is(201).str("id");
        binary.kill().await;
        cut_short += usize::from(was_cut_short(&place).await);

        binary = place.start(database.port).await;
        let root = Caller::new(&binary.base, Some(&root_token));
        let alice = binary.holder_of(&tokens["alice"]);
        for credential in &credentials {
            assert!(!is_active(&root, credential).await, "{} lives", credential.id);
        }
        alice.get("/v1/whoami").await.refuses(403, "suspended");
        let standing = root.client.signals().await.unwrap().about;
        let standing: Vec<_> = standing.iter().map(|told| told.id.as_str()).collect();
        assert_eq!(standing, [heard.as_str()]);

        eventually("the end of the login", async || database.roles().is_empty().then_some(()))
            .await;
        assert!(session.ended().await, "the open session lives");
        assert!(database.psql(&login.fields, "SELECT 1").await.is_err());
        eventually("the end of all that was live", async || {
            let live = root.client.credentials(&[("state", "live")]).await.unwrap();
            live.credentials.is_empty().then_some(())
        })
        .await;
        assert_eq!(root.client.request(&waits.id).await.unwrap().state, "canceled");
        let mut stopped = Vec::new();
        let (mut read, size) = (0, root.client.checkpoint().await.unwrap().size);
        while read < size {
            let entries = root.client.entries(read).await.unwrap().entries;
            read += entries.len() as u64;
            let of_signal = entries.into_iter().map(|entry| entry.event);
            let of_signal = of_signal.filter(|event| event["type"] == "stopped");
            stopped.extend(of_signal.map(|event| {
                assert_eq!(event["signal"], heard.as_str());
                event["request"].to_string()
            }));
        }
        let all = stopped.len();
        stopped.sort();
        stopped.dedup();
        assert_eq!((all, stopped.len()), (OTHERS + 2, OTHERS + 2), "each is stopped once");
        verify_log(&root).await;
        binary.kill().await;
    }
    println!("{cut_short} of {cycles} were cut short");
    assert!(cut_short > 0, "the crashes come at the wrong moments");
}

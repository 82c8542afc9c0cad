//! Runs at GitHub that wait, as every ledger keeps them: part of the suite of `conformance`.

use std::sync::Arc;

use assent_core::time::Timestamp;
use assent_server::ledger::{Gate, GateKey, Ledger};

use super::kit::{at, done, file};

type Ledgers = Arc<dyn Ledger>;

fn waiting(run: u64, environment: &str, at: Timestamp) -> Gate {
    Gate {
        key: GateKey::new(900, run, environment),
        attempt: 1,
        owner: "acme".to_owned(),
        name: "shop".to_owned(),
        sha: "0123".to_owned(),
        request: None,
        reports: 0,
        told: String::new(),
        check_run: None,
        shown: String::new(),
        answer: None,
        deployment: None,
        stated: String::new(),
        said_before: String::new(),
        open: true,
        at,
    }
}

pub(super) async fn a_gate_is_kept_as_it_was_written_last(ledger: Ledgers) {
    let first = waiting(7, "Production", at(1));
    assert_eq!(ledger.gate(first.key.clone()).await.unwrap(), None);
    ledger.keep_gate(first.clone()).await.unwrap();
    assert_eq!(ledger.gate(GateKey::new(900, 7, "PRODUCTION")).await.unwrap(), Some(first.clone()));
    let (request, _) = done(&ledger, file("production", "r", at(2))).await;
    let second = Gate {
        attempt: 2,
        request: Some(request.id()),
        reports: 3,
        told: "waiting".to_owned(),
        check_run: Some(9_001),
        shown: "pending".to_owned(),
        answer: Some("approved".to_owned()),
        deployment: Some(31_007),
        stated: "pending".to_owned(),
        said_before: "11:approved".to_owned(),
        at: at(3),
        ..first
    };
    ledger.keep_gate(second.clone()).await.unwrap();
    assert_eq!(ledger.gate(second.key.clone()).await.unwrap(), Some(second.clone()));
    assert_eq!(ledger.gate_of(request.id()).await.unwrap(), Some(second));
    for key in [
        GateKey::new(901, 7, "production"),
        GateKey::new(900, 8, "production"),
        GateKey::new(900, 7, "staging"),
    ] {
        assert_eq!(ledger.gate(key).await.unwrap(), None);
    }
}

pub(super) async fn open_gates_come_longest_unchanged_first_and_old_ones_are_forgotten(
    ledger: Ledgers,
) {
    for (run, time) in [(1, 60), (2, 10), (3, 50)] {
        ledger.keep_gate(waiting(run, "production", at(time))).await.unwrap();
    }
    let runs = async || -> Vec<u64> {
        ledger.open_gates().await.unwrap().into_iter().map(|gate| gate.key.run).collect()
    };
    assert_eq!(runs().await, [2, 3, 1]);
    let closed = Gate { open: false, ..waiting(2, "production", at(40)) };
    ledger.keep_gate(closed.clone()).await.unwrap();
    assert_eq!(runs().await, [3, 1]);
    ledger.forget_gates(at(40)).await.unwrap();
    assert_eq!(ledger.gate(closed.key.clone()).await.unwrap(), Some(closed.clone()));
    ledger.forget_gates(at(41)).await.unwrap();
    assert_eq!(ledger.gate(closed.key).await.unwrap(), None);
    assert_eq!(runs().await, [3, 1], "the others were changed later");
    ledger.forget_gates(at(51)).await.unwrap();
    assert_eq!(runs().await, [1], "no run waits for so long");
}

pub(super) async fn gates_are_found_by_run_and_repositories_by_their_last_name(ledger: Ledgers) {
    let renamed = Gate { name: "store".to_owned(), ..waiting(8, "production", at(20)) };
    let of_another = Gate { key: GateKey::new(901, 7, "production"), ..waiting(7, "x", at(5)) };
    let all = [waiting(7, "production", at(10)), waiting(7, "eu", at(11)), renamed, of_another];
    for gate in &all {
        ledger.keep_gate(gate.clone()).await.unwrap();
    }
    let mut found = ledger.gates_of_run(900, 7).await.unwrap();
    found.sort_by_key(|gate| gate.at);
    assert_eq!(found, all[..2]);
    assert_eq!(ledger.gates_of_run(900, 9).await.unwrap(), []);
    let guarded = ledger.guarded().await.unwrap();
    let named = |name: &str, id| ("acme".to_owned(), name.to_owned(), id);
    assert_eq!(guarded, [named("store", 900), named("shop", 901)]);
}

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

pub(super) async fn open_gates_come_longest_unchanged_first_and_closed_ones_are_forgotten(
    ledger: Ledgers,
) {
    for (run, time) in [(1, 30), (2, 10), (3, 20)] {
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
    assert_eq!(runs().await, [3, 1], "what waits is not forgotten");
}

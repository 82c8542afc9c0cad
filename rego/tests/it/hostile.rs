//! Policies and inputs that mean harm. Each is contained, none permits, and whoever asks something
//! sensible meanwhile gets an answer.

#[path = "../hostile/inputs.rs"]
mod inputs;
#[path = "../hostile/policies.rs"]
mod policies;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use assent_rego::{Answer, Dialect, Limits, Module, Opinion, Policy, Pool, Version};
use serde_json::{Value, json};

use crate::support::{limits, permits, policy, pool};
use inputs::{GUARDED, good, inputs};
use policies::policies;

fn well_behaved() -> Policy {
    let text = "package assent\ndefault opinion := {\"ruling\": \"refuse\"}\nopinion := {\"ruling\": \"permit\"} if input.user == \"alice\"\n";
    policy(Dialect::Assent, text)
}

/// Asks something sensible again and again until it is told to stop.
async fn meanwhile(pool: &Pool, stop: &AtomicBool, answered: &AtomicUsize) {
    let policy = well_behaved();
    while !stop.load(Ordering::SeqCst) {
        for (user, permitted) in [("alice", true), ("bob", false)] {
            let answer = pool.ask_with_input(&policy, &json!({"user": user}), 0).await;
            assert!(matches!(answer.opinion, Opinion::Answered { .. }), "{:?}", answer.opinion);
            assert_eq!(permits(&answer.opinion), permitted, "{user}");
            answered.fetch_add(1, Ordering::SeqCst);
        }
        // Not more than it needs of the machine that the others need too.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Asks all of them, three at a time, while somebody asks something sensible of the same pool.
async fn contained(asked: Vec<(String, Policy, Value)>) -> Vec<(String, Answer)> {
    let pool =
        pool(Limits { workers: 4, evaluation: std::time::Duration::from_secs(3), ..limits() });
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sensible = {
        let (pool, stop, answered) = (pool.clone(), Arc::clone(&stop), Arc::clone(&answered));
        tokio::spawn(async move { meanwhile(&pool, &stop, &answered).await })
    };
    let waiting = Arc::new(std::sync::Mutex::new(asked));
    let hostile: Vec<_> = (0..3)
        .map(|_| {
            let (pool, waiting) = (pool.clone(), Arc::clone(&waiting));
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let next = waiting.lock().unwrap().pop();
                    let Some((name, policy, input)) = next else { return done };
                    let answer = pool.ask_with_input(&policy, &input, 0).await;
                    done.push((name, answer));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for each in hostile {
        all.extend(each.await.unwrap());
    }
    stop.store(true, Ordering::SeqCst);
    sensible.await.unwrap();
    assert!(answered.load(Ordering::SeqCst) >= 2, "nobody was answered meanwhile");
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t49_hostile_policies_are_contained_and_none_permits() {
    let all = policies();
    assert!(all.len() >= 50, "only {}", all.len());
    let mut asked = Vec::new();
    for (name, text) in all {
        // What the scan refuses never reaches a worker.
        if let Ok(module) = Module::new("policy.rego", &text, Version::V1) {
            let policy = Policy::new(Dialect::Assent, vec![module]).unwrap();
            asked.push((name.to_owned(), policy, json!({"user": "x", "xs": [1, 2]})));
        }
    }
    let reached = asked.len();
    assert!(reached >= 60, "only {reached} were not refused by the scan");
    let mut answered = contained(asked).await;
    answered.retain(|(_, answer)| !matches!(answer.opinion, Opinion::Failed { .. }));
    assert!(answered.is_empty(), "{answered:?}");
}

/// Every one of these must be refused before any worker sees it.
#[test]
fn t49_what_the_scan_can_know_never_reaches_a_parser() {
    let scanned = [
        "thirteen brackets",
        "thirty braces",
        "parentheses",
        "more than 256 KB",
        "NUL",
        "direction marks",
        "byte order mark",
        "an open string",
    ];
    for (name, text) in policies() {
        let refused = Module::new("policy.rego", &text, Version::V1).is_err();
        assert_eq!(refused, scanned.contains(&name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t49_hostile_inputs_are_contained_and_none_permits() {
    let guarded = policy(Dialect::Assent, GUARDED);
    let control = pool(limits()).ask_with_input(&guarded, &good(), 0).await;
    assert!(permits(&control.opinion), "the good input must be permitted: {:?}", control.opinion);
    let all = inputs();
    assert!(all.len() >= 50, "only {}", all.len());
    // Each under a revision of its own, so that the breaker does not spare any of them.
    let asked = all.into_iter().enumerate().map(|(at, (name, input))| {
        (name, policy(Dialect::Assent, &format!("{GUARDED}\n# {at}\n")), input)
    });
    let mut permitted = contained(asked.collect()).await;
    permitted.retain(|(_, answer)| permits(&answer.opinion));
    assert!(permitted.is_empty(), "{permitted:?}");
}

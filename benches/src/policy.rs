//! A policy decision, in process.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use assent_core::intent::{Intent, UnverifiedIntent};
use assent_core::policy::Policy;
use assent_core::policy::ruling::{Outcome, Ruling};
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::Principal;
use assent_core::time::Timestamp;

use crate::Effort;
use crate::filings::person;
use crate::host;
use crate::report::{self, Spread};

/// How the rules of a policy are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Over twenty kinds, each rule for one target.
    Kinds,
    /// Every rule for any kind: all must be heard.
    AnyKind,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Kinds => "over 20 kinds",
            Self::AnyKind => "for any kind",
        }
    }
}

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("A policy decision in process: p50 / p99");
    let alice = person("alice")?;
    let mut rows = Vec::new();
    for shape in [Shape::Kinds, Shape::AnyKind] {
        for rules in [20, 1_000] {
            let policy = host::compile(document(rules, shape))?;
            ensure!(policy.rule_count() == rules, "{} rules", policy.rule_count());
            let target = format!("service-{}", rules - 1);
            let matching = intent("kind-19.deploy", &target)?;
            let other = intent("unheard-of.deploy", "elsewhere")?;
            let asks = matches!(rule(&policy, &matching, &alice).outcome, Outcome::Require(_));
            let refuses = matches!(rule(&policy, &other, &alice).outcome, Outcome::Refuse(_));
            ensure!(asks && refuses, "the policy rules otherwise than it should");
            rows.push(vec![
                report::thousands(rules as f64),
                shape.name().to_owned(),
                micros(time(&policy, &matching, &alice, effort.decisions)?),
                micros(time(&policy, &other, &alice, effort.decisions)?),
            ]);
        }
    }
    let head = ["rules", "spread", "a rule matches: two people asked", "none matches: refused"];
    report::table(&head, &rows);
    Ok(())
}

fn time(policy: &Policy, intent: &Intent, who: &Principal, times: usize) -> Result<Spread> {
    let decide = || {
        let begun = Instant::now();
        black_box(rule(policy, black_box(intent), black_box(who)));
        begun.elapsed()
    };
    for _ in 0..times / 10 {
        decide();
    }
    let took: Vec<Duration> = (0..times).map(|_| decide()).collect();
    Spread::of_durations(&took)
}

fn rule(policy: &Policy, intent: &Intent, requester: &Principal) -> Ruling {
    let (known, now) = (Known::default(), Timestamp::from_millis(1_800_000_000_000));
    policy.rule(&Situation { intent, requester, known: &known, now })
}

fn micros(spread: Spread) -> String {
    format!("{:.2} / {:.2} µs", spread.p50 * 1e6, spread.p99 * 1e6)
}

fn intent(kind: &str, service: &str) -> Result<Intent> {
    let stated = UnverifiedIntent {
        kind: kind.to_owned(),
        environment: "production".to_owned(),
        target: [("service".to_owned(), service.to_owned())].into(),
        reason: "roll out the release".to_owned(),
        ..UnverifiedIntent::default()
    };
    stated.verify().map_err(|faults| anyhow!("{faults:?}"))
}

fn document(rules: usize, shape: Shape) -> String {
    let mut text = "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: benchmark}\n\
        groups:\n  release-managers: [person:bob, person:carol, person:dave]\nrules:\n"
        .to_owned();
    for rule in 0..rules {
        let kind = match shape {
            Shape::Kinds => format!("intent.kind: kind-{}.deploy, ", rule % 20),
            Shape::AnyKind => String::new(),
        };
        let _ = write!(
            text,
            "  - id: rule-{rule}\n    when: {{{kind}intent.target.service: service-{rule}}}\n    \
             require:\n      stages:\n        - {{name: release, approvals: 2, from: \
             [group:release-managers]}}\n"
        );
    }
    text
}

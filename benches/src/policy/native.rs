//! Our own evaluator, in process.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use assent_core::policy::Policy;

use crate::Effort;
use crate::host;
use crate::policy::inputs::{self, Input};
use crate::policy::rules::{self, Spread};
use crate::policy::{deciding, micros, time};
use crate::report;

/// A rule that looks at each change by itself.
const EACH_CHANGE: &str = "  - id: each-change\n    \
    when: {plan.changes: {some: {type: aws_kms_key, actions: {contains: delete}}}}\n    \
    deny: {message: no key is destroyed here}\n";

pub(super) fn run(effort: Effort) -> Result<()> {
    let (small, large) = (Input::of(inputs::SMALL)?, Input::of(inputs::LARGE)?);
    report::heading("A policy decision in process: p50 / p99");
    report::say("Aim: 1,000 rules under 10 / 50 µs, flat in the rules that cannot match.");
    report::say(&format!(
        "Small: intent and plan of two changes, {} bytes; large: of 200 changes, {} bytes.\n",
        report::thousands(small.bytes() as f64),
        report::thousands(large.bytes() as f64),
    ));
    let mut rows = Vec::new();
    for spread in Spread::ALL {
        for count in [20, 1_000, 10_000] {
            let text = rules::yaml(&rules::rules(count, spread));
            rows.push(row(spread.name(), text, [&small, &large], count, effort)?);
        }
    }
    let text = rules::yaml(&rules::rules(20, Spread::Kinds)) + EACH_CHANGE;
    rows.push(row("one looks at each change", text, [&small, &large], 21, effort)?);
    report::table(
        &[
            "rules",
            "each pinned to",
            "small: ruling",
            "large: ruling",
            "small: reading and ruling",
            "large: reading and ruling",
            "loading",
        ],
        &rows,
    );
    Ok(())
}

fn row(
    name: &str,
    text: String,
    [small, large]: [&Input; 2],
    count: usize,
    effort: Effort,
) -> Result<Vec<String>> {
    let loading = Instant::now();
    let policy = host::compile(text)?;
    let loading = loading.elapsed().as_secs_f64() * 1e3;
    ensure!(policy.rule_count() == count, "{} rules", policy.rule_count());
    for (input, wanted) in [(small, "production"), (large, "large, production")] {
        let mut found = String::new();
        for rule in deciding(&input.ruling(&policy)).iter().filter(|rule| !rule.contains("rule-")) {
            let comma = if found.is_empty() { "" } else { ", " };
            let _ = write!(found, "{comma}{rule}");
        }
        ensure!(found == wanted, "decided by {found}, not by {wanted}");
    }
    Ok(vec![
        report::thousands(count as f64),
        name.to_owned(),
        micros(ruling(&policy, small, effort)?),
        micros(ruling(&policy, large, effort)?),
        micros(time(effort, || small.read_and_ruling(&policy))?),
        micros(time(effort, || large.read_and_ruling(&policy))?),
        format!("{loading:.1} ms"),
    ])
}

fn ruling(policy: &Policy, input: &Input, effort: Effort) -> Result<report::Spread> {
    time(effort, || Ok(input.ruling(policy)))
}

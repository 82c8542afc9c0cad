//! Policy decisions: in process, beside other engines, through a Rego worker, over HTTP.

mod http;
mod inputs;
mod native;
#[cfg(feature = "peers")]
mod peers;
mod rules;
mod worker;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use assent_core::policy::ruling::Ruling;

use crate::Effort;
use crate::report::{self, Spread};

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    native::run(effort)?;
    beside_peers(effort)?;
    worker::run(effort)?;
    http::run(effort)
}

#[cfg(feature = "peers")]
fn beside_peers(effort: Effort) -> Result<()> {
    peers::run(effort)
}

#[cfg(not(feature = "peers"))]
fn beside_peers(_: Effort) -> Result<()> {
    report::say("\nOther engines were left out: build with `--features peers`.");
    Ok(())
}

/// How long something takes on this thread: as often as decisions are timed, but no longer than a
/// round.
fn time<T>(effort: Effort, mut once: impl FnMut() -> Result<T>) -> Result<Spread> {
    for _ in 0..effort.decisions.min(1_000) / 10 {
        black_box(once()?);
    }
    let (begun, mut took) = (Instant::now(), Vec::new());
    while took.len() < effort.decisions && begun.elapsed() < effort.round {
        let begun = Instant::now();
        black_box(once()?);
        took.push(begun.elapsed());
    }
    Spread::of_durations(&took)
}

/// `3.51 / 16.2 µs`.
fn micros(spread: Spread) -> String {
    let written = |seconds: f64| match seconds * 1e6 {
        few if few < 10.0 => format!("{few:.2}"),
        some if some < 100.0 => format!("{some:.1}"),
        many => report::thousands(many),
    };
    format!("{} / {} µs", written(spread.p50), written(spread.p99))
}

/// The rules that decided; none where none matched.
fn deciding(ruling: &Ruling) -> BTreeSet<String> {
    ruling.rules.iter().filter(|rule| *rule != "default-deny").cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;
    use crate::policy::inputs::{Input, VARIED};
    use crate::policy::rules::{Spread, rules, yaml};

    #[test]
    fn each_input_is_decided_by_the_rules_it_was_made_for() {
        let policy = host::compile(yaml(&rules(1_000, Spread::Kinds))).unwrap();
        let decided = VARIED.map(|sketch| {
            let ruling = Input::of(sketch).unwrap().ruling(&policy);
            deciding(&ruling).into_iter().collect::<Vec<_>>().join(" ")
        });
        let wanted = [
            "production",
            "large production",
            "playground",
            "small-in-staging",
            "databases small-in-staging",
            "mass-deletion",
            "production rights",
            "rights-by-programs",
            "contractors",
            "charts",
            "rule-500",
            "names",
        ];
        assert_eq!(decided, wanted);
    }
}

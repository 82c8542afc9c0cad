//! The most memory that the provider's processes ever held, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use super::COUNTS;
use super::configuration::{Bench, Kind};
use crate::report;

/// As much of the provider's name as the kernel keeps.
const NAME: &str = "terraform-provi";

/// The most that processes of one name held, in KiB, by command.
type Most = BTreeMap<(&'static str, &'static str), u64>;

/// Measures and prints.
pub(super) fn run(bench: &Bench<'_>) -> Result<()> {
    let mut rows = Vec::new();
    for count in COUNTS {
        let (mut without, mut with) = (Most::new(), Most::new());
        bench.watched(Kind::Data, count, &mut |name, pid| look(&mut without, name, pid))?;
        bench.watched(Kind::Approvals, count, &mut |name, pid| look(&mut with, name, pid))?;
        for name in ["plan", "apply"] {
            let most = |of: &Most, who: &'static str| {
                let most = of.get(&(name, who)).copied().unwrap_or_default();
                format!("{:.1} MiB", f64::from(u32::try_from(most).unwrap_or(u32::MAX)) / 1024.0)
            };
            rows.push(vec![
                format!("`{name}`"),
                count.to_string(),
                most(&with, "provider"),
                most(&with, "terraform"),
                most(&without, "terraform"),
            ]);
        }
    }
    report::table(
        &["", "resources", "a provider process", "terraform with it", "terraform without"],
        &rows,
    );
    report::say("\nPeak resident memory (VmHWM); of several provider processes, the largest.");
    Ok(())
}

/// Notes what this terraform and the providers that it started hold now.
fn look(most: &mut Most, name: &'static str, terraform: u32) {
    note(most, (name, "terraform"), terraform);
    let Ok(tasks) = fs::read_dir(format!("/proc/{terraform}/task")) else { return };
    for task in tasks.flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let called = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            if called.trim_end() == NAME {
                note(most, (name, "provider"), child);
            }
        }
    }
}

fn note(most: &mut Most, who: (&'static str, &'static str), pid: u32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let held = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    let most = most.entry(who).or_default();
    *most = held.unwrap_or(0).max(*most);
}

//! The provider under the real terraform, each figure beside what the same costs without it.

mod configuration;
mod memory;
mod startup;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use assent_server::ledger::SqliteLedger;

use crate::Effort;
use crate::host::{Host, compile};
use crate::report;

use configuration::{Bench, Kind, Times};

const PROVIDER: &str = "terraform-provider-assent";

/// Nobody needs to be asked.
const POLICY: &str = r"
apiVersion: assent/v1
kind: Policy
metadata: {name: benchmark}
rules:
  - id: allowed
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m}}
";

/// How many approvals a configuration has.
const COUNTS: [usize; 3] = [1, 10, 300];

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("terraform");
    if Command::new("terraform").arg("version").output().is_err() {
        report::say("Skipped: there is no `terraform` on the path.");
        return Ok(());
    }
    let Some(provider) = provider()? else {
        report::say(&format!(
            "Skipped: there is no `{PROVIDER}` beside this program. Build it with `cargo build \
             --release -p assent-provider`, or set ASSENT_PROVIDER_BIN."
        ));
        return Ok(());
    };
    startup::run(&provider, effort)?;
    let directory = tempfile::tempdir()?;
    let ledger = SqliteLedger::open(&directory.path().join("ledger"))?;
    let host = Host::start_under(compile(POLICY.to_owned())?, Arc::new(ledger))?;
    let settings = directory.path().join("terraformrc");
    std::fs::write(&settings, rc(provider.parent().context("the provider is in no directory")?))?;
    let bench = Bench { directory: directory.path(), settings: &settings, host: &host };
    times(&bench, effort)?;
    memory::run(&bench)
}

/// `plan` and `apply` of each count, of both kinds in turn.
fn times(bench: &Bench<'_>, effort: Effort) -> Result<()> {
    let mut rows = Vec::new();
    for count in COUNTS {
        // Three hundred take seconds, and vary less.
        let rounds = if count < 100 { effort.plans } else { effort.rounds };
        let (mut without, mut with) = (Vec::new(), Vec::new());
        bench.round(Kind::Data, count)?;
        bench.round(Kind::Approvals, count)?;
        for _ in 0..rounds {
            without.push(bench.round(Kind::Data, count)?);
            with.push(bench.round(Kind::Approvals, count)?);
        }
        for (name, time) in [("plan", Times::plan as fn(&Times) -> f64), ("apply", Times::apply)] {
            rows.push(row(name, count, &without, &with, time)?);
        }
    }
    report::table(
        &["", "resources", "`terraform_data`", "`assent_approval`", "difference", "for each"],
        &rows,
    );
    report::say(&format!(
        "\nMedians of {} rounds, of {} for 300; the fastest in brackets.\n",
        effort.plans, effort.rounds
    ));
    Ok(())
}

fn row(
    name: &str,
    count: usize,
    without: &[Times],
    with: &[Times],
    time: fn(&Times) -> f64,
) -> Result<Vec<String>> {
    let middle = |times: &[Times]| report::median(times.iter().map(time));
    let least = |times: &[Times]| times.iter().map(time).fold(f64::INFINITY, f64::min);
    let (base, ours) = (middle(without)?, middle(with)?);
    let milliseconds = |seconds: f64| format!("{} ms", report::thousands(seconds * 1e3));
    let both = |middle: f64, least: f64| format!("{} ({:.0})", milliseconds(middle), least * 1e3);
    let each = u32::try_from(count).map(|count| (ours - base) * 1e3 / f64::from(count))?;
    Ok(vec![
        format!("`{name}`"),
        count.to_string(),
        both(base, least(without)),
        both(ours, least(with)),
        milliseconds(ours - base),
        format!("{each:.1} ms"),
    ])
}

/// The provider's program: the one named, or the one that was built beside this.
fn provider() -> Result<Option<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "the only setting, read once")]
    if let Ok(named) = std::env::var("ASSENT_PROVIDER_BIN") {
        let named = std::path::absolute(named)?;
        // Terraform finds a provider by its name, so another name would be passed over.
        if named.file_name().is_none_or(|name| name != PROVIDER) || !named.is_file() {
            bail!("ASSENT_PROVIDER_BIN must be the path of a `{PROVIDER}`");
        }
        return Ok(Some(named));
    }
    let beside = std::env::current_exe()?.with_file_name(PROVIDER);
    Ok(beside.is_file().then_some(beside))
}

fn rc(plugins: &Path) -> String {
    format!(
        "provider_installation {{\n  dev_overrides {{\n    \"assent-dev/assent\" = \"{}\"\n  }}\n  \
         direct {{}}\n}}\n",
        plugins.display()
    )
}

//! `terraform plan` with this provider, against the same without.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use assent_server::ledger::SqliteLedger;

use crate::Effort;
use crate::host::Host;
use crate::report;

const PROVIDER: &str = "terraform-provider-assent";

/// What both configurations have.
const BASE: &str = r#"
resource "terraform_data" "step" {
  input = "release 42"
}
"#;

/// What the one has more.
const ASSENT: &str = r#"
terraform {
  required_providers {
    assent = { source = "assent-dev/assent" }
  }
}

provider "assent" {}

resource "assent_approval" "release" {
  environment = "production"
  reason      = "roll out release 42 of the order service"
  target      = { repository = "example/orders", workspace = "orders-production" }
}
"#;

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("terraform plan");
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
    let directory = tempfile::tempdir()?;
    let host = Host::start(Arc::new(SqliteLedger::open(&directory.path().join("ledger"))?))?;
    let settings = directory.path().join("terraformrc");
    let plugins = provider.parent().context("the provider is in no directory")?;
    std::fs::write(&settings, rc(plugins))?;
    let without = Plan::new(directory.path(), "without", BASE, &settings, &host)?;
    let with = Plan::new(directory.path(), "with", &format!("{ASSENT}{BASE}"), &settings, &host)?;
    without.time()?;
    with.time()?;
    let (mut baseline, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..effort.plans {
        baseline.push(without.time()?.as_secs_f64());
        ours.push(with.time()?.as_secs_f64());
    }
    let (least, least_ours) = (least(&baseline), least(&ours));
    let baseline = report::median(baseline.into_iter())?;
    let ours = report::median(ours.into_iter())?;
    let row = |name: &str, least: f64, median: f64| {
        vec![name.to_owned(), format!("{:.0} ms", least * 1e3), format!("{:.0} ms", median * 1e3)]
    };
    let rows = [
        row("`terraform_data` alone", least, baseline),
        row("with `assent_approval`", least_ours, ours),
        row("difference", least_ours - least, ours - baseline),
    ];
    report::table(&["configuration", "fastest", "median"], &rows);
    report::say(&format!("\n{} plans of each, in turn.", effort.plans));
    Ok(())
}

fn least(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
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

/// A configuration that can be planned.
struct Plan<'a> {
    directory: PathBuf,
    settings: &'a Path,
    host: &'a Host,
}

impl<'a> Plan<'a> {
    fn new(
        parent: &Path,
        name: &str,
        text: &str,
        settings: &'a Path,
        host: &'a Host,
    ) -> Result<Self> {
        let directory = parent.join(name);
        std::fs::create_dir(&directory)?;
        std::fs::write(directory.join("main.tf"), text)?;
        Ok(Self { directory, settings, host })
    }

    fn time(&self) -> Result<Duration> {
        let begun = Instant::now();
        let planned = Command::new("terraform")
            .args(["plan", "-input=false", "-no-color"])
            .current_dir(&self.directory)
            .env("TF_CLI_CONFIG_FILE", self.settings)
            .env("CHECKPOINT_DISABLE", "1")
            .env("ASSENT_URL", &self.host.url)
            .env("ASSENT_TOKEN", self.host.alice.expose())
            .stdin(Stdio::null())
            .output()?;
        let took = begun.elapsed();
        if !planned.status.success() {
            bail!("terraform plan failed: {}", String::from_utf8_lossy(&planned.stderr));
        }
        Ok(took)
    }
}

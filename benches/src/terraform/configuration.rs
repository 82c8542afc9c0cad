//! A configuration of so many approvals, or of as many resources that do nothing, planned and
//! applied anew in every round.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::host::Host;

/// What it is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Resources that are built into Terraform.
    Data,
    /// Approvals that policy allows at once.
    Approvals,
}

impl Kind {
    /// The configuration. No two rounds ask for the same, so that each approval is filed.
    fn text(self, count: usize, round: usize) -> String {
        match self {
            Self::Data => format!(
                "resource \"terraform_data\" \"step\" {{\n  count = {count}\n  input = \
                 \"release {round} of service ${{count.index}}\"\n}}\n"
            ),
            Self::Approvals => format!(
                r#"
terraform {{
  required_providers {{
    assent = {{ source = "assent-dev/assent" }}
  }}
}}

provider "assent" {{}}

resource "assent_approval" "step" {{
  count       = {count}
  environment = "staging"
  reason      = "roll out release {round} of service ${{count.index}}"
  target      = {{ service = "service-${{count.index}}" }}
}}
"#
            ),
        }
    }
}

/// How long one round took, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    plan: f64,
    apply: f64,
}

impl Times {
    /// `terraform plan -out=…`.
    pub(super) fn plan(&self) -> f64 {
        self.plan
    }

    /// `terraform apply` of that plan.
    pub(super) fn apply(&self) -> f64 {
        self.apply
    }
}

/// Where rounds run.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) directory: &'a Path,
    pub(super) settings: &'a Path,
    pub(super) host: &'a Host,
}

const PLAN: [&str; 3] = ["plan", "-input=false", "-out=plan.out"];
const APPLY: [&str; 3] = ["apply", "-input=false", "plan.out"];

impl Bench<'_> {
    /// Plans and applies a new configuration.
    pub(super) fn round(&self, kind: Kind, count: usize) -> Result<Times> {
        let fresh = self.fresh(kind, count)?;
        Ok(Times { plan: self.time(&fresh, &PLAN)?, apply: self.time(&fresh, &APPLY)? })
    }

    /// Plans and applies a new configuration; `look` is at the running terraform, again and again.
    pub(super) fn watched(
        &self,
        kind: Kind,
        count: usize,
        look: &mut dyn FnMut(&'static str, u32),
    ) -> Result<()> {
        let fresh = self.fresh(kind, count)?;
        for (name, arguments) in [("plan", &PLAN), ("apply", &APPLY)] {
            let mut child = self.start(&fresh, arguments)?;
            while child.try_wait()?.is_none() {
                look(name, child.id());
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            self.succeeded(name, child)?;
        }
        Ok(())
    }

    /// A directory with a new configuration and no state.
    fn fresh(&self, kind: Kind, count: usize) -> Result<PathBuf> {
        static ROUND: AtomicUsize = AtomicUsize::new(0);
        let round = ROUND.fetch_add(1, Ordering::Relaxed);
        let fresh = self.directory.join(format!("round-{round}"));
        std::fs::create_dir(&fresh)?;
        std::fs::write(fresh.join("main.tf"), kind.text(count, round))?;
        Ok(fresh)
    }

    fn time(&self, within: &Path, arguments: &[&str]) -> Result<f64> {
        let begun = Instant::now();
        let mut child = self.start(within, arguments)?;
        child.wait()?;
        let took = begun.elapsed().as_secs_f64();
        self.succeeded("terraform", child)?;
        Ok(took)
    }

    /// What it prints goes to a file: a pipe that nobody reads would block it.
    fn start(&self, within: &Path, arguments: &[&str]) -> Result<Child> {
        let log = std::fs::File::create(self.directory.join("log"))?;
        let child = Command::new("terraform")
            .args(arguments)
            .arg("-no-color")
            .current_dir(within)
            .env("TF_CLI_CONFIG_FILE", self.settings)
            .env("CHECKPOINT_DISABLE", "1")
            .env("ASSENT_URL", &self.host.url)
            .env("ASSENT_TOKEN", self.host.alice.expose())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(child)
    }

    fn succeeded(&self, what: &str, mut child: Child) -> Result<()> {
        if !child.wait()?.success() {
            bail!("{what} failed: {}", std::fs::read_to_string(self.directory.join("log"))?);
        }
        Ok(())
    }
}

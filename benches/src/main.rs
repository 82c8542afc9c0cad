//! Measures what `docs/benchmarks.md` reports: `bench filings|wake|policy|terraform|tokens|gate|pages|all`.

mod echo;
mod filings;
mod floor;
mod gate;
mod host;
mod pages;
mod policy;
mod report;
mod terraform;
mod tokens;
mod wake;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

const USAGE: &str = "bench filings|wake|policy|terraform|tokens|gate|pages|all [--quick]";

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Each figure is the median of so many rounds.
    pub(crate) rounds: usize,
    /// How long a round of filing lasts.
    pub(crate) round: Duration,
    /// How many approvals a round of waking has.
    pub(crate) approvals: usize,
    /// How many policy decisions are timed.
    pub(crate) decisions: usize,
    /// How often Terraform plans.
    pub(crate) plans: usize,
    /// How many jobs of each kind wait at once.
    pub(crate) gates: u32,
    /// For how long the calls of a job that waits are counted.
    pub(crate) waiting: Duration,
}

const FULL: Effort = Effort {
    rounds: 3,
    round: Duration::from_secs(3),
    approvals: 1_000,
    decisions: 100_000,
    plans: 9,
    gates: 40,
    waiting: Duration::from_secs(180),
};

/// Only to see that it runs.
const QUICK: Effort = Effort {
    rounds: 1,
    round: Duration::from_millis(300),
    approvals: 50,
    decisions: 2_000,
    plans: 1,
    gates: 4,
    waiting: Duration::from_secs(1),
};

fn main() -> Result<ExitCode> {
    // Not for people either: a worker for Rego, which `policy` starts.
    if let Some(code) = assent_rego::run_if_worker() {
        return Ok(code);
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (what, effort) = match words.as_slice() {
        // Not for people: the server whose memory `wake` looks at, in a process of its own.
        ["parked-server"] => return wake::parked_server().map(|()| ExitCode::SUCCESS),
        [what] => (*what, FULL),
        [what, "--quick"] => (*what, QUICK),
        _ => bail!("usage: {USAGE}"),
    };
    if !["filings", "wake", "policy", "terraform", "tokens", "gate", "pages", "all"].contains(&what)
    {
        bail!("there is no `{what}`; usage: {USAGE}");
    }
    report::machine()?;
    let wanted = |name: &str| what == name || what == "all";
    if wanted("policy") {
        policy::run(effort)?;
    }
    if wanted("tokens") {
        tokens::run(effort)?;
    }
    if wanted("filings") {
        filings::run(effort)?;
    }
    if wanted("wake") {
        wake::run(effort)?;
    }
    if wanted("gate") {
        gate::run(effort)?;
    }
    if wanted("pages") {
        pages::run(effort)?;
    }
    if wanted("terraform") {
        terraform::run(effort)?;
    }
    Ok(ExitCode::SUCCESS)
}

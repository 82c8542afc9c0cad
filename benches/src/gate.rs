//! From an approval to the job that waited for it, and what waiting costs: the action, and a gate that
//! reads the comments of an issue every ten seconds, on one GitHub on loopback, at the same time.
//!
//! The other gate does what the most used one of its kind does: it lists the first page of comments,
//! and once one of them is the approval it writes a comment of its own and closes the issue.

mod action;
mod comments;
mod github;
mod people;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Effort;
use crate::host;
use crate::report::{self, Spread};

use action::Runner;
use github::Github;
use people::People;

/// The program of the action, as it was built beside this one.
const ACTION: &str = "assent-action";
/// How often the other gate reads comments.
const POLL: Duration = Duration::from_secs(10);
/// How much faster it reads where only that it runs is to be seen.
const QUICK_POLL: Duration = Duration::from_millis(300);

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("gates of jobs");
    let Some(program) = program()? else {
        report::say(&format!(
            "Skipped: there is no `{ACTION}` beside this program. Build it with `cargo build --release \
             -p {ACTION}`."
        ));
        return Ok(());
    };
    let runtime = host::runtime()?;
    let github = runtime.block_on(Github::start())?;
    let people = People::start(&github)?;
    let poll = if effort.waiting < POLL { QUICK_POLL } else { POLL };
    let bench = Bench { program, github: Arc::new(github), people: Arc::new(people), poll, effort };
    let (actions, comments) = runtime.block_on(bench.going_on())?;
    report::table(
        &["gate", "jobs", "approved → job goes on: p50 / p99", "slowest"],
        &[
            row("the action, `wait`", &actions)?,
            row(&format!("comments, read every {} s", poll.as_secs_f64()), &comments)?,
        ],
    );
    bench.calls(&runtime)
}

/// The program of the action, where it was built.
fn program() -> Result<Option<PathBuf>> {
    let beside = std::env::current_exe()?.with_file_name(ACTION);
    Ok(beside.is_file().then_some(beside))
}

fn row(what: &str, times: &[Duration]) -> Result<Vec<String>> {
    let slowest = times.iter().max().context("nothing was measured")?;
    let spread = Spread::of_durations(times)?;
    let slowest = format!("{:.1} ms", slowest.as_secs_f64() * 1e3);
    Ok(vec![what.to_owned(), times.len().to_string(), format!("{spread:.1}"), slowest])
}

struct Bench {
    program: PathBuf,
    github: Arc<Github>,
    people: Arc<People>,
    poll: Duration,
    effort: Effort,
}

impl Bench {
    /// Every gate is approved at a moment of its own, spread over two rounds of reading comments; both
    /// kinds are approved at the same moments.
    async fn going_on(&self) -> Result<(Vec<Duration>, Vec<Duration>)> {
        let jobs = self.effort.gates;
        let (mut actions, mut comments) = (JoinSet::new(), JoinSet::new());
        let mut all = Vec::new();
        for number in 0..jobs {
            let runner = Runner::start(&self.program, &self.people.url, &self.github, number)?;
            all.push((runner, comments::Gate::open(&self.github, number, self.poll)));
        }
        let begun = Instant::now();
        let apart = self.poll * 2 / u32::try_from(jobs)?;
        for (number, (runner, gate)) in (0_u32..).zip(all) {
            let people = Arc::clone(&self.people);
            let at = begun + apart * number;
            let asked = self.people.asked(usize::try_from(number)?).await?;
            actions.spawn(async move {
                sleep(at.saturating_duration_since(Instant::now())).await;
                let sent = Instant::now();
                people.approve(&asked).await?;
                anyhow::Ok(runner.goes_on().await?.saturating_duration_since(sent))
            });
            comments.spawn(async move {
                sleep(at.saturating_duration_since(Instant::now())).await;
                let sent = Instant::now();
                gate.approve().await?;
                anyhow::Ok(gate.goes_on().await?.saturating_duration_since(sent))
            });
        }
        let actions = actions.join_all().await.into_iter().collect::<Result<_>>()?;
        Ok((actions, comments.join_all().await.into_iter().collect::<Result<_>>()?))
    }

    /// One gate of each kind that nobody approves.
    fn calls(&self, runtime: &Runtime) -> Result<()> {
        let (waiting, nobody) = (self.effort.waiting, self.effort.gates);
        let (asked, listed) = runtime.block_on(async {
            let counted = self.people.counted().await?;
            let gate = comments::Gate::open(&self.github, nobody, self.poll);
            let runner = Runner::start(&self.program, &counted.url, &self.github, nobody)?;
            self.people.asked(nobody).await?;
            let (before, listed) = (counted.calls(), self.github.calls());
            sleep(waiting).await;
            let since = (counted.calls() - before, self.github.calls() - listed);
            drop((runner, gate));
            anyhow::Ok(since)
        })?;
        let of_an_hour = |calls: usize| {
            let each = u32::try_from(calls).map(f64::from).unwrap_or(f64::MAX);
            report::thousands(each * 3_600.0 / waiting.as_secs_f64())
        };
        report::say(&format!(
            "\nOne gate of each kind, waiting for {} s:\n",
            waiting.as_secs_f64()
        ));
        report::table(
            &["gate", "calls of GitHub's API per hour", "calls of the authority per hour"],
            &[
                vec!["the action, `wait`".to_owned(), "0".to_owned(), of_an_hour(asked)],
                vec![
                    format!("comments, read every {} s", self.poll.as_secs_f64()),
                    of_an_hour(listed),
                    "–".to_owned(),
                ],
            ],
        );
        Ok(())
    }
}

//! From an approval to the job that waited for it, and what waiting costs: the action, the App's rule,
//! and a gate that reads the comments of an issue every ten seconds, all with a GitHub on loopback.
//!
//! The other gate does what the most used one of its kind does: it lists the first page of comments,
//! and once one of them is the approval it writes a comment of its own and closes the issue.

mod action;
mod app;
mod comments;
mod github;
mod people;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Effort;
use crate::host;
use crate::report::{self, Spread};

use action::Runner;
use app::Api;
use github::Github;
use people::People;

/// The program of the action, as it was built beside this one.
const ACTION: &str = "assent-action";
/// How often the other gate reads comments.
const POLL: Duration = Duration::from_secs(10);
/// How much faster it reads where only that it runs is to be seen.
const QUICK_POLL: Duration = Duration::from_millis(300);
/// How long after an approval of the App's the next comes: it writes once a second, twice for each.
const APART: Duration = Duration::from_secs(3);

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("gates of jobs");
    let program = std::env::current_exe()?.with_file_name(ACTION);
    if !program.is_file() {
        report::say(&format!(
            "Skipped: there is no `{ACTION}` beside this program. Build it with `cargo build --release \
             -p {ACTION}`."
        ));
        return Ok(());
    }
    let runtime = host::runtime()?;
    let github = runtime.block_on(Github::start())?;
    let people = Arc::new(People::start(&github, None)?);
    let poll = if effort.waiting < POLL { QUICK_POLL } else { POLL };
    let bench = Bench { program, github, people, poll, effort };
    let (actions, comments) = runtime.block_on(bench.going_on())?;
    // The last of them waits for ever.
    let runs = u64::from(effort.gates).div_ceil(4);
    let api = runtime.block_on(Api::start(runs + 1))?;
    let app = runtime.block_on(async { api.app() })?;
    let guarding = People::start(&bench.github, Some(app))?;
    let rules = runtime.block_on(bench.let_pass(&api, &guarding, runs))?;
    let comments_name = format!("comments, read every {} s", poll.as_secs_f64());
    report::table(
        &["gate", "jobs", "approved → job goes on: p50 / p99", "slowest"],
        &[
            row("the action, `wait`", &actions)?,
            row("the App's protection rule, until GitHub is told", &rules)?,
            row(&comments_name, &comments)?,
        ],
    );
    let calls = runtime.block_on(bench.calls(&api))?;
    let of_an_hour = |calls: usize| {
        let each = u32::try_from(calls).map(f64::from).unwrap_or(f64::MAX);
        report::thousands(each * 3_600.0 / effort.waiting.as_secs_f64())
    };
    let waited = effort.waiting.as_secs_f64();
    report::say(&format!("\nOne gate of each kind, waiting for {waited} s; told for an hour:\n"));
    let none = || "–".to_owned();
    report::table(
        &["gate", "calls of GitHub's API that count", "all of them", "calls of the authority"],
        &[
            vec!["the action, `wait`".to_owned(), none(), none(), of_an_hour(calls.authority)],
            vec![
                "the App's protection rule".to_owned(),
                of_an_hour(calls.app.0),
                of_an_hour(calls.app.1),
                none(),
            ],
            vec![comments_name, of_an_hour(calls.comments), of_an_hour(calls.comments), none()],
        ],
    );
    Ok(())
}

fn row(what: &str, times: &[Duration]) -> Result<Vec<String>> {
    let slowest = times.iter().max().context("nothing was measured")?;
    let spread = Spread::of_durations(times)?;
    let slowest = format!("{:.1} ms", slowest.as_secs_f64() * 1e3);
    Ok(vec![what.to_owned(), times.len().to_string(), format!("{spread:.1}"), slowest])
}

struct Bench {
    program: PathBuf,
    github: Github,
    people: Arc<People>,
    poll: Duration,
    effort: Effort,
}

/// How often each was asked, of one gate that waits.
struct Calls {
    authority: usize,
    /// Those that count, and all.
    app: (usize, usize),
    comments: usize,
}

impl Bench {
    /// Every gate is approved at a moment of its own, spread over two rounds of reading comments; both
    /// kinds are approved at the same moments.
    async fn going_on(&self) -> Result<(Vec<Duration>, Vec<Duration>)> {
        let jobs = self.effort.gates;
        let (mut actions, mut comments) = (JoinSet::new(), JoinSet::new());
        let mut all = Vec::new();
        for number in 0..u64::from(jobs) {
            let runner = Runner::start(&self.program, &self.people.url, &self.github, number)?;
            all.push((runner, comments::Gate::open(&self.github, number, self.poll)));
        }
        let mut asked = Vec::new();
        for number in 0..u64::from(jobs) {
            asked.push(self.people.asked(number).await?);
        }
        let (begun, apart) = (Instant::now(), self.poll * 2 / jobs);
        for ((number, asked), (runner, gate)) in (0_u32..).zip(asked).zip(all) {
            let people = Arc::clone(&self.people);
            let at = begun + apart * number;
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

    /// Runs that wait before an environment, approved one after the other.
    async fn let_pass(&self, api: &Api, people: &People, runs: u64) -> Result<Vec<Duration>> {
        for run in 1..=runs + 1 {
            people.asked(run).await?;
        }
        // Each is told at GitHub that it waits, and shown beside its commit: that takes its time.
        sleep(APART * u32::try_from(runs + 1)?).await;
        let mut times = Vec::new();
        for run in 1..=runs {
            let asked = people.asked(run).await?;
            let sent = Instant::now();
            people.approve(&asked).await?;
            times.push(api.goes_on(run).await?.saturating_duration_since(sent));
            sleep(APART).await;
        }
        Ok(times)
    }

    /// One gate of each kind that nobody approves.
    async fn calls(&self, api: &Api) -> Result<Calls> {
        let nobody = u64::from(self.effort.gates);
        let counted = self.people.counted().await?;
        let gate = comments::Gate::open(&self.github, nobody, self.poll);
        let runner = Runner::start(&self.program, &counted.url, &self.github, nobody)?;
        self.people.asked(nobody).await?;
        let before = (counted.calls(), api.calls(), self.github.calls());
        sleep(self.effort.waiting).await;
        let after = (counted.calls(), api.calls(), self.github.calls());
        drop((runner, gate));
        Ok(Calls {
            authority: after.0 - before.0,
            app: (after.1.0 - before.1.0, after.1.1 - before.1.1),
            comments: after.2 - before.2,
        })
    }
}

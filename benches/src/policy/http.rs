//! A decision over HTTP: keep-alive connections on loopback, the server on threads of its own, the
//! load generator on the same cores.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assent_server::ledger::SqliteLedger;
use reqwest::{Client, RequestBuilder, header};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::Effort;
use crate::echo::{self, Echo};
use crate::filings::closed_loop;
use crate::host::{self, Host};
use crate::policy::rules::{self, Spread};
use crate::report::{self, Spread as Times, thousands};

/// So many connections ask without a pause to find out what the server can do.
const SATURATING: usize = 16;

pub(super) fn run(effort: Effort) -> Result<()> {
    report::heading("A decision over HTTP on loopback: p50 / p99");
    report::say("Aim: p99 under 2 ms at half load.\n");
    let runtime = host::runtime()?;
    let client = Client::builder().no_proxy().build()?;
    let echo = Echo::start()?;
    let mut rows = Vec::new();
    for count in [20, 1_000] {
        let directory = tempfile::tempdir()?;
        let ledger = Arc::new(SqliteLedger::open(&directory.path().join("ledger.sqlite"))?);
        // The first twenty look at plans, and these intents have none.
        let rules: Vec<_> = rules::rules(20 + count, Spread::Kinds).into_iter().skip(20).collect();
        let host = Host::start_under(host::compile(rules::yaml(&rules))?, ledger)?;
        let to = |url: String, body: Value| Call {
            client: client.clone(),
            url,
            token: host.alice.expose().to_owned(),
            body: body.to_string(),
        };
        let decisions = to(format!("{}/v1/decisions", host.url), intent());
        let authzen = to(format!("{}/access/v1/evaluation", host.url), evaluation());
        let told = runtime.block_on(decided(&decisions, "/ruling/outcome", &json!("require")))?;
        let said = runtime.block_on(decided(&authzen, "/decision", &json!(false)))?;
        let mut row = |name: &str, bytes: usize, load: &Load| {
            rows.push(vec![
                report::thousands(count as f64),
                name.to_owned(),
                thousands(bytes as f64),
                load.alone.to_string(),
                format!("{}/s", thousands(load.saturated)),
                format!("{}/s: {}", thousands(load.rate), load.at_rate),
            ]);
        };
        for (name, call, bytes) in
            [("`/v1/decisions`", decisions, told), ("`/access/v1/evaluation`", authzen, said)]
        {
            let ours = Load::of(&runtime, &call, None, effort)?;
            row(name, bytes, &ours);
            let control = Call { url: format!("{}/answer/{bytes}", echo.url), ..call };
            let control = Load::of(&runtime, &control, Some(ours.rate), effort)?;
            row("control: echo at the same rate", bytes, &control);
        }
    }
    let head = ["rules", "call", "answer, bytes", "1 connection", "saturated", "at half load"];
    report::table(&head, &rows);
    Ok(())
}

/// One call, as it is sent again and again.
#[derive(Clone)]
struct Call {
    client: Client,
    url: String,
    token: String,
    body: String,
}

impl Call {
    fn request(&self) -> RequestBuilder {
        let request = self.client.post(&self.url).bearer_auth(&self.token);
        request.header(header::CONTENT_TYPE, "application/json").body(self.body.clone())
    }

    async fn timed(self) -> Result<Duration> {
        let begun = Instant::now();
        echo::call(self.request()).await?;
        Ok(begun.elapsed())
    }
}

/// Makes sure that this is decided as it should be. How long the answer is.
async fn decided(call: &Call, member: &str, wanted: &Value) -> Result<usize> {
    let answer = call.request().send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    let value: Value = serde_json::from_str(&text).context("no JSON")?;
    ensure!(value.pointer(member) == Some(wanted), "{}: {status} {text}", call.url);
    Ok(text.len())
}

fn intent() -> Value {
    json!({
        "kind": "kind-0.deploy",
        "environment": "production",
        "target": {"repository": "example/orders", "service": "service-20"},
        "reason": "Orders are slow since the weekend: larger instances, as agreed.",
        "context": {"ticket": "OPS-4711", "branch": "main"},
        "duration": "15m",
    })
}

fn evaluation() -> Value {
    json!({
        "subject": {"type": "person", "id": "alice"},
        "action": {"name": "kind-0.deploy"},
        "resource": {
            "type": "service",
            "id": "service-20",
            "properties": {"environment": "production", "repository": "example/orders"},
        },
        "context": {"ticket": "OPS-4711", "branch": "main"},
    })
}

/// How a server answers alone, how often it can, and how at a given rate.
struct Load {
    alone: Times,
    saturated: f64,
    rate: f64,
    at_rate: Times,
}

impl Load {
    /// At this rate, or else at half of what saturates.
    fn of(runtime: &Runtime, call: &Call, rate: Option<f64>, effort: Effort) -> Result<Self> {
        let (mut alone, mut saturated) = (Vec::new(), Vec::new());
        for _ in 0..effort.rounds {
            let call = call.clone();
            let ask = move || call.clone().timed();
            alone.push(closed_loop(runtime, 1, effort.round, ask.clone())?.took);
            saturated.push(closed_loop(runtime, SATURATING, effort.round, ask)?.per_second);
        }
        let saturated = report::median(saturated.into_iter())?;
        let rate = rate.unwrap_or(saturated / 2.0);
        let rounds = (0..effort.rounds).map(|_| open_loop(runtime, call, rate, effort.round));
        let at_rate = Times::median(&rounds.collect::<Result<Vec<_>>>()?)?;
        Ok(Self { alone: Times::median(&alone)?, saturated, rate, at_rate })
    }
}

/// Calls at a constant rate, whether or not those before were answered. A call's time runs from
/// when it was due, so one that had to wait because others were slow counts as slow.
fn open_loop(runtime: &Runtime, call: &Call, rate: f64, span: Duration) -> Result<Times> {
    let begun = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0_u32.. {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        if due - begun > span {
            break;
        }
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let call = call.clone();
        calls.spawn_on(
            async move {
                echo::call(call.request()).await?;
                anyhow::Ok(due.elapsed())
            },
            runtime.handle(),
        );
    }
    let took: Result<Vec<Duration>> = runtime.block_on(calls.join_all()).into_iter().collect();
    Times::of_durations(&took?)
}

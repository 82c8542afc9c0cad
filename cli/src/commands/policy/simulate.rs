//! `assent policy simulate`

use std::collections::BTreeMap;

use assent_client::Client;
use assent_core::policy::Policy;
use assent_core::principal::PrincipalKind;
use assent_core::time::{Span, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::SimulateArgs;
use crate::clock;
use crate::commands::audit;
use crate::commands::counted;
use crate::commands::policy::change::{self, Change};
use crate::commands::policy::recorded::{self, Assumed, Recorded};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Replays what was filed against a draft, and prints what would have been ruled otherwise.
pub(crate) async fn run(
    args: &SimulateArgs,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let documents = super::documents(&args.directory)?;
    let policy = super::compiled(&documents, output)?;
    let now = clock::now();
    let since = args.since.as_deref().map(|text| moment(text, now)).transpose()?;
    let requester = recorded::principal("nobody", PrincipalKind::Person)?;
    let assumed = Assumed { requester, at: now };
    let mut replay = Replay { policy, since, assumed, report: Report::default() };
    match &args.from_audit {
        Some(path) => recorded::each_in(path, true, |name, value| replay.hear(name, value))?,
        None => {
            let client = client()?;
            // What was filed until now, and no more: a log only grows.
            let checkpoint = client.checkpoint().await?;
            audit::each_entry(&client, &checkpoint, output, |entry| {
                let value = json!({"index": entry.index, "event": entry.event});
                replay.hear(&format!("entry {}", entry.index), &value)
            })
            .await?;
        }
    }
    match args.printing.is_json() {
        true => output.json(&replay.report)?,
        false => replay.report.print(output)?,
    }
    Ok(Exit::Granted)
}

/// An instant, or how long ago.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(ago) = text.parse::<Span>() {
        let millis = i64::try_from(ago.as_seconds()).unwrap_or(i64::MAX).saturating_mul(1000);
        return Ok(Timestamp::from_millis(now.as_millis().saturating_sub(millis)));
    }
    text.parse().map_err(|e| {
        Failure::usage("--since names no time").because(e).hint("or write how long ago: 30d")
    })
}

/// A draft, and what came out of it so far.
struct Replay {
    policy: Policy,
    since: Option<Timestamp>,
    assumed: Assumed,
    report: Report,
}

impl Replay {
    fn hear(&mut self, name: &str, value: &Value) -> Result<(), Failure> {
        let bad = |why| Failure::usage(format!("{name} is not of an audit export")).because(why);
        if !["checkpoint", "event", "intent", "kind"].iter().any(|key| value.get(key).is_some()) {
            return Err(bad("it holds neither a checkpoint nor an event".to_owned())
                .hint("`assent audit export --file log.jsonl` writes one"));
        }
        let read = Recorded::read(name, value, &self.assumed);
        let Some(recorded) = read.map_err(bad)? else { return Ok(()) };
        let Some(then) = &recorded.ruled else {
            return Err(bad("it records an intent, and no ruling on it".to_owned())
                .hint("`assent policy diff` compares rulings on intents alone"));
        };
        if self.since.is_some_and(|since| recorded.at < since) {
            return Ok(());
        }
        let ruling = recorded.ruling(&self.policy);
        self.report.requests += 1;
        let has_plan = recorded.known.plan.as_ref();
        if has_plan.is_some_and(|plan| plan.changes.is_none()) {
            self.report.plans_without_changes += 1;
        }
        let unasked = |rule: &String| {
            rule.strip_prefix("error:").is_some_and(|id| !recorded.known.opinions.contains_key(id))
        };
        let unasked = ruling.rules.iter().any(unasked);
        self.report.unasked += usize::from(unasked);
        let changes = change::between(then, &ruling);
        let (then, now) = (word(then), word(&ruling));
        *self.report.outcomes.entry(format!("{then} → {now}")).or_default() += 1;
        if !changes.is_empty() {
            self.report.differing.push(Differing {
                request: recorded.name.clone(),
                at: recorded.at.to_string(),
                requester: recorded.requester.id.to_string(),
                kind: recorded.intent.kind().to_owned(),
                environment: recorded.intent.environment().to_owned(),
                then,
                now,
                unasked,
                changes,
                headline: change::headline(&recorded),
            });
        }
        Ok(())
    }
}

fn word(ruling: &assent_core::policy::ruling::Ruling) -> &'static str {
    assent_client::wire::Ruling::from(ruling).outcome.word()
}

/// What a replay showed.
#[derive(Default, Serialize)]
struct Report {
    requests: usize,
    /// How often which outcome became which.
    outcomes: BTreeMap<String, usize>,
    /// Requests whose plan is on record by its facts alone.
    plans_without_changes: usize,
    /// Requests that the draft would have asked an engine about that was not asked then.
    unasked: usize,
    differing: Vec<Differing>,
}

/// One request that would have been ruled otherwise.
#[derive(Serialize)]
struct Differing {
    request: String,
    at: String,
    requester: String,
    kind: String,
    environment: String,
    then: &'static str,
    now: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unasked: bool,
    changes: Vec<Change>,
    #[serde(skip)]
    headline: String,
}

impl Report {
    fn print(&self, output: &Output) -> Result<(), Failure> {
        let paint = output.data_paint();
        for differing in &self.differing {
            let head = format!(
                "{} {} ({})",
                paint.strong(&clean(&differing.request)),
                clean(&differing.at),
                differing.headline
            );
            output.data(format!("{head}\n{}\n", change::text(&differing.changes, paint)))?;
        }
        let requests = counted(self.requests, "request", "requests");
        output.data(match self.differing.len() {
            0 => format!("{requests}, all ruled as then"),
            some => format!("{requests}, {some} ruled otherwise"),
        })?;
        for (outcome, count) in &self.outcomes {
            output.data(format!("  {outcome}: {count}"))?;
        }
        if self.plans_without_changes > 0 {
            output.talk(format!(
                "note: of {} only the facts are on record: what tests `plan.changes` is unknown here",
                counted(self.plans_without_changes, "plan", "plans")
            ));
        }
        if self.unasked > 0 {
            output.talk(format!(
                "note: {} would ask an engine that was not asked then, and are refused here for that",
                counted(self.unasked, "request", "requests")
            ));
        }
        Ok(())
    }
}

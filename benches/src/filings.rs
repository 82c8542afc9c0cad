//! Durable filings per second: on the ledger itself and over HTTP, beside the floor.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use assent_client::{IdempotencyKey, wire};
use assent_core::audit::leaf_hash;
use assent_core::digest::Digest;
use assent_core::policy::Policy;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::request::{Filing, Request, Step};
use assent_server::chance::Chance;
use assent_server::clock::Clock;
use assent_server::ledger::sqlite::Grouping;
use assent_server::ledger::{Commit, Ledger, MemoryLedger, NewCall, SqliteLedger, Write};
use tokio::runtime::Runtime;

use crate::Effort;
use crate::floor::Appender;
use crate::host::{self, Host};
use crate::report::{self, Spread, thousands};

/// What one round gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) took: Spread,
}

impl Round {
    fn median(rounds: &[Self]) -> Result<Self> {
        let took: Vec<Spread> = rounds.iter().map(|round| round.took).collect();
        let per_second = report::median(rounds.iter().map(|round| round.per_second))?;
        Ok(Self { per_second, took: Spread::median(&took)? })
    }

    fn cell(&self) -> String {
        format!("{}/s, {}", thousands(self.per_second), self.took)
    }
}

/// Makes filings as the server would.
struct Maker {
    policy: Policy,
    alice: Principal,
    chance: Chance,
    clock: Clock,
    made: AtomicU64,
}

impl Maker {
    fn new() -> Result<Self> {
        Ok(Self {
            policy: host::policy()?,
            alice: person("alice")?,
            chance: Chance::default(),
            clock: Clock::system(),
            made: AtomicU64::new(0),
        })
    }

    fn step(&self) -> Result<Step> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let intent =
            host::intent(number).verify().map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let (requester, now, known) = (self.alice.clone(), self.clock.now(), Known::default());
        let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
        let ruling = self.policy.rule(&situation);
        let id = self.chance.request_id(now)?;
        Ok(Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, now))
    }

    fn write(&self) -> Result<Write> {
        let step = self.step()?;
        let key = Digest::of(&step.next().id().to_bytes());
        let call = Some(NewCall { key, asked: step.next().digest(), credential: None });
        Ok(Write { step, call, unless_open: false, most_pending: None })
    }
}

/// A person that the authority itself knows.
pub(crate) fn person(sub: &str) -> Result<Principal> {
    Ok(Principal {
        id: PrincipalId::local(sub)?,
        kind: PrincipalKind::Person,
        groups: Default::default(),
        acts_for: Default::default(),
        claims: Default::default(),
    })
}

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("Durable filings: p50 / p99");
    let maker = Arc::new(Maker::new()?);
    let mut rows = Vec::new();
    for clients in [1, 64, 512] {
        let (mut floor, mut group, mut single) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..effort.rounds {
            floor.push(on_file(&maker, clients, effort.round)?);
            group.push(on_ledger(&maker, Grouping::Waiting, clients, effort.round)?);
            single.push(on_ledger(&maker, Grouping::Single, clients, effort.round)?);
        }
        let floor = Round::median(&floor)?;
        let (group, single) = (Round::median(&group)?, Round::median(&single)?);
        let gain = group.per_second / single.per_second;
        let share = 100.0 * group.per_second / floor.per_second;
        rows.push(vec![
            clients.to_string(),
            floor.cell(),
            group.cell(),
            single.cell(),
            format!("{gain:.1}×"),
            format!("{share:.0} %"),
        ]);
    }
    let head =
        ["clients", "floor", "group commit", "one transaction per write", "gain", "of the floor"];
    report::table(&head, &rows);
    costs(&maker)?;
    over_http(effort)
}

fn on_file(maker: &Maker, clients: usize, span: Duration) -> Result<Round> {
    let directory = tempfile::tempdir()?;
    let appender = Appender::open(&directory.path().join("floor"))?;
    let leaf = bytes(&maker.step()?);
    closed_loop(&host::runtime()?, clients, span, move || {
        let (appender, leaf) = (appender.clone(), leaf.clone());
        async move {
            let begun = Instant::now();
            appender.append(leaf).await?;
            Ok(begun.elapsed())
        }
    })
}

fn on_ledger(
    maker: &Arc<Maker>,
    grouping: Grouping,
    clients: usize,
    span: Duration,
) -> Result<Round> {
    let directory = tempfile::tempdir()?;
    let ledger = open(directory.path(), grouping)?;
    let maker = Arc::clone(maker);
    closed_loop(&host::runtime()?, clients, span, move || {
        let (ledger, maker) = (Arc::clone(&ledger), Arc::clone(&maker));
        async move {
            let write = maker.write()?;
            let begun = Instant::now();
            let commit = ledger.commit(write).await?;
            let took = begun.elapsed();
            ensure!(matches!(commit, Commit::Done(_)), "a new filing was not written");
            Ok(took)
        }
    })
}

fn open(directory: &Path, grouping: Grouping) -> Result<Arc<SqliteLedger>> {
    Ok(Arc::new(SqliteLedger::open_grouping(&directory.join("ledger.sqlite"), grouping)?))
}

fn over_http(effort: Effort) -> Result<()> {
    const CLIENTS: usize = 64;
    report::heading("Filings over HTTP on loopback, 64 clients: p50 / p99");
    let (mut memory, mut group, mut single) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        memory.push(http(Arc::new(MemoryLedger::default()), CLIENTS, effort.round)?);
        for (grouping, rounds) in [(Grouping::Waiting, &mut group), (Grouping::Single, &mut single)]
        {
            let directory = tempfile::tempdir()?;
            rounds.push(http(open(directory.path(), grouping)?, CLIENTS, effort.round)?);
        }
    }
    let row = |name: &str, rounds: &[Round]| -> Result<Vec<String>> {
        let round = Round::median(rounds)?;
        Ok(vec![name.to_owned(), thousands(round.per_second), round.took.to_string()])
    };
    let rows = [
        row("memory: nothing durable", &memory)?,
        row("SQLite, group commit", &group)?,
        row("SQLite, one transaction per write", &single)?,
    ];
    report::table(&["ledger", "filings/s", "p50 / p99"], &rows);
    Ok(())
}

fn http(ledger: Arc<dyn Ledger>, clients: usize, span: Duration) -> Result<Round> {
    let host = Host::start(ledger)?;
    let runtime = host::runtime()?;
    let client = host.client(&host.alice)?;
    let made = Arc::new(AtomicU64::new(0));
    closed_loop(&runtime, clients, span, move || {
        let (client, made) = (client.clone(), Arc::clone(&made));
        async move {
            let intent = host::intent(made.fetch_add(1, Ordering::Relaxed));
            let filing = wire::Filing { intent, reattach: false, heartbeat: None };
            let begun = Instant::now();
            let request = client.file(&filing, &IdempotencyKey::fresh()).await?;
            let took = begun.elapsed();
            ensure!(request.state == "pending", "a filing is {}", request.state);
            Ok(took)
        }
    })
}

/// So many clients, each asking again as soon as it is answered. The first tenth warms up.
pub(crate) fn closed_loop<F, A>(
    runtime: &Runtime,
    clients: usize,
    span: Duration,
    ask: F,
) -> Result<Round>
where
    F: Fn() -> A + Clone + Send + 'static,
    A: Future<Output = Result<Duration>> + Send,
{
    let begun = Instant::now();
    let warm = span / 10;
    runtime.block_on(async {
        let ask_on = |ask: F| async move {
            let mut took = Vec::new();
            while begun.elapsed() < span {
                let counts = begun.elapsed() >= warm;
                let one = ask().await?;
                if counts {
                    took.push(one.as_secs_f64());
                }
            }
            anyhow::Ok(took)
        };
        let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(ask_on(ask.clone()))).collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await??);
        }
        let measured = (begun.elapsed() - warm).as_secs_f64();
        Ok(Round { per_second: took.len() as f64 / measured, took: Spread::of(took)? })
    })
}

fn bytes(step: &Step) -> Vec<u8> {
    let entries = step.events().iter().map(|event| wire::entry_bytes(&wire::event_to_json(event)));
    entries.flatten().collect()
}

/// What of a filing is no disk: made by the clients here, and written out by the one writer.
fn costs(maker: &Maker) -> Result<()> {
    const TIMES: u32 = 20_000;
    let begun = Instant::now();
    for _ in 0..TIMES {
        black_box(maker.write()?);
    }
    let making = begun.elapsed() / TIMES;
    let step = maker.step()?;
    let begun = Instant::now();
    for _ in 0..TIMES {
        black_box(leaf_hash(&bytes(black_box(&step))));
    }
    let leaf = begun.elapsed() / TIMES;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    report::say(&format!(
        "\nOne filing, on one core: {:.1} µs to verify, rule and make the step; {:.1} µs to write \
         out and hash its leaf of {} bytes.",
        micros(making),
        micros(leaf),
        bytes(&step).len(),
    ));
    Ok(())
}

//! From an approval to the answer of the client that is blocked on it.

mod desk;
mod memory;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use assent_server::ledger::{MemoryLedger, SqliteLedger};
use tokio::sync::mpsc;

pub(crate) use memory::parked_server;

use crate::echo::Echo;
use crate::host::{self, Host};
use crate::report::{self, Spread};
use crate::{Effort, floor};
use desk::{Authority, Desk, Ticket, Witness};

/// How long before its approval a client must have asked, so that it counts as parked.
const PARKING: Duration = Duration::from_millis(5);

/// One approval.
#[derive(Clone, Copy, Debug)]
struct Approval {
    sent: Instant,
    acknowledged: Instant,
    committed: Instant,
    answered: Instant,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
struct Round {
    sent_to_answered: Spread,
    sent_to_committed: Spread,
    committed_to_answered: Spread,
    acknowledged_to_answered: Spread,
}

impl Round {
    fn of(approvals: &[Approval]) -> Result<Self> {
        let spread = |time: fn(&Approval) -> f64| Spread::of(approvals.iter().map(time).collect());
        Ok(Self {
            sent_to_answered: spread(|a| signed(a.sent, a.answered))?,
            sent_to_committed: spread(|a| signed(a.sent, a.committed))?,
            committed_to_answered: spread(|a| signed(a.committed, a.answered))?,
            acknowledged_to_answered: spread(|a| signed(a.acknowledged, a.answered))?,
        })
    }

    fn median(rounds: &[Self]) -> Result<Self> {
        let median = |pick: fn(&Self) -> Spread| {
            Spread::median(&rounds.iter().map(pick).collect::<Vec<_>>())
        };
        Ok(Self {
            sent_to_answered: median(|round| round.sent_to_answered)?,
            sent_to_committed: median(|round| round.sent_to_committed)?,
            committed_to_answered: median(|round| round.committed_to_answered)?,
            acknowledged_to_answered: median(|round| round.acknowledged_to_answered)?,
        })
    }
}

fn signed(from: Instant, to: Instant) -> f64 {
    match to.checked_duration_since(from) {
        Some(after) => after.as_secs_f64(),
        None => -(from - to).as_secs_f64(),
    }
}

/// What answers the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Sqlite,
    Memory,
    Echo,
}

impl Server {
    const ALL: [Self; 3] = [Self::Sqlite, Self::Memory, Self::Echo];

    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "authority on SQLite",
            Self::Memory => "authority on memory, nothing durable",
            Self::Echo => "control: HTTP alone",
        }
    }
}

/// Measures and prints.
pub(crate) fn run(effort: Effort) -> Result<()> {
    report::heading("From an approval to the blocked client's answer: p50 / p99");
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for (parked, pause) in [(1, Duration::from_millis(20)), (1_000, Duration::from_millis(5))] {
        let approvals = if parked == 1 { effort.approvals / 4 } else { effort.approvals };
        let (mut rounds, mut syncs) = (vec![Vec::new(); Server::ALL.len()], Vec::new());
        for _ in 0..effort.rounds {
            for (server, rounds) in Server::ALL.into_iter().zip(&mut rounds) {
                rounds.push(Round::of(&round(server, parked, approvals, pause)?)?);
            }
            syncs.push(floor::data_sync(Duration::from_millis(5), 200)?);
        }
        let sync = Spread::median(&syncs)?;
        let mut sums = Vec::new();
        for (server, rounds) in Server::ALL.into_iter().zip(&rounds) {
            let round = Round::median(rounds)?;
            sums.push(round.sent_to_answered);
            let known = |spread: Spread| match server {
                Server::Echo => "–".to_owned(),
                Server::Sqlite | Server::Memory => spread.to_string(),
            };
            rows.push(vec![
                report::thousands(parked as f64),
                server.name().to_owned(),
                known(round.sent_to_committed),
                known(round.committed_to_answered),
                round.acknowledged_to_answered.to_string(),
                round.sent_to_answered.to_string(),
            ]);
        }
        let [sqlite, _, echo] = sums.as_slice() else { continue };
        let near = |of: fn(&Spread) -> f64, unit: &Spread| of(sqlite) / of(unit);
        let limit = Spread { p50: echo.p50 + sync.p50, p99: echo.p50 + sync.p50 };
        verdicts.push(format!(
            "\nWith {parked} parked: one data sync {sync}. The control's p50 and one sync's are \
             {:.2} ms together; SQLite's p50 is {:.1}× of it, its p99 {:.1}×.",
            limit.p50 * 1e3,
            near(|s| s.p50, &limit),
            near(|s| s.p99, &limit),
        ));
    }
    let head = [
        "parked",
        "server",
        "approval sent → commit",
        "commit → answer",
        "approver's answer → answer",
        "approval sent → answer",
    ];
    report::table(&head, &rows);
    verdicts.iter().for_each(|verdict| report::say(verdict));
    memory::run()
}

fn round(
    server: Server,
    parked: usize,
    approvals: usize,
    pause: Duration,
) -> Result<Vec<Approval>> {
    let directory = tempfile::tempdir()?;
    let measure = |desk: Arc<dyn Desk>| {
        host::runtime()?.block_on(approve_all(desk, parked, approvals, pause))
    };
    match server {
        Server::Echo => {
            let echo = Echo::start()?;
            measure(Arc::new(desk::Bare::new(&echo.url)))
        }
        Server::Memory => {
            let witness = Arc::new(Witness::new(Arc::new(MemoryLedger::default())));
            let host = Host::start(Arc::clone(&witness) as _)?;
            measure(Arc::new(Authority::new(&host, witness)?))
        }
        Server::Sqlite => {
            let ledger = SqliteLedger::open(&directory.path().join("ledger.sqlite"))?;
            let witness = Arc::new(Witness::new(Arc::new(ledger)));
            let host = Host::start(Arc::clone(&witness) as _)?;
            measure(Arc::new(Authority::new(&host, witness)?))
        }
    }
}

/// Parks so many clients, each on its own request, and approves one every `pause`. Whoever is
/// answered parks again, on another request.
async fn approve_all(
    desk: Arc<dyn Desk>,
    parked: usize,
    approvals: usize,
    pause: Duration,
) -> Result<Vec<Approval>> {
    let tickets = Arc::new(desk::open_all(&desk, parked + approvals).await?);
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut waiters = tokio::task::JoinSet::new();
    for first in 0..parked {
        let (desk, tickets, tell) = (Arc::clone(&desk), Arc::clone(&tickets), tell.clone());
        waiters.spawn(async move {
            for (at, ticket) in tickets.iter().enumerate().skip(first).step_by(parked) {
                let asked = Instant::now();
                desk.wait(ticket).await?;
                let _ = tell.send((at, asked, Instant::now()));
            }
            anyhow::Ok(())
        });
    }
    // Until all are parked and the dust of parking has settled.
    tokio::time::sleep(Duration::from_millis(1_000 + parked as u64)).await;
    let mut ticker = tokio::time::interval(pause);
    let mut reviews = Vec::with_capacity(approvals);
    for at in 0..approvals {
        ticker.tick().await;
        let (desk, tickets) = (Arc::clone(&desk), Arc::clone(&tickets));
        reviews.push(tokio::spawn(async move {
            let ticket = ticket(&tickets, at)?;
            let sent = Instant::now();
            desk.approve(ticket).await?;
            anyhow::Ok((sent, Instant::now()))
        }));
    }
    let mut answers = vec![None; approvals];
    for _ in 0..approvals {
        let next = tokio::time::timeout(Duration::from_secs(30), told.recv()).await;
        let (at, asked, answered) =
            next.context("a parked client was never answered")?.context("gone")?;
        if let Some(answer) = answers.get_mut(at) {
            *answer = Some((asked, answered));
        }
    }
    waiters.abort_all();
    let mut all = Vec::with_capacity(approvals);
    for (at, (review, answered)) in reviews.into_iter().zip(answers).enumerate() {
        let (sent, acknowledged) = review.await??;
        let committed = desk.committed(ticket(&tickets, at)?).unwrap_or(sent);
        let (asked, answered) = answered.context("a client was answered without approval")?;
        // Whoever came back late was not parked when the approval was sent.
        if sent.checked_duration_since(asked).is_some_and(|parked| parked > PARKING) {
            all.push(Approval { sent, acknowledged, committed, answered });
        }
    }
    Ok(all)
}

fn ticket(tickets: &[Ticket], at: usize) -> Result<&Ticket> {
    tickets.get(at).context("more approvals than requests")
}

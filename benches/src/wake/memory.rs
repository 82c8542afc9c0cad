//! What a parked client costs the server in memory. The server is a process of its own, so that
//! the clients' own memory does not count.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use assent_client::Secret;
use assent_server::ledger::SqliteLedger;

use super::desk::{self, Authority, Desk};
use crate::host::{self, Host};
use crate::report;

/// Serves until standard input ends.
pub(crate) fn parked_server() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let ledger = SqliteLedger::open(&directory.path().join("ledger.sqlite"))?;
    let host = Host::start(Arc::new(ledger))?;
    let lines = [host.url.as_str(), host.alice.expose(), host.bob.expose()];
    // A pipe to the benchmark that started it, and nobody else.
    writeln!(std::io::stdout(), "{}", lines.join("\n"))?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Measures and prints.
pub(crate) fn run() -> Result<()> {
    report::heading("Memory of the server for each parked client");
    let mut rows = Vec::new();
    for parked in [1_000, 4_000] {
        let [before, soon, settled] = measure(parked)?;
        let each = |after: f64| format!("{:.1} KiB", (after - before) / parked as f64);
        let mib = format!("{:.1} MiB", before / 1_024.0);
        rows.push(vec![report::thousands(parked as f64), mib, each(soon), each(settled)]);
    }
    let head = ["parked", "server before", "each, 2 s after parking", "each, 20 s after parking"];
    report::table(&head, &rows);
    Ok(())
}

fn measure(parked: usize) -> Result<[f64; 3]> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("parked-server")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let said = BufReader::new(server.stdout.take().context("no pipe")?);
    let said: Vec<String> = said.lines().take(3).collect::<Result<_, _>>()?;
    let [url, alice, bob] = said.as_slice() else { anyhow::bail!("the server did not start") };
    let (alice, bob) = (Secret::new(alice.clone()), Secret::new(bob.clone()));
    let desk: Arc<dyn Desk> = Arc::new(Authority::at(url, &alice, &bob)?);
    let measured = host::runtime()?.block_on(park(desk, parked, server.id()));
    drop(server.stdin.take());
    server.wait()?;
    measured
}

async fn park(desk: Arc<dyn Desk>, parked: usize, server: u32) -> Result<[f64; 3]> {
    let tickets = desk::open_all(&desk, parked).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident(server)?;
    let mut waiters = tokio::task::JoinSet::new();
    for ticket in tickets {
        let desk = Arc::clone(&desk);
        waiters.spawn(async move { desk.wait(&ticket).await });
        // A few in each millisecond: clients do not all come at once.
        if waiters.len().is_multiple_of(4) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let soon = resident(server)?;
    tokio::time::sleep(Duration::from_secs(18)).await;
    let settled = resident(server)?;
    anyhow::ensure!(waiters.try_join_next().is_none(), "a parked client came back");
    Ok([before, soon, settled])
}

/// The `VmRSS` of a process, in KiB.
fn resident(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no VmRSS")?.parse()?)
}

//! `assent audit verify`

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use assent_client::Client;
use assent_client::wire::{Entry, History, HistoryError, Summary};
use serde_json::json;

use crate::args::VerifyArgs;
use crate::commands::counted;
use crate::failure::{Exit, Failure};
use crate::output::Output;

use super::{Head, each_entry};

/// Recomputes the whole log and holds it against a checkpoint.
pub(crate) async fn run(
    args: VerifyArgs,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let summary = match &args.file {
        Some(path) => of_file(path)?,
        None => of_server(&client()?, output).await?,
    };
    match args.printing.is_json() {
        true => output.json(&json!({
            "ok": true,
            "entries": summary.entries,
            "requests": summary.requests,
            "root": summary.root,
            "states": summary.states,
        }))?,
        false => output.data(text(&summary))?,
    }
    Ok(Exit::Granted)
}

async fn of_server(client: &Client, output: &Output) -> Result<Summary, Failure> {
    // The checkpoint is taken first: a log only grows, so every entry it promises is there.
    let checkpoint = client.checkpoint().await?;
    let mut history = History::default();
    each_entry(client, &checkpoint, output, |entry| history.read(entry).map_err(broken)).await?;
    history.finish(&checkpoint).map_err(broken)
}

fn of_file(path: &Path) -> Result<Summary, Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    let mut lines = BufReader::new(File::open(path).map_err(fault)?).lines();
    let not_an_export = |number: u64, cause: &dyn std::fmt::Display| {
        Failure::refused(format!("line {number} of `{}` is not of an export", path.display()))
            .because(cause)
    };
    let first =
        lines.next().ok_or_else(|| not_an_export(1, &"the file is empty"))?.map_err(fault)?;
    let head: Head = serde_json::from_str(&first).map_err(|e| not_an_export(1, &e))?;
    let mut history = History::default();
    for (number, line) in (2_u64..).zip(lines) {
        // Strictly: a member that stands twice would say one thing to us and another to the next.
        let value = assent_core::canonical::parse(line.map_err(fault)?.as_bytes());
        let value = value.map_err(|e| not_an_export(number, &e))?;
        let entry: Entry = serde_json::from_value(value).map_err(|e| not_an_export(number, &e))?;
        history.read(&entry).map_err(broken)?;
    }
    history.finish(&head.checkpoint).map_err(broken)
}

fn broken(error: HistoryError) -> Failure {
    Failure::refused("the audit log is not what it should be").because(error)
}

fn text(summary: &Summary) -> String {
    let Summary { entries, requests, root, .. } = summary;
    let entries = counted(*entries, "entry", "entries");
    let requests = counted(*requests, "request", "requests");
    format!("ok: {entries}, {requests}, root {root}")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use assent_client::wire::entry_bytes;
    use assent_core::audit::{Frontier, leaf_hash};

    use super::*;

    /// An export of these events, with the checkpoint of all of them.
    fn export(events: &[serde_json::Value]) -> Vec<String> {
        let mut frontier = Frontier::default();
        events.iter().for_each(|event| frontier.push(leaf_hash(&entry_bytes(event))));
        let (size, root) = (frontier.size(), frontier.root().hex());
        let mut lines = vec![json!({"checkpoint": {"size": size, "root": root}}).to_string()];
        lines.extend(
            events.iter().enumerate().map(|(i, e)| json!({"index": i, "event": e}).to_string()),
        );
        lines
    }

    fn verified(lines: &[String]) -> Result<Summary, Failure> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", lines.join("\n")).unwrap();
        of_file(file.path())
    }

    #[test]
    fn t53_an_export_is_verified_and_a_changed_one_is_refused() {
        let events = [json!({"v": 1, "type": "started"}), json!({"v": 1, "type": "stopped"})];
        let lines = export(&events);
        assert_eq!(verified(&lines).unwrap().entries, 2);
        let changed: Vec<_> = lines.iter().map(|line| line.replace("stopped", "paused")).collect();
        let shorter = &lines[..2];
        for lines in [&changed[..], shorter, &[]] {
            match verified(lines).unwrap_err() {
                Failure::Told(told) => assert_eq!(told.exit, Exit::Refused),
                Failure::OutputClosed => panic!("it is told"),
            }
        }
    }
}

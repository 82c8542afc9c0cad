//! `assent audit`

mod export;
mod verify;

use assent_client::Client;
use assent_client::wire::{Checkpoint, Entry};
use serde::{Deserialize, Serialize};

use crate::args::AuditCommand;
use crate::failure::{Exit, Failure};
use crate::output::{Line, Output};

/// So many entries are read between two words of progress.
const STRIDE: u64 = 10_000;

/// Verifies or exports.
pub(crate) async fn run(
    command: AuditCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        AuditCommand::Verify(args) => verify::run(args, client, output).await,
        AuditCommand::Export(args) => export::run(args, &client()?, output).await,
    }
}

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    checkpoint: Checkpoint,
}

/// Reads the log from its beginning up to a checkpoint. What was appended since is left out.
pub(super) async fn each_entry(
    client: &Client,
    until: &Checkpoint,
    output: &Output,
    mut take: impl FnMut(&Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut progress = Progress { line: output.line(), told: 0, size: until.size };
    let mut next = 0;
    while next < until.size {
        let page = client.entries(next).await?.entries;
        let wanted = usize::try_from(until.size - next).unwrap_or(usize::MAX);
        // A log that is shorter than its checkpoint is for the reader to find out.
        if page.is_empty() {
            break;
        }
        for entry in page.iter().take(wanted) {
            take(entry)?;
            next += 1;
        }
        progress.tell(next);
    }
    Ok(())
}

/// How far a long read is.
struct Progress {
    line: Line,
    told: u64,
    size: u64,
}

impl Progress {
    fn tell(&mut self, read: u64) {
        if read - self.told >= STRIDE {
            self.told = read;
            self.line.show(&format!("{read} of {} entries", self.size));
        }
    }
}

//! `assent audit export`

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use assent_client::Client;
use assent_client::wire::Checkpoint;
use serde::Serialize;

use crate::args::ExportArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

use super::{Head, each_entry};

/// Writes the log up to now as JSON lines, its checkpoint first.
pub(crate) async fn run(
    args: ExportArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let checkpoint = client.checkpoint().await?;
    let size = checkpoint.size;
    let written = match &args.file {
        Some(path) => to_file(path, client, checkpoint, output).await?,
        None => to_stdout(client, checkpoint, output).await?,
    };
    if written != size {
        let problem = format!("the server gave {written} entries, but its checkpoint says {size}");
        return Err(Failure::refused(problem));
    }
    output.talk(format!("exported {written} entries"));
    Ok(Exit::Granted)
}

async fn to_stdout(
    client: &Client,
    checkpoint: Checkpoint,
    output: &Output,
) -> Result<u64, Failure> {
    let mut written = 0;
    let head = Head { checkpoint };
    output.json_line(&head)?;
    each_entry(client, &head.checkpoint, output, |entry| {
        written += 1;
        output.json_line(entry)
    })
    .await?;
    Ok(written)
}

async fn to_file(
    path: &Path,
    client: &Client,
    checkpoint: Checkpoint,
    output: &Output,
) -> Result<u64, Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(fault)?;
    let mut file = BufWriter::new(file);
    let mut written = 0;
    let head = Head { checkpoint };
    writeln!(file, "{}", json(&head)).map_err(fault)?;
    each_entry(client, &head.checkpoint, output, |entry| {
        written += 1;
        writeln!(file, "{}", json(entry)).map_err(fault)
    })
    .await?;
    let file = file.into_inner().map_err(|error| fault(error.into_error()))?;
    file.sync_all().map_err(fault)?;
    Ok(written)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

//! `assent policy put`

use std::io::Read as _;
use std::path::Path;

use assent_client::{Client, wire};
use serde::de::DeserializeOwned;

use crate::args::{Kept, PolicyPutArgs};
use crate::commands::policy::approved;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Writes a document, a group or a calendar.
pub(crate) async fn run(
    args: &PolicyPutArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let text = text(&args.file)?;
    let approval = &args.approved;
    match &args.name {
        Kept::Document(name) => {
            let document = &wire::NewDocument { text };
            approved::change(approval, client, output, async |by| {
                client.write_document(name, document, by.as_deref()).await.map(drop)
            })
            .await
        }
        Kept::Group(name) => {
            let group = &entry::<wire::NewGroup>(&text, &args.file)?;
            approved::change(approval, client, output, async |by| {
                client.write_group(name, group, by.as_deref()).await.map(drop)
            })
            .await
        }
        Kept::Calendar(name) => {
            let calendar = &entry::<wire::NewCalendar>(&text, &args.file)?;
            approved::change(approval, client, output, async |by| {
                client.write_calendar(name, calendar, by.as_deref()).await.map(drop)
            })
            .await
        }
        Kept::Trust(name) => {
            let trust = &entry::<wire::NewTrust>(&text, &args.file)?;
            approved::change(approval, client, output, async |by| {
                client.write_trust(name, trust, by.as_deref()).await.map(drop)
            })
            .await
        }
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map_err(fault)?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(fault)
}

/// A group or calendar, as the API takes it.
fn entry<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, Failure> {
    let bad = || Failure::usage(format!("`{}` is not what was named", path.display()));
    let value = assent_core::canonical::parse(text.as_bytes()).map_err(|e| bad().because(e))?;
    serde_json::from_value(value).map_err(|e| bad().because(e))
}

//! `assent policy list`

use assent_client::Client;
use serde_json::json;

use crate::args::{Kept, Printing};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Table};

/// Lists what came over the API.
pub(crate) async fn run(
    printing: Printing,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let documents = client.policy_documents().await?.documents;
    let groups = client.policy_groups().await?.groups;
    let calendars = client.policy_calendars().await?.calendars;
    let trusts = client.policy_trusts().await?.trusts;
    if printing.is_json() {
        let all = json!({
            "documents": documents, "groups": groups, "calendars": calendars, "trusts": trusts,
        });
        output.json(&all)?;
        return Ok(Exit::Granted);
    }
    let mut table = Table::new(&["NAME", "VERSION", "AT", "BY"], output.data_paint());
    let mut is_empty = true;
    let mut row = |kept: Kept, version: u64, at: &str, by: &str| {
        is_empty = false;
        table.row([
            Cell::text(&kept.to_string()),
            Cell::text(&version.to_string()),
            Cell::text(at),
            Cell::text(by),
        ]);
    };
    for (name, kept) in documents {
        row(Kept::Document(name), kept.version, &kept.at, &kept.by);
    }
    for (name, kept) in groups {
        row(Kept::Group(name), kept.version, &kept.at, &kept.by);
    }
    for (name, kept) in calendars {
        row(Kept::Calendar(name), kept.version, &kept.at, &kept.by);
    }
    for (name, kept) in trusts {
        row(Kept::Trust(name), kept.version, &kept.at, &kept.by);
    }
    match is_empty {
        true => output.talk("nothing came over the API"),
        false => output.data(table.text())?,
    }
    Ok(Exit::Granted)
}

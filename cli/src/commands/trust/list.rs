//! `assent trust list`

use assent_client::Client;

use crate::args::Printing;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Table};

/// Lists every trust that rules.
pub(super) async fn run(
    printing: Printing,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let all = client.trusts().await?;
    if printing.is_json() {
        output.json(&all)?;
        return Ok(Exit::Granted);
    }
    if all.trusts.is_empty() {
        output.talk("nobody's tokens are believed");
        return Ok(Exit::Granted);
    }
    let head = ["NAME", "SHAPE", "ISSUER", "ENVIRONMENTS", "FROM"];
    let mut table = Table::new(&head, output.data_paint());
    for trust in &all.trusts {
        let environments: Vec<_> = trust.may_ask.environments.iter().map(String::as_str).collect();
        table.row([
            Cell::text(&trust.name),
            Cell::text(trust.shape.as_deref().unwrap_or("-")),
            Cell::text(&trust.issuer),
            Cell::text(&environments.join(", ")),
            Cell::text(if trust.kept { "the API" } else { "a file" }),
        ]);
    }
    output.data(table.text())?;
    Ok(Exit::Granted)
}

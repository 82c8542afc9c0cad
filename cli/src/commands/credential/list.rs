//! `assent credential list`

use assent_client::Client;
use assent_client::wire::{CredentialEntry, CredentialList};

use crate::args::CredentialListArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table};
use crate::show;

/// The server gives no more at once.
const LARGEST_PAGE: usize = 200;

/// Lists credentials by their requests, newest first.
pub(crate) async fn run(
    args: CredentialListArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let found = collect(&args, client).await?;
    match args.printing.is_json() {
        true => output.json(&found)?,
        false if found.credentials.is_empty() => output.talk("no credentials"),
        false => output.data(table(&found.credentials, output.data_paint()))?,
    }
    if found.next_cursor.is_some() {
        output.talk(format!("there are more; --limit is {}", args.limit));
    }
    Ok(Exit::Granted)
}

/// Pages until there are enough, or no more.
async fn collect(args: &CredentialListArgs, client: &Client) -> Result<CredentialList, Failure> {
    let page_size = args.limit.clamp(1, LARGEST_PAGE).to_string();
    let state = if args.live { "live" } else { "any" };
    let matching = &args.matching;
    let filters = [
        ("environment", matching.environment.as_deref()),
        ("kind", matching.kind.as_deref()),
        ("requester", matching.requester.as_deref()),
    ];
    let mut found = CredentialList::default();
    loop {
        let mut query = vec![("limit", page_size.as_str()), ("state", state)];
        query.extend(filters.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
        query.extend(found.next_cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.credentials(&query).await?;
        found.credentials.extend(page.credentials);
        let is_stuck = page.next_cursor == found.next_cursor;
        found.next_cursor = page.next_cursor;
        if found.next_cursor.is_none() || is_stuck || found.credentials.len() >= args.limit {
            break;
        }
    }
    found.credentials.truncate(args.limit);
    Ok(found)
}

fn table(credentials: &[CredentialEntry], paint: Paint) -> String {
    let head = [
        "ID",
        "STATUS",
        "KIND",
        "ENVIRONMENT",
        "REQUESTER",
        "AUDIENCE",
        "UNTIL",
        "REQUEST",
        // Last, because what stands in the way of a broker is told at length.
        "OPEN",
    ];
    let mut table = Table::new(&head, paint);
    for entry in credentials {
        let credential = &entry.credential;
        table.row([
            Cell::text(&credential.id),
            Cell::state(&credential.status, paint),
            Cell::text(&entry.kind),
            Cell::text(&entry.environment),
            Cell::text(&show::principal(&entry.requester.iss, &entry.requester.sub)),
            Cell::text(&credential.audience),
            Cell::text(&credential.expires_at),
            Cell::text(&entry.request),
            Cell::text(&credential.brokered.as_ref().map(show::brokered).unwrap_or_default()),
        ]);
    }
    table.text()
}

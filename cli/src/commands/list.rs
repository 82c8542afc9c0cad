//! `assent list`

use assent_client::Client;
use assent_client::wire::{Request, Requests};

use crate::args::ListArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table};
use crate::show;

/// The server gives no more at once.
const LARGEST_PAGE: usize = 200;

/// Lists requests, newest first.
pub(crate) async fn run(args: ListArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let found = collect(&args, client).await?;
    match args.printing.is_json() {
        true => output.json(&found)?,
        false if found.requests.is_empty() => output.talk("no requests"),
        false => output.data(table(&found.requests, output.data_paint()))?,
    }
    if found.next_cursor.is_some() {
        output.talk(format!("there are more; --limit is {}", args.limit));
    }
    Ok(Exit::Granted)
}

/// Pages until there are enough, or no more.
async fn collect(args: &ListArgs, client: &Client) -> Result<Requests, Failure> {
    let me = match args.mine {
        true => {
            let me = client.whoami().await?.principal;
            Some(show::principal(&me.iss, &me.sub))
        }
        false => None,
    };
    let requester = if args.mine { &me } else { &args.requester };
    let page_size = args.limit.clamp(1, LARGEST_PAGE).to_string();
    let mut found = Requests { requests: Vec::new(), next_cursor: None };
    loop {
        let mut query = vec![("limit", page_size.as_str())];
        query.extend(args.state.map(|state| ("state", state.word())));
        let (since, until) =
            (args.since.map(|at| at.to_string()), args.until.map(|at| at.to_string()));
        let named = [
            ("environment", &args.environment),
            ("kind", &args.kind),
            ("requester", requester),
            ("reviewer", &args.reviewer),
            ("rule", &args.rule),
            ("since", &since),
            ("until", &until),
            ("q", &args.search),
        ];
        query.extend(named.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        query.extend(found.next_cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.requests(&query).await?;
        found.requests.extend(page.requests);
        let is_stuck = page.next_cursor == found.next_cursor;
        found.next_cursor = page.next_cursor;
        if found.next_cursor.is_none() || is_stuck || found.requests.len() >= args.limit {
            break;
        }
    }
    found.requests.truncate(args.limit);
    Ok(found)
}

fn table(requests: &[Request], paint: Paint) -> String {
    let head = ["ID", "STATE", "KIND", "ENVIRONMENT", "REQUESTER", "FILED", "REASON"];
    let mut table = Table::new(&head, paint);
    for request in requests {
        table.row([
            Cell::text(&request.id),
            Cell::state(&request.state, paint),
            Cell::text(&request.intent.kind),
            Cell::text(&request.intent.environment),
            Cell::text(&show::principal(&request.requester.iss, &request.requester.sub)),
            Cell::text(&request.filed_at),
            Cell::text(&request.intent.reason),
        ]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::request;

    #[test]
    fn a_request_is_one_row() {
        let text = table(&[request("pending"), request("denied")], Paint::new(false));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("ID                              STATE    KIND"), "{text}");
        assert!(lines[1].starts_with("req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z  pending  terraform.apply"));
        assert!(lines[2].contains("  denied   "), "{text}");
    }
}

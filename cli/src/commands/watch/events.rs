//! `assent watch --events`: what happens, one line each.

use std::time::Duration;

use assent_client::Client;

use crate::args::WatchArgs;
use crate::events;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// One leg of the long poll.
const LEG: Duration = Duration::from_secs(25);
/// The pause before a lost server is tried again: nothing tells that it is back.
const PAUSE: Duration = Duration::from_secs(2);

/// Prints what happens, until it is interrupted.
pub(super) async fn run(
    args: &WatchArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut next = match args.from {
        Some(from) => from,
        None => client.checkpoint().await?.size,
    };
    let mut is_lost = false;
    loop {
        let entries = match client.await_entries(next, LEG).await {
            Ok(entries) => entries,
            Err(error) if error.retryable => {
                if !is_lost {
                    output.talk(format!("trying again: {}", clean(&error.message)));
                }
                is_lost = true;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if is_lost {
            output.talk("the server answers again");
            is_lost = false;
        }
        for entry in &entries.entries {
            match args.printing.is_json() {
                true => output.json_line(entry)?,
                false => output.data(events::line(entry))?,
            }
            next = next.max(entry.index.saturating_add(1));
        }
    }
}

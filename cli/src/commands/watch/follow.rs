//! What is open, looked at anew whenever anything happens.

use std::time::Duration;

use assent_client::wire::Request;
use assent_client::{Client, ClientError};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::failure::Failure;

/// One leg of the long poll.
const LEG: Duration = Duration::from_secs(25);
/// The pause before a lost server is tried again: nothing tells that it is back.
const PAUSE: Duration = Duration::from_secs(2);
/// How long happenings are gathered before it is looked. What belongs together is several entries, and nothing
/// tells which is the last.
const GATHER: Duration = Duration::from_millis(150);
/// The server gives no more at once.
const PAGE: &str = "200";
/// How many are looked at.
const MOST: usize = 2_000;

/// What was seen.
pub(super) enum Seen {
    /// These are open.
    Open(Vec<Request>),
    /// The server is away; it is tried again.
    Lost(String),
    /// It refuses.
    Failed(Failure),
}

/// Looks until nobody listens any more.
pub(super) async fn follow(client: Client, all: bool) -> Result<Receiver<Seen>, Failure> {
    let (tell, seen) = mpsc::channel(1);
    // From before the first look: what happens in between is seen.
    let next = client.checkpoint().await?.size;
    tokio::spawn(async move {
        tokio::select! {
            () = look(&client, all, next, &tell) => {}
            () = tell.closed() => {}
        }
    });
    Ok(seen)
}

async fn look(client: &Client, all: bool, mut next: u64, tell: &Sender<Seen>) {
    let mut is_due = true;
    loop {
        let looked = match is_due {
            true => open(client, all).await.map(Some),
            false => Ok(None),
        };
        let told = match looked {
            Ok(Some(requests)) => tell.send(Seen::Open(requests)).await,
            Ok(None) => Ok(()),
            Err(error) => {
                if !refused(error, tell).await {
                    return;
                }
                is_due = true;
                continue;
            }
        };
        if told.is_err() {
            return;
        }
        match client.await_entries(next, LEG).await {
            Ok(entries) => {
                is_due = !entries.entries.is_empty();
                let read = entries.entries.iter().map(|entry| entry.index.saturating_add(1));
                next = read.max().unwrap_or(next).max(next);
                if is_due {
                    tokio::time::sleep(GATHER).await;
                }
            }
            Err(error) => {
                if !refused(error, tell).await {
                    return;
                }
                is_due = true;
            }
        }
    }
}

/// Tells of it; whether it is worth another try.
async fn refused(error: ClientError, tell: &Sender<Seen>) -> bool {
    match error.retryable {
        true => {
            let told = tell.send(Seen::Lost(error.message.clone())).await;
            tokio::time::sleep(PAUSE).await;
            told.is_ok()
        }
        false => {
            // Nobody to tell is as good as told.
            let _ = tell.send(Seen::Failed(error.into())).await;
            false
        }
    }
}

async fn open(client: &Client, all: bool) -> Result<Vec<Request>, ClientError> {
    let state = if all { "open" } else { "pending" };
    let mut requests: Vec<Request> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = vec![("state", state), ("limit", PAGE)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.requests(&query).await?;
        requests.extend(page.requests);
        if page.next_cursor.is_none() || page.next_cursor == cursor || requests.len() >= MOST {
            return Ok(requests);
        }
        cursor = page.next_cursor;
    }
}

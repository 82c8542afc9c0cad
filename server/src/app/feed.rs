//! The audit log as it is written, for those who follow it: programs and open pages.
//!
//! Whoever follows is looked at again with every entry and every few seconds: a session or a token that
//! has ended is told nothing more. Whoever reads only what concerns them is told of that and of nothing
//! else. A reader that does not read is let go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use assent_core::id::RequestId;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::app::places::Place;
use crate::app::readers::Reader;
use crate::app::{AppError, Authority, Caller};

/// How many streams one caller has open at once. A browser has six connections to a server.
pub const STREAMS_OF_ONE: usize = 24;
/// How many there are in all.
pub(super) const STREAMS: usize = 5_000;
/// How often it is looked again whether whoever follows may still.
const AGAIN: Duration = Duration::from_secs(4);
/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many entries are read at once.
const AT_ONCE: usize = 500;
/// A page that is further behind than this is told so and looks at everything anew.
const FAR_BEHIND: u64 = 2_000;

/// How much of each entry is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Whole,
    /// Its type, and the request it is about; nothing of sessions and tokens. For pages, which then
    /// look at what they show anew.
    Brief,
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// An entry, with its index.
    Entry(u64, Value),
    /// More was written than is told one by one: everything may have changed, up to this index.
    Everything(u64),
}

impl Authority {
    /// Follows the log from this index on, or from what comes next.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`] for workloads: the log tells of everybody's requests;
    /// [`AppError::TooManyStreams`].
    pub async fn follow_log(
        self: &Arc<Self>,
        caller: &Caller,
        from: Option<u64>,
        detail: Detail,
    ) -> Result<mpsc::Receiver<Told>, AppError> {
        if !caller.is_reader() {
            return Err(AppError::NotAdministrator);
        }
        let place = self.feeds.take(&caller.principal().id).ok_or(AppError::TooManyStreams)?;
        let next = self.ledger.head().await?.size;
        let (send, receive) = mpsc::channel(64);
        let mut stream = Stream {
            authority: Arc::clone(self),
            caller: caller.clone(),
            from: from.unwrap_or(next),
            detail,
            send,
            _place: place,
        };
        if detail == Detail::Brief && stream.from.saturating_add(FAR_BEHIND) < next {
            stream.from = next;
            // There is room for the first.
            let _ = stream.send.try_send(Told::Everything(next.saturating_sub(1)));
        }
        tokio::spawn(stream.run());
        Ok(receive)
    }

    /// Whether an entry may be told to somebody who reads only what concerns them.
    async fn concerns_reader(
        &self,
        entry: &Value,
        reader: &Reader,
        known: &mut HashMap<RequestId, bool>,
    ) -> Result<bool, AppError> {
        let id = named_request(entry).and_then(|id| id.as_str()?.parse::<RequestId>().ok());
        let Some(id) = id else { return Ok(false) };
        if let Some(reads) = known.get(&id) {
            return Ok(*reads);
        }
        let request = self.ledger.load(id, None).await?;
        let reads = request.is_some_and(|request| reader.reads(&request));
        known.insert(id, reads);
        Ok(reads)
    }
}

struct Stream {
    authority: Arc<Authority>,
    caller: Caller,
    from: u64,
    detail: Detail,
    send: mpsc::Sender<Told>,
    _place: Place,
}

impl Stream {
    /// Until the reader goes away or may read no more, or the server stops.
    async fn run(mut self) {
        loop {
            let entries = tokio::select! {
                entries = self.authority.await_entries(self.from, AT_ONCE, AGAIN) => entries,
                () = self.send.closed() => return,
            };
            let Ok(entries) = entries else { return };
            // Before anything more is told: what was written may be the end of this very session.
            let Ok(caller) = self.authority.still_admits(&self.caller).await else { return };
            self.caller = caller;
            if entries.is_empty() {
                continue;
            }
            let reader = self.authority.reader(&self.caller).await;
            let mut known = HashMap::new();
            for entry in entries {
                let index = self.from;
                self.from += 1;
                if !reader.reads_everything() {
                    let told = self.authority.concerns_reader(&entry, &reader, &mut known).await;
                    match told {
                        Ok(true) => {}
                        Ok(false) => continue,
                        Err(_) => return,
                    }
                }
                let Some(told) = told(entry, self.detail) else { continue };
                let sent = self.send.send(Told::Entry(index, told));
                match tokio::time::timeout(PATIENCE, sent).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        }
    }
}

/// The request that an entry is about. That what was requested is begun names it in a member of its
/// own.
fn named_request(entry: &Value) -> Option<&Value> {
    entry.get("request").or_else(|| entry.get("begun"))
}

fn told(entry: Value, detail: Detail) -> Option<Value> {
    match detail {
        Detail::Whole => Some(entry),
        Detail::Brief if entry.get("access").is_some() => None,
        Detail::Brief => {
            let mut brief = serde_json::Map::new();
            brief.extend(entry.get("type").map(|word| ("type".to_owned(), word.clone())));
            brief.extend(named_request(&entry).map(|id| ("request".to_owned(), id.clone())));
            Some(Value::Object(brief))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_is_told_which_request_and_nothing_of_it() {
        let entry = json!({"type": "reviewed", "request": "req_1", "comment": "secret words"});
        let brief = told(entry, Detail::Brief);
        assert_eq!(brief, Some(json!({"type": "reviewed", "request": "req_1"})));
        assert_eq!(told(json!({"type": "access_made", "access": {}}), Detail::Brief), None);
    }
}

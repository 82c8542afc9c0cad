//! Files that are handed out part by part, as fast as they are taken, and only as long as whoever takes
//! them may. One that is not whole breaks off, so that nobody takes it for a whole one.

use std::future::ready;
use std::io::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use futures_util::stream::once;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::{AppError, Authority, Caller, Place};

/// How long whoever takes a file may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is being handed out.
pub(super) struct Handing {
    authority: Arc<Authority>,
    caller: Caller,
    parts: Parts,
    _place: Place,
}

struct Parts {
    send: Sender<Bytes>,
    whole: Arc<AtomicBool>,
}

impl Parts {
    fn new() -> (Self, Body) {
        let (send, receive) = channel(4);
        let whole = Arc::new(AtomicBool::new(false));
        let is_whole = Arc::clone(&whole);
        let end = once(async move { is_whole.load(Ordering::Acquire) });
        let broken = |whole: bool| ready((!whole).then(|| Err(Error::other("the file broke off"))));
        let parts = ReceiverStream::new(receive).map(Ok).chain(end.filter_map(broken));
        (Self { send, whole }, Body::from_stream(parts))
    }

    async fn give(&self, part: Bytes) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.send.send(part)).await, Ok(Ok(())))
    }
}

impl Handing {
    /// Begins to hand one out.
    ///
    /// # Errors
    /// [`AppError::TooManyFiles`].
    pub(super) fn begin(
        authority: Arc<Authority>,
        caller: Caller,
    ) -> Result<(Self, Body), AppError> {
        let place = authority.place_for_file(&caller)?;
        let (parts, body) = Parts::new();
        Ok((Self { authority, caller, parts, _place: place }, body))
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Whoever takes it, as what they came in by lets them in still; `None` where it does not, or the
    /// server stops.
    pub(super) async fn caller(&mut self) -> Option<&Caller> {
        if self.authority.closing().is_cancelled() {
            return None;
        }
        self.caller = self.authority.still_admits(&self.caller).await.ok()?;
        Some(&self.caller)
    }

    /// Gives the next part. `false` where nobody takes it.
    pub(super) async fn give(&self, part: impl Into<Bytes>) -> bool {
        self.parts.give(part.into()).await
    }

    /// That was all of it.
    pub(super) fn end(self) {
        self.parts.whole.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: Body) -> Result<usize, axum::Error> {
        let all = axum::body::to_bytes(body, usize::MAX).await;
        all.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_file_that_is_not_whole_breaks_off() {
        let (parts, body) = Parts::new();
        assert!(parts.give("abc".into()).await);
        parts.whole.store(true, Ordering::Release);
        drop(parts);
        assert_eq!(read(body).await.unwrap(), 3);
        let (parts, body) = Parts::new();
        assert!(parts.give("abc".into()).await);
        drop(parts);
        assert!(read(body).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn t61_whoever_takes_nothing_of_a_file_is_let_go() {
        let (parts, body) = Parts::new();
        let begun = tokio::time::Instant::now();
        let mut given = 0;
        while parts.give("abc".into()).await {
            given += 1;
        }
        assert_eq!((given, begun.elapsed()), (4, PATIENCE));
        drop(parts);
        assert!(read(body).await.is_err());
    }
}

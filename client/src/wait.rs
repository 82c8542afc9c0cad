//! Waiting until a request is decided, over lost servers and restarts.

use std::time::{Duration, Instant};

use crate::settings::{chance, spread};
use crate::{Client, ClientError, wire};

/// One leg of the long poll.
const LEG: Duration = Duration::from_secs(25);
/// The longest pause between two tries to reach a lost server.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a server can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// What a waiting caller is told as it happens.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The request, first as it is and then whenever it has changed.
    Changed(&'a wire::Request),
    /// The server does not answer; it is tried again.
    Lost(&'a ClientError),
}

impl Client {
    /// Waits until the request is no longer pending, or the deadline has passed, and answers with
    /// it as it is then. A server that is away is tried again until the deadline; without one,
    /// for ever.
    ///
    /// # Errors
    /// [`ClientError`] that trying again cannot mend, or the last one at the deadline.
    pub async fn until_settled(
        &self,
        id: &str,
        deadline: Option<Instant>,
        mut tell: impl FnMut(Progress<'_>),
    ) -> Result<wire::Request, ClientError> {
        let mut after = 0;
        let mut last: Option<wire::Request> = None;
        let mut pause = Duration::from_millis(100);
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(clock()));
            let leg = left.map_or(LEG, |left| left.min(LEG));
            match self.wait(id, after, leg).await {
                Ok(request) => {
                    pause = Duration::from_millis(100);
                    if last.as_ref().is_none_or(|last| last.version != request.version) {
                        tell(Progress::Changed(&request));
                    }
                    let is_over = deadline.is_some_and(|at| clock() >= at);
                    if request.state != "pending" || is_over {
                        return Ok(request);
                    }
                    after = request.version;
                    last = Some(request);
                }
                Err(error) if error.retryable => {
                    tell(Progress::Lost(&error));
                    let asked = error.wait.unwrap_or_default().min(LONGEST_ASKED);
                    let next = spread(pause, chance()).max(asked);
                    if deadline.is_some_and(|at| clock() + next >= at) {
                        return last.ok_or(error);
                    }
                    tokio::time::sleep(next).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn clock() -> Instant {
    Instant::now()
}

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

/// How long is waited, and what else is tried meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Until when; without one, for ever.
    pub deadline: Option<Instant>,
    /// How often the request is simply asked for where a leg of the long poll failed: proxies end calls
    /// that take long. Without it, only the long poll is tried again.
    pub ask_every: Option<Duration>,
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
        tell: impl FnMut(Progress<'_>),
    ) -> Result<wire::Request, ClientError> {
        self.until_settled_with(id, Patience { deadline, ask_every: None }, tell).await
    }

    /// The same, with another patience.
    ///
    /// # Errors
    /// As [`Client::until_settled`].
    pub async fn until_settled_with(
        &self,
        id: &str,
        patience: Patience,
        mut tell: impl FnMut(Progress<'_>),
    ) -> Result<wire::Request, ClientError> {
        let Patience { deadline, ask_every } = patience;
        let mut after = 0;
        let mut last: Option<wire::Request> = None;
        let mut pause = Duration::from_millis(100);
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(clock()));
            let leg = left.map_or(LEG, |left| left.min(LEG));
            let mut asked = None;
            let answer = match (self.wait(id, after, leg).await, ask_every) {
                (Err(error), Some(every)) if error.retryable => {
                    asked = Some(every);
                    self.request(id).await
                }
                (answer, _) => answer,
            };
            match answer {
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
                    // The leg ended before its time, so that time has to pass otherwise.
                    if let Some(every) = asked {
                        let left = deadline.map(|at| at.saturating_duration_since(clock()));
                        tokio::time::sleep(left.map_or(every, |left| left.min(every))).await;
                    }
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

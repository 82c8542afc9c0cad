//! Waiting for a decision, and a line in the log at sensible intervals.

use std::cell::RefCell;
use std::pin::pin;
use std::time::{Duration, Instant};

use assent_client::wire::Request;
use assent_client::{Client, ClientError, Patience, Progress};

use crate::log::Log;
use crate::summary::{awaited, in_words};

/// After how long without news a line is printed first; the pauses grow to the longest.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(600);

/// Waits until the request is decided or the patience is over, and answers with it as it is then.
pub(crate) async fn until_settled(
    client: &Client,
    id: &str,
    patience: Patience,
    log: &Log,
) -> Result<Request, ClientError> {
    let board = RefCell::new(Board { log, known: None, lost: false });
    let tell = |progress: Progress<'_>| board.borrow_mut().tell(progress);
    let mut waiting = pin!(client.until_settled_with(id, patience, tell));
    let since = Instant::now();
    for pause in pauses() {
        tokio::select! {
            settled = &mut waiting => return settled,
            () = tokio::time::sleep(pause) => {
                let so_far = in_words(since.elapsed());
                board.borrow().say(&format!("waiting for {so_far}"));
            }
        }
    }
    waiting.await
}

/// How long nothing is said, each time that there is nothing new; without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST), |pause| Some((*pause * 2).min(LONGEST)))
}

/// What is known.
struct Board<'a> {
    log: &'a Log,
    known: Option<String>,
    lost: bool,
}

impl Board<'_> {
    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Changed(request) => {
                self.lost = false;
                self.known = Some(situation(request));
                self.say("");
            }
            // Each try fails in its own words; the first ones are enough.
            Progress::Lost(error) if !self.lost => {
                self.lost = true;
                self.log.say(format!("trying again: {}", error.message));
            }
            Progress::Lost(_) => {}
        }
    }

    fn say(&self, head: &str) {
        let parts = [Some(head).filter(|head| !head.is_empty()), self.known.as_deref()];
        self.log.say(parts.into_iter().flatten().collect::<Vec<_>>().join(": "));
    }
}

/// How far a request is, in one line.
fn situation(request: &Request) -> String {
    let open = request.stages.iter().filter(|stage| stage.open);
    let stages: Vec<_> = open.map(awaited).collect();
    match stages.is_empty() {
        true => format!("{} {}", request.id, request.state),
        false => format!("{} {}: {}", request.id, request.state, stages.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_without_news_is_eight_lines() {
        let said = pauses().scan(Duration::ZERO, |at, pause| {
            *at += pause;
            Some(*at)
        });
        let minutes: Vec<_> = said.map(|at| at.as_secs() / 60).take_while(|at| *at < 60).collect();
        assert_eq!(minutes, [1, 3, 7, 15, 25, 35, 45, 55]);
    }
}

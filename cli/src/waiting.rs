//! Waiting for a decision, and saying how far it is.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use assent_client::wire::Request;
use assent_client::{Client, Progress};
use assent_core::time::Span;

use crate::clock;
use crate::failure::Failure;
use crate::output::{Line, Output, clean};
use crate::show;

/// Waits until the request is decided, at most this long, and answers with it as it is then.
pub(crate) async fn until_settled(
    client: &Client,
    id: &str,
    limit: Option<Span>,
    output: &Output,
) -> Result<Request, Failure> {
    let board = RefCell::new(Board { line: output.line(), known: None, lost: None });
    let deadline = limit.map(clock::deadline);
    let waiting = client.until_settled(id, deadline, |progress| board.borrow_mut().tell(progress));
    let mut waiting = pin!(waiting);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let settled = loop {
        tokio::select! {
            settled = &mut waiting => break settled,
            _ = seconds.tick() => board.borrow_mut().tick(),
        }
    };
    board.borrow_mut().line.wipe();
    Ok(settled?)
}

/// What is known, and the line that says it.
struct Board {
    line: Line,
    known: Option<Request>,
    lost: Option<String>,
}

impl Board {
    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Changed(request) => {
                self.known = Some(request.clone());
                self.lost = None;
                self.draw();
            }
            Progress::Lost(error) => {
                // Each try fails in its own words; without a terminal the first ones are enough.
                let is_news = self.lost.replace(clean(&error.message)).is_none();
                if is_news || self.line.rewrites() {
                    self.draw();
                }
            }
        }
    }

    fn tick(&mut self) {
        if self.line.rewrites() && self.known.is_some() {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let text = match (&self.lost, &self.known) {
            (Some(lost), _) => format!("trying again: {lost}"),
            // Lines that stay are read later and by themselves, so they say of what they speak.
            (None, Some(request)) => match self.line.rewrites() {
                true => show::situation(request, clock::now()),
                false => show::progress(request, clock::now()),
            },
            (None, None) => return,
        };
        self.line.show(&text);
    }
}

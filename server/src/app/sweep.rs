//! What has to be done without anybody asking. Nothing depends on it being on time.

use std::time::Duration;

use crate::app::{AppError, Authority};
use crate::ledger::CALLS_ARE_KEPT;

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// A longer time between two rounds means that this process stood still, or the whole machine.
const PAUSED: assent_core::time::Span = assent_core::time::Span::seconds(10);
/// How many at a time.
const AT_ONCE: usize = 256;

impl Authority {
    /// Sweeps until the server stops.
    pub async fn sweep_until_closing(&self) {
        let mut round: u64 = 0;
        let mut last = self.clock.now();
        loop {
            // Whoever called while this process stood still was not heard.
            if last.until(self.clock.now()) > PAUSED {
                self.hearing.was_lost();
            }
            last = self.clock.now();
            if let Err(error) = self.sweep().await {
                self.hearing.was_lost();
                tracing::warn!(%error, "the sweep will be tried again");
            }
            if round.is_multiple_of(3600) {
                let kept = assent_core::time::Span::seconds(CALLS_ARE_KEPT.as_secs());
                let now = self.clock.now().as_millis();
                let before = now.saturating_sub(kept.as_seconds() as i64 * 1000);
                let before = assent_core::time::Timestamp::from_millis(before);
                if let Err(error) = self.ledger.forget_calls(before).await {
                    tracing::warn!(%error, "old calls could not be forgotten");
                }
                if let Err(error) = self.forget_pieces(self.clock.now()).await {
                    tracing::warn!(%error, "pieces of plans that nothing keeps could not be removed");
                }
                self.forget_vouched(self.clock.now());
                if let Err(error) = self.forget_told(before).await {
                    tracing::warn!(%error, "old signals could not be forgotten");
                }
                if let Err(error) = self.forget_deliveries(self.clock.now()).await {
                    tracing::warn!(%error, "old deliveries of GitHub could not be forgotten");
                }
                if let Err(error) = self.forget_notices(self.clock.now()).await {
                    tracing::warn!(%error, "old notices could not be forgotten");
                }
                if let Err(error) = self.ledger.forget_exchanges(self.clock.now()).await {
                    tracing::warn!(%error, "old exchanges could not be forgotten");
                }
            }
            round += 1;
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.told_something() => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Follows through what was told, and puts on record every deadline that has passed and every
    /// silence that was too long; says how many.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn sweep(&self) -> Result<usize, AppError> {
        self.follow_signals().await?;
        let due = self.ledger.due(self.clock.now(), AT_ONCE).await?;
        let mut done = 0;
        for id in due {
            // One that cannot be read does not keep the others from their end.
            match self.current(id).await {
                Ok(_) => done += 1,
                Err(error) => tracing::warn!(%id, %error, "a deadline could not be put on record"),
            }
        }
        Ok(done + self.end_silent().await?)
    }
}

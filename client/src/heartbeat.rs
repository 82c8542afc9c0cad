//! Signs of life for a credential, for as long as it is held.

use std::time::Duration;

use assent_core::time::Span;

use crate::{Client, ClientError, ErrorKind};

impl Client {
    /// Sends signs of life for this credential, three in the time that its holder may be silent (the
    /// `heartbeat` that was minted with it), until the future is dropped or the credential has ended,
    /// which is what this then gives. Where none are asked for it neither does anything nor ends.
    /// Without an answer the next is sent at its time.
    pub async fn keep_alive(&self, id: &str, heartbeat: Option<&str>) -> ClientError {
        match heartbeat.and_then(|text| text.parse().ok()) {
            Some(every) => self.beat(id, pause(every)).await,
            None => std::future::pending().await,
        }
    }

    async fn beat(&self, id: &str, pause: Duration) -> ClientError {
        loop {
            tokio::time::sleep(pause).await;
            // An answer that takes longer than that is not waited for.
            let sent = tokio::time::timeout(pause, self.heartbeat(id)).await;
            if let Ok(Err(error)) = sent
                && has_ended(&error)
            {
                return error;
            }
        }
    }
}

fn pause(every: Span) -> Duration {
    let third = u64::try_from(every.as_millis() / 3).unwrap_or(0);
    Duration::from_millis(third).max(Duration::from_millis(200))
}

fn has_ended(error: &ClientError) -> bool {
    matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_are_sent_in_the_time_that_a_holder_may_be_silent() {
        assert_eq!(pause(Span::minutes(2)), Duration::from_secs(40));
        assert_eq!(pause(Span::ZERO), Duration::from_millis(200));
    }
}

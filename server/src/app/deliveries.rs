//! Deliveries of GitHub's webhook: each is heard once.

use assent_core::time::{Span, Timestamp};

use super::{AppError, Authority};
use crate::github::Delivery;
use crate::ledger::LedgerError;

/// How long a delivery is remembered: as long as GitHub can send it again (*Redelivering webhooks*).
const REMEMBERED: Span = Span::hours(3 * 24);

impl Authority {
    /// Takes a delivery that was proven. One that was taken before does nothing; whether it did
    /// anything is the answer.
    ///
    /// # Errors
    /// [`AppError::Ledger`]: it was not heard, and may be sent again.
    pub async fn take_delivery(&self, delivery: Delivery) -> Result<bool, AppError> {
        let is_first = self.ledger.remember_delivery(&delivery.id, self.clock.now()).await?;
        if is_first {
            self.hear_github(&delivery);
        }
        Ok(is_first)
    }

    /// Forgets deliveries that GitHub cannot send again.
    pub(super) async fn forget_deliveries(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_deliveries(now.before(REMEMBERED)).await
    }
}

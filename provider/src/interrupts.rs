//! Stopping what is under way when Terraform asks.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The token that every operation under way listens to.
///
/// Stopping puts a new token in place: a process that people attach Terraform to
/// serves many runs, and the end of one must not stop the next.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(Mutex<CancellationToken>);

impl Interrupts {
    /// A token for one operation.
    pub(crate) fn operation(&self) -> CancellationToken {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).child_token()
    }

    /// Stops every operation under way; returns at once.
    pub(crate) fn stop(&self) {
        let current = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        current.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_ends_what_is_under_way_and_nothing_later() {
        let interrupts = Interrupts::default();
        let (first, second) = (interrupts.operation(), interrupts.operation());
        interrupts.stop();
        assert!(first.is_cancelled() && second.is_cancelled());
        assert!(!interrupts.operation().is_cancelled());
    }

    #[test]
    fn the_end_of_one_operation_is_not_the_end_of_others() {
        let interrupts = Interrupts::default();
        let (first, second) = (interrupts.operation(), interrupts.operation());
        first.cancel();
        assert!(!second.is_cancelled());
    }
}

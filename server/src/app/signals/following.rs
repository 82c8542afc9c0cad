//! Following a signal through: what it ends is ended, request by request. Nothing depends on it being
//! on time, because every look at a request does the same for that one; and nothing is lost if the
//! authority dies over it, because a signal counts as unsettled until all were looked at.

use assent_core::id::SignalId;
use assent_core::membership::Membership;
use assent_core::request::{Effect, KnownAs, Request, Step};
use assent_core::signal::Signal;
use assent_core::time::Timestamp;
use futures_util::stream::{self, StreamExt as _};

use crate::app::{AppError, Authority};

/// How many requests are looked at at once: enough for the ledger to write what ends in groups.
const AT_ONCE: usize = 64;

impl Authority {
    /// Follows through everything that was told and is not settled.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; what could not be done will be by the next call.
    pub async fn follow_signals(&self) -> Result<(), AppError> {
        if self.is_doubtful() {
            self.learn_signals().await?;
        }
        let unsettled: Vec<SignalId> = self.board().unsettled().map(|signal| signal.id).collect();
        if unsettled.is_empty() {
            return Ok(());
        }
        let each = self.ledger.within_reach(self.clock.now()).await?.into_iter().map(async |id| {
            // One that cannot be read does not keep the others from their end.
            let looked = self.current(id).await;
            let looked = looked.inspect_err(|error| {
                tracing::warn!(%id, %error, "a signal could not be followed through");
            });
            looked.is_ok()
        });
        let looked = stream::iter(each).buffer_unordered(AT_ONCE);
        // To the last one, whatever became of the others.
        if looked.fold(true, async |all, is_done| all && is_done).await {
            self.ledger.settle(unsettled.clone()).await?;
            self.settled(&unsettled);
        }
        Ok(())
    }

    /// What an unsettled signal does to this request.
    pub(in crate::app) async fn stop_of(
        &self,
        request: &Request,
    ) -> Result<Option<Step>, AppError> {
        let (board, now) = (self.board(), self.clock.now());
        let membership = self.membership();
        for signal in board.unsettled() {
            let known_as = known_as(&membership, signal);
            let stops = match request.stopped_by(signal, &known_as, now) {
                Effect::None => false,
                Effect::Stop => true,
                Effect::Reconsider => self.is_ruled_otherwise(&self.policy(), request).await?,
            };
            if stops {
                return Ok(request.stop(signal, &known_as, now));
            }
        }
        Ok(None)
    }

    /// Whether what the request was granted is at an end by what was told, on record or not yet.
    pub(in crate::app) fn is_cut(&self, request: &Request, now: Timestamp) -> bool {
        let membership = self.membership();
        let stops = |signal: &Signal| {
            request.stopped_by(signal, &known_as(&membership, signal), now) == Effect::Stop
        };
        self.board().unsettled().any(stops)
            || self.suspended_among(request.requester(), now).is_some()
    }
}

/// Every account of whomever a signal is about, as policy links them now.
fn known_as(membership: &Membership, signal: &Signal) -> KnownAs {
    let who = signal.about.principal();
    who.map(|who| membership.known_as(&[who].into())).unwrap_or_default()
}

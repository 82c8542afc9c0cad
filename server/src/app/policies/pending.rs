//! What becomes of requests that are pending when another policy takes over.

use assent_core::id::RequestId;
use assent_core::policy::Policy;
use assent_core::policy::document::OnChange;
use assent_core::policy::ruling::Ruling;
use assent_core::policy::situation::{Known, Situation};
use assent_core::request::{Request, State};

use crate::app::{AppError, Authority, TRIES};
use crate::ledger::{Commit, States};

/// How many pending requests are looked at together.
const PAGE: usize = 200;

impl Authority {
    /// Looks at everything pending that was ruled on under another revision, as policy says.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; what could not be looked at will be by the next call.
    pub async fn reconsider_pending(&self) -> Result<(), AppError> {
        let mut before: Option<RequestId> = None;
        loop {
            let page = self.ledger.list(States::Only("pending"), before, PAGE).await?;
            for request in &page {
                self.reconsider(request.id()).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Ends a pending request if policy rules otherwise now than it did when it was filed.
    pub(in crate::app) async fn reconsider(&self, id: RequestId) -> Result<(), AppError> {
        for _ in 0..TRIES {
            let request = self.current(id).await?;
            let policy = self.policy();
            if !matches!(request.state(), State::Pending(_))
                || request.ruling().policy == policy.revision()
                || !self.is_superseded(&policy, &request).await?
            {
                return Ok(());
            }
            let Some(step) = request.supersede(self.clock.now()) else { return Ok(()) };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy)
    }

    async fn is_superseded(&self, policy: &Policy, request: &Request) -> Result<bool, AppError> {
        match policy.on_change() {
            OnChange::Keep => Ok(false),
            OnChange::EndAll => Ok(true),
            OnChange::EndChanged => self.is_ruled_otherwise(policy, request).await,
        }
    }

    /// Whether policy rules otherwise on it now than it did.
    pub(in crate::app) async fn is_ruled_otherwise(
        &self,
        policy: &Policy,
        request: &Request,
    ) -> Result<bool, AppError> {
        // As of the filing: that a window has closed since is no change of policy. What
        // other systems tell, the requester's groups and which rules are suspended are of
        // today, so that nothing they stop passes by this.
        let (intent, now) = (request.intent(), request.filed_at());
        let requester = &self.in_all_groups(request.requester());
        let signals = self.told().await?.as_ref().clone();
        let plan = self.plan_again(request.known().plan.clone()).await?;
        let suspended = self.suspended(self.clock.now()).await?;
        let concerns = self.concerns(intent, requester, self.clock.now());
        let known = Known { signals, concerns, suspended, plan, ..request.known().clone() };
        let known = self.with_opinions(policy, intent, requester, known, now).await?;
        let today = policy.rule(&Situation { intent, requester, known: &known, now });
        let then = request.ruling();
        Ok(Ruling { policy: then.policy, ..today } != *then)
    }
}

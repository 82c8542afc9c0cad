//! An approval that is presented with an evaluation. It grants nothing by itself: policy has been
//! asked anew, and the approval must be this requester's, for exactly this, and stand now.

use assent_core::id::RequestId;
use assent_core::intent::Intent;
use assent_core::policy::ruling::{Outcome, Ruling};
use assent_core::principal::Principal;
use assent_core::request::Request;
use assent_core::time::Timestamp;
use assent_core::wire::authzen::{Approval, Evaluation};

use crate::app::authzen::mapping;
use crate::app::{AppError, Authority};

/// What came of looking at `context.approval`. The reasons are those of the profile, section
/// "Approval and Re-evaluation".
pub(super) enum Presented {
    /// None was presented.
    Nothing { may_ask: bool },
    /// It covers what policy asks.
    Stands(Approval),
    /// It does not, and asking anew may help or not.
    Fails { reason: &'static str, may_ask: bool },
}

impl Authority {
    pub(super) async fn presented(
        &self,
        evaluation: &Evaluation,
        intent: &Intent,
        requester: &Principal,
        ruling: &Ruling,
    ) -> Result<Presented, AppError> {
        let reference = evaluation.context.get("approval");
        let asked = match (&ruling.outcome, reference) {
            (Outcome::Require(_), None) => return Ok(Presented::Nothing { may_ask: true }),
            (Outcome::Require(asked), Some(_)) => asked,
            (Outcome::Permit(_) | Outcome::Refuse(_), None) => {
                return Ok(Presented::Nothing { may_ask: false });
            }
            (Outcome::Permit(_) | Outcome::Refuse(_), Some(_)) => {
                return Ok(Presented::Fails { reason: "policy_denied", may_ask: false });
            }
        };
        let id = reference.and_then(|reference| reference.get("id")?.as_str()?.parse().ok());
        let unverifiable = Presented::Fails { reason: "approval_unverifiable", may_ask: false };
        let Some(request) = self.approved_once(id, requester).await? else {
            return Ok(unverifiable);
        };
        if !mapping::is_same(request.intent(), intent) {
            return Ok(Presented::Fails { reason: "out_of_scope", may_ask: true });
        }
        let now = self.clock.now();
        let until = request.stands_for(asked, &self.membership(), now);
        let until = until.map(|end| wished_end(&request).map_or(end, |wished| wished.min(end)));
        match until.filter(|until| now < *until) {
            Some(until) => Ok(Presented::Stands(Approval {
                id: request.id().to_string(),
                approved_at: None,
                approved_until: until.to_string(),
            })),
            None => Ok(Presented::Fails { reason: "approval_expired", may_ask: true }),
        }
    }

    /// The request of this id, if it is this requester's and was approved at some time.
    async fn approved_once(
        &self,
        id: Option<RequestId>,
        requester: &Principal,
    ) -> Result<Option<Request>, AppError> {
        let Some(id) = id else { return Ok(None) };
        let request = match self.current(id).await {
            Err(AppError::NotFound { .. }) => return Ok(None),
            found => found?,
        };
        let is_theirs = request.requester().id == requester.id;
        let was_approved = is_theirs && self.was_approved(&request).await?;
        Ok(was_approved.then_some(request))
    }
}

/// Until when the requester said that it is needed.
pub(super) fn wished_end(request: &Request) -> Option<Timestamp> {
    let said = mapping::said_of(request.intent())?;
    said.get("requested_access")?.get("requested_until")?.as_str()?.parse().ok()
}

//! What is shown of a request beside the commit, and beside the deployment where the App is set up so.
//! It decides nothing: the answer never waits for it.

use assent_core::request::{Request, State};
use assent_core::time::Span;

use super::{DeploymentError, Seen, words};
use crate::app::Authority;
use crate::github::{Check, CheckState, Conclusion, DeploymentState, GithubError};
use crate::ledger::Gate;

/// For how long after the answer it is tried to show it.
const TRIED: Span = Span::minutes(15);
/// Stands where a check is being made whose number is not known yet.
const BEING_MADE: &str = "?";

impl Authority {
    /// Shows the request, and tries again later where GitHub did not take it.
    pub(super) async fn show_gate(
        &self,
        seen: Seen<'_>,
        gate: &mut Gate,
        request: &Request,
    ) -> Result<(), DeploymentError> {
        self.state_deployment(seen, gate, request).await?;
        let now = self.clock.now();
        if self.deployments.known().showing.is_pausing(&gate.key, now) {
            return Ok(());
        }
        let shown = self.show_check(seen, gate, request).await;
        let mut known = self.deployments.known();
        let Err(error) = shown else {
            known.showing.done(&gate.key);
            return Ok(());
        };
        tracing::warn!(request = %request.id(), %error, "GitHub shows no check of a request");
        known.showing.failed(gate.key.clone(), now);
        // Nothing else may bring anybody here again.
        let is_over = gate.answer.is_some() && gate.at.until(now) < TRIED;
        match error {
            DeploymentError::Github(_) if is_over => Err(error),
            DeploymentError::Github(_) => Ok(()),
            DeploymentError::App(_) | DeploymentError::Ambiguous | DeploymentError::Unsettled => {
                Err(error)
            }
        }
    }

    async fn show_check(
        &self,
        seen: Seen<'_>,
        gate: &mut Gate,
        request: &Request,
    ) -> Result<(), DeploymentError> {
        let shown = words::summary(request, &self.membership(), self.clock.now(), &self.base);
        if gate.check_run.is_some() && gate.shown == shown {
            return Ok(());
        }
        let (link, id) = (words::link(request, &self.base), request.id().to_string());
        let name = format!("Assent: {}", request.intent().environment());
        let check = Check {
            name: &name,
            details_url: &link,
            state: state_of(request),
            title: &words::title(request.state().word()),
            summary: &shown,
            external_id: &id,
        };
        if gate.check_run.is_none() && gate.shown == BEING_MADE {
            gate.check_run = seen.repository.find_check(&gate.sha, &name, &id).await?;
        }
        match gate.check_run {
            Some(number) => match seen.repository.update_check(number, &check).await {
                Ok(()) => {}
                // Somebody has removed it.
                Err(error @ GithubError::NotFound(_)) => {
                    gate.check_run = None;
                    BEING_MADE.clone_into(&mut gate.shown);
                    self.ledger.keep_gate(gate.clone()).await?;
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            },
            None => {
                BEING_MADE.clone_into(&mut gate.shown);
                self.ledger.keep_gate(gate.clone()).await?;
                gate.check_run = Some(seen.repository.create_check(&gate.sha, &check).await?);
            }
        }
        gate.shown = shown;
        Ok(self.ledger.keep_gate(gate.clone()).await?)
    }

    /// Each word once: of one that was lost nobody knows whether GitHub has it.
    async fn state_deployment(
        &self,
        seen: Seen<'_>,
        gate: &mut Gate,
        request: &Request,
    ) -> Result<(), DeploymentError> {
        let Some(deployment) = gate.deployment.filter(|_| seen.github.states_deployments()) else {
            return Ok(());
        };
        let state = match request.state() {
            State::Pending(_) => DeploymentState::Pending,
            // From here on the job states it.
            State::Approved(_) | State::Consumed(_) => return Ok(()),
            State::Denied(_) | State::Expired(_) | State::Canceled(_) | State::Revoked(_) => {
                DeploymentState::Failure
            }
        };
        let word = request.state().word();
        if gate.stated == word {
            return Ok(());
        }
        let before = std::mem::replace(&mut gate.stated, word.to_owned());
        self.ledger.keep_gate(gate.clone()).await?;
        let (title, link) = (words::title(word), words::link(request, &self.base));
        let stated =
            seen.repository.create_deployment_status(deployment, state, &title, &link).await;
        let Err(error) = stated else { return Ok(()) };
        tracing::warn!(deployment, %error, "GitHub took no status of a deployment");
        if matches!(error, GithubError::Limited { .. }) {
            gate.stated = before;
            self.ledger.keep_gate(gate.clone()).await?;
        }
        Ok(())
    }
}

fn state_of(request: &Request) -> CheckState {
    match request.state() {
        State::Pending(_) => CheckState::InProgress,
        State::Approved(_) | State::Consumed(_) => CheckState::Done(Conclusion::Success),
        State::Denied(_) | State::Revoked(_) => CheckState::Done(Conclusion::Failure),
        State::Expired(_) => CheckState::Done(Conclusion::TimedOut),
        State::Canceled(_) => CheckState::Done(Conclusion::Cancelled),
    }
}

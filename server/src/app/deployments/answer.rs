//! What is said to a run that waits: that it waits, and then whether it may go on.
//!
//! Each word stands in the ledger before it is sent. So a word whose answer was lost is not sent
//! blindly again: of a verdict it is looked first whether anything still waits for it, and of a report
//! it is not known any more, so there is no second one.

use assent_core::request::State;
use assent_core::time::Span;

use super::{DeploymentError, Seen, words};
use crate::app::Authority;
use crate::github::{GithubError, Reviewed, Verdict};
use crate::ledger::Gate;

/// How many reports GitHub takes on a deployment ("Creating custom deployment protection rules").
const REPORTS: u32 = 10;
/// How long after a verdict it is said again of what still waits, though no job was told of: a webhook
/// may be lost, but most likely somebody else keeps the run waiting.
const SAID_AGAIN: Span = Span::minutes(10);

/// The word for a verdict.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approved => "approved",
        Verdict::Rejected => "rejected",
    }
}

impl Authority {
    /// Says at GitHub what has become of the request.
    pub(super) async fn answer(
        &self,
        seen: Seen<'_>,
        mut gate: Gate,
        environment: &str,
    ) -> Result<(), DeploymentError> {
        (gate.owner, gate.name) = (seen.hint.owner.clone(), seen.hint.name.clone());
        gate.deployment = seen.hint.deployment.or(gate.deployment);
        let Some(id) = gate.request else {
            let said = words::refused(seen.run, environment);
            if self.is_to_be_said(seen, &gate, Verdict::Rejected) {
                self.say(seen, &mut gate, environment, (Verdict::Rejected, &said)).await?;
                gate.open = false;
                self.keep(&mut gate).await?;
            }
            return Ok(());
        };
        let request = self.current(id).await?;
        let (members, now) = (self.membership(), self.clock.now());
        let shown = words::progress(&request, &members, now, &self.base);
        // What no job would be given any more lets none pass either.
        let (verdict, shown) = match (request.state(), request.check_passage(&members, now)) {
            (State::Pending(_), _) => {
                self.report(seen, &mut gate, environment, shown).await?;
                return self.show_gate(seen, &mut gate, &request).await;
            }
            (_, Ok(())) => (Verdict::Approved, shown),
            (State::Approved(_) | State::Consumed(_), Err(why)) => {
                (Verdict::Rejected, words::over(&request, &why, &self.base))
            }
            (_, Err(_)) => (Verdict::Rejected, shown),
        };
        if !self.is_to_be_said(seen, &gate, verdict) {
            return Ok(());
        }
        self.say(seen, &mut gate, environment, (verdict, &shown)).await?;
        self.show_gate(seen, &mut gate, &request).await?;
        // What was rejected is looked at once more: whether it has ended, or somebody let it pass.
        if verdict == Verdict::Approved {
            gate.open = false;
            self.keep(&mut gate).await?;
        }
        Ok(())
    }

    fn is_to_be_said(&self, seen: Seen<'_>, gate: &Gate, verdict: Verdict) -> bool {
        let is_said = gate.answer.as_deref() == Some(word(verdict)) && !gate.open;
        !is_said || seen.hint.is_asked || gate.at.until(self.clock.now()) >= SAID_AGAIN
    }

    async fn say(
        &self,
        seen: Seen<'_>,
        gate: &mut Gate,
        environment: &str,
        (verdict, said): (Verdict, &str),
    ) -> Result<(), DeploymentError> {
        (gate.answer, gate.open) = (Some(word(verdict).to_owned()), true);
        self.keep(gate).await?;
        let attempt = (gate.key.run, gate.attempt);
        match seen.repository.review(attempt, environment, verdict, said).await? {
            Reviewed::Done if verdict == Verdict::Approved => {
                self.check_attempt(seen, gate).await?;
                Ok(self.keep(gate).await?)
            }
            Reviewed::Done | Reviewed::AlreadyDone => Ok(self.keep(gate).await?),
            Reviewed::Ambiguous => Err(DeploymentError::Ambiguous),
            Reviewed::Moved => Err(DeploymentError::Unsettled),
        }
    }

    /// Says how far it is. It decides nothing, so that it is not taken is no reason to wait.
    async fn report(
        &self,
        seen: Seen<'_>,
        gate: &mut Gate,
        environment: &str,
        shown: String,
    ) -> Result<(), DeploymentError> {
        if gate.told == shown || gate.reports >= REPORTS {
            return Ok(());
        }
        // It counts against GitHub's limit even where the answer to it was lost.
        let before = std::mem::replace(&mut gate.told, shown);
        gate.reports += 1;
        self.keep(gate).await?;
        let sent = seen.repository.report(gate.key.run, environment, &gate.told).await;
        let Err(error) = sent else { return Ok(()) };
        tracing::warn!(run = gate.key.run, %error, "GitHub took no report on a deployment");
        match error {
            // Perhaps it did.
            GithubError::Away(_) | GithubError::Partial(_) => return Ok(()),
            GithubError::Limited { .. } => gate.reports -= 1,
            GithubError::Refused(_) | GithubError::NotFound(_) | GithubError::Conflict(_) => {}
        }
        gate.told = before;
        Ok(self.keep(gate).await?)
    }
}

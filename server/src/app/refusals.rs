//! What was tried and refused, on record: whoever looks into an incident sees who knocked at a grant
//! that was not theirs, and which partner's answers were not believed. The same refusal is on record once, and of one request only so many, so that
//! nobody can fill the log by knocking.

use assent_core::binding::{Binding, Reuse};
use assent_core::digest::Digest;
use assent_core::endorsement::CALLER;
use assent_core::id::RequestId;
use assent_core::principal::{PrincipalId, is_visible};
use assent_core::request::{CompleteError, ConsumeError, FetchPlanError, SendPlanError};
use serde_json::json;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::Refusal;

/// The longest reason that is put on record.
const LONGEST_REASON: usize = 400;

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Mint,
    Begin,
    Complete,
    SendPlan,
    FetchPlan,
}

impl Attempt {
    fn word(self) -> &'static str {
        match self {
            Self::Mint => "mint",
            Self::Begin => "begin",
            Self::Complete => "complete",
            Self::SendPlan => "send_plan",
            Self::FetchPlan => "fetch_plan",
        }
    }

    /// Whether a refusal of this kind is told. That somebody begins or ends what is over already is
    /// no attempt at anything.
    fn tells(self, why: Why) -> bool {
        match self {
            Self::Mint | Self::SendPlan | Self::FetchPlan => true,
            Self::Begin | Self::Complete => why == Why::NotTheirs,
        }
    }
}

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Somebody else's, another run's, or another phase's of the run.
    NotTheirs,
    /// Theirs, but not so or not now.
    NotNow,
}

impl Authority {
    /// The answer as it is; where it refuses, that is on record first. One that cannot be recorded is
    /// refused all the same.
    pub(super) async fn noted<T>(
        &self,
        caller: &Caller,
        id: &str,
        attempt: Attempt,
        answer: Result<T, AppError>,
    ) -> Result<T, AppError> {
        if let Err(error) = &answer
            && let Some((code, why)) = refusal(error)
            && attempt.tells(why)
            && let Err(unnoted) = self.note_refusal(caller, id, attempt, code, error).await
        {
            tracing::warn!(error = %unnoted, code, "a refusal could not be put on record");
        }
        answer
    }

    async fn note_refusal(
        &self,
        caller: &Caller,
        id: &str,
        attempt: Attempt,
        code: &str,
        error: &AppError,
    ) -> Result<(), AppError> {
        // What was never filed was refused to nobody.
        let Ok(request) = id.parse::<RequestId>() else { return Ok(()) };
        if self.ledger.load(request, None).await?.is_none() {
            return Ok(());
        }
        let principal = caller.principal();
        let run = Binding::of(principal).mark(Reuse::WithinAttempt).map(|run| run.to_string());
        let run_text = run.as_deref().unwrap_or_default();
        let parts = [attempt.word(), code, run_text].map(str::as_bytes);
        let [word, code_bytes, run_bytes] = parts;
        let mark = Digest::of_parts(&[word, b"\0", code_bytes, b"\0", run_bytes]);
        let beside = run.map(|run| ("run", run));
        let what = (attempt.word(), code, error.to_string());
        self.write_refusal(request, principal.id.clone(), mark, what, beside).await
    }

    /// Puts on record that what a partner answered about a stage was not believed.
    pub(super) async fn note_answer(
        &self,
        id: RequestId,
        stage: &str,
        code: &str,
        reason: &str,
    ) -> Result<(), AppError> {
        let request = self.current(id).await?;
        let mut asked = request.partnered().filter(|(one, _)| one.name == stage);
        let issuer = asked.next().map(|(_, elsewhere)| &elsewhere.issuer);
        let by = issuer.and_then(|issuer| PrincipalId::new(issuer, CALLER).ok());
        let Some(by) = by else { return Ok(()) };
        let parts = ["endorse", code, stage].map(str::as_bytes);
        let [word, code_bytes, stage_bytes] = parts;
        let mark = Digest::of_parts(&[word, b"\0", code_bytes, b"\0", stage_bytes]);
        let beside = Some(("stage", stage.to_owned()));
        self.write_refusal(id, by, mark, ("endorse", code, reason.to_owned()), beside).await
    }

    async fn write_refusal(
        &self,
        request: RequestId,
        by: PrincipalId,
        mark: Digest,
        (attempt, code, reason): (&str, &str, String),
        beside: Option<(&str, String)>,
    ) -> Result<(), AppError> {
        let at = self.clock.now();
        let fits = |c: &char| is_visible(*c);
        let reason: String = reason.chars().filter(fits).take(LONGEST_REASON).collect();
        let mut entry = json!({
            "v": 1, "type": "refused", "at": at.to_string(),
            "by": by.to_json(),
            "refused": request.to_string(), "attempt": attempt, "code": code,
            "reason": reason,
        });
        if let (Some((name, text)), Some(entry)) = (beside, entry.as_object_mut()) {
            entry.insert(name.to_owned(), text.into());
        }
        if self.ledger.note_refusal(Refusal { request, by, mark, at, entry }).await? {
            self.waiters.wake_log();
        }
        Ok(())
    }
}

/// The word for a refusal, where it is one: not where the call was malformed, or nobody could answer.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all errors, these refuse a grant")]
fn refusal(error: &AppError) -> Option<(&'static str, Why)> {
    Some(match error {
        AppError::Consume(error) => consume(error),
        AppError::Complete(CompleteError::OtherRun(_)) => ("other_run", Why::NotTheirs),
        AppError::Complete(CompleteError::NotRequester) => ("not_requester", Why::NotTheirs),
        AppError::Complete(CompleteError::NotGranted { .. }) => ("not_granted", Why::NotNow),
        AppError::SendPlan(error) => match error {
            SendPlanError::NotRequester => ("not_requester", Why::NotTheirs),
            SendPlanError::OtherRun(_) => ("other_run", Why::NotTheirs),
            SendPlanError::NotOpen { .. } => ("not_open", Why::NotNow),
            SendPlanError::NoDigest => ("no_digest", Why::NotNow),
            SendPlanError::OtherDigest { .. } => ("digest_mismatch", Why::NotNow),
            SendPlanError::Fetched { .. } => ("plan_fetched", Why::NotNow),
        },
        AppError::FetchPlan(error) => match error {
            FetchPlanError::Grant(error) => consume(error),
            FetchPlanError::NotSent => ("no_plan", Why::NotNow),
            FetchPlanError::Fetched { .. } => ("plan_fetched", Why::NotNow),
            FetchPlanError::Gone { .. } => ("plan_gone", Why::NotNow),
        },
        AppError::OutsideTrust { .. } => ("outside_trust", Why::NotTheirs),
        AppError::NotFound { .. } => ("not_found", Why::NotTheirs),
        AppError::CredentialOver => ("credential_over", Why::NotNow),
        AppError::NotWaiting { .. } => ("not_pending", Why::NotNow),
        _ => return None,
    })
}

fn consume(error: &ConsumeError) -> (&'static str, Why) {
    match error {
        ConsumeError::NotRequester(_) => ("not_requester", Why::NotTheirs),
        ConsumeError::OtherRun(_) => ("other_run", Why::NotTheirs),
        ConsumeError::NotApplying(_) => ("not_applying", Why::NotTheirs),
        ConsumeError::NotApproved { .. } => ("not_approved", Why::NotNow),
        ConsumeError::TooLate { .. } => ("too_late", Why::NotNow),
        ConsumeError::Audience { .. } => ("audience_not_allowed", Why::NotNow),
        ConsumeError::Unbound => ("dpop_required", Why::NotNow),
        ConsumeError::Broker { .. } => ("broker_not_allowed", Why::NotNow),
        ConsumeError::Suspended(_) => ("suspended", Why::NotNow),
        ConsumeError::NoLongerApproved { .. } => ("no_longer_approved", Why::NotNow),
    }
}

//! Plans that are handed in: read once, kept redacted, named by the digest of their bytes. The bytes
//! themselves are kept nowhere.

use std::sync::Arc;

use assent_core::digest::Digest;
use assent_core::intent::Intent;
use assent_core::plan::{Limits, Plan, PlanError, redacted};
use assent_core::policy::situation::KnownPlan;
use assent_core::wire;
use bytes::Bytes;
use serde_json::json;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Keeping, Kept, LedgerError, PlanText};

impl Authority {
    /// Takes a plan in, as `terraform show -json` prints it; `saved` is the digest of the saved plan
    /// file that the caller says it is of. The same again changes nothing.
    ///
    /// # Errors
    /// [`AppError::Plan`] with what is wrong and where.
    pub async fn hand_in_plan(
        &self,
        caller: &Caller,
        bytes: Bytes,
        saved: Option<Digest>,
    ) -> Result<wire::plan::Plan, AppError> {
        let digest = Digest::of(&bytes);
        let by = caller.principal().id.clone();
        let is_said = match saved {
            None => true,
            Some(saved) => self.ledger.plan_of_saved(saved, &by).await? == Some(digest),
        };
        if is_said
            && self.ledger.has_plan_of(digest, &by).await?
            && let Some(text) = self.ledger.plan(digest).await?
        {
            return shown(digest, &text);
        }
        let (plan, text) = self.read_plan(bytes).await?;
        let (at, count) = (self.clock.now(), plan.facts.change_count);
        let mut entry = json!({
            "v": 1, "type": "plan_handed_in", "at": at.to_string(),
            "by": by.to_json(),
            "plan": digest.to_string(), "changes": count,
        });
        if let (Some(saved), Some(entry)) = (saved, entry.as_object_mut()) {
            entry.insert("saved".to_owned(), saved.to_string().into());
        }
        let what = Kept::Plan { digest, text, saved };
        self.ledger.keep(Keeping { what, by, at, entry }).await?;
        self.waiters.wake_log();
        Ok(plan)
    }

    /// Which plan the caller says to be of this saved plan file. What somebody else says of it is
    /// nothing to the caller.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn plan_of_saved(
        &self,
        caller: &Caller,
        saved: &str,
    ) -> Result<wire::plan::Saved, AppError> {
        let what = "plan of the saved plan file";
        let missing = || AppError::NotFound { what, id: saved.chars().take(80).collect() };
        let file: Digest = saved.parse().map_err(|_| missing())?;
        let plan = self.ledger.plan_of_saved(file, &caller.principal().id).await?;
        let plan = plan.ok_or_else(missing)?.to_string();
        Ok(wire::plan::Saved { saved: file.to_string(), plan })
    }

    /// Reading a large plan takes a while and some memory: one at a time, beside what others ask.
    async fn read_plan(&self, bytes: Bytes) -> Result<(wire::plan::Plan, PlanText), AppError> {
        let _one_at_a_time = self.reading_plan.lock().await;
        let digest = Digest::of(&bytes);
        let work = move || -> Result<_, PlanError> {
            let limits = Limits::default();
            let plan = wire::plan::Plan::from(&Plan::parse(&bytes, &limits)?);
            Ok((plan, redacted(&bytes, &limits)?))
        };
        let lost = |error| AppError::Ledger(LedgerError::Unavailable(Box::new(error)));
        let read = tokio::task::spawn_blocking(work).await.map_err(lost)?;
        let (plan, redacted) = read.map_err(|error| AppError::Plan(Box::new(error)))?;
        let summary = serde_json::to_string(&plan).map_err(|error| corrupt(digest, error))?;
        Ok((plan, PlanText { summary, redacted }))
    }

    /// A plan that was handed in: for whoever handed it in, and for those who read everything or an open
    /// request that names it.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn plan(&self, caller: &Caller, digest: &str) -> Result<wire::plan::Plan, AppError> {
        let missing = || AppError::NotFound { what: "plan", id: digest.chars().take(80).collect() };
        let digest: Digest = digest.parse().map_err(|_| missing())?;
        if !self.reads_plan(caller, digest).await? {
            return Err(missing());
        }
        shown(digest, &self.ledger.plan(digest).await?.ok_or_else(missing)?)
    }

    async fn reads_plan(&self, caller: &Caller, digest: Digest) -> Result<bool, AppError> {
        let reader = self.reader(caller).await;
        if reader.reads_everything()
            || self.ledger.has_plan_of(digest, &caller.principal().id).await?
        {
            return Ok(true);
        }
        if !reader.is_asked() {
            return Ok(false);
        }
        for account in reader.accounts() {
            if self.ledger.has_plan_of(digest, &account).await? {
                return Ok(true);
            }
        }
        let (open, _) = self.open_requests().await?;
        let mut naming = open.iter().filter(|request| request.intent().plan() == Some(digest));
        Ok(naming.any(|request| reader.reads(request)))
    }

    /// The plan that an intent names, which its caller must have handed in.
    pub(super) async fn plan_named(
        &self,
        caller: &Caller,
        intent: &Intent,
    ) -> Result<Option<KnownPlan>, AppError> {
        let Some(digest) = intent.plan() else { return Ok(None) };
        let may = caller.is_administrator()
            || self.ledger.has_plan_of(digest, &caller.principal().id).await?;
        match self.known_plan(digest).await? {
            Some(plan) if may => Ok(Some(plan)),
            Some(_) | None => {
                let problem = format!("you handed in no plan {digest}; send it to /v1/plans first");
                Err(AppError::Field { field: "plan", problem })
            }
        }
    }

    /// The plan of a ruling on record, with its changes, which the record does not hold.
    pub(super) async fn plan_again(
        &self,
        plan: Option<KnownPlan>,
    ) -> Result<Option<KnownPlan>, AppError> {
        match plan {
            None => Ok(None),
            Some(plan) => Ok(Some(self.known_plan(plan.digest).await?.unwrap_or(plan))),
        }
    }

    async fn known_plan(&self, digest: Digest) -> Result<Option<KnownPlan>, AppError> {
        let Some(text) = self.ledger.plan(digest).await? else { return Ok(None) };
        let plan = Plan::try_from(shown(digest, &text)?).map_err(|e| corrupt(digest, e))?;
        let changes = Some(Arc::from(plan.changes));
        Ok(Some(KnownPlan { digest, facts: plan.facts, changes }))
    }
}

pub(super) fn shown(digest: Digest, text: &PlanText) -> Result<wire::plan::Plan, AppError> {
    serde_json::from_str(&text.summary).map_err(|error| corrupt(digest, error))
}

pub(super) fn corrupt(digest: Digest, error: impl std::fmt::Display) -> AppError {
    AppError::Ledger(LedgerError::Corrupt(format!("plan {digest}: {error}")))
}

//! Plans that are handed in: read once, kept redacted, named by the digest of their bytes.

use assent_core::intent::Intent;
use assent_core::policy::situation::KnownPlan;

use crate::app::{AppError, Authority, Caller};

impl Authority {
    /// The plan that an intent names, which its caller must have handed in.
    pub(super) async fn plan_named(
        &self,
        _caller: &Caller,
        intent: &Intent,
    ) -> Result<Option<KnownPlan>, AppError> {
        match intent.plan() {
            None => Ok(None),
            Some(digest) => Err(unknown(&digest.to_string())),
        }
    }

    /// The plan of a ruling on record, with its changes, which the record does not hold.
    pub(super) async fn plan_again(
        &self,
        plan: Option<KnownPlan>,
    ) -> Result<Option<KnownPlan>, AppError> {
        Ok(plan)
    }
}

fn unknown(digest: &str) -> AppError {
    let problem = format!("you handed in no plan {digest}; send it to /v1/plans first");
    AppError::Field { field: "plan", problem }
}

//! Plans as people read them: each change with its values, made once and held for a while, because
//! several people look at the same one several times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::digest::Digest;
use assent_core::plan::{Plan, PlanError, ValueChange, values};
use assent_core::request::Request;

use crate::app::plans::{corrupt, shown};
use crate::app::{AppError, Authority};
use crate::ledger::{LedgerError, PlanText};

/// So many bytes of plans are held. One that is larger is held alone.
const HELD: usize = 48 << 20;

/// A plan, and the values of each of its changes.
#[derive(Debug)]
pub struct Reading {
    /// The plan: its changes riskiest first.
    pub plan: Plan,
    /// What each change does to values, in the same order.
    pub values: Vec<Vec<ValueChange>>,
    size: usize,
}

/// Those that were read last, newest first.
#[derive(Debug, Default)]
pub(super) struct Readings(Mutex<VecDeque<Arc<Reading>>>);

impl Readings {
    fn held(&self, digest: Digest) -> Option<Arc<Reading>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = held.iter().position(|reading| reading.plan.digest == digest)?;
        let found = held.remove(place)?;
        held.push_front(Arc::clone(&found));
        Some(found)
    }

    fn hold(&self, reading: &Arc<Reading>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.push_front(Arc::clone(reading));
        let mut size = 0;
        let fits = |reading: &Arc<Reading>| {
            size += reading.size;
            size <= HELD
        };
        let count = held.iter().map(fits).take_while(|fits| *fits).count();
        held.truncate(count.max(1));
    }
}

impl Authority {
    /// The plan that a request names, for whoever may read the request.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Ledger`] where what is kept of it does not read.
    pub async fn plan_of(&self, request: &Request) -> Result<Option<Arc<Reading>>, AppError> {
        match request.intent().plan() {
            Some(digest) => Ok(Some(self.plan_to_read(digest).await?)),
            None => Ok(None),
        }
    }

    async fn plan_to_read(&self, digest: Digest) -> Result<Arc<Reading>, AppError> {
        let missing = || AppError::NotFound { what: "plan", id: digest.to_string() };
        if let Some(reading) = self.readings.held(digest) {
            return Ok(reading);
        }
        let _one_at_a_time = self.reading_plan.lock().await;
        if let Some(reading) = self.readings.held(digest) {
            return Ok(reading);
        }
        let text = self.ledger.plan(digest).await?.ok_or_else(missing)?;
        let lost = |error| AppError::Ledger(LedgerError::Unavailable(Box::new(error)));
        let read = tokio::task::spawn_blocking(move || read(digest, &text)).await.map_err(lost)?;
        let reading = Arc::new(read?);
        self.readings.hold(&reading);
        Ok(reading)
    }
}

fn read(digest: Digest, text: &PlanText) -> Result<Reading, AppError> {
    let plan = Plan::try_from(shown(digest, text)?).map_err(|e| corrupt(digest, e))?;
    let values = values(&text.redacted, &plan.changes);
    let values = values.map_err(|error: PlanError| corrupt(digest, error))?;
    // What is held of it takes about as much as its texts, twice.
    let size = (text.summary.len() + text.redacted.len()).saturating_mul(2);
    Ok(Reading { plan, values, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(name: &str, size: usize) -> Arc<Reading> {
        let bytes = include_bytes!("../../../tests/plans/own/made-create.json");
        let mut plan = Plan::parse(bytes, &assent_core::plan::Limits::default()).unwrap();
        plan.digest = Digest::of(name.as_bytes());
        Arc::new(Reading { plan, values: Vec::new(), size })
    }

    #[test]
    fn what_was_read_last_is_held_and_no_more_than_fits() {
        let readings = Readings::default();
        let is_held = |name: &str| readings.held(Digest::of(name.as_bytes())).is_some();
        for name in ["a", "b", "c"] {
            readings.hold(&reading(name, HELD / 3));
        }
        assert!(is_held("a") && is_held("c") && is_held("b"));
        readings.hold(&reading("d", HELD / 3));
        assert!(!is_held("a") && is_held("b") && is_held("d"), "`a` was looked at longest ago");
        readings.hold(&reading("large", HELD * 2));
        assert!(is_held("large") && !is_held("d"), "one that is too large is held alone");
    }
}

//! Who is out of office, and who stands in.

use std::sync::{PoisonError, RwLock};

use assent_core::absence::{self, Absence, AbsenceError, NewAbsence};
use assent_core::id::AbsenceId;
use assent_core::membership::{Approver, Membership};
use assent_core::policy::document::Absences;
use assent_core::principal::PrincipalId;
use assent_core::time::Timestamp;
use assent_core::wire;
use serde_json::json;

use crate::app::{AppError, Authority, Caller, Wish};
use crate::ledger::{Keeping, Kept};

/// Every absence on record. Kept in memory because it is asked at every look at a request; read from
/// the ledger at start, and written by nobody else.
#[derive(Debug, Default)]
pub(super) struct Away {
    all: RwLock<Vec<Absence>>,
    /// Held while one is taken: two of one person must not overlap.
    taking: tokio::sync::Mutex<()>,
}

impl Away {
    fn all(&self) -> Vec<Absence> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, absence: Absence) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.id != absence.id);
        all.push(absence);
        all.sort_by_key(|absence| (absence.made_at, absence.id));
    }
}

impl Authority {
    /// Learns from the ledger who is away.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn learn_absences(&self) -> Result<(), AppError> {
        self.ledger.absences().await?.into_iter().for_each(|absence| self.away.put(absence));
        Ok(())
    }

    /// The membership, with those who stand in because somebody was away then.
    pub(super) fn with_absences(&self, membership: Membership, then: Timestamp) -> Membership {
        if self.policy().absences() == Absences::Forbid {
            return membership;
        }
        let all = self.away.all.read().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return membership;
        }
        let pairs = absence::stand_ins(all.iter(), &membership, then, self.clock.now());
        membership.with_stand_ins(pairs)
    }

    /// Every absence, newest first. People and administrators see all.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub fn absences(&self, caller: &Caller) -> Result<Vec<Absence>, AppError> {
        caller.check_reader()?;
        let mut all = self.away.all();
        all.reverse();
        Ok(all)
    }

    /// Whether people name themselves who stands in for them.
    pub fn lets_name_stand_ins(&self) -> bool {
        self.policy().absences() == Absences::Allow
    }

    /// The caller says that they are out of office. Nobody says it of others.
    ///
    /// # Errors
    /// [`AppError::Absence`]; [`AppError::Field`].
    pub async fn begin_absence(
        &self,
        caller: &Caller,
        new: wire::NewAbsence,
        wish: Wish,
    ) -> Result<Absence, AppError> {
        if !self.lets_name_stand_ins() {
            return Err(AbsenceError::Forbidden.into());
        }
        let _taking = self.away.taking.lock().await;
        let now = self.clock.now();
        let id = AbsenceId::from_bytes(wish.key.head());
        let from = new.from.as_deref().map_or(Ok(now), |text| time("from", text))?;
        let (to, until) = (somebody("to", &new.to)?, time("until", &new.until)?);
        let all = self.away.all();
        if let Some(before) = all.iter().find(|before| before.id == id) {
            let is_same = (&before.to, before.until) == (&to, until);
            return if is_same { Ok(before.clone()) } else { Err(AppError::KeyReused) };
        }
        let (who, membership) = (caller.principal(), self.membership());
        let new = NewAbsence { id, to, from, until };
        let absence = Absence::begin(new, who, &all, &membership, now)?;
        self.keep_absence(absence, "absence_begun", &who.id, now).await
    }

    /// Takes an absence back: one's own, or any for an administrator.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn end_absence(&self, caller: &Caller, id: &str) -> Result<Absence, AppError> {
        let missing = || AppError::NotFound { what: "absence", id: id.chars().take(80).collect() };
        let wanted: AbsenceId = id.parse()?;
        let _taking = self.away.taking.lock().await;
        let found = self.away.all().into_iter().find(|absence| absence.id == wanted);
        let absence = found.ok_or_else(missing)?;
        let by = &caller.principal().id;
        let is_own = self.membership().are_same(&absence.who, by);
        if !is_own && !caller.is_administrator() {
            return Err(missing());
        }
        let now = self.clock.now();
        match absence.end(by, now) {
            Some(ended) => self.keep_absence(ended, "absence_ended", by, now).await,
            None => Ok(absence),
        }
    }

    async fn keep_absence(
        &self,
        absence: Absence,
        what: &str,
        by: &PrincipalId,
        at: Timestamp,
    ) -> Result<Absence, AppError> {
        let entry = json!({
            "v": 1, "type": what, "at": at.to_string(), "by": by.to_json(),
            "absence": wire::Absence::from(&absence),
        });
        let kept = Kept::Absence(absence.clone());
        self.ledger.keep(Keeping { what: kept, by: by.clone(), at, entry }).await?;
        self.away.put(absence.clone());
        self.waiters.wake_log();
        Ok(absence)
    }
}

/// Somebody as policy documents name people: `carol`, or `ISSUER#SUBJECT`.
///
/// # Errors
/// [`AppError::Field`].
pub fn somebody(field: &'static str, text: &str) -> Result<PrincipalId, AppError> {
    let named = text.trim();
    let named = named.strip_prefix("person:").unwrap_or(named);
    match format!("person:{named}").parse() {
        Ok(Approver::Person(person)) => Ok(person),
        Ok(Approver::Group(_)) | Err(_) => {
            let problem = "name a person as NAME or ISSUER#SUBJECT".to_owned();
            Err(AppError::Field { field, problem })
        }
    }
}

fn time(field: &'static str, text: &str) -> Result<Timestamp, AppError> {
    text.parse().map_err(|error| AppError::Field { field, problem: format!("{error}") })
}

//! Who reads what. Every look at requests on somebody's behalf asks here first; the rule itself is
//! core's.

use std::collections::BTreeSet;

use assent_core::membership::{Approver, Membership};
use assent_core::principal::{PrincipalId, PrincipalKind};
use assent_core::request::{Reads, Request};

use crate::app::{AppError, Authority, Caller};
use crate::sign_in::Readers;

/// Somebody, and how far they read at one moment.
#[derive(Debug)]
pub(super) struct Reader {
    who: PrincipalId,
    reads: Reads,
    /// Of that moment, where it matters.
    membership: Membership,
}

impl Reader {
    fn of(who: &PrincipalId, reads: Reads) -> Self {
        Self { who: who.clone(), reads, membership: Membership::default() }
    }

    /// Whether they read this.
    pub(super) fn reads(&self, request: &Request) -> bool {
        request.is_read_by(&self.who, self.reads, &self.membership)
    }

    /// Whether nothing is kept from them.
    pub(super) fn reads_everything(&self) -> bool {
        self.reads == Reads::Everything
    }

    /// Whether what they read is found out request by request.
    pub(super) fn is_asked(&self) -> bool {
        self.reads == Reads::Concerning
    }

    /// As what requests that concern them may name them.
    pub(super) fn named_as(&self) -> BTreeSet<Approver> {
        self.membership.named_as(&self.who)
    }

    /// All that they are known as.
    pub(super) fn accounts(&self) -> BTreeSet<PrincipalId> {
        self.membership.known_as(&[&self.who].into())
    }
}

impl Authority {
    /// The caller, as far as they read at this moment. A token reads what its person does, whatever
    /// its scope: each scope is good for looking.
    pub(super) async fn reader(&self, caller: &Caller) -> Reader {
        let who = &caller.principal().id;
        if caller.is_administrator() {
            return Reader::of(who, Reads::Everything);
        }
        match caller.principal().kind {
            PrincipalKind::Workload => Reader::of(who, Reads::Filed),
            PrincipalKind::Person => self.person_reading(who).await,
        }
    }

    /// The same of a person, whatever they come by.
    pub(super) async fn person_reading(&self, who: &PrincipalId) -> Reader {
        if self.sign_in.readers() == Readers::Everyone {
            return Reader::of(who, Reads::Everything);
        }
        self.confirm_reader(who).await;
        let membership = self.membership();
        let reads = match self.reads_everything(who, &membership) {
            true => Reads::Everything,
            false => Reads::Concerning,
        };
        Reader { who: who.clone(), reads, membership }
    }

    /// Whether somebody is an auditor or administers, by whichever of their accounts.
    fn reads_everything(&self, who: &PrincipalId, membership: &Membership) -> bool {
        if membership.is_suspended(who) {
            return false;
        }
        let now = self.clock.now();
        membership.known_as(&[who].into()).iter().any(|account| {
            let groups = self.people.groups(account, now);
            let is_vouched = |one: &Approver| match one {
                Approver::Group(group) => groups.contains(group),
                Approver::Person(_) => false,
            };
            let mut auditors = self.sign_in.auditors();
            auditors.any(|one| membership.includes(one, account) || is_vouched(one))
                || self.sign_in.is_administrator(account, &groups)
        })
    }

    /// Whether a person may be told what a request says. A local one who administers is known by what
    /// they hold.
    pub(super) async fn may_be_told(
        &self,
        who: &PrincipalId,
        request: &Request,
    ) -> Result<bool, AppError> {
        if self.person_reading(who).await.reads(request) {
            return Ok(true);
        }
        let now = self.clock.now();
        for access in self.ledger.accesses_of(who).await? {
            if access.administrator && self.check_access(&access, now).await.is_ok() {
                let access = self.check_login(access, now);
                if access.is_ok_and(|access| access.administrator) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// That nothing is kept from the caller: the log and what is counted tell of everybody's requests.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::NotAuditor`].
    pub async fn check_reads_everything(&self, caller: &Caller) -> Result<(), AppError> {
        caller.check_reader()?;
        match self.reader(caller).await.reads_everything() {
            true => Ok(()),
            false => Err(AppError::NotAuditor),
        }
    }
}

//! Who ends a request, its grant or one of its credentials before time does: the requester, those who
//! were asked, an administrator, and a holder, or whoever waits, that is silent for too long.

use crate::binding::OtherRun;
use crate::id::CredentialId;
use crate::membership::Membership;
use crate::policy::quorum::{Approval, is_asked};
use crate::principal::Principal;
use crate::request::event::Fact;
use crate::request::{Request, State, Step};
use crate::time::{Span, Timestamp};

/// Whoever waits for a decision cannot promise to be heard of more often than this.
pub const SHORTEST_SILENCE: Span = Span::seconds(15);

/// Nor less often: without it the request has its own time.
pub const LONGEST_SILENCE: Span = Span::hours(1);

/// What is said of a request whose requester was lost.
pub(super) fn unheard(every: Span) -> String {
    format!("its requester was not heard of for {every}")
}

/// Why it could not be canceled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// It is decided, or over.
    #[error("the request is {state} already; only a pending one can be canceled")]
    NotPending {
        /// The state it is in.
        state: &'static str,
    },
    /// Only the requester cancels.
    #[error("only the requester cancels a request")]
    NotRequester,
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
}

/// Why it could not be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompleteError {
    /// There is no grant to end.
    #[error("the request is {state}; only an approved or consumed one is completed")]
    NotGranted {
        /// The state it is in.
        state: &'static str,
    },
    /// Only the requester completes.
    #[error("only the requester completes a request")]
    NotRequester,
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
}

/// Why it could not be revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// There is no grant to take back.
    #[error("the request is {state}; only an approved or consumed one is revoked")]
    NotGranted {
        /// The state it is in.
        state: &'static str,
    },
    /// Neither requester, nor among those asked, nor administrator.
    #[error("only the requester, those who were asked and administrators revoke a request")]
    NotYours,
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
    /// There is no such credential.
    #[error("the request has no credential `{0}`")]
    NoCredential(CredentialId),
}

/// In what standing somebody revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As whoever they are to this request.
    Own,
    /// As administrator of the authority.
    Administrator,
}

impl Request {
    /// Withdraws a pending request.
    ///
    /// # Errors
    /// [`CancelError`].
    pub fn cancel(
        &self,
        by: &Principal,
        reason: String,
        now: Timestamp,
    ) -> Result<Step, CancelError> {
        let now = self.no_earlier(now);
        if by.id != self.requester.id {
            return Err(CancelError::NotRequester);
        }
        self.check_run(by)?;
        match &self.state {
            State::Pending(_) if self.deadline().is_some_and(|deadline| now < deadline) => {
                Ok(self.step(now, Some(by.id.clone()), Fact::Canceled { reason }))
            }
            State::Pending(_) => Err(CancelError::NotPending { state: "expired" }),
            other @ (State::Approved(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_)) => Err(CancelError::NotPending { state: other.word() }),
        }
    }

    /// Says that the action is over: what is left of the grant and every credential end.
    ///
    /// # Errors
    /// [`CompleteError`].
    pub fn complete(&self, by: &Principal, now: Timestamp) -> Result<Step, CompleteError> {
        let now = self.no_earlier(now);
        if by.id != self.requester.id {
            return Err(CompleteError::NotRequester);
        }
        self.check_run(by)?;
        if !self.was_granted() {
            return Err(CompleteError::NotGranted { state: self.state.word() });
        }
        Ok(self.step(now, Some(by.id.clone()), Fact::Completed))
    }

    /// Takes the grant and every credential back.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub fn revoke(
        &self,
        by: &Principal,
        standing: Standing,
        reason: String,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, RevokeError> {
        let now = self.no_earlier(now);
        self.check_revoke(by, standing, membership)?;
        if !self.was_granted() {
            return Err(RevokeError::NotGranted { state: self.state.word() });
        }
        Ok(self.step(now, Some(by.id.clone()), Fact::Revoked { reason }))
    }

    /// Takes one credential back. `Ok(None)` where it has ended already.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub fn revoke_credential(
        &self,
        by: &Principal,
        standing: Standing,
        credential: CredentialId,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Option<Step>, RevokeError> {
        let now = self.no_earlier(now);
        self.check_revoke(by, standing, membership)?;
        let issued = self.credential(credential).ok_or(RevokeError::NoCredential(credential))?;
        if issued.ended.is_some() || now >= issued.expires_at {
            return Ok(None);
        }
        Ok(Some(self.step(now, Some(by.id.clone()), Fact::CredentialRevoked { credential })))
    }

    fn check_revoke(
        &self,
        by: &Principal,
        standing: Standing,
        membership: &Membership,
    ) -> Result<(), RevokeError> {
        let stages = self.asked_stages();
        let (behind, alone) = (self.requester.behind(), Approval::default());
        let asked = || stages.iter().any(|s| is_asked(s, &by.id, &alone, &behind, membership));
        if standing == Standing::Administrator || asked() {
            return Ok(());
        }
        match by.id == self.requester.id {
            true => Ok(self.check_run(by)?),
            false => Err(RevokeError::NotYours),
        }
    }

    /// Ends a credential whose holder was last heard of then, and had to be heard of by `due`.
    /// `None` where none is asked of the holder, where it is not late, and where it has ended.
    pub fn heartbeat_lost(
        &self,
        credential: CredentialId,
        last: Timestamp,
        due: Timestamp,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.credential(credential)?;
        let late = issued.is_live(now) && issued.is_silent(last, due, now);
        late.then(|| self.step(now, None, Fact::HeartbeatLost { credential, last, due }))
    }
    /// Cancels a pending request whose requester was last heard of then, and had to be heard of by
    /// `due`. `None` where nobody listens for the requester, where none is late, and where it is not
    /// pending.
    pub fn requester_lost(&self, last: Timestamp, due: Timestamp, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let pending = matches!(self.state, State::Pending(_));
        let open = pending && self.deadline().is_some_and(|deadline| now < deadline);
        self.silent_for(last, due, now).filter(|_| open)?;
        Some(self.step(now, None, Fact::RequesterLost { last, due }))
    }

    /// How long the requester may be silent, where it has been for longer: until `due`, which is never
    /// earlier than what is asked.
    pub(super) fn silent_for(
        &self,
        last: Timestamp,
        due: Timestamp,
        now: Timestamp,
    ) -> Option<Span> {
        let every = self.heartbeat?;
        let late = last >= self.filed_at && due >= last.plus(every) && now >= due;
        late.then_some(every)
    }
}

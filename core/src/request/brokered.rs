//! What a broker opened beside a token, on record to its end: closed, beyond recall, or stuck.

use crate::id::CredentialId;
use crate::request::event::Fact;
use crate::request::{Request, Step};
use crate::time::Timestamp;

impl Request {
    /// Records that nothing of what a broker may have opened for a credential exists any more.
    /// `None` where there is nothing to close, or not yet.
    pub fn broker_closed(&self, credential: CredentialId, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        self.to_close(now).find(|issued| issued.id == credential)?;
        Some(self.step(now, None, Fact::BrokerClosed { credential }))
    }

    /// Records that nobody can take back what a broker opened, and until when it works. `None` where
    /// that is on record, where there is nothing to close, and for a time that has come.
    pub fn broker_outlives(
        &self,
        credential: CredentialId,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.to_close(now).find(|issued| issued.id == credential)?;
        issued.brokered.as_ref().filter(|brokered| brokered.outlives.is_none())?;
        (until > now).then(|| self.step(now, None, Fact::BrokerOutlives { credential, until }))
    }

    /// Records why it could not be closed; once, however often it is tried. `None` where it is on
    /// record, and where there is nothing to close.
    pub fn broker_stuck(
        &self,
        credential: CredentialId,
        problem: String,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.to_close(now).find(|issued| issued.id == credential)?;
        issued.brokered.as_ref().filter(|brokered| brokered.problem.is_none())?;
        Some(self.step(now, None, Fact::BrokerStuck { credential, problem }))
    }
}

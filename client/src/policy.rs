//! What rules, as code: documents, groups, calendars and trusts that are written over the API.
//!
//! Whoever writes or removes one is an administrator. Where policy wants changes of itself approved,
//! the first call is answered with code `approval_required`, and [`ClientError::problem`] holds the
//! intent to be filed; once that request is approved, the same call names it.

use assent_core::wire;

use crate::transport::{Call, path};
use crate::{Client, ClientError, Secret};

impl Client {
    /// By what the authority rules, and why not by the newest.
    ///
    /// # Errors
    /// [`ClientError`], like every call here.
    pub async fn policy_status(&self) -> Result<wire::PolicyStatus, ClientError> {
        self.transport.send(Call::get("/v1/policy/status")).await
    }

    /// Asks what would rule after these changes, and what would be wrong with it. Nothing is
    /// changed; faults are no error.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn check_policy(
        &self,
        changes: &wire::PolicyCheck,
    ) -> Result<wire::PolicyChecked, ClientError> {
        self.transport.send(Call::ask("/v1/policy/check", changes)).await
    }

    /// The policy documents that came over the API.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_documents(&self) -> Result<wire::PolicyDocuments, ClientError> {
        self.transport.send(Call::get("/v1/policy/documents")).await
    }

    /// One of them, with its versions. One that was removed has no text.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_document(&self, name: &str) -> Result<wire::PolicyDocument, ClientError> {
        self.transport.send(Call::get(&path("/v1/policy/documents/{}", name))).await
    }

    /// Writes a document. `approval` is the request that approved it, where policy wants one.
    ///
    /// # Errors
    /// [`ClientError`]; code `approval_required` with the intent to be filed.
    pub async fn write_document(
        &self,
        name: &str,
        document: &wire::NewDocument,
        approval: Option<&str>,
    ) -> Result<wire::PolicyDocument, ClientError> {
        let call = Call::put(&path("/v1/policy/documents/{}", name), document);
        self.transport.send(call.approved_by(approval)).await
    }

    /// Removes a document.
    ///
    /// # Errors
    /// As [`Client::write_document`]; code `not_found` where it was removed before.
    pub async fn remove_document(
        &self,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        let call = Call::delete(&path("/v1/policy/documents/{}", name));
        self.transport.send(call.approved_by(approval)).await
    }

    /// The groups that came over the API. Those of documents are not among them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_groups(&self) -> Result<wire::Groups, ClientError> {
        self.transport.send(Call::get("/v1/policy/groups")).await
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_found` where there is none, or it was removed.
    pub async fn policy_group(&self, name: &str) -> Result<wire::Group, ClientError> {
        self.transport.send(Call::get(&path("/v1/policy/groups/{}", name))).await
    }

    /// Writes a group.
    ///
    /// # Errors
    /// As [`Client::write_document`].
    pub async fn write_group(
        &self,
        name: &str,
        group: &wire::NewGroup,
        approval: Option<&str>,
    ) -> Result<wire::Group, ClientError> {
        let call = Call::put(&path("/v1/policy/groups/{}", name), group);
        self.transport.send(call.approved_by(approval)).await
    }

    /// Removes a group.
    ///
    /// # Errors
    /// As [`Client::remove_document`].
    pub async fn remove_group(
        &self,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        let call = Call::delete(&path("/v1/policy/groups/{}", name));
        self.transport.send(call.approved_by(approval)).await
    }

    /// The calendars that came over the API. Those of documents are not among them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_calendars(&self) -> Result<wire::Calendars, ClientError> {
        self.transport.send(Call::get("/v1/policy/calendars")).await
    }

    /// One of them.
    ///
    /// # Errors
    /// As [`Client::policy_group`].
    pub async fn policy_calendar(&self, name: &str) -> Result<wire::Calendar, ClientError> {
        self.transport.send(Call::get(&path("/v1/policy/calendars/{}", name))).await
    }

    /// Writes a calendar.
    ///
    /// # Errors
    /// As [`Client::write_document`].
    pub async fn write_calendar(
        &self,
        name: &str,
        calendar: &wire::NewCalendar,
        approval: Option<&str>,
    ) -> Result<wire::Calendar, ClientError> {
        let call = Call::put(&path("/v1/policy/calendars/{}", name), calendar);
        self.transport.send(call.approved_by(approval)).await
    }

    /// Removes a calendar.
    ///
    /// # Errors
    /// As [`Client::remove_document`].
    pub async fn remove_calendar(
        &self,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        let call = Call::delete(&path("/v1/policy/calendars/{}", name));
        self.transport.send(call.approved_by(approval)).await
    }

    /// The trusts that came over the API. Those of documents are not among them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn policy_trusts(&self) -> Result<wire::Trusts, ClientError> {
        self.transport.send(Call::get("/v1/policy/trusts")).await
    }

    /// One of them.
    ///
    /// # Errors
    /// As [`Client::policy_group`].
    pub async fn policy_trust(&self, name: &str) -> Result<wire::Trust, ClientError> {
        self.transport.send(Call::get(&path("/v1/policy/trusts/{}", name))).await
    }

    /// Writes a trust.
    ///
    /// # Errors
    /// As [`Client::write_document`].
    pub async fn write_trust(
        &self,
        name: &str,
        trust: &wire::NewTrust,
        approval: Option<&str>,
    ) -> Result<wire::Trust, ClientError> {
        let call = Call::put(&path("/v1/policy/trusts/{}", name), trust);
        self.transport.send(call.approved_by(approval)).await
    }

    /// Removes a trust.
    ///
    /// # Errors
    /// As [`Client::remove_document`].
    pub async fn remove_trust(
        &self,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        let call = Call::delete(&path("/v1/policy/trusts/{}", name));
        self.transport.send(call.approved_by(approval)).await
    }

    /// Every trust that rules, wherever it was written.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trusts(&self) -> Result<wire::RulingTrusts, ClientError> {
        self.transport.send(Call::get("/v1/trusts")).await
    }

    /// What would become of a token of somebody else's. It is neither spent nor kept. Only for
    /// administrators.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn try_token(&self, token: &Secret) -> Result<wire::TokenTried, ClientError> {
        let trial = wire::TokenTrial { token: token.expose().to_owned() };
        self.transport.send(Call::ask("/v1/trusts/check", &trial)).await
    }
}

//! Permission as a value: sealed until its own record is durable, then spent once.

use std::collections::{BTreeMap, BTreeSet};

use crate::credential::dpop::Thumbprint;
use crate::digest::Digest;
use crate::id::{CredentialId, RequestId};
use crate::principal::PrincipalId;
use crate::request::{Issued, Receipt, Request, Step};
use crate::time::Timestamp;

/// The right to mint one credential, once. It cannot be built outside this crate, copied, or used
/// twice:
///
/// ```compile_fail,E0382
/// # use assent_core::grant::Grant;
/// # fn mint(grant: Grant) {}
/// fn mint_twice(grant: Grant) {
///     mint(grant);
///     mint(grant);
/// }
/// ```
///
/// ```compile_fail,E0451
/// # use assent_core::grant::Grant;
/// fn for_another_audience(grant: Grant) -> Grant {
///     Grant { audience: "postgres://payroll".to_owned(), ..grant }
/// }
/// ```
///
/// ```compile_fail,E0277
/// # use assent_core::grant::Grant;
/// # fn copy<T: Clone>(what: &T) {}
/// fn copied(grant: &Grant) {
///     copy(grant);
/// }
/// ```
///
/// Each of these fails in the one line that is meant; without it they stand:
///
/// ```
/// # use assent_core::grant::Grant;
/// # fn mint(grant: Grant) {}
/// fn mint_once(grant: Grant) {
///     mint(grant);
/// }
/// fn handed_on(grant: Grant) -> Grant {
///     grant
/// }
/// fn looked_at(grant: &Grant) -> assent_core::id::CredentialId {
///     grant.credential()
/// }
/// ```
#[derive(Debug)]
pub struct Grant {
    pub(crate) request: RequestId,
    pub(crate) credential: CredentialId,
    pub(crate) requester: PrincipalId,
    pub(crate) kind: String,
    pub(crate) environment: String,
    pub(crate) target: BTreeMap<String, String>,
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
    pub(crate) policy: Digest,
    pub(crate) approved_by: BTreeSet<PrincipalId>,
    pub(crate) audience: String,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) broker: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) confirmation: Option<Thumbprint>,
}

impl Grant {
    pub(crate) fn new(request: &Request, counted: &BTreeSet<PrincipalId>, issued: &Issued) -> Self {
        let intent = request.intent();
        Self {
            request: request.id(),
            credential: issued.id,
            requester: request.requester().id.clone(),
            kind: intent.kind().to_owned(),
            environment: intent.environment().to_owned(),
            target: intent.target().clone(),
            digest: request.digest(),
            subject: intent.subject(),
            policy: request.ruling().policy,
            approved_by: counted.clone(),
            audience: issued.audience.clone(),
            issued_at: issued.at,
            expires_at: issued.expires_at,
            broker: issued.brokered.as_ref().map(|brokered| brokered.broker.clone()),
            role: request.terms().and_then(|terms| terms.role.clone()),
            confirmation: issued.confirmation,
        }
    }

    /// The request that was approved.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// What was approved is of this kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it was approved.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// What it was approved for.
    pub fn target(&self) -> &BTreeMap<String, String> {
        &self.target
    }

    /// The digest that was approved.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whom tokens of it are about. Coarse and stable, because clouds match on it whole:
    /// environment and kind, never the request.
    pub(crate) fn subject_claim(&self) -> String {
        format!("assent:v1:{}:{}", self.environment, self.kind)
    }

    /// The credential it is spent on.
    pub fn credential(&self) -> CredentialId {
        self.credential
    }

    /// For whom the credential is.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// When the credential ends at the latest.
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The broker that opens something for it, where one was named when the use was spent.
    pub fn broker(&self) -> Option<&str> {
        self.broker.as_deref()
    }

    /// The role that the rules give the credential, where one does.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }
}

/// A grant that opens only with the receipt of the step that spends it.
#[derive(Debug)]
#[must_use = "a sealed grant is worth nothing until its step is committed"]
pub struct SealedGrant {
    step: Step,
    grant: Grant,
}

impl SealedGrant {
    pub(crate) fn new(step: Step, grant: Grant) -> Self {
        Self { step, grant }
    }

    /// The step to commit first.
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The grant, if this receipt is for its own step; else nothing, and the seal is gone.
    pub fn release(self, receipt: &Receipt) -> Option<Grant> {
        receipt.is_for(&self.step).then_some(self.grant)
    }
}

//! A statement that a person's passkey signed.

use crate::digest::Digest;
use crate::id::PasskeyId;
use crate::passkey::Passkey;
use crate::policy::ruling::SignatureDemand;
use crate::request::Verdict;
use crate::statement::{NotAStatement, Statement};
use crate::time::{Span, Timestamp};
use crate::webauthn::{Flags, PublicKey, RelyingParty, UnverifiedAssertion, WebauthnError};

/// What came with a review, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedSignature {
    /// The passkey, as the authenticator knows it.
    pub credential: Vec<u8>,
    /// The statement's bytes.
    pub statement: Vec<u8>,
    /// What the passkey said over them.
    pub assertion: UnverifiedAssertion,
}

/// What is on record of a signature: with nothing else it can be checked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The passkey.
    pub passkey: PasskeyId,
    /// Its public half, as COSE.
    pub key: Vec<u8>,
    /// Since when it was enrolled.
    pub enrolled_at: Timestamp,
    /// Whether an identity provider had vouched for it.
    pub vouched: bool,
    /// The statement's bytes, as they were signed.
    pub statement: Vec<u8>,
    /// What the passkey said over them.
    pub assertion: UnverifiedAssertion,
}

/// A statement that a person's passkey signed. It exists only where that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    statement: Statement,
    flags: Flags,
    recorded: Recorded,
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No statement.
    #[error(transparent)]
    Statement(#[from] NotAStatement),
    /// What the passkey said does not hold.
    #[error(transparent)]
    Webauthn(#[from] WebauthnError),
    /// Nobody here has it, or not this person.
    #[error("this passkey is not one of yours here; enrol it under Settings")]
    UnknownPasskey,
    /// It was taken out of use.
    #[error("this passkey was removed")]
    Removed,
    /// The statement was given by somebody else, or too long ago, or to somebody else.
    #[error("the signed statement is not good: {0}; decide once more")]
    Stale(&'static str),
}

impl UnverifiedSignature {
    /// Checks what a person sent against their passkey. That the statement was given by this server,
    /// and that it is about the request at hand, is not seen here.
    ///
    /// # Errors
    /// [`SignatureError`]: on any doubt.
    pub fn verify(
        self,
        passkey: &Passkey,
        server: &str,
        now: Timestamp,
    ) -> Result<Signature, SignatureError> {
        if self.credential != passkey.credential {
            return Err(SignatureError::UnknownPasskey);
        }
        if !passkey.is_live() {
            return Err(SignatureError::Removed);
        }
        let signature = Recorded {
            passkey: passkey.id,
            key: passkey.key.cose().to_vec(),
            enrolled_at: passkey.enrolled_at,
            vouched: passkey.voucher.is_some(),
            statement: self.statement,
            assertion: self.assertion,
        }
        .verify()?;
        let statement = &signature.statement;
        let stale = |why| Err(SignatureError::Stale(why));
        if statement.server != server {
            return stale("it is another server's");
        }
        if statement.credential != passkey.credential {
            return stale("it is for another passkey");
        }
        if statement.approver != passkey.person {
            return stale("it is somebody else's");
        }
        if now >= statement.expires_at || now < statement.issued_at {
            return stale("it is over");
        }
        Ok(signature)
    }
}

impl Recorded {
    /// Checks what is on record: that this key signed this statement, on a page of the server that it
    /// names, while the passkey was enrolled.
    ///
    /// # Errors
    /// [`SignatureError`]: on any doubt.
    pub fn verify(self) -> Result<Signature, SignatureError> {
        let statement = Statement::read(&self.statement)?;
        let party = RelyingParty::of(&statement.server).ok_or(WebauthnError::RelyingParty)?;
        if party.id() != statement.party {
            return Err(WebauthnError::RelyingParty.into());
        }
        let key = PublicKey::read(&self.key)?;
        let challenge = Statement::challenge(&self.statement);
        let flags = self.assertion.verify(&party, challenge.as_bytes(), &key)?;
        if statement.issued_at < self.enrolled_at {
            return Err(SignatureError::Stale("it is older than the passkey"));
        }
        Ok(Signature { statement, flags, recorded: self })
    }
}

impl Signature {
    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What is on record of it.
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }

    /// With which passkey.
    pub fn passkey(&self) -> PasskeyId {
        self.recorded.passkey
    }

    /// By what it decides for which stages a review counts.
    pub fn strength(&self) -> Strength {
        Strength {
            device_bound: self.flags.is_device_bound(),
            enrolled_for: self.recorded.enrolled_at.until(self.statement.issued_at),
            vouched: self.recorded.vouched,
        }
    }

    /// What the statement says otherwise than the review does, if anything.
    pub(crate) fn differs_from(&self, said: &Said<'_>) -> Option<&'static str> {
        let Statement { request, digest, policy, verdict, comment, approver, .. } = &self.statement;
        [
            (*request == said.request, "request"),
            (*digest == said.digest, "digest"),
            (*policy == said.policy, "policy"),
            (*verdict == said.verdict, "verdict"),
            (*comment == Statement::digest_of(said.comment), "comment"),
            (approver == said.approver, "person"),
            (self.statement.issued_at <= said.at && said.at < self.statement.expires_at, "time"),
        ]
        .into_iter()
        .find_map(|(is_same, what)| (!is_same).then_some(what))
    }
}

/// What a review says, which a statement must say too.
pub(crate) struct Said<'a> {
    pub(crate) request: crate::id::RequestId,
    pub(crate) digest: Digest,
    pub(crate) policy: Digest,
    pub(crate) verdict: Verdict,
    pub(crate) comment: &'a str,
    pub(crate) approver: &'a crate::principal::PrincipalId,
    pub(crate) at: Timestamp,
}

/// How much a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    /// Whether its key can never leave its device.
    pub device_bound: bool,
    /// For how long the passkey had been enrolled.
    pub enrolled_for: Span,
    /// Whether an identity provider had vouched for it.
    pub vouched: bool,
}

impl Strength {
    /// What meets every demand.
    pub const STRONGEST: Self =
        Self { device_bound: true, enrolled_for: Span::from_millis(u64::MAX), vouched: true };

    /// Whether it is what a stage demands.
    pub fn meets(&self, demand: &SignatureDemand) -> bool {
        (self.device_bound || !demand.device_bound)
            && (self.vouched || !demand.vouched)
            && demand.enrolled_for.is_none_or(|least| self.enrolled_for >= least)
    }
}

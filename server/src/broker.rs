//! Brokers: what a grant opens beside our own token, and how it is closed again.
//!
//! A broker decides nothing. It opens for a [`Grant`] that is on record as spent, under a name that
//! follows from the credential's id, so that whoever finds only the record can close what may have
//! been opened. Opening what is open gives it a new secret; closing what is not there is no fault.

pub mod aws;
mod file;
pub mod github;
mod kept;
pub(crate) mod outside;
pub mod postgres;
mod settings;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use assent_core::credential::{Assertion, Secret};
use assent_core::grant::Grant;
use assent_core::id::CredentialId;
use assent_core::intent::Intent;
use assent_core::request::Issued;
use assent_core::time::Timestamp;
use async_trait::async_trait;

pub use crate::turns::Turn;
use crate::turns::Turns;
pub use assent_core::request::Recall;
pub use kept::{Kept, KeptError};
pub use settings::SettingsFault;

/// One way to something real.
#[async_trait]
pub trait Broker: Send + Sync + fmt::Debug {
    /// Whether it could open this, asked before a use is spent.
    ///
    /// # Errors
    /// Why not, for the caller.
    fn check(&self, sought: &Sought<'_>) -> Result<(), String>;

    /// Whether closing ends what it opens. It is on record before anything is opened, and what
    /// nobody can take back is kept short.
    fn recall(&self) -> Recall;

    /// Opens. What is open under the name already gets a new secret and the same end.
    ///
    /// # Errors
    /// [`BrokerError`]; something may exist all the same.
    async fn open(&self, opening: &Opening<'_>) -> Result<Fields, BrokerError>;

    /// Ends whatever exists under the name, and everybody's use of it; or says until when it works
    /// because nobody can.
    ///
    /// # Errors
    /// [`BrokerError`]; it is to be tried again.
    async fn close(&self, closing: &Closing<'_>) -> Result<Closed, BrokerError>;
}

/// What was opened, field by field. All of it is secret.
pub type Fields = BTreeMap<&'static str, Secret>;

/// What somebody wants opened.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// In which role, where the rules name one.
    pub role: Option<&'a str>,
    /// For what.
    pub intent: &'a Intent,
}

/// What is to be opened. Only a grant makes one.
#[derive(Debug)]
pub struct Opening<'a> {
    name: Name,
    grant: &'a Grant,
    now: Timestamp,
    kept: &'a Kept,
    asserts: &'a dyn Asserts,
}

impl<'a> Opening<'a> {
    /// What this grant opens, at this moment.
    pub fn of(grant: &'a Grant, now: Timestamp, kept: &'a Kept, asserts: &'a dyn Asserts) -> Self {
        Self { name: Name::of(grant.credential()), grant, now, kept, asserts }
    }

    /// Under which name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// In which role, where the rules name one.
    pub fn role(&self) -> Option<&str> {
        self.grant.role()
    }

    /// Until when.
    pub fn until(&self) -> Timestamp {
        self.grant.expires_at()
    }

    /// For which grant.
    pub fn grant(&self) -> &Grant {
        self.grant
    }

    /// What the time is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Where it may keep what it needs for the closing.
    pub fn kept(&self) -> &Kept {
        self.kept
    }

    /// A token that asserts the grant where it is opened.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn assert(&self, assertion: &Assertion<'_>) -> Result<Secret, BrokerError> {
        self.asserts.assert(self.grant, assertion)
    }
}

/// What became of what was to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nothing of it exists any more.
    Gone,
    /// It cannot be taken back, and works until then. It is asked for again at that time.
    Outlives(Timestamp),
}

/// What is to be closed, as far as it is on record: also for a credential of which nothing else is
/// known, because the authority died before it had an answer.
#[derive(Debug)]
pub struct Closing<'a> {
    name: Name,
    opened_after: Timestamp,
    expires_at: Timestamp,
    now: Timestamp,
    kept: &'a Kept,
}

impl<'a> Closing<'a> {
    /// What may be open for this credential, at this moment, and what its opening has kept.
    pub fn of(issued: &Issued, now: Timestamp, kept: &'a Kept) -> Self {
        let name = Name::of(issued.id);
        Self { name, opened_after: issued.at, expires_at: issued.expires_at, now, kept }
    }

    /// Under which name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// It was not opened before then.
    pub fn opened_after(&self) -> Timestamp {
        self.opened_after
    }

    /// When the credential ends at the latest: [`Opening::until`].
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// What the time is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What its opening has kept.
    pub fn kept(&self) -> &Kept {
        self.kept
    }
}

/// Who signs in the authority's name where a broker has to say for which grant it calls.
pub trait Asserts: Send + Sync + fmt::Debug {
    /// A token that says so.
    ///
    /// # Errors
    /// [`BrokerError`].
    fn assert(&self, grant: &Grant, assertion: &Assertion<'_>) -> Result<Secret, BrokerError>;
}

/// What something is called outside: `assent_` and the credential's id in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name of what is opened for this credential.
    pub fn of(credential: CredentialId) -> Self {
        let id = credential.to_string();
        let bare = id.split_once('_').map_or(id.as_str(), |(_, bare)| bare);
        Self(format!("assent_{}", bare.to_ascii_lowercase()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a broker did not do it. The text is for people and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// No connection can be had: so it is for everything else there too. Whether it was done is not
    /// known.
    #[error("{0}")]
    Away(String),
    /// It was refused, or not done in time. That says nothing of anything else there.
    #[error("{0}")]
    Refused(String),
}

/// The brokers of an authority, by name.
#[derive(Clone, Debug, Default)]
pub struct Brokers {
    all: BTreeMap<String, Arc<dyn Broker>>,
    /// One at a time for each credential: what was closed and is on record as closed must not be opened
    /// by a call that was decided before.
    turns: Arc<Turns<CredentialId>>,
    kept: Kept,
}

impl Brokers {
    /// These. What they keep for their closings is lost with this process.
    pub fn new(all: BTreeMap<String, Arc<dyn Broker>>) -> Self {
        Self { all, turns: Arc::default(), kept: Kept::default() }
    }

    /// The same, keeping there what their closings need.
    #[must_use]
    pub fn keeping(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// What openings keep for their closings.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The broker of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Broker>> {
        self.all.get(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Waits until nobody else opens or closes for this credential, and keeps others away until
    /// the turn is dropped.
    pub async fn turn(&self, credential: CredentialId) -> Turn<CredentialId> {
        self.turns.wait(credential).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_outside_follows_from_the_credential_alone() {
        let id: CredentialId = "crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z".parse().unwrap();
        assert_eq!(Name::of(id).as_str(), "assent_01jd5k3n7q8r9s0t1v2w3x4y5z");
        assert_eq!(Name::of(id), Name::of(id));
    }
}

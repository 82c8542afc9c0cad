//! Where people sign in: the providers that the settings name, and how each is asked.
//!
//! Nobody signs in by what a page or a token says of itself: the ceremony begins here, and what comes
//! back is held against what was sent. What a provider answers is hostile until it is read strictly.

mod github;
mod oidc;
mod outside;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::membership::Approver;
use assent_core::passkey::UnverifiedVoucher;
use assent_core::principal::PrincipalId;
use assent_core::sign_in::{Identity, IdentityError};
use assent_core::token::PublicKeys;

pub use github::Github;
pub use oidc::{Demands, LogoutProblem, Oidc, SIGN_IN_LASTS, Sent, UNASKED_LASTS};

/// Every provider, whom of their people administers, and who reads what.
#[derive(Clone, Debug, Default)]
pub struct SignIn {
    providers: BTreeMap<String, Provider>,
    administrators: BTreeSet<Approver>,
    auditors: BTreeSet<Approver>,
    readers: Readers,
}

/// Which people read requests that are not theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// All.
    #[default]
    Everyone,
    /// Whoever is or was asked, and those who read everything.
    Asked,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What people read on the button.
    pub title: String,
    /// How it is asked.
    pub kind: Kind,
}

/// How a provider is asked.
#[derive(Clone, Debug)]
pub enum Kind {
    /// By OpenID Connect.
    Oidc(Oidc),
    /// By GitHub's OAuth.
    Github(Github),
}

impl Provider {
    /// Of whose people it speaks.
    pub fn issuer(&self) -> &str {
        match &self.kind {
            Kind::Oidc(oidc) => oidc.issuer(),
            Kind::Github(github) => github.issuer(),
        }
    }

    /// Whether whoever has an account there comes in.
    pub fn takes_anyone(&self) -> bool {
        match &self.kind {
            Kind::Oidc(_) => false,
            Kind::Github(github) => github.takes_anyone(),
        }
    }

    /// The groups of which it is believed.
    pub fn groups(&self) -> Option<&BTreeSet<String>> {
        match &self.kind {
            Kind::Oidc(oidc) => oidc.groups(),
            Kind::Github(_) => None,
        }
    }
}

impl SignIn {
    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.get(name)
    }

    /// Every provider, by name.
    pub fn providers(&self) -> impl Iterator<Item = (&str, &Provider)> {
        self.providers.iter().map(|(name, provider)| (name.as_str(), provider))
    }

    /// Whether anyone at all may have an account of this issuer, so that one more costs nothing.
    pub fn takes_anyone(&self, issuer: &str) -> bool {
        self.providers.values().any(|one| one.issuer() == issuer && one.takes_anyone())
    }

    /// Whether nobody signs in anywhere.
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// Which people read requests that are not theirs.
    pub fn readers(&self) -> Readers {
        self.readers
    }

    /// Those who read everything, and may do no more than others.
    pub fn auditors(&self) -> impl Iterator<Item = &Approver> {
        self.auditors.iter()
    }

    /// Whether somebody of these groups administers.
    pub fn is_administrator(&self, who: &PrincipalId, groups: &BTreeSet<String>) -> bool {
        self.administrators.iter().any(|one| match one {
            Approver::Person(person) => person == who,
            Approver::Group(group) => groups.contains(group),
        })
    }
}

/// Whom a provider answered with.
#[derive(Debug)]
pub struct Arrived {
    /// Who, how and when.
    pub identity: Identity,
    /// What they are called. For eyes only.
    pub name: Option<String>,
    /// Where they get mail, if the provider says that it has verified this.
    pub email: Option<String>,
    /// The groups of which the provider is believed.
    pub groups: BTreeSet<String>,
    /// With what it is asked again.
    pub refresh: Option<Secret>,
    /// The ID token itself, of a provider that gives one.
    pub word: Option<Word>,
}

/// An ID token as it came, with what it is held against.
#[derive(Debug)]
pub struct Word {
    token: Secret,
    keys: Arc<PublicKeys>,
    client: String,
}

impl Word {
    /// The same, to vouch for a passkey.
    pub fn unverified(&self) -> UnverifiedVoucher<'_> {
        UnverifiedVoucher { token: self.token.expose(), keys: &self.keys, client_id: &self.client }
    }
}

/// Why a provider gave nobody.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Not reached, or no answer as it should be.
    #[error("the provider cannot be asked now: {0}")]
    Away(String),
    /// It said no, and why.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// What it gave is not believed.
    #[error("what the provider answered is not believed: {0}")]
    Identity(#[from] IdentityError),
    /// Of no organization whose people may come in.
    #[error("your account is in none of the organizations whose people sign in here")]
    Outsider,
}

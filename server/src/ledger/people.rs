//! What is kept of people who sign in.

use std::collections::BTreeSet;

use assent_core::principal::PrincipalId;
use assent_core::time::Timestamp;

/// Somebody who signed in at a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub id: PrincipalId,
    /// The provider, by the name that the settings give it.
    pub provider: String,
    /// What they are called there. For eyes only.
    pub name: Option<String>,
    /// Where they get mail, if their provider says that it has verified this. An address, and never who they
    /// are.
    pub email: Option<String>,
    /// The groups of which the provider vouches for them.
    pub groups: BTreeSet<String>,
    /// When it said so.
    pub confirmed_at: Timestamp,
    /// When they signed in there last.
    pub signed_in_at: Timestamp,
    /// With what the provider is asked again, sealed.
    pub refresh: Option<Vec<u8>>,
}

impl Account {
    /// Whether their provider does not know them any more.
    pub fn is_gone(&self) -> bool {
        self.signed_in_at == Timestamp::from_millis(0)
    }

    /// The same account, where its provider does not know them any more: nothing of theirs opens anything
    /// until they sign in there again.
    #[must_use]
    pub fn gone(self, now: Timestamp) -> Self {
        Self {
            groups: BTreeSet::new(),
            refresh: None,
            confirmed_at: now,
            signed_in_at: Timestamp::from_millis(0),
            ..self
        }
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

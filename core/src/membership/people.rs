//! One person, several accounts. Whoever has an account that is behind a request is behind it.
//!
//! Accounts are issuer and subject, at GitHub the number that an account keeps: a login can be given
//! up and taken by somebody else, and so links nobody to anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::principal::PrincipalId;

/// Who has which accounts, as the policy documents link them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    person_of: BTreeMap<PrincipalId, PrincipalId>,
    accounts_of: BTreeMap<PrincipalId, BTreeSet<PrincipalId>>,
    /// The issuers at which whoever reviews must have an account, where one of theirs is behind.
    linked_at: BTreeSet<String>,
    /// By whom each of those is counted who are, or ever were, linked with others: nobody becomes two
    /// by undoing a link.
    counted_as: BTreeMap<PrincipalId, PrincipalId>,
}

/// Why somebody must not review what others are behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// They are one of them.
    Behind,
    /// An account of this issuer is behind it, and theirs there is not known: it may be that one.
    Unlinked(String),
}

impl People {
    /// Each account with the person whose it is.
    pub fn new(accounts: impl IntoIterator<Item = (PrincipalId, PrincipalId)>) -> Self {
        let mut people = Self::default();
        for (account, person) in accounts {
            people.accounts_of.entry(person.clone()).or_default().insert(account.clone());
            people.person_of.insert(account, person);
        }
        people
    }

    /// The same, where nobody reviews what an account of these issuers is behind unless their own
    /// account there is linked.
    #[must_use]
    pub fn with_linked_at(self, issuers: impl IntoIterator<Item = String>) -> Self {
        Self { linked_at: issuers.into_iter().collect(), ..self }
    }

    /// The same, at this issuer too.
    #[must_use]
    pub(super) fn also_linked_at(mut self, issuer: &str) -> Self {
        self.linked_at.insert(issuer.to_owned());
        self
    }

    /// The same, where these pairs of accounts are one person's because that person signed in to both,
    /// and those of `former` once were. A pair whose accounts are two people's of the documents makes
    /// these one: the stricter reading holds.
    #[must_use]
    pub(super) fn with_links(
        mut self,
        current: &[(PrincipalId, PrincipalId)],
        former: &[(PrincipalId, PrincipalId)],
    ) -> Self {
        for (person, account) in current {
            self.join(person, account);
        }
        let mut counted = Self { linked_at: BTreeSet::new(), ..self.clone() };
        for (person, account) in former {
            counted.join(person, account);
        }
        self.counted_as = counted.person_of;
        self
    }

    /// Makes one person of the two whose accounts these are.
    fn join(&mut self, person: &PrincipalId, account: &PrincipalId) {
        let stays = self.person(person).clone();
        let goes = self.person(account).clone();
        if stays == goes {
            return;
        }
        // Whom the documents know stays who they are there.
        let is_known = |who: &PrincipalId| self.accounts_of.contains_key(who);
        let (stays, goes) =
            if is_known(&goes) && !is_known(&stays) { (goes, stays) } else { (stays, goes) };
        let mut moved = self.accounts_of.remove(&goes).unwrap_or_default();
        moved.insert(goes);
        for account in &moved {
            self.person_of.insert(account.clone(), stays.clone());
        }
        self.accounts_of.entry(stays).or_default().append(&mut moved);
    }

    /// By whom somebody is counted: one for all accounts that are or ever were one person's.
    pub(super) fn counted_as<'a>(&'a self, who: &'a PrincipalId) -> &'a PrincipalId {
        let person = self.person(who);
        self.counted_as.get(person).unwrap_or(person)
    }

    /// The issuers of all accounts that are linked.
    pub fn issuers(&self) -> BTreeSet<String> {
        self.person_of.keys().map(|account| account.iss().to_owned()).collect()
    }

    /// The issuers at which a reviewer's account must be linked.
    pub fn linked_at(&self) -> &BTreeSet<String> {
        &self.linked_at
    }

    /// Whether nobody has an account beside the one they come by, and nobody needs one.
    pub fn is_empty(&self) -> bool {
        self.person_of.is_empty() && self.linked_at.is_empty() && self.counted_as.is_empty()
    }

    /// The person whose account this is; whoever it names themselves, where it is nobody's.
    pub fn person<'a>(&'a self, who: &'a PrincipalId) -> &'a PrincipalId {
        self.person_of.get(who).unwrap_or(who)
    }

    /// Whether it is known who this person is at that issuer.
    pub fn is_linked_at(&self, issuer: &str, who: &PrincipalId) -> bool {
        self.known_as(who).any(|account| account.iss() == issuer)
    }

    /// The person, and each of their accounts.
    pub(super) fn known_as<'a>(
        &'a self,
        who: &'a PrincipalId,
    ) -> impl Iterator<Item = &'a PrincipalId> {
        let person = self.person(who);
        self.accounts_of.get(person).into_iter().flatten().chain([person])
    }

    pub(super) fn tie(&self, who: &PrincipalId, behind: &BTreeSet<&PrincipalId>) -> Option<Tie> {
        let (person, counted) = (self.person(who), self.counted_as(who));
        if behind.iter().any(|other| self.counted_as(other) == counted) {
            return Some(Tie::Behind);
        }
        let unlinked =
            |issuer: &&str| self.linked_at.contains(*issuer) && !self.is_linked_at(issuer, person);
        let mut issuers = behind.iter().map(|other| other.iss());
        issuers.find(unlinked).map(|issuer| Tie::Unlinked(issuer.to_owned()))
    }
}

//! What the documents have on file: environments, kinds, owners, delegations, calendars.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::membership::Approver;
use crate::notice::Route;
use crate::policy::calendar::{Calendar, Zone};
use crate::policy::glob::Glob;
use crate::policy::partner::Partner;
use crate::principal::PrincipalId;
use crate::time::Timestamp;

/// Everything that rules look up by name.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    pub(crate) zone: Zone,
    pub(crate) kinds: BTreeMap<String, Category>,
    pub(crate) environments: BTreeMap<String, Environment>,
    pub(crate) calendars: BTreeMap<String, Arc<Calendar>>,
    pub(crate) owners: Vec<Ownership>,
    pub(crate) delegations: Vec<Delegation>,
    pub(crate) notices: Vec<Route>,
    pub(crate) authorities: BTreeMap<String, Partner>,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            kinds: BTreeMap::new(),
            environments: BTreeMap::new(),
            calendars: BTreeMap::new(),
            owners: Vec::new(),
            delegations: Vec::new(),
            notices: Vec::new(),
            authorities: BTreeMap::new(),
        }
    }
}

impl Records {
    /// What a kind does: as the documents say, or else as its name says where that is known.
    pub(crate) fn category(&self, kind: &str) -> Option<Category> {
        self.kinds.get(kind).copied().or_else(|| Category::of(kind))
    }

    /// Who owns a target: everybody whom a matching entry names.
    pub(crate) fn owners_of(&self, target: &BTreeMap<String, String>) -> BTreeSet<Approver> {
        let matching = self.owners.iter().filter(|entry| entry.covers(target));
        matching.flat_map(|entry| entry.owners.iter().cloned()).collect()
    }
}

/// What a kind of intent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Change,
    Access,
    Read,
}

impl Category {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("change", Self::Change), ("access", Self::Access), ("read", Self::Read)];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Access => "access",
            Self::Read => "read",
        }
    }

    /// By what stands after the last dot, for the verbs that are common.
    fn of(kind: &str) -> Option<Self> {
        let verb = kind.rsplit('.').next()?;
        VERBS.iter().find(|(known, _)| *known == verb).map(|(_, category)| *category)
    }
}

/// What the last part of a kind's name says it does, where the documents do not say it.
pub(crate) const VERBS: [(&str, Category); 27] = [
    ("apply", Category::Change),
    ("create", Category::Change),
    ("delete", Category::Change),
    ("deploy", Category::Change),
    ("destroy", Category::Change),
    ("import", Category::Change),
    ("install", Category::Change),
    ("migrate", Category::Change),
    ("release", Category::Change),
    ("restart", Category::Change),
    ("rollback", Category::Change),
    ("rotate", Category::Change),
    ("scale", Category::Change),
    ("uninstall", Category::Change),
    ("update", Category::Change),
    ("upgrade", Category::Change),
    ("connect", Category::Access),
    ("exec", Category::Access),
    ("login", Category::Access),
    ("session", Category::Access),
    ("shell", Category::Access),
    ("ssh", Category::Access),
    ("get", Category::Read),
    ("list", Category::Read),
    ("plan", Category::Read),
    ("read", Category::Read),
    ("view", Category::Read),
];

/// What is on file for a named environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    pub(crate) tier: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Who owns which targets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ownership {
    pub(crate) target: BTreeMap<String, Glob>,
    pub(crate) owners: BTreeSet<Approver>,
}

impl Ownership {
    fn covers(&self, target: &BTreeMap<String, String>) -> bool {
        let fits = |(key, glob): (&String, &Glob)| target.get(key).is_some_and(|t| glob.matches(t));
        self.target.iter().all(fits)
    }
}

/// Somebody stands in for somebody else, from one moment to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delegation {
    pub(crate) from: PrincipalId,
    pub(crate) to: PrincipalId,
    pub(crate) starts: Timestamp,
    pub(crate) ends: Timestamp,
}

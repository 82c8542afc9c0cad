//! What this run plans to change of policy.
//!
//! Terraform plans one resource after the other, in the order of their references. A document that
//! names a group of the same configuration is right only together with that group, so each is
//! checked together with everything that was planned before it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use assent_client::wire;

use crate::policy::kind::Kind;

/// The changes that were planned so far by this process.
#[derive(Debug, Default)]
pub(crate) struct Overlay(Mutex<Ahead>);

/// The changes that were planned so far, at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Ahead {
    /// Those that are known.
    pub(super) check: wire::PolicyCheck,
    /// The names of those that are known only at apply.
    pub(super) unknown: BTreeSet<String>,
}

impl Overlay {
    /// Forgets all: another run begins.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Ahead::default();
    }

    /// Notes what becomes of one, and gives everything that is planned so far.
    pub(super) fn note<K: Kind>(&self, name: &str, change: Becomes<K::New>) -> Ahead {
        let mut ahead = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = K::kept_name(name);
        match change {
            Becomes::Known(new) => {
                ahead.unknown.remove(&kept);
                K::among(&mut ahead.check).insert(name.to_owned(), new);
            }
            Becomes::Unknown => {
                K::among(&mut ahead.check).remove(name);
                ahead.unknown.insert(kept);
            }
        }
        ahead.clone()
    }
}

/// What becomes of one.
#[derive(Debug)]
pub(super) enum Becomes<N> {
    /// This, or nothing.
    Known(Option<N>),
    /// It is known only at apply.
    Unknown,
}

impl Ahead {
    /// The same without one of the changes.
    pub(super) fn without<K: Kind>(mut self, name: &str) -> wire::PolicyCheck {
        K::among(&mut self.check).remove(name);
        self.check
    }

    /// Whether something else that is planned is changed or removed under this name.
    pub(super) fn changes(&self, kept: &str) -> bool {
        match kept.split_once('/') {
            Some(("groups", name)) => self.check.groups.contains_key(name),
            Some(("calendars", name)) => self.check.calendars.contains_key(name),
            Some(("trusts", name)) => self.check.trusts.contains_key(name),
            Some(_) => false,
            None => self.check.documents.contains_key(kept),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::group::Group;

    #[test]
    fn what_is_planned_adds_up_until_another_run_begins() {
        let overlay = Overlay::default();
        let group = || Becomes::Known(Some(wire::NewGroup::default()));
        overlay.note::<Group>("a", Becomes::Unknown);
        let ahead = overlay.note::<Group>("b", group());
        assert_eq!(ahead.unknown, ["groups/a".to_owned()].into());
        let ahead = overlay.note::<Group>("a", group());
        assert!(ahead.unknown.is_empty());
        assert_eq!(ahead.check.groups.len(), 2);
        assert!(ahead.changes("groups/b") && !ahead.changes("groups/c") && !ahead.changes("b"));
        assert_eq!(ahead.without::<Group>("a").groups.len(), 1);
        overlay.forget();
        let ahead = overlay.note::<Group>("c", Becomes::Known(None));
        assert_eq!(ahead.check.groups.len(), 1);
    }
}

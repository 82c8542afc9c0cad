//! Places that callers hold for a while: so many of one, and so many of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::principal::PrincipalId;

/// Who holds how many.
#[derive(Debug)]
pub(crate) struct Places {
    of_one: usize,
    of_all: usize,
    held: Arc<Mutex<HashMap<PrincipalId, usize>>>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    held: Arc<Mutex<HashMap<PrincipalId, usize>>>,
    who: PrincipalId,
}

impl Places {
    pub(crate) fn new(of_one: usize, of_all: usize) -> Self {
        Self { of_one, of_all, held: Arc::default() }
    }

    /// A place, where there is one.
    pub(crate) fn take(&self, who: &PrincipalId) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.get(who).copied().unwrap_or_default();
        if own >= self.of_one || all >= self.of_all {
            return None;
        }
        held.insert(who.clone(), own + 1);
        Some(Place { held: Arc::clone(&self.held), who: who.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.who) {
            *own -= 1;
            if *own == 0 {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_has_so_many_and_gets_them_back_and_nothing_is_held_of_others() {
        let places = Places::new(2, 3);
        let [bob, carol] = ["bob", "carol"].map(|name| PrincipalId::local(name).unwrap());
        let mut bobs: Vec<_> = (0..2).map(|_| places.take(&bob).expect("a place")).collect();
        assert!(places.take(&bob).is_none());
        let carols = places.take(&carol).expect("those of others are theirs");
        // Whoever is sent away because all are taken leaves no trace.
        let dave = PrincipalId::local("dave").unwrap();
        assert!(places.take(&dave).is_none());
        assert_eq!(places.held.lock().unwrap().len(), 2);
        bobs.pop();
        assert!(places.take(&bob).is_some());
        drop((bobs, carols));
        assert!(places.held.lock().unwrap().is_empty());
    }
}

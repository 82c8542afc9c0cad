//! Whether a policy is asked at all: after repeated faults not for a while, because each costs a
//! worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::policy::Revision;

/// How many faults in a row open a breaker.
pub const FAULTS_TO_OPEN: u32 = 3;

/// How long it stays open. Then one question is let through: its outcome decides.
pub const OPEN_FOR: Duration = Duration::from_secs(30);

/// More policies than anybody has; beyond it those without faults are forgotten.
const MAX_KNOWN: usize = 1_024;

/// Whether a policy is being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// It is asked.
    Closed {
        /// How often in a row a worker was lost over it.
        faults: u32,
    },
    /// It is not asked; every question fails at once.
    Open {
        /// How often in a row a worker was lost over it.
        faults: u32,
        /// What happened the last time.
        last: String,
        /// When it will be tried again.
        again_in: Duration,
    },
}

/// The breakers of all policies.
#[derive(Debug, Default)]
pub(super) struct Breakers {
    faulty: BTreeMap<Revision, Faulty>,
}

#[derive(Debug)]
struct Faulty {
    faults: u32,
    last: String,
    at: Instant,
}

impl Breakers {
    pub(super) fn of(&self, revision: &Revision, now: Instant) -> Breaker {
        let Some(faulty) = self.faulty.get(revision) else { return Breaker::Closed { faults: 0 } };
        let again_in = OPEN_FOR.saturating_sub(now.saturating_duration_since(faulty.at));
        if faulty.faults < FAULTS_TO_OPEN || again_in.is_zero() {
            return Breaker::Closed { faults: faulty.faults };
        }
        Breaker::Open { faults: faulty.faults, last: faulty.last.clone(), again_in }
    }

    pub(super) fn fault(&mut self, revision: &Revision, reason: &str, now: Instant) {
        if self.faulty.len() >= MAX_KNOWN && !self.faulty.contains_key(revision) {
            self.faulty.retain(|_, faulty| faulty.faults >= FAULTS_TO_OPEN);
        }
        let faults = self.faulty.get(revision).map_or(0, |faulty| faulty.faults);
        let faulty = Faulty { faults: faults.saturating_add(1), last: reason.to_owned(), at: now };
        self.faulty.insert(revision.clone(), faulty);
    }

    pub(super) fn heal(&mut self, revision: &Revision) {
        self.faulty.remove(revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, Module, Policy, Version};

    fn revision() -> Revision {
        let module = Module::new("m.rego", "package assent", Version::V1).unwrap();
        Policy::new(Dialect::Assent, vec![module]).unwrap().revision().clone()
    }

    #[test]
    fn three_faults_in_a_row_open_it_and_time_lets_one_question_through() {
        let (mut breakers, policy, begin) = (Breakers::default(), revision(), Instant::now());
        for faults in 1..FAULTS_TO_OPEN {
            breakers.fault(&policy, "killed", begin);
            assert_eq!(breakers.of(&policy, begin), Breaker::Closed { faults });
        }
        breakers.fault(&policy, "killed again", begin);
        let open = Breaker::Open { faults: 3, last: "killed again".to_owned(), again_in: OPEN_FOR };
        assert_eq!(breakers.of(&policy, begin), open);
        let later = begin + OPEN_FOR;
        assert_eq!(breakers.of(&policy, later), Breaker::Closed { faults: 3 });
        breakers.fault(&policy, "and again", later);
        assert!(matches!(breakers.of(&policy, later), Breaker::Open { faults: 4, .. }));
        breakers.heal(&policy);
        assert_eq!(breakers.of(&policy, later), Breaker::Closed { faults: 0 });
    }
}

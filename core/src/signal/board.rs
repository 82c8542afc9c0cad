//! What holds of whom at a moment, by everything that was told.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::SignalId;
use crate::principal::PrincipalId;
use crate::signal::{Concern, SESSION_LIFE, Says, Signal, Subject, Teller};
use crate::time::Timestamp;

/// What was told, and what of it holds. The order of hearing matters: it is that of the record.
#[derive(Clone, Debug, Default)]
pub struct Board {
    /// By subject, teller and topic: the latest word, and clear words that hold older ones away.
    said: BTreeMap<Subject, BTreeMap<Slot, Signal>>,
    /// Heard, and not yet followed through every request.
    unsettled: BTreeMap<SignalId, Signal>,
    /// What ends sessions that are older, as long as there can be such.
    ending: Vec<Signal>,
}

/// Whose word on what.
type Slot = (Teller, Option<String>, Option<Concern>);

impl Board {
    /// Hears one more. `settled` where every request has been looked at since.
    pub fn hear(&mut self, signal: Signal, settled: bool) {
        if !settled {
            self.unsettled.insert(signal.id, signal.clone());
        }
        if signal.ends_sessions() {
            self.ending.push(signal.clone());
        }
        let about = self.said.entry(signal.about.clone()).or_default();
        match (&signal.teller, signal.says) {
            (Teller::Administrator, Says::Clear) => about.clear(),
            (Teller::Source(_), Says::Clear) => {
                about.retain(|(teller, ..), _| *teller != signal.teller);
            }
            // A token can come late, and again after others: its own time says which holds.
            (Teller::Transmitter(_), _) => {
                let slot = (signal.teller.clone(), signal.topic.clone(), None);
                let later = about.get(&slot).is_some_and(|held| held.told_at > signal.told_at);
                if !later {
                    about.insert(slot, signal);
                }
            }
            (Teller::Administrator | Teller::Source(_), Says::Is(concern)) => {
                let slot = (signal.teller.clone(), None, Some(concern));
                about.insert(slot, signal);
            }
        }
    }

    /// Every request has been looked at since this was heard.
    pub fn settle(&mut self, id: SignalId) {
        self.unsettled.remove(&id);
    }

    /// What was heard and is not followed through yet, oldest first.
    pub fn unsettled(&self) -> impl Iterator<Item = &Signal> {
        self.unsettled.values()
    }

    /// Forgets what can matter to nobody any more: what is over, and sessions that have ended anyway.
    pub fn forget(&mut self, now: Timestamp) {
        self.ending.retain(|signal| now < signal.at.plus(SESSION_LIFE));
        for about in self.said.values_mut() {
            about.retain(|_, signal| signal.until.is_none_or(|until| now < until));
        }
        self.said.retain(|_, about| !about.is_empty());
    }

    /// The ids of all that still matters.
    pub fn known(&self) -> BTreeSet<SignalId> {
        let said = self.said.values().flat_map(BTreeMap::values);
        said.chain(self.unsettled.values()).chain(&self.ending).map(|signal| signal.id).collect()
    }

    /// Everything that holds at this moment.
    pub fn holding(&self, now: Timestamp) -> impl Iterator<Item = &Signal> {
        self.said.values().flat_map(BTreeMap::values).filter(move |signal| holds(signal, now))
    }

    /// What is the matter with any of these.
    pub fn with_any<'a>(
        &self,
        who: impl IntoIterator<Item = &'a PrincipalId>,
        now: Timestamp,
    ) -> BTreeSet<Concern> {
        let subjects = who
            .into_iter()
            .flat_map(|id| [Subject::Person(id.clone()), Subject::Workload(id.clone())]);
        subjects.flat_map(|subject| self.with(&subject, now)).collect()
    }

    /// What is the matter in this environment.
    pub fn within(&self, environment: &str, now: Timestamp) -> BTreeSet<Concern> {
        self.with(&Subject::Environment(environment.to_owned()), now)
    }

    fn with(&self, subject: &Subject, now: Timestamp) -> BTreeSet<Concern> {
        let about = self.said.get(subject).into_iter().flat_map(BTreeMap::values);
        about.filter(|signal| holds(signal, now)).filter_map(Signal::concern).collect()
    }

    /// Everybody who is suspended.
    pub fn suspended(&self, now: Timestamp) -> BTreeSet<PrincipalId> {
        let suspended = |signal: &&Signal| signal.says == Says::Is(Concern::Suspended);
        let all = self.holding(now).filter(suspended);
        all.filter_map(|signal| signal.about.principal().cloned()).collect()
    }

    /// When a session that this principal opened then was ended since, if it was.
    pub fn ends_session(&self, who: &PrincipalId, opened_at: Timestamp) -> Option<Timestamp> {
        let theirs =
            |signal: &&Signal| signal.about.principal() == Some(who) && opened_at <= signal.at;
        self.ending.iter().find(theirs).map(|signal| signal.at)
    }
}

fn holds(signal: &Signal, now: Timestamp) -> bool {
    signal.until.is_none_or(|until| now < until) && signal.concern().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::Reactions;
    use crate::time::Span;

    fn at(minute: u64) -> Timestamp {
        Timestamp::from_millis(0).plus(Span::minutes(minute))
    }

    fn bob() -> PrincipalId {
        PrincipalId::local("bob").unwrap()
    }

    fn told(n: u8, teller: Teller, topic: &str, says: Says, told_at: u64) -> Signal {
        Signal {
            id: SignalId::from_bytes([n; 16]),
            at: at(u64::from(n)),
            about: Subject::Person(bob()),
            says,
            until: None,
            reason: "r".to_owned(),
            teller,
            topic: (!topic.is_empty()).then(|| topic.to_owned()),
            told_at: at(told_at),
            reactions: Reactions::NONE,
        }
    }

    fn words(board: &Board, minute: u64) -> Vec<&'static str> {
        board.with_any([&bob()], at(minute)).into_iter().map(Concern::word).collect()
    }

    #[test]
    fn a_teller_takes_back_its_own_word_and_an_administrator_everybodys() {
        let (risky, suspended) = (Says::Is(Concern::Risky), Says::Is(Concern::Suspended));
        let source = |name: &str| Teller::Source(name.to_owned());
        let mut board = Board::default();
        board.hear(told(1, source("a"), "", risky, 1), false);
        board.hear(told(2, source("b"), "", suspended, 2), false);
        assert_eq!(words(&board, 3), ["suspended", "risky"]);
        board.hear(told(3, source("a"), "", Says::Clear, 3), false);
        assert_eq!(words(&board, 3), ["suspended"]);
        assert_eq!(board.suspended(at(3)), BTreeSet::from([bob()]));
        board.hear(told(4, Teller::Administrator, "", Says::Clear, 4), false);
        assert_eq!(words(&board, 5), Vec::<&str>::new());
        assert_eq!(board.unsettled().count(), 4, "what was heard is followed through all the same");
    }

    #[test]
    fn a_token_that_comes_late_does_not_undo_a_later_one() {
        let idp = || Teller::Transmitter("idp".to_owned());
        let suspended = Says::Is(Concern::Suspended);
        let mut board = Board::default();
        board.hear(told(1, idp(), "account", Says::Clear, 20), false);
        board.hear(told(2, idp(), "account", suspended, 10), false);
        assert_eq!(words(&board, 30), Vec::<&str>::new());
        board.hear(told(3, idp(), "account", suspended, 21), false);
        assert_eq!(words(&board, 30), ["suspended"]);
        // One topic says nothing of another.
        board.hear(told(4, idp(), "device", Says::Clear, 30), false);
        assert_eq!(words(&board, 31), ["suspended"]);
    }

    #[test]
    fn what_holds_until_a_moment_holds_no_longer() {
        let mut board = Board::default();
        let mut signal = told(1, Teller::Administrator, "", Says::Is(Concern::Risky), 1);
        signal.until = Some(at(10));
        board.hear(signal, true);
        assert_eq!((words(&board, 9), words(&board, 10)), (vec!["risky"], vec![]));
        assert_eq!(board.ends_session(&bob(), at(1)), Some(at(1)));
        assert_eq!(board.ends_session(&bob(), at(2)), None);
        board.forget(at(60));
        assert!(
            board.ends_session(&bob(), at(1)).is_some(),
            "sessions of before can be there still"
        );
        board.forget(at(9 * 60));
        assert!(board.known().is_empty());
    }
}

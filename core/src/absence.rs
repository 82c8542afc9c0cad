//! Out of office: for a while one person stands in for another, because that other said so.
//!
//! An absence only names somebody who may fill a place of the absent person's. Whoever stands in is
//! judged like everybody: they count once, for nobody twice, and not at all for what they or the
//! absent person are behind.

use crate::id::AbsenceId;
use crate::membership::Membership;
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::time::{Span, Timestamp};

/// The longest absence.
pub const LONGEST: Span = Span::hours(90 * 24);
/// How far ahead one may begin at most.
pub const AHEAD: Span = Span::hours(365 * 24);

/// Somebody is out of office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Its id.
    pub id: AbsenceId,
    /// Who is away.
    pub who: PrincipalId,
    /// Who stands in.
    pub to: PrincipalId,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// When it was said.
    pub made_at: Timestamp,
    /// When it was taken back, and by whom.
    pub ended: Option<Ended>,
}

/// An absence was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: PrincipalId,
}

/// What somebody says of their absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAbsence {
    /// Its id.
    pub id: AbsenceId,
    /// Who stands in.
    pub to: PrincipalId,
    /// From when on; a time that has passed is now.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// Why an absence was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbsenceError {
    /// Policy names stand-ins itself, and nobody else does.
    #[error("policy does not let people name who stands in for them; its `delegations` do")]
    Forbidden,
    /// Workloads are not out of office.
    #[error("only people are out of office; `{0}` is a workload")]
    NotAPerson(PrincipalId),
    /// It ends before it begins, or is over.
    #[error("an absence ends after it begins, and after now")]
    Empty,
    /// Longer than [`LONGEST`].
    #[error("an absence lasts at most {}", LONGEST.in_words())]
    TooLong,
    /// It begins later than in [`AHEAD`].
    #[error("an absence begins within {}", AHEAD.in_words())]
    TooFarAhead,
    /// Nobody stands in for themselves.
    #[error("`{0}` cannot stand in for themselves")]
    Oneself(PrincipalId),
    /// Nobody whom policy knows.
    #[error("`{0}` is in no group of the policy: name somebody who is")]
    Unknown(PrincipalId),
    /// Somebody else stands in for them during it.
    #[error("another absence of yours, {0}, is during that time: end it first")]
    Overlaps(AbsenceId),
}

impl Absence {
    /// Takes what a person says of their own absence. `theirs` are the absences on record.
    ///
    /// # Errors
    /// [`AbsenceError`].
    pub fn begin(
        new: NewAbsence,
        who: &Principal,
        theirs: &[Self],
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Self, AbsenceError> {
        let NewAbsence { id, to, from, until } = new;
        let from = from.max(now);
        if who.kind != PrincipalKind::Person {
            return Err(AbsenceError::NotAPerson(who.id.clone()));
        }
        if until <= from {
            return Err(AbsenceError::Empty);
        }
        if from > now.plus(AHEAD) {
            return Err(AbsenceError::TooFarAhead);
        }
        if until > from.plus(LONGEST) {
            return Err(AbsenceError::TooLong);
        }
        if membership.are_same(&who.id, &to) {
            return Err(AbsenceError::Oneself(to));
        }
        // Whoever policy does not know has no word here; nobody brings a stranger in.
        if membership.groups_of(&to).next().is_none() || membership.is_suspended(&to) {
            return Err(AbsenceError::Unknown(to));
        }
        let overlaps = |other: &&Self| {
            membership.are_same(&other.who, &who.id)
                && other.ended.is_none()
                && other.from < until
                && from < other.until
        };
        if let Some(other) = theirs.iter().find(overlaps) {
            return Err(AbsenceError::Overlaps(other.id));
        }
        Ok(Self { id, who: who.id.clone(), to, from, until, made_at: now, ended: None })
    }

    /// Whether it holds at that time, and has not been taken back by now: what ended by itself takes
    /// nothing back that was given before.
    pub fn holds(&self, then: Timestamp, now: Timestamp) -> bool {
        let stands = self.ended.as_ref().is_none_or(|ended| now < ended.at);
        self.from <= then && then < self.until && stands
    }

    /// Whether it is over: its time has passed, or it was taken back.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ended.is_some() || now >= self.until
    }

    /// The same, taken back; `None` where it is over.
    pub fn end(&self, by: &PrincipalId, now: Timestamp) -> Option<Self> {
        let ended = Some(Ended { at: now.max(self.made_at), by: by.clone() });
        (!self.is_over(now)).then(|| Self { ended, ..self.clone() })
    }
}

/// Who stands in for whom at that time, by these absences: as pairs, whoever stands in first. Where
/// policy names somebody for the same person, policy is followed.
pub fn stand_ins<'a>(
    absences: impl IntoIterator<Item = &'a Absence>,
    membership: &Membership,
    then: Timestamp,
    now: Timestamp,
) -> Vec<(PrincipalId, PrincipalId)> {
    let holding = absences.into_iter().filter(|absence| absence.holds(then, now));
    let free = holding.filter(|absence| !membership.has_stand_in(&absence.who));
    free.map(|absence| (absence.to.clone(), absence.who.clone())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn person(name: &str) -> PrincipalId {
        PrincipalId::local(name).unwrap()
    }

    fn principal(name: &str, kind: PrincipalKind) -> Principal {
        let (groups, acts_for) = (BTreeSet::new(), BTreeSet::new());
        Principal { id: person(name), kind, groups, acts_for, claims: serde_json::Map::new() }
    }

    fn members() -> Membership {
        let people = ["bob", "carol", "dave"].map(person).into();
        Membership::new(BTreeMap::from([("a".to_owned(), people)]))
    }

    fn day(day: u64) -> Timestamp {
        "2026-11-20T09:00:00Z".parse::<Timestamp>().unwrap().plus(Span::hours(24 * day))
    }

    fn say(to: &str, from: u64, until: u64) -> NewAbsence {
        let id = AbsenceId::new(day(from), [until as u8; 10]);
        NewAbsence { id, to: person(to), from: day(from), until: day(until) }
    }

    fn bob(new: NewAbsence, theirs: &[Absence], now: u64) -> Result<Absence, AbsenceError> {
        let who = principal("bob", PrincipalKind::Person);
        Absence::begin(new, &who, theirs, &members(), day(now))
    }

    #[test]
    fn an_absence_is_of_a_person_for_a_while_to_somebody_else_whom_policy_knows() {
        assert!(bob(say("carol", 1, 5), &[], 0).is_ok());
        assert_eq!(bob(say("carol", 5, 5), &[], 0), Err(AbsenceError::Empty));
        assert_eq!(bob(say("carol", 0, 3), &[], 4), Err(AbsenceError::Empty));
        assert_eq!(bob(say("carol", 1, 92), &[], 0), Err(AbsenceError::TooLong));
        assert_eq!(bob(say("carol", 366, 367), &[], 0), Err(AbsenceError::TooFarAhead));
        assert_eq!(bob(say("bob", 1, 5), &[], 0), Err(AbsenceError::Oneself(person("bob"))));
        assert_eq!(bob(say("eve", 1, 5), &[], 0), Err(AbsenceError::Unknown(person("eve"))));
        let ci = principal("ci", PrincipalKind::Workload);
        let refused = Absence::begin(say("carol", 1, 5), &ci, &[], &members(), day(0));
        assert_eq!(refused, Err(AbsenceError::NotAPerson(person("ci"))));
    }

    #[test]
    fn nobody_suspended_is_named() {
        let members = members().with_suspended([person("carol")].into());
        let who = principal("bob", PrincipalKind::Person);
        let refused = Absence::begin(say("carol", 1, 5), &who, &[], &members, day(0));
        assert_eq!(refused, Err(AbsenceError::Unknown(person("carol"))));
    }

    #[test]
    fn one_at_a_time() {
        let first = bob(say("carol", 2, 5), &[], 0).unwrap();
        let theirs = [first.clone()];
        assert_eq!(bob(say("dave", 4, 6), &theirs, 0), Err(AbsenceError::Overlaps(first.id)));
        assert!(bob(say("dave", 5, 6), &theirs, 0).is_ok());
        assert!(bob(say("dave", 1, 2), &theirs, 0).is_ok());
        let ended = [first.end(&person("bob"), day(1)).unwrap()];
        assert!(bob(say("dave", 4, 6), &ended, 1).is_ok());
    }

    #[test]
    fn it_holds_from_its_beginning_until_its_end_unless_it_was_taken_back() {
        let absence = bob(say("carol", 1, 3), &[], 0).unwrap();
        assert!(!absence.holds(day(0), day(0)) && !absence.holds(day(3), day(3)));
        assert!(absence.holds(day(1), day(1)));
        // What was given while it held stays given when it has ended by itself, and not when not.
        assert!(absence.holds(day(2), day(9)));
        let ended = absence.end(&person("root"), day(2)).unwrap();
        assert!(!ended.holds(day(1), day(2)) && ended.end(&person("bob"), day(2)).is_none());
        assert!(absence.end(&person("bob"), day(3)).is_none());
    }

    #[test]
    fn where_policy_names_a_stand_in_it_is_followed() {
        let absence = bob(say("carol", 1, 3), &[], 0).unwrap();
        let all = std::slice::from_ref(&absence);
        assert_eq!(stand_ins(all, &members(), day(2), day(2)), [(person("carol"), person("bob"))]);
        let ruled = members().with_stand_ins([(person("dave"), person("bob"))]);
        assert_eq!(stand_ins(all, &ruled, day(2), day(2)), []);
    }
}

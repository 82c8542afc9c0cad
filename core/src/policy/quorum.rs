//! Counting: how far the approvals of these people fill these stages.
//!
//! One person is one approval over all stages. Who fills which place is a matching of people to
//! places; stages are filled in their order, so the result depends on who approved and never on
//! when. Somebody who stands in for others may fill a place of theirs, as long as they have not
//! approved themselves: nobody fills two.

use std::collections::{BTreeMap, BTreeSet};

use crate::membership::{Membership, Tie};
use crate::policy::ruling::Stage;
use crate::principal::PrincipalId;
use crate::statement::Strength;
use crate::time::Span;

/// How far one stage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageProgress {
    /// `rule/stage`.
    pub name: String,
    /// How many different people it needs.
    pub needed: u32,
    /// Those who count for it.
    pub counted: BTreeSet<PrincipalId>,
    /// Whether the stage before it, if any, is filled.
    pub open: bool,
}

impl StageProgress {
    /// Whether enough people count.
    pub fn is_filled(&self) -> bool {
        self.counted.len() >= self.needed as usize
    }
}

/// Who approved, and how.
pub type Approvals = BTreeMap<PrincipalId, Approval>;

/// What partners have said: for which stage, of which issuer, and which of its people count.
pub type Endorsed = BTreeMap<String, (String, BTreeSet<PrincipalId>)>;

/// What of an approval decides for which stages it counts, beside who gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Those for whom the reviewer stood in.
    pub stands_in_for: BTreeSet<PrincipalId>,
    /// How long before that the reviewer had signed in, where that is known.
    pub login_age: Option<Span>,
    /// How they had.
    pub means: Means,
    /// How good the signature is, where it is signed.
    pub signature: Option<Strength>,
}

/// How somebody signed in, in their provider's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// The class of it (`acr`).
    pub acr: Option<String>,
    /// The methods of it (`amr`, RFC 8176).
    pub amr: BTreeSet<String>,
}

impl Approval {
    /// Whether its giver had signed in as lately as the stage wants, and as it wants.
    pub fn is_fresh_for(&self, stage: &Stage) -> bool {
        let fresh = |within| self.login_age.is_some_and(|age| age <= within);
        stage.login_within.is_none_or(fresh)
            && stage.means.are_met(self.means.acr.as_deref(), &self.means.amr)
    }

    /// Whether it is signed as the stage wants.
    pub fn is_signed_for(&self, stage: &Stage) -> bool {
        let meets = |demand| self.signature.is_some_and(|strength| strength.meets(&demand));
        stage.signature.is_none_or(meets)
    }
}

/// How far all stages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    stages: Vec<StageProgress>,
    asked: Vec<bool>,
}

impl Progress {
    /// Counts these approvals and endorsements. `behind` are the people who never count.
    pub fn of(
        stages: &[Stage],
        approvals: &Approvals,
        endorsed: &Endorsed,
        behind: &BTreeSet<&PrincipalId>,
        membership: &Membership,
    ) -> Self {
        let there = |stage: &Stage| {
            let issuer = &stage.elsewhere.as_ref()?.issuer;
            let (of, people) = endorsed.get(&stage.name)?;
            let count = |who: &&PrincipalId| {
                !membership.is_suspended(who) && membership.tie(who, behind) != Some(Tie::Behind)
            };
            (of == issuer).then(|| people.iter().filter(count).cloned().collect())
        };
        // Somebody who came twice, by two accounts that are known to be theirs now, is one.
        let elsewhere = endorsed.values().flat_map(|(_, people)| people);
        let mut seen: BTreeSet<_> = elsewhere.map(|who| membership.counted_as(who)).collect();
        let came = approvals.keys();
        let people: Vec<_> = came.filter(|who| seen.insert(membership.counted_as(who))).collect();
        let may_fill = |at: usize, person: &PrincipalId| {
            let (Some(stage), Some(approval)) = (stages.get(at), approvals.get(person)) else {
                return false;
            };
            let mut approval = approval.clone();
            let came = |absent: &PrincipalId| {
                approvals.keys().any(|who| membership.count_as_one(who, absent))
            };
            approval.stands_in_for.retain(|absent| !came(absent));
            approval.is_fresh_for(stage)
                && approval.is_signed_for(stage)
                && is_asked(stage, person, &approval, behind, membership)
        };
        let mut places = Places { people: &people, taken: Vec::new(), may_fill: &may_fill };
        let mut counted: Vec<StageProgress> = Vec::new();
        for (at, stage) in stages.iter().enumerate() {
            let is_filled = |name: &String| {
                counted.iter().any(|before| before.name == *name && before.is_filled())
            };
            let open = stage.after.as_ref().is_none_or(is_filled);
            if open && stage.elsewhere.is_none() {
                places.fill(at, stage.approvals);
            }
            let (name, needed) = (stage.name.clone(), stage.approvals);
            let people = there(stage).filter(|_| open).unwrap_or_else(|| places.of(at));
            counted.push(StageProgress { name, needed, counted: people, open });
        }
        // A later stage may have moved people between the places of earlier ones.
        let here = stages.iter().map(|stage| stage.elsewhere.is_none());
        for ((at, progress), _) in counted.iter_mut().enumerate().zip(here).filter(|(_, h)| *h) {
            progress.counted = places.of(at);
        }
        let asked = places.asked(&counted);
        Self { stages: counted, asked }
    }

    /// Every stage, in the order of the ruling.
    pub fn stages(&self) -> &[StageProgress] {
        &self.stages
    }

    /// For every stage, in the order of the ruling, whether one more of its people would bring the
    /// whole nearer: it lacks somebody, or somebody who counts for it could move to one that does.
    pub fn asked(&self) -> &[bool] {
        &self.asked
    }

    /// Whether every stage is filled.
    pub fn is_met(&self) -> bool {
        self.stages.iter().all(StageProgress::is_filled)
    }
}

/// Whether this stage asks this person: by themselves, or for one of those they stand in for. Who is
/// behind the change, suspended or excluded is asked neither way.
pub fn is_asked(
    stage: &Stage,
    person: &PrincipalId,
    approval: &Approval,
    behind: &BTreeSet<&PrincipalId>,
    membership: &Membership,
) -> bool {
    let is_barred = |who: &PrincipalId| {
        membership.tie(who, behind).is_some()
            || membership.is_suspended(who)
            || stage.exclude.iter().any(|a| membership.includes(a, who))
    };
    let is_asked = |who: &&PrincipalId| {
        !is_barred(who) && stage.from.iter().any(|approver| membership.includes(approver, who))
    };
    stage.elsewhere.is_none()
        && !is_barred(person)
        && std::iter::once(person).chain(&approval.stands_in_for).any(|who| is_asked(&who))
}

/// Who fills which place: a matching of people to places, grown by augmenting paths. A path moves
/// people between places and never empties one, so a stage once filled stays filled. A stage is
/// known by where it stands in the ruling.
struct Places<'a, F> {
    people: &'a [&'a PrincipalId],
    taken: Vec<(usize, &'a PrincipalId)>,
    may_fill: &'a F,
}

impl<'a, F: Fn(usize, &PrincipalId) -> bool> Places<'a, F> {
    fn of(&self, stage: usize) -> BTreeSet<PrincipalId> {
        let counts = self.taken.iter().filter(|(at, _)| *at == stage);
        counts.map(|(_, person)| (*person).clone()).collect()
    }

    /// Fills as many places of this stage as these people can.
    fn fill(&mut self, stage: usize, approvals: u32) {
        for _ in 0..approvals {
            if !self.fill_one(stage, &mut BTreeSet::new()) {
                return;
            }
        }
    }

    fn fill_one(&mut self, stage: usize, tried: &mut BTreeSet<&'a PrincipalId>) -> bool {
        for &person in self.people {
            if !(self.may_fill)(stage, person) || !tried.insert(person) {
                continue;
            }
            let sits = self.taken.iter().position(|(_, other)| *other == person);
            let Some((before, _)) = sits.map(|at| self.taken.swap_remove(at)) else {
                self.taken.push((stage, person));
                return true;
            };
            // Whoever sits elsewhere may come over if somebody else can take that place.
            if before != stage && self.fill_one(before, tried) {
                self.taken.push((stage, person));
                return true;
            }
            self.taken.push((before, person));
        }
        false
    }

    /// The stages from which an augmenting path could start, had they one more person.
    fn asked(&self, stages: &[StageProgress]) -> Vec<bool> {
        let mut asked: Vec<bool> = stages.iter().map(|s| s.open && !s.is_filled()).collect();
        loop {
            let helps = |person: &PrincipalId| {
                asked.iter().enumerate().any(|(at, asked)| *asked && (self.may_fill)(at, person))
            };
            let movable = self.taken.iter().filter(|(_, person)| helps(person));
            let movable: Vec<usize> = movable.map(|(at, _)| *at).collect();
            let before = asked.clone();
            for (at, asked) in asked.iter_mut().enumerate() {
                *asked = *asked || movable.contains(&at);
            }
            if asked == before {
                return asked;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::membership::Approver;

    fn person(name: &str) -> PrincipalId {
        PrincipalId::local(name).unwrap()
    }

    fn stage(name: &str, approvals: u32, from: &str, after: Option<&str>) -> Stage {
        Stage {
            name: name.to_owned(),
            rules: BTreeSet::new(),
            approvals,
            from: from.split(' ').map(|text| text.parse().unwrap()).collect(),
            elsewhere: None,
            exclude: BTreeSet::new(),
            after: after.map(str::to_owned),
            login_within: None,
            signature: None,
            means: Default::default(),
            expires_after: None,
            escalate: None,
            remind: None,
        }
    }

    /// Nobody of them stands in for anybody.
    fn alone(people: impl IntoIterator<Item = PrincipalId>) -> Approvals {
        people.into_iter().map(|person| (person, Approval::default())).collect()
    }

    fn groups(text: &str) -> Membership {
        let line = |line: &str| {
            let (name, people) = line.split_once(": ").unwrap();
            (name.to_owned(), people.split(' ').map(person).collect())
        };
        Membership::new(text.split("; ").map(line).collect())
    }

    fn met(stages: &[Stage], approvals: &str, behind: &str, members: &Membership) -> bool {
        let approvals = alone(approvals.split_whitespace().map(person));
        let behind: Vec<_> = behind.split_whitespace().map(person).collect();
        Progress::of(stages, &approvals, &Endorsed::new(), &behind.iter().collect(), members)
            .is_met()
    }

    #[test]
    fn one_person_is_one_approval_over_all_stages() {
        let members = groups("a: bob carol; b: bob dave");
        let stages = [stage("r/a", 1, "group:a", None), stage("s/b", 1, "group:b", None)];
        assert!(!met(&stages, "bob", "", &members));
        assert!(met(&stages, "bob carol", "", &members), "carol frees bob for the second stage");
        assert!(met(&stages, "bob dave", "", &members));
    }

    #[test]
    fn t07_t10_nobody_behind_the_change_counts() {
        let members = groups("a: alice bob carol");
        let stages = [stage("r/a", 2, "group:a", None)];
        assert!(!met(&stages, "alice bob", "alice", &members));
        assert!(met(&stages, "alice bob carol", "alice", &members));
    }

    #[test]
    fn t11_who_left_the_group_no_longer_counts() {
        let stages = [stage("r/a", 2, "group:a", None)];
        assert!(met(&stages, "bob carol", "", &groups("a: bob carol")));
        assert!(!met(&stages, "bob carol", "", &groups("a: bob dave")));
    }

    #[test]
    fn a_stage_opens_when_the_one_before_is_filled() {
        let members = groups("a: bob; b: carol");
        let stages = [stage("r/a", 1, "group:a", None), stage("r/b", 1, "group:b", Some("r/a"))];
        assert!(!met(&stages, "carol", "", &members));
        assert!(met(&stages, "bob carol", "", &members));
    }

    #[test]
    fn a_stand_in_fills_the_place_of_somebody_who_did_not_approve() {
        let members = groups("a: bob carol");
        let stages = [stage("r/a", 2, "group:a", None)];
        let met = |who: &[(&str, &str)], behind: &str| {
            let absent = |text: &str| Approval {
                stands_in_for: text.split_whitespace().map(person).collect(),
                ..Approval::default()
            };
            let approvals =
                who.iter().map(|(who, absents)| (person(who), absent(absents))).collect();
            let behind: Vec<_> = behind.split_whitespace().map(person).collect();
            Progress::of(&stages, &approvals, &Endorsed::new(), &behind.iter().collect(), &members)
                .is_met()
        };
        assert!(met(&[("dave", "bob"), ("carol", "")], ""));
        assert!(
            !met(&[("dave", "bob"), ("bob", "")], ""),
            "bob has one place, and fills it himself"
        );
        assert!(!met(&[("dave", "bob carol"), ("eve", "")], ""), "one person is one approval");
        assert!(!met(&[("dave", "bob"), ("carol", "")], "bob"), "for somebody behind the change");
        assert!(!met(&[("dave", "bob"), ("carol", "")], "dave"), "by somebody behind the change");
    }

    #[test]
    fn two_stages_of_one_name_do_not_fill_each_other() {
        let members = groups("a: bob; b: carol dave");
        let stages = [stage("r/s/t", 1, "group:a", None), stage("r/s/t", 2, "group:b", None)];
        assert!(!met(&stages, "bob carol", "", &members));
        assert!(met(&stages, "bob carol dave", "", &members));
    }

    #[test]
    fn the_excluded_do_not_count() {
        let mut stages = [stage("r/a", 1, "group:a", None)];
        stages[0].exclude.insert(Approver::Person(person("bob")));
        assert!(!met(&stages, "bob", "", &groups("a: bob carol")));
    }

    proptest! {
        #[test]
        fn more_approvals_never_undo_a_quorum(
            groups in prop::collection::vec(prop::collection::btree_set(0usize..6, 0..6), 3),
            needs in prop::collection::vec(1u32..3, 3),
            first in prop::collection::btree_set(0usize..6, 0..6),
            more in prop::collection::btree_set(0usize..6, 0..6),
        ) {
            let name = |n: &usize| person(&format!("p{n}"));
            let members = Membership::new(groups.iter().enumerate()
                .map(|(n, people)| (format!("g{n}"), people.iter().map(name).collect())).collect());
            let stages: Vec<_> = needs.iter().enumerate()
                .map(|(n, need)| stage(&format!("r/{n}"), *need, &format!("group:g{n}"), None)).collect();
            let few = alone(first.iter().map(name));
            let many = alone(first.iter().chain(&more).map(name));
            let before = Progress::of(&stages, &few, &Endorsed::new(), &BTreeSet::new(), &members);
            let after = Progress::of(&stages, &many, &Endorsed::new(), &BTreeSet::new(), &members);
            prop_assert!(!before.is_met() || after.is_met());
            let counted: Vec<_> = after.stages().iter().flat_map(|s| &s.counted).collect();
            prop_assert_eq!(counted.len(), counted.iter().collect::<BTreeSet<_>>().len());
            prop_assert!(counted.iter().all(|person| many.contains_key(*person)));
        }

        #[test]
        fn a_stage_is_asked_exactly_when_one_more_of_its_people_would_help(
            groups in prop::collection::vec(prop::collection::btree_set(0usize..6, 0..6), 3),
            needs in prop::collection::vec(1u32..3, 3),
            approvals in prop::collection::btree_set(0usize..6, 0..6),
        ) {
            let name = |n: &usize| person(&format!("p{n}"));
            let mut members: std::collections::BTreeMap<_, BTreeSet<_>> = groups.iter().enumerate()
                .map(|(n, people)| (format!("g{n}"), people.iter().map(name).collect())).collect();
            let stages: Vec<_> = needs.iter().enumerate()
                .map(|(n, need)| stage(&format!("r/{n}"), *need, &format!("group:g{n}"), None)).collect();
            let mut approvals = alone(approvals.iter().map(name));
            let all = |approvals: &Approvals, members: &std::collections::BTreeMap<_, _>| {
                let progress = Progress::of(&stages, approvals, &Endorsed::new(), &BTreeSet::new(), &Membership::new(members.clone()));
                let counted: usize = progress.stages().iter().map(|stage| stage.counted.len()).sum();
                (counted, progress)
            };
            let (before, progress) = all(&approvals, &members);
            approvals.insert(person("somebody-new"), Approval::default());
            for (n, asked) in progress.asked().iter().enumerate() {
                members.get_mut(&format!("g{n}")).unwrap().insert(person("somebody-new"));
                prop_assert_eq!(all(&approvals, &members).0 == before + 1, *asked);
                members.get_mut(&format!("g{n}")).unwrap().remove(&person("somebody-new"));
            }
        }

        #[test]
        fn a_quorum_is_met_exactly_when_an_assignment_exists(
            groups in prop::collection::vec(prop::collection::btree_set(0usize..8, 0..8), 4),
            needs in prop::collection::vec(1u32..4, 4),
            approvals in prop::collection::btree_set(0usize..8, 0..8),
        ) {
            let name = |n: &usize| person(&format!("p{n}"));
            let members = Membership::new(groups.iter().enumerate()
                .map(|(n, people)| (format!("g{n}"), people.iter().map(name).collect())).collect());
            let stages: Vec<_> = needs.iter().enumerate()
                .map(|(n, need)| stage(&format!("r/{n}"), *need, &format!("group:g{n}"), None)).collect();
            // Hall's theorem: every choice of stages finds as many people as it has places.
            let possible = (1u32..1 << 4).all(|choice| {
                let chosen: Vec<usize> = (0..4).filter(|n| choice & 1 << n != 0).collect();
                let able = approvals.iter().filter(|p| chosen.iter().any(|n| groups[*n].contains(p)));
                able.count() >= chosen.iter().map(|n| needs[*n] as usize).sum()
            });
            let approvals = alone(approvals.iter().map(name));
            let progress = Progress::of(&stages, &approvals, &Endorsed::new(), &BTreeSet::new(), &members);
            prop_assert_eq!(progress.is_met(), possible);
        }
    }
}

//! Random walks: anything anybody may try, in any order, late steps and wrong receipts included.
//! After every move that reached the ledger, each `invariant_…` looks at the events alone and
//! decides anew, by its own slow reckoning, whether the rules were kept.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an invariant looks at the few facts it is about"
)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::digest::Digest;
use crate::grant::{Grant, SealedGrant};
use crate::id::{CredentialId, RequestId, ReviewId};
use crate::intent::UnverifiedIntent;
use crate::membership::Approver;
use crate::policy::ruling::{Reason, Stage};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::time::{Span, Timestamp};

const WALKS: u64 = 2_000;
const MOVES: u64 = 30;

#[test]
fn whatever_anybody_tries_the_invariants_hold() {
    let mut reached = BTreeMap::new();
    for seed in 0..WALKS {
        let mut world = World::new(seed);
        world.check();
        for _ in 0..MOVES {
            world.step();
        }
        for event in &world.log.events {
            *reached.entry(fact_word(&event.fact)).or_insert(0) += 1;
        }
    }
    // A walk that never gets anywhere proves nothing.
    for word in WORDS {
        assert!(reached.get(word).is_some_and(|times| *times > 40), "{word}: {reached:?}");
    }
}

const WORDS: [&str; 13] = [
    "filed",
    "reviewed",
    "approved",
    "denied",
    "expired",
    "canceled",
    "consumed",
    "minted",
    "redeemed",
    "abandoned",
    "credential revoked",
    "completed",
    "revoked",
];

fn fact_word(fact: &Fact) -> &'static str {
    match fact {
        Fact::Filed { .. } => "filed",
        Fact::Reviewed(_) => "reviewed",
        Fact::Approved { .. } => "approved",
        Fact::Denied(_) => "denied",
        Fact::Expired { .. } => "expired",
        Fact::Canceled { .. } => "canceled",
        Fact::Consumed { .. } => "consumed",
        Fact::Minted { .. } => "minted",
        Fact::Redeemed { .. } => "redeemed",
        Fact::Abandoned { .. } => "abandoned",
        Fact::CredentialRevoked { .. } => "credential revoked",
        Fact::Completed => "completed",
        Fact::Revoked { .. } => "revoked",
    }
}

// What is tried.

/// Splitmix64: the same walk from the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// Compare-and-set on the version, and nothing else.
struct Log {
    events: Vec<Event>,
    /// Which membership each event was decided by.
    by: Vec<usize>,
    request: Request,
    receipts: Vec<Receipt>,
}

impl Log {
    fn commit(&mut self, step: &Step, membership: usize) -> Option<Receipt> {
        if step.expected() != Some(self.request.version()) {
            return None;
        }
        self.request = step.next().clone();
        self.by.extend(step.events().iter().map(|_| membership));
        self.events.extend_from_slice(step.events());
        Some(receipt(step))
    }
}

#[expect(clippy::disallowed_methods, reason = "the walk's log is a ledger")]
fn receipt(step: &Step) -> Receipt {
    Receipt::for_committed(step)
}

#[expect(clippy::large_enum_variant, reason = "there are few of them")]
enum Late {
    Step(Step, usize),
    Sealed(SealedGrant, usize),
}

struct World {
    seed: u64,
    chance: Chance,
    now: Timestamp,
    people: Vec<Principal>,
    memberships: Vec<Membership>,
    log: Log,
    late: Vec<Late>,
    grants: Vec<Grant>,
    released: BTreeSet<CredentialId>,
}

fn principal(name: &str, kind: PrincipalKind, acts_for: &[&str]) -> Principal {
    let id = |name: &str| PrincipalId::local(name).unwrap();
    let acts_for = acts_for.iter().map(|name| id(name)).collect();
    Principal { id: id(name), kind, groups: BTreeSet::new(), acts_for }
}

/// Alice, or a workload that acts for her, asks. The bot is in the groups and must not count.
fn everybody() -> Vec<Principal> {
    let person = |name| principal(name, PrincipalKind::Person, &[]);
    let mut all: Vec<_> = ["alice", "bob", "carol", "dave", "erin"].map(person).into();
    all.push(principal("bot", PrincipalKind::Workload, &[]));
    all.push(principal("ci", PrincipalKind::Workload, &["alice"]));
    all
}

fn is_root(who: &PrincipalId) -> bool {
    who.sub() == "erin"
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let people = everybody();
        let requester = people[if chance.one_in(3) { 6 } else { 0 }].clone();
        let intent = intent(&mut chance);
        let ruling = ruling(&mut chance);
        let now = Timestamp::from_millis(1_795_000_000_000);
        let id = RequestId::new(now, [seed as u8; 10]);
        let step = Request::file(Filing { id, intent, requester, ruling }, now);
        let memberships = vec![membership(&mut chance, &people)];
        let log = Log {
            events: step.events().to_vec(),
            by: vec![0; step.events().len()],
            request: step.next().clone(),
            receipts: vec![receipt(&step)],
        };
        let (late, grants, released) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { seed, chance, now, people, memberships, log, late, grants, released }
    }

    fn members(&self) -> Membership {
        self.memberships.last().unwrap().clone()
    }

    fn anybody(&mut self) -> Principal {
        self.chance.pick(&self.people).clone()
    }

    /// Mostly the requester, so that walks get somewhere.
    fn somebody(&mut self) -> Principal {
        match self.chance.one_in(4) {
            true => self.anybody(),
            false => self.log.request.requester().clone(),
        }
    }

    fn any_credential(&mut self) -> CredentialId {
        let known: Vec<_> = self.log.request.credentials().iter().map(|c| c.id).collect();
        match known.is_empty() || self.chance.one_in(8) {
            true => self.new_credential(),
            false => *self.chance.pick(&known),
        }
    }

    fn new_credential(&mut self) -> CredentialId {
        CredentialId::new(
            self.now,
            self.chance.below(u64::MAX).to_be_bytes().repeat(2)[..10].try_into().unwrap(),
        )
    }

    fn step(&mut self) {
        self.now = self.now.plus(Span::from_millis(1 + self.chance.below(20_000)));
        if self.chance.one_in(20) {
            self.now = self.now.plus(Span::minutes(self.chance.below(40)));
        }
        if self.chance.one_in(5) {
            let membership = membership(&mut self.chance, &self.people);
            self.memberships.push(membership);
        }
        let before = self.log.events.len();
        self.act();
        if self.log.events.len() > before {
            self.check();
        }
    }

    fn act(&mut self) {
        let request = self.log.request.clone();
        let (now, members) = (self.clock(), self.members());
        // What is likely is what gets somewhere; now and then it is anything at all.
        let likely = match request.state() {
            _ if self.chance.one_in(4) => self.chance.below(20),
            State::Pending(_) => *self.chance.pick(&[0, 0, 0, 0, 0, 17, 19]),
            _ => *self.chance.pick(&[8, 8, 11, 11, 11, 13, 13, 14, 15, 16, 17, 18, 19]),
        };
        match likely {
            0..=6 => {
                let reviewer = self.anybody();
                let said = self.said(&request);
                let id = ReviewId::new(now, [self.chance.below(256) as u8; 10]);
                let right = said.digest == request.digest();
                let foretold = request.may_review(&reviewer, &members, now);
                let step = request.review(id, &reviewer, said, &members, now);
                assert!(!right || step.as_ref().err() == foretold.as_ref(), "{foretold:?}");
                self.maybe(step.ok());
            }
            7 => {
                let by = self.somebody();
                if self.chance.one_in(4) {
                    self.maybe(request.cancel(&by, "no longer".to_owned(), now).ok());
                }
            }
            8..=10 => {
                let (by, spend) = (self.somebody(), self.spend());
                let Ok(sealed) = request.consume(&by, spend, &members, now) else { return };
                self.hand_in(Late::Sealed(sealed, self.memberships.len() - 1));
            }
            11..=12 => {
                let credential = match self.grants.pop() {
                    Some(grant) => grant.credential(),
                    None => self.any_credential(),
                };
                let fingerprint = Digest::of(credential.to_string().as_bytes());
                self.maybe(request.minted(credential, fingerprint, now));
            }
            13 => {
                let (by, credential) = (self.anybody(), self.any_credential());
                let fingerprint = match self.chance.one_in(4) {
                    true => Digest::of(b"another token"),
                    false => Digest::of(credential.to_string().as_bytes()),
                };
                self.maybe(request.redeem(&by.id, credential, fingerprint, now).ok());
            }
            14 => {
                let by = self.somebody();
                if self.chance.one_in(4) {
                    self.maybe(request.complete(&by, now).ok());
                }
            }
            15 => {
                let (by, standing) = (self.anybody(), self.standing());
                if !self.chance.one_in(4) {
                    return;
                }
                let standing = if is_root(&by.id) { standing } else { Standing::Own };
                let why = "taken back".to_owned();
                self.maybe(request.revoke(&by, standing, why, &members, now).ok());
            }
            16 => {
                let (by, credential) = (self.anybody(), self.any_credential());
                let step = request.revoke_credential(&by, Standing::Own, credential, &members, now);
                self.maybe(step.ok().flatten());
            }
            17 => self.maybe(request.lapse(now)),
            18 => {
                let (by, credential) = (self.somebody(), self.any_credential());
                let again = request.grant_again(&by, credential, &members, now);
                self.grants.extend(again);
            }
            _ => {
                if let Some(late) = self.late.pop() {
                    self.commit(late);
                }
            }
        }
    }

    /// Once in a while the clock is behind.
    fn clock(&mut self) -> Timestamp {
        let back = if self.chance.one_in(15) { self.chance.below(3_000_000) as i64 } else { 0 };
        Timestamp::from_millis(self.now.as_millis() - back)
    }

    fn said(&mut self, request: &Request) -> Said {
        let verdict = if self.chance.one_in(25) { Verdict::Deny } else { Verdict::Approve };
        let wrong = self.chance.one_in(10);
        let digest = if wrong { Digest::of(b"another intent") } else { request.digest() };
        Said { verdict, digest, comment: "seen".to_owned() }
    }

    fn spend(&mut self) -> Spend {
        let audience = (*self.chance.pick(&["db", "db", "aws", "elsewhere"])).to_owned();
        let ttl = self.chance.one_in(2).then(|| Span::minutes(1 + self.chance.below(60)));
        Spend { credential: self.new_credential(), audience, ttl }
    }

    fn standing(&mut self) -> Standing {
        if self.chance.one_in(2) { Standing::Administrator } else { Standing::Own }
    }

    fn maybe(&mut self, step: Option<Step>) {
        if let Some(step) = step {
            self.hand_in(Late::Step(step, self.memberships.len() - 1));
        }
    }

    /// Most steps reach the ledger at once, some later, some twice.
    fn hand_in(&mut self, what: Late) {
        if self.chance.one_in(6) {
            self.late.push(what);
            return;
        }
        if let (Late::Step(step, by), true) = (&what, self.chance.one_in(6)) {
            self.late.push(Late::Step(step.clone(), *by));
        }
        self.commit(what);
    }

    fn commit(&mut self, what: Late) {
        match what {
            Late::Step(step, by) => {
                let receipt = self.log.commit(&step, by);
                self.log.receipts.extend(receipt);
            }
            Late::Sealed(sealed, by) => {
                let credential = match &sealed.step().events()[0].fact {
                    Fact::Consumed { credential, .. } => *credential,
                    other => panic!("a seal is closed by its use, not by {other:?}"),
                };
                let own = self.log.commit(sealed.step(), by);
                let other = self.log.receipts.last().unwrap().clone();
                let wrong = own.is_none() || self.chance.one_in(4);
                let receipt = if wrong { &other } else { own.as_ref().unwrap() };
                let grant = sealed.release(receipt);
                assert_eq!(
                    grant.is_some(),
                    !wrong,
                    "seed {}: a wrong receipt opened a seal, or the right one did not",
                    self.seed
                );
                if let Some(grant) = grant {
                    assert!(self.released.insert(credential), "released twice");
                    self.grants.push(grant);
                }
                self.log.receipts.extend(own);
            }
        }
    }

    fn check(&self) {
        let history = History::new(self);
        let invariants: [(&str, Invariant); 16] = [
            ("ends never change", invariant_ends_never_change),
            ("nobody is counted twice", invariant_nobody_is_counted_twice),
            ("nobody behind the change counts", invariant_nobody_behind_the_change_counts),
            ("reviews are in time", invariant_reviews_are_in_time_on_the_right_digest),
            ("reviewers were asked", invariant_reviewers_were_asked),
            ("a denial has its review", invariant_a_denial_has_its_review),
            ("an approval has its quorum", invariant_an_approval_has_its_quorum),
            ("a quorum is an approval", invariant_a_quorum_is_an_approval_at_once),
            ("uses are the requester's", invariant_uses_are_the_requesters_inside_the_window),
            ("no more uses than granted", invariant_no_more_uses_than_granted),
            ("who counted still counts", invariant_who_counted_still_counts_at_each_use),
            ("a credential has its record", invariant_a_credential_has_its_record),
            ("who ends it may", invariant_who_ends_it_may),
            ("deadlines", invariant_nothing_expires_before_its_deadline),
            ("time", invariant_time_never_goes_back),
            ("replay", invariant_replay_is_the_state),
        ];
        for (name, invariant) in invariants {
            if let Err(problem) = invariant(&history) {
                panic!("{name}: seed {}: {problem}\n{:#?}", self.seed, self.log.events);
            }
        }
        #[cfg(feature = "wire")]
        if let Err(problem) = invariant_json_reads_back(&history) {
            panic!("json: seed {}: {problem}", self.seed);
        }
    }
}

fn intent(chance: &mut Chance) -> Intent {
    let duration = chance.one_in(2).then(|| Span::minutes(1 + chance.below(30)));
    let stated = UnverifiedIntent {
        kind: "terraform.apply".to_owned(),
        environment: "production".to_owned(),
        target: BTreeMap::from([("workspace".to_owned(), "orders".to_owned())]),
        subject: chance.one_in(2).then(|| Digest::of(b"plan")),
        context: serde_json::from_str(r#"{"ticket": 1.0, "deep": [{"a": null}]}"#).unwrap(),
        reason: "because".to_owned(),
        duration,
    };
    stated.verify().unwrap()
}

fn ruling(chance: &mut Chance) -> Ruling {
    let audiences = chance.one_in(2).then(|| ["db", "aws"].map(str::to_owned).into());
    let terms = Terms {
        max_ttl: Span::minutes(1 + chance.below(40)),
        uses: 1 + chance.below(3) as u32,
        audiences,
        grant_window: Span::minutes(1 + chance.below(60)),
    };
    let outcome = match chance.below(12) {
        0 => Outcome::Permit(terms),
        1 => Outcome::Refuse(vec![Reason { rule: "freeze".to_owned(), message: "no".to_owned() }]),
        _ => Outcome::Require(Requirement {
            stages: stages(chance),
            expires_after: Span::minutes(5 + chance.below(120)),
            terms,
        }),
    };
    Ruling { outcome, rules: BTreeSet::from(["r".to_owned()]), policy: Digest::of(b"policy") }
}

fn stages(chance: &mut Chance) -> Vec<Stage> {
    let from = ["group:a", "group:b", "person:bob", "person:alice", "person:bot"];
    let mut stages: Vec<Stage> = Vec::new();
    for at in 0..=chance.below(3) {
        let mut approver = || chance.pick(&from).parse::<Approver>().unwrap();
        let from = BTreeSet::from([approver(), "group:a".parse().unwrap()]);
        let exclude = BTreeSet::from([approver()]);
        let after = stages.last().map(|stage| stage.name.clone());
        stages.push(Stage {
            name: format!("r/{at}"),
            rules: BTreeSet::from(["r".to_owned()]),
            approvals: 1 + chance.one_in(3) as u32,
            from,
            exclude: if chance.one_in(4) { exclude } else { BTreeSet::new() },
            after: after.filter(|_| chance.one_in(2)),
        });
    }
    stages
}

fn membership(chance: &mut Chance, people: &[Principal]) -> Membership {
    let mut group = |_: &str| -> BTreeSet<PrincipalId> {
        people.iter().filter(|_| !chance.one_in(3)).map(|person| person.id.clone()).collect()
    };
    Membership::new(["a", "b"].map(|name| (name.to_owned(), group(name))).into())
}

// What must be so.

type Kept = Result<(), String>;
type Invariant = fn(&History<'_>) -> Kept;

macro_rules! keep {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

/// The events, and what an auditor can look up beside them.
struct History<'a> {
    events: &'a [Event],
    members: Vec<&'a Membership>,
    people: &'a [Principal],
    request: &'a Request,
    requester: &'a Principal,
    intent: &'a Intent,
    ruling: &'a Ruling,
    review_by: Timestamp,
}

type Approval<'a> = (usize, Timestamp, u32, &'a [(String, BTreeSet<PrincipalId>)]);
type Use<'a> = (usize, &'a Event, CredentialId, &'a str, Timestamp);

impl<'a> History<'a> {
    fn new(world: &'a World) -> Self {
        let log = &world.log;
        let Fact::Filed { intent, requester, ruling, expires_at } = &log.events[0].fact else {
            panic!("the first event is a filing");
        };
        Self {
            events: &log.events,
            members: log.by.iter().map(|at| &world.memberships[*at]).collect(),
            people: &world.people,
            request: &log.request,
            requester,
            intent,
            ruling,
            review_by: *expires_at,
        }
    }

    fn stages(&self) -> &'a [Stage] {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => &requirement.stages,
            Outcome::Permit(_) | Outcome::Refuse(_) => &[],
        }
    }

    fn terms(&self) -> Option<&'a Terms> {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => Some(&requirement.terms),
            Outcome::Permit(terms) => Some(terms),
            Outcome::Refuse(_) => None,
        }
    }

    fn reviews(&self) -> impl Iterator<Item = (usize, &'a Event, &'a Review)> {
        self.events.iter().enumerate().filter_map(|(at, event)| match &event.fact {
            Fact::Reviewed(review) => Some((at, event, review)),
            _ => None,
        })
    }

    fn approvers_before(&self, at: usize) -> Vec<&'a PrincipalId> {
        let before = self
            .reviews()
            .filter(|(other, _, review)| *other < at && review.verdict == Verdict::Approve);
        before.map(|(_, _, review)| &review.reviewer).collect()
    }

    fn eligible(&self, stage: &Stage, who: &PrincipalId, members: &Membership) -> bool {
        let among = |approvers: &BTreeSet<Approver>| {
            approvers.iter().any(|approver| match approver {
                Approver::Person(person) => person == who,
                Approver::Group(group) => members.members(group).unwrap().contains(who),
            })
        };
        *who != self.requester.id
            && !self.requester.acts_for.contains(who)
            && among(&stage.from)
            && !among(&stage.exclude)
    }

    /// Whether these people can fill these stages, each person once: by trying everything.
    fn can_fill(&self, stages: &[&Stage], who: &[&PrincipalId], members: &Membership) -> bool {
        let needs: Vec<u32> = stages.iter().map(|stage| stage.approvals).collect();
        self.try_all(stages, needs, who, members)
    }

    fn try_all(
        &self,
        stages: &[&Stage],
        needs: Vec<u32>,
        who: &[&PrincipalId],
        members: &Membership,
    ) -> bool {
        let Some((first, rest)) = who.split_first() else {
            return needs.iter().all(|need| *need == 0);
        };
        let places = (0..stages.len()).filter(|at| needs[*at] > 0);
        let mut places = places.filter(|at| self.eligible(stages[*at], first, members));
        let takes = places.any(|at| {
            let mut needs = needs.clone();
            needs[at] -= 1;
            self.try_all(stages, needs, rest, members)
        });
        takes || self.try_all(stages, needs, rest, members)
    }

    /// The stages before this one, by name.
    fn chain(&self, stage: &'a Stage) -> Vec<&'a Stage> {
        let mut chain = Vec::new();
        let mut after = stage.after.as_ref();
        while let Some(name) = after {
            let before = self.stages().iter().find(|stage| stage.name == *name).unwrap();
            chain.push(before);
            after = before.after.as_ref();
        }
        chain
    }

    /// Where it stands, until when, how many uses, who counted for what.
    fn approval(&self) -> Option<Approval<'a>> {
        self.events.iter().enumerate().find_map(|(at, event)| match &event.fact {
            Fact::Approved { counted, consume_by, uses } => {
                Some((at, *consume_by, *uses, counted.as_slice()))
            }
            _ => None,
        })
    }

    /// Where it stands, what it is, for whom, until when.
    fn uses(&self) -> impl Iterator<Item = Use<'a>> {
        self.events.iter().enumerate().filter_map(|(at, event)| match &event.fact {
            Fact::Consumed { credential, audience, expires_at } => {
                Some((at, event, *credential, audience.as_str(), *expires_at))
            }
            _ => None,
        })
    }
}

fn invariant_ends_never_change(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(u32::MAX, |(_, _, uses, _)| uses) as usize;
    let mut over: Option<&'static str> = None;
    let mut used = 0;
    for event in history.events {
        let word = fact_word(&event.fact);
        let (moves, ends) = match &event.fact {
            Fact::Filed { .. } | Fact::Reviewed(_) | Fact::Approved { .. } => (true, false),
            Fact::Denied(_) | Fact::Expired { .. } | Fact::Canceled { .. } => (true, true),
            Fact::Consumed { .. } => {
                used += 1;
                (true, used == granted)
            }
            Fact::Completed | Fact::Revoked { .. } => (false, true),
            Fact::Minted { .. }
            | Fact::Redeemed { .. }
            | Fact::Abandoned { .. }
            | Fact::CredentialRevoked { .. } => (false, false),
        };
        keep!(!moves || over.is_none(), "{word} after {over:?}");
        let of_none = matches!(over, Some("denied" | "canceled")) || history.approval().is_none();
        keep!(!(ends && !moves && of_none), "{word} without a grant");
        over = over.or(ends.then_some(word));
    }
    keep!(
        over.is_none() == history.request.state().is_open(),
        "{over:?} is {}",
        history.request.state().word()
    );
    Ok(())
}

fn invariant_nobody_is_counted_twice(history: &History<'_>) -> Kept {
    let mut seen = BTreeSet::new();
    for (_, _, review) in history.reviews() {
        keep!(seen.insert(&review.reviewer), "{} reviewed twice", review.reviewer);
    }
    let mut counted = BTreeSet::new();
    let stages = history.approval().map_or(&[][..], |(_, _, _, stages)| stages);
    for person in stages.iter().flat_map(|(_, people)| people) {
        keep!(counted.insert(person), "{person} counts in two stages");
        keep!(seen.contains(person), "{person} counts without a review");
    }
    Ok(())
}

fn invariant_nobody_behind_the_change_counts(history: &History<'_>) -> Kept {
    for (_, _, review) in history.reviews() {
        let who = history.people.iter().find(|p| p.id == review.reviewer).unwrap();
        keep!(who.kind == PrincipalKind::Person, "{} is no person", who.id);
        keep!(who.id != history.requester.id, "{} asks", who.id);
        keep!(!history.requester.acts_for.contains(&who.id), "{} is behind it", who.id);
    }
    Ok(())
}

fn invariant_reviews_are_in_time_on_the_right_digest(history: &History<'_>) -> Kept {
    for (_, event, review) in history.reviews() {
        keep!(event.at < history.review_by, "reviewed at {}, due {}", event.at, history.review_by);
        keep!(review.digest == history.intent.digest(), "on {}", review.digest);
        keep!(event.by.as_ref() == Some(&review.reviewer) && event.at == review.at, "not theirs");
    }
    Ok(())
}

fn invariant_reviewers_were_asked(history: &History<'_>) -> Kept {
    for (at, _, review) in history.reviews() {
        let (members, before) = (history.members[at], history.approvers_before(at));
        let asked = history.stages().iter().any(|stage| {
            history.eligible(stage, &review.reviewer, members)
                && history.can_fill(&history.chain(stage), &before, members)
        });
        keep!(asked, "{} was not asked", review.reviewer);
    }
    Ok(())
}

fn invariant_a_denial_has_its_review(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        match &event.fact {
            Fact::Denied(Denial::Refused(reasons)) => {
                keep!(
                    history.ruling.outcome == Outcome::Refuse(reasons.clone()),
                    "policy did not refuse"
                );
            }
            Fact::Denied(Denial::Reviewed { review, by, .. }) => {
                let Fact::Reviewed(before) = &history.events[at - 1].fact else {
                    return Err("no review stands before it".to_owned());
                };
                keep!((before.id, &before.reviewer) == (*review, by), "by another review");
                keep!(before.verdict == Verdict::Deny, "the review approves");
            }
            Fact::Reviewed(review) if review.verdict == Verdict::Deny => {
                let next = history.events.get(at + 1).map(|event| &event.fact);
                keep!(matches!(next, Some(Fact::Denied(_))), "a deny was passed over");
            }
            _ => {}
        }
    }
    let refused = matches!(history.ruling.outcome, Outcome::Refuse(_));
    keep!(!refused || history.events.len() == 2, "a refusal went on");
    Ok(())
}

fn invariant_an_approval_has_its_quorum(history: &History<'_>) -> Kept {
    let Some((at, consume_by, uses, counted)) = history.approval() else { return Ok(()) };
    let (event, members) = (&history.events[at], history.members[at]);
    let terms = history.terms().ok_or("policy refused")?;
    keep!(event.by.is_none(), "the authority approves, nobody else");
    keep!(consume_by == event.at.plus(terms.grant_window), "until {consume_by}");
    keep!(uses == terms.uses, "{uses} uses");
    let all: Vec<&Stage> = history.stages().iter().collect();
    keep!(counted.len() == all.len(), "stages are missing");
    keep!(history.can_fill(&all, &history.approvers_before(at), members), "there was no quorum");
    for (stage, (name, people)) in all.iter().zip(counted) {
        keep!(stage.name == *name, "{name} out of order");
        keep!(people.len() == stage.approvals as usize, "{name} counts {people:?}");
        for person in people {
            keep!(history.eligible(stage, person, members), "{person} counts for {name}");
        }
    }
    Ok(())
}

fn invariant_a_quorum_is_an_approval_at_once(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, _, review) in history.reviews() {
        let met = history.can_fill(&all, &history.approvers_before(at + 1), history.members[at]);
        let next = history.events.get(at + 1).map(|event| &event.fact);
        let approved = matches!(next, Some(Fact::Approved { .. }));
        keep!(approved == (met && review.verdict == Verdict::Approve), "met: {met}, then {next:?}");
    }
    Ok(())
}

fn invariant_uses_are_the_requesters_inside_the_window(history: &History<'_>) -> Kept {
    let approved = history.approval();
    for (at, event, _, audience, expires_at) in history.uses() {
        let (since, consume_by, ..) = approved.ok_or("used without approval")?;
        keep!(at > since, "used before approval");
        keep!(event.at < consume_by, "used at {}, due {consume_by}", event.at);
        keep!(event.by.as_ref() == Some(&history.requester.id), "used by {:?}", event.by);
        let terms = history.terms().ok_or("policy refused")?;
        keep!(terms.audiences.as_ref().is_none_or(|all| all.contains(audience)), "for {audience}");
        keep!(expires_at <= event.at.plus(terms.max_ttl), "lives beyond the rule");
        let asked = history.intent.duration().unwrap_or(terms.max_ttl);
        keep!(expires_at <= event.at.plus(asked), "lives beyond the intent");
    }
    Ok(())
}

fn invariant_no_more_uses_than_granted(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(0, |(_, _, uses, _)| uses as usize);
    let used: Vec<_> = history.uses().map(|(_, _, credential, ..)| credential).collect();
    keep!(used.len() <= granted, "{} of {granted}", used.len());
    keep!(used.iter().collect::<BTreeSet<_>>().len() == used.len(), "one credential twice");
    Ok(())
}

fn invariant_who_counted_still_counts_at_each_use(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, ..) in history.uses() {
        let (_, _, _, counted) = history.approval().ok_or("used without approval")?;
        let counted: Vec<_> = counted.iter().flat_map(|(_, people)| people).collect();
        keep!(history.can_fill(&all, &counted, history.members[at]), "the quorum was gone");
    }
    Ok(())
}

#[derive(Default)]
struct Life {
    minted: bool,
    redeemed: bool,
    ended: bool,
}

type Lives = BTreeMap<CredentialId, (Timestamp, Timestamp, Life)>;

fn life<'a>(
    lives: &'a mut Lives,
    of: &CredentialId,
) -> Result<&'a mut (Timestamp, Timestamp, Life), String> {
    lives.get_mut(of).ok_or_else(|| format!("{of} was never issued"))
}

fn invariant_a_credential_has_its_record(history: &History<'_>) -> Kept {
    let mut lives = Lives::new();
    for event in history.events {
        let at = event.at;
        match &event.fact {
            Fact::Consumed { credential, expires_at, .. } => {
                lives.insert(*credential, (at, *expires_at, Life::default()));
            }
            Fact::Minted { credential, .. } => {
                let (since, until, life) = life(&mut lives, credential)?;
                let first = !life.minted;
                keep!(!first || at < since.plus(ABANDON_AFTER), "minted too late");
                keep!(at < *until && !life.ended && !life.redeemed, "minted when over");
                life.minted = true;
            }
            Fact::Redeemed { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(life.minted && !life.ended && at < *until, "redeemed when not live");
                keep!(!std::mem::replace(&mut life.redeemed, true), "redeemed twice");
            }
            Fact::Abandoned { credential } => {
                let (since, _, life) = life(&mut lives, credential)?;
                keep!(!life.minted && at >= since.plus(ABANDON_AFTER), "abandoned too early");
                keep!(event.by.is_none() && !life.ended, "abandoned by somebody");
                life.ended = true;
            }
            Fact::CredentialRevoked { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(!life.ended && at < *until, "ended twice");
                life.ended = true;
            }
            Fact::Completed | Fact::Revoked { .. } => {
                lives.values_mut().for_each(|(_, _, life)| life.ended = true);
            }
            _ => {}
        }
    }
    let over = |state: &State| matches!(state, State::Revoked(_));
    let live = lives.values().any(|(_, _, life)| !life.ended);
    keep!(!(over(history.request.state()) && live), "a revoked grant has a live credential");
    Ok(())
}

fn invariant_who_ends_it_may(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let by = event.by.as_ref();
        let requester = by == Some(&history.requester.id);
        match &event.fact {
            Fact::Filed { .. } | Fact::Completed | Fact::Minted { .. } => {
                keep!(requester, "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Canceled { .. } => {
                keep!(requester && event.at < history.review_by, "canceled by {by:?}");
            }
            Fact::Revoked { .. } | Fact::CredentialRevoked { .. } => {
                let who = by.ok_or("revoked by nobody")?;
                let mut stages = history.stages().iter();
                let asked = stages.any(|stage| history.eligible(stage, who, history.members[at]));
                let root = is_root(who) && matches!(event.fact, Fact::Revoked { .. });
                keep!(requester || asked || root, "revoked by {who}");
            }
            Fact::Redeemed { .. } => keep!(by.is_some(), "redeemed by nobody"),
            Fact::Expired { .. }
            | Fact::Abandoned { .. }
            | Fact::Approved { .. }
            | Fact::Denied(_) => {
                keep!(by.is_none(), "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Reviewed(_) | Fact::Consumed { .. } => {}
        }
    }
    Ok(())
}

fn invariant_nothing_expires_before_its_deadline(history: &History<'_>) -> Kept {
    for event in history.events {
        let Fact::Expired { deadline } = &event.fact else { continue };
        let due = history.approval().map_or(history.review_by, |(_, consume_by, ..)| consume_by);
        keep!(*deadline == due && event.at >= due, "expired at {}, due {due}", event.at);
    }
    Ok(())
}

fn invariant_time_never_goes_back(history: &History<'_>) -> Kept {
    let back = history.events.windows(2).find(|pair| pair[1].at < pair[0].at);
    keep!(back.is_none(), "{back:?}");
    Ok(())
}

fn invariant_replay_is_the_state(history: &History<'_>) -> Kept {
    let replayed = Request::replay(history.events).map_err(|error| error.to_string())?;
    keep!(replayed == *history.request, "replay: {replayed:?}\nstate: {:?}", history.request);
    let version = history.request.version().0;
    keep!(version == history.events.len() as u64, "version {version}");
    Ok(())
}

#[cfg(feature = "wire")]
fn invariant_json_reads_back(history: &History<'_>) -> Kept {
    use crate::wire::{entry_bytes, event_from_json, event_to_json};
    // Each event once is enough: only the newest were not looked at before.
    let new = history.events.iter().rev().take(3);
    for event in new {
        let bytes = entry_bytes(&event_to_json(event));
        let json = crate::canonical::parse(&bytes).map_err(|error| error.to_string())?;
        let read = event_from_json(&json).map_err(|error| error.to_string())?;
        keep!(read == *event, "{read:?} is not {event:?}");
        keep!(entry_bytes(&event_to_json(&read)) == bytes, "other bytes");
    }
    Ok(())
}

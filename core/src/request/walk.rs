//! Random walks: anything anybody may try, in any order, late steps and wrong receipts included.
//! After every move that reached the ledger, each invariant looks at the events alone and decides
//! anew, by its own slow reckoning, whether the rules were kept.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an invariant looks at the few facts it is about"
)]

pub(super) mod invariants;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tests::key;
use super::*;
use crate::credential::dpop::Thumbprint;
use crate::digest::Digest;
use crate::grant::{Grant, SealedGrant};
use crate::id::{CredentialId, RequestId, ReviewId, SignalId, UploadId};
use crate::intent::UnverifiedIntent;
use crate::membership::{Approver, People};
use crate::policy::quorum::Means;
use crate::policy::ruling::{
    Dpop, Escalation, MeansWanted, PostReview, Reason, SignatureDemand, Stage,
};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::request::transition::POLICY_CHANGED;
use crate::request::walk::invariants::History;
use crate::signal::{Concern, OnGranted, OnPending, Reactions, Says, Signal, Subject, Teller};
use crate::statement::Signature;
use crate::statement::tests::SignedReview;
use crate::time::{Span, Timestamp};

const WALKS: u64 = 4_000;
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
        assert!(reached.get(word).is_some_and(|times| *times > 25), "{word}: {reached:?}");
    }
}

pub(super) const WORDS: [&str; 29] = [
    "filed",
    "reviewed",
    "withdrawn",
    "approved",
    "denied",
    "expired",
    "canceled",
    "requester lost",
    "consumed",
    "minted",
    "redeemed",
    "abandoned",
    "credential revoked",
    "heartbeat lost",
    "broker closed",
    "broker outlives",
    "broker stuck",
    "completed",
    "revoked",
    "stopped",
    "advanced",
    "escalated",
    "reminded",
    "later review",
    "later review done",
    "later review missed",
    "plan kept",
    "plan fetched",
    "plan removed",
];

pub(super) fn fact_word(fact: &Fact) -> &'static str {
    match fact {
        Fact::Filed { .. } => "filed",
        Fact::Reviewed(_) => "reviewed",
        Fact::Withdrawn { .. } => "withdrawn",
        Fact::Approved { .. } => "approved",
        Fact::Denied(_) => "denied",
        Fact::Expired { .. } => "expired",
        Fact::Canceled { .. } => "canceled",
        Fact::RequesterLost { .. } => "requester lost",
        Fact::Consumed { .. } => "consumed",
        Fact::Minted { .. } => "minted",
        Fact::Redeemed { .. } => "redeemed",
        Fact::Abandoned { .. } => "abandoned",
        Fact::CredentialRevoked { .. } => "credential revoked",
        Fact::HeartbeatLost { .. } => "heartbeat lost",
        Fact::BrokerClosed { .. } => "broker closed",
        Fact::BrokerOutlives { .. } => "broker outlives",
        Fact::BrokerStuck { .. } => "broker stuck",
        Fact::Completed => "completed",
        Fact::Revoked { .. } => "revoked",
        Fact::Stopped { .. } => "stopped",
        Fact::Advanced { .. } => "advanced",
        Fact::Escalated { .. } => "escalated",
        Fact::Reminded { .. } => "reminded",
        Fact::Abroad { what, .. } => what.word(),
        Fact::PostReviewed(_) => "later review",
        Fact::PostReviewDone { .. } => "later review done",
        Fact::PostReviewMissed { .. } => "later review missed",
        Fact::PlanKept { .. } => "plan kept",
        Fact::PlanFetched { .. } => "plan fetched",
        Fact::PlanRemoved { .. } => "plan removed",
    }
}

// What is tried.

/// Splitmix64: the same walk from the same seed, everywhere.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

/// Compare-and-set on the version, and nothing else.
pub(super) struct Log {
    pub(super) events: Vec<Event>,
    /// Which membership each event was decided by.
    pub(super) by: Vec<usize>,
    pub(super) request: Request,
    receipts: Vec<Receipt>,
}

impl Log {
    pub(super) fn filed(step: &Step, membership: usize) -> Self {
        Self {
            events: step.events().to_vec(),
            by: vec![membership; step.events().len()],
            request: step.next().clone(),
            receipts: vec![receipt(step)],
        }
    }

    pub(super) fn commit(&mut self, step: &Step, membership: usize) -> Option<Receipt> {
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
    signals: Vec<Signal>,
}

pub(super) fn principal(name: &str, kind: PrincipalKind, acts_for: &[&str]) -> Principal {
    let id = |name: &str| PrincipalId::local(name).unwrap();
    let acts_for = acts_for.iter().map(|name| id(name)).collect();
    let (groups, claims) = (BTreeSet::new(), serde_json::Map::new());
    Principal { id: id(name), kind, groups, acts_for, claims }
}

/// Alice, or a workload that acts for her, asks. The bot is in the groups and must not count.
fn everybody() -> Vec<Principal> {
    let person = |name| principal(name, PrincipalKind::Person, &[]);
    let mut all: Vec<_> = ["alice", "bob", "carol", "dave", "erin"].map(person).into();
    all.push(principal("bot", PrincipalKind::Workload, &[]));
    let mut ci = principal("ci", PrincipalKind::Workload, &["alice"]);
    ci.acts_for.insert(account());
    all.push(ci);
    all
}

/// Somebody at GitHub is behind what the workload asks. Whose account it is changes over a walk.
fn account() -> PrincipalId {
    PrincipalId::new("https://github.com", "1").unwrap()
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
        let heartbeat = chance.one_in(2).then(|| Span::minutes(1 + chance.below(4)));
        let known = Known::default();
        let step = Request::file(Filing { id, intent, requester, ruling, known, heartbeat }, now);
        let memberships = vec![membership(&mut chance, &people)];
        let log = Log::filed(&step, 0);
        let (late, grants, released) = (Vec::new(), Vec::new(), BTreeSet::new());
        let signals = Vec::new();
        Self { seed, chance, now, people, memberships, log, late, grants, released, signals }
    }

    fn members(&self) -> Membership {
        self.memberships.last().unwrap().clone()
    }

    fn anybody(&mut self) -> Principal {
        self.chance.pick(&self.people).clone()
    }

    /// Mostly the requester, so that walks get somewhere; now and then in another run of theirs.
    fn somebody(&mut self) -> Principal {
        if self.chance.one_in(4) {
            return self.anybody();
        }
        let mut requester = self.log.request.requester().clone();
        for claim in ["run_id", "run_attempt"] {
            if self.chance.one_in(10) && requester.kind == PrincipalKind::Workload {
                requester.claims.insert(claim.to_owned(), "2".into());
            }
        }
        requester
    }

    fn sent(&mut self) -> Sent {
        let chance = self.chance.below(u64::MAX).to_be_bytes().repeat(2);
        let upload = UploadId::new(self.now, chance[..10].try_into().unwrap());
        let wrong = self.chance.one_in(8);
        let digest = Digest::of(if wrong { b"another" } else { b"plan" });
        Sent { upload, digest, size: self.chance.below(1_000) }
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
        let is_beating = |issued: &Issued| issued.heartbeat.is_some() && issued.is_live(now);
        let is_unspent = |issued: &Issued| issued.redeemed_at.is_none() && issued.is_live(now);
        // What is likely is what gets somewhere; now and then it is anything at all.
        let likely = match request.state() {
            _ if self.chance.one_in(4) => self.chance.below(29),
            _ if self.chance.one_in(24) => 26,
            State::Pending(_) => *self.chance.pick(&[0, 0, 0, 0, 0, 17, 17, 19, 23, 27, 28]),
            _ if request.credentials().iter().any(is_unspent) && self.chance.one_in(8) => 13,
            _ if request.to_close(now).next().is_some() && self.chance.one_in(2) => 22,
            _ if request.credentials().iter().any(is_beating) && self.chance.one_in(3) => 25,
            _ if request.credentials().iter().any(|c| c.is_live(now)) && self.chance.one_in(3) => {
                13
            }
            _ => *self.chance.pick(&[
                8, 8, 11, 11, 11, 13, 13, 13, 14, 15, 16, 17, 18, 19, 20, 20, 22, 22, 22, 22, 23,
                24, 24,
            ]),
        };
        match likely {
            0..=6 => {
                let reviewer = self.anybody();
                let said = self.said(&request);
                let id = ReviewId::new(now, [self.chance.below(256) as u8; 10]);
                let right = said.digest == request.digest();
                let foretold = request.may_review(&reviewer, &members, now);
                let signature = self.signature(&request, &reviewer.id, &said);
                let step = request.review_signed(id, &reviewer, (said, signature), &members, now);
                // Whether they must sign in again, or sign, they are told only when they decide.
                let told = step.as_ref().err();
                let told = told.filter(|e| {
                    use ReviewError::{OtherStatement, SignInAgain, Unsigned};
                    !matches!(e, SignInAgain(_) | Unsigned(_) | OtherStatement(_))
                });
                assert!(!right || told == foretold.as_ref(), "{told:?}, not {foretold:?}");
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
                self.maybe(request.minted(credential, fingerprint, key(), now));
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
            20 => {
                let reviewer = self.anybody();
                let said = self.said(&request);
                let id = ReviewId::new(now, [self.chance.below(256) as u8; 10]);
                let right = said.digest == request.digest();
                let foretold = request.may_review_afterwards(&reviewer, &members);
                let step = request.review_afterwards(id, &reviewer, said, &members, now);
                assert!(!right || step.as_ref().err() == foretold.as_ref(), "{foretold:?}");
                self.maybe(step.ok());
            }
            22 => {
                let due: Vec<_> = request.to_close(now).map(|issued| issued.id).collect();
                let credential = match due.is_empty() {
                    true => self.any_credential(),
                    false => *self.chance.pick(&due),
                };
                let until = self.now.plus(Span::minutes(self.chance.below(30)));
                let step = match self.chance.below(6) {
                    0 | 1 => request.broker_closed(credential, now),
                    2 | 3 => request.broker_stuck(credential, "away".to_owned(), now),
                    _ => request.broker_outlives(credential, until, now),
                };
                self.maybe(step);
            }
            23 => {
                let (by, sent) = (self.somebody(), self.sent());
                let retention = self.chance.one_in(3).then(|| Span::minutes(self.chance.below(20)));
                self.maybe(request.keep_plan(&by, sent, retention, now).ok().flatten());
            }
            24 => {
                let by = self.somebody();
                let step = request.fetch_plan(&by, &members, now);
                self.maybe(step.ok().map(|(step, _)| step));
            }
            25 => {
                self.now = self.now.plus(Span::minutes(self.chance.below(6)));
                let now = self.now;
                let found = request.credentials().iter().find(|c| is_beating(c));
                let since = found.map_or(now, |issued| issued.at);
                let credential = found.map_or_else(|| self.any_credential(), |issued| issued.id);
                let last = since.plus(Span::seconds(self.chance.below(30)));
                let due = last.plus(Span::minutes(self.chance.below(6)));
                self.maybe(request.heartbeat_lost(credential, last, due, now));
            }
            26 => {
                let signal = self.signal();
                let known_as = BTreeSet::new();
                let effect = request.stopped_by(&signal, &known_as, now);
                if self.chance.one_in(2) {
                    let step = request.stop(&signal, &known_as, now);
                    assert!(step.is_none() || effect != Effect::None, "{effect:?}");
                    if step.is_some() {
                        self.signals.push(signal);
                    }
                    self.maybe(step);
                }
            }
            27 => {
                let last = request.filed_at().plus(Span::seconds(self.chance.below(90)));
                let due = last.plus(Span::minutes(self.chance.below(6)));
                self.maybe(request.requester_lost(last, due, now));
            }
            28 => {
                let by = match request.reviews().first() {
                    Some(review) if !self.chance.one_in(3) => self
                        .people
                        .iter()
                        .find(|person| person.id == review.reviewer)
                        .cloned()
                        .unwrap_or_else(|| request.requester().clone()),
                    _ => self.anybody(),
                };
                self.maybe(
                    request.withdraw(&by, "on second thought".to_owned(), &members, now).ok(),
                );
            }
            21 => {
                if self.chance.one_in(8) {
                    self.maybe(request.supersede(now));
                }
            }
            _ => {
                if let Some(late) = self.late.pop() {
                    self.commit(late);
                }
            }
        }
    }

    /// Something about somebody or something, heard lately.
    fn signal(&mut self) -> Signal {
        let who = self.anybody().id;
        let about = match self.chance.below(4) {
            0 => Subject::Environment(
                (*self.chance.pick(&["production", "production", "staging"])).to_owned(),
            ),
            1 => Subject::Workload(who),
            _ => Subject::Person(who),
        };
        let concern = match about {
            Subject::Environment(_) => Concern::Incident,
            Subject::Person(_) | Subject::Workload(_) => {
                *self.chance.pick(&[Concern::Suspended, Concern::Risky, Concern::Flagged])
            }
        };
        let mut granted = || *self.chance.pick(&[OnGranted::Keep, OnGranted::Revoke]);
        let (granted, approved) = (granted(), granted());
        let all = [OnPending::Keep, OnPending::Reconsider, OnPending::Stop];
        let pending = *self.chance.pick(&all);
        let ago = self.chance.below(600_000) as i64;
        let at = Timestamp::from_millis(self.now.as_millis() - ago);
        Signal {
            id: SignalId::from_bytes(
                self.chance.below(u64::MAX).to_be_bytes().repeat(2).try_into().unwrap(),
            ),
            at,
            about,
            says: if self.chance.one_in(8) { Says::Clear } else { Says::Is(concern) },
            until: None,
            reason: "told".to_owned(),
            teller: Teller::Administrator,
            topic: None,
            told_at: at,
            reactions: Reactions { pending, granted, approved },
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
        let ago = self.chance.below(5_400_000) as i64;
        let since = Timestamp::from_millis(self.now.as_millis() - ago);
        let signed_in_at = (!self.chance.one_in(4)).then_some(since);
        let amr = if self.chance.one_in(2) { ["hwk".to_owned()].into() } else { BTreeSet::new() };
        let means = Means { acr: None, amr };
        Said { verdict, digest, comment: "seen".to_owned(), signed_in_at, means }
    }

    /// What a passkey signed: mostly just this, now and then something else.
    fn signature(
        &mut self,
        request: &Request,
        reviewer: &PrincipalId,
        said: &Said,
    ) -> Option<Arc<Signature>> {
        let of = SignedReview {
            request,
            approver: reviewer,
            verdict: if self.chance.one_in(20) { Verdict::Deny } else { said.verdict },
            comment: &said.comment,
            nonce: [if self.chance.one_in(20) { 0 } else { self.chance.below(256) as u8 }; 16],
            at: Timestamp::from_millis(self.now.as_millis() - self.chance.below(120_000) as i64),
            enrolled_for: Span::minutes(self.chance.below(90)),
            device_bound: self.chance.one_in(2),
            vouched: self.chance.one_in(2),
        };
        let signature = Arc::new(of.signature());
        (!self.chance.one_in(4)).then_some(signature)
    }

    fn spend(&mut self) -> Spend {
        let audience = (*self.chance.pick(&["db", "db", "aws", "elsewhere"])).to_owned();
        let ttl = self.chance.one_in(2).then(|| Span::minutes(1 + self.chance.below(60)));
        let named = self.log.request.terms().and_then(|terms| terms.broker.clone());
        let broker = if self.chance.one_in(12) { Some("gcp".to_owned()) } else { named };
        let broker = broker.filter(|_| !self.chance.one_in(4));
        let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "A"});
        let confirmation = Thumbprint::of_jwk(&key).filter(|_| !self.chance.one_in(3));
        let recall = if self.chance.one_in(3) { Recall::OnlyExpires } else { Recall::Ends };
        let heartbeat = self.chance.one_in(2).then(|| Span::minutes(1 + self.chance.below(4)));
        let credential = self.new_credential();
        Spend { credential, audience, ttl, broker, recall, heartbeat, confirmation }
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
        let history = History::new(&self.log, &self.memberships, &self.people).told(&self.signals);
        invariants::check(&history, &format!("seed {}", self.seed));
    }
}

fn intent(chance: &mut Chance) -> Intent {
    let duration = chance.one_in(2).then(|| Span::minutes(1 + chance.below(30)));
    let stated = UnverifiedIntent {
        kind: "terraform.apply".to_owned(),
        environment: "production".to_owned(),
        target: BTreeMap::from([("workspace".to_owned(), "orders".to_owned())]),
        subject: chance.one_in(2).then(|| Digest::of(b"plan")),
        plan: chance.one_in(2).then(|| Digest::of(b"plan as JSON")),
        context: serde_json::from_str(r#"{"ticket": 1.0, "deep": [{"a": null}]}"#).unwrap(),
        reason: "because".to_owned(),
        duration,
    };
    stated.verify().unwrap()
}

fn ruling(chance: &mut Chance) -> Ruling {
    let audiences = chance.one_in(2).then(|| ["db", "aws"].map(str::to_owned).into());
    let terms = Terms {
        max_ttl: Span::minutes(1 + chance.below(90)),
        uses: 1 + chance.below(3) as u32,
        audiences,
        grant_window: Span::minutes(1 + chance.below(60)),
        broker: (!chance.one_in(3)).then(|| "aws".to_owned()),
        role: chance.one_in(4).then(|| "readonly".to_owned()),
        heartbeat: chance.one_in(3).then(|| Span::minutes(1 + chance.below(4))),
        reuse_within_run: chance.one_in(3),
        dpop: chance.one_in(4).then_some(Dpop::Required),
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
    let post_reviews = match outcome {
        Outcome::Refuse(_) => Vec::new(),
        Outcome::Permit(_) | Outcome::Require(_) => post_reviews(chance),
    };
    Ruling {
        outcome,
        rules: BTreeSet::from(["r".to_owned()]),
        notify: BTreeSet::new(),
        post_reviews,
        risk: None,
        policy: Digest::of(b"policy"),
    }
}

fn post_reviews(chance: &mut Chance) -> Vec<PostReview> {
    let mut later = Vec::new();
    for rule in ["glass", "hammer"] {
        if chance.one_in(2) {
            later.push(PostReview {
                rule: rule.to_owned(),
                approvals: 1 + chance.one_in(3) as u32,
                by: BTreeSet::from([chance.pick(&["group:a", "group:b"]).parse().unwrap()]),
                within: Span::minutes(1 + chance.below(60)),
                suspend: chance.one_in(2).then(|| rule.to_owned()),
                notify: BTreeSet::new(),
            });
        }
    }
    later
}

fn demand(chance: &mut Chance) -> SignatureDemand {
    SignatureDemand {
        device_bound: chance.one_in(3),
        enrolled_for: chance.one_in(3).then(|| Span::minutes(chance.below(60))),
        vouched: chance.one_in(3),
    }
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
            elsewhere: None,
            exclude: if chance.one_in(4) { exclude } else { BTreeSet::new() },
            after: after.filter(|_| chance.one_in(2)),
            login_within: chance.one_in(4).then(|| Span::minutes(1 + chance.below(60))),
            signature: chance.one_in(8).then(|| demand(chance)),
            means: MeansWanted {
                acr: BTreeSet::new(),
                amr: match chance.one_in(10) {
                    true => [["hwk".to_owned()].into()].into(),
                    false => BTreeSet::new(),
                },
            },
            expires_after: chance.one_in(4).then(|| Span::minutes(1 + chance.below(60))),
            escalate: chance.one_in(2).then(|| Escalation {
                after: Span::minutes(1 + chance.below(10)),
                to: BTreeSet::from([chance.pick(&["group:b", "person:erin"]).parse().unwrap()]),
                then_expire_after: chance.one_in(3).then(|| Span::minutes(1 + chance.below(30))),
            }),
            remind: chance.one_in(2).then(|| Span::minutes(1 + chance.below(5))),
        });
    }
    stages
}

fn membership(chance: &mut Chance, people: &[Principal]) -> Membership {
    let mut group = |_: &str| -> BTreeSet<PrincipalId> {
        people.iter().filter(|_| !chance.one_in(3)).map(|person| person.id.clone()).collect()
    };
    let groups = ["a", "b"].map(|name| (name.to_owned(), group(name)));
    let mut stand_ins = Vec::new();
    for person in people {
        // Nobody has two stand-ins at once; the policy's reader sees to that.
        let other = &chance.pick(people).id;
        if chance.one_in(4) && *other != person.id {
            stand_ins.push((other.clone(), person.id.clone()));
        }
    }
    let mut suspended = BTreeSet::new();
    if chance.one_in(16) {
        suspended.insert(chance.pick(people).id.clone());
    }
    let linked = chance.one_in(6).then(|| (account(), chance.pick(people).id.clone()));
    let mut accounts = People::new(linked);
    if chance.one_in(24) {
        accounts = accounts.with_linked_at([account().iss().to_owned()]);
    }
    Membership::new(groups.into())
        .with_accounts(accounts)
        .with_stand_ins(stand_ins)
        .with_suspended(suspended)
}

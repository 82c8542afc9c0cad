//! Weeks of an authority's life: several requests under policies compiled from their texts, people
//! who review, forget and stand in for each other, an authority that is away for days, policies
//! and groups that change. Time is the argument and nothing else. After every move the invariants
//! of the walks hold of each history, and those that only several requests can show hold of all.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an invariant looks at the few facts it is about"
)]

use std::collections::BTreeMap;

use super::tests::key;
use super::walk::invariants::{self, History};
use super::walk::{Chance, Log, WORDS, fact_word, principal};
use super::*;
use crate::grant::SealedGrant;
use crate::id::{CredentialId, RequestId, ReviewId, SignalId, UploadId};
use crate::intent::UnverifiedIntent;
use crate::policy::Policy;
use crate::policy::document::PolicyDocument;
use crate::policy::ruling::Outcome;
use crate::policy::situation::Situation;
use crate::principal::PrincipalKind;
use crate::signal::{Concern, Reactions, Says, Signal, Subject, Teller};
use crate::time::Span;

const WORLDS: u64 = 72;
const WEEKS: u64 = 4;

/// What both policies say; `G` is who is in the groups, `R` the one rule in which they differ.
const TEXT: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: weeks, owner: group:security}
defaults: {request_expires: 30h, timezone: Europe/Berlin, grant_window: 2h}
G
delegations:
  - {from: person:bob, to: person:zoe, starts: 2026-11-04T00:00:00Z, ends: 2026-11-12T12:00:00Z}
  - {from: person:bob, to: person:yan, starts: 2026-11-12T12:00:00Z, ends: 2026-11-20T00:00:00Z}
  - {from: person:dave, to: person:carol, starts: 2026-11-06T00:00:00Z, ends: 2026-11-25T00:00:00Z}
  - {from: person:alice, to: person:erin, starts: 2026-11-03T00:00:00Z, ends: 2026-11-29T00:00:00Z}
owners:
  - {target: {repository: 'acme/orders*'}, owners: [group:orders]}
  - {target: {repository: 'acme/**'}, owners: [person:lena]}
calendars:
  night: {days: [monday, tuesday, wednesday, thursday, friday], from: '22:00', to: '06:00'}
rules:
  - id: freeze
    when: {intent.kind: terraform.apply, now.weekday: sunday}
    deny: {message: closed on Sundays, waivable: true}
  - id: apply
    when: {intent.kind: terraform.apply}
    require:
R
      escalate: {after: 5h, to: [group:leads], then_expire_after: 20h}
      remind: 7h
      credential: {max_ttl: 40m, uses: 2, broker: vault, heartbeat: 5m}
  - id: at-night
    when: {intent.kind: terraform.apply, now: {within: night}}
    require:
      stages: [{name: fresh, approvals: 1, from: [group:security], login_within: 4h, expires_after: 12h}]
  - id: owned
    when: {intent.kind: github.deploy}
    require:
      parallel: true
      stages:
        - {name: owners, approvals: 2, from: ['owners_of(target)']}
        - {name: security, approvals: 1, from: [group:security], exclude: [person:dave]}
      request_expires: 3d
      remind: 1d
  - id: reads
    when: {intent.category: read}
    allow: {credential: {broker: replica}}
  - id: break-glass
    when: {context.break_glass: true, intent.kind: terraform.apply}
    allow:
      waives: [freeze, apply, at-night]
      credential: {max_ttl: 30m}
      post_review: {by: [group:security], approvals: 2, within: 24h, if_missed: {suspend: break-glass, notify: [group:leads]}}
      notify: [group:leads]
";

const GROUPS: [&str; 2] = [
    "groups:
  release: [person:bob, person:carol, person:dave]
  security: [person:dave, person:erin, person:frank]
  orders: [person:bob, person:frank, person:yan]
  leads: [person:lena, person:erin]",
    "groups:
  release: [person:carol, person:dave, person:alice]
  security: [person:erin, person:frank, person:zoe]
  orders: [person:bob, person:frank]
  leads: [person:lena, person:yan]",
];

const RULES: [&str; 2] = [
    "      stages: [{name: plan, approvals: 1, from: [group:release]}, {name: release, approvals: 2, from: [group:release]}]",
    "      stages: [{name: release, approvals: 2, from: [group:release], login_within: 8h}]",
];

/// Four of them: each text of the rule with each list of people.
fn policies() -> Vec<Policy> {
    let texts = GROUPS.iter().flat_map(|groups| RULES.iter().map(move |rule| (groups, rule)));
    let compile = |(groups, rule): (&&str, &&str)| {
        let text = TEXT
            .replace("\nG\n", &format!("\n{groups}\n"))
            .replace("\nR\n", &format!("\n{rule}\n"));
        Policy::compile(&[PolicyDocument { file: "weeks.yaml".to_owned(), text }]).unwrap()
    };
    texts.map(compile).collect()
}

struct World<'p> {
    seed: u64,
    chance: Chance,
    now: Timestamp,
    policies: &'p [Policy],
    policy: &'p Policy,
    people: Vec<Principal>,
    memberships: Vec<Membership>,
    logs: Vec<Log>,
    /// Steps that somebody decided and hands in later, with the membership they were decided by.
    late: Vec<(usize, Step, usize)>,
    superseded: usize,
    refused_late: usize,
    signals: Vec<Signal>,
}

#[test]
fn weeks_under_real_policies_keep_every_invariant() {
    let policies = policies();
    let mut reached = BTreeMap::new();
    let (mut superseded, mut refused_late, mut suspended, mut stood_in, mut reopened) =
        (0, 0, 0, 0, 0);
    for seed in 0..WORLDS {
        let mut world = World::new(seed, &policies);
        let end = world.now.plus(Span::hours(WEEKS * 7 * 24));
        while world.now < end {
            world.step();
        }
        for event in world.logs.iter().flat_map(|log| &log.events) {
            *reached.entry(fact_word(&event.fact)).or_insert(0) += 1;
        }
        let counted_for_another = |log: &&Log| {
            log.events.iter().any(
                |event| matches!(&event.fact, Fact::Reviewed(r) if !r.stands_in_for.is_empty()),
            )
        };
        stood_in += world.logs.iter().filter(counted_for_another).count();
        suspended +=
            world.logs.iter().filter(|log| !log.request.known().suspended.is_empty()).count();
        let done_late = |log: &&Log| {
            log.request.afterwards().iter().any(|a| a.missed.is_some() && a.done.is_some())
        };
        reopened += world.logs.iter().filter(done_late).count();
        superseded += world.superseded;
        refused_late += world.refused_late;
    }
    // Weeks in which nothing happens prove nothing.
    for word in WORDS {
        assert!(reached.get(word).is_some_and(|times| *times > 10), "{word}: {reached:?}");
    }
    let rare = [superseded, refused_late, suspended, stood_in, reopened];
    assert!(rare.iter().all(|times| *times > 10), "{rare:?}");
}

impl<'p> World<'p> {
    fn new(seed: u64, policies: &'p [Policy]) -> Self {
        let person = |name| principal(name, PrincipalKind::Person, &[]);
        let mut people: Vec<_> =
            ["alice", "bob", "carol", "dave", "erin", "frank", "lena", "yan", "zoe"]
                .map(person)
                .into();
        people.push(principal("ci", PrincipalKind::Workload, &["alice"]));
        let now = "2026-11-02T06:00:00Z".parse().unwrap();
        let policy = &policies[0];
        Self {
            seed,
            chance: Chance(seed.wrapping_mul(0x2545_f491_4f6c_dd1d)),
            now,
            policies,
            policy,
            people,
            memberships: vec![policy.membership(now)],
            logs: Vec::new(),
            late: Vec::new(),
            superseded: 0,
            refused_late: 0,
            signals: Vec::new(),
        }
    }

    /// The membership of this moment, and where it stands among those that ever were.
    fn members(&mut self) -> (Membership, usize) {
        let members = self.policy.membership(self.now);
        if self.memberships.last() != Some(&members) {
            self.memberships.push(members.clone());
        }
        (members, self.memberships.len() - 1)
    }

    fn step(&mut self) {
        let away = match self.chance.below(60) {
            0 => Span::hours(24 + self.chance.below(48)),
            1..=7 => Span::hours(self.chance.below(8)),
            _ => Span::minutes(self.chance.below(40)),
        };
        self.now = self.now.plus(Span::from_millis(1 + self.chance.below(999))).plus(away);
        // Now and then it is exactly when something is due.
        let due =
            self.logs.iter().filter_map(|log| log.request.due_at()).filter(|due| *due > self.now);
        if let Some(due) = due.min().filter(|_| self.chance.one_in(6)) {
            self.now = due;
        }
        match self.chance.below(24) {
            0..=1 => self.file(),
            2 if self.chance.one_in(2) => self.change_policy(),
            3..=5 => self.sweep(),
            6 => self.hand_in_late(),
            _ => (0..3).for_each(|_| self.act()),
        }
    }

    fn file(&mut self) {
        let who = *self.chance.pick(&["alice", "alice", "ci", "frank"]);
        let requester = self.people.iter().find(|p| p.id.sub() == who).unwrap().clone();
        let kind =
            *self.chance.pick(&["terraform.apply", "terraform.apply", "github.deploy", "db.read"]);
        let repository = *self.chance.pick(&["acme/orders-api", "acme/payroll", "other/orders"]);
        let mut stated = UnverifiedIntent {
            kind: kind.to_owned(),
            environment: "prod".to_owned(),
            target: BTreeMap::from([("repository".to_owned(), repository.to_owned())]),
            reason: "because".to_owned(),
            // Every other one is about an exact plan.
            subject: self.logs.len().is_multiple_of(2).then(|| Digest::of(b"plan")),
            ..UnverifiedIntent::default()
        };
        let breaks = self.chance.one_in(3);
        stated.context.insert("break_glass".to_owned(), breaks.into());
        let intent = stated.verify().unwrap();
        let suspended: BTreeSet<String> = self.suspended();
        let known = Known { suspended: suspended.clone(), ..Known::default() };
        let situation =
            Situation { intent: &intent, requester: &requester, known: &known, now: self.now };
        let ruling = self.policy.rule(&situation);
        let glass = ruling.rules.contains("break-glass");
        let asked = breaks && kind == "terraform.apply";
        assert_eq!(glass, asked && suspended.is_empty(), "seed {}: {ruling:?}", self.seed);
        assert_eq!(glass, !ruling.post_reviews.is_empty(), "seed {}: {ruling:?}", self.seed);
        let id = RequestId::new(
            self.now,
            self.chance.below(u64::MAX).to_be_bytes().repeat(2)[..10].try_into().unwrap(),
        );
        let heartbeat = self.chance.one_in(6).then_some(Span::hours(1));
        let filing = Filing { id, intent, requester, ruling, known, heartbeat };
        let step = Request::file(filing, self.now);
        let (_, members) = self.members();
        self.logs.push(Log::filed(&step, members));
        self.check(self.logs.len() - 1);
        self.send_plan(self.logs.len() - 1, members);
    }

    /// Whoever asks about an exact plan sends it, too.
    fn send_plan(&mut self, at: usize, members: usize) {
        let request = self.logs[at].request.clone();
        let upload = UploadId::from_bytes(request.id().to_bytes());
        let sent = Sent { upload, digest: Digest::of(b"plan"), size: 4 };
        let step = request.keep_plan(request.requester(), sent, None, self.now);
        if let Some(step) = step.ok().flatten() {
            self.commit(at, &step, members);
        }
    }

    /// Whoever spends a grant gets the plan first, where there is one.
    fn fetch_plan(&mut self, at: usize, members: &Membership, by: usize) {
        let request = self.logs[at].request.clone();
        if let Ok((step, _)) = request.fetch_plan(request.requester(), members, self.now) {
            self.commit(at, &step, by);
        }
    }

    /// The rules whose later reviews are overdue, found from the events alone; what the requests
    /// say of themselves must be the same.
    fn suspended(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut told = BTreeSet::new();
        for log in &self.logs {
            told.extend(log.request.suspends(self.now).into_iter().map(str::to_owned));
            let granted = log.events.iter().find(|e| matches!(e.fact, Fact::Approved { .. }));
            for later in &log.request.ruling().post_reviews {
                let done = log.events.iter().any(|event| {
                    matches!(&event.fact, Fact::PostReviewDone { rule } if *rule == later.rule)
                });
                let due = granted.map(|event| event.at.plus(later.within));
                if due.is_some_and(|due| self.now >= due) && !done {
                    all.extend(later.suspend.clone());
                }
            }
        }
        assert_eq!(all, told, "seed {}", self.seed);
        all
    }

    /// Another policy takes over: what it would rule otherwise ends while it is pending.
    fn change_policy(&mut self) {
        self.policy = self.chance.pick(self.policies);
        let (_, members) = self.members();
        for at in 0..self.logs.len() {
            let request = &self.logs[at].request;
            let situation = Situation {
                intent: request.intent(),
                requester: request.requester(),
                known: request.known(),
                now: request.filed_at(),
            };
            let again = self.policy.rule(&situation);
            if again.outcome == request.ruling().outcome {
                continue;
            }
            if let Some(step) = request.supersede(self.now) {
                self.superseded += 1;
                self.commit(at, &step, members);
            }
        }
    }

    /// Everything that is due, as the authority finds it when it comes back.
    fn sweep(&mut self) {
        let (_, members) = self.members();
        for at in 0..self.logs.len() {
            let request = &self.logs[at].request;
            let due = request.due_at().is_some_and(|due| due <= self.now);
            let step = request.lapse(self.now);
            assert_eq!(step.is_some(), due, "seed {}: due {:?}", self.seed, request.due_at());
            if let Some(step) = step {
                self.commit(at, &step, members);
            }
            self.tell(at, members);
            self.listen(at, members);
            self.close(at, members);
        }
    }

    /// Once in a while somebody behind a request is suspended, or there is an incident.
    fn tell(&mut self, at: usize, members: usize) {
        if !self.chance.one_in(40) {
            return;
        }
        let request = self.logs[at].request.clone();
        let (about, concern) = match self.chance.one_in(2) {
            true => (Subject::Person(request.requester().id.clone()), Concern::Suspended),
            false => {
                let name = request.intent().environment().to_owned();
                (Subject::Environment(name), Concern::Incident)
            }
        };
        let count = self.signals.len() as u128;
        let signal = Signal {
            id: SignalId::from_bytes(count.to_be_bytes()),
            at: self.now,
            about,
            says: Says::Is(concern),
            until: None,
            reason: "told".to_owned(),
            teller: Teller::Administrator,
            topic: None,
            told_at: self.now,
            reactions: Reactions::to(concern),
        };
        if let Some(step) = request.stop(&signal, &crate::request::KnownAs::new(), self.now) {
            self.signals.push(signal);
            self.commit(at, &step, members);
        }
    }

    /// Whoever has to be heard of is not, sometimes.
    fn listen(&mut self, at: usize, members: usize) {
        let request = self.logs[at].request.clone();
        self.listen_for_the_requester(&request, at, members);
        let live = request.credentials().iter().find(|issued| issued.is_live(self.now));
        let Some(beats) = live.and_then(|issued| issued.heartbeat) else { return };
        let Some(issued) = live.filter(|_| !self.chance.one_in(8)) else { return };
        let due = issued.at.plus(beats);
        let step = request.heartbeat_lost(issued.id, issued.at, due, self.now);
        assert_eq!(step.is_some(), due <= self.now, "seed {}: due {due}", self.seed);
        if let Some(step) = step {
            self.commit(at, &step, members);
        }
    }

    /// Whoever waits gives up without a word, sometimes.
    fn listen_for_the_requester(&mut self, request: &Request, at: usize, members: usize) {
        let pending = matches!(request.state(), State::Pending(_));
        let Some(every) = request.heartbeat().filter(|_| pending) else { return };
        if self.chance.one_in(3) {
            let due = request.filed_at().plus(every);
            let open = request.deadline().is_some_and(|deadline| self.now < deadline);
            let step = request.requester_lost(request.filed_at(), due, self.now);
            assert_eq!(step.is_some(), open && due <= self.now, "seed {}: due {due}", self.seed);
            if let Some(step) = step {
                self.commit(at, &step, members);
            }
        }
    }

    /// What brokers opened is closed when it is due, sometimes not at the first try.
    fn close(&mut self, at: usize, members: usize) {
        let request = self.logs[at].request.clone();
        let due = request.closing_due().is_some_and(|due| due <= self.now);
        let to_close: Vec<_> = request.to_close(self.now).map(|issued| issued.id).collect();
        assert_eq!(!to_close.is_empty(), due, "seed {}: {:?}", self.seed, request.closing_due());
        for credential in to_close {
            let request = self.logs[at].request.clone();
            let until = self.now.plus(Span::minutes(30));
            let step = match self.chance.below(6) {
                0 | 1 => request.broker_stuck(credential, "away".to_owned(), self.now),
                2 => request.broker_outlives(credential, until, self.now),
                _ => request.broker_closed(credential, self.now),
            };
            if let Some(step) = step {
                self.commit(at, &step, members);
            }
        }
    }

    fn hand_in_late(&mut self) {
        if let Some((at, step, members)) = self.late.pop() {
            self.commit(at, &step, members);
        }
    }

    /// Somebody does something to a request that is not long over.
    fn act(&mut self) {
        let mut recent: Vec<usize> = (0..self.logs.len()).rev().take(6).collect();
        let overdue = |at: &usize| !self.logs[*at].request.suspends(self.now).is_empty();
        recent.extend((0..self.logs.len()).filter(overdue).take(2));
        if recent.is_empty() {
            return;
        }
        let at = *self.chance.pick(&recent);
        let request = self.logs[at].request.clone();
        let (members, by) = self.members();
        let who = self.chance.pick(&self.people).clone();
        self.late_is_late(&request, &who, &members);
        let step = match request.state() {
            State::Pending(_) if self.chance.one_in(25) => {
                request.cancel(request.requester(), "no longer".to_owned(), self.now).ok()
            }
            State::Pending(_) if !request.reviews().is_empty() && self.chance.one_in(4) => {
                let theirs = &request.reviews()[0].reviewer;
                let giver = self.people.iter().find(|person| person.id == *theirs).cloned();
                giver.and_then(|giver| {
                    request.withdraw(&giver, "unsure".to_owned(), &members, self.now).ok()
                })
            }
            State::Pending(_) => self.review(&request, &who, &members),
            State::Approved(_) if !self.chance.one_in(4) => {
                return self.spend(at, &members, by);
            }
            _ if self.chance.one_in(24) => request
                .revoke(request.requester(), Standing::Own, "over".to_owned(), &members, self.now)
                .ok(),
            _ if self.chance.one_in(24) => request.complete(request.requester(), self.now).ok(),
            _ => {
                self.use_credential(&request).or_else(|| self.look_later(&request, &who, &members))
            }
        };
        let Some(step) = step else { return };
        if self.chance.one_in(10) {
            self.late.push((at, step, by));
        } else {
            self.commit(at, &step, by);
        }
    }

    fn said(&mut self, digest: Digest, one_denies_in: u64) -> Said {
        let verdict =
            if self.chance.one_in(one_denies_in) { Verdict::Deny } else { Verdict::Approve };
        let ago = self.chance.below(12 * 3_600_000) as i64;
        let since = Timestamp::from_millis(self.now.as_millis() - ago);
        Said {
            verdict,
            digest,
            comment: "seen".to_owned(),
            signed_in_at: Some(since),
            means: Default::default(),
        }
    }

    fn review(&mut self, request: &Request, who: &Principal, members: &Membership) -> Option<Step> {
        let id = ReviewId::new(self.now, [self.chance.below(256) as u8; 10]);
        let said = self.said(request.digest(), 40);
        request.review(id, who, said, members, self.now).ok()
    }

    fn look_later(
        &mut self,
        request: &Request,
        who: &Principal,
        members: &Membership,
    ) -> Option<Step> {
        if self.chance.one_in(2) {
            return None;
        }
        let id = ReviewId::new(self.now, [self.chance.below(256) as u8; 10]);
        let said = self.said(request.digest(), 8);
        request.review_afterwards(id, who, said, members, self.now).ok()
    }

    fn spend(&mut self, at: usize, members: &Membership, by: usize) {
        self.fetch_plan(at, members, by);
        let request = self.logs[at].request.clone();
        let credential = CredentialId::new(
            self.now,
            self.chance.below(u64::MAX).to_be_bytes().repeat(2)[..10].try_into().unwrap(),
        );
        let named = request.terms().and_then(|terms| terms.broker.clone());
        let broker = named.filter(|_| self.chance.one_in(2));
        let recall = if self.chance.one_in(2) { Recall::OnlyExpires } else { Recall::Ends };
        let heartbeat = self.chance.one_in(2).then_some(Span::minutes(5));
        let spend = Spend { broker, recall, heartbeat, ..Spend::on(credential, "db") };
        let Ok(sealed) = request.consume(request.requester(), spend, members, self.now) else {
            return;
        };
        let sealed: SealedGrant = sealed;
        self.commit(at, sealed.step(), by);
        let minted = !self.chance.one_in(4);
        let request = &self.logs[at].request;
        let fingerprint = Digest::of(credential.to_string().as_bytes());
        let step = request.minted(credential, fingerprint, key(), self.now).filter(|_| minted);
        if let Some(step) = step {
            self.commit(at, &step, by);
        }
        if self.chance.one_in(3) {
            self.now = self.now.plus(Span::minutes(6));
            self.listen(at, by);
        }
        let request = self.logs[at].request.clone();
        let step = self.use_credential(&request).filter(|_| self.chance.one_in(2));
        if let Some(step) = step {
            self.commit(at, &step, by);
        }
    }

    fn use_credential(&mut self, request: &Request) -> Option<Step> {
        let live = request.credentials().iter().filter(|c| c.is_live(self.now));
        let credential = live.map(|c| c.id).next()?;
        if self.chance.one_in(3) {
            let requester = request.requester();
            let (_, members) = (0, self.policy.membership(self.now));
            let step =
                request.revoke_credential(requester, Standing::Own, credential, &members, self.now);
            return step.ok().flatten();
        }
        let fingerprint = Digest::of(credential.to_string().as_bytes());
        request.redeem(&self.people[1].id, credential, fingerprint, self.now).ok()
    }

    /// Whether or not a sweep ran, the clock alone refuses what is too late.
    fn late_is_late(&mut self, request: &Request, who: &Principal, members: &Membership) {
        let Some(deadline) = request.deadline().filter(|deadline| self.now >= *deadline) else {
            return;
        };
        self.refused_late += 1;
        let said = Said {
            verdict: Verdict::Approve,
            digest: request.digest(),
            comment: String::new(),
            signed_in_at: Some(self.now),
            means: Default::default(),
        };
        let id = ReviewId::new(self.now, [1; 10]);
        let pending = matches!(request.state(), State::Pending(_));
        let review = request.review(id, who, said, members, self.now).unwrap_err();
        assert!(!pending || review == ReviewError::TooLate { deadline }, "{review:?}");
        assert!(request.cancel(request.requester(), String::new(), self.now).is_err());
        assert!(request.withdraw(who, String::new(), members, self.now).is_err());
        let credential = CredentialId::new(self.now, [1; 10]);
        let spend = Spend::on(credential, "db");
        assert!(request.consume(request.requester(), spend, members, self.now).is_err());
        assert!(request.supersede(self.now).is_none());
    }

    fn commit(&mut self, at: usize, step: &Step, members: usize) {
        let before = self.logs[at].request.clone();
        if self.logs[at].commit(step, members).is_some() {
            self.check(at);
            self.check_move(&before, at);
        }
    }

    fn check(&self, at: usize) {
        let history = History::new(&self.logs[at], &self.memberships, &self.people);
        let history = history.told(&self.signals);
        invariants::check(&history, &format!("seed {}, request {at}", self.seed));
    }

    /// What one move may change: it never moves a deadline back that it did not open or close, it
    /// asks no fewer people, and it leaves the ruling and its revision alone.
    fn check_move(&self, before: &Request, at: usize) {
        let after = &self.logs[at].request;
        assert_eq!(before.ruling(), after.ruling());
        assert_eq!(before.known(), after.known());
        for (one, other) in before.asked_stages().iter().zip(after.asked_stages().iter()) {
            assert_eq!((one.approvals, &one.exclude), (other.approvals, &other.exclude));
            assert!(one.from.is_subset(&other.from), "seed {}: fewer are asked", self.seed);
        }
        let new = &self.logs[at].events[usize::try_from(before.version().0).unwrap()..];
        let moves = |fact: &Fact| matches!(fact, Fact::Advanced { .. } | Fact::Withdrawn { .. });
        let advanced = new.iter().any(|event| moves(&event.fact));
        if let (State::Pending(one), State::Pending(other)) = (before.state(), after.state()) {
            assert_eq!(one, other);
            assert!(advanced || before.deadline() == after.deadline(), "seed {}", self.seed);
        }
        if let Outcome::Refuse(_) = before.ruling().outcome {
            panic!("seed {}: what was refused moved", self.seed);
        }
    }
}

//! Situations out of those that cases tell: parts of one put into another, and parts taken away,
//! changed in type or moved in time.

use assent_core::intent::{Intent, UnverifiedIntent};
use assent_core::policy::Policy;
use assent_core::policy::cases::Case;
use assent_core::policy::opinion::Opinion;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::{Principal, PrincipalKind};
use assent_core::time::Timestamp;
use serde_json::{Map, Value, json};

/// Numbers that look random and are the same each time: `splitmix64`.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// A situation with all it borrows.
#[derive(Clone)]
pub(super) struct Told {
    intent: Intent,
    requester: Principal,
    known: Known,
    now: Timestamp,
}

impl Told {
    /// What a case tells.
    pub(super) fn of(case: &Case, policy: &Policy) -> Self {
        let known = case.run(policy, &|_| None).known;
        let Situation { intent, requester, now, .. } = case.situation(&known);
        let (intent, requester) = (intent.clone(), requester.clone());
        Self { intent, requester, known, now }
    }

    pub(super) fn situation(&self) -> Situation<'_> {
        let Self { intent, requester, known, now } = self;
        Situation { intent, requester, known, now: *now }
    }
}

/// What free JSON may hold where something else was.
fn strange(chance: &mut Chance) -> Value {
    let texts = [
        "",
        "12",
        "true",
        "0s",
        "15m",
        "015m",
        "24h",
        "3660d",
        "3661d",
        "1000000000s",
        "15 m",
        "sev1",
        "2026-11-20T10:00:00Z",
        "2026-11-20T11:00:00+01:00",
        "2026-11-20T10:00:00.9999Z",
        "2026-02-29T00:00:00Z",
        "2028-02-29T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-11-20T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-11-20 10:00:00Z",
        "1969-12-31T23:59:59.9995Z",
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "::FFFF:a01:203",
        "010.1.2.3",
        "256.1.1.1",
        "2001:db8::1",
        "::",
        "2001:db8::1%eth0",
        "1:2:3:4:5:6:7::",
        "1:2:3:4::5:6:7:8",
        "0:0:0:0:0:ffff:192.0.2.7",
        "192.0.2.1/32",
        "acme/orders",
        "acme/orders/x",
        "a\nb",
        "é",
        "\u{1f600}",
        "prod",
        "wrong",
    ];
    let others = [
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(0.5),
        json!(12),
        json!(9007199254740991_u64),
        json!(1e300),
        json!(-0.0),
        json!([]),
        json!({}),
        json!([1, "a", null]),
        json!([{"type": "x"}, {}]),
        json!({"a": {"b": 1}}),
        json!(["a", "b", "b"]),
    ];
    match chance.one_in(2) {
        true => json!(chance.pick(&texts)),
        false => chance.pick(&others).clone(),
    }
}

/// Takes something away from JSON, changes it, or puts something in twice.
fn disturb(value: &mut Value, chance: &mut Chance) {
    match value {
        Value::Object(members) if !members.is_empty() && !chance.one_in(4) => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = chance.pick(&names);
            if chance.one_in(4) {
                members.remove(name);
            } else {
                disturb(&mut members[name], chance);
            }
        }
        Value::Array(items) if !items.is_empty() && !chance.one_in(4) => {
            let at = chance.below(items.len());
            match chance.below(4) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => disturb(&mut items[at], chance),
            }
        }
        Value::Number(number) if chance.one_in(2) => {
            let moved = [-1.0, 1.0, 0.5, 1e-9];
            *value = json!(number.as_f64().unwrap() + chance.pick(&moved));
        }
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_)) => *other = strange(chance),
    }
}

fn disturbed(object: &Map<String, Value>, chance: &mut Chance) -> Map<String, Value> {
    let mut value = Value::Object(object.clone());
    for _ in 0..chance.below(3) {
        disturb(&mut value, chance);
    }
    value.as_object().cloned().unwrap_or_default()
}

fn moved(now: Timestamp, chance: &mut Chance) -> Timestamp {
    const HOUR: i64 = 3_600_000;
    // Nights on which clocks change: Berlin and London, New York, Sydney, Lord Howe.
    let changes = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T16:00:00Z",
        "2026-10-03T16:00:00Z",
        "2026-04-04T15:00:00Z",
        "2027-03-28T01:00:00Z",
    ];
    let hours = |chance: &mut Chance, most: usize| {
        let around = chance.below(2 * most * 3600) as i64 * 1000 - most as i64 * HOUR;
        match chance.below(3) {
            0 => around,
            // On the half hour, and just before it.
            1 => around.div_euclid(HOUR / 2) * (HOUR / 2),
            _ => around.div_euclid(HOUR / 2) * (HOUR / 2) - 1,
        }
    };
    let from = match chance.below(3) {
        0 => chance.pick(&changes).parse::<Timestamp>().unwrap().as_millis() + hours(chance, 4),
        1 => now.as_millis() + hours(chance, 24 * 40),
        _ => {
            // A whole hour of the day from a whole day, in UTC.
            let day = now.as_millis().div_euclid(24 * HOUR) + chance.below(30) as i64 - 15;
            (day * 24 + chance.below(25) as i64) * HOUR - i64::from(chance.one_in(2)) * 1000
        }
    };
    Timestamp::from_millis(from)
}

fn opinion(chance: &mut Chance) -> Opinion {
    let mut said =
        |word: &str| (0..chance.below(3)).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
    let (denies, warns) = (said("deny"), said("warn"));
    match chance.below(4) {
        0 => Opinion::Failed { reason: "out of reach".to_owned() },
        1 => Opinion::Answered { denies, warns, allows: chance.one_in(2) },
        2 => Opinion::Answered { denies: Vec::new(), warns, allows: chance.one_in(2) },
        _ => Opinion::Answered { denies: Vec::new(), warns: Vec::new(), allows: chance.one_in(2) },
    }
}

/// One more situation of a policy, out of those that its cases tell.
pub(super) fn generated(told: &[Told], policy: &Policy, chance: &mut Chance) -> Told {
    let mut one = chance.pick(told).clone();
    one.intent = intent(&one.intent, &chance.pick(told).intent, chance);
    one.requester = requester(one.requester, &chance.pick(told).requester, chance);
    if chance.one_in(2) {
        one.now = moved(chance.pick(told).now, chance);
    }
    let other = chance.pick(told).known.clone();
    let known = &mut one.known;
    if chance.one_in(4) {
        known.network = other.network;
    }
    if chance.one_in(8) {
        let texts = ["10.1.2.3", "::ffff:10.1.2.3", "::1", "2001:db8::1", "192.0.2.7"];
        known.network.ip = Some(chance.pick(&texts).parse().unwrap());
    }
    if chance.one_in(10) {
        known.network.country = None;
    }
    if chance.one_in(4) {
        known.signals = other.signals;
    }
    if chance.one_in(2) {
        known.signals = disturbed(&known.signals, chance);
    }
    if chance.one_in(4) {
        known.plan = other.plan;
    }
    plan(known, chance);
    answers(known, policy, chance);
    one
}

fn intent(intent: &Intent, other: &Intent, chance: &mut Chance) -> Intent {
    let mut stated = stated(intent);
    if chance.one_in(4) {
        stated.kind = other.kind().to_owned();
    }
    if chance.one_in(30) {
        stated.kind = (*chance.pick(&["terraform.apply", "x.delete", "vm", "a.b.read"])).to_owned();
    }
    if chance.one_in(4) {
        stated.environment = other.environment().to_owned();
    }
    if chance.one_in(4) {
        stated.target = other.target().clone();
    }
    if let (true, Some(key)) = (chance.one_in(8), stated.target.keys().next().cloned()) {
        let value = chance.pick(&["a/b\n/c", "x", "acme/orders"]);
        stated.target.insert(key.clone(), (*value).to_owned());
        if chance.one_in(3) {
            stated.target.remove(&key);
        }
    }
    if chance.one_in(4) {
        stated.duration = other.duration();
        stated.subject = other.subject();
    }
    if chance.one_in(4) {
        stated.context = other.context().clone();
    }
    if chance.one_in(2) {
        stated.context = disturbed(&stated.context, chance);
    }
    stated.verify().unwrap_or_else(|_| intent.clone())
}

fn requester(mut requester: Principal, other: &Principal, chance: &mut Chance) -> Principal {
    if chance.one_in(4) {
        requester.id = other.id.clone();
    }
    if chance.one_in(4) {
        requester.claims = other.claims.clone();
    }
    if chance.one_in(2) {
        requester.claims = disturbed(&requester.claims, chance);
    }
    if chance.one_in(4) {
        requester.groups.extend(other.groups.clone());
    }
    if chance.one_in(8) {
        requester.groups.clear();
    }
    if chance.one_in(8) {
        requester.kind = PrincipalKind::Workload;
    }
    requester
}

/// What engines said, and which rules a missed review suspends.
fn answers(known: &mut Known, policy: &Policy, chance: &mut Chance) {
    let ids = |wanted: &str| {
        let rules = policy.rules().filter(|(_, effect, _)| *effect == wanted);
        rules.map(|(id, ..)| id.to_owned()).collect::<Vec<_>>()
    };
    if chance.one_in(6) {
        known.suspended = ids("allow").into_iter().filter(|_| chance.one_in(2)).collect();
    }
    for id in ids("ask") {
        if chance.one_in(2) {
            known.opinions.insert(id.clone(), opinion(chance));
        }
        if chance.one_in(8) {
            known.opinions.remove(&id);
        }
    }
}

fn stated(intent: &Intent) -> UnverifiedIntent {
    UnverifiedIntent {
        kind: intent.kind().to_owned(),
        environment: intent.environment().to_owned(),
        target: intent.target().clone(),
        subject: intent.subject(),
        plan: intent.plan(),
        context: intent.context().clone(),
        reason: intent.reason().to_owned(),
        duration: intent.duration(),
    }
}

fn plan(known: &mut Known, chance: &mut Chance) {
    if chance.one_in(10) {
        known.plan = None;
    }
    let Some(plan) = &mut known.plan else { return };
    let maybe = |chance: &mut Chance| *chance.pick(&[None, Some(true), Some(false)]);
    for _ in 0..chance.below(3) {
        let count = chance.below(30) as u64;
        match chance.below(9) {
            0 => plan.facts.tags_only = maybe(chance),
            1 => plan.facts.touches_iam = maybe(chance),
            2 => plan.facts.public_exposure = maybe(chance),
            3 => plan.facts.change_count = count,
            4 => plan.facts.deletes = count,
            5 => plan.facts.replaces = count,
            6 => plan.facts.creates = count,
            7 => drop(plan.facts.types.pop_first()),
            _ => plan.facts.terraform_version = None,
        }
    }
    let Some(changes) = plan.changes.take() else { return };
    let mut changes = changes.to_vec();
    if let (true, Some(change)) = (chance.one_in(2), changes.first_mut()) {
        match chance.below(5) {
            0 => change.touches_iam = maybe(chance),
            1 => change.provider = None,
            2 => change.module = None,
            3 => change.actions = vec!["delete".to_owned(), "create".to_owned()],
            _ => drop(changes.remove(0)),
        }
    }
    plan.changes = (!chance.one_in(8)).then(|| changes.into());
}

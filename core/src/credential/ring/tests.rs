//! Rings through their lives, step by step and at random.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use proptest::prelude::*;

use super::*;

const LEAD: Span = Span::hours(1);
const SCHEDULE: Schedule = Schedule { lead: LEAD, every: None };

fn start() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn after(span: Span) -> Timestamp {
    start().plus(span)
}

fn root() -> PrincipalId {
    PrincipalId::local("root").unwrap()
}

fn fresh(algorithm: Algorithm) -> SigningKey {
    let pkcs8 = SigningKey::generate(algorithm, &SystemRandom::new()).unwrap();
    SigningKey::read(&pkcs8).unwrap()
}

fn new(key: &SigningKey, at_once: bool) -> NewKey<'_> {
    NewKey { key, origin: Origin::Made, at_once, call: None }
}

fn add(ring: &Ring, at_once: bool, now: Timestamp) -> (Ring, KeyId) {
    let key = fresh(Algorithm::Es256);
    let step = ring.add(new(&key, at_once), SCHEDULE, None, now).unwrap();
    (ring.after(&step), key.id().clone())
}

fn signs(ring: &Ring, now: Timestamp) -> Option<KeyId> {
    ring.signing(Algorithm::Es256, now).map(|key| key.id.clone())
}

fn published(ring: &Ring, now: Timestamp) -> Vec<KeyId> {
    ring.published(now).into_iter().map(|key| key.id.clone()).collect()
}

#[test]
fn the_first_key_signs_at_once_and_the_next_after_the_lead() {
    let (ring, a) = add(&Ring::default(), false, start());
    assert_eq!(signs(&ring, start()), Some(a.clone()));
    let (ring, b) = add(&ring, false, start());
    let handover = after(LEAD);
    let just_before = Timestamp::from_millis(handover.as_millis() - 1);
    assert_eq!(ring.get(&b).unwrap().stage(just_before), Stage::Published);
    assert_eq!(signs(&ring, just_before), Some(a.clone()));
    assert_eq!(signs(&ring, handover), Some(b.clone()));
    assert_eq!(published(&ring, start()).len(), 2);
    let over = handover.plus(OVERLAP);
    assert!(published(&ring, Timestamp::from_millis(over.as_millis() - 1)).contains(&a));
    assert_eq!(published(&ring, over), [b]);
}

#[test]
fn an_emergency_drops_what_waits() {
    let (ring, a) = add(&Ring::default(), false, start());
    let (ring, b) = add(&ring, false, start());
    let now = after(Span::minutes(30));
    let (ring, c) = add(&ring, true, now);
    assert_eq!(signs(&ring, now), Some(c.clone()));
    assert_eq!(signs(&ring, after(LEAD)), Some(c.clone()));
    assert_eq!(ring.get(&b).unwrap().stage(now), Stage::Retired);
    assert_eq!(ring.get(&a).unwrap().stage(now), Stage::Retiring);
    assert_eq!(published(&ring, now), [a, c]);
}

#[test]
fn what_does_not_sign_yet_can_be_taken_out_and_the_one_before_goes_on() {
    let (ring, a) = add(&Ring::default(), false, start());
    let (ring, b) = add(&ring, false, start());
    let (ring, c) = add(&ring, false, after(Span::minutes(10)));
    let now = after(Span::minutes(20));
    let step = ring.retire(&b, true, &root(), now).unwrap().unwrap();
    let ring = ring.after(&step);
    assert_eq!(signs(&ring, after(LEAD)), Some(a.clone()));
    assert_eq!(signs(&ring, after(Span::minutes(70))), Some(c.clone()));
    let step = ring.revoke(&c, "lost", &root(), now).unwrap().unwrap();
    let ring = ring.after(&step);
    assert_eq!(signs(&ring, after(Span::hours(1000))), Some(a));
}

#[test]
fn what_signs_and_is_needed_is_not_taken_out() {
    let (ring, a) = add(&Ring::default(), false, start());
    let needed = RetireError::Needed(Algorithm::Es256);
    assert_eq!(ring.retire(&a, true, &root(), start()), Err(needed.clone()));
    assert_eq!(ring.revoke(&a, "stolen", &root(), start()), Err(needed));
    let retired = ring.retire(&a, false, &root(), start()).unwrap().unwrap();
    let ring = ring.after(&retired);
    assert_eq!((signs(&ring, start()), published(&ring, start())), (None, vec![a.clone()]));
    assert_eq!(ring.retire(&a, false, &root(), start()), Ok(None));
    let nobody = fresh(Algorithm::Es256).id().clone();
    let missing = Err(RetireError::NoSuchKey(nobody.clone()));
    assert_eq!(ring.revoke(&nobody, "x", &root(), start()), missing);
}

#[test]
fn t55_a_revoked_key_is_gone_at_once_and_never_comes_back() {
    let (ring, a) = add(&Ring::default(), false, start());
    let key = fresh(Algorithm::Es256);
    let replaced = ring.add(new(&key, true), SCHEDULE, Some(&root()), start()).unwrap();
    let after_it = ring.after(&replaced);
    let revoked = after_it.revoke(&a, "stolen", &root(), start()).unwrap().unwrap();
    let step = replaced.and(revoked);
    assert_eq!(step.keys().len(), 2);
    let facts: Vec<_> = step.events().iter().map(|event| event["type"].clone()).collect();
    let wanted = ["key_made", "key_activated", "key_superseded", "key_revoked"];
    assert_eq!(facts, wanted);
    let ring = ring.after(&step);
    assert_eq!(ring.get(&a).unwrap().stage(start()), Stage::Revoked);
    assert_eq!(published(&ring, start()), [key.id().clone()]);
    assert_eq!(ring.revoke(&a, "again", &root(), start()), Ok(None));
    let again = ring.add(new(&key, true), SCHEDULE, None, start());
    assert_eq!(again, Err(AddError::Known(key.id().clone())));
}

#[test]
fn each_algorithm_has_its_own_succession() {
    let (ring, a) = add(&Ring::default(), false, start());
    let other = fresh(Algorithm::EdDsa);
    let step = ring.add(new(&other, false), SCHEDULE, None, start()).unwrap();
    let ring = ring.after(&step);
    assert_eq!(signs(&ring, start()), Some(a));
    assert_eq!(ring.signing(Algorithm::EdDsa, start()).unwrap().id, *other.id());
    assert!(ring.wants(Algorithm::Rs256, SCHEDULE, start()));
    assert!(!ring.wants(Algorithm::EdDsa, SCHEDULE, after(Span::hours(100_000))));
}

#[test]
fn a_schedule_asks_early_enough_and_once() {
    let schedule = Schedule { lead: LEAD, every: Some(Span::hours(48)) };
    let (ring, _) = add(&Ring::default(), false, start());
    assert!(!ring.wants(Algorithm::Es256, schedule, after(Span::minutes(47 * 60 - 1))));
    let now = after(Span::hours(47));
    assert!(ring.wants(Algorithm::Es256, schedule, now));
    let (ring, b) = add(&ring, false, now);
    assert!(!ring.wants(Algorithm::Es256, schedule, now));
    assert_eq!(signs(&ring, after(Span::hours(48))), Some(b));
    assert!(ring.wants(Algorithm::Es256, schedule, after(Span::hours(48 + 47))));
}

#[test]
fn time_is_written_down_once() {
    let (ring, a) = add(&Ring::default(), false, start());
    let (ring, b) = add(&ring, false, start());
    assert_eq!(ring.tend(start()), None);
    let step = ring.tend(after(LEAD)).unwrap();
    assert_eq!(step.events()[0]["type"], "key_activated");
    assert_eq!(step.events()[0]["key"]["id"], b.as_str());
    let ring = ring.after(&step);
    assert_eq!(ring.tend(after(LEAD)), None);
    let over = after(LEAD).plus(OVERLAP);
    let step = ring.tend(over).unwrap();
    assert_eq!(step.events()[0]["type"], "key_retired");
    assert_eq!(step.events()[0]["key"]["id"], a.as_str());
    assert_eq!(ring.after(&step).tend(over.plus(OVERLAP)), None);
}

#[test]
fn there_is_an_end_to_how_many_are_published_but_not_in_an_emergency() {
    let mut ring = Ring::default();
    for _ in 0..MOST {
        ring = add(&ring, true, start()).0;
    }
    let key = fresh(Algorithm::Es256);
    let refused = ring.add(new(&key, false), SCHEDULE, None, start());
    assert_eq!(refused, Err(AddError::TooMany(Algorithm::Es256)));
    assert!(ring.add(new(&key, true), SCHEDULE, None, start()).is_ok());
}

/// Keys to draw from: making them is what takes time.
static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (0..40).map(|_| fresh(Algorithm::Es256)).collect());

#[derive(Clone, Debug)]
enum Move {
    Add { at_once: bool },
    Retire(usize),
    Revoke(usize),
    Tend,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        any::<bool>().prop_map(|at_once| Move::Add { at_once }),
        (0..8_usize).prop_map(Move::Retire),
        (0..8_usize).prop_map(Move::Revoke),
        Just(Move::Tend),
        (0..20_000_u64).prop_map(Move::Wait),
        (0..20_000_u64).prop_map(|n| Move::Wait(n * 60)),
    ];
    proptest::collection::vec(one, 1..40)
}

proptest! {
    /// Something always signs; what signs was published a lead before, unless in an emergency; and
    /// what a key has signed can be checked until it is over, unless the key was revoked.
    #[test]
    fn t55_whatever_is_done_something_signs_and_what_it_signed_stays_good(moves in moves()) {
        let mut fresh = KEYS.iter();
        let mut now = start();
        let first = fresh.next().unwrap();
        let step = Ring::default().add(new(first, false), SCHEDULE, None, now).unwrap();
        let mut ring = Ring::default().after(&step);
        let mut in_a_hurry = vec![first.id().clone()];
        let mut signed: Vec<(KeyId, Timestamp)> = Vec::new();
        for a_move in moves {
            let drawn = |n: usize| ring.keys().get(n).map(|key| key.id.clone());
            let step = match a_move {
                Move::Add { at_once } => fresh.next().and_then(|key| {
                    if at_once { in_a_hurry.push(key.id().clone()); }
                    ring.add(new(key, at_once), SCHEDULE, None, now).ok()
                }),
                Move::Retire(n) => drawn(n).and_then(|id| ring.retire(&id, true, &root(), now).unwrap_or(None)),
                Move::Revoke(n) => drawn(n).and_then(|id| ring.revoke(&id, "x", &root(), now).unwrap_or(None)),
                Move::Tend => ring.tend(now),
                Move::Wait(seconds) => { now = now.plus(Span::seconds(seconds)); None }
            };
            if let Some(step) = step {
                prop_assert!(!step.events().is_empty());
                ring = ring.after(&step);
            }
            let signing: Vec<_> = ring.keys().into_iter().filter(|key| key.stage(now) == Stage::Signing).collect();
            prop_assert_eq!(signing.len(), 1);
            let key = signing[0];
            let was_known = key.made_at.plus(LEAD) <= key.signs_from;
            prop_assert!(was_known || in_a_hurry.contains(&key.id));
            signed.push((key.id.clone(), now.plus(MAX_DURATION)));
            for (id, until) in &signed {
                let key = ring.get(id).unwrap();
                let stage = key.stage(now);
                prop_assert!(now > *until || stage.is_published() || stage == Stage::Revoked);
            }
            // What is said to stay the same does.
            let until = ring.same_until(now).map_or(now.plus(OVERLAP), |at| Timestamp::from_millis(at.as_millis() - 1));
            prop_assert_eq!(published(&ring, now), published(&ring, until));
            prop_assert_eq!(signs(&ring, now), signs(&ring, until));
        }
    }
}

//! Steps to commit, made as the authority makes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use assent_core::digest::Digest;
use assent_core::id::{CredentialId, RequestId, ReviewId};
use assent_core::intent::Intent;
use assent_core::membership::Approver;
use assent_core::policy::Policy;
use assent_core::policy::ruling::{Outcome, PostReview};
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::{Principal, PrincipalKind};
use assent_core::request::{Filing, Receipt, Request, Said, Spend, Step, Verdict};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use assent_core::wire::{History, HistoryError, Summary};
use assent_server::ledger::{Commit, Keeping, Kept, Ledger, NewCall, Write};

use crate::support::{POLICY, intent, policy, principal};

static CHANCE: AtomicU8 = AtomicU8::new(0);

/// The same time for all; tests add to it.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

fn chance() -> [u8; 10] {
    [CHANCE.fetch_add(1, Ordering::SeqCst); 10]
}

pub(super) fn person(sub: &str) -> Principal {
    principal(sub, PrincipalKind::Person, &[])
}

pub(super) fn rules() -> Policy {
    policy(POLICY)
}

/// Alice's filing in this environment, at this time.
pub(super) fn file(environment: &str, reason: &str, now: Timestamp) -> Step {
    file_intent(intent(environment, reason).verify().unwrap(), now)
}

/// The same, bound to an exact thing and its plan.
pub(super) fn file_bound(
    environment: &str,
    reason: &str,
    (thing, plan): (Digest, Option<Digest>),
    now: Timestamp,
) -> Step {
    let stated = intent(environment, reason).verify().unwrap();
    file_intent(stated.bound_to(thing, plan), now)
}

/// The same, by somebody who promises to be heard of that often as long as it is pending.
pub(super) fn file_waiting(environment: &str, every: Span, now: Timestamp) -> Step {
    let step = file(environment, "r", now);
    let request = step.next();
    let filing = Filing {
        id: request.id(),
        intent: request.intent().clone(),
        requester: request.requester().clone(),
        ruling: request.ruling().clone(),
        known: request.known().clone(),
        heartbeat: Some(every),
    };
    Request::file(filing, now)
}

fn file_intent(intent: Intent, now: Timestamp) -> Step {
    let (requester, known) = (person("alice"), Known::default());
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let ruling = rules().rule(&situation);
    let id = RequestId::new(now, chance());
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, now)
}

/// Alice's filing that is granted at once, and to be looked at by bob within an hour.
pub(super) fn granted_to_be_looked_at(now: Timestamp) -> Step {
    let intent = intent("staging", "break glass").verify().unwrap();
    let (requester, known) = (person("alice"), Known::default());
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let mut ruling = rules().rule(&situation);
    ruling.post_reviews.push(PostReview {
        rule: "staging".to_owned(),
        approvals: 1,
        by: [Approver::Person(person("bob").id)].into(),
        within: Span::hours(1),
        suspend: Some("staging".to_owned()),
        notify: Default::default(),
    });
    let id = RequestId::new(now, chance());
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, now)
}

/// Alice's filing that is granted at once, for this broker to open something.
pub(super) fn granted_to_open(broker: &str, now: Timestamp) -> Step {
    let intent = intent("staging", "open it").verify().unwrap();
    let (requester, known) = (person("alice"), Known::default());
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let mut ruling = rules().rule(&situation);
    let Outcome::Permit(terms) = &mut ruling.outcome else { panic!("{ruling:?}") };
    terms.broker = Some(broker.to_owned());
    let id = RequestId::new(now, chance());
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, now)
}

/// A use of the grant, spent on this credential, for which this broker opens something.
pub(super) fn opening(
    request: &Request,
    credential: CredentialId,
    broker: &str,
    now: Timestamp,
) -> Step {
    let broker = Some(broker.to_owned());
    let spend = Spend { broker, ..Spend::on(credential, "aws") };
    let sealed = request.consume(&person("alice"), spend, &rules().membership(now), now).unwrap();
    sealed.step().clone()
}

/// Bob's later review.
pub(super) fn later_review(request: &Request, now: Timestamp) -> Step {
    let (verdict, comment) = (Verdict::Approve, "it was right".to_owned());
    let said = Said {
        verdict,
        digest: request.digest(),
        comment,
        signed_in_at: None,
        means: Default::default(),
    };
    let (id, members) = (ReviewId::new(now, chance()), rules().membership(now));
    request.review_afterwards(id, &person("bob"), said, &members, now).unwrap()
}

/// Something kept beside requests, by alice.
pub(super) fn keeping(what: Kept, entry: &str, now: Timestamp) -> Keeping {
    let by = person("alice").id;
    Keeping { what, by, at: now, entry: serde_json::json!({"type": entry}) }
}

/// This person's approval.
pub(super) fn approval(request: &Request, who: &str, now: Timestamp) -> Step {
    let (verdict, comment) = (Verdict::Approve, "fine".to_owned());
    let said = Said {
        verdict,
        digest: request.digest(),
        comment,
        signed_in_at: None,
        means: Default::default(),
    };
    let id = ReviewId::new(now, chance());
    request.review(id, &person(who), said, &rules().membership(now), now).unwrap()
}

/// A use of the grant, spent on this credential.
pub(super) fn spending(request: &Request, credential: CredentialId, now: Timestamp) -> Step {
    let spend = Spend::on(credential, "aws");
    let sealed = request.consume(&person("alice"), spend, &rules().membership(now), now).unwrap();
    sealed.step().clone()
}

/// The same, on one whose holder promises signs of life.
pub(super) fn beating(
    request: &Request,
    credential: CredentialId,
    every: Span,
    now: Timestamp,
) -> Step {
    let spend = Spend { heartbeat: Some(every), ..Spend::on(credential, "aws") };
    let sealed = request.consume(&person("alice"), spend, &rules().membership(now), now).unwrap();
    sealed.step().clone()
}

pub(super) fn credential(now: Timestamp) -> CredentialId {
    CredentialId::new(now, chance())
}

/// A step and nothing else.
pub(super) fn alone(step: Step) -> Write {
    Write { step, call: None, unless_open: false, most_pending: None }
}

/// A step asked for under this key by this body.
pub(super) fn called(step: Step, key: &str, asked: &str) -> Write {
    let (key, asked) = (Digest::of(key.as_bytes()), Digest::of(asked.as_bytes()));
    let call = Some(NewCall { key, asked, credential: None });
    Write { step, call, unless_open: false, most_pending: None }
}

/// Commits a step that nothing stands against.
pub(super) async fn done(ledger: &Arc<dyn Ledger>, step: Step) -> (Request, Receipt) {
    let next = step.next().clone();
    match ledger.commit(alone(step)).await.unwrap() {
        Commit::Done(receipt) => (next, receipt),
        other @ (Commit::Conflict | Commit::Open(_) | Commit::Repeated(_) | Commit::TooMany) => {
            panic!("{other:?}")
        }
    }
}

/// The log, which must hold together.
pub(super) async fn verified(ledger: &Arc<dyn Ledger>) -> Summary {
    verify(ledger).await.unwrap()
}

/// The log from its beginning, page by page, held against its head.
pub(super) async fn verify(ledger: &Arc<dyn Ledger>) -> Result<Summary, HistoryError> {
    let mut history = History::default();
    let mut next = 0;
    loop {
        let page = ledger.entries(next, 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        for event in page {
            history.read(&wire::Entry { index: next, event })?;
            next += 1;
        }
    }
    let head = ledger.head().await.unwrap();
    history.finish(&wire::Checkpoint { size: head.size, root: head.root.hex() })
}

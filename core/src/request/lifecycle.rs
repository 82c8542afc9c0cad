//! What time does to a request, and delegation and the later review: each promise by itself. The
//! policies are compiled from their text, as they are in earnest.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test tells the few facts it is about")]

use std::sync::Arc;

use super::*;
use crate::id::ReviewId;
use crate::intent::UnverifiedIntent;
use crate::policy::Policy;
use crate::policy::document::PolicyDocument;
use crate::policy::quorum::Means;
use crate::policy::ruling::{Outcome, SignatureDemand};
use crate::policy::situation::Situation;
use crate::principal::PrincipalKind;
use crate::statement::tests::SignedReview;
use crate::time::Span;

const HEAD: &str = "
apiVersion: assent/v1
kind: Policy
groups:
  a: [person:bob, person:carol]
  b: [person:dave, person:erin]
  leads: [person:lena]
";

fn policy(rest: &str) -> Policy {
    let text = format!("{HEAD}{rest}\n");
    Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]).unwrap()
}

/// Friday at nine, and so many minutes.
fn minute(minutes: u64) -> Timestamp {
    "2026-11-20T09:00:00Z".parse::<Timestamp>().unwrap().plus(Span::minutes(minutes))
}

fn person(name: &str) -> Principal {
    super::walk::principal(name, PrincipalKind::Person, &[])
}

/// Alice asks for `kind` at nine.
fn filed(policy: &Policy, kind: &str) -> Request {
    filed_at(policy, kind, 0, &BTreeSet::new())
}

fn filed_at(policy: &Policy, kind: &str, at: u64, suspended: &BTreeSet<String>) -> Request {
    let stated = UnverifiedIntent {
        kind: kind.to_owned(),
        environment: "prod".to_owned(),
        reason: "because".to_owned(),
        ..UnverifiedIntent::default()
    };
    let (intent, requester) = (stated.verify().unwrap(), person("alice"));
    let known = Known { suspended: suspended.clone(), ..Known::default() };
    let situation =
        Situation { intent: &intent, requester: &requester, known: &known, now: minute(at) };
    let ruling = policy.rule(&situation);
    let id = RequestId::new(minute(at), [at as u8; 10]);
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, minute(at))
        .next()
        .clone()
}

/// What the passing of time had done by then, as words.
fn lapsed(request: &mut Request, at: u64) -> Vec<String> {
    let Some(step) = request.lapse(minute(at)) else { return Vec::new() };
    *request = step.next().clone();
    let told = |event: &Event| match &event.fact {
        Fact::Escalated { stage, to } => {
            let to: Vec<_> = to.iter().map(ToString::to_string).collect();
            format!("{stage} to {}", to.join("+"))
        }
        Fact::Reminded { stages } => format!("remind {}", stages.join("+")),
        Fact::PostReviewMissed { rule, suspended } => format!("{rule} missed: {suspended:?}"),
        other => super::walk::fact_word(other).to_owned(),
    };
    step.events().iter().map(told).collect()
}

fn approves(
    request: &Request,
    policy: &Policy,
    who: &str,
    at: u64,
) -> Result<Request, ReviewError> {
    signed_in(request, policy, who, None, at)
}

fn signed_in(
    request: &Request,
    policy: &Policy,
    who: &str,
    since: Option<u64>,
    at: u64,
) -> Result<Request, ReviewError> {
    let said = Said {
        verdict: Verdict::Approve,
        digest: request.digest(),
        comment: String::new(),
        signed_in_at: since.map(minute),
        means: Default::default(),
    };
    let (id, now) = (ReviewId::new(minute(at), [7; 10]), minute(at));
    let step = request.review(id, &person(who), said, &policy.membership(now), now)?;
    Ok(step.next().clone())
}

fn looks_later(
    request: &Request,
    policy: &Policy,
    who: &str,
    verdict: Verdict,
    at: u64,
) -> Result<Request, PostReviewError> {
    let (digest, comment) = (request.digest(), String::new());
    let said = Said { verdict, digest, comment, signed_in_at: None, means: Default::default() };
    let (id, now) = (ReviewId::new(minute(at), [8; 10]), minute(at));
    let step = request.review_afterwards(id, &person(who), said, &policy.membership(now), now)?;
    Ok(step.next().clone())
}

fn spend(request: &Request, policy: &Policy, at: u64) -> Result<(), ConsumeError> {
    let credential = CredentialId::new(minute(at), [9; 10]);
    let spend = Spend::on(credential, "db");
    let now = minute(at);
    request.consume(&person("alice"), spend, &policy.membership(now), now).map(drop)
}

#[track_caller]
fn is_not_asked(request: &Request, policy: &Policy, who: &str, at: u64) {
    let refused = approves(request, policy, who, at).unwrap_err();
    assert!(matches!(refused, ReviewError::NotAsked { .. }), "{refused}");
}

const ESCALATES: &str = "
rules:
  - id: r
    require:
      stages: [{name: s, approvals: 2, from: [group:a]}]
      escalate: {after: 30m, to: [group:leads], then_expire_after: 4h}
      remind: 20m
";

#[test]
fn an_escalation_asks_more_people_and_no_fewer_approvals() {
    let policy = policy(ESCALATES);
    let mut request = filed(&policy, "a.b");
    is_not_asked(&request, &policy, "lena", 31);
    assert_eq!(lapsed(&mut request, 19), [""; 0]);
    assert_eq!(lapsed(&mut request, 20), ["remind r/s"]);
    assert_eq!(lapsed(&mut request, 29), [""; 0]);
    assert_eq!(lapsed(&mut request, 30), ["r/s to group:leads"]);
    let asked = request.asked_stages()[0].clone();
    assert_eq!((asked.approvals, asked.from.len()), (2, 2));
    let once = approves(&request, &policy, "lena", 31).unwrap();
    assert_eq!(once.state().word(), "pending", "one more may count, and two must");
    let twice = approves(&once, &policy, "carol", 32).unwrap();
    assert_eq!(twice.state().word(), "approved");
    assert!(spend(&twice, &policy, 33).is_ok());
}

#[test]
fn an_escalated_stage_that_nobody_fills_takes_the_request_with_it() {
    let policy = policy(ESCALATES);
    let mut request = filed(&policy, "a.b");
    // Half an hour, and four hours more, whenever the escalation was put on record.
    assert_eq!(request.deadline(), Some(minute(270)));
    assert_eq!(lapsed(&mut request, 100), ["r/s to group:leads", "remind r/s"]);
    assert_eq!(request.deadline(), Some(minute(270)));
    let last = approves(&request, &policy, "bob", 269).unwrap();
    assert_eq!(last.deadline(), Some(minute(270)), "one of two fills nothing");
    let refused = approves(&last, &policy, "carol", 270).unwrap_err();
    assert_eq!(refused, ReviewError::TooLate { deadline: minute(270) });
    let refused = request.cancel(&person("alice"), "no".to_owned(), minute(270)).unwrap_err();
    assert_eq!(refused, CancelError::NotPending { state: "expired" });
    assert_eq!(lapsed(&mut request, 270), ["expired"]);
}

#[test]
fn people_are_reminded_once_however_long_the_authority_was_away() {
    let policy = policy(ESCALATES);
    let mut request = filed(&policy, "a.b");
    assert_eq!(lapsed(&mut request, 259), ["r/s to group:leads", "remind r/s"]);
    assert_eq!(lapsed(&mut request, 260), [""; 0], "the twelve that were missed are gone");
    let away = lapsed(&mut request, 5_000);
    assert_eq!(away, ["expired"], "whoever is too late is not reminded");
    assert_eq!(request.due_at(), None);
}

#[test]
fn a_stage_expires_by_itself_from_when_it_opened() {
    let policy = policy(
        "
rules:
  - id: r
    require:
      stages:
        - {name: one, approvals: 1, from: [group:a], expires_after: 2h}
        - {name: two, approvals: 1, from: [group:b], expires_after: 1h}
      request_expires: 150m
",
    );
    let request = filed(&policy, "a.b");
    assert_eq!(request.deadline(), Some(minute(120)), "the second has not opened");
    is_not_asked(&request, &policy, "dave", 1);
    let open = approves(&request, &policy, "bob", 60).unwrap();
    assert_eq!(open.deadline(), Some(minute(120)), "an hour from then");
    let late = approves(&request, &policy, "bob", 110).unwrap();
    assert_eq!(late.deadline(), Some(minute(150)), "never longer than the request has");
    assert!(approves(&late, &policy, "dave", 149).is_ok());
    assert!(approves(&late, &policy, "dave", 150).is_err());
}

#[test]
fn parallel_stages_are_asked_side_by_side_and_others_in_their_order() {
    let stages = "stages: [{name: one, approvals: 1, from: [group:a]}, {name: two, approvals: 1, from: [group:b]}]";
    let parallel =
        policy(&format!("\nrules:\n  - {{id: r, require: {{parallel: true, {stages}}}}}\n"));
    let request = filed(&parallel, "a.b");
    let one = approves(&request, &parallel, "dave", 1).unwrap();
    assert_eq!(approves(&one, &parallel, "bob", 2).unwrap().state().word(), "approved");
    let ordered = policy(&format!("\nrules:\n  - {{id: r, require: {{{stages}}}}}\n"));
    let request = filed(&ordered, "a.b");
    is_not_asked(&request, &ordered, "dave", 1);
    let one = approves(&request, &ordered, "bob", 1).unwrap();
    assert_eq!(one.stage_life("r/one").filled, Some(minute(1)));
    assert_eq!(one.stage_life("r/two").opened, Some(minute(1)));
    assert_eq!(approves(&one, &ordered, "dave", 2).unwrap().state().word(), "approved");
}

#[test]
fn reminders_and_escalations_of_a_later_stage_count_from_when_it_opened() {
    let policy = policy(
        "
rules:
  - id: r
    require:
      stages: [{name: one, approvals: 1, from: [group:a]}, {name: two, approvals: 1, from: [group:b]}]
      escalate: {after: 30m, to: [group:leads]}
      remind: 20m
",
    );
    let request = filed(&policy, "a.b");
    let mut request = approves(&request, &policy, "bob", 10).unwrap();
    assert_eq!(request.due_at(), Some(minute(30)));
    assert_eq!(lapsed(&mut request, 29), [""; 0]);
    assert_eq!(lapsed(&mut request, 30), ["remind r/two"]);
    assert_eq!(request.due_at(), Some(minute(40)));
    assert_eq!(lapsed(&mut request, 40), ["r/two to group:leads"]);
    assert_eq!(approves(&request, &policy, "lena", 41).unwrap().state().word(), "approved");
}

#[test]
fn a_sign_in_that_is_too_old_is_told_to_sign_in_again() {
    let policy = policy(
        "
rules:
  - {id: r, require: {stages: [{approvals: 1, from: [group:a], login_within: 1h}]}}
",
    );
    let request = filed(&policy, "a.b");
    let wanted = SignInWanted { within: Some(Span::hours(1)), ..SignInWanted::default() };
    let again = ReviewError::SignInAgain(wanted);
    assert_eq!(signed_in(&request, &policy, "bob", None, 100).unwrap_err(), again);
    assert_eq!(signed_in(&request, &policy, "bob", Some(39), 100).unwrap_err(), again);
    let fresh = signed_in(&request, &policy, "bob", Some(40), 100).unwrap();
    assert_eq!(fresh.state().word(), "approved", "an hour is within an hour");
    // The time of the review counts: that it grows old before the grant is used changes nothing.
    assert!(spend(&fresh, &policy, 150).is_ok());
    // What is asked of nobody is told nobody.
    let stranger = signed_in(&request, &policy, "dave", None, 100).unwrap_err();
    assert!(matches!(stranger, ReviewError::NotAsked { .. }));
}

#[test]
fn a_stage_that_wants_a_signature_takes_no_unsigned_word_and_no_weaker_one() {
    let policy = policy(
        "
rules:
  - {id: r, require: {stages: [{approvals: 1, from: [group:a], signature: {passkey: device-bound, enrolled_for: 1h}}]}}
",
    );
    let request = filed(&policy, "a.b");
    let demand =
        SignatureDemand { device_bound: true, enrolled_for: Some(Span::hours(1)), vouched: false };
    let bob = person("bob");
    let members = policy.membership(minute(100));
    assert_eq!(request.demands_signature(&bob, &members, minute(100)), Some(demand));
    assert_eq!(request.demands_signature(&person("dave"), &members, minute(100)), None);
    assert_eq!(
        request.may_review(&bob, &members, minute(100)),
        None,
        "they are told where they sign"
    );
    let good = SignedReview {
        request: &request,
        approver: &bob.id,
        verdict: Verdict::Approve,
        comment: "seen",
        nonce: [1; 16],
        at: minute(100),
        enrolled_for: Span::hours(1),
        device_bound: true,
        vouched: false,
    };
    let review = |signed: Option<SignedReview<'_>>, verdict, at| {
        let said = Said {
            verdict,
            digest: request.digest(),
            comment: "seen".to_owned(),
            signed_in_at: None,
            means: Means::default(),
        };
        let signature = signed.map(|signed| Arc::new(signed.signature()));
        let id = ReviewId::new(minute(at), [1; 10]);
        request.review_signed(id, &bob, (said, signature), &members, minute(at))
    };
    let (yes, no) = (Verdict::Approve, Verdict::Deny);
    let unsigned = ReviewError::Unsigned(demand);
    for verdict in [yes, no] {
        assert_eq!(review(None, verdict, 100).unwrap_err(), unsigned);
        for weak in [
            SignedReview { verdict, device_bound: false, ..good },
            SignedReview { verdict, enrolled_for: Span::minutes(59), ..good },
        ] {
            assert_eq!(review(Some(weak), verdict, 100).unwrap_err(), unsigned);
        }
    }
    let carol = person("carol").id;
    for (other, what) in [
        (SignedReview { verdict: no, ..good }, "verdict"),
        (SignedReview { comment: "other", ..good }, "comment"),
        (SignedReview { approver: &carol, ..good }, "person"),
        (SignedReview { at: minute(94), ..good }, "time"),
        (SignedReview { at: minute(101), ..good }, "time"),
    ] {
        assert_eq!(review(Some(other), yes, 100).unwrap_err(), ReviewError::OtherStatement(what));
    }
    let elsewhere = filed(&policy, "c.d");
    let other = review(Some(SignedReview { request: &elsewhere, ..good }), yes, 100).unwrap_err();
    assert!(matches!(other, ReviewError::OtherStatement("request" | "digest")), "{other}");
    assert_eq!(review(Some(good), yes, 104).unwrap().next().state().word(), "approved");
    let denial = SignedReview { verdict: no, ..good };
    assert_eq!(review(Some(denial), no, 100).unwrap().next().state().word(), "denied");
    // That the passkey is removed later changes nothing: what counts was signed.
    let approved = review(Some(good), yes, 100).unwrap().next().clone();
    assert!(spend(&approved, &policy, 110).is_ok());
}

#[test]
fn a_sign_in_of_another_kind_is_told_which_is_wanted() {
    let policy = policy(
        "
rules:
  - {id: r, require: {stages: [{approvals: 1, from: [group:a], acr: [high, higher]}]}}
  - {id: s, require: {stages: [{approvals: 1, from: [group:a], acr: [high], amr: [hwk, swk]}]}}
",
    );
    let request = filed(&policy, "a.b");
    let review = |acr: Option<&str>, amr: &[&str]| {
        let amr = amr.iter().map(|one| (*one).to_owned()).collect();
        let said = Said {
            verdict: Verdict::Approve,
            digest: request.digest(),
            comment: String::new(),
            signed_in_at: Some(minute(1)),
            means: Means { acr: acr.map(str::to_owned), amr },
        };
        let id = ReviewId::new(minute(1), [1; 10]);
        let step =
            request.review(id, &person("bob"), said, &policy.membership(minute(1)), minute(1));
        step.map(|step| step.next().clone())
    };
    for (acr, amr) in [
        (None, &["hwk"][..]),
        (Some("higher"), &["hwk"]),
        (Some("high"), &[]),
        (Some("high"), &["pwd"]),
        (Some("High"), &["hwk"]),
    ] {
        let error = review(acr, amr).unwrap_err();
        let told = error.to_string();
        assert_eq!(
            told,
            "sign in again: this needs a sign-in of class high or higher by hwk or swk"
        );
    }
    let approved = review(Some("high"), &["pwd", "swk"]).unwrap();
    assert_eq!(approved.state().word(), "approved", "both rules ask the same people");
    let kept = approved.reviews().first().unwrap();
    assert_eq!((kept.means.acr.as_deref(), kept.means.amr.len()), (Some("high"), 2));
}

#[test]
fn owners_of_the_target_are_asked_and_a_target_of_nobody_is_refused_at_once() {
    let policy = policy(
        "
owners: [{target: {repository: 'acme/orders*'}, owners: [group:b]}, {target: {repository: 'acme/**'}, owners: [person:lena]}]
rules:
  - {id: r, require: {stages: [{approvals: 2, from: ['owners_of(target)']}]}}
",
    );
    let ask = |repository: &str| {
        let stated = UnverifiedIntent {
            kind: "a.b".to_owned(),
            environment: "prod".to_owned(),
            target: BTreeMap::from([("repository".to_owned(), repository.to_owned())]),
            reason: "because".to_owned(),
            ..UnverifiedIntent::default()
        };
        let (intent, requester) = (stated.verify().unwrap(), person("alice"));
        let known = Known::default();
        let situation =
            Situation { intent: &intent, requester: &requester, known: &known, now: minute(0) };
        let ruling = policy.rule(&situation);
        let id = RequestId::new(minute(0), [1; 10]);
        Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, minute(0))
            .next()
            .clone()
    };
    let orders = ask("acme/orders-api");
    is_not_asked(&orders, &policy, "bob", 1);
    let one = approves(&orders, &policy, "lena", 1).unwrap();
    assert_eq!(approves(&one, &policy, "dave", 2).unwrap().state().word(), "approved");
    let payroll = ask("acme/payroll");
    is_not_asked(&payroll, &policy, "dave", 1);
    assert_eq!(payroll.state().word(), "pending");
    assert_eq!(ask("elsewhere/orders").state().word(), "denied");
}

const DELEGATED: &str = "
delegations:
  - {from: person:bob, to: person:zoe, starts: 2026-11-20T09:00:00Z, ends: 2026-11-20T11:00:00Z}
  - {from: person:bob, to: person:yan, starts: 2026-11-20T11:00:00Z, ends: 2026-11-20T13:00:00Z}
  - {from: person:alice, to: person:zoe, starts: 2026-11-20T09:00:00Z, ends: 2026-11-20T11:00:00Z}
  - {from: person:carol, to: person:alice, starts: 2026-11-20T09:00:00Z, ends: 2026-11-20T11:00:00Z}
rules:
  - {id: two, when: {intent.kind: a.two}, require: {stages: [{approvals: 2, from: [group:a]}]}}
  - {id: one, when: {intent.kind: a.one}, require: {stages: [{approvals: 1, from: [group:a]}]}}
  - {id: alice, when: {intent.kind: a.alice}, require: {stages: [{approvals: 1, from: [person:alice, person:lena]}]}}
  - {id: bars, when: {intent.kind: a.bars}, require: {stages: [{approvals: 1, from: [group:a], exclude: [person:bob]}]}}
";

#[test]
fn a_stand_in_counts_as_long_as_the_delegation_lasts() {
    let policy = policy(DELEGATED);
    let request = filed(&policy, "a.one");
    is_not_asked(&request, &policy, "yan", 119);
    let approved = approves(&request, &policy, "zoe", 119).unwrap();
    assert_eq!(approved.state().word(), "approved");
    assert_eq!(
        approved.reviews()[0].stands_in_for,
        BTreeSet::from([person("bob").id]).into_iter().chain([person("alice").id]).collect()
    );
    assert!(spend(&approved, &policy, 119).is_ok());
    // It ended between the review and the use: as with a group that somebody left.
    let refused = spend(&approved, &policy, 120).unwrap_err();
    assert_eq!(refused, ConsumeError::NoLongerApproved { stage: "one/1".to_owned() });
    is_not_asked(&request, &policy, "zoe", 120);
    assert_eq!(approves(&request, &policy, "yan", 120).unwrap().state().word(), "approved");
}

#[test]
fn whoever_is_asked_is_told_why_and_nobody_else_is_told_anything() {
    let policy = policy(DELEGATED);
    let request = filed(&policy, "a.one");
    let told = |request: &Request, who: &str, minutes: u64| {
        let membership = policy.membership(minute(minutes));
        let asked = request.asks_of(&person(who).id, &membership);
        let line = |one: &Asked| {
            let absent = one.in_place_of.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {} {absent}", one.stage, one.through)
        };
        asked.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(told(&request, "bob", 119), ["one/1 group:a "]);
    // Alice asks: whoever stands in for her is not asked for her.
    assert_eq!(told(&request, "zoe", 119), ["one/1 group:a bob"]);
    for (nobody, minutes) in [("yan", 119), ("alice", 119), ("stranger", 119), ("zoe", 120)] {
        assert!(told(&request, nobody, minutes).is_empty(), "{nobody}");
    }
    let approved = approves(&request, &policy, "bob", 119).unwrap();
    assert!(told(&approved, "carol", 119).is_empty(), "it is decided");
}

#[test]
fn nobody_fills_two_places_and_nobody_has_two_stand_ins() {
    let policy = policy(DELEGATED);
    let request = filed(&policy, "a.two");
    let stood_in = approves(&request, &policy, "zoe", 60).unwrap();
    // Bob himself has one place with his stand-in, not a second one.
    let himself = approves(&stood_in, &policy, "bob", 61).unwrap();
    assert_eq!(himself.state().word(), "pending");
    // A later stand-in of bob is not a second bob either.
    is_not_asked(&stood_in, &policy, "yan", 130);
    is_not_asked(&himself, &policy, "yan", 130);
    assert_eq!(approves(&himself, &policy, "carol", 62).unwrap().state().word(), "approved");
    // And when bob has spoken, nobody speaks for him.
    let bob = approves(&request, &policy, "bob", 60).unwrap();
    is_not_asked(&bob, &policy, "zoe", 61);
}

#[test]
fn nobody_behind_the_change_and_nobody_excluded_counts_through_a_stand_in() {
    let policy = policy(DELEGATED);
    // Zoe stands in for alice, who asks.
    is_not_asked(&filed(&policy, "a.alice"), &policy, "zoe", 1);
    // Alice stands in for carol, and asks.
    let refused = approves(&filed(&policy, "a.one"), &policy, "alice", 1).unwrap_err();
    assert_eq!(refused, ReviewError::OwnRequest(person("alice").id));
    // Bob is excluded, and so is who stands in for him.
    is_not_asked(&filed(&policy, "a.bars"), &policy, "zoe", 1);
    assert!(approves(&filed(&policy, "a.bars"), &policy, "carol", 1).is_ok());
}

const BREAK_GLASS: &str = "
rules:
  - {id: two, require: {stages: [{approvals: 2, from: [group:a]}]}}
  - id: break-glass
    when: {intent.kind: emergency.fix}
    allow:
      waives: [two]
      credential: {max_ttl: 30m}
      post_review: {by: [group:b], approvals: 2, within: 24h, if_missed: {suspend: break-glass, notify: [group:leads]}}
";

#[test]
fn t51_a_missed_later_review_closes_break_glass_until_it_is_done() {
    let policy = policy(BREAK_GLASS);
    let day = 24 * 60;
    let mut first = filed(&policy, "emergency.fix");
    assert_eq!(first.state().word(), "approved");
    let suspended = |request: &Request, at: u64| -> BTreeSet<String> {
        request.suspends(minute(at)).into_iter().map(str::to_owned).collect()
    };
    // Until it is due, the door is open.
    assert_eq!(suspended(&first, day - 1), BTreeSet::new());
    assert_eq!(
        filed_at(&policy, "emergency.fix", day - 1, &suspended(&first, day - 1)).state().word(),
        "approved"
    );
    // One of two is not enough, and whoever objects does not count.
    first = looks_later(&first, &policy, "dave", Verdict::Approve, 60).unwrap();
    let objected = looks_later(&first, &policy, "erin", Verdict::Deny, 61).unwrap();
    assert!(objected.afterwards()[0].done.is_none());
    // The clock closes it, before anybody put that on record.
    assert_eq!(suspended(&first, day), BTreeSet::from(["break-glass".to_owned()]));
    let closed = filed_at(&policy, "emergency.fix", day, &suspended(&first, day));
    assert_eq!(closed.state().word(), "pending", "what it waived is asked for again");
    assert!(closed.ruling().post_reviews.is_empty());
    assert_eq!(
        lapsed(&mut first, day + 1_000),
        ["expired", "break-glass missed: Some(\"break-glass\")"]
    );
    assert_eq!(suspended(&first, day + 2_000), BTreeSet::from(["break-glass".to_owned()]));
    // Late is better than never: it opens again.
    let done = looks_later(&first, &policy, "erin", Verdict::Approve, day + 3_000).unwrap();
    assert_eq!(suspended(&done, day + 3_000), BTreeSet::new());
    assert_eq!(done.state(), first.state(), "the request itself does not move");
    let refused = looks_later(&done, &policy, "dave", Verdict::Approve, day + 3_001).unwrap_err();
    assert_eq!(refused, PostReviewError::NoneOpen);
    let again = filed_at(&policy, "emergency.fix", day + 3_001, &suspended(&done, day + 3_001));
    assert_eq!(again.state().word(), "approved");
}

#[test]
fn t51_a_later_review_is_of_those_asked_and_not_behind_it() {
    let policy = policy(BREAK_GLASS);
    let request = filed(&policy, "emergency.fix");
    let refused = |who: &str| looks_later(&request, &policy, who, Verdict::Approve, 1).unwrap_err();
    assert_eq!(refused("alice"), PostReviewError::OwnRequest(person("alice").id));
    let asked = "group:b".to_owned();
    assert_eq!(refused("bob"), PostReviewError::NotAsked { who: person("bob").id, asked });
    let once = looks_later(&request, &policy, "dave", Verdict::Approve, 1).unwrap();
    let twice = looks_later(&once, &policy, "dave", Verdict::Approve, 2).unwrap_err();
    assert_eq!(twice, PostReviewError::Twice(person("dave").id));
    let mut robot = person("erin");
    robot.kind = PrincipalKind::Workload;
    let said = Said {
        verdict: Verdict::Approve,
        digest: request.digest(),
        comment: String::new(),
        signed_in_at: None,
        means: Default::default(),
    };
    let members = policy.membership(minute(1));
    let id = ReviewId::new(minute(1), [8; 10]);
    let review = |who: &Principal, said: Said| {
        request.review_afterwards(id, who, said, &members, minute(1)).unwrap_err()
    };
    assert_eq!(review(&robot, said.clone()), PostReviewError::NotAPerson(robot.id.clone()));
    let other = Said { digest: Digest::of(b"another"), ..said };
    assert!(matches!(review(&person("erin"), other), PostReviewError::OtherDigest { .. }));
    // Where nobody was granted anything, there is nothing to look at.
    let asks = filed(&policy, "a.b");
    let none = looks_later(&asks, &policy, "dave", Verdict::Approve, 1).unwrap_err();
    assert_eq!(none, PostReviewError::NoneOpen);
}

#[test]
fn t48_a_pending_request_keeps_the_rules_and_the_revision_it_was_filed_under() {
    let strict = policy(ESCALATES);
    let request = filed(&strict, "a.b");
    let revision = request.ruling().policy;
    assert_eq!(revision, strict.revision());
    // A looser policy takes over: one of its people would do for it, and two for this request.
    let loose = policy(
        "\nrules:\n  - {id: r, require: {stages: [{name: s, approvals: 1, from: [group:b]}]}}\n",
    );
    assert_ne!(loose.revision(), revision);
    is_not_asked(&request, &loose, "dave", 1);
    let one = approves(&request, &loose, "bob", 1).unwrap();
    assert_eq!((one.state().word(), one.ruling().policy), ("pending", revision));
    let two = approves(&one, &loose, "carol", 2).unwrap();
    assert_eq!((two.state().word(), two.ruling().policy), ("approved", revision));
    // Its people are those of today all the same.
    let emptied = policy("").membership(minute(3));
    let spend = Spend::on(CredentialId::new(minute(3), [9; 10]), "db");
    assert!(two.consume(&person("alice"), spend.clone(), &emptied, minute(3)).is_ok());
    let nobody = Membership::default();
    assert!(two.consume(&person("alice"), spend, &nobody, minute(3)).is_err());
}

#[test]
fn t48_what_policy_no_longer_says_is_ended_and_nothing_else() {
    let policy = policy(ESCALATES);
    let request = filed(&policy, "a.b");
    let ended = request.supersede(minute(1)).unwrap();
    assert_eq!(ended.next().state().word(), "denied");
    assert!(approves(ended.next(), &policy, "bob", 2).is_err());
    assert!(ended.next().supersede(minute(2)).is_none());
    assert!(request.supersede(minute(270)).is_none(), "what is expired stays expired");
    let permitted = filed(&self::policy(BREAK_GLASS), "emergency.fix");
    assert!(matches!(permitted.ruling().outcome, Outcome::Permit(_)));
    assert!(permitted.supersede(minute(1)).is_none(), "a grant is not taken back by this");
}

/// The events up to here, with the last one changed.
#[track_caller]
fn check_forged(events: &[Event], change: impl FnOnce(&mut Event), wanted: &str) {
    assert!(Request::replay(events).is_ok());
    let mut events = events.to_vec();
    change(events.last_mut().unwrap());
    assert_eq!(Request::replay(&events).unwrap_err().to_string(), wanted);
}

#[test]
fn t53_what_time_did_is_checked_when_it_is_read_back() {
    let policy = policy(ESCALATES);
    let filing = {
        let Request { id, intent, requester, ruling, known, .. } = filed(&policy, "a.b");
        Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, minute(0))
    };
    let request = filing.next();
    let reminded = request.lapse(minute(20)).unwrap();
    let escalated = reminded.next().lapse(minute(30)).unwrap();
    let mut events = [filing.events(), reminded.events()].concat();
    let early = |event: &mut Event| event.at = minute(19);
    check_forged(&events, early, "event 2: a reminder that was not due");
    let unknown = |event: &mut Event| event.fact = Fact::Reminded { stages: vec!["x".to_owned()] };
    check_forged(&events, unknown, "event 2: a stage that was not asked for");
    events.extend_from_slice(escalated.events());
    check_forged(&events, |event| event.at = minute(29), "event 3: an escalation that was not due");
    let others = |event: &mut Event| {
        let to = BTreeSet::from(["person:mallory".parse().unwrap()]);
        event.fact = Fact::Escalated { stage: "r/s".to_owned(), to };
    };
    check_forged(&events, others, "event 3: an escalation that the ruling does not name");
    let twice: Vec<_> = events.iter().cloned().chain([events[2].clone()]).collect();
    assert!(Request::replay(&twice).is_err(), "escalated once");
}

#[test]
fn t53_a_later_review_that_nobody_gave_is_not_done() {
    let policy = policy(BREAK_GLASS);
    let filing = {
        let Request { id, intent, requester, ruling, known, .. } = filed(&policy, "emergency.fix");
        Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, minute(0))
    };
    let at = minute(24 * 60);
    let event =
        |at: Timestamp, fact: Fact| Event { request: filing.next().id(), at, by: None, fact };
    let replay = |last: Event| {
        let events: Vec<_> = filing.events().iter().cloned().chain([last]).collect();
        Request::replay(&events).map_err(|error| error.to_string())
    };
    let rule = || "break-glass".to_owned();
    let done = replay(event(at, Fact::PostReviewDone { rule: rule() }));
    assert_eq!(done.unwrap_err(), "event 3: a later review that too few approve");
    let missed = |suspended: Option<String>| Fact::PostReviewMissed { rule: rule(), suspended };
    assert!(replay(event(at, missed(Some(rule())))).is_ok());
    let early = replay(event(minute(24 * 60 - 1), missed(Some(rule()))));
    assert_eq!(early.unwrap_err(), "event 3: a later review that was not due");
    let open = replay(event(at, missed(None)));
    assert_eq!(open.unwrap_err(), "event 3: a suspension that the ruling does not name");
}

proptest::proptest! {
    /// Of people who are asked side by side, it does not matter who answers first: they fill the
    /// stages in every order, or in none.
    #[test]
    fn a_quorum_is_the_same_in_whatever_order_people_approve(
        groups in proptest::collection::vec(proptest::collection::btree_set(0usize..6, 1..5), 3),
        needs in proptest::collection::vec(1usize..3, 3),
        people in proptest::collection::btree_set(0usize..6, 0..6),
        shuffle in proptest::collection::vec(0usize..6, 6),
    ) {
        let name = |n: &usize| format!("p{n}");
        let line = |(n, people): (usize, &BTreeSet<usize>)| {
            // Whoever is in no group of the sample keeps each stage possible.
            let spare = (0..2).map(|s| format!("person:spare{n}{s}"));
            let all = people.iter().map(|p| format!("person:{}", name(p))).chain(spare);
            format!("  g{n}: [{}]\n", all.collect::<Vec<_>>().join(", "))
        };
        let groups: String = groups.iter().enumerate().map(line).collect();
        let stages: Vec<_> = needs.iter().enumerate()
            .map(|(n, need)| format!("{{name: s{n}, approvals: {need}, from: [group:g{n}]}}")).collect();
        let text = format!(
            "apiVersion: assent/v1\nkind: Policy\ngroups:\n{groups}rules:\n  - {{id: r, require: {{parallel: true, stages: [{}]}}}}\n",
            stages.join(", ")
        );
        let policy = Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]).unwrap();
        let outcome = |order: &[String]| {
            let mut request = filed(&policy, "a.b");
            for who in order {
                // Somebody who could bring it no nearer is not asked, and no loss.
                if let Ok(next) = approves(&request, &policy, who, 1) {
                    request = next;
                }
            }
            request.state().word()
        };
        let mut order: Vec<String> = people.iter().map(name).collect();
        let one = outcome(&order);
        order.reverse();
        proptest::prop_assert_eq!(outcome(&order), one);
        for (at, other) in shuffle.iter().enumerate().take(order.len()) {
            let other = other % order.len();
            order.swap(at, other);
        }
        proptest::prop_assert_eq!(outcome(&order), one);
    }
}

//! Who is told what, and when: each promise by itself, with policies compiled from their text.

use std::collections::BTreeSet;

use super::*;
use crate::id::{RequestId, ReviewId};
use crate::intent::UnverifiedIntent;
use crate::policy::Policy;
use crate::policy::document::PolicyDocument;
use crate::policy::situation::{Known, Situation};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::request::{Filing, Said, Verdict};
use crate::time::Span;

const HEAD: &str = "
apiVersion: assent/v1
kind: Policy
groups:
  a: [person:bob, person:carol]
  b: [person:dave, person:alice]
  leads: [person:lena]
rules:
  - id: two
    when: {intent.kind: vm.change}
    require:
      stages:
        - {name: first, approvals: 1, from: [group:a]}
        - {name: second, approvals: 1, from: [group:b]}
      escalate: {after: 30m, to: [group:leads]}
      remind: 20m
      notify: [channel:ops]
  - id: no
    when: {intent.kind: vm.delete}
    deny: {message: never, notify: [person:zoe]}
  - id: plain
    when: {intent.kind: vm.read}
    allow: {}
  - id: glass
    when: {intent.kind: vm.break}
    allow:
      notify: [channel:incidents]
      post_review: {by: [group:leads], within: 1h, if_missed: {notify: [person:ciso]}}
";

fn policy(more: &str) -> Policy {
    let text = format!("{HEAD}{more}\n");
    Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]).unwrap()
}

fn minute(minutes: u64) -> Timestamp {
    "2026-11-20T09:00:00Z".parse::<Timestamp>().unwrap().plus(Span::minutes(minutes))
}

fn person(name: &str) -> Principal {
    Principal {
        id: PrincipalId::local(name).unwrap(),
        kind: PrincipalKind::Person,
        groups: BTreeSet::new(),
        acts_for: BTreeSet::new(),
        claims: serde_json::Map::new(),
    }
}

fn filed_by(policy: &Policy, requester: Principal, kind: &str) -> Step {
    let stated = UnverifiedIntent {
        kind: kind.to_owned(),
        environment: "prod/eu".to_owned(),
        reason: "because".to_owned(),
        ..UnverifiedIntent::default()
    };
    let intent = stated.verify().unwrap();
    let known = Known::default();
    let situation =
        Situation { intent: &intent, requester: &requester, known: &known, now: minute(0) };
    let ruling = policy.rule(&situation);
    let id = RequestId::new(minute(0), [1; 10]);
    Request::file(Filing { id, intent, requester, ruling, known, heartbeat: None }, minute(0))
}

fn filed(policy: &Policy, kind: &str) -> Step {
    filed_by(policy, person("alice"), kind)
}

fn reviewed(request: &Request, policy: &Policy, who: &str, verdict: Verdict, at: u64) -> Step {
    let digest = request.digest();
    let said = Said {
        verdict,
        digest,
        comment: "seen".to_owned(),
        signed_in_at: None,
        means: Default::default(),
    };
    let (id, now) = (ReviewId::new(minute(at), [at as u8; 10]), minute(at));
    request.review(id, &person(who), said, &policy.membership(now), now).unwrap()
}

/// What a step is worth to be told, and to whom: `stage_opened: bob carol`.
fn told(policy: &Policy, step: &Step) -> Vec<String> {
    let members = policy.membership(minute(0));
    let line = |told: &Told| {
        let all = recipients(told, step.next(), policy.notices(), &members);
        let all = all.iter().map(|to| match to {
            Recipient::Person(person) => person.to_string(),
            Recipient::Channel(name) => format!("#{name}"),
        });
        format!("{}: {}", told.occasion.word(), all.collect::<Vec<_>>().join(" "))
    };
    told_by(step).iter().map(line).collect()
}

#[test]
fn approvers_are_told_when_their_stage_opens_and_whoever_asked_at_the_end() {
    let policy = policy("");
    let step = filed(&policy, "vm.change");
    assert_eq!(told(&policy, &step), ["filed: #ops", "stage_opened: bob carol"]);
    let step = reviewed(step.next(), &policy, "bob", Verdict::Approve, 1);
    // Alice is behind it: she is in the group, and is not asked.
    assert_eq!(told(&policy, &step), ["stage_opened: dave"]);
    let step = reviewed(step.next(), &policy, "dave", Verdict::Approve, 2);
    assert_eq!(told(&policy, &step), ["granted: alice"]);
    let step = filed(&policy, "vm.change");
    let step = reviewed(step.next(), &policy, "carol", Verdict::Deny, 1);
    assert_eq!(told(&policy, &step), ["denied: alice"]);
}

#[test]
fn what_policy_answers_by_itself_is_told_to_whom_its_rules_name() {
    let policy = policy("");
    assert_eq!(told(&policy, &filed(&policy, "vm.delete")), ["filed: zoe", "denied: "]);
    assert_eq!(told(&policy, &filed(&policy, "vm.read")), ["filed: ", "granted: "]);
}

#[test]
fn t51_break_glass_is_told_to_all_who_are_named_and_so_is_a_review_that_is_missed() {
    let policy = policy("");
    let step = filed(&policy, "vm.break");
    assert_eq!(told(&policy, &step), ["break_glass: lena #incidents"]);
    let step = step.next().lapse(minute(61)).unwrap();
    assert!(told(&policy, &step).contains(&"review_overdue: ciso lena".to_owned()));
}

#[test]
fn reminders_go_to_those_who_have_not_reviewed_and_escalations_to_those_asked_then() {
    let policy = policy("");
    let step = filed(&policy, "vm.change");
    let step = step.next().lapse(minute(20)).unwrap();
    assert_eq!(told(&policy, &step), ["reminder: bob carol"]);
    let step = step.next().lapse(minute(31)).unwrap();
    assert_eq!(told(&policy, &step), ["escalation: lena"]);
}

#[test]
fn an_event_is_counted_as_the_journal_counts_it() {
    let policy = policy("");
    let step = filed(&policy, "vm.change");
    assert!(told_by(&step).iter().all(|told| told.number == 1));
    let step = reviewed(step.next(), &policy, "bob", Verdict::Approve, 1);
    let told = told_by(&step);
    assert_eq!((told[0].number, told[0].at), (3, minute(1)), "after the filing and the review");
}

#[test]
fn entries_of_the_policy_stand_instead_of_the_default_and_rules_names_besides() {
    let policy = policy(
        "notices:
  - {occasions: [stage_opened], environments: prod/*, to: [approvers, 'channel:release']}
  - {occasions: [stage_opened], kinds: [db.*], to: [group:leads]}
  - {occasions: [granted, denied], environments: [staging], to: ['channel:never']}
  - {occasions: [filed], to: [requester]}",
    );
    let step = filed(&policy, "vm.change");
    let wanted = ["filed: alice #ops", "stage_opened: bob carol #release"];
    assert_eq!(told(&policy, &step), wanted);
    let step = reviewed(step.next(), &policy, "bob", Verdict::Deny, 1);
    assert_eq!(told(&policy, &step), ["denied: alice"], "no entry covers it");
}

#[test]
fn an_entry_that_names_a_group_nobody_knows_is_a_fault() {
    let text = format!("{HEAD}notices: [{{to: [group:lead]}}]\n");
    let faults =
        Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]).unwrap_err();
    assert!(faults[0].message.contains("no group `lead`"), "{faults:?}");
}

#[test]
fn a_workload_is_told_through_the_people_it_acts_for_and_the_suspended_are_told_nothing() {
    let policy = policy("");
    let mut ci = person("ci");
    ci.kind = PrincipalKind::Workload;
    ci.acts_for = [PrincipalId::local("mallory").unwrap()].into();
    let step = filed_by(&policy, ci, "vm.change");
    let step = reviewed(step.next(), &policy, "bob", Verdict::Deny, 1);
    assert_eq!(told(&policy, &step), ["denied: mallory"]);
    let step = filed(&policy, "vm.change");
    let suspended = [PrincipalId::local("carol").unwrap()].into();
    let members = policy.membership(minute(0)).with_suspended(suspended);
    let opened = &told_by(&step)[1];
    let all = recipients(opened, step.next(), &[], &members);
    assert_eq!(all, [Recipient::Person(PrincipalId::local("bob").unwrap())].into());
}

#[test]
fn whoever_stands_in_is_told_too() {
    let policy = policy(
        "delegations: [{from: person:bob, to: person:zoe, starts: 2026-11-20T00:00:00Z, \
         ends: 2026-11-21T00:00:00Z}]",
    );
    let step = filed(&policy, "vm.change");
    assert_eq!(told(&policy, &step)[1], "stage_opened: bob carol zoe");
}

fn wishes(zone: &str) -> Wishes {
    Wishes { zone: zone.parse().unwrap(), ..Wishes::default() }
}

fn quiet(from: &str, to: &str) -> Option<QuietHours> {
    Some(QuietHours { from: from.parse().unwrap(), to: to.parse().unwrap() })
}

#[track_caller]
fn check_due(wishes: &Wishes, at: &str, wanted: &str) {
    let at: Timestamp = at.parse().unwrap();
    let due = wishes.due(Occasion::StageOpened, None, at);
    assert_eq!(due, wanted.parse().unwrap(), "{due}");
}

#[test]
fn without_wishes_everything_is_told_at_once() {
    check_due(&Wishes::default(), "2026-11-20T03:00:00Z", "2026-11-20T03:00:00Z");
}

#[test]
fn in_quiet_hours_nothing_comes_until_they_are_over_where_the_person_is() {
    let wishes = Wishes { quiet: quiet("22:00", "07:00"), ..wishes("Europe/Berlin") };
    check_due(&wishes, "2026-11-20T20:59:00Z", "2026-11-20T20:59:00Z");
    check_due(&wishes, "2026-11-20T21:00:00Z", "2026-11-21T06:00:00Z");
    check_due(&wishes, "2026-11-21T05:59:59Z", "2026-11-21T06:00:00Z");
    check_due(&wishes, "2026-11-21T06:00:00Z", "2026-11-21T06:00:00Z");
    // In summer the same wall clock is two hours ahead.
    check_due(&wishes, "2026-07-20T20:00:00Z", "2026-07-21T05:00:00Z");
}

#[test]
fn a_digest_comes_at_its_time_and_not_within_quiet_hours() {
    let every = Wishes { digest: Some(DigestTimes::Every(Span::hours(4))), ..wishes("UTC") };
    check_due(&every, "2026-11-20T09:00:00Z", "2026-11-20T12:00:00Z");
    check_due(&every, "2026-11-20T12:00:00Z", "2026-11-20T16:00:00Z");
    let at = Some(DigestTimes::At("08:30".parse().unwrap()));
    let daily = Wishes { digest: at, ..wishes("Europe/Berlin") };
    check_due(&daily, "2026-11-20T07:29:59Z", "2026-11-20T07:30:00Z");
    check_due(&daily, "2026-11-20T07:30:00Z", "2026-11-21T07:30:00Z");
    let both = Wishes { quiet: quiet("15:00", "17:00"), ..every };
    check_due(&both, "2026-11-20T12:30:00Z", "2026-11-20T17:00:00Z");
}

#[test]
fn what_cannot_wait_comes_at_once_unless_that_is_not_wished() {
    let now: Timestamp = "2026-11-20T23:00:00Z".parse().unwrap();
    let later: Timestamp = "2026-11-21T07:00:00Z".parse().unwrap();
    let night = Wishes { quiet: quiet("22:00", "07:00"), ..wishes("UTC") };
    let due = |wishes: &Wishes, occasion, deadline| wishes.due(occasion, deadline, now);
    assert_eq!(due(&night, Occasion::BreakGlass, None), now);
    assert_eq!(due(&night, Occasion::Reminder, Some(later)), now, "it expires at that moment");
    assert_eq!(due(&night, Occasion::Reminder, Some(later.plus(Span::seconds(1)))), later);
    assert_eq!(due(&night, Occasion::Granted, Some(now)), later, "it asks nothing");
    let never = Wishes { urgent_at_once: false, ..night };
    assert_eq!(due(&never, Occasion::BreakGlass, None), later);
}

#[test]
fn wishes_that_cannot_be_met_are_refused() {
    let every = |span| Wishes { digest: Some(DigestTimes::Every(span)), ..Wishes::default() };
    assert_eq!(every(Span::hours(4)).check(), Ok(()));
    for odd in [Span::ZERO, Span::minutes(30), Span::hours(5), Span::hours(48)] {
        assert_eq!(every(odd).check(), Err(WishesFault::Every));
    }
    let never = Wishes { quiet: quiet("07:00", "07:00"), ..Wishes::default() };
    assert_eq!(never.check(), Err(WishesFault::Quiet));
}

#[test]
fn words_read_back() {
    for (word, occasion) in Occasion::ALL {
        assert_eq!((occasion.word(), Occasion::named(word)), (word, Some(occasion)));
    }
    assert_eq!(Occasion::named("approved"), None);
}

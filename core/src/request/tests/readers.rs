//! Whom a request concerns, and who reads it.

use super::*;
use crate::membership::Approver;
use crate::policy::ruling::{Escalation, PostReview};
use crate::request::Reads;

fn approver(text: &str) -> Approver {
    text.parse().unwrap()
}

/// The same request, as if this had been ruled.
fn ruled(request: &Request, change: impl FnOnce(&mut Ruling)) -> Request {
    let mut ruling = request.ruling().clone();
    change(&mut ruling);
    let (id, intent) = (request.id(), request.intent().clone());
    let requester = request.requester().clone();
    let known = Known::default();
    let filing = Filing { id, intent, requester, ruling, known, heartbeat: None };
    Request::file(filing, at(0)).next().clone()
}

fn staged(request: &Request, change: impl FnOnce(&mut Stage)) -> Request {
    ruled(request, |ruling| {
        let Outcome::Require(requirement) = &mut ruling.outcome else { panic!() };
        change(requirement.stages.first_mut().unwrap());
    })
}

/// Of these, those whom it concerns.
fn concerned(request: &Request, members: &Membership, names: &str) -> String {
    let concerned =
        names.split(' ').filter(|name| is_concerned(request, &person(name).id, members));
    concerned.collect::<Vec<_>>().join(" ")
}

/// Whether it concerns them; and whom it concerns is found by what they are named as.
#[track_caller]
fn is_concerned(request: &Request, who: &PrincipalId, members: &Membership) -> bool {
    let concerns = request.concerns(who, members);
    let is_named = !request.names_all().is_disjoint(&members.named_as(who));
    assert!(is_named || !concerns, "{who} would not be found");
    concerns
}

#[test]
fn a_request_concerns_who_is_behind_it_and_whom_its_stages_name() {
    let mut alice = person("alice");
    alice.acts_for.insert(person("erin").id);
    let request = filed_by(alice, "1 of group:a, then 1 of group:b", 1);
    let members = members("a: bob; b: carol; c: mallory");
    let all = "alice erin bob carol mallory";
    assert_eq!(concerned(&request, &members, all), "alice erin bob carol");
    let reads = |name: &str, reads| request.is_read_by(&person(name).id, reads, &members);
    assert!(reads("mallory", Reads::Everything) && !reads("mallory", Reads::Concerning));
    assert!(reads("alice", Reads::Filed) && !reads("erin", Reads::Filed));
    assert!(!reads("bob", Reads::Filed), "a workload reads its own, whatever names it");
}

#[test]
fn whoever_may_review_reads_and_whoever_a_stage_excludes_does_not() {
    let members = members("a: bob carol; b: carol");
    let request = staged(&filed("1 of group:a", 1), |stage| {
        stage.exclude = BTreeSet::from([approver("group:b")]);
    });
    for name in ["alice", "bob", "carol", "dave"] {
        let who = person(name);
        let may = request.may_review(&who, &members, at(1)).is_none();
        assert!(!may || is_concerned(&request, &who.id, &members), "{name}");
    }
    assert_eq!(concerned(&request, &members, "bob carol"), "bob");
    let suspended = members.with_suspended([person("bob").id].into());
    assert_eq!(concerned(&request, &suspended, "alice bob"), "alice");
}

#[test]
fn accounts_that_are_linked_now_read_alike_and_former_ones_do_not() {
    let request = filed("1 of group:a", 1);
    let members = members("a: bob");
    let other = PrincipalId::new("https://lab.example.com", "robert").unwrap();
    let pair = [(person("bob").id, other.clone())];
    assert!(!is_concerned(&request, &other, &members));
    assert!(is_concerned(&request, &other, &members.clone().with_links(&pair, &[])));
    assert!(!is_concerned(&request, &other, &members.with_links(&[], &pair)));
}

#[test]
fn whoever_stands_in_reads_what_the_absent_is_asked_and_no_more() {
    let request = filed("1 of group:a", 1);
    let pairs = [("frank", "bob"), ("grace", "alice"), ("heidi", "mallory")];
    let pairs = pairs.map(|(to, from)| (person(to).id, person(from).id));
    let members = members("a: bob").with_stand_ins(pairs);
    assert_eq!(concerned(&request, &members, "frank grace heidi"), "frank");
}

#[test]
fn those_a_stage_is_escalated_to_read_from_then_on() {
    let request = staged(&filed("1 of group:a", 1), |stage| {
        let to = BTreeSet::from([approver("group:b")]);
        let after = Span::minutes(10);
        stage.escalate = Some(Escalation { after, to, then_expire_after: None });
    });
    let members = members("a: bob; b: carol");
    assert_eq!(concerned(&request, &members, "bob carol"), "bob");
    let request = request.lapse(at(600)).unwrap().next().clone();
    assert_eq!(concerned(&request, &members, "bob carol"), "bob carol");
}

#[test]
fn whoever_reviewed_reads_it_in_whichever_group_they_are_now() {
    let asked = members("a: bob carol").with_stand_ins([(person("frank").id, person("bob").id)]);
    let request = filed("2 of group:a", 1).approves("frank", &asked, 1).unwrap();
    let later = members("a: dave");
    assert_eq!(concerned(&request, &later, "bob carol frank"), "bob frank");
    let back = request.withdraw(&person("frank"), String::new(), &asked, at(2)).unwrap();
    assert_eq!(concerned(back.next(), &later, "bob carol frank"), "bob frank");
}

#[test]
fn those_who_look_at_a_grant_afterwards_read_it_once_there_is_one() {
    let request = ruled(&filed("1 of group:a", 1), |ruling| {
        ruling.post_reviews = vec![PostReview {
            rule: "r".to_owned(),
            approvals: 1,
            by: BTreeSet::from([approver("group:c")]),
            within: Span::hours(1),
            suspend: None,
            notify: BTreeSet::new(),
        }];
    });
    let members = members("a: bob; c: carol");
    assert_eq!(concerned(&request, &members, "bob carol"), "bob");
    let granted = request.approves("bob", &members, 1).unwrap();
    assert_eq!(concerned(&granted, &members, "bob carol"), "bob carol");
}

//! The rows of the threat table that one request alone can show, and histories nobody wrote.

mod readers;

use super::*;
use crate::intent::UnverifiedIntent;
use crate::membership::People;
use crate::policy::ruling::{Stage, Terms};
use crate::principal::PrincipalKind;
use crate::time::Span;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + seconds * 1000)
}

fn person(name: &str) -> Principal {
    let id = PrincipalId::local(name).unwrap();
    Principal {
        id,
        kind: PrincipalKind::Person,
        groups: BTreeSet::new(),
        acts_for: BTreeSet::new(),
        claims: serde_json::Map::new(),
    }
}

/// `a: bob carol; b: bob`.
fn members(told: &str) -> Membership {
    let line = |line: &str| {
        let (group, people) = line.split_once(": ").unwrap();
        (group.to_owned(), people.split(' ').map(|name| person(name).id).collect())
    };
    Membership::new(told.split("; ").map(line).collect())
}

/// `1 of group:a, then 1 of group:b`, with this many uses, filed by alice: one hour to decide, one
/// to use it, a quarter of an hour for a credential.
fn filed(stages: &str, uses: u32) -> Request {
    filed_by(person("alice"), stages, uses)
}

fn filed_by(requester: Principal, told: &str, uses: u32) -> Request {
    let mut stages: Vec<Stage> = Vec::new();
    for told in told.split(", ") {
        let (after, told) = told
            .strip_prefix("then ")
            .map_or((None, told), |told| (stages.last().map(|stage| stage.name.clone()), told));
        let (approvals, from) = told.split_once(" of ").unwrap();
        stages.push(Stage {
            name: format!("r/{}", stages.len() + 1),
            rules: BTreeSet::from(["r".to_owned()]),
            approvals: approvals.parse().unwrap(),
            from: BTreeSet::from([from.parse().unwrap()]),
            elsewhere: None,
            exclude: BTreeSet::new(),
            after,
            login_within: None,
            signature: None,
            means: Default::default(),
            expires_after: None,
            escalate: None,
            remind: None,
        });
    }
    let terms = Terms { uses, ..Terms::DEFAULT };
    let requirement = Requirement { stages, expires_after: Span::hours(1), terms };
    let ruling = Ruling {
        outcome: Outcome::Require(requirement),
        rules: BTreeSet::from(["r".to_owned()]),
        notify: BTreeSet::new(),
        post_reviews: Vec::new(),
        risk: None,
        policy: Digest::of(b"policy"),
    };
    let stated = UnverifiedIntent {
        kind: "terraform.apply".to_owned(),
        environment: "production".to_owned(),
        reason: "because".to_owned(),
        ..UnverifiedIntent::default()
    };
    let intent = stated.verify().unwrap();
    let id = RequestId::new(at(0), [1; 10]);
    Request::file(
        Filing { id, intent, requester, ruling, known: Known::default(), heartbeat: None },
        at(0),
    )
    .next()
    .clone()
}

/// Whoever says it signed in just then, as far as anybody knows.
fn said(verdict: Verdict, digest: Digest) -> Said {
    Said {
        verdict,
        digest,
        comment: "seen".to_owned(),
        signed_in_at: None,
        means: Default::default(),
    }
}

impl Request {
    fn says(
        &self,
        who: &str,
        verdict: Verdict,
        members: &Membership,
        now: i64,
    ) -> Result<Self, ReviewError> {
        let said = said(verdict, self.digest);
        let id = crate::id::ReviewId::new(at(now), [9; 10]);
        self.review(id, &person(who), said, members, at(now)).map(|step| step.next().clone())
    }

    fn approves(&self, who: &str, members: &Membership, now: i64) -> Result<Self, ReviewError> {
        self.says(who, Verdict::Approve, members, now)
    }

    fn spends(
        &self,
        credential: u8,
        members: &Membership,
        now: i64,
    ) -> Result<crate::grant::SealedGrant, ConsumeError> {
        self.consume(&person("alice"), spend(credential), members, at(now))
    }
}

fn credential(n: u8) -> CredentialId {
    CredentialId::new(at(0), [n; 10])
}

/// The id of a key that signs.
pub(super) fn key() -> KeyId {
    "A".repeat(43).parse().unwrap()
}

fn spend(n: u8) -> Spend {
    Spend::on(credential(n), "db")
}

#[expect(clippy::disallowed_methods, reason = "the test is the ledger")]
fn receipt(step: &Step) -> Receipt {
    Receipt::for_committed(step)
}

#[track_caller]
fn check_review(request: &Request, who: &str, members: &Membership, now: i64, wanted: &str) {
    let refused = request.approves(who, members, now).expect_err(who).to_string();
    assert!(refused.contains(wanted), "{refused}");
}

#[test]
fn t07_self_approval_is_refused() {
    let all = members("a: alice bob");
    check_review(&filed("1 of group:a", 1), "alice", &all, 1, "`alice` is behind this request");
}

#[test]
fn t10_who_a_workload_acts_for_is_behind_what_it_asks() {
    let mut ci = person("ci");
    ci.kind = PrincipalKind::Workload;
    ci.acts_for = BTreeSet::from([person("alice").id]);
    let (request, all) = (filed_by(ci.clone(), "1 of group:a", 1), members("a: alice bob ci"));
    check_review(&request, "alice", &all, 1, "`alice` is behind this request");
    let said = said(Verdict::Approve, request.digest());
    let id = crate::id::ReviewId::new(at(1), [9; 10]);
    let refused = request.review(id, &ci, said, &all, at(1)).unwrap_err();
    assert_eq!(refused, ReviewError::NotAPerson(ci.id));
    assert!(request.approves("bob", &all, 1).is_ok());
}

fn github(number: &str) -> PrincipalId {
    PrincipalId::new("https://github.com", number).unwrap()
}

/// A job of GitHub that this account started.
fn job_of(number: &str) -> Principal {
    let mut ci = person("ci");
    ci.kind = PrincipalKind::Workload;
    ci.acts_for = BTreeSet::from([github(number)]);
    ci
}

/// Those groups, where each has the account of this number.
fn linked(groups: &str, accounts: &[(&str, &str)]) -> Membership {
    let pair = |(who, number): &(&str, &str)| (github(number), person(who).id);
    let people = People::new(accounts.iter().map(pair));
    let issuers = people.issuers();
    members(groups).with_accounts(people.with_linked_at(issuers))
}

#[test]
fn t03_another_run_cancels_and_revokes_nothing() {
    let run = |id: &str| {
        let mut ci = job_of("9");
        ci.claims.insert("run_id".to_owned(), id.into());
        ci
    };
    let (ours, theirs, all) = (run("1"), run("2"), members("a: bob"));
    let pending = filed_by(ours.clone(), "1 of group:a", 1);
    let refused = pending.cancel(&theirs, String::new(), at(1)).unwrap_err();
    assert!(matches!(refused, CancelError::OtherRun(_)), "{refused}");
    assert!(pending.cancel(&ours, String::new(), at(1)).is_ok());
    let approved = pending.approves("bob", &all, 1).unwrap();
    let revoke =
        |by: &Principal| approved.revoke(by, Standing::Own, String::new(), &all, at(2)).map(drop);
    assert!(matches!(revoke(&theirs), Err(RevokeError::OtherRun(_))));
    assert_eq!((revoke(&ours), revoke(&person("bob"))), (Ok(()), Ok(())));
}

#[test]
fn t11_a_grant_lets_pass_in_its_window_until_it_is_over_and_while_its_people_count() {
    let ci = job_of("9");
    let all = members("a: bob");
    let passes = |request: &Request, now: i64| request.check_passage(&all, at(now));
    let pending = filed_by(ci.clone(), "1 of group:a", 1);
    assert!(matches!(passes(&pending, 1), Err(ConsumeError::NotApproved { .. })));
    let approved = pending.approves("bob", &all, 1).unwrap();
    let end = approved.deadline().unwrap();
    assert_eq!(passes(&approved, 2), Ok(()));
    assert!(matches!(
        approved.check_passage(&members("a: carol"), at(2)),
        Err(ConsumeError::NoLongerApproved { .. })
    ));
    let spent = approved.consume(&ci, spend(1), &all, at(2)).unwrap().step().next().clone();
    assert_eq!(passes(&spent, 3), Ok(()), "what has its credential passes");
    let late = |request: &Request| request.check_passage(&all, end);
    assert!(matches!(late(&approved), Err(ConsumeError::TooLate { .. })));
    assert!(matches!(late(&spent), Err(ConsumeError::TooLate { .. })));
    for request in [&approved, &spent] {
        let over = request.complete(&ci, at(3)).unwrap().next().clone();
        assert!(matches!(passes(&over, 4), Err(ConsumeError::TooLate { .. })), "{over:?}");
    }
}

#[test]
fn t08_whoever_has_an_account_that_is_behind_it_is_behind_it() {
    let request = filed_by(job_of("1"), "1 of group:a", 1);
    let all = linked("a: alice bob", &[("alice", "1"), ("bob", "2")]);
    check_review(&request, "alice", &all, 1, "`alice` is behind this request");
    assert!(request.approves("bob", &all, 1).is_ok());
    // By the account itself, whoever comes by it.
    let (mut account, said) = (person("x"), said(Verdict::Approve, request.digest()));
    account.id = github("1");
    let id = crate::id::ReviewId::new(at(1), [9; 10]);
    let refused = request.review(id, &account, said, &all, at(1)).unwrap_err();
    assert_eq!(refused, ReviewError::OwnRequest(github("1")));
}

#[test]
fn t08_who_is_not_linked_reviews_nothing_that_an_account_there_is_behind() {
    let request = filed_by(job_of("1"), "1 of group:a", 1);
    let all = linked("a: alice bob", &[("alice", "1")]);
    check_review(&request, "bob", &all, 1, "which account there is `bob`'s is not known");
    // Nothing of GitHub is behind this one.
    assert!(filed("1 of group:a", 1).approves("bob", &all, 1).is_ok());
    // Where nobody is linked, or policy allows it, nobody needs to be.
    assert!(request.approves("bob", &members("a: alice bob"), 1).is_ok());
}

#[test]
fn t08_two_accounts_that_may_be_one_persons_are_not_two_approvals() {
    let request = filed("2 of group:a", 1);
    let mut account = person("x");
    account.id = github("9");
    let group = BTreeSet::from([github("9"), person("bob").id]);
    let all = |accounts: &[(&str, &str)]| {
        let pair = |(who, number): &(&str, &str)| (github(number), person(who).id);
        let people = People::new(accounts.iter().map(pair));
        let people = people.with_linked_at([github("9").iss().to_owned()]);
        Membership::new([("a".to_owned(), group.clone())].into()).with_accounts(people)
    };
    let id = crate::id::ReviewId::new(at(1), [8; 10]);
    let said = said(Verdict::Approve, request.digest());
    let unknown = all(&[("alice", "1")]);
    let once = request.review(id, &account, said, &unknown, at(1)).unwrap().next().clone();
    check_review(&once, "bob", &unknown, 2, "which account there is `bob`'s is not known");
    let (other, same) = (all(&[("bob", "2")]), all(&[("bob", "9")]));
    assert_eq!(once.approves("bob", &other, 2).unwrap().state().word(), "approved");
    assert_eq!(once.approves("bob", &same, 2).unwrap_err(), ReviewError::Twice(person("bob").id));
}

#[test]
fn t11_an_account_that_is_linked_after_the_approval_takes_the_grant_back() {
    let ci = job_of("1");
    let before = linked("a: alice bob", &[("bob", "1"), ("alice", "2")]);
    let approved = filed_by(ci.clone(), "1 of group:a", 1).approves("alice", &before, 1).unwrap();
    assert!(approved.consume(&ci, spend(1), &before, at(2)).is_ok());
    let known = linked("a: alice bob", &[("alice", "1"), ("bob", "2")]);
    let refused = approved.consume(&ci, spend(1), &known, at(2)).unwrap_err();
    assert!(matches!(refused, ConsumeError::NoLongerApproved { .. }), "{refused}");
    assert!(!approved.still_holds(&known));
}

#[test]
fn t12_two_accounts_of_one_person_are_one_approval() {
    let all = linked("a: alice bob", &[("bob", "2")]);
    let once = filed("2 of group:a", 1).approves("bob", &all, 1).unwrap();
    let (mut account, said) = (person("x"), said(Verdict::Approve, once.digest()));
    account.id = github("2");
    let id = crate::id::ReviewId::new(at(2), [8; 10]);
    let refused = once.review(id, &account, said.clone(), &all, at(2)).unwrap_err();
    assert_eq!(refused, ReviewError::Twice(github("2")));
    // Linked only after both were taken: two reviews are on record, and one counts.
    let mut apart = members("a: bob carol");
    let strangers =
        Membership::new([("a".to_owned(), BTreeSet::from([person("bob").id, github("2")]))].into());
    let once = filed("2 of group:a", 1).approves("bob", &strangers, 1).unwrap();
    let twice = once.review(id, &account, said, &strangers, at(2)).unwrap().next().clone();
    assert!(matches!(twice.state(), State::Approved(_)));
    apart = apart.with_accounts(People::new([(github("2"), person("bob").id)]));
    assert!(!twice.still_holds(&apart));
    assert!(twice.still_holds(&strangers));
}

#[test]
fn t09_another_spelling_of_an_approver_is_a_stranger() {
    let all = members("a: bob");
    for name in ["Bob", "bob+x", "b\u{43e}b", "bob."] {
        check_review(
            &filed("1 of group:a", 1),
            name,
            &all,
            1,
            "not among those asked now: group:a",
        );
    }
}

#[test]
fn t01_a_review_of_something_else_is_refused() {
    let request = filed("1 of group:a", 1);
    let said = said(Verdict::Approve, Digest::of(b"else"));
    let id = crate::id::ReviewId::new(at(1), [9; 10]);
    let refused = request.review(id, &person("bob"), said, &members("a: bob"), at(1)).unwrap_err();
    assert_eq!(
        refused,
        ReviewError::OtherDigest { named: Digest::of(b"else"), digest: request.digest() }
    );
}

#[test]
fn t13_nobody_reviews_twice() {
    let all = members("a: bob carol");
    let request = filed("2 of group:a", 1).approves("bob", &all, 1).unwrap();
    check_review(&request, "bob", &all, 2, "`bob` has reviewed this request already");
}

#[test]
fn t15_the_first_end_wins_and_the_other_is_refused() {
    let all = members("a: bob carol");
    let request = filed("1 of group:a", 1);
    let (approved, denied) = (
        request.approves("bob", &all, 1).unwrap(),
        request.says("carol", Verdict::Deny, &all, 1).unwrap(),
    );
    check_review(&approved, "carol", &all, 2, "the request is approved already");
    check_review(&denied, "bob", &all, 2, "the request is denied already");
    assert!(!denied.progress(&all).is_met(), "a deny is no approval");
    assert!(denied.progress(&all).stages()[0].counted.is_empty());
}

#[test]
fn t16_t18_reviews_end_with_the_deadline_to_the_millisecond() {
    let (request, all) = (filed("1 of group:a", 1), members("a: bob"));
    let said = || said(Verdict::Approve, request.digest());
    let id = crate::id::ReviewId::new(at(0), [9; 10]);
    let last = Timestamp::from_millis(at(3_600).as_millis() - 1);
    assert!(request.review(id, &person("bob"), said(), &all, last).is_ok());
    check_review(&request, "bob", &all, 3_600, "the request expired at");
    assert!(request.lapse(last).is_none());
    let expired = request.lapse(at(3_600)).unwrap().next().clone();
    check_review(&expired, "bob", &all, 10, "the request is expired already");
    let canceled = request.cancel(&person("alice"), "no".to_owned(), at(3_600)).unwrap_err();
    assert_eq!(canceled, CancelError::NotPending { state: "expired" });
}

#[test]
fn t11_who_left_the_group_counts_neither_at_approval_nor_at_minting() {
    let (both, carol) = (members("a: bob carol"), members("a: carol dave"));
    let request = filed("2 of group:a", 1).approves("bob", &both, 1).unwrap();
    let pending = request.approves("carol", &carol, 2).unwrap();
    assert_eq!(pending.state().word(), "pending");
    let approved = request.approves("carol", &both, 2).unwrap();
    assert_eq!(approved.state().word(), "approved");
    let refused = approved.spends(1, &carol, 3).unwrap_err();
    assert_eq!(refused, ConsumeError::NoLongerApproved { stage: "r/1".to_owned() });
    assert!(approved.spends(1, &both, 3).is_ok());
    // Bob's review waits; when dave approves, carol and dave count. That bob is back changes nothing.
    let approved = pending.approves("dave", &carol, 4).unwrap();
    assert!(approved.spends(1, &members("a: bob carol"), 5).is_err());
    assert!(approved.spends(1, &carol, 5).is_ok());
}

#[test]
fn somebody_of_a_filled_stage_is_asked_where_that_frees_another() {
    let all = members("a: bob carol; b: bob");
    let request = filed("1 of group:a, 1 of group:b", 1).approves("bob", &all, 1).unwrap();
    assert_eq!(request.state().word(), "pending");
    let approved = request.approves("carol", &all, 2).unwrap();
    assert_eq!(approved.state().word(), "approved");
    let State::Approved(approved) = approved.state() else { panic!("{approved:?}") };
    assert_eq!(approved.counted, BTreeSet::from([person("bob").id, person("carol").id]));
}

#[cfg(feature = "wire")]
#[test]
fn those_who_are_shown_as_awaited_are_those_whose_review_is_taken() {
    let all = members("a: bob carol; b: bob dave; c: erin");
    let told = "1 of group:a, then 1 of group:c, 1 of group:b";
    let request = filed(told, 1).approves("bob", &all, 1).unwrap();
    let shown = crate::wire::Request::show(&request, &all, at(2), "https://x");
    let awaited: BTreeSet<_> = shown.stages.iter().flat_map(|stage| &stage.awaited).collect();
    let people = ["alice", "bob", "carol", "dave", "erin"];
    let taken = people.iter().filter(|who| request.approves(who, &all, 2).is_ok());
    let taken: BTreeSet<String> = taken.map(|who| (*who).to_owned()).collect();
    assert_eq!(awaited, taken.iter().collect());
    assert_eq!(taken, BTreeSet::from(["carol", "dave", "erin"].map(str::to_owned)));
}

#[test]
fn a_later_stage_is_not_asked_before_the_one_before_is_filled() {
    let all = members("a: bob; b: carol");
    let request = filed("1 of group:a, then 1 of group:b", 1);
    check_review(&request, "carol", &all, 1, "not among those asked now: group:a");
    let request = request.approves("bob", &all, 1).unwrap();
    assert_eq!(request.approves("carol", &all, 2).unwrap().state().word(), "approved");
}

#[test]
fn t05_t06_a_use_is_spent_once() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 1).approves("bob", &all, 1).unwrap();
    let spent = approved.spends(1, &all, 2).unwrap().step().next().clone();
    assert_eq!(spent.state().word(), "consumed");
    let refused = spent.spends(2, &all, 3).unwrap_err();
    assert_eq!(refused, ConsumeError::NotApproved { state: "consumed" });
}

#[test]
fn nothing_is_minted_for_an_audience_that_cannot_be_read() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 1).approves("bob", &all, 1).unwrap();
    let long = "x".repeat(513);
    for audience in ["", "db\n", "d\u{202e}b", "db\0", &long] {
        let spend = Spend { audience: audience.to_owned(), ..spend(1) };
        let refused = approved.consume(&person("alice"), spend, &all, at(2)).unwrap_err();
        assert!(matches!(refused, ConsumeError::Audience { .. }), "{audience:?}");
    }
}

#[test]
fn t05_a_rival_step_of_the_same_version_opens_no_seal() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 2).approves("bob", &all, 1).unwrap();
    let sealed = || approved.spends(1, &all, 2).unwrap();
    let rival = approved.spends(2, &all, 2).unwrap();
    assert_eq!(sealed().step().next().version(), rival.step().next().version());
    assert!(sealed().release(&receipt(rival.step())).is_none());
    let revoked =
        approved.revoke(&person("alice"), Standing::Own, "no".to_owned(), &all, at(2)).unwrap();
    assert!(sealed().release(&receipt(&revoked)).is_none());
    let elsewhere = Spend { audience: "elsewhere".to_owned(), ..spend(1) };
    let elsewhere = approved.consume(&person("alice"), elsewhere, &all, at(2)).unwrap();
    assert!(sealed().release(&receipt(elsewhere.step())).is_none());
    let own = receipt(sealed().step());
    assert!(sealed().release(&own).is_some());
}

#[test]
fn t19_a_clock_that_goes_back_makes_nothing_valid_again() {
    let all = members("a: bob carol");
    let request = filed("2 of group:a", 2).approves("bob", &all, 3_599).unwrap();
    let late = request.lapse(at(3_600)).unwrap().next().clone();
    assert!(late.approves("carol", &all, 10).is_err());
    let approved = request.approves("carol", &all, 10).unwrap();
    let State::Approved(window) = approved.state() else { panic!("{approved:?}") };
    assert_eq!(window.at, at(3_599), "the second review came no earlier than the first");
    let spent = approved.spends(1, &all, 7_198).unwrap().step().next().clone();
    let sealed = spent.spends(2, &all, 0).unwrap();
    assert_eq!(sealed.step().events()[0].at, at(7_198));
    assert!(spent.minted(credential(1), Digest::of(b"token"), key(), at(0)).is_some());
}

#[test]
fn a_use_is_minted_within_a_minute_or_never() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 1).approves("bob", &all, 0).unwrap();
    let spent = approved.spends(1, &all, 0).unwrap().step().next().clone();
    let minted = |now| spent.minted(credential(1), Digest::of(b"token"), key(), at(now));
    assert!(minted(59).is_some());
    assert!(minted(60).is_none());
    assert!(spent.grant_again(&person("alice"), credential(1), &all, at(59)).is_some());
    assert!(spent.grant_again(&person("alice"), credential(1), &all, at(60)).is_none());
    assert!(spent.grant_again(&person("bob"), credential(1), &all, at(1)).is_none());
    let minted = minted(59).unwrap().next().clone();
    assert!(minted.grant_again(&person("alice"), credential(1), &all, at(600)).is_some());
    assert!(minted.grant_again(&person("alice"), credential(1), &all, at(900)).is_none());
    let left = members("a: carol");
    assert!(minted.grant_again(&person("alice"), credential(1), &left, at(600)).is_none());
    let redeemed =
        minted.redeem(&person("db").id, credential(1), Digest::of(b"token"), at(600)).unwrap();
    assert!(
        redeemed.next().minted(credential(1), Digest::of(b"another"), key(), at(601)).is_none()
    );
    let again =
        redeemed.next().redeem(&person("db").id, credential(1), Digest::of(b"token"), at(601));
    assert_eq!(again.unwrap_err(), RedeemError::Spent { at: at(600), by: Some(person("db").id) });
}

#[test]
fn credentials_of_a_grant_whose_window_passed_can_be_ended_still() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 2).approves("bob", &all, 0).unwrap();
    let spent = approved.spends(1, &all, 3_599).unwrap().step().next().clone();
    let minted =
        spent.minted(credential(1), Digest::of(b"token"), key(), at(3_599)).unwrap().next().clone();
    let expired = minted.lapse(at(3_600)).unwrap().next().clone();
    assert_eq!(expired.state().word(), "expired");
    assert!(expired.credentials()[0].is_live(at(3_601)));
    let alice = person("alice");
    let completed = expired.complete(&alice, at(3_601)).unwrap();
    let revoked = expired.revoke(&alice, Standing::Own, "no".to_owned(), &all, at(3_601)).unwrap();
    for step in [completed, revoked] {
        assert!(!step.next().credentials()[0].is_live(at(3_601)));
        assert_eq!(step.next().state(), expired.state(), "the end does not change");
    }
    // Where no use was spent, there is nothing to end.
    let unused = approved.lapse(at(3_600)).unwrap().next().clone();
    assert!(unused.complete(&alice, at(3_601)).is_err());
}

#[test]
fn what_the_authority_does_itself_spends_the_whole_grant_once() {
    let all = members("a: bob carol");
    let approved = filed("2 of group:a", 3).approves("bob", &all, 0).unwrap();
    let alice = person("alice");
    let not_yet = approved.carry_out(&alice, &all, at(1)).unwrap_err();
    assert_eq!(not_yet, ConsumeError::NotApproved { state: "pending" });
    let approved = approved.approves("carol", &all, 2).unwrap();
    let stranger = approved.carry_out(&person("bob"), &all, at(3)).unwrap_err();
    assert_eq!(stranger, ConsumeError::NotRequester(alice.id.clone()));
    let left = approved.carry_out(&alice, &members("a: bob"), at(3)).unwrap_err();
    assert!(matches!(left, ConsumeError::NoLongerApproved { .. }), "{left}");
    let late = approved.carry_out(&alice, &all, at(3_602)).unwrap_err();
    assert!(matches!(late, ConsumeError::TooLate { .. }), "{late}");
    let done = approved.carry_out(&alice, &all, at(3)).unwrap().next().clone();
    assert_eq!(done.state().word(), "consumed", "whatever uses were left");
    let again = done.carry_out(&alice, &all, at(4)).unwrap_err();
    assert_eq!(again, ConsumeError::NotApproved { state: "consumed" });
    assert!(done.spends(1, &all, 4).is_err(), "nor is there a credential in it");
}

// Histories that no lifecycle wrote.

fn history() -> Vec<Event> {
    let all = members("a: bob");
    let request = filed("1 of group:a", 2);
    let Request { intent, requester, ruling, known, .. } = request.clone();
    let said = said(Verdict::Approve, request.digest());
    let id = crate::id::ReviewId::new(at(1), [9; 10]);
    let filing = Request::file(
        Filing { id: request.id(), intent, requester, ruling, known, heartbeat: None },
        at(0),
    );
    let review = request.review(id, &person("bob"), said, &all, at(1)).unwrap();
    let spent = review.next().spends(1, &all, 2).unwrap();
    let minted =
        spent.step().next().minted(credential(1), Digest::of(b"token"), key(), at(3)).unwrap();
    let redeemed =
        minted.next().redeem(&person("db").id, credential(1), Digest::of(b"token"), at(4)).unwrap();
    let steps = [&filing, &review, spent.step(), &minted, &redeemed];
    steps.iter().flat_map(|step| step.events()).cloned().collect()
}

fn event(fact: Fact) -> Event {
    Event { request: RequestId::new(at(0), [1; 10]), at: at(5), by: Some(person("alice").id), fact }
}

#[track_caller]
fn check_replay(events: &[Event], wanted: &str) {
    assert_eq!(Request::replay(events).unwrap_err().to_string(), wanted);
}

#[test]
fn t53_what_cannot_follow_is_named() {
    let good = history();
    assert_eq!(Request::replay(&good).unwrap().version(), Version(7));
    let (consumed, minted, redeemed) = (good[4].clone(), good[5].clone(), good[6].clone());
    let unknown =
        Fact::Minted { credential: credential(7), fingerprint: Digest::of(b"x"), key: None };
    let abandoned = Fact::Abandoned { credential: credential(1) };
    let cases = [
        (good[0].clone(), "event 8: a request that is approved cannot be filed"),
        (good[1].clone(), "event 8: a request that is approved cannot be reviewed"),
        (good[2].clone(), "event 8: a request that is approved cannot be advanced"),
        (good[3].clone(), "event 8: a request that is approved cannot be approved"),
        (consumed, "event 8: a request that is approved cannot be consumed"),
        (minted, "event 8: a request that is approved cannot be minted"),
        (redeemed, "event 8: a request that is approved cannot be redeemed"),
        (event(abandoned), "event 8: a request that is approved cannot be abandoned"),
        (event(unknown), "event 8: it is about something else"),
        (
            event(Fact::Escalated { stage: "r/1".to_owned(), to: BTreeSet::new() }),
            "event 8: a request that is approved cannot be escalated",
        ),
        (
            event(Fact::Reminded { stages: vec!["r/1".to_owned()] }),
            "event 8: a request that is approved cannot be reminded",
        ),
        (
            event(Fact::PostReviewDone { rule: "r".to_owned() }),
            "event 8: it is about something else",
        ),
        (
            event(Fact::PostReviewMissed { rule: "r".to_owned(), suspended: None }),
            "event 8: it is about something else",
        ),
        (
            event(Fact::Expired { deadline: at(5) }),
            "event 8: an expiry at another time than the deadline",
        ),
        (
            event(Fact::Canceled { reason: String::new() }),
            "event 8: a request that is approved cannot be canceled",
        ),
        (
            Event { by: None, ..event(Fact::Revoked { reason: String::new() }) },
            "event 8: it is about something else",
        ),
        (
            Event { request: RequestId::new(at(0), [2; 10]), ..event(Fact::Completed) },
            "event 8: it is about something else",
        ),
    ];
    for (next, wanted) in cases {
        let events: Vec<_> = good.iter().cloned().chain([next]).collect();
        check_replay(&events, wanted);
    }
    check_replay(&[], "the history does not begin with a filing");
    check_replay(&good[1..], "the history does not begin with a filing");
    let mut other = good.clone();
    other[1].by = Some(person("carol").id);
    check_replay(&other, "event 2: it is about something else");
    other[1].by = None;
    check_replay(&other, "event 2: it is about something else");
    other[0].by = Some(person("carol").id);
    check_replay(&other, "event 1: it is about something else");
}

#[test]
fn an_event_that_cannot_follow_leaves_no_trace() {
    let good = history();
    let before = Request::replay(&good).unwrap();
    for fact in good.iter().map(|event| event.fact.clone()) {
        let mut request = before.clone();
        let _ = request.apply(&event(fact)).unwrap_err();
        assert_eq!(request, before);
    }
}

#[cfg(feature = "wire")]
#[test]
fn an_event_that_would_not_have_been_written_so_is_not_read() {
    use crate::wire::{event_from_json, event_to_json};
    for event in history() {
        let json = event_to_json(&event);
        assert_eq!(event_from_json(&json).unwrap(), event);
        let changes: [fn(&mut serde_json::Value); 8] = [
            |json| json["v"] = 2.into(),
            |json| json["v"] = "1".into(),
            |json| json["more"] = 1.into(),
            |json| json["type"] = "granted".into(),
            |json| json["at"] = "2026-11-18T11:06:40Z".into(),
            |json| json["at"] = "2026-11-18T13:06:40.000+02:00".into(),
            |json| json["by"] = serde_json::json!({"iss": "assent:local", "sub": "a b"}),
            |json| drop(json.as_object_mut().unwrap().remove("request")),
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut json = json.clone();
            change(&mut json);
            assert!(event_from_json(&json).is_err(), "change {n}: {json}");
        }
    }
}

/// The history of a request that two people approved, with this done to it.
fn forged(change: impl FnOnce(&mut Vec<Event>)) -> Result<Request, ReplayError> {
    let all = members("a: bob carol");
    let filing = filed("2 of group:a", 1);
    let first = filing.approves("bob", &all, 1).unwrap();
    let step = |request: &Request, who: &str, now| {
        let said = said(Verdict::Approve, request.digest());
        let id = crate::id::ReviewId::new(at(now), [now as u8; 10]);
        request.review(id, &person(who), said, &all, at(now)).unwrap()
    };
    let mut events = step(&filing, "bob", 1).events().to_vec();
    events.extend(step(&first, "carol", 2).events().iter().cloned());
    let expires_at = at(3_600);
    let (intent, requester) = (filing.intent().clone(), filing.requester().clone());
    let (ruling, known) = (filing.ruling().clone(), filing.known().clone());
    let fact = Fact::Filed { intent, requester, ruling, known, expires_at, heartbeat: None };
    let by = Some(filing.requester().id.clone());
    events.insert(0, Event { request: filing.id(), at: filing.filed_at(), by, fact });
    change(&mut events);
    Request::replay(&events)
}

#[test]
fn t53_a_history_whose_rules_were_not_kept_is_refused() {
    assert_eq!(forged(|_| {}).unwrap().state().word(), "approved");
    let without_reviews = |events: &mut Vec<Event>| {
        events.retain(|event| !matches!(event.fact, Fact::Reviewed(_)));
    };
    let one_review_less = |events: &mut Vec<Event>| drop(events.remove(1));
    let counted = |change: fn(&mut Vec<(String, BTreeSet<PrincipalId>)>)| {
        move |events: &mut Vec<Event>| {
            for event in events {
                if let Fact::Approved { counted, .. } = &mut event.fact {
                    change(counted);
                }
            }
        }
    };
    let other_digest = |events: &mut Vec<Event>| {
        if let Fact::Reviewed(review) = &mut events[1].fact {
            review.digest = Digest::of(b"another");
        }
    };
    assert!(forged(without_reviews).is_err());
    assert!(forged(one_review_less).is_err());
    assert!(forged(other_digest).is_err());
    assert!(forged(counted(Vec::clear)).is_err());
    assert!(forged(counted(|all| drop(all[0].1.pop_first()))).is_err());
    assert!(forged(counted(|all| all[0].0.push('x'))).is_err());
    let terms = |change: fn(&mut Timestamp, &mut u32)| {
        move |events: &mut Vec<Event>| {
            for event in events {
                if let Fact::Approved { consume_by, uses, .. } = &mut event.fact {
                    change(consume_by, uses);
                }
            }
        }
    };
    assert!(forged(terms(|_, _| {})).is_ok());
    assert!(forged(terms(|consume_by, _| *consume_by = consume_by.plus(Span::hours(1)))).is_err());
    assert!(forged(terms(|_, uses| *uses += 1)).is_err());
    let stage = |change: fn(&mut Vec<String>, &mut Vec<String>)| {
        move |events: &mut Vec<Event>| {
            for event in events {
                if let Fact::Advanced { filled, opened } = &mut event.fact {
                    change(filled, opened);
                }
            }
        }
    };
    assert!(forged(stage(|filled, _| filled[0].push('x'))).is_err());
    assert!(forged(stage(|_, opened| opened.push("r/1".to_owned()))).is_err());
    let stood_in = |events: &mut Vec<Event>| {
        for event in &mut events[1..3] {
            if let Fact::Reviewed(review) = &mut event.fact {
                review.stands_in_for.insert(person("dave").id);
            }
        }
    };
    let refused = forged(stood_in).unwrap_err().to_string();
    assert_eq!(refused, "event 3: a stand-in for somebody who has spoken");
    assert!(forged(|events| events.insert(2, events[1].clone())).is_err());
}

/// Until when the approval stands for what `stages` asks, in seconds.
fn stands(request: &Request, stages: &str, all: &Membership, now: i64) -> Option<i64> {
    let asked = filed(stages, 1);
    let until = request.stands_for(asked.requirement().unwrap(), all, at(now));
    until.map(|until| (until.as_millis() - at(0).as_millis()) / 1000)
}

#[test]
fn an_approval_stands_to_the_end_of_its_window_for_what_it_fills() {
    let all = members("a: bob carol; b: carol");
    let pending = filed("1 of group:a", 1);
    assert_eq!(stands(&pending, "1 of group:a", &all, 1), None);
    let approved = pending.approves("bob", &all, 10).unwrap();
    assert_eq!(stands(&approved, "1 of group:a", &all, 3_609), Some(3_610));
    assert_eq!(stands(&approved, "1 of group:a", &all, 3_610), None);
    for more in ["2 of group:a", "1 of group:b", "1 of group:a, 1 of group:b"] {
        assert_eq!(stands(&approved, more, &all, 11), None, "{more}");
    }
    for fewer in ["a: carol; b: bob", "b: bob"] {
        assert_eq!(stands(&approved, "1 of group:b", &members(fewer), 11), None, "{fewer}");
    }
    assert_eq!(stands(&approved, "1 of group:b", &members("a: bob; b: bob"), 11), Some(3_610));
    let lapsed = approved.lapse(at(3_610)).unwrap().next().clone();
    assert_eq!(stands(&lapsed, "1 of group:a", &all, 11), None, "time does not run back");
    assert_eq!(lapsed.approval_ends_at(at(3_611)), Some(at(3_610)));
}

#[test]
fn an_approval_whose_uses_are_spent_stands_while_a_credential_lives() {
    let all = members("a: bob");
    let approved = filed("1 of group:a", 1).approves("bob", &all, 10).unwrap();
    let spent = approved.spends(1, &all, 20).unwrap().step().next().clone();
    assert_eq!(stands(&spent, "1 of group:a", &all, 21), None, "no token was handed out yet");
    assert_eq!(spent.approval_ends_at(at(21)), Some(at(20)));
    let minted =
        spent.minted(credential(1), Digest::of(b"token"), key(), at(21)).unwrap().next().clone();
    assert_eq!(stands(&minted, "1 of group:a", &all, 919), Some(920));
    assert_eq!(stands(&minted, "1 of group:a", &all, 920), None);
    assert_eq!(stands(&minted, "1 of group:a", &members("a: carol"), 22), None);
    let over = minted.complete(&person("alice"), at(30)).unwrap().next().clone();
    assert_eq!(stands(&over, "1 of group:a", &all, 31), None);
    let (by, own) = (person("alice"), Standing::Own);
    let revoked = approved.revoke(&by, own, "no".to_owned(), &all, at(30)).unwrap().next().clone();
    assert_eq!(stands(&revoked, "1 of group:a", &all, 31), None);
    assert_eq!(revoked.approval_ends_at(at(31)), Some(at(30)));
}

//! One suite, run on every ledger.

use std::sync::Arc;

use assent_core::access::{Access, NewAccess, Origin, Purpose};
use assent_core::credential::ring::{self, Ended, Key, KeyCall};
use assent_core::credential::{Algorithm, Secret};
use assent_core::digest::Digest;
use assent_core::id::{AccessId, SignalId, UploadId};
use assent_core::principal::{PrincipalId, PrincipalKind};
use assent_core::request::{Filing, Request, Sent, Standing, Step, Version};
use assent_core::time::Span;
use assent_server::ledger::{
    Beginning, Commit, Hearing, Keeping, Kept, KeyChange, Ledger, MemoryLedger, Piece, PlanText,
    REFUSALS, REFUSALS_OF_ONE, Refusal, SealedKey, Spent, SqliteLedger, States, Write,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::gates::{
    a_gate_is_kept_as_it_was_written_last,
    gates_are_found_by_run_and_repositories_by_their_last_name,
    open_gates_come_longest_unchanged_first_and_old_ones_are_forgotten,
};
use super::heartbeats::{
    a_holder_is_listened_for_from_the_token_on_to_its_end,
    a_token_that_is_made_again_gives_the_whole_time_again,
    nobody_is_heard_of_whom_nobody_listens_for,
    signs_of_life_are_forgotten_with_what_they_were_for,
    the_silent_come_longest_due_first_and_only_while_they_are_good,
    what_may_be_good_or_is_open_outside_is_live_newest_first,
    who_could_not_be_heard_has_the_whole_time_again, who_waits_is_listened_for_until_it_is_decided,
};
use super::kit::{
    alone, approval, at, called, credential, done, file, file_bound, granted_to_be_looked_at,
    granted_to_open, keeping, later_review, opening, person, rules, spending, verified,
};
use super::passkeys::{
    a_log_in_which_a_strangers_key_signs_does_not_hold, a_passkey_is_found_by_person_id_and_name,
    a_passkeys_record_moves_only_from_what_it_was, entries_of_a_request_are_proven_by_their_places,
    of_a_removal_and_a_signed_review_one_wins,
};

use super::notices::{
    a_step_that_is_not_written_is_not_posted, notices_come_by_their_way_longest_due_first,
    what_a_step_is_worth_is_posted_with_it_until_it_is_addressed, wishes_are_kept_for_each_person,
};

use super::listing::{
    an_absence_is_kept_as_it_was_written_last,
    requests_are_found_by_words_and_by_whatever_is_narrow, the_log_is_searched_newest_first,
    what_happens_is_counted_by_the_day, what_is_listed_is_what_the_request_is,
};

use super::pending::{
    t50_of_many_filings_at_once_so_many_are_written,
    t50_so_many_requests_of_one_requester_are_pending_and_no_more,
};

use super::people::{
    links_are_kept_also_when_they_are_undone,
    sessions_of_a_person_and_of_a_providers_session_are_found,
    whoever_signs_in_is_kept_as_they_were_written_last,
};

macro_rules! suite {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Arc::new(super::MemoryLedger::default())).await;
            })*
        }
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("ledger.sqlite");
                super::$name(super::Arc::new(super::SqliteLedger::open(&file).unwrap())).await;
            })*
        }
    };
}

suite! {
    t50_so_many_requests_of_one_requester_are_pending_and_no_more
    t50_of_many_filings_at_once_so_many_are_written
    a_passkey_is_found_by_person_id_and_name
    a_passkeys_record_moves_only_from_what_it_was
    of_a_removal_and_a_signed_review_one_wins
    entries_of_a_request_are_proven_by_their_places
    a_log_in_which_a_strangers_key_signs_does_not_hold
    what_is_committed_is_loaded_at_every_version
    what_a_step_is_worth_is_posted_with_it_until_it_is_addressed
    a_step_that_is_not_written_is_not_posted
    notices_come_by_their_way_longest_due_first
    wishes_are_kept_for_each_person
    what_is_listed_is_what_the_request_is
    requests_are_found_by_words_and_by_whatever_is_narrow
    what_happens_is_counted_by_the_day
    the_log_is_searched_newest_first
    an_absence_is_kept_as_it_was_written_last
    a_gate_is_kept_as_it_was_written_last
    gates_are_found_by_run_and_repositories_by_their_last_name
    open_gates_come_longest_unchanged_first_and_old_ones_are_forgotten
    whoever_signs_in_is_kept_as_they_were_written_last
    links_are_kept_also_when_they_are_undone
    sessions_of_a_person_and_of_a_providers_session_are_found
    t33_a_delivery_is_first_once_until_it_is_forgotten
    nothing_is_loaded_that_was_never_committed
    a_step_decided_on_an_old_version_is_a_conflict
    a_filing_committed_twice_is_a_conflict
    a_repeated_call_writes_nothing_and_tells_what_it_did
    calls_are_forgotten_but_their_effects_stay
    an_open_request_of_the_same_requester_and_intent_is_met
    what_is_due_comes_longest_due_first
    lists_are_newest_first_by_state_and_page
    what_is_open_and_what_somebody_filed_are_found_and_the_history_of_each
    the_newest_request_of_an_intent_and_the_request_of_a_credential_are_found
    what_is_bound_to_a_thing_is_shown_by_what_it_states_and_met_by_nothing_else
    what_people_approved_last_is_found_until_it_is_taken_back
    what_is_begun_is_met_no_more_and_by_one_call
    the_log_is_what_was_written_and_its_head_is_its_root
    access_records_are_kept_and_are_in_the_log
    signing_keys_are_kept_with_what_is_said_of_them
    a_foreign_token_that_is_good_once_is_spent_once
    a_request_to_be_looked_at_is_known_until_it_has_been
    what_a_broker_is_to_close_is_found_until_it_is_closed
    a_holder_is_listened_for_from_the_token_on_to_its_end
    nobody_is_heard_of_whom_nobody_listens_for
    the_silent_come_longest_due_first_and_only_while_they_are_good
    who_could_not_be_heard_has_the_whole_time_again
    who_waits_is_listened_for_until_it_is_decided
    a_token_that_is_made_again_gives_the_whole_time_again
    signs_of_life_are_forgotten_with_what_they_were_for
    what_may_be_good_or_is_open_outside_is_live_newest_first
    a_plan_is_kept_once_and_named_by_those_who_handed_it_in
    which_plan_is_of_a_saved_file_is_each_one_s_own_word
    an_exact_plan_is_kept_from_its_step_on_until_it_is_removed
    another_run_does_not_meet_an_open_request
    t03_t04_the_job_of_the_run_meets_what_the_app_filed_for_it
    a_refusal_is_on_record_once_and_not_without_end
    a_signal_is_replaced_and_taken_back
    what_is_told_of_a_subject_is_heard_once_and_forgotten_only_when_settled
    a_signal_reaches_what_can_change_and_what_may_live
    every_version_of_a_document_is_kept
    a_receipt_opens_the_seal_of_its_own_step
    of_a_hundred_commits_on_one_version_one_is_done
    of_a_hundred_calls_with_one_key_one_is_done
}

type Ledgers = Arc<dyn Ledger>;

async fn what_is_committed_is_loaded_at_every_version(ledger: Ledgers) {
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    let (first, _) = done(&ledger, approval(&filed, "bob", at(1))).await;
    let (second, _) = done(&ledger, approval(&first, "carol", at(2))).await;
    for request in [&filed, &first, &second] {
        let then = ledger.load(filed.id(), Some(request.version())).await.unwrap();
        assert_eq!(then.as_ref(), Some(request));
    }
    let now = ledger.load(filed.id(), None).await.unwrap();
    assert_eq!(now, Some(second.clone()));
    let later = ledger.load(filed.id(), Some(Version(99))).await.unwrap();
    assert_eq!(later, Some(second));
}

async fn what_people_approved_last_is_found_until_it_is_taken_back(ledger: Ledgers) {
    let alice = person("alice").id;
    let last = async |who: &PrincipalId, environment: &str, kind: &str| {
        ledger.last_approved(who, environment, kind).await.unwrap()
    };
    let of_alice = async || last(&alice, "one", "terraform.apply").await;
    // What nobody has approved yet, and what policy permits without asking.
    let (first, _) = done(&ledger, file("one", "first", at(0))).await;
    let (second, _) = done(&ledger, file("one", "second", at(1))).await;
    done(&ledger, file("staging", "free", at(2))).await;
    assert_eq!(of_alice().await, None);
    assert_eq!(last(&alice, "staging", "terraform.apply").await, None);
    // The last is what was approved last, whenever it was filed, and one approval is not enough.
    let (second, _) = done(&ledger, approval(&second, "bob", at(3))).await;
    assert_eq!(of_alice().await, Some(second.id()));
    let (first, _) = done(&ledger, approval(&first, "carol", at(4))).await;
    assert_eq!(of_alice().await, Some(first.id()));
    let (two, _) = done(&ledger, file("production", "of two", at(5))).await;
    done(&ledger, approval(&two, "bob", at(6))).await;
    assert_eq!(last(&alice, "production", "terraform.apply").await, None);
    // Others are others.
    assert_eq!(last(&person("bob").id, "one", "terraform.apply").await, None);
    assert_eq!(last(&alice, "one", "github.deploy").await, None);
    assert_eq!(last(&alice, "One", "terraform.apply").await, None);
    // What is spent stays; what is taken back does not count, and what was before it does.
    let (first, _) = done(&ledger, spending(&first, credential(at(7)), at(7))).await;
    assert_eq!(of_alice().await, Some(first.id()));
    let revoked = {
        let (by, why) = (person("alice"), "wrong".to_owned());
        first.revoke(&by, Standing::Own, why, &rules().membership(at(8)), at(8)).unwrap()
    };
    done(&ledger, revoked).await;
    assert_eq!(of_alice().await, Some(second.id()));
}

async fn nothing_is_loaded_that_was_never_committed(ledger: Ledgers) {
    let step = file("production", "r", at(0));
    let id = step.next().id();
    assert_eq!(ledger.load(id, None).await.unwrap(), None);
    assert_eq!(ledger.newest_with(step.next().digest()).await.unwrap(), None);
    assert_eq!(ledger.request_of(credential(at(0))).await.unwrap(), None);
    assert_eq!(ledger.head().await.unwrap().size, 0);
    assert!(ledger.entries(0, 10).await.unwrap().is_empty());
    assert!(ledger.accesses().await.unwrap().is_empty());
    assert!(ledger.list(States::Any, None, 10).await.unwrap().is_empty());
}

async fn a_step_decided_on_an_old_version_is_a_conflict(ledger: Ledgers) {
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    let late = approval(&filed, "carol", at(1));
    let (moved, _) = done(&ledger, approval(&filed, "bob", at(1))).await;
    let before = ledger.head().await.unwrap();
    assert_eq!(ledger.commit(alone(late)).await.unwrap(), Commit::Conflict);
    assert_eq!(ledger.load(filed.id(), None).await.unwrap(), Some(moved));
    assert_eq!(ledger.head().await.unwrap(), before);
    let unknown = approval(file("production", "never filed", at(0)).next(), "bob", at(1));
    assert_eq!(ledger.commit(alone(unknown)).await.unwrap(), Commit::Conflict);
}

async fn a_filing_committed_twice_is_a_conflict(ledger: Ledgers) {
    let step = file("production", "r", at(0));
    done(&ledger, step.clone()).await;
    let before = ledger.head().await.unwrap();
    assert_eq!(ledger.commit(alone(step)).await.unwrap(), Commit::Conflict);
    assert_eq!(ledger.head().await.unwrap(), before);
}

async fn a_repeated_call_writes_nothing_and_tells_what_it_did(ledger: Ledgers) {
    let first = called(file("production", "r", at(0)), "key", "body");
    let key = first.call.as_ref().unwrap().key;
    let id = first.step.next().id();
    assert_eq!(ledger.recall(key).await.unwrap(), None);
    assert!(matches!(ledger.commit(first.clone()).await.unwrap(), Commit::Done(_)));
    let head = ledger.head().await.unwrap();
    let again = called(file("production", "r", at(5)), "key", "another body");
    let Commit::Repeated(call) = ledger.commit(again).await.unwrap() else {
        panic!("not repeated")
    };
    assert_eq!(Some(call.asked), first.call.map(|call| call.asked));
    assert_eq!((call.request, call.version, call.credential), (id, Version(1), None));
    assert_eq!(ledger.recall(key).await.unwrap(), Some(call));
    assert_eq!(ledger.head().await.unwrap(), head);
}

async fn calls_are_forgotten_but_their_effects_stay(ledger: Ledgers) {
    for (millis, key) in [(0, "old"), (1_000, "new")] {
        let write = called(file("production", key, at(millis)), key, "body");
        assert!(matches!(ledger.commit(write).await.unwrap(), Commit::Done(_)));
    }
    ledger.forget_calls(at(1_000)).await.unwrap();
    let recall = |key: &str| ledger.recall(assent_core::digest::Digest::of(key.as_bytes()));
    assert_eq!(recall("old").await.unwrap(), None);
    assert!(recall("new").await.unwrap().is_some());
    assert_eq!(ledger.list(States::Any, None, 10).await.unwrap().len(), 2);
}

async fn an_open_request_of_the_same_requester_and_intent_is_met(ledger: Ledgers) {
    let meeting = |step: Step| Write { step, call: None, unless_open: true, most_pending: None };
    let (open, _) = done(&ledger, file("production", "r", at(0))).await;
    let again = ledger.commit(meeting(file("production", "r", at(1)))).await.unwrap();
    assert_eq!(again, Commit::Open(open.id()));
    let other = ledger.commit(meeting(file("production", "other", at(1)))).await.unwrap();
    assert!(matches!(other, Commit::Done(_)));
    let canceled = open.cancel(&person("alice"), "never mind".to_owned(), at(2)).unwrap();
    done(&ledger, canceled).await;
    let fresh = ledger.commit(meeting(file("production", "r", at(3)))).await.unwrap();
    assert!(matches!(fresh, Commit::Done(_)), "{fresh:?}");
}

async fn what_is_due_comes_longest_due_first(ledger: Ledgers) {
    let mut ids = Vec::new();
    for (millis, reason) in [(2_000, "second"), (1_000, "first"), (3_000, "third")] {
        ids.push(done(&ledger, file("production", reason, at(millis))).await.0.id());
    }
    let hours = |hours, millis| at(millis).plus(Span::hours(hours));
    let due = async |now, limit| ledger.due(now, limit).await.unwrap();
    assert!(due(hours(4, 999), 10).await.is_empty());
    assert_eq!(due(hours(4, 1_000), 10).await, [ids[1]]);
    assert_eq!(due(hours(5, 0), 10).await, [ids[1], ids[0], ids[2]]);
    assert_eq!(due(hours(5, 0), 2).await, [ids[1], ids[0]]);
    let pending = ledger.load(ids[1], None).await.unwrap().unwrap();
    let lapsed = pending.lapse(hours(5, 0)).unwrap();
    assert_eq!(done(&ledger, lapsed).await.0.state().word(), "expired");
    assert_eq!(due(hours(5, 0), 10).await, [ids[0], ids[2]]);
    // A grant's window is shorter than a review's deadline: filed last, due first.
    let (last, _) = done(&ledger, file("one", "last", at(4_000))).await;
    done(&ledger, approval(&last, "bob", at(4_000))).await;
    assert_eq!(due(hours(5, 0), 10).await, [last.id(), ids[0], ids[2]]);
}

async fn lists_are_newest_first_by_state_and_page(ledger: Ledgers) {
    let mut ids = Vec::new();
    for millis in 0..9 {
        let environment = if millis % 3 == 0 { "staging" } else { "production" };
        ids.push(done(&ledger, file(environment, "r", at(millis))).await.0.id());
    }
    let pending = ledger.load(ids[1], None).await.unwrap().unwrap();
    done(&ledger, pending.cancel(&person("alice"), String::new(), at(20)).unwrap()).await;
    ids.reverse();
    let list = async |states, before, limit| {
        let page = ledger.list(states, before, limit).await.unwrap();
        page.iter().map(|request| request.id()).collect::<Vec<_>>()
    };
    assert_eq!(list(States::Any, None, 100).await, ids);
    let mut paged = Vec::new();
    loop {
        let page = list(States::Any, paged.last().copied(), 2).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, ids);
    assert_eq!(list(States::Only("approved"), None, 100).await, [ids[2], ids[5], ids[8]]);
    assert_eq!(list(States::Only("canceled"), None, 100).await, [ids[7]]);
    assert!(list(States::Only("denied"), None, 100).await.is_empty());
    assert_eq!(list(States::Open, None, 100).await.len(), 8);
    assert_eq!(list(States::Only("approved"), Some(ids[2]), 1).await, [ids[5]]);
}

async fn what_is_open_and_what_somebody_filed_are_found_and_the_history_of_each(ledger: Ledgers) {
    let mut ids = Vec::new();
    for millis in 0..4 {
        ids.push(done(&ledger, file("production", "r", at(millis))).await.0.id());
    }
    let pending = ledger.load(ids[1], None).await.unwrap().unwrap();
    let (moved, _) = done(&ledger, approval(&pending, "bob", at(10))).await;
    let other = ledger.load(ids[2], None).await.unwrap().unwrap();
    done(&ledger, other.cancel(&person("alice"), String::new(), at(20)).unwrap()).await;
    let open = ledger.open_requests(10).await.unwrap();
    let wanted = [(ids[3], Version(1)), (ids[1], moved.version()), (ids[0], Version(1))];
    assert_eq!(open, wanted);
    assert_eq!(ledger.open_requests(2).await.unwrap(), wanted[..2]);
    let filed = async |who: &str, before, limit| {
        let found = ledger.filed_by(&person(who).id, before, limit).await.unwrap();
        found.iter().map(|request| request.id()).collect::<Vec<_>>()
    };
    ids.reverse();
    assert_eq!(filed("alice", None, 10).await, ids);
    assert_eq!(filed("alice", Some(ids[0]), 2).await, ids[1..3]);
    assert!(filed("bob", None, 10).await.is_empty());
    let history = ledger.history(moved.id()).await.unwrap();
    assert_eq!(history.len() as u64, moved.version().0);
    assert_eq!(Request::replay(&history).unwrap(), moved);
    let never = file("production", "never filed", at(0)).next().id();
    assert!(ledger.history(never).await.unwrap().is_empty());
}

async fn the_newest_request_of_an_intent_and_the_request_of_a_credential_are_found(
    ledger: Ledgers,
) {
    let (old, _) = done(&ledger, file("staging", "r", at(0))).await;
    let (new, _) = done(&ledger, file("staging", "r", at(1))).await;
    assert_eq!(ledger.newest_with(old.digest()).await.unwrap(), Some(new.id()));
    let spent = credential(at(2));
    done(&ledger, spending(&old, spent, at(2))).await;
    assert_eq!(ledger.request_of(spent).await.unwrap(), Some(old.id()));
    assert_eq!(ledger.request_of(credential(at(2))).await.unwrap(), None);
}

async fn what_is_bound_to_a_thing_is_shown_by_what_it_states_and_met_by_nothing_else(
    ledger: Ledgers,
) {
    let (stated, _) = done(&ledger, file("production", "r", at(0))).await;
    let thing = (Digest::of(b"saved"), Some(Digest::of(b"{}")));
    let (bound, _) = done(&ledger, file_bound("production", "r", thing, at(1))).await;
    assert_ne!(bound.digest(), stated.digest());
    let newest = async |intent| ledger.newest_with(intent).await.unwrap();
    assert_eq!(newest(stated.digest()).await, Some(bound.id()));
    assert_eq!(newest(bound.digest()).await, Some(bound.id()));
    let (later, _) = done(&ledger, file("production", "r", at(2))).await;
    assert_eq!(newest(stated.digest()).await, Some(later.id()));
    let (alice, bob) = (person("alice").id, person("bob").id);
    let newest_of = async |intent, who| ledger.newest_of(intent, who).await.unwrap();
    assert_eq!(newest_of(stated.digest(), &alice).await, Some(later.id()));
    assert_eq!(newest_of(bound.digest(), &alice).await, Some(bound.id()));
    assert_eq!(newest_of(bound.digest(), &bob).await, None);
    // The open request of what was stated is none of what is bound, nor the other way round.
    let meeting = |step| Write { unless_open: true, ..alone(step) };
    for (step, open) in [
        (file("production", "r", at(3)), later.id()),
        (file_bound("production", "r", thing, at(3)), bound.id()),
    ] {
        assert_eq!(ledger.commit(meeting(step)).await.unwrap(), Commit::Open(open));
    }
    let other = file_bound("production", "r", (Digest::of(b"other"), thing.1), at(3));
    assert!(matches!(ledger.commit(meeting(other)).await.unwrap(), Commit::Done(_)));
}

async fn what_is_begun_is_met_no_more_and_by_one_call(ledger: Ledgers) {
    let (filed, _) = done(&ledger, file("staging", "r", at(0))).await;
    let begin = async |key: &str, request: &Request| {
        let beginning = Beginning {
            request: request.id(),
            intent: request.digest(),
            key: Digest::of(key.as_bytes()),
            at: at(1),
            entry: json!({"type": "begun"}),
        };
        ledger.begin(beginning).await.unwrap()
    };
    let again = || Write { unless_open: true, ..alone(file("staging", "r", at(2))) };
    assert_eq!(ledger.commit(again()).await.unwrap(), Commit::Open(filed.id()));
    assert!(begin("first", &filed).await);
    assert!(begin("first", &filed).await, "the same call again is the same");
    assert!(!begin("second", &filed).await);
    let (asked, _) = done(&ledger, file("production", "r", at(0))).await;
    assert!(!begin("third", &asked).await, "what is not approved is begun");
    let step = again();
    let next = step.step.next().clone();
    assert!(matches!(ledger.commit(step).await.unwrap(), Commit::Done(_)));
    assert_eq!(ledger.commit(again()).await.unwrap(), Commit::Open(next.id()));
    assert_eq!(ledger.load(filed.id(), None).await.unwrap().as_ref(), Some(&filed));
    assert_eq!(verified(&ledger).await.requests, 3);
    let head = ledger.head().await.unwrap();
    let filings = filed.version().0 + asked.version().0 + next.version().0;
    assert_eq!(head.size, filings + 1, "one entry tells of it");
}

async fn the_log_is_what_was_written_and_its_head_is_its_root(ledger: Ledgers) {
    let mut size = 0;
    for millis in 0..20 {
        let (filed, _) = done(&ledger, file("production", "r", at(millis))).await;
        done(&ledger, approval(&filed, "bob", at(millis))).await;
        size += 2;
        let summary = verified(&ledger).await;
        assert_eq!((summary.entries, summary.requests), (size, u64::try_from(millis).unwrap() + 1));
    }
    let head = ledger.head().await.unwrap();
    assert_eq!((head.size, head.at), (40, at(19)));
    let part = ledger.entries(38, 100).await.unwrap();
    assert_eq!(part, ledger.entries(0, 100).await.unwrap()[38..]);
    assert!(ledger.entries(40, 1).await.unwrap().is_empty());
    assert!(ledger.entries(u64::MAX, 1).await.unwrap().is_empty());
}

async fn access_records_are_kept_and_are_in_the_log(ledger: Ledgers) {
    let root = person("root");
    let mut tokens = Vec::new();
    for (millis, sub, purpose) in
        [(0, "bob", Purpose::Token), (1, "carol", Purpose::Token), (2, "carol", Purpose::Session)]
    {
        let new = NewAccess {
            id: AccessId::new(at(millis), [9; 10]),
            principal: person(sub),
            administrator: sub == "bob",
            purpose,
            parent: (purpose == Purpose::Session).then(|| AccessId::new(at(1), [9; 10])),
            life: Span::hours(1),
        };
        let secret = Secret::new("s".repeat(43));
        let (step, _) = Access::issue(new, &secret, &root.id, at(millis));
        tokens.push(step.next().clone());
        ledger.commit_access(step).await.unwrap();
    }
    assert_eq!(ledger.access(tokens[0].id).await.unwrap().as_ref(), Some(&tokens[0]));
    assert_eq!(ledger.access(tokens[2].id).await.unwrap().as_ref(), Some(&tokens[2]));
    assert_eq!(ledger.accesses().await.unwrap(), [tokens[1].clone(), tokens[0].clone()]);
    let step = tokens[0].revoke(&root.id, at(5)).unwrap();
    let revoked = step.next().clone();
    ledger.commit_access(step).await.unwrap();
    assert_eq!(ledger.access(revoked.id).await.unwrap(), Some(revoked));
    assert_eq!(ledger.accesses().await.unwrap().len(), 2);
    assert_eq!(verified(&ledger).await.entries, 4);
    assert_eq!(ledger.head().await.unwrap().at, at(5));
}

async fn signing_keys_are_kept_with_what_is_said_of_them(ledger: Arc<dyn Ledger>) {
    let key = |byte: u8| Key {
        id: URL_SAFE_NO_PAD.encode([byte; 32]).parse().unwrap(),
        algorithm: Algorithm::EdDsa,
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": "x"}),
        origin: ring::Origin::Imported,
        made_at: at(0),
        signs_from: at(1),
        activated_at: Some(at(2)),
        superseded_at: Some(at(3)),
        ended: Some(Ended { at: at(4), revoked: Some("stolen".to_owned()) }),
        call: Some(KeyCall { key: Digest::of(b"key"), asked: Digest::of(b"asked") }),
    };
    assert!(ledger.signing_keys().await.unwrap().is_empty());
    let bare = Key { activated_at: None, superseded_at: None, ended: None, call: None, ..key(2) };
    let full = SealedKey { key: key(1), sealed: None };
    let sealed = SealedKey { key: bare.clone(), sealed: Some(b"sealed".to_vec()) };
    let entries = vec![json!({"type": "key_made"}), json!({"type": "key_activated"})];
    let keys = vec![full.clone(), sealed.clone()];
    ledger.commit_keys(KeyChange { keys, entries, at: at(5) }).await.unwrap();
    assert_eq!(ledger.signing_keys().await.unwrap(), [full.clone(), sealed]);
    let head = ledger.head().await.unwrap();
    assert_eq!((head.size, head.at), (2, at(5)));
    let forgotten = SealedKey { key: bare, sealed: None };
    let keys = vec![forgotten.clone()];
    ledger.commit_keys(KeyChange { keys, entries: vec![], at: at(6) }).await.unwrap();
    assert_eq!(ledger.signing_keys().await.unwrap(), [full, forgotten]);
    assert_eq!(ledger.head().await.unwrap().size, 2);
}

async fn a_foreign_token_that_is_good_once_is_spent_once(ledger: Ledgers) {
    let exchange = |millis: i64, mark: Digest| {
        let new = NewAccess {
            id: AccessId::new(at(millis), [9; 10]),
            principal: person("job"),
            administrator: false,
            purpose: Purpose::Token,
            parent: None,
            life: Span::seconds(10),
        };
        let (trust, subject) = ("acme".to_owned(), "repo:acme/orders".to_owned());
        let origin = Origin { trust, digest: Digest::of(b"trust"), subject, mark };
        let (step, _) = Access::exchange(new, origin, &Secret::new("s".repeat(43)), at(millis));
        (step, Some(Spent { mark, until: at(20_000) }))
    };
    let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
    let (step, spent) = exchange(1, one);
    let kept = step.next().clone();
    assert!(ledger.commit_exchange(step, spent).await.unwrap());
    assert_eq!(ledger.access(kept.id).await.unwrap().as_ref(), Some(&kept));
    let (step, spent) = exchange(2, one);
    let refused = step.next().id;
    assert!(!ledger.commit_exchange(step, spent).await.unwrap());
    assert_eq!(ledger.access(refused).await.unwrap(), None);
    let (step, spent) = exchange(3, other);
    assert!(ledger.commit_exchange(step, spent).await.unwrap());
    let (step, _) = exchange(4, one);
    assert!(ledger.commit_exchange(step, None).await.unwrap());
    // What is over is forgotten, and is in the log for good.
    ledger.forget_exchanges(at(20_000)).await.unwrap();
    assert!(ledger.accesses().await.unwrap().is_empty());
    let (step, spent) = exchange(5, one);
    assert!(!ledger.commit_exchange(step, spent).await.unwrap());
    ledger.forget_exchanges(at(20_001)).await.unwrap();
    let (step, spent) = exchange(6, one);
    assert!(ledger.commit_exchange(step, spent).await.unwrap());
    assert_eq!(verified(&ledger).await.entries, 4);
}

async fn a_request_to_be_looked_at_is_known_until_it_has_been(ledger: Ledgers) {
    done(&ledger, file("staging", "r", at(0))).await;
    let (first, _) = done(&ledger, granted_to_be_looked_at(at(1))).await;
    let (second, _) = done(&ledger, granted_to_be_looked_at(at(2))).await;
    assert_eq!(ledger.later_reviews().await.unwrap(), [first.id(), second.id()]);
    let overdue = first.lapse(at(3_600_001)).unwrap();
    let (first, _) = done(&ledger, overdue).await;
    assert_eq!(ledger.later_reviews().await.unwrap(), [first.id(), second.id()]);
    for request in [&first, &second] {
        done(&ledger, later_review(request, at(3_600_002))).await;
    }
    assert!(ledger.later_reviews().await.unwrap().is_empty());
    assert_eq!(verified(&ledger).await.requests, 3);
}

async fn what_a_broker_is_to_close_is_found_until_it_is_closed(ledger: Ledgers) {
    let mut opened = Vec::new();
    for millis in [1, 2] {
        let (granted, _) = done(&ledger, granted_to_open("orders-db", at(millis))).await;
        let id = credential(at(millis));
        let (spent, _) = done(&ledger, opening(&granted, id, "orders-db", at(millis))).await;
        opened.push((spent, id));
    }
    assert!(ledger.closings(at(3)).await.unwrap().is_empty(), "they are good");
    let [(first, one), (second, _)] = opened.try_into().unwrap();
    let late = at(3_600_000);
    assert_eq!(ledger.closings(late).await.unwrap(), [first.id(), second.id()]);
    let (second, _) = done(&ledger, second.complete(&person("alice"), at(4)).unwrap()).await;
    assert_eq!(ledger.closings(at(4)).await.unwrap(), [second.id()]);
    assert_eq!(
        ledger.closings(late).await.unwrap(),
        [second.id(), first.id()],
        "longest due first"
    );
    let stuck = first.broker_stuck(one, "away".to_owned(), late).unwrap();
    let (first, _) = done(&ledger, stuck).await;
    assert_eq!(ledger.closings(late).await.unwrap(), [second.id(), first.id()]);
    let (first, _) = done(&ledger, first.broker_closed(one, late).unwrap()).await;
    assert_eq!(ledger.closings(late).await.unwrap(), [second.id()]);
    assert_eq!(ledger.load(first.id(), None).await.unwrap().unwrap(), first);
    assert_eq!(verified(&ledger).await.requests, 2);
}

async fn a_plan_is_kept_once_and_named_by_those_who_handed_it_in(ledger: Ledgers) {
    let digest = Digest::of(b"plan");
    let text = |summary: &str| PlanText { summary: summary.to_owned(), redacted: "{}".to_owned() };
    assert_eq!(ledger.plan(digest).await.unwrap(), None);
    let (alice, bob) = (person("alice").id, person("bob").id);
    for (by, summary) in [(&alice, "first"), (&alice, "again"), (&bob, "another")] {
        let what = Kept::Plan { digest, text: text(summary), saved: None };
        let handed_in = Keeping { by: by.clone(), ..keeping(what, "plan", at(1)) };
        assert_eq!(ledger.has_plan_of(digest, by).await.unwrap(), summary == "again");
        ledger.keep(handed_in).await.unwrap();
        assert!(ledger.has_plan_of(digest, by).await.unwrap());
    }
    assert_eq!(ledger.plan(digest).await.unwrap(), Some(text("first")));
    assert!(!ledger.has_plan_of(digest, &person("carol").id).await.unwrap());
    assert!(!ledger.has_plan_of(Digest::of(b"other"), &alice).await.unwrap());
    assert_eq!(verified(&ledger).await.entries, 3);
}

async fn which_plan_is_of_a_saved_file_is_each_one_s_own_word(ledger: Ledgers) {
    let (alice, bob) = (person("alice").id, person("bob").id);
    let saved = Digest::of(b"saved");
    let (first, second) = (Digest::of(b"first"), Digest::of(b"second"));
    let of = async |who| ledger.plan_of_saved(saved, who).await.unwrap();
    let say = async |who: &PrincipalId, digest, millis| {
        let text = PlanText { summary: "{}".to_owned(), redacted: "{}".to_owned() };
        let what = Kept::Plan { digest, text, saved: Some(saved) };
        let said = Keeping { by: who.clone(), ..keeping(what, "plan", at(millis)) };
        ledger.keep(said).await.unwrap();
    };
    assert_eq!(of(&alice).await, None);
    say(&alice, first, 0).await;
    assert_eq!((of(&alice).await, of(&bob).await), (Some(first), None));
    say(&bob, second, 1).await;
    assert_eq!((of(&alice).await, of(&bob).await), (Some(first), Some(second)));
    say(&alice, second, 2).await;
    assert_eq!(of(&alice).await, Some(second));
    assert!(ledger.has_plan_of(first, &alice).await.unwrap());
}

async fn an_exact_plan_is_kept_from_its_step_on_until_it_is_removed(ledger: Ledgers) {
    let alice = person("alice");
    let exact = file_bound("staging", "r", (Digest::of(b"plan"), None), at(0));
    let (filed, _) = done(&ledger, exact).await;
    let upload = |n: u8| UploadId::new(at(0), [n; 10]);
    let write = async |n: u8, number| {
        let piece = Piece { upload: upload(n), number, sealed: vec![n; 9], at: at(1) };
        ledger.write_piece(piece).await.unwrap();
    };
    write(1, 0).await;
    write(1, 1).await;
    write(2, 0).await;
    assert_eq!(ledger.kept_bytes(&alice.id).await.unwrap(), 0, "it is nobody's yet");
    let sent = Sent { upload: upload(1), digest: Digest::of(b"plan"), size: 18 };
    let step = filed.keep_plan(&alice, sent, None, at(2)).unwrap().unwrap();
    let (kept, _) = done(&ledger, step).await;
    assert_eq!(ledger.kept_bytes(&alice.id).await.unwrap(), 18);
    assert_eq!(ledger.kept_bytes(&person("bob").id).await.unwrap(), 0);
    // What nothing keeps goes, once it is old enough.
    ledger.forget_pieces(at(1)).await.unwrap();
    assert!(ledger.piece(upload(2), 0).await.unwrap().is_some());
    ledger.forget_pieces(at(2)).await.unwrap();
    assert_eq!(ledger.piece(upload(2), 0).await.unwrap(), None);
    for (number, there) in [(0, true), (1, true), (2, false)] {
        assert_eq!(ledger.piece(upload(1), number).await.unwrap().is_some(), there);
    }
    let (over, _) = done(&ledger, kept.complete(&alice, at(3)).unwrap()).await;
    assert_eq!(ledger.due(at(3), 9).await.unwrap(), [over.id()], "its plan is to be removed");
    done(&ledger, over.lapse(at(3)).unwrap()).await;
    assert_eq!(ledger.piece(upload(1), 0).await.unwrap(), None);
    assert_eq!(ledger.kept_bytes(&alice.id).await.unwrap(), 0);
    assert_eq!(ledger.due(at(9), 9).await.unwrap(), []);
    verified(&ledger).await;
}

/// A filing by a workload of which these claims are known, that meets an open request.
fn of_run(claims: &[(&str, &str)], now: assent_core::time::Timestamp) -> Write {
    let step = file("production", "r", now);
    let request = step.next();
    let mut requester = request.requester().clone();
    requester.kind = PrincipalKind::Workload;
    let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
    requester.claims = claims.collect();
    let filing = Filing {
        id: request.id(),
        intent: request.intent().clone(),
        requester,
        ruling: request.ruling().clone(),
        known: request.known().clone(),
        heartbeat: None,
    };
    Write { step: Request::file(filing, now), call: None, unless_open: true, most_pending: None }
}

async fn another_run_does_not_meet_an_open_request(ledger: Ledgers) {
    let (first, second) = ([("run_id", "1")], [("run_id", "2")]);
    let attempt = [("run_id", "1"), ("run_attempt", "2")];
    let write = of_run(&first, at(0));
    let id = write.step.next().id();
    assert!(matches!(ledger.commit(write).await.unwrap(), Commit::Done(_)));
    assert_eq!(ledger.commit(of_run(&first, at(1))).await.unwrap(), Commit::Open(id));
    for other in [&second[..], &attempt, &[]] {
        let filed = ledger.commit(of_run(other, at(2))).await.unwrap();
        assert!(matches!(filed, Commit::Done(_)), "{other:?} met {filed:?}");
    }
    assert_eq!(ledger.commit(of_run(&first, at(3))).await.unwrap(), Commit::Open(id));
}

async fn t03_t04_the_job_of_the_run_meets_what_the_app_filed_for_it(ledger: Ledgers) {
    let run = [
        ("repository_id", "1"),
        ("repository_owner_id", "2"),
        ("sha", "c0ffee"),
        ("run_id", "3"),
        ("run_attempt", "1"),
        ("environment", "production"),
    ];
    let write = of_run(&[&run[..], &[("filed_by", "github-app")]].concat(), at(0));
    let id = write.step.next().id();
    assert!(matches!(ledger.commit(write).await.unwrap(), Commit::Done(_)));
    let job = [&run[..], &[("ref", "refs/heads/main"), ("workflow_sha", "f00d")]].concat();
    for now in [1, 2] {
        assert_eq!(ledger.commit(of_run(&job, at(now))).await.unwrap(), Commit::Open(id));
    }
    for changed in 0..run.len() {
        let mut other = job.clone();
        other[changed].1 = "4";
        let mut without = job.clone();
        without.remove(changed);
        for claims in [other, without] {
            // It may meet what another job of its run filed: what tells jobs of one run apart is
            // their name, which is one here.
            let filed = ledger.commit(of_run(&claims, at(3))).await.unwrap();
            assert_ne!(filed, Commit::Open(id), "{claims:?}");
        }
    }
}

async fn a_refusal_is_on_record_once_and_not_without_end(ledger: Ledgers) {
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    let (other, _) = done(&ledger, file("production", "other", at(0))).await;
    let note = async |request: &Request, who: &str, n: usize| {
        let (by, mark) = (person(who).id, Digest::of(&n.to_be_bytes()));
        let entry = json!({"type": "refused", "n": n, "who": who});
        let refusal = Refusal { request: request.id(), by, mark, at: at(1), entry };
        ledger.note_refusal(refusal).await.unwrap()
    };
    let before = ledger.head().await.unwrap().size;
    assert!(note(&filed, "bob", 0).await);
    assert!(!note(&filed, "bob", 0).await, "the same again");
    let more = async |who: &str| {
        let mut noted = 0;
        for n in 0..100 {
            noted += usize::from(note(&filed, who, n).await);
        }
        noted
    };
    assert_eq!(more("bob").await, REFUSALS_OF_ONE - 1);
    let mut all = REFUSALS_OF_ONE;
    for n in 0..20 {
        all += more(&format!("mallory{n}")).await;
    }
    assert_eq!(all, REFUSALS);
    assert!(note(&other, "bob", 0).await, "another request is another matter");
    let written = ledger.head().await.unwrap().size - before;
    assert_eq!(written, REFUSALS as u64 + 1);
    verified(&ledger).await;
}

async fn what_is_told_of_a_subject_is_heard_once_and_forgotten_only_when_settled(ledger: Ledgers) {
    let hearing = |n: u8, mark: Option<u8>| Hearing {
        signal: Some(SignalId::from_bytes([n; 16])),
        asked: Some(Digest::of(&[n])),
        token: mark.map(|mark| Spent { mark: Digest::of(&[mark]), until: at(50) }),
        at: at(i64::from(n)),
        entry: json!({"v": 1, "type": "told", "at": at(i64::from(n)).to_string(), "n": n}),
    };
    assert!(ledger.hear(hearing(2, None)).await.unwrap());
    assert!(ledger.hear(hearing(1, Some(7))).await.unwrap());
    assert!(!ledger.hear(hearing(2, None)).await.unwrap(), "the same signal");
    assert!(!ledger.hear(hearing(3, Some(7))).await.unwrap(), "the same token");
    let note = Hearing { signal: None, asked: None, ..hearing(4, Some(8)) };
    assert!(ledger.hear(note.clone()).await.unwrap());
    assert!(!ledger.hear(note.clone()).await.unwrap());
    // In the order of hearing, whatever the ids are.
    let order = async || {
        let told = ledger.told().await.unwrap();
        told.iter().map(|kept| (kept.entry["n"].clone(), kept.settled)).collect::<Vec<_>>()
    };
    assert_eq!(order().await, [(json!(2), false), (json!(1), false)]);
    let [first, second] = [2, 1].map(|n| SignalId::from_bytes([n; 16]));
    assert_eq!(ledger.told().await.unwrap()[0].asked, Some(Digest::of(&[2])));
    ledger.forget_told(at(100), vec![], at(10)).await.unwrap();
    assert_eq!(order().await.len(), 2, "nobody has followed them through");
    ledger.settle(vec![first, second]).await.unwrap();
    ledger.forget_told(at(100), vec![second], at(10)).await.unwrap();
    assert_eq!(order().await, [(json!(1), true)]);
    assert!(!ledger.hear(note.clone()).await.unwrap(), "it would be believed still");
    ledger.forget_told(at(100), vec![], at(60)).await.unwrap();
    assert!(order().await.is_empty());
    assert!(ledger.hear(note).await.unwrap());
    assert_eq!(verified(&ledger).await.entries, 4);
}

async fn a_signal_reaches_what_can_change_and_what_may_live(ledger: Ledgers) {
    let (pending, _) = done(&ledger, file("production", "waits", at(0))).await;
    let (withdrawn, _) = done(&ledger, file("production", "over", at(0))).await;
    let canceled = withdrawn.cancel(withdrawn.requester(), "no".to_owned(), at(1)).unwrap();
    done(&ledger, canceled).await;
    assert_eq!(ledger.within_reach(at(2)).await.unwrap(), [pending.id()]);
}

async fn a_signal_is_replaced_and_taken_back(ledger: Ledgers) {
    let tell = async |name: &str, value: Option<serde_json::Value>, millis| {
        let what = Kept::Signal { name: name.to_owned(), value };
        ledger.keep(keeping(what, "signal", at(millis))).await.unwrap();
    };
    tell("incident", Some(json!({"severity": "sev2", "n": 1.5})), 1).await;
    tell("freeze", Some(json!(true)), 2).await;
    tell("incident", Some(json!({"severity": "sev1"})), 3).await;
    let all = ledger.signals().await.unwrap();
    let names: Vec<_> = all.iter().map(|signal| signal.name.as_str()).collect();
    assert_eq!(names, ["freeze", "incident"]);
    assert_eq!((&all[1].value, all[1].at), (&json!({"severity": "sev1"}), at(3)));
    assert_eq!(all[1].by, "alice");
    tell("incident", None, 4).await;
    assert_eq!(ledger.signals().await.unwrap().len(), 1);
    assert_eq!(verified(&ledger).await.entries, 4);
}

async fn every_version_of_a_document_is_kept(ledger: Ledgers) {
    let write = async |name: &str, text: Option<&str>, millis| {
        let what = Kept::Document { name: name.to_owned(), text: text.map(str::to_owned) };
        ledger.keep(keeping(what, "document", at(millis))).await.unwrap();
    };
    write("b.yaml", Some("one"), 1).await;
    write("a.yaml", Some("other"), 2).await;
    write("b.yaml", None, 3).await;
    write("b.yaml", Some("three"), 4).await;
    let newest = ledger.documents().await.unwrap();
    let newest: Vec<_> = newest.iter().map(|d| (d.name.as_str(), d.version, d.at)).collect();
    assert_eq!(newest, [("a.yaml", 1, at(2)), ("b.yaml", 3, at(4))]);
    let versions = ledger.document("b.yaml").await.unwrap();
    let texts: Vec<_> = versions.iter().map(|d| d.text.as_deref()).collect();
    assert_eq!(texts, [Some("one"), None, Some("three")]);
    assert!(ledger.document("c.yaml").await.unwrap().is_empty());
    assert_eq!(ledger.head().await.unwrap().size, 4);
}

async fn a_receipt_opens_the_seal_of_its_own_step(ledger: Ledgers) {
    let (approved, filed) = done(&ledger, file("staging", "r", at(0))).await;
    let spend = |now| assent_core::request::Spend::on(credential(now), "aws");
    let members = super::kit::rules().membership(at(0));
    let seal = |now| approved.consume(&person("alice"), spend(now), &members, now);
    let (mine, theirs, stale) = (seal(at(1)).unwrap(), seal(at(2)).unwrap(), seal(at(3)).unwrap());
    let (_, receipt) = done(&ledger, mine.step().clone()).await;
    let lost = ledger.commit(alone(theirs.step().clone())).await.unwrap();
    assert_eq!(lost, Commit::Conflict);
    assert!(stale.release(&filed).is_none());
    assert!(theirs.release(&receipt).is_none());
    assert!(mine.release(&receipt).is_some());
}

async fn of_a_hundred_commits_on_one_version_one_is_done(ledger: Ledgers) {
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    let race = (0..100).map(|_| {
        let (ledger, step) = (Arc::clone(&ledger), approval(&filed, "bob", at(1)));
        tokio::spawn(async move { ledger.commit(alone(step)).await.unwrap() })
    });
    let mut won = 0;
    for entrant in race.collect::<Vec<_>>() {
        match entrant.await.unwrap() {
            Commit::Done(_) => won += 1,
            Commit::Conflict => {}
            other @ (Commit::Open(_) | Commit::Repeated(_) | Commit::TooMany) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!(won, 1);
    let request = ledger.load(filed.id(), None).await.unwrap().unwrap();
    assert_eq!((request.reviews().len(), request.version()), (1, Version(2)));
    assert_eq!(verified(&ledger).await.entries, 2);
}

async fn of_a_hundred_calls_with_one_key_one_is_done(ledger: Ledgers) {
    let race = (0..100).map(|_| {
        let (ledger, write) = (Arc::clone(&ledger), called(file("one", "r", at(0)), "key", "body"));
        tokio::spawn(async move {
            let id = write.step.next().id();
            (id, ledger.commit(write).await.unwrap())
        })
    });
    let (mut done, mut repeated) = (Vec::new(), Vec::new());
    for entrant in race.collect::<Vec<_>>() {
        match entrant.await.unwrap() {
            (id, Commit::Done(_)) => done.push(id),
            (_, Commit::Repeated(call)) => repeated.push(call.request),
            (_, other @ (Commit::Open(_) | Commit::Conflict | Commit::TooMany)) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!((done.len(), repeated.len()), (1, 99));
    assert!(repeated.iter().all(|id| *id == done[0]));
    assert_eq!(verified(&ledger).await.requests, 1);
}

async fn t33_a_delivery_is_first_once_until_it_is_forgotten(ledger: Ledgers) {
    assert!(ledger.remember_delivery("one", at(1_000)).await.unwrap());
    assert!(!ledger.remember_delivery("one", at(5_000)).await.unwrap());
    assert!(ledger.remember_delivery("other", at(2_000)).await.unwrap());
    let both = tokio::join!(
        ledger.remember_delivery("at once", at(3_000)),
        ledger.remember_delivery("at once", at(3_000)),
    );
    assert_ne!(both.0.unwrap(), both.1.unwrap(), "of two, one is the first");
    // It is remembered from when it came first.
    ledger.forget_deliveries(at(1_001)).await.unwrap();
    assert!(ledger.remember_delivery("one", at(9_000)).await.unwrap());
    assert!(!ledger.remember_delivery("other", at(9_000)).await.unwrap());
}

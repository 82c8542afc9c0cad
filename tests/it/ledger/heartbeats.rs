//! Signs of life, as every ledger keeps them: part of the suite of `conformance`.

use std::sync::Arc;

use assent_core::credential::KeyId;
use assent_core::digest::Digest;
use assent_core::id::CredentialId;
use assent_core::request::{Request, Standing};
use assent_core::time::{Span, Timestamp};
use assent_server::ledger::{Commit, Heartbeat, Ledger, Listened};

use super::kit::{
    alone, approval, at, beating, credential, done, file, file_waiting, granted_to_open, opening,
    person, rules, verified,
};

type Ledgers = Arc<dyn Ledger>;

/// The id of a key that signs.
fn key() -> KeyId {
    "A".repeat(43).parse().unwrap()
}

/// A credential that was handed out now and whose holder is listened for that often.
async fn handed_out(ledger: &Ledgers, every: Span, now: Timestamp) -> (Request, CredentialId) {
    let (granted, _) = done(ledger, file("staging", "r", now)).await;
    let id = credential(now);
    let (spent, _) = done(ledger, beating(&granted, id, every, now)).await;
    assert!(ledger.heartbeats(spent.id()).await.unwrap().is_empty(), "nobody holds it yet");
    let (minted, _) =
        done(ledger, spent.minted(id, Digest::of(b"token"), key(), now).unwrap()).await;
    (minted, id)
}

async fn beat_of(ledger: &Ledgers, request: &Request) -> Heartbeat {
    let [beat] = ledger.heartbeats(request.id()).await.unwrap().try_into().unwrap();
    beat
}

async fn silent(ledger: &Ledgers, now: Timestamp, limit: usize) -> Vec<CredentialId> {
    let silent = ledger.silent(now, limit).await.unwrap();
    let credential = |beat: Heartbeat| match beat.who {
        Listened::Holder(credential) => credential,
        Listened::Requester(request) => panic!("{request} is silent"),
    };
    silent.into_iter().map(credential).collect()
}

const MINUTE: i64 = 60_000;

pub(super) async fn a_holder_is_listened_for_from_the_token_on_to_its_end(ledger: Ledgers) {
    let (request, id) = handed_out(&ledger, Span::minutes(2), at(0)).await;
    let first = Heartbeat {
        request: request.id(),
        who: Listened::Holder(id),
        last: at(0),
        due: at(2 * MINUTE),
    };
    assert_eq!(beat_of(&ledger, &request).await, first);
    assert!(ledger.heard(Listened::Holder(id), at(MINUTE), at(3 * MINUTE)).await.unwrap());
    let second = Heartbeat { last: at(MINUTE), due: at(3 * MINUTE), ..first };
    assert_eq!(beat_of(&ledger, &request).await, second);
    // One that was sent before and arrives after it takes nothing back.
    assert!(ledger.heard(Listened::Holder(id), at(MINUTE / 2), at(MINUTE * 5 / 2)).await.unwrap());
    assert_eq!(beat_of(&ledger, &request).await, second);
    // Signs of life are no facts, and change no request.
    assert_eq!(ledger.load(request.id(), None).await.unwrap().as_ref(), Some(&request));
    let size = ledger.head().await.unwrap().size;
    let ended = request.complete(&person("alice"), at(2 * MINUTE)).unwrap();
    done(&ledger, ended).await;
    assert!(
        !ledger.heard(Listened::Holder(id), at(2 * MINUTE), at(4 * MINUTE)).await.unwrap(),
        "it is over"
    );
    assert!(ledger.heartbeats(request.id()).await.unwrap().is_empty());
    assert!(silent(&ledger, at(9 * MINUTE), 10).await.is_empty());
    assert!(verified(&ledger).await.entries > size);
}

pub(super) async fn nobody_is_heard_of_whom_nobody_listens_for(ledger: Ledgers) {
    let unknown = credential(at(0));
    assert!(!ledger.heard(Listened::Holder(unknown), at(0), at(MINUTE)).await.unwrap());
    let (granted, _) = done(&ledger, file("staging", "r", at(0))).await;
    let id = credential(at(0));
    let (spent, _) = done(&ledger, super::kit::spending(&granted, id, at(0))).await;
    done(&ledger, spent.minted(id, Digest::of(b"token"), key(), at(0)).unwrap()).await;
    assert!(
        !ledger.heard(Listened::Holder(id), at(1), at(MINUTE)).await.unwrap(),
        "it asked for no such thing"
    );
    assert!(ledger.heartbeats(granted.id()).await.unwrap().is_empty());
    assert!(silent(&ledger, at(5 * MINUTE), 10).await.is_empty());
}

pub(super) async fn the_silent_come_longest_due_first_and_only_while_they_are_good(
    ledger: Ledgers,
) {
    let (second, late) = handed_out(&ledger, Span::minutes(5), at(0)).await;
    let (_, soon) = handed_out(&ledger, Span::minutes(2), at(1)).await;
    let (_, last) = handed_out(&ledger, Span::minutes(9), at(2)).await;
    assert!(silent(&ledger, at(2 * MINUTE), 10).await.is_empty());
    assert_eq!(silent(&ledger, at(2 * MINUTE + 1), 10).await, [soon], "due is late");
    assert_eq!(silent(&ledger, at(10 * MINUTE), 10).await, [soon, late, last]);
    assert_eq!(silent(&ledger, at(10 * MINUTE), 2).await, [soon, late]);
    ledger.heard(Listened::Holder(soon), at(MINUTE), at(11 * MINUTE)).await.unwrap();
    assert_eq!(silent(&ledger, at(10 * MINUTE), 10).await, [late, last]);
    // Whose silence is on record is not silent again.
    let beat = beat_of(&ledger, &second).await;
    let lost = second.heartbeat_lost(late, beat.last, beat.due, at(10 * MINUTE)).unwrap();
    assert!(matches!(ledger.commit(alone(lost.clone())).await.unwrap(), Commit::Done(_)));
    assert_eq!(ledger.commit(alone(lost)).await.unwrap(), Commit::Conflict);
    assert_eq!(silent(&ledger, at(10 * MINUTE), 10).await, [last]);
    // What has expired by itself needs nobody's sign of life.
    assert!(silent(&ledger, at(16 * MINUTE), 10).await.is_empty());
    verified(&ledger).await;
}

pub(super) async fn who_could_not_be_heard_has_the_whole_time_again(ledger: Ledgers) {
    let (first, short) = handed_out(&ledger, Span::minutes(2), at(0)).await;
    let (second, long) = handed_out(&ledger, Span::minutes(5), at(0)).await;
    let now = at(4 * MINUTE);
    assert_eq!(silent(&ledger, now, 10).await, [short]);
    ledger.excuse(now).await.unwrap();
    assert!(silent(&ledger, now, 10).await.is_empty());
    let (one, other) = (beat_of(&ledger, &first).await, beat_of(&ledger, &second).await);
    assert_eq!((one.due, other.due), (at(6 * MINUTE), at(9 * MINUTE)));
    assert_eq!((one.last, other.last), (at(0), at(0)), "nobody was heard of for that");
    // Who has longer already does not lose it.
    ledger.excuse(at(MINUTE)).await.unwrap();
    assert_eq!(beat_of(&ledger, &first).await, one);
    assert_eq!(silent(&ledger, at(9 * MINUTE), 10).await, [short, long]);
}

pub(super) async fn who_waits_is_listened_for_until_it_is_decided(ledger: Ledgers) {
    let every = Span::minutes(2);
    let (granted, _) = done(&ledger, file_waiting("staging", every, at(0))).await;
    assert!(ledger.heartbeats(granted.id()).await.unwrap().is_empty(), "nobody waits for it");
    let (plain, _) = done(&ledger, file("production", "plain", at(0))).await;
    assert!(ledger.heartbeats(plain.id()).await.unwrap().is_empty(), "nobody asked for it");

    let (asked, _) = done(&ledger, file_waiting("production", every, at(0))).await;
    let who = Listened::Requester(asked.id());
    let first = Heartbeat { request: asked.id(), who, last: at(0), due: at(2 * MINUTE) };
    assert_eq!(beat_of(&ledger, &asked).await, first);
    assert!(ledger.heard(who, at(MINUTE), at(3 * MINUTE)).await.unwrap());
    let second = Heartbeat { last: at(MINUTE), due: at(3 * MINUTE), ..first };
    assert!(ledger.heard(who, at(0), at(2 * MINUTE)).await.unwrap(), "it takes nothing back");
    assert_eq!(beat_of(&ledger, &asked).await, second);
    // A review leaves it pending: it is waited for still, and nothing of that begins anew.
    let (reviewed, _) = done(&ledger, approval(&asked, "bob", at(MINUTE))).await;
    assert_eq!(beat_of(&ledger, &reviewed).await, second);
    assert!(ledger.silent(at(3 * MINUTE - 1), 10).await.unwrap().is_empty());
    assert_eq!(ledger.silent(at(3 * MINUTE), 10).await.unwrap(), [second]);
    ledger.excuse(at(3 * MINUTE)).await.unwrap();
    assert_eq!(beat_of(&ledger, &reviewed).await, Heartbeat { due: at(5 * MINUTE), ..second });
    // Beside a holder, whoever is due longest comes first.
    let (_, held) = handed_out(&ledger, every, at(2 * MINUTE)).await;
    let late = ledger.silent(at(6 * MINUTE), 10).await.unwrap();
    assert_eq!(late.iter().map(|b| b.who).collect::<Vec<_>>(), [Listened::Holder(held), who]);

    let (decided, _) = done(&ledger, approval(&reviewed, "carol", at(4 * MINUTE))).await;
    assert_eq!(decided.state().word(), "approved");
    assert!(ledger.heartbeats(decided.id()).await.unwrap().is_empty());
    assert!(!ledger.heard(who, at(4 * MINUTE), at(6 * MINUTE)).await.unwrap());

    let (lost, _) = done(&ledger, file_waiting("production", every, at(7 * MINUTE))).await;
    let beat = beat_of(&ledger, &lost).await;
    let step = lost.requester_lost(beat.last, beat.due, at(9 * MINUTE)).unwrap();
    let (ended, _) = done(&ledger, step.clone()).await;
    assert_eq!(ended.state().word(), "canceled");
    assert_eq!(ledger.commit(alone(step)).await.unwrap(), Commit::Conflict);
    assert!(ledger.heartbeats(lost.id()).await.unwrap().is_empty());
    assert_eq!(ledger.load(lost.id(), None).await.unwrap(), Some(ended), "it is replayed");
    verified(&ledger).await;
}

pub(super) async fn a_token_that_is_made_again_gives_the_whole_time_again(ledger: Ledgers) {
    let (request, id) = handed_out(&ledger, Span::minutes(2), at(0)).await;
    let again = request.minted(id, Digest::of(b"another"), key(), at(MINUTE)).unwrap();
    let (request, _) = done(&ledger, again).await;
    let beat = beat_of(&ledger, &request).await;
    assert_eq!((beat.last, beat.due), (at(MINUTE), at(3 * MINUTE)));
}

pub(super) async fn signs_of_life_are_forgotten_with_what_they_were_for(ledger: Ledgers) {
    let (request, id) = handed_out(&ledger, Span::minutes(2), at(0)).await;
    let end = request.credential(id).unwrap().expires_at;
    ledger.forget_exchanges(end).await.unwrap();
    assert_eq!(beat_of(&ledger, &request).await.who, Listened::Holder(id));
    ledger.forget_exchanges(end.plus(Span::seconds(1))).await.unwrap();
    assert!(ledger.heartbeats(request.id()).await.unwrap().is_empty());
    assert!(!ledger.heard(Listened::Holder(id), end, end).await.unwrap());
    assert_eq!(ledger.load(request.id(), None).await.unwrap(), Some(request));
}

pub(super) async fn what_may_be_good_or_is_open_outside_is_live_newest_first(ledger: Ledgers) {
    let live = async |now| ledger.live(now).await.unwrap();
    let (asked, _) = done(&ledger, file("production", "r", at(0))).await;
    let (granted, _) = done(&ledger, file("staging", "r", at(1))).await;
    let (minted, id) = handed_out(&ledger, Span::minutes(2), at(2)).await;
    let (brokered, _) = done(&ledger, granted_to_open("orders-db", at(3))).await;
    let opened = credential(at(3));
    let (brokered, _) = done(&ledger, opening(&brokered, opened, "orders-db", at(3))).await;
    assert_eq!(live(at(4)).await, [brokered.id(), minted.id(), granted.id()]);
    assert!(!live(at(4)).await.contains(&asked.id()), "nothing was granted");
    // Ended by its holder, by an administrator, by its time: each is gone from then on.
    let reason = "over".to_owned();
    let step = granted.revoke(
        &person("root"),
        Standing::Administrator,
        reason,
        &rules().membership(at(5)),
        at(5),
    );
    done(&ledger, step.unwrap()).await;
    assert_eq!(live(at(6)).await, [brokered.id(), minted.id()]);
    let end = minted.credential(id).unwrap().expires_at;
    assert!(live(end).await.contains(&brokered.id()), "it is open outside until it is closed");
    assert!(!live(end.plus(Span::hours(2))).await.contains(&minted.id()));
    let late = end.plus(Span::hours(2));
    done(&ledger, brokered.broker_closed(opened, late).unwrap()).await;
    assert!(live(late).await.is_empty());
}

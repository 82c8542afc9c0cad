//! Two at the same instant: over HTTP, on a ledger in a file, many times.

use std::sync::Arc;

use assent_client::{ClientError, wire};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Caller, Server, approve, deny, filing, fresh_key, mint};

/// How many races run side by side.
const ABREAST: usize = 20;

struct Track {
    server: Server,
    alice: Caller,
    bob: Caller,
    carol: Caller,
    _folder: tempfile::TempDir,
}

async fn track() -> Arc<Track> {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let (alice, bob, carol) = server.people().await;
    Arc::new(Track { server, alice, bob, carol, _folder: folder })
}

impl Track {
    async fn file(&self, environment: &str) -> wire::Request {
        self.alice.client.file(&filing(environment, "r"), &fresh_key()).await.unwrap()
    }

    /// The whole log, from its beginning: it must hold together.
    async fn verified(&self) -> wire::Summary {
        let (mut history, mut read) = (wire::History::default(), 0);
        loop {
            let next = self.alice.client.entries(read).await.unwrap();
            if next.entries.is_empty() {
                break;
            }
            for entry in &next.entries {
                history.read(entry).unwrap();
                read += 1;
            }
        }
        history.finish(&self.alice.client.checkpoint().await.unwrap()).unwrap()
    }
}

/// Runs a race this often and gathers how each went.
async fn run<F, T>(track: &Arc<Track>, times: usize, race: fn(Arc<Track>) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (mut running, mut results) = (JoinSet::new(), Vec::new());
    for _ in 0..times {
        if running.len() == ABREAST {
            results.extend(running.join_next().await.map(Result::unwrap));
        }
        running.spawn(race(Arc::clone(track)));
    }
    results.extend(running.join_all().await);
    results
}

/// Both do their part at the same instant.
async fn both<A, B>(
    one: impl Future<Output = A> + Send,
    other: impl Future<Output = B> + Send,
) -> (A, B) {
    let gate = Barrier::new(2);
    let one = async {
        gate.wait().await;
        one.await
    };
    let other = async {
        gate.wait().await;
        other.await
    };
    tokio::join!(one, other)
}

fn state(answer: &Result<wire::Request, ClientError>) -> Result<&str, &str> {
    answer.as_ref().map(|r| r.state.as_str()).map_err(|e| e.code().unwrap_or("no code"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_of_an_approval_and_a_denial_at_once_one_ends_it() {
    let track = track().await;
    let ends = run(&track, 500, |track| async move {
        let request = track.file("one").await;
        let (yes, no) = both(approve(&track.bob, &request), deny(&track.carol, &request)).await;
        let seen = track.alice.client.request(&request.id).await.unwrap();
        let end = match (state(&yes), state(&no)) {
            (Ok("approved"), Err("not_pending")) => "approved",
            (Err("not_pending"), Ok("denied")) => "denied",
            other => panic!("{other:?}"),
        };
        for refused in [yes.err(), no.err()].into_iter().flatten() {
            assert_eq!(refused.problem.unwrap().status, 409);
        }
        assert_eq!((seen.state.as_str(), seen.reviews.len()), (end, 1));
        end
    })
    .await;
    assert_eq!(ends.len(), 500);
    let summary = track.verified().await;
    let count = |word: &str| ends.iter().filter(|end| **end == word).count() as u64;
    for word in ["approved", "denied"] {
        assert_eq!(summary.states.get(word).copied().unwrap_or_default(), count(word), "{word}");
    }
    assert_eq!(summary.requests, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t14_two_approvals_at_once_always_grant() {
    let track = track().await;
    let versions = run(&track, 200, |track| async move {
        let request = track.file("production").await;
        let (one, other) =
            both(approve(&track.bob, &request), approve(&track.carol, &request)).await;
        let mut states = [state(&one).unwrap(), state(&other).unwrap()];
        states.sort_unstable();
        assert_eq!(states, ["approved", "pending"], "each sees what it brought about");
        let seen = track.alice.client.request(&request.id).await.unwrap();
        assert_eq!((seen.state.as_str(), seen.approved_by.len()), ("approved", 2));
        seen.version
    })
    .await;
    assert!(versions.iter().all(|version| *version == 5), "filed, two reviews, filled, approved");
    assert_eq!(track.verified().await.states.get("approved"), Some(&200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_a_denial_against_the_last_of_two_approvals_ends_it_once() {
    let track = track().await;
    run(&track, 100, |track| async move {
        let request = track.file("production").await;
        let dave = track.server.person("dave").await;
        approve(&track.bob, &request).await.unwrap();
        let (yes, no) = both(approve(&track.carol, &request), deny(&dave, &request)).await;
        let seen = track.alice.client.request(&request.id).await.unwrap();
        assert!(yes.is_ok() != no.is_ok(), "{yes:?} {no:?}");
        let end = if yes.is_ok() { "approved" } else { "denied" };
        assert_eq!((seen.state.as_str(), seen.reviews.len()), (end, 2));
    })
    .await;
    track.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t05_of_many_mints_at_once_one_is_done() {
    let track = track().await;
    run(&track, 40, |track| async move {
        let request = track.file("staging").await;
        let mints = (0..8).map(|_| {
            let (alice, request) = (track.alice.clone(), request.clone());
            async move { mint(&alice, &request).await }
        });
        let mut minted = 0;
        for answer in mints.collect::<JoinSet<_>>().join_all().await {
            match answer {
                Ok(_) => minted += 1,
                Err(refused) => assert_eq!(refused.code(), Some("not_approved"), "{refused}"),
            }
        }
        let seen = track.alice.client.request(&request.id).await.unwrap();
        assert_eq!((minted, seen.credentials.len()), (1, 1));
    })
    .await;
    track.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t05_of_many_redemptions_at_once_one_is_done() {
    let track = track().await;
    run(&track, 40, |track| async move {
        let request = track.file("staging").await;
        let token = assent_client::Secret::new(mint(&track.alice, &request).await.unwrap().token);
        let spending = (0..8).map(|_| {
            let (bob, token) = (track.bob.clone(), token.clone());
            async move { bob.client.redeem(&token, "aws", &fresh_key()).await }
        });
        let mut spent = 0;
        for answer in spending.collect::<JoinSet<_>>().join_all().await {
            match answer {
                Ok(_) => spent += 1,
                Err(refused) => assert_eq!(refused.code(), Some("credential_spent"), "{refused}"),
            }
        }
        assert_eq!(spent, 1);
    })
    .await;
    track.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t13_of_many_reviews_of_one_person_at_once_one_counts() {
    let track = track().await;
    run(&track, 40, |track| async move {
        let request = track.file("production").await;
        let reviews = (0..8).map(|_| {
            let (bob, request) = (track.bob.clone(), request.clone());
            async move { approve(&bob, &request).await }
        });
        let mut taken = 0;
        for answer in reviews.collect::<JoinSet<_>>().join_all().await {
            match answer {
                Ok(_) => taken += 1,
                Err(refused) => assert_eq!(refused.code(), Some("reviewed_already"), "{refused}"),
            }
        }
        let seen = track.alice.client.request(&request.id).await.unwrap();
        assert_eq!((taken, seen.reviews.len(), seen.state.as_str()), (1, 1, "pending"));
    })
    .await;
    track.verified().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_of_many_calls_with_one_key_at_once_all_are_answered_alike() {
    let track = track().await;
    run(&track, 40, |track| async move {
        let body = serde_json::to_value(filing("one", "r")).unwrap();
        let key = fresh_key();
        let calls = (0..8).map(|_| {
            let (alice, body, key) = (track.alice.clone(), body.clone(), key.clone());
            async move { alice.post_again(key.as_str(), "/v1/requests", &body).await.is(201).text }
        });
        let answers = calls.collect::<JoinSet<_>>().join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    })
    .await;
    assert_eq!(track.verified().await.requests, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_meets_an_open_request_at_once_meets_one() {
    let track = track().await;
    let ids = (0..30).map(|_| {
        let alice = track.alice.clone();
        let meeting = wire::Filing { reattach: true, ..filing("one", "r") };
        async move { alice.client.file(&meeting, &fresh_key()).await.unwrap().id }
    });
    let ids = ids.collect::<JoinSet<_>>().join_all().await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(track.verified().await.requests, 1);
}

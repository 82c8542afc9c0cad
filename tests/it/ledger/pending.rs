//! How many requests of one requester are pending.

use std::sync::Arc;

use assent_server::ledger::{Commit, Ledger, SqliteLedger, Write};
use rusqlite::Connection;

use super::kit::{alone, approval, at, called, done, file, person};

fn limited(reason: &str, millis: i64) -> Write {
    Write { most_pending: Some(2), ..alone(file("one", reason, at(millis))) }
}

async fn is_written(ledger: &Arc<dyn Ledger>, write: Write) -> bool {
    let before = ledger.head().await.unwrap();
    match ledger.commit(write).await.unwrap() {
        Commit::Done(_) => true,
        Commit::TooMany => {
            assert_eq!(ledger.head().await.unwrap(), before, "nothing is written");
            false
        }
        other @ (Commit::Conflict | Commit::Open(_) | Commit::Repeated(_)) => panic!("{other:?}"),
    }
}

pub(super) async fn t50_so_many_requests_of_one_requester_are_pending_and_no_more(
    ledger: Arc<dyn Ledger>,
) {
    let first = limited("first", 0);
    let request = first.step.next().clone();
    assert!(is_written(&ledger, first).await && is_written(&ledger, limited("second", 1)).await);
    assert!(!is_written(&ledger, limited("third", 2)).await);
    // What asks nobody is none of them.
    let permitted = Write { most_pending: Some(2), ..alone(file("staging", "s", at(3))) };
    assert!(is_written(&ledger, permitted).await);
    // A call that was answered is answered again.
    let again = Write { most_pending: Some(3), ..called(file("one", "key", at(4)), "key", "body") };
    assert!(is_written(&ledger, again.clone()).await);
    let again = Write { most_pending: Some(1), ..again };
    assert!(matches!(ledger.commit(again).await.unwrap(), Commit::Repeated(_)));
    // Whatever ends one makes room for one.
    done(&ledger, approval(&request, "bob", at(5))).await;
    assert!(!is_written(&ledger, limited("fourth", 6)).await);
    let second =
        ledger.list(assent_server::ledger::States::Only("pending"), None, 9).await.unwrap();
    assert_eq!(second.len(), 2);
    let canceled = second[0].cancel(&person("alice"), "enough".to_owned(), at(7)).unwrap();
    done(&ledger, canceled).await;
    assert!(is_written(&ledger, limited("fifth", 8)).await);
    assert!(!is_written(&ledger, limited("sixth", 9)).await);
}

pub(super) async fn t50_of_many_filings_at_once_so_many_are_written(ledger: Arc<dyn Ledger>) {
    let all = (0..24).map(|number| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let write = Write { most_pending: Some(5), ..alone(file("one", "r", at(number))) };
            matches!(ledger.commit(write).await.unwrap(), Commit::Done(_))
        })
    });
    let mut written = 0;
    for one in all.collect::<Vec<_>>() {
        written += usize::from(one.await.unwrap());
    }
    assert_eq!(written, 5);
}

#[tokio::test]
async fn t50_what_is_on_record_is_counted_when_a_ledger_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&path).unwrap());
    let (first, _) = done(&ledger, file("one", "a", at(0))).await;
    done(&ledger, file("one", "b", at(1))).await;
    done(&ledger, file("staging", "c", at(2))).await;
    drop(ledger);
    let lock = std::fs::File::open(path.with_extension("lock")).unwrap();
    crate::support::until("the end of the writer", || lock.try_lock().is_ok()).await;
    drop(lock);
    let tool = Connection::open(&path).unwrap();
    tool.execute_batch("DROP TABLE pending").unwrap();
    tool.pragma_update(None, "user_version", 20).unwrap();
    tool.close().unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(SqliteLedger::open(&path).unwrap());
    assert!(!is_written(&ledger, limited("d", 3)).await);
    done(&ledger, approval(&first, "bob", at(4))).await;
    assert!(is_written(&ledger, limited("e", 5)).await);
}

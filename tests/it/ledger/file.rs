//! The ledger's file: kept over a restart, refused where it is not what it should be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_core::wire::HistoryError;
use assent_server::ledger::{Commit, Ledger, SqliteLedger, States};
use rusqlite::Connection;

use super::kit::{approval, at, called, credential, done, file, spending, verified, verify};
use crate::support::until;

struct Kept {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn open(file: &Path) -> Arc<dyn Ledger> {
    Arc::new(SqliteLedger::open(file).unwrap())
}

fn empty() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    Kept { _folder: folder, file }
}

/// A file with some hundred events, closed in an orderly way.
async fn written() -> Kept {
    let kept = empty();
    let ledger = open(&kept.file);
    for millis in 0..60 {
        let (filed, _) = done(&ledger, file("production", "r", at(millis))).await;
        done(&ledger, approval(&filed, "bob", at(millis))).await;
    }
    closed(ledger, &kept.file).await;
    kept
}

/// Closes a ledger and waits until its thread has let the file go. What is in the write-ahead log
/// is then brought into the file: two who close at once may each leave that to the other.
async fn closed(ledger: Arc<dyn Ledger>, file: &Path) {
    drop(ledger);
    let lock = std::fs::File::open(file.with_extension("lock")).unwrap();
    until("the end of the writer", || lock.try_lock().is_ok()).await;
    let tool = Connection::open(file).unwrap();
    tool.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    tool.close().unwrap();
    assert!(!PathBuf::from(format!("{}-wal", file.display())).exists());
}

#[track_caller]
fn refusal(file: &Path) -> String {
    let refused = SqliteLedger::open(file).map(drop).expect_err("it was opened");
    let cause = std::error::Error::source(&refused).map_or_else(String::new, ToString::to_string);
    assert!(refused.to_string().contains(&file.display().to_string()), "{refused}");
    format!("{refused} {cause}")
}

#[track_caller]
fn check(file: &Path, said: &str) {
    let refusal = refusal(file);
    assert!(refusal.contains(said), "`{refusal}` does not say `{said}`");
}

#[tokio::test]
async fn a_ledger_opened_again_has_everything() {
    let kept = empty();
    let ledger = open(&kept.file);
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    let (first, _) = done(&ledger, approval(&filed, "bob", at(1))).await;
    done(&ledger, approval(&first, "carol", at(2))).await;
    let (permitted, _) = done(&ledger, file("staging", "r", at(3))).await;
    let spent = credential(at(4));
    done(&ledger, spending(&permitted, spent, at(4))).await;
    let write = called(file("one", "r", at(5)), "key", "body");
    let key = write.call.as_ref().unwrap().key;
    assert!(matches!(ledger.commit(write).await.unwrap(), Commit::Done(_)));
    let all = ledger.list(States::Any, None, 100).await.unwrap();
    let (head, call) = (ledger.head().await.unwrap(), ledger.recall(key).await.unwrap());
    closed(ledger, &kept.file).await;

    let ledger = open(&kept.file);
    assert_eq!(ledger.list(States::Any, None, 100).await.unwrap(), all);
    assert_eq!(ledger.head().await.unwrap(), head);
    assert_eq!(ledger.recall(key).await.unwrap(), call);
    assert_eq!(ledger.request_of(spent).await.unwrap(), Some(permitted.id()));
    assert_eq!(verified(&ledger).await.root, head.root.hex());
    done(&ledger, file("production", "after", at(6))).await;
    assert_eq!(verified(&ledger).await.entries, head.size + 1);
}

#[tokio::test]
async fn t53_a_changed_row_is_noticed_by_whoever_verifies() {
    for (change, readable) in [
        (
            "UPDATE event SET body = CAST(replace(CAST(body AS TEXT), 'bob', 'eve') AS BLOB) \
            WHERE seq = 1",
            true,
        ),
        ("UPDATE log_head SET size = 119", false),
        ("DELETE FROM event WHERE seq = 119", false),
    ] {
        let kept = written().await;
        let tool = Connection::open(&kept.file).unwrap();
        tool.pragma_update(None, "foreign_keys", "OFF").unwrap();
        assert_eq!(tool.execute(change, []).unwrap(), 1, "{change}");
        drop(tool);
        if readable {
            let told = verify(&open(&kept.file)).await;
            assert!(matches!(told, Err(HistoryError::OtherLog { .. })), "{told:?}");
        } else {
            check(&kept.file, "damaged");
        }
    }
}

#[tokio::test]
async fn t57_a_damaged_file_is_refused() {
    let kept = written().await;
    let whole = std::fs::read(&kept.file).unwrap();
    std::fs::write(&kept.file, &whole[..whole.len() / 2]).unwrap();
    check(&kept.file, "damaged");
    let mut scribbled = whole.clone();
    scribbled[4096..8192].fill(0xa5);
    std::fs::write(&kept.file, &scribbled).unwrap();
    check(&kept.file, "damaged");
    std::fs::write(&kept.file, &whole).unwrap();
    assert_eq!(verified(&open(&kept.file)).await.entries, 120);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let kept = written().await;
    let tool = Connection::open(&kept.file).unwrap();
    tool.pragma_update(None, "user_version", 99).unwrap();
    drop(tool);
    let before = std::fs::read(&kept.file).unwrap();
    check(&kept.file, "schema 99, newer than this Assent knows");
    assert_eq!(std::fs::read(&kept.file).unwrap(), before);
}

#[tokio::test]
async fn an_older_schema_is_not_taken_for_the_one_of_today() {
    let kept = written().await;
    let tool = Connection::open(&kept.file).unwrap();
    let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let today = tool.pragma_query_value(None, "user_version", read).unwrap();
    for version in [0, -1] {
        tool.pragma_update(None, "user_version", version).unwrap();
        refusal(&kept.file);
    }
    tool.pragma_update(None, "user_version", today).unwrap();
    drop(tool);
    assert_eq!(verified(&open(&kept.file)).await.entries, 120);
}

#[tokio::test]
async fn a_ledger_of_the_first_schema_is_brought_up_to_date() {
    let kept = empty();
    let old = Connection::open(&kept.file).unwrap();
    old.execute_batch(include_str!("../../../server/migrations/sqlite/0001_ledger.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.pragma_update(None, "application_id", 0x6173_6e74).unwrap();
    drop(old);
    let ledger = open(&kept.file);
    let (filed, _) = done(&ledger, file("production", "r", at(0))).await;
    assert_eq!(ledger.load(filed.id(), None).await.unwrap().unwrap(), filed);
    assert!(ledger.later_reviews().await.unwrap().is_empty());
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let kept = empty();
    std::fs::write(&kept.file, "Dear diary, ".repeat(1_000)).unwrap();
    check(&kept.file, "is not an Assent ledger");
    assert!(std::fs::read_to_string(&kept.file).unwrap().starts_with("Dear diary"));

    let kept = empty();
    let other = Connection::open(&kept.file).unwrap();
    other.execute_batch("CREATE TABLE song (title TEXT); INSERT INTO song VALUES ('x')").unwrap();
    drop(other);
    let before = std::fs::read(&kept.file).unwrap();
    check(&kept.file, "is not an Assent ledger");
    assert_eq!(std::fs::read(&kept.file).unwrap(), before);
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no/such/folder/ledger.sqlite");
    check(&file, "cannot be ");
}

#[tokio::test]
async fn a_second_authority_is_kept_away_from_the_same_file() {
    let kept = empty();
    let first = open(&kept.file);
    done(&first, file("production", "r", at(0))).await;
    check(&kept.file, "is in use by another Assent");
    done(&first, file("production", "r", at(1))).await;
    closed(first, &kept.file).await;
    assert_eq!(verified(&open(&kept.file)).await.entries, 2);
}

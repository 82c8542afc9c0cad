//! Opening the file, or saying why not.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::listing;

/// `asnt`, so that tools tell what the file is.
const APPLICATION: i32 = 0x6173_6e74;
/// Each migration brings the schema from its index to the next number.
const MIGRATIONS: [&str; 23] = [
    include_str!("../../../migrations/sqlite/0001_ledger.sql"),
    include_str!("../../../migrations/sqlite/0002_beside.sql"),
    include_str!("../../../migrations/sqlite/0003_exchange.sql"),
    include_str!("../../../migrations/sqlite/0004_brokers.sql"),
    include_str!("../../../migrations/sqlite/0005_exact.sql"),
    include_str!("../../../migrations/sqlite/0006_keys.sql"),
    include_str!("../../../migrations/sqlite/0007_signals.sql"),
    include_str!("../../../migrations/sqlite/0008_heartbeats.sql"),
    include_str!("../../../migrations/sqlite/0009_plan_bytes.sql"),
    include_str!("../../../migrations/sqlite/0010_device.sql"),
    include_str!("../../../migrations/sqlite/0011_partners.sql"),
    include_str!("../../../migrations/sqlite/0012_deliveries.sql"),
    include_str!("../../../migrations/sqlite/0013_gates.sql"),
    include_str!("../../../migrations/sqlite/0014_waiting.sql"),
    include_str!("../../../migrations/sqlite/0015_approved.sql"),
    include_str!("../../../migrations/sqlite/0016_people.sql"),
    include_str!("../../../migrations/sqlite/0017_passkeys.sql"),
    include_str!("../../../migrations/sqlite/0018_listing.sql"),
    include_str!("../../../migrations/sqlite/0019_notices.sql"),
    include_str!("../../../migrations/sqlite/0020_asked_by.sql"),
    include_str!("../../../migrations/sqlite/0021_pending.sql"),
    include_str!("../../../migrations/sqlite/0022_named.sql"),
    include_str!("../../../migrations/sqlite/0023_addresses.sql"),
];

/// The migration after which what is on record is listed.
const LISTED_SINCE: usize = 18;

/// The migration after which it is kept whom a listed request names.
const NAMED_SINCE: usize = 22;

/// Why a ledger's file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer Assent wrote it.
    #[error(
        "{} has schema {found}, newer than this Assent knows ({known}): use the newer Assent",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest known.
        known: usize,
    },
    /// Some other program's database, or no database.
    #[error("{} is not an Assent ledger", .0.display())]
    Foreign(PathBuf),
    /// Its pages or its log do not hold together.
    #[error("{} is damaged: {problem}; restore it from a backup", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What was found.
        problem: String,
    },
    /// Another Assent has it.
    #[error("{} is in use by another Assent", .0.display())]
    InUse(PathBuf),
    /// The file system or SQLite refuses.
    #[error("{} cannot be opened", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file beside it, which keeps a second Assent away, cannot be had.
    #[error("{} cannot be locked", file.display())]
    Lock {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No thread to be had.
    #[error("no thread for the ledger's writer")]
    Thread(#[source] std::io::Error),
}

pub(super) fn reader(file: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// The one connection that writes. As long as it is held, nobody else gets another.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) connection: Connection,
    // Let go after the connection is closed: fields are dropped in order.
    _lock: File,
}

pub(super) fn writer(file: &Path) -> Result<Owned, OpenError> {
    let refused = |source| refusal(file, source);
    make_private(file)?;
    let mut connection = Connection::open(file).map_err(refused)?;
    let lock = lock(file)?;
    let is_new = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map_err(refused)?
        == 0;
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let found: i64 = pragma("user_version").map_err(refused)?;
    let application: i64 = pragma("application_id").map_err(refused)?;
    if !is_new && application != i64::from(APPLICATION) {
        return Err(OpenError::Foreign(file.to_owned()));
    }
    let known = MIGRATIONS.len();
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    if done > known {
        return Err(OpenError::Newer { file: file.to_owned(), found, known });
    }
    prepare(&connection).map_err(refused)?;
    migrate(&mut connection, done, file)?;
    if !is_new {
        check(&connection, file)?;
    }
    Ok(Owned { connection, _lock: lock })
}

/// A new ledger is its owner's alone, whatever directory it lies in; SQLite gives the files beside
/// it the same mode.
fn make_private(file: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let made = options.open(file).map(drop);
    made.map_err(|source| OpenError::Lock { file: file.to_owned(), source })
}

/// Keeps a second authority away: its writer would not know what ours has appended to the log.
/// SQLite's own exclusive lock cannot, because in WAL mode it would keep our readers away too.
/// One that is just ending is waited for.
fn lock(file: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Lock { file: file.to_owned(), source };
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    let lock = options.open(file.with_extension("lock")).map_err(failed)?;
    for _ in 0..50 {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Err(OpenError::InUse(file.to_owned()))
}

/// Durable against power loss, not only against a crash (SQLite documentation, `synchronous`).
fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

fn migrate(connection: &mut Connection, done: usize, file: &Path) -> Result<(), OpenError> {
    let refused = |source| refusal(file, source);
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(refused)?;
        transaction.execute_batch(migration).map_err(refused)?;
        let added = match index + 1 {
            LISTED_SINCE => listing::rebuild(&transaction),
            NAMED_SINCE => listing::rebuild_names(&transaction),
            _ => Ok(()),
        };
        let damaged = |problem| OpenError::Damaged { file: file.to_owned(), problem };
        added.map_err(|error| damaged(error.to_string()))?;
        transaction.pragma_update(None, "user_version", index + 1).map_err(refused)?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(refused)?;
        transaction.commit().map_err(refused)?;
    }
    Ok(())
}

fn check(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let damaged = |problem| OpenError::Damaged { file: file.to_owned(), problem };
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|source| refusal(file, source))?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    let sql = "SELECT (SELECT size FROM log_head), (SELECT coalesce(max(seq) + 1, 0) FROM event)";
    let (promised, found): (i64, i64) = connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|source| refusal(file, source))?;
    if promised != found {
        return Err(damaged(format!("its log has {found} entries, but {promised} were written")));
    }
    Ok(())
}

fn refusal(file: &Path, source: rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode;
    let file = file.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(file),
        Some(ErrorCode::DatabaseCorrupt) => {
            OpenError::Damaged { file, problem: source.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::InUse(file),
        _ => OpenError::Refused { file, source },
    }
}

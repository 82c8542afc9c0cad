//! The ledger in one SQLite file: WAL, `synchronous=FULL`, one writer thread.
//!
//! The writer takes whatever steps are waiting, commits them as a group and acknowledges them only
//! then: one sync to the disk serves many callers, and an idle ledger waits for nobody. Reads go
//! through a few connections of their own and never wait for the writer.

mod gates;
mod listing;
mod open;
mod outbox;
mod passkeys;
mod people;
mod read;
mod row;
mod write;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use assent_core::absence::Absence;
use assent_core::access::{Access, AccessStep};
use assent_core::digest::Digest;
use assent_core::id::{AccessId, CredentialId, PasskeyId, RequestId, SignalId, UploadId};
use assent_core::passkey::{Passkey, PasskeyStep};
use assent_core::principal::PrincipalId;
use assent_core::request::{Event, Request, Version};
use assent_core::sign_in::Link;
use assent_core::time::Timestamp;
use async_trait::async_trait;
use rusqlite::Connection;
use serde_json::Value;
use tokio::sync::oneshot;

pub use open::OpenError;
pub use write::Grouping;

use crate::ledger::outbox::Outbox;
use crate::ledger::{
    Account, Beginning, Call, Commit, Gate, GateKey, Head, Hearing, Heartbeat, Keeping,
    KeptDocument, KeptSignal, KeptTold, KeyChange, Ledger, LedgerError, Listed, Listened,
    LogSearch, Met, Opening, Piece, PlanText, Refusal, SealedKey, Search, Spent, States, Tally,
    Write,
};

/// Requests in a SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    jobs: mpsc::SyncSender<write::Job>,
    readers: Arc<Readers>,
}

#[derive(Debug)]
struct Readers(Mutex<Vec<Connection>>, std::path::PathBuf);

impl Readers {
    fn take(&self) -> Result<Connection, LedgerError> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open::reader(&self.1).map_err(unavailable), Ok)
    }

    fn give(&self, reader: Connection) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < 8 {
            idle.push(reader);
        }
    }
}

impl SqliteLedger {
    /// Opens the file, creates it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`OpenError`]: a newer schema, a file that is something else or damaged, no access.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        Self::open_grouping(file, Grouping::Waiting)
    }

    /// As [`SqliteLedger::open`], with another way of grouping commits: for measuring.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_grouping(file: &Path, grouping: Grouping) -> Result<Self, OpenError> {
        let owned = open::writer(file)?;
        let (jobs, waiting) = mpsc::sync_channel(4096);
        let writer = write::Writer::new(owned, grouping)?;
        std::thread::Builder::new()
            .name("ledger-writer".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(OpenError::Thread)?;
        let readers = Arc::new(Readers(Mutex::new(Vec::new()), file.to_owned()));
        Ok(Self { jobs, readers })
    }

    async fn write<T: Send>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, LedgerError>>) -> write::Job,
    ) -> Result<T, LedgerError> {
        let (done, answer) = oneshot::channel();
        let mut job = job(done);
        // The queue is full only when thousands of callers wait; yielding lets them drain.
        loop {
            match self.jobs.try_send(job) {
                Ok(()) => break,
                Err(mpsc::TrySendError::Full(back)) => {
                    job = back;
                    tokio::task::yield_now().await;
                }
                Err(mpsc::TrySendError::Disconnected(_)) => return Err(gone()),
            }
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let readers = Arc::clone(&self.readers);
        let work = move || {
            let reader = readers.take()?;
            let answer = query(&reader);
            if answer.is_ok() {
                readers.give(reader);
            }
            answer
        };
        tokio::task::spawn_blocking(work).await.map_err(unavailable)?
    }
}

fn gone() -> LedgerError {
    unavailable(std::io::Error::other("the ledger's writer has stopped"))
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Unavailable(Box::new(error))
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn load(
        &self,
        id: RequestId,
        at: Option<Version>,
    ) -> Result<Option<Request>, LedgerError> {
        self.read(move |db| read::request(db, id, at)).await
    }

    async fn commit(&self, write: Write) -> Result<Commit, LedgerError> {
        let leaves = write::Leaf::all_of(&write.step);
        self.write(|done| write::Job::Step(Box::new(write), leaves, done)).await
    }

    async fn remember(&self, met: Met) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Remember(met, done)).await
    }

    async fn commit_access(&self, step: AccessStep) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Access(Box::new(step), done)).await
    }

    async fn commit_exchange(
        &self,
        step: AccessStep,
        spent: Option<Spent>,
    ) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Exchange(Box::new(step), spent, done)).await
    }

    async fn forget_exchanges(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::ForgetExchanges(before, done)).await
    }

    async fn remember_delivery(&self, id: &str, at: Timestamp) -> Result<bool, LedgerError> {
        let id = id.to_owned();
        self.write(|done| write::Job::Delivery(id, at, done)).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::ForgetDeliveries(before, done)).await
    }

    async fn recall(&self, key: Digest) -> Result<Option<Call>, LedgerError> {
        self.read(move |db| read::call(db, key)).await
    }

    async fn newest_with(&self, intent: Digest) -> Result<Option<RequestId>, LedgerError> {
        self.read(move |db| read::newest_with(db, intent)).await
    }

    async fn newest_of(
        &self,
        intent: Digest,
        who: &PrincipalId,
    ) -> Result<Option<RequestId>, LedgerError> {
        let who = row::requester_key(who);
        self.read(move |db| read::newest_of(db, intent, &who)).await
    }

    async fn last_approved(
        &self,
        who: &PrincipalId,
        environment: &str,
        kind: &str,
    ) -> Result<Option<RequestId>, LedgerError> {
        let who = row::requester_key(who);
        let (environment, kind) = (environment.to_owned(), kind.to_owned());
        self.read(move |db| read::last_approved(db, &who, &environment, &kind)).await
    }

    async fn begin(&self, beginning: Beginning) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Begin(Box::new(beginning), done)).await
    }

    async fn request_of(&self, credential: CredentialId) -> Result<Option<RequestId>, LedgerError> {
        self.read(move |db| read::request_of(db, credential)).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RequestId>, LedgerError> {
        self.read(move |db| read::due(db, now, limit)).await
    }

    async fn closings(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.read(move |db| read::closings(db, now)).await
    }

    async fn errands(&self) -> Result<Vec<RequestId>, LedgerError> {
        self.read(read::errands).await
    }

    async fn live(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.read(move |db| read::live(db, now)).await
    }

    async fn heard(
        &self,
        who: Listened,
        last: Timestamp,
        due: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Heard { who, last, due, done }).await
    }

    async fn heartbeats(&self, request: RequestId) -> Result<Vec<Heartbeat>, LedgerError> {
        self.read(move |db| read::heartbeats(db, request)).await
    }

    async fn silent(&self, now: Timestamp, limit: usize) -> Result<Vec<Heartbeat>, LedgerError> {
        self.read(move |db| read::silent(db, now, limit)).await
    }

    async fn excuse(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Excuse(now, done)).await
    }

    async fn gate(&self, key: GateKey) -> Result<Option<Gate>, LedgerError> {
        self.read(move |db| gates::one(db, &key)).await
    }

    async fn gate_of(&self, request: RequestId) -> Result<Option<Gate>, LedgerError> {
        self.read(move |db| gates::of(db, request)).await
    }

    async fn open_gates(&self) -> Result<Vec<Gate>, LedgerError> {
        self.read(gates::open).await
    }

    async fn gates_of_run(&self, repository: u64, run: u64) -> Result<Vec<Gate>, LedgerError> {
        self.read(move |db| gates::of_run(db, repository, run)).await
    }

    async fn guarded(&self) -> Result<Vec<(String, String, u64)>, LedgerError> {
        self.read(gates::guarded).await
    }

    async fn keep_gate(&self, gate: Gate) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Gate(Box::new(gate), done)).await
    }

    async fn forget_gates(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::ForgetGates(before, done)).await
    }

    async fn list(
        &self,
        states: States,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        self.read(move |db| read::list(db, states, before, limit)).await
    }

    async fn open_requests(&self, limit: usize) -> Result<Vec<(RequestId, Version)>, LedgerError> {
        self.read(move |db| read::open_requests(db, limit)).await
    }

    async fn filed_by(
        &self,
        who: &PrincipalId,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        let who = row::requester_key(who);
        self.read(move |db| read::filed_by(db, &who, before, limit)).await
    }

    async fn history(&self, id: RequestId) -> Result<Vec<Event>, LedgerError> {
        let events = self.read(move |db| read::all_events(db, id)).await?;
        Ok(events.map(|(_, events)| events).unwrap_or_default())
    }

    async fn search(&self, search: Search) -> Result<Vec<Listed>, LedgerError> {
        self.read(move |db| listing::search(db, &search)).await
    }

    async fn tallies(
        &self,
        days: std::ops::RangeInclusive<i64>,
    ) -> Result<Vec<Tally>, LedgerError> {
        self.read(move |db| listing::tallies(db, *days.start(), *days.end())).await
    }

    async fn note_opening(&self, opening: Opening) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Opening(opening, done)).await
    }

    async fn search_log(&self, search: LogSearch) -> Result<Vec<(u64, Value)>, LedgerError> {
        self.read(move |db| listing::search_log(db, &search)).await
    }

    async fn absences(&self) -> Result<Vec<Absence>, LedgerError> {
        self.read(listing::absences).await
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<Value>, LedgerError> {
        self.read(move |db| read::entries(db, from, limit)).await
    }

    async fn head(&self) -> Result<Head, LedgerError> {
        self.read(|db| read::head(db).map(|(frontier, at)| Head::of(&frontier, at))).await
    }

    async fn access(&self, id: AccessId) -> Result<Option<Access>, LedgerError> {
        self.read(move |db| read::access(db, id)).await
    }

    async fn accesses(&self) -> Result<Vec<Access>, LedgerError> {
        self.read(read::accesses).await
    }

    async fn accesses_of(&self, who: &PrincipalId) -> Result<Vec<Access>, LedgerError> {
        let who = who.clone();
        self.read(move |db| people::accesses_of(db, &who)).await
    }

    async fn accesses_by_sid(&self, sid: &str) -> Result<Vec<Access>, LedgerError> {
        let sid = sid.to_owned();
        self.read(move |db| people::accesses_by_sid(db, &sid)).await
    }

    async fn see(&self, access: AccessId, at: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::See(access, at, done)).await
    }

    async fn seen(&self) -> Result<Vec<(AccessId, Timestamp)>, LedgerError> {
        self.read(people::seen).await
    }

    async fn keep_account(
        &self,
        account: Account,
        entry: Option<(Value, Timestamp)>,
    ) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Account(Box::new(account), entry, done)).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        self.read(people::accounts).await
    }

    async fn keep_link(&self, link: Link, entry: Value, at: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Link(Box::new(link), entry, at, done)).await
    }

    async fn links(&self) -> Result<Vec<Link>, LedgerError> {
        self.read(people::links).await
    }

    async fn later_reviews(&self) -> Result<Vec<RequestId>, LedgerError> {
        self.read(read::later_reviews).await
    }

    async fn keep(&self, keeping: Keeping) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Keep(Box::new(keeping), done)).await
    }

    async fn plan(&self, digest: Digest) -> Result<Option<PlanText>, LedgerError> {
        self.read(move |db| read::plan(db, digest)).await
    }

    async fn has_plan_of(&self, digest: Digest, who: &PrincipalId) -> Result<bool, LedgerError> {
        let who = row::requester_key(who);
        self.read(move |db| read::has_plan_of(db, digest, &who)).await
    }

    async fn plan_of_saved(
        &self,
        saved: Digest,
        who: &PrincipalId,
    ) -> Result<Option<Digest>, LedgerError> {
        let who = row::requester_key(who);
        self.read(move |db| read::plan_of_saved(db, saved, &who)).await
    }

    async fn signals(&self) -> Result<Vec<KeptSignal>, LedgerError> {
        self.read(read::signals).await
    }

    async fn hear(&self, hearing: Hearing) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Hear(Box::new(hearing), done)).await
    }

    async fn told(&self) -> Result<Vec<KeptTold>, LedgerError> {
        self.read(read::told).await
    }

    async fn settle(&self, signals: Vec<SignalId>) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Settle(signals, done)).await
    }

    async fn forget_told(
        &self,
        before: Timestamp,
        but: Vec<SignalId>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.write(|done| write::Job::ForgetTold { before, but, now, done }).await
    }

    async fn within_reach(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.read(move |db| read::within_reach(db, now)).await
    }

    async fn documents(&self) -> Result<Vec<KeptDocument>, LedgerError> {
        self.read(read::documents).await
    }

    async fn document(&self, name: &str) -> Result<Vec<KeptDocument>, LedgerError> {
        let name = name.to_owned();
        self.read(move |db| read::document(db, &name)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, LedgerError> {
        self.read(read::signing_keys).await
    }

    async fn commit_keys(&self, change: KeyChange) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Keys(Box::new(change), done)).await
    }

    async fn write_piece(&self, piece: Piece) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Piece(piece, done)).await
    }

    async fn piece(&self, upload: UploadId, number: u32) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(move |db| read::piece(db, upload, number)).await
    }

    async fn kept_bytes(&self, who: &PrincipalId) -> Result<u64, LedgerError> {
        let who = row::requester_key(who);
        self.read(move |db| read::kept_bytes(db, &who)).await
    }

    async fn forget_pieces(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::ForgetPieces(before, done)).await
    }

    async fn note_refusal(&self, refusal: Refusal) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Refusal(Box::new(refusal), done)).await
    }

    fn outbox(&self) -> &dyn Outbox {
        self
    }

    async fn commit_passkey(&self, step: PasskeyStep) -> Result<bool, LedgerError> {
        self.write(|done| write::Job::Passkey(Box::new(step), done)).await
    }

    async fn passkeys_of(&self, who: &PrincipalId) -> Result<Vec<Passkey>, LedgerError> {
        let who = who.clone();
        self.read(move |db| passkeys::of(db, &who)).await
    }

    async fn passkey(&self, id: PasskeyId) -> Result<Option<Passkey>, LedgerError> {
        self.read(move |db| passkeys::one(db, id)).await
    }

    async fn passkey_with(&self, credential: &[u8]) -> Result<Option<Passkey>, LedgerError> {
        let credential = credential.to_vec();
        self.read(move |db| passkeys::with(db, &credential)).await
    }

    async fn passkey_entries(&self, id: PasskeyId) -> Result<Vec<(u64, Value)>, LedgerError> {
        self.read(move |db| passkeys::entries(db, id)).await
    }

    async fn request_entries(&self, id: RequestId) -> Result<Vec<(u64, Value)>, LedgerError> {
        self.read(move |db| match read::head_of(db, id)? {
            Some(head) => passkeys::of_request(db, head),
            None => Ok(Vec::new()),
        })
        .await
    }

    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Digest>, LedgerError> {
        self.read(move |db| read::leaves(db, from, limit)).await
    }

    async fn forget_calls(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.write(|done| write::Job::Forget(before, done)).await
    }
}

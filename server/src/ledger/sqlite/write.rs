//! The one writer: a group of steps, one transaction, then the acknowledgements.

use std::sync::mpsc::Receiver;

use assent_core::access::AccessStep;
use assent_core::audit::{Frontier, leaf_hash};
use assent_core::digest::Digest;
use assent_core::id::{AccessId, SignalId};
use assent_core::passkey::PasskeyStep;
use assent_core::request::{Event, Fact, Receipt, Request, State, Step, Version, Word};
use assent_core::sign_in::Link;
use assent_core::time::Timestamp;
use assent_core::wire;
use rusqlite::{Connection, OptionalExtension as _, ToSql, Transaction, TransactionBehavior};
use serde_json::Value;
use tokio::sync::oneshot;

use super::open::{OpenError, Owned};
use super::outbox::{self, Post};
use super::row::{StoredAccess, StoredKey, requester_key};
use super::{listing, passkeys, read, unavailable};
use crate::ledger::{
    Account, Beginning, Call, Commit, Gate, Hearing, Keeping, Kept, KeyChange, LedgerError,
    Listened, Met, NewCall, Opening, Piece, REFUSALS, REFUSALS_OF_ONE, Refusal, SealedKey, Spent,
    Write, awaits_later_review,
};

type Done<T> = oneshot::Sender<Result<T, LedgerError>>;

/// Something to write, and whom to tell.
pub(super) enum Job {
    Step(Box<Write>, Vec<Leaf>, Done<Commit>),
    Passkey(Box<PasskeyStep>, Done<bool>),
    Access(Box<AccessStep>, Done<()>),
    Exchange(Box<AccessStep>, Option<Spent>, Done<bool>),
    Remember(Met, Done<()>),
    Keep(Box<Keeping>, Done<()>),
    Keys(Box<KeyChange>, Done<()>),
    Begin(Box<Beginning>, Done<bool>),
    Hear(Box<Hearing>, Done<bool>),
    Settle(Vec<SignalId>, Done<()>),
    ForgetTold { before: Timestamp, but: Vec<SignalId>, now: Timestamp, done: Done<()> },
    Heard { who: Listened, last: Timestamp, due: Timestamp, done: Done<bool> },
    Excuse(Timestamp, Done<()>),
    Forget(Timestamp, Done<()>),
    ForgetExchanges(Timestamp, Done<()>),
    Delivery(String, Timestamp, Done<bool>),
    ForgetDeliveries(Timestamp, Done<()>),
    Piece(Piece, Done<()>),
    ForgetPieces(Timestamp, Done<()>),
    Refusal(Box<Refusal>, Done<bool>),
    See(AccessId, Timestamp, Done<()>),
    Account(Box<Account>, Option<(Value, Timestamp)>, Done<()>),
    Link(Box<Link>, Value, Timestamp, Done<()>),
    Gate(Box<Gate>, Done<()>),
    Opening(Opening, Done<()>),
    ForgetGates(Timestamp, Done<()>),
    Post(Box<Post>, Done<()>),
}

/// An entry ready to be written. Made by the caller, because the writer is one for all.
#[derive(Debug)]
pub(super) struct Leaf {
    body: Vec<u8>,
    hash: Digest,
    marks: Vec<Vec<u8>>,
}

impl Leaf {
    /// The entries of a step, in order.
    pub(super) fn all_of(step: &Step) -> Vec<Self> {
        step.events().iter().map(|event| Self::of(&wire::event_to_json(event))).collect()
    }

    fn of(entry: &Value) -> Self {
        let body = wire::entry_bytes(entry);
        Self { hash: leaf_hash(&body), body, marks: listing::marks(entry) }
    }
}

/// How many steps share one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Whatever is waiting when the writer is free.
    Waiting,
    /// One by one: what group commit is measured against.
    Single,
}

/// No group is larger, so that the first in it does not wait for a thousand others.
const LARGEST_GROUP: usize = 512;

pub(super) struct Writer {
    owned: Owned,
    frontier: Frontier,
    last: Timestamp,
    grouping: Grouping,
}

/// An answer that may be given once the transaction is durable.
type Acknowledge = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

impl Writer {
    pub(super) fn new(owned: Owned, grouping: Grouping) -> Result<Self, OpenError> {
        let head = read::head(&owned.connection);
        let (frontier, last) = head.map_err(|error| OpenError::Damaged {
            file: owned.connection.path().unwrap_or_default().into(),
            problem: error.to_string(),
        })?;
        Ok(Self { owned, frontier, last, grouping })
    }

    pub(super) fn run(mut self, waiting: &Receiver<Job>) {
        while let Ok(first) = waiting.recv() {
            let mut group = vec![first];
            if self.grouping == Grouping::Waiting {
                group.extend(waiting.try_iter().take(LARGEST_GROUP - 1));
            }
            self.write(group);
        }
    }

    /// Writes a group. Until the commit has returned, nobody is told anything; if it fails, nothing
    /// of the group is written and each caller is told that the outcome is not known.
    fn write(&mut self, group: Vec<Job>) {
        let before = (self.frontier.clone(), self.last);
        match self.try_write(group) {
            Ok(acknowledgements) => {
                for acknowledge in acknowledgements {
                    acknowledge(Ok(()));
                }
            }
            Err((error, acknowledgements)) => {
                tracing::error!(%error, "a group of steps could not be written");
                (self.frontier, self.last) = before;
                for acknowledge in acknowledgements {
                    let cause = std::io::Error::other(error.to_string());
                    acknowledge(Err(unavailable(cause)));
                }
            }
        }
    }

    fn try_write(
        &mut self,
        group: Vec<Job>,
    ) -> Result<Vec<Acknowledge>, (LedgerError, Vec<Acknowledge>)> {
        let mut acknowledgements = Vec::with_capacity(group.len());
        let begun =
            Transaction::new_unchecked(&self.owned.connection, TransactionBehavior::Immediate);
        let transaction = match begun.map_err(unavailable) {
            Ok(transaction) => Some(transaction),
            Err(error) => return Err((error, group.into_iter().map(Job::unwritten).collect())),
        };
        let mut pen =
            Pen { db: &self.owned.connection, frontier: &mut self.frontier, last: self.last };
        let mut fault = None;
        for job in group {
            if fault.is_some() {
                acknowledgements.push(job.unwritten());
                continue;
            }
            let (written, acknowledge) = job.write(&mut pen);
            acknowledgements.push(acknowledge);
            fault = written.err();
        }
        let last = pen.last;
        let written = match fault {
            Some(fault) => Err(fault),
            None => pen.head(),
        };
        let committed = match (written, transaction) {
            (Ok(()), Some(transaction)) => transaction.commit().map_err(unavailable),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Ok(()),
        };
        match committed {
            Ok(()) => {
                self.last = last;
                Ok(acknowledgements)
            }
            Err(error) => Err((error, acknowledgements)),
        }
    }
}

impl Job {
    fn unwritten(self) -> Acknowledge {
        match self {
            Self::Step(_, _, done) => acknowledge(done, None),
            Self::Begin(_, done)
            | Self::Exchange(_, _, done)
            | Self::Hear(_, done)
            | Self::Passkey(_, done)
            | Self::Delivery(_, _, done)
            | Self::Refusal(_, done)
            | Self::Heard { done, .. } => acknowledge(done, None),
            Self::Access(_, done)
            | Self::Remember(_, done)
            | Self::Keep(_, done)
            | Self::Keys(_, done)
            | Self::Excuse(_, done)
            | Self::Forget(_, done)
            | Self::Settle(_, done)
            | Self::ForgetTold { done, .. }
            | Self::ForgetExchanges(_, done)
            | Self::ForgetDeliveries(_, done)
            | Self::Piece(_, done)
            | Self::Gate(_, done)
            | Self::Post(_, done)
            | Self::See(_, _, done)
            | Self::Account(_, _, done)
            | Self::Link(_, _, _, done)
            | Self::Opening(_, done)
            | Self::ForgetGates(_, done)
            | Self::ForgetPieces(_, done) => acknowledge(done, None),
        }
    }

    fn write(self, pen: &mut Pen<'_>) -> (Result<(), LedgerError>, Acknowledge) {
        match self {
            Self::Step(write, leaves, done) => settle(pen.commit(&write, &leaves), done),
            Self::Access(step, done) => settle(pen.access(&step), done),
            Self::Passkey(step, done) => settle(pen.passkey(&step), done),
            Self::Exchange(step, spent, done) => settle(pen.exchange(&step, spent), done),
            Self::Remember(met, done) => settle(pen.remember_met(&met), done),
            Self::Keep(keeping, done) => settle(pen.keep(&keeping), done),
            Self::Keys(change, done) => settle(pen.keys(&change), done),
            Self::Begin(beginning, done) => settle(pen.begin_action(&beginning), done),
            Self::Hear(hearing, done) => settle(pen.hear(&hearing), done),
            Self::Settle(signals, done) => settle(pen.settle(&signals), done),
            Self::ForgetTold { before, but, now, done } => {
                settle(pen.forget_told(before, &but, now), done)
            }
            Self::Heard { who, last, due, done } => settle(pen.heard(who, last, due), done),
            Self::Excuse(now, done) => settle(pen.excuse(now), done),
            Self::Forget(before, done) => settle(pen.forget(before), done),
            Self::ForgetExchanges(before, done) => settle(pen.forget_exchanges(before), done),
            Self::Delivery(id, at, done) => settle(pen.delivery(&id, at), done),
            Self::ForgetDeliveries(before, done) => settle(pen.forget_deliveries(before), done),
            Self::Piece(piece, done) => settle(pen.piece(&piece), done),
            Self::ForgetPieces(before, done) => settle(pen.forget_pieces(before), done),
            Self::Gate(gate, done) => settle(super::gates::keep(pen.db, &gate), done),
            Self::Opening(opening, done) => settle(listing::note_opening(pen.db, &opening), done),
            Self::ForgetGates(before, done) => settle(super::gates::forget(pen.db, before), done),
            Self::Refusal(refusal, done) => settle(pen.refusal(&refusal), done),
            Self::Post(post, done) => settle(post.write(pen.db), done),
            Self::See(access, at, done) => settle(super::people::see(pen.db, access, at), done),
            Self::Account(account, entry, done) => settle(pen.account(&account, entry), done),
            Self::Link(link, entry, at, done) => settle(pen.link(&link, &entry, at), done),
        }
    }
}

fn settle<T: Send + 'static>(
    written: Result<T, LedgerError>,
    done: Done<T>,
) -> (Result<(), LedgerError>, Acknowledge) {
    match written {
        Ok(answer) => (Ok(()), acknowledge(done, Some(answer))),
        Err(error) => (Err(error), acknowledge(done, None)),
    }
}

fn acknowledge<T: Send + 'static>(done: Done<T>, answer: Option<T>) -> Acknowledge {
    Box::new(move |durable| {
        let answer = match (durable, answer) {
            (Ok(()), Some(answer)) => Ok(answer),
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(unavailable(std::io::Error::other("nothing was written"))),
        };
        // A caller that has gone away needs no answer.
        let _ = done.send(answer);
    })
}

/// Writes inside the group's transaction.
struct Pen<'a> {
    db: &'a Connection,
    frontier: &'a mut Frontier,
    last: Timestamp,
}

impl Pen<'_> {
    fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<usize, LedgerError> {
        let mut statement = self.db.prepare_cached(sql).map_err(unavailable)?;
        statement.execute(parameters).map_err(unavailable)
    }

    fn commit(&mut self, write: &Write, leaves: &[Leaf]) -> Result<Commit, LedgerError> {
        if let Some(call) = &write.call
            && let Some(before) = read::call(self.db, call.key)?
        {
            return Ok(Commit::Repeated(before));
        }
        if let Some(passkey) = write.step.signed_with()
            && !passkeys::is_live(self.db, passkey)?
        {
            return Ok(Commit::Conflict);
        }
        let moved = match write.step.expected() {
            None => self.begin(write, leaves)?,
            Some(version) => self.advance(&write.step, leaves, version)?,
        };
        if let Some(stopped) = moved {
            return Ok(stopped);
        }
        self.keep_errands(write.step.next())?;
        self.keep_word(&write.step)?;
        outbox::post(self.db, &write.step)?;
        if let Some(call) = &write.call {
            self.remember(call, &write.step)?;
        }
        #[expect(clippy::disallowed_methods, reason = "acknowledged only after the commit")]
        Ok(Commit::Done(Receipt::for_committed(&write.step)))
    }

    fn begin(&mut self, write: &Write, leaves: &[Leaf]) -> Result<Option<Commit>, LedgerError> {
        let next = write.step.next();
        let requester = requester_key(&next.requester().id);
        let runs = [next.run(), next.established_run()];
        if write.unless_open
            && let Some(open) = read::open_with(self.db, next.digest(), &requester, runs)?
        {
            return Ok(Some(Commit::Open(open)));
        }
        let id = next.id().to_bytes();
        if read::is_known(self.db, &id)? {
            return Ok(Some(Commit::Conflict));
        }
        let is_pending = matches!(next.state(), State::Pending(_));
        if is_pending && !self.one_more_pending(&requester, write.most_pending)? {
            return Ok(Some(Commit::TooMany));
        }
        let head = self.events(&write.step, leaves, None)?;
        let due = next.due_at().map(Timestamp::as_millis);
        let later = awaits_later_review(next).then_some(1);
        let live = next.live_until().map(Timestamp::as_millis);
        // Nothing is opened for a request that is just being filed.
        let sql = "INSERT INTO request (id, version, state, head, due, later, live) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (version, state) = (next.version().0, next.state().word());
        self.execute(sql, &[&id, &version, &state, &head, &due, &later, &live])?;
        let stated = Some(next.intent().stated().digest()).filter(|d| *d != next.digest());
        let stated = stated.as_ref().map(Digest::as_bytes);
        let run = next.run();
        let run = run.as_ref().map(Digest::as_bytes);
        let sql = "INSERT INTO filing (intent, request, requester, stated, run) \
            VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(sql, &[next.digest().as_bytes(), &id, &requester, &stated, &run])?;
        listing::begin(self.db, next)?;
        listing::count(self.db, write.step.events(), next, false)?;
        self.listen(&write.step)?;
        Ok(None)
    }

    /// Counts one more pending request of a requester. `false`, and nothing is counted, where there are
    /// as many as may be.
    fn one_more_pending(&self, requester: &[u8], most: Option<u64>) -> Result<bool, LedgerError> {
        if let Some(most) = most {
            let sql = "SELECT requests FROM pending WHERE requester = ?1";
            let mut statement = self.db.prepare_cached(sql).map_err(unavailable)?;
            let found = statement.query_row([requester], |row| row.get(0)).optional();
            let count: Option<u64> = found.map_err(unavailable)?;
            if count.unwrap_or_default() >= most {
                return Ok(false);
            }
        }
        let sql = "INSERT INTO pending (requester, requests) VALUES (?1, 1) \
            ON CONFLICT DO UPDATE SET requests = requests + 1";
        self.execute(sql, &[&requester])?;
        Ok(true)
    }

    fn one_less_pending(&self, requester: &[u8]) -> Result<(), LedgerError> {
        let sql = "UPDATE pending SET requests = requests - 1 WHERE requester = ?1";
        self.execute(sql, &[&requester])?;
        self.execute("DELETE FROM pending WHERE requester = ?1 AND requests <= 0", &[&requester])?;
        Ok(())
    }

    /// Whether anything is to be done at partners, in the same transaction as what leads to it.
    fn keep_errands(&self, next: &Request) -> Result<(), LedgerError> {
        let sql = match next.has_errands() {
            true => "INSERT INTO errand (request) VALUES (?1) ON CONFLICT DO NOTHING",
            false => "DELETE FROM errand WHERE request = ?1",
        };
        // Most requests never have any.
        if next.partnered().next().is_some() {
            self.execute(sql, &[&next.id().to_bytes()])?;
        }
        Ok(())
    }

    /// Whether people approved it, in the same transaction as that they did.
    fn keep_word(&self, step: &Step) -> Result<(), LedgerError> {
        let next = step.next();
        let requester = requester_key(&next.requester().id);
        let (environment, kind) = (next.intent().environment(), next.intent().kind());
        let id = next.id().to_bytes();
        for event in step.events() {
            match event.fact.word() {
                Some(Word::Given) => {
                    let sql = "INSERT INTO approved (requester, environment, kind, at, request) \
                        VALUES (?1, ?2, ?3, ?4, ?5)";
                    let at = event.at.as_millis();
                    self.execute(sql, &[&requester, &environment, &kind, &at, &id])?;
                }
                Some(Word::TakenBack) => {
                    let sql = "DELETE FROM approved WHERE requester = ?1 AND environment = ?2 \
                        AND kind = ?3 AND request = ?4";
                    self.execute(sql, &[&requester, &environment, &kind, &id])?;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Compare and set: the row moves only from the version the step was decided on.
    fn advance(
        &mut self,
        step: &Step,
        leaves: &[Leaf],
        expected: Version,
    ) -> Result<Option<Commit>, LedgerError> {
        let next = step.next();
        let id = next.id().to_bytes();
        let sql = "SELECT head, state FROM request WHERE id = ?1 AND version = ?2";
        let mut statement = self.db.prepare_cached(sql).map_err(unavailable)?;
        let parameters: [&dyn ToSql; 2] = [&id, &expected.0];
        let found = statement.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?)));
        let found: Option<(i64, String)> = found.optional().map_err(unavailable)?;
        let Some((head, before)) = found else { return Ok(Some(Commit::Conflict)) };
        let head = self.events(step, leaves, Some(head))?;
        let due = next.due_at().map(Timestamp::as_millis);
        let later = awaits_later_review(next).then_some(1);
        let closing = next.closing_due().map(Timestamp::as_millis);
        let live = next.live_until().map(Timestamp::as_millis);
        let sql = "UPDATE request SET version = ?2, state = ?3, head = ?4, due = ?5, later = ?6, \
            closing = ?7, live = ?8 WHERE id = ?1";
        let (version, state) = (next.version().0, next.state().word());
        self.execute(sql, &[&id, &version, &state, &head, &due, &later, &closing, &live])?;
        if before == "pending" && !matches!(next.state(), State::Pending(_)) {
            self.one_less_pending(&requester_key(&next.requester().id))?;
        }
        self.listen(step)?;
        listing::advance(self.db, next)?;
        listing::count(self.db, step.events(), next, before != "pending")?;
        Ok(None)
    }

    fn events(
        &mut self,
        step: &Step,
        leaves: &[Leaf],
        before: Option<i64>,
    ) -> Result<i64, LedgerError> {
        let mut prev = before;
        for (event, leaf) in step.events().iter().zip(leaves) {
            prev = Some(self.append(leaf, prev, event.at)?);
            self.credential(event)?;
            self.plan(step, event)?;
        }
        prev.ok_or_else(|| unavailable(std::io::Error::other("a step without events")))
    }

    fn credential(&self, event: &Event) -> Result<(), LedgerError> {
        if let Fact::Consumed { credential, .. } = &event.fact {
            let sql = "INSERT INTO credential (id, request) VALUES (?1, ?2)";
            self.execute(sql, &[&credential.to_bytes(), &event.request.to_bytes()])?;
        }
        Ok(())
    }

    /// Whoever files is listened for as long as the request is pending; and from the moment a token
    /// is handed out its holder, until it has ended.
    fn listen(&self, step: &Step) -> Result<(), LedgerError> {
        let next = step.next();
        let request = next.id().to_bytes();
        match (next.state(), next.heartbeat()) {
            (State::Pending(_), Some(every)) if step.expected().is_none() => {
                let sql = "INSERT INTO waiting (request, every, last, due) VALUES (?1, ?2, ?3, ?4)";
                let (last, due) = (next.filed_at(), next.filed_at().plus(every));
                let (last, due, every) = (last.as_millis(), due.as_millis(), every.as_millis());
                self.execute(sql, &[&request, &every, &last, &due])?;
            }
            (State::Pending(_), _) | (_, None) => {}
            (_, Some(_)) => {
                self.execute("DELETE FROM waiting WHERE request = ?1", &[&request])?;
            }
        }
        for event in step.events() {
            let Fact::Minted { credential, .. } = &event.fact else { continue };
            let Some(issued) = next.credential(*credential) else { continue };
            let Some(every) = issued.heartbeat else { continue };
            let sql = "INSERT OR REPLACE INTO heartbeat \
                (credential, request, every, last, due, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let id = credential.to_bytes();
            let (last, due) = (event.at.as_millis(), event.at.plus(every).as_millis());
            let (every, until) = (every.as_millis(), issued.expires_at.as_millis());
            self.execute(sql, &[&id, &request, &every, &last, &due, &until])?;
        }
        let listened = next.credentials().iter().filter(|issued| issued.heartbeat.is_some());
        for issued in listened.filter(|issued| issued.ended.is_some()) {
            let sql = "DELETE FROM heartbeat WHERE credential = ?1";
            self.execute(sql, &[&issued.id.to_bytes()])?;
        }
        Ok(())
    }

    /// What a step keeps of a plan is kept from here on, and what it removes is gone: the sealed bytes
    /// are written over, not only let go.
    fn plan(&self, step: &Step, event: &Event) -> Result<(), LedgerError> {
        if let Fact::PlanKept { upload, size, .. } = &event.fact {
            let requester = requester_key(&step.next().requester().id);
            let sql = "INSERT INTO plan_kept (upload, requester, size) VALUES (?1, ?2, ?3)";
            self.execute(sql, &[&upload.to_bytes(), &requester, size])?;
        }
        if let Fact::PlanRemoved { upload } = &event.fact {
            let upload = upload.to_bytes();
            self.execute("DELETE FROM plan_kept WHERE upload = ?1", &[&upload])?;
            self.erase("DELETE FROM plan_piece WHERE upload = ?1", &[&upload])?;
        }
        Ok(())
    }

    /// Of two that arrive in another order than they were sent, the later counts.
    fn heard(&self, who: Listened, last: Timestamp, due: Timestamp) -> Result<bool, LedgerError> {
        let (id, sql) = match who {
            Listened::Holder(credential) => (
                credential.to_bytes(),
                "UPDATE heartbeat SET last = max(last, ?2), due = max(due, ?3) WHERE credential = ?1",
            ),
            Listened::Requester(request) => (
                request.to_bytes(),
                "UPDATE waiting SET last = max(last, ?2), due = max(due, ?3) WHERE request = ?1",
            ),
        };
        Ok(self.execute(sql, &[&id, &last.as_millis(), &due.as_millis()])? == 1)
    }

    fn excuse(&self, now: Timestamp) -> Result<(), LedgerError> {
        let now = now.as_millis();
        self.execute("UPDATE heartbeat SET due = max(due, ?1 + every)", &[&now])?;
        self.execute("UPDATE waiting SET due = max(due, ?1 + every)", &[&now]).map(drop)
    }

    fn erase(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<(), LedgerError> {
        self.db.pragma_update(None, "secure_delete", true).map_err(unavailable)?;
        let erased = self.execute(sql, parameters);
        self.db.pragma_update(None, "secure_delete", false).map_err(unavailable)?;
        erased.map(drop)
    }

    fn piece(&self, piece: &Piece) -> Result<(), LedgerError> {
        let sql = "INSERT INTO plan_piece (upload, number, sealed, at) VALUES (?1, ?2, ?3, ?4)";
        let (upload, at) = (piece.upload.to_bytes(), piece.at.as_millis());
        self.execute(sql, &[&upload, &piece.number, &piece.sealed, &at]).map(drop)
    }

    fn forget_pieces(&self, before: Timestamp) -> Result<(), LedgerError> {
        let sql = "DELETE FROM plan_piece WHERE at < ?1 \
            AND upload NOT IN (SELECT upload FROM plan_kept)";
        self.erase(sql, &[&before.as_millis()])
    }

    fn refusal(&mut self, refusal: &Refusal) -> Result<bool, LedgerError> {
        let (request, who) = (refusal.request.to_bytes(), requester_key(&refusal.by));
        let (of_all, of_one) = read::refusals(self.db, &request, &who)?;
        if of_all >= REFUSALS || of_one >= REFUSALS_OF_ONE {
            return Ok(false);
        }
        let sql = "INSERT OR IGNORE INTO refusal (request, who, mark) VALUES (?1, ?2, ?3)";
        if self.execute(sql, &[&request, &who, refusal.mark.as_bytes()])? == 0 {
            return Ok(false);
        }
        self.append(&Leaf::of(&refusal.entry), None, refusal.at).map(|_| true)
    }

    fn append(
        &mut self,
        leaf: &Leaf,
        prev: Option<i64>,
        at: Timestamp,
    ) -> Result<i64, LedgerError> {
        let seq = i64::try_from(self.frontier.size()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO event (seq, prev, body) VALUES (?1, ?2, ?3)";
        self.execute(sql, &[&seq, &prev, &leaf.body])?;
        listing::mark(self.db, &leaf.marks, seq)?;
        self.frontier.push(leaf.hash);
        self.last = self.last.max(at);
        Ok(seq)
    }

    fn remember(&self, new: &NewCall, step: &Step) -> Result<(), LedgerError> {
        let (request, version) = (step.next().id(), step.next().version());
        let call = Call { asked: new.asked, request, version, credential: new.credential };
        let at = step.events().last().map_or(Timestamp::from_millis(0), |event| event.at);
        self.remember_met(&Met { key: new.key, call, at })
    }

    fn remember_met(&self, met: &Met) -> Result<(), LedgerError> {
        let Call { asked, request, version, credential } = met.call;
        let credential = credential.map(|id| id.to_bytes());
        let sql = "INSERT OR IGNORE INTO call (key, asked, request, version, credential, at) \
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (id, at) = (request.to_bytes(), met.at.as_millis());
        let values: [&dyn ToSql; 6] =
            [met.key.as_bytes(), asked.as_bytes(), &id, &version.0, &credential, &at];
        self.execute(sql, &values).map(drop)
    }

    fn access(&mut self, step: &AccessStep) -> Result<(), LedgerError> {
        let next = step.next();
        let stored = serde_json::to_string(&StoredAccess::from(next)).map_err(unavailable)?;
        let sql = "INSERT INTO access (id, body) VALUES (?1, ?2) \
            ON CONFLICT (id) DO UPDATE SET body = excluded.body";
        self.execute(sql, &[&next.id.to_bytes(), &stored])?;
        let at = next.revoked_at.unwrap_or(next.created_at);
        self.append(&Leaf::of(step.event()), None, at).map(drop)
    }

    fn account(
        &mut self,
        account: &Account,
        entry: Option<(Value, Timestamp)>,
    ) -> Result<(), LedgerError> {
        super::people::keep_account(self.db, account)?;
        match entry {
            Some((entry, at)) => self.append(&Leaf::of(&entry), None, at).map(drop),
            None => Ok(()),
        }
    }

    fn link(&mut self, link: &Link, entry: &Value, at: Timestamp) -> Result<(), LedgerError> {
        super::people::keep_link(self.db, link)?;
        self.append(&Leaf::of(entry), None, at).map(drop)
    }

    fn passkey(&mut self, step: &PasskeyStep) -> Result<bool, LedgerError> {
        if !passkeys::keep(self.db, step)? {
            return Ok(false);
        }
        let seq = self.append(&Leaf::of(step.event()), None, step.at())?;
        passkeys::note(self.db, step.next().id, seq).map(|()| true)
    }

    fn exchange(&mut self, step: &AccessStep, spent: Option<Spent>) -> Result<bool, LedgerError> {
        if let Some(Spent { mark, until }) = spent {
            let sql = "INSERT OR IGNORE INTO subject_token (mark, until) VALUES (?1, ?2)";
            if self.execute(sql, &[mark.as_bytes(), &until.as_millis()])? == 0 {
                return Ok(false);
            }
        }
        self.access(step).map(|()| true)
    }

    fn keep(&mut self, keeping: &Keeping) -> Result<(), LedgerError> {
        let Keeping { what, by, at, entry } = keeping;
        let (who, millis) = (by.to_string(), at.as_millis());
        match what {
            Kept::Plan { digest, text, saved } => {
                let sql = "INSERT OR IGNORE INTO plan (digest, summary, redacted) \
                    VALUES (?1, ?2, ?3)";
                self.execute(sql, &[digest.as_bytes(), &text.summary, &text.redacted])?;
                let sql = "INSERT OR IGNORE INTO plan_by (plan, who, at) VALUES (?1, ?2, ?3)";
                self.execute(sql, &[digest.as_bytes(), &requester_key(by), &millis])?;
                if let Some(saved) = saved {
                    let sql = "INSERT INTO plan_saved (saved, who, plan, at) \
                        VALUES (?1, ?2, ?3, ?4) ON CONFLICT (saved, who) \
                        DO UPDATE SET plan = excluded.plan, at = excluded.at";
                    let who = requester_key(by);
                    self.execute(sql, &[saved.as_bytes(), &who, digest.as_bytes(), &millis])?;
                }
            }
            Kept::Signal { name, value: None } => {
                self.execute("DELETE FROM signal WHERE name = ?1", &[name])?;
            }
            Kept::Signal { name, value: Some(value) } => {
                let sql = "INSERT INTO signal (name, value, who, at) VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value, who = excluded.who, \
                    at = excluded.at";
                self.execute(sql, &[name, &value.to_string(), &who, &millis])?;
            }
            Kept::Absence(absence) => listing::keep_absence(self.db, absence)?,
            Kept::Nothing => {}
            Kept::Document { name, text } => {
                let sql = "INSERT INTO policy_document (name, version, text, who, at) SELECT ?1, \
                    coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM policy_document WHERE name = ?1";
                self.execute(sql, &[name, text, &who, &millis])?;
            }
        }
        self.append(&Leaf::of(entry), None, *at).map(drop)
    }

    fn keys(&mut self, change: &KeyChange) -> Result<(), LedgerError> {
        for SealedKey { key, sealed } in &change.keys {
            let body = serde_json::to_string(&StoredKey::from(key)).map_err(unavailable)?;
            let sql = "INSERT INTO signing_key (id, body, sealed) VALUES (?1, ?2, ?3) \
                ON CONFLICT (id) DO UPDATE SET body = excluded.body, sealed = excluded.sealed";
            self.execute(sql, &[&key.id.as_str(), &body, sealed])?;
        }
        for entry in &change.entries {
            self.append(&Leaf::of(entry), None, change.at)?;
        }
        Ok(())
    }

    fn hear(&mut self, hearing: &Hearing) -> Result<bool, LedgerError> {
        let Hearing { signal, asked, token, at, entry } = hearing;
        let heard = token.map(|token| read::is_heard(self.db, token.mark)).transpose()?;
        let told = signal.map(|id| read::is_told(self.db, id)).transpose()?;
        if heard == Some(true) || told == Some(true) {
            return Ok(false);
        }
        if let Some(Spent { mark, until }) = token {
            let sql = "INSERT INTO event_token (mark, until) VALUES (?1, ?2)";
            self.execute(sql, &[mark.as_bytes(), &until.as_millis()])?;
        }
        let seq = self.append(&Leaf::of(entry), None, *at)?;
        if let Some(id) = signal {
            let sql = "INSERT INTO told (id, seq, at, asked, body) VALUES (?1, ?2, ?3, ?4, ?5)";
            let asked = asked.as_ref().map(Digest::as_bytes);
            let values: [&dyn ToSql; 5] =
                [&id.to_bytes(), &seq, &at.as_millis(), &asked, &entry.to_string()];
            self.execute(sql, &values)?;
        }
        Ok(true)
    }

    fn settle(&self, signals: &[SignalId]) -> Result<(), LedgerError> {
        let sql = "UPDATE told SET settled = 1 WHERE id = ?1";
        signals.iter().try_for_each(|id| self.execute(sql, &[&id.to_bytes()]).map(drop))
    }

    fn forget_told(
        &self,
        before: Timestamp,
        but: &[SignalId],
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.execute("DELETE FROM event_token WHERE until < ?1", &[&now.as_millis()])?;
        let sql = "DELETE FROM told WHERE id = ?1 AND settled = 1 AND at < ?2";
        let kept = read::told(self.db)?.into_iter().map(|told| told.id);
        let mut over = kept.filter(|id| !but.contains(id));
        over.try_for_each(|id| self.execute(sql, &[&id.to_bytes(), &before.as_millis()]).map(drop))
    }

    /// Compare and set: what is no longer approved is not begun, of two beginnings the first counts,
    /// and the same again is the same.
    fn begin_action(&mut self, beginning: &Beginning) -> Result<bool, LedgerError> {
        let Beginning { request, intent, key, at, entry } = beginning;
        let id = request.to_bytes();
        let sql = "UPDATE filing SET begun = ?3 \
            WHERE intent = ?1 AND request = ?2 AND begun IS NULL \
            AND EXISTS (SELECT 1 FROM request WHERE id = ?2 AND state = 'approved')";
        if self.execute(sql, &[intent.as_bytes(), &id, key.as_bytes()])? == 1 {
            self.append(&Leaf::of(entry), None, *at)?;
            return Ok(true);
        }
        read::is_begun_under(self.db, *intent, &id, *key)
    }

    fn forget(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.execute("DELETE FROM call WHERE at < ?1", &[&before.as_millis()]).map(drop)
    }

    fn delivery(&self, id: &str, at: Timestamp) -> Result<bool, LedgerError> {
        let sql = "INSERT INTO delivery (id, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        Ok(self.execute(sql, &[&id, &at.as_millis()])? == 1)
    }

    fn forget_deliveries(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.execute("DELETE FROM delivery WHERE at < ?1", &[&before.as_millis()]).map(drop)
    }

    fn forget_exchanges(&self, before: Timestamp) -> Result<(), LedgerError> {
        let millis = before.as_millis();
        self.execute("DELETE FROM subject_token WHERE until < ?1", &[&millis])?;
        self.execute("DELETE FROM heartbeat WHERE until < ?1", &[&millis])?;
        // The times of records are RFC 3339 in UTC, all with the same digits: their order is time's.
        let sql = "DELETE FROM access WHERE body ->> 'origin' IS NOT NULL \
            AND body ->> 'expires_at' < ?1";
        self.execute(sql, &[&before.to_string()]).map(drop)
    }

    fn head(&self) -> Result<(), LedgerError> {
        let peaks: Vec<u8> = self.frontier.peaks().iter().flat_map(|d| *d.as_bytes()).collect();
        let sql = "UPDATE log_head SET size = ?1, peaks = ?2, at = ?3";
        let size = self.frontier.size();
        self.execute(sql, &[&size, &peaks, &self.last.as_millis()]).map(drop)
    }
}

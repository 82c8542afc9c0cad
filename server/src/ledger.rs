//! Durable requests and their journal.
//!
//! A commit is durable and in the audit log before it is acknowledged, in one transaction. A
//! ledger writes only what the lifecycle made; it never decides.

mod gate;
pub mod listing;
mod memory;
pub mod outbox;
mod people;
pub mod sqlite;

use std::time::Duration;

use assent_core::absence::Absence;
use assent_core::access::{Access, AccessStep};
use assent_core::audit::Frontier;
use assent_core::credential::ring::Key;
use assent_core::digest::Digest;
use assent_core::id::{AccessId, CredentialId, PasskeyId, RequestId, SignalId, UploadId};
use assent_core::passkey::{Passkey, PasskeyStep};
use assent_core::principal::PrincipalId;
use assent_core::request::{Event, Receipt, Request, Step, Version};
use assent_core::sign_in::Link;
use assent_core::time::Timestamp;
use async_trait::async_trait;
use serde_json::Value;

pub use gate::{Gate, GateKey};
pub use listing::{Listed, LogSearch, Opening, Search, Tally};
pub use memory::MemoryLedger;
pub use people::Account;
pub use sqlite::SqliteLedger;

/// Where requests are kept.
#[async_trait]
pub trait Ledger: Send + Sync + std::fmt::Debug {
    /// A request as it is, or as it was at an earlier version.
    async fn load(
        &self,
        id: RequestId,
        at: Option<Version>,
    ) -> Result<Option<Request>, LedgerError>;

    /// Writes a step, its audit leaves and the memory of the call, if the version it was decided
    /// on still holds.
    async fn commit(&self, write: Write) -> Result<Commit, LedgerError>;

    /// Remembers a call that changed nothing, because what it wanted stood already.
    async fn remember(&self, call: Met) -> Result<(), LedgerError>;

    /// Writes a change of an access token's record.
    async fn commit_access(&self, step: AccessStep) -> Result<(), LedgerError>;

    /// Writes the record of an access token that was exchanged for a foreign one, unless that one is
    /// good once and was spent: then nothing is written, and the answer is `false`. Of two at once,
    /// one is written.
    async fn commit_exchange(
        &self,
        step: AccessStep,
        spent: Option<Spent>,
    ) -> Result<bool, LedgerError>;

    /// Forgets what is over: records of exchanged tokens that have ended, foreign tokens that nobody
    /// would believe any more, and whom to listen for. The audit log keeps what matters of them.
    async fn forget_exchanges(&self, before: Timestamp) -> Result<(), LedgerError>;

    /// Remembers a delivery of a webhook. `false` if it was remembered before; of two at once, one is
    /// the first.
    async fn remember_delivery(&self, id: &str, at: Timestamp) -> Result<bool, LedgerError>;

    /// Forgets deliveries from before that.
    async fn forget_deliveries(&self, before: Timestamp) -> Result<(), LedgerError>;

    /// What a call with this key did before.
    async fn recall(&self, key: Digest) -> Result<Option<Call>, LedgerError>;

    /// The newest request with this intent, or with one that states it and is bound to an exact
    /// thing. Only for showing it: it says nothing about who may do what.
    async fn newest_with(&self, intent: Digest) -> Result<Option<RequestId>, LedgerError>;

    /// The newest request of this requester with exactly this intent.
    async fn newest_of(
        &self,
        intent: Digest,
        who: &PrincipalId,
    ) -> Result<Option<RequestId>, LedgerError>;

    /// Of this requester, for this environment and of this kind the request that people approved
    /// last. What policy permitted without asking anybody is none, nor is what was taken back since.
    async fn last_approved(
        &self,
        who: &PrincipalId,
        environment: &str,
        kind: &str,
    ) -> Result<Option<RequestId>, LedgerError>;

    /// Remembers that what was requested is begun, so that no later filing meets the request, and
    /// says so in the audit log. `false` if it was begun under another key; the same again is true.
    async fn begin(&self, beginning: Beginning) -> Result<bool, LedgerError>;

    /// The request a credential belongs to.
    async fn request_of(&self, credential: CredentialId) -> Result<Option<RequestId>, LedgerError>;

    /// Requests in which something is due, longest due first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RequestId>, LedgerError>;

    /// Requests of which something that a broker opened is to be closed, longest due first.
    async fn closings(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError>;

    /// Requests of which something is to be done at partners, now or later, oldest first.
    async fn errands(&self) -> Result<Vec<RequestId>, LedgerError>;

    /// Requests of which something may be good at this moment, or is open outside, newest first: at
    /// least those.
    async fn live(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError>;

    /// Notes that somebody was heard of. `false` where nobody listens for them.
    async fn heard(
        &self,
        who: Listened,
        last: Timestamp,
        due: Timestamp,
    ) -> Result<bool, LedgerError>;

    /// When the holders of a request's credentials, or whoever waits for it, were heard of, where
    /// anybody listens.
    async fn heartbeats(&self, request: RequestId) -> Result<Vec<Heartbeat>, LedgerError>;

    /// Those who should have been heard of by now, longest due first.
    async fn silent(&self, now: Timestamp, limit: usize) -> Result<Vec<Heartbeat>, LedgerError>;

    /// Nobody could be heard for a while: everybody has their whole time from now on.
    async fn excuse(&self, now: Timestamp) -> Result<(), LedgerError>;

    /// Requests, newest first, older than `before`.
    async fn list(
        &self,
        states: States,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError>;

    /// The newest requests that can still change, each with where it stands; newest first.
    async fn open_requests(&self, limit: usize) -> Result<Vec<(RequestId, Version)>, LedgerError>;

    /// What this requester filed, newest first, older than `before`.
    async fn filed_by(
        &self,
        who: &PrincipalId,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError>;

    /// Every event of a request, oldest first; none where there is no such request.
    async fn history(&self, id: RequestId) -> Result<Vec<Event>, LedgerError>;

    /// Requests that are searched for, newest first.
    async fn search(&self, search: Search) -> Result<Vec<Listed>, LedgerError>;

    /// What was counted on these days, the last included.
    async fn tallies(&self, days: std::ops::RangeInclusive<i64>)
    -> Result<Vec<Tally>, LedgerError>;

    /// Notes that somebody opened the page of a request; the first time counts.
    async fn note_opening(&self, opening: Opening) -> Result<(), LedgerError>;

    /// Entries of the audit log that are searched for with their indexes, newest first.
    async fn search_log(&self, search: LogSearch) -> Result<Vec<(u64, Value)>, LedgerError>;

    /// Every absence on record, newest first.
    async fn absences(&self) -> Result<Vec<Absence>, LedgerError>;

    /// Entries of the audit log from this index on.
    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<Value>, LedgerError>;

    /// The size and root of the audit log.
    async fn head(&self) -> Result<Head, LedgerError>;

    /// One access token's record.
    async fn access(&self, id: AccessId) -> Result<Option<Access>, LedgerError>;

    /// Every access token's record, newest first; no browser's session.
    async fn accesses(&self) -> Result<Vec<Access>, LedgerError>;

    /// Every record of this principal, sessions too, newest first.
    async fn accesses_of(&self, who: &PrincipalId) -> Result<Vec<Access>, LedgerError>;

    /// The sessions that were opened within this session of a provider, whichever provider that is.
    async fn accesses_by_sid(&self, sid: &str) -> Result<Vec<Access>, LedgerError>;

    /// Notes that a session or token was used.
    async fn see(&self, access: AccessId, at: Timestamp) -> Result<(), LedgerError>;

    /// When sessions and tokens were used last.
    async fn seen(&self) -> Result<Vec<(AccessId, Timestamp)>, LedgerError>;

    /// Writes what is kept of somebody who signs in, and the audit entry that tells of it, if one does.
    async fn keep_account(
        &self,
        account: Account,
        entry: Option<(Value, Timestamp)>,
    ) -> Result<(), LedgerError>;

    /// Everybody who ever signed in.
    async fn accounts(&self) -> Result<Vec<Account>, LedgerError>;

    /// Writes a link between accounts, and the audit entry that tells of it.
    async fn keep_link(&self, link: Link, entry: Value, at: Timestamp) -> Result<(), LedgerError>;

    /// Every link that is or was, in the order in which they were made.
    async fn links(&self) -> Result<Vec<Link>, LedgerError>;

    /// Requests of which a later review is open or overdue, oldest first.
    async fn later_reviews(&self) -> Result<Vec<RequestId>, LedgerError>;

    /// Writes something that is kept beside requests, and the audit entry that tells of it.
    async fn keep(&self, keeping: Keeping) -> Result<(), LedgerError>;

    /// A plan that was handed in, by the digest of its bytes.
    async fn plan(&self, digest: Digest) -> Result<Option<PlanText>, LedgerError>;

    /// Whether this principal handed the plan in.
    async fn has_plan_of(&self, digest: Digest, who: &PrincipalId) -> Result<bool, LedgerError>;

    /// The plan that this principal says to be of a saved plan file, by the digest of its bytes.
    async fn plan_of_saved(
        &self,
        saved: Digest,
        who: &PrincipalId,
    ) -> Result<Option<Digest>, LedgerError>;

    /// What other systems have told, by name.
    async fn signals(&self) -> Result<Vec<KeptSignal>, LedgerError>;

    /// Writes something that was told by a signal or a security event token, and the audit entry that
    /// tells of it, unless the same was heard before: then nothing is written, and the answer is
    /// `false`. Of two at once, one is written.
    async fn hear(&self, hearing: Hearing) -> Result<bool, LedgerError>;

    /// Every signal about a subject that is kept, in the order in which they were heard.
    async fn told(&self) -> Result<Vec<KeptTold>, LedgerError>;

    /// Notes that every request has been looked at since these were heard.
    async fn settle(&self, signals: Vec<SignalId>) -> Result<(), LedgerError>;

    /// Forgets signals older than this that are settled and not among these, and event tokens that
    /// nobody would believe any more. The audit log keeps all of them.
    async fn forget_told(
        &self,
        before: Timestamp,
        but: Vec<SignalId>,
        now: Timestamp,
    ) -> Result<(), LedgerError>;

    /// Requests to which a signal can still do something: those that can change, and those of which a
    /// credential may live.
    async fn within_reach(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError>;

    /// The newest version of every policy document that came over the API, removed ones too, by
    /// name.
    async fn documents(&self) -> Result<Vec<KeptDocument>, LedgerError>;

    /// Every version of one of them, oldest first.
    async fn document(&self, name: &str) -> Result<Vec<KeptDocument>, LedgerError>;

    /// The record of every signing key there is or was.
    async fn signing_keys(&self) -> Result<Vec<SealedKey>, LedgerError>;

    /// Writes records of signing keys, and the audit entries that tell of their change: all of them,
    /// or none.
    async fn commit_keys(&self, change: KeyChange) -> Result<(), LedgerError>;

    /// Writes one sealed piece of an exact plan. It is nobody's until a step says that it is kept.
    async fn write_piece(&self, piece: Piece) -> Result<(), LedgerError>;

    /// One sealed piece of an exact plan.
    async fn piece(&self, upload: UploadId, number: u32) -> Result<Option<Vec<u8>>, LedgerError>;

    /// How many bytes of exact plans this requester has kept.
    async fn kept_bytes(&self, who: &PrincipalId) -> Result<u64, LedgerError>;

    /// Forgets the pieces that no step keeps and that were written before this.
    async fn forget_pieces(&self, before: Timestamp) -> Result<(), LedgerError>;

    /// Puts on record that something was refused; once, however often it is tried, and not without
    /// end ([`REFUSALS_OF_ONE`], [`REFUSALS`]). Whether it was written.
    async fn note_refusal(&self, refusal: Refusal) -> Result<bool, LedgerError>;

    /// A run at GitHub that waits before an environment, or did.
    async fn gate(&self, key: GateKey) -> Result<Option<Gate>, LedgerError>;

    /// The gate that a request stands for.
    async fn gate_of(&self, request: RequestId) -> Result<Option<Gate>, LedgerError>;

    /// Every gate about which anything is to be done, first that of which nothing was said for longest.
    async fn open_gates(&self) -> Result<Vec<Gate>, LedgerError>;

    /// Every gate of a run, open or not.
    async fn gates_of_run(&self, repository: u64, run: u64) -> Result<Vec<Gate>, LedgerError>;

    /// The repositories that have gates, as `(OWNER, REPO, id)`.
    async fn guarded(&self) -> Result<Vec<(String, String, u64)>, LedgerError>;

    /// Writes a gate in the place of what was kept of it.
    async fn keep_gate(&self, gate: Gate) -> Result<(), LedgerError>;

    /// Forgets gates that were found, or of which something was said, last before this.
    async fn forget_gates(&self, before: Timestamp) -> Result<(), LedgerError>;

    /// What is to be told, and to whom.
    fn outbox(&self) -> &dyn outbox::Outbox;

    /// Writes a change of a passkey's record. `false` where the record has moved on meanwhile, or the
    /// authenticator's name for it is on record already: then nothing is written.
    async fn commit_passkey(&self, step: PasskeyStep) -> Result<bool, LedgerError>;

    /// Every passkey of this person, oldest first, removed ones too.
    async fn passkeys_of(&self, who: &PrincipalId) -> Result<Vec<Passkey>, LedgerError>;

    /// One passkey.
    async fn passkey(&self, id: PasskeyId) -> Result<Option<Passkey>, LedgerError>;

    /// The passkey that its authenticator knows by this name.
    async fn passkey_with(&self, credential: &[u8]) -> Result<Option<Passkey>, LedgerError>;

    /// What the audit log tells of a passkey, each entry by its place there.
    async fn passkey_entries(&self, id: PasskeyId) -> Result<Vec<(u64, Value)>, LedgerError>;

    /// What the audit log tells of a request, each entry by its place there.
    async fn request_entries(&self, id: RequestId) -> Result<Vec<(u64, Value)>, LedgerError>;

    /// The hashes of the audit log's entries as leaves, from this index on.
    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Digest>, LedgerError>;

    /// Forgets calls older than this. Their effects stay.
    async fn forget_calls(&self, before: Timestamp) -> Result<(), LedgerError>;
}

/// A step to write, and what else must be written with it or not at all.
#[derive(Clone, Debug)]
pub struct Write {
    /// The step.
    pub step: Step,
    /// The call that asked for it, so that the same call again gives the same answer.
    pub call: Option<NewCall>,
    /// For a new request: write it only if its requester has no open one with the same intent.
    pub unless_open: bool,
    /// For a new request that is pending: write it only if fewer of its requester's are.
    pub most_pending: Option<u64>,
}

/// That what was requested is begun.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// The request.
    pub request: RequestId,
    /// Its intent.
    pub intent: Digest,
    /// The digest of caller, route and idempotency key.
    pub key: Digest,
    /// When.
    pub at: Timestamp,
    /// What the audit log says of it.
    pub entry: Value,
}

/// Something that is kept beside requests, and the audit entry that tells of it: both are written,
/// or neither.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// What.
    pub what: Kept,
    /// Who did it.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// What the audit log says of it.
    pub entry: Value,
}

/// Something that is kept beside requests.
#[derive(Clone, Debug)]
pub enum Kept {
    /// A plan that was handed in. One that is kept already gets another who did.
    Plan {
        /// The digest of the bytes that were handed in.
        digest: Digest,
        /// What is kept of them.
        text: PlanText,
        /// The digest of the saved plan file that it is said to be of. The latest word counts.
        saved: Option<Digest>,
    },
    /// What another system tells.
    Signal {
        /// Its name.
        name: String,
        /// What it says; `None` where it is taken back.
        value: Option<Value>,
    },
    /// An absence, in the place of what was kept of it.
    Absence(Absence),
    /// Nothing: the entry tells it all.
    Nothing,
    /// The next version of a policy document.
    Document {
        /// Its name.
        name: String,
        /// The text; `None` where it is removed.
        text: Option<String>,
    },
}

/// Who is listened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listened {
    /// Whoever filed this request, as long as it is pending.
    Requester(RequestId),
    /// Whoever holds this credential.
    Holder(CredentialId),
}

/// When somebody was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The request, or that of the credential.
    pub request: RequestId,
    /// Who.
    pub who: Listened,
    /// When last.
    pub last: Timestamp,
    /// By when it must be again.
    pub due: Timestamp,
}

/// One sealed piece of an exact plan.
#[derive(Clone, PartialEq, Eq)]
pub struct Piece {
    /// Of which upload.
    pub upload: UploadId,
    /// Its place, from 0.
    pub number: u32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// When it was written.
    pub at: Timestamp,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece({} {}, {} bytes)", self.upload, self.number, self.sealed.len())
    }
}

/// That something about a request was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The request.
    pub request: RequestId,
    /// To whom.
    pub by: PrincipalId,
    /// By what the same refusal is known again.
    pub mark: Digest,
    /// When.
    pub at: Timestamp,
    /// What the audit log says of it.
    pub entry: Value,
}

/// How many different refusals to one caller are put on record for one request.
pub const REFUSALS_OF_ONE: usize = 8;
/// How many different refusals are put on record for one request.
pub const REFUSALS: usize = 64;

/// What is kept of a plan's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanText {
    /// Its summary and facts, as JSON.
    pub summary: String,
    /// The whole plan as JSON, with everything sensitive taken out.
    pub redacted: String,
}

/// What another system has told.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptSignal {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: Value,
    /// Who told it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Something that is told of a subject, or of the stream in which such things come.
#[derive(Clone, Debug)]
pub struct Hearing {
    /// The signal, where it is one.
    pub signal: Option<SignalId>,
    /// The digest of the call that told it.
    pub asked: Option<Digest>,
    /// The event token that it came in, which is heard once.
    pub token: Option<Spent>,
    /// When.
    pub at: Timestamp,
    /// What the audit log says of it.
    pub entry: Value,
}

/// A signal about a subject, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptTold {
    /// Its id.
    pub id: SignalId,
    /// The digest of the call that told it.
    pub asked: Option<Digest>,
    /// What the audit log says of it.
    pub entry: Value,
    /// Whether every request has been looked at since.
    pub settled: bool,
}

/// One version of a policy document that came over the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDocument {
    /// Its name.
    pub name: String,
    /// Which version, from 1.
    pub version: u64,
    /// The text; `None` where it was removed.
    pub text: Option<String>,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A signing key's record, and its private half as it may lie on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedKey {
    /// The record.
    pub key: Key,
    /// The private half, sealed; `None` where it has signed for the last time.
    pub sealed: Option<Vec<u8>>,
}

/// A change of signing keys.
#[derive(Clone, Debug)]
pub struct KeyChange {
    /// The keys that it changes, as they are after it.
    pub keys: Vec<SealedKey>,
    /// What the audit log says of it.
    pub entries: Vec<Value>,
    /// When.
    pub at: Timestamp,
}

/// A foreign token that is good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// By what it is known again.
    pub mark: Digest,
    /// Until when it would be believed, and so must be remembered.
    pub until: Timestamp,
}

/// A call that changes something.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// The digest of caller, route and idempotency key.
    pub key: Digest,
    /// The digest of what was asked.
    pub asked: Digest,
    /// The credential it gave, where it minted one.
    pub credential: Option<CredentialId>,
}

/// A call that met an open request instead of filing one.
#[derive(Clone, Copy, Debug)]
pub struct Met {
    /// The digest of caller, route and idempotency key.
    pub key: Digest,
    /// The call, as it will be recalled.
    pub call: Call,
    /// When.
    pub at: Timestamp,
}

/// A call that was made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The digest of what was asked then.
    pub asked: Digest,
    /// The request it was about.
    pub request: RequestId,
    /// The version it led to.
    pub version: Version,
    /// The credential it gave.
    pub credential: Option<CredentialId>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit {
    /// It is durable.
    Done(Receipt),
    /// The request has moved on: load it again and decide again.
    Conflict,
    /// The requester has this request open for the same intent.
    Open(RequestId),
    /// The same call was made before.
    Repeated(Call),
    /// As many requests of its requester are pending as may be.
    TooMany,
}

/// Which requests to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// All.
    Any,
    /// Those that can still change.
    Open,
    /// Those in this state, by its word.
    Only(&'static str),
}

impl States {
    /// Their words; none where the state does not matter.
    pub fn words(self) -> Vec<&'static str> {
        match self {
            Self::Any => Vec::new(),
            Self::Open => vec!["pending", "approved"],
            Self::Only(word) => vec![word],
        }
    }
}

/// Where the audit log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Digest,
    /// When the last was written.
    pub at: Timestamp,
}

impl Head {
    pub(crate) fn of(frontier: &Frontier, at: Timestamp) -> Self {
        Self { size: frontier.size(), root: frontier.root(), at }
    }
}

/// Why a ledger gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot now. Whether a commit was written is unknown: ask again with the same key.
    #[error("the ledger is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored is not what was written.
    #[error("the ledger is corrupt: {0}")]
    Corrupt(String),
}

/// Whether a later review of the request is open or overdue.
pub(crate) fn awaits_later_review(request: &Request) -> bool {
    request.afterwards().iter().any(|after| after.done.is_none())
}

/// How long a call is remembered.
pub const CALLS_ARE_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

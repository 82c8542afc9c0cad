//! What a blocked client and an approver have to do with a server, whatever it is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use assent_client::{Client, IdempotencyKey, Secret, wire};
use assent_core::absence::Absence;
use assent_core::access::{Access, AccessStep};
use assent_core::digest::Digest;
use assent_core::id::{AccessId, CredentialId, PasskeyId, RequestId, SignalId, UploadId};
use assent_core::passkey::{Passkey, PasskeyStep};
use assent_core::principal::PrincipalId;
use assent_core::request::{Event, Request, Version};
use assent_core::sign_in::Link;
use assent_core::time::Timestamp;
use assent_server::ledger::outbox::Outbox;
use assent_server::ledger::{
    Account, Beginning, Call, Commit, Gate, GateKey, Head, Hearing, Heartbeat, Keeping,
    KeptDocument, KeptSignal, KeptTold, KeyChange, Ledger, LedgerError, Listed, Listened,
    LogSearch, Met, Opening, Piece, PlanText, Refusal, SealedKey, Search, Spent, States, Tally,
    Write,
};
use async_trait::async_trait;
use serde_json::Value;

use crate::echo;
use crate::host::{self, Host};

/// How long one leg of a wait is.
const LEG: Duration = Duration::from_secs(60);

/// A request that somebody waits for.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    id: String,
    digest: String,
    version: u64,
}

/// Where requests are filed, awaited and approved.
#[async_trait]
pub(crate) trait Desk: Send + Sync {
    /// Files one more request.
    async fn open(&self) -> Result<Ticket>;
    /// Until it has changed.
    async fn wait(&self, ticket: &Ticket) -> Result<()>;
    /// Approves it.
    async fn approve(&self, ticket: &Ticket) -> Result<()>;
    /// When its approval was durable, where that is known.
    fn committed(&self, ticket: &Ticket) -> Option<Instant>;
}

/// Files so many requests, a few at a time.
pub(crate) async fn open_all(desk: &Arc<dyn Desk>, count: usize) -> Result<Vec<Ticket>> {
    const AT_ONCE: usize = 16;
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..AT_ONCE {
        let desk = Arc::clone(desk);
        tasks.spawn(async move {
            let mut tickets = Vec::new();
            for _ in (part..count).step_by(AT_ONCE) {
                tickets.push(desk.open().await?);
            }
            anyhow::Ok(tickets)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(tickets) = tasks.join_next().await {
        all.extend(tickets??);
    }
    Ok(all)
}

/// An authority, called through the client that everybody uses.
pub(crate) struct Authority {
    asker: Client,
    approver: Client,
    witness: Option<Arc<Witness>>,
    filed: AtomicU64,
}

impl Authority {
    /// In this process, with a witness of its commits.
    pub(crate) fn new(host: &Host, witness: Arc<Witness>) -> Result<Self> {
        let desk = Self::at(&host.url, &host.alice, &host.bob)?;
        Ok(Self { witness: Some(witness), ..desk })
    }

    /// Anywhere.
    pub(crate) fn at(url: &str, asker: &Secret, approver: &Secret) -> Result<Self> {
        Ok(Self {
            asker: host::client(url, asker)?,
            approver: host::client(url, approver)?,
            witness: None,
            filed: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl Desk for Authority {
    async fn open(&self) -> Result<Ticket> {
        let intent = host::intent(self.filed.fetch_add(1, Ordering::Relaxed));
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        let filed = self.asker.file(&filing, &IdempotencyKey::fresh()).await?;
        Ok(Ticket { id: filed.id, digest: filed.digest, version: filed.version })
    }

    async fn wait(&self, ticket: &Ticket) -> Result<()> {
        loop {
            let found = self.asker.wait(&ticket.id, ticket.version, LEG).await?;
            if found.version > ticket.version {
                return Ok(());
            }
        }
    }

    async fn approve(&self, ticket: &Ticket) -> Result<()> {
        let (verdict, digest) = (wire::Verdict::Approve, ticket.digest.clone());
        let review = wire::NewReview { verdict, comment: String::new(), digest, signature: None };
        let key = IdempotencyKey::fresh();
        let request = self.approver.review(&ticket.id, &review, &key).await?;
        anyhow::ensure!(request.state == "approved", "approved, but {}", request.state);
        Ok(())
    }

    fn committed(&self, ticket: &Ticket) -> Option<Instant> {
        self.witness.as_ref()?.committed(&ticket.id)
    }
}

/// The control.
pub(crate) struct Bare {
    http: reqwest::Client,
    url: String,
    filed: AtomicU64,
}

impl Bare {
    /// The control at this address.
    pub(crate) fn new(url: &str) -> Self {
        let filed = AtomicU64::new(0);
        Self { http: reqwest::Client::new(), url: url.to_owned(), filed }
    }
}

#[async_trait]
impl Desk for Bare {
    async fn open(&self) -> Result<Ticket> {
        let id = self.filed.fetch_add(1, Ordering::Relaxed).to_string();
        Ok(Ticket { id, digest: String::new(), version: 0 })
    }

    async fn wait(&self, ticket: &Ticket) -> Result<()> {
        echo::call(self.http.get(format!("{}/wait/{}", self.url, ticket.id))).await
    }

    async fn approve(&self, ticket: &Ticket) -> Result<()> {
        echo::call(self.http.post(format!("{}/approve/{}", self.url, ticket.id))).await
    }

    fn committed(&self, _: &Ticket) -> Option<Instant> {
        None
    }
}

/// A ledger that remembers when it acknowledged each change of a request.
#[derive(Debug)]
pub(crate) struct Witness {
    ledger: Arc<dyn Ledger>,
    committed: Mutex<HashMap<RequestId, Instant>>,
}

impl Witness {
    /// Watches this one.
    pub(crate) fn new(ledger: Arc<dyn Ledger>) -> Self {
        Self { ledger, committed: Mutex::default() }
    }

    fn committed(&self, id: &str) -> Option<Instant> {
        let committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        committed.get(&id.parse().ok()?).copied()
    }
}

#[async_trait]
impl Ledger for Witness {
    fn outbox(&self) -> &dyn Outbox {
        self.ledger.outbox()
    }

    async fn commit(&self, write: Write) -> Result<Commit, LedgerError> {
        let changed = write.step.expected().map(|_| write.step.next().id());
        let commit = self.ledger.commit(write).await?;
        let now = Instant::now();
        if let (Some(id), Commit::Done(_)) = (changed, &commit) {
            self.committed.lock().unwrap_or_else(PoisonError::into_inner).insert(id, now);
        }
        Ok(commit)
    }

    async fn load(
        &self,
        id: RequestId,
        at: Option<Version>,
    ) -> Result<Option<Request>, LedgerError> {
        self.ledger.load(id, at).await
    }

    async fn open_requests(&self, limit: usize) -> Result<Vec<(RequestId, Version)>, LedgerError> {
        self.ledger.open_requests(limit).await
    }

    async fn filed_by(
        &self,
        who: &PrincipalId,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        self.ledger.filed_by(who, before, limit).await
    }

    async fn history(&self, id: RequestId) -> Result<Vec<Event>, LedgerError> {
        self.ledger.history(id).await
    }

    async fn closings(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.closings(now).await
    }

    async fn commit_passkey(&self, step: PasskeyStep) -> Result<bool, LedgerError> {
        self.ledger.commit_passkey(step).await
    }

    async fn passkeys_of(&self, who: &PrincipalId) -> Result<Vec<Passkey>, LedgerError> {
        self.ledger.passkeys_of(who).await
    }

    async fn passkey(&self, id: PasskeyId) -> Result<Option<Passkey>, LedgerError> {
        self.ledger.passkey(id).await
    }

    async fn passkey_with(&self, credential: &[u8]) -> Result<Option<Passkey>, LedgerError> {
        self.ledger.passkey_with(credential).await
    }

    async fn passkey_entries(
        &self,
        id: PasskeyId,
    ) -> Result<Vec<(u64, serde_json::Value)>, LedgerError> {
        self.ledger.passkey_entries(id).await
    }

    async fn request_entries(
        &self,
        id: RequestId,
    ) -> Result<Vec<(u64, serde_json::Value)>, LedgerError> {
        self.ledger.request_entries(id).await
    }

    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Digest>, LedgerError> {
        self.ledger.leaves(from, limit).await
    }

    async fn later_reviews(&self) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.later_reviews().await
    }

    async fn keep(&self, keeping: Keeping) -> Result<(), LedgerError> {
        self.ledger.keep(keeping).await
    }

    async fn plan(&self, digest: Digest) -> Result<Option<PlanText>, LedgerError> {
        self.ledger.plan(digest).await
    }

    async fn has_plan_of(&self, digest: Digest, who: &PrincipalId) -> Result<bool, LedgerError> {
        self.ledger.has_plan_of(digest, who).await
    }

    async fn plan_of_saved(
        &self,
        saved: Digest,
        who: &PrincipalId,
    ) -> Result<Option<Digest>, LedgerError> {
        self.ledger.plan_of_saved(saved, who).await
    }

    async fn signals(&self) -> Result<Vec<KeptSignal>, LedgerError> {
        self.ledger.signals().await
    }

    async fn documents(&self) -> Result<Vec<KeptDocument>, LedgerError> {
        self.ledger.documents().await
    }

    async fn document(&self, name: &str) -> Result<Vec<KeptDocument>, LedgerError> {
        self.ledger.document(name).await
    }

    async fn remember(&self, met: Met) -> Result<(), LedgerError> {
        self.ledger.remember(met).await
    }

    async fn commit_access(&self, step: AccessStep) -> Result<(), LedgerError> {
        self.ledger.commit_access(step).await
    }

    async fn commit_exchange(
        &self,
        step: AccessStep,
        spent: Option<Spent>,
    ) -> Result<bool, LedgerError> {
        self.ledger.commit_exchange(step, spent).await
    }

    async fn forget_exchanges(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_exchanges(before).await
    }

    async fn gate(&self, key: GateKey) -> Result<Option<Gate>, LedgerError> {
        self.ledger.gate(key).await
    }

    async fn gate_of(&self, request: RequestId) -> Result<Option<Gate>, LedgerError> {
        self.ledger.gate_of(request).await
    }

    async fn open_gates(&self) -> Result<Vec<Gate>, LedgerError> {
        self.ledger.open_gates().await
    }

    async fn gates_of_run(&self, repository: u64, run: u64) -> Result<Vec<Gate>, LedgerError> {
        self.ledger.gates_of_run(repository, run).await
    }

    async fn guarded(&self) -> Result<Vec<(String, String, u64)>, LedgerError> {
        self.ledger.guarded().await
    }

    async fn keep_gate(&self, gate: Gate) -> Result<(), LedgerError> {
        self.ledger.keep_gate(gate).await
    }

    async fn forget_gates(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_gates(before).await
    }

    async fn remember_delivery(&self, id: &str, at: Timestamp) -> Result<bool, LedgerError> {
        self.ledger.remember_delivery(id, at).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_deliveries(before).await
    }

    async fn recall(&self, key: Digest) -> Result<Option<Call>, LedgerError> {
        self.ledger.recall(key).await
    }

    async fn newest_with(&self, intent: Digest) -> Result<Option<RequestId>, LedgerError> {
        self.ledger.newest_with(intent).await
    }

    async fn newest_of(
        &self,
        intent: Digest,
        who: &PrincipalId,
    ) -> Result<Option<RequestId>, LedgerError> {
        self.ledger.newest_of(intent, who).await
    }

    async fn last_approved(
        &self,
        who: &PrincipalId,
        environment: &str,
        kind: &str,
    ) -> Result<Option<RequestId>, LedgerError> {
        self.ledger.last_approved(who, environment, kind).await
    }

    async fn begin(&self, beginning: Beginning) -> Result<bool, LedgerError> {
        self.ledger.begin(beginning).await
    }

    async fn request_of(&self, id: CredentialId) -> Result<Option<RequestId>, LedgerError> {
        self.ledger.request_of(id).await
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.due(now, limit).await
    }

    async fn list(
        &self,
        states: States,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        self.ledger.list(states, before, limit).await
    }

    async fn search(&self, search: Search) -> Result<Vec<Listed>, LedgerError> {
        self.ledger.search(search).await
    }

    async fn tallies(
        &self,
        days: std::ops::RangeInclusive<i64>,
    ) -> Result<Vec<Tally>, LedgerError> {
        self.ledger.tallies(days).await
    }

    async fn note_opening(&self, opening: Opening) -> Result<(), LedgerError> {
        self.ledger.note_opening(opening).await
    }

    async fn search_log(
        &self,
        search: LogSearch,
    ) -> Result<Vec<(u64, serde_json::Value)>, LedgerError> {
        self.ledger.search_log(search).await
    }

    async fn absences(&self) -> Result<Vec<Absence>, LedgerError> {
        self.ledger.absences().await
    }

    async fn entries(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<Vec<serde_json::Value>, LedgerError> {
        self.ledger.entries(from, limit).await
    }

    async fn head(&self) -> Result<Head, LedgerError> {
        self.ledger.head().await
    }

    async fn access(&self, id: AccessId) -> Result<Option<Access>, LedgerError> {
        self.ledger.access(id).await
    }

    async fn accesses_of(&self, who: &PrincipalId) -> Result<Vec<Access>, LedgerError> {
        self.ledger.accesses_of(who).await
    }

    async fn accesses_by_sid(&self, sid: &str) -> Result<Vec<Access>, LedgerError> {
        self.ledger.accesses_by_sid(sid).await
    }

    async fn see(&self, access: AccessId, at: Timestamp) -> Result<(), LedgerError> {
        self.ledger.see(access, at).await
    }

    async fn seen(&self) -> Result<Vec<(AccessId, Timestamp)>, LedgerError> {
        self.ledger.seen().await
    }

    async fn keep_account(
        &self,
        account: Account,
        entry: Option<(Value, Timestamp)>,
    ) -> Result<(), LedgerError> {
        self.ledger.keep_account(account, entry).await
    }

    async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        self.ledger.accounts().await
    }

    async fn keep_link(&self, link: Link, entry: Value, at: Timestamp) -> Result<(), LedgerError> {
        self.ledger.keep_link(link, entry, at).await
    }

    async fn links(&self) -> Result<Vec<Link>, LedgerError> {
        self.ledger.links().await
    }

    async fn accesses(&self) -> Result<Vec<Access>, LedgerError> {
        self.ledger.accesses().await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, LedgerError> {
        self.ledger.signing_keys().await
    }

    async fn commit_keys(&self, change: KeyChange) -> Result<(), LedgerError> {
        self.ledger.commit_keys(change).await
    }

    async fn forget_calls(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_calls(before).await
    }

    async fn errands(&self) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.errands().await
    }

    async fn live(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.live(now).await
    }

    async fn heard(
        &self,
        who: Listened,
        last: Timestamp,
        due: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.ledger.heard(who, last, due).await
    }

    async fn heartbeats(&self, request: RequestId) -> Result<Vec<Heartbeat>, LedgerError> {
        self.ledger.heartbeats(request).await
    }

    async fn silent(&self, now: Timestamp, limit: usize) -> Result<Vec<Heartbeat>, LedgerError> {
        self.ledger.silent(now, limit).await
    }

    async fn excuse(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger.excuse(now).await
    }

    async fn hear(&self, hearing: Hearing) -> Result<bool, LedgerError> {
        self.ledger.hear(hearing).await
    }

    async fn told(&self) -> Result<Vec<KeptTold>, LedgerError> {
        self.ledger.told().await
    }

    async fn settle(&self, signals: Vec<SignalId>) -> Result<(), LedgerError> {
        self.ledger.settle(signals).await
    }

    async fn forget_told(
        &self,
        before: Timestamp,
        but: Vec<SignalId>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.ledger.forget_told(before, but, now).await
    }

    async fn within_reach(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        self.ledger.within_reach(now).await
    }

    async fn write_piece(&self, piece: Piece) -> Result<(), LedgerError> {
        self.ledger.write_piece(piece).await
    }

    async fn piece(&self, upload: UploadId, number: u32) -> Result<Option<Vec<u8>>, LedgerError> {
        self.ledger.piece(upload, number).await
    }

    async fn kept_bytes(&self, who: &PrincipalId) -> Result<u64, LedgerError> {
        self.ledger.kept_bytes(who).await
    }

    async fn forget_pieces(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.ledger.forget_pieces(before).await
    }

    async fn note_refusal(&self, refusal: Refusal) -> Result<bool, LedgerError> {
        self.ledger.note_refusal(refusal).await
    }
}

//! The ledger in memory: the reference for the others, and the double in tests. Not durable.

mod outbox;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use assent_core::absence::Absence;
use assent_core::access::{Access, AccessStep, Purpose};
use assent_core::audit::{Frontier, leaf_hash};
use assent_core::credential::KeyId;
use assent_core::digest::Digest;
use assent_core::id::{
    AbsenceId, AccessId, CredentialId, PasskeyId, RequestId, SignalId, UploadId,
};
use assent_core::passkey::{Passkey, PasskeyStep};
use assent_core::principal::PrincipalId;
use assent_core::request::{Event, Fact, Request, State, Step, Version, Word};
use assent_core::sign_in::Link;
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use async_trait::async_trait;
use serde_json::Value;

use crate::ledger::listing::{self, Listed, LogSearch, Opening, Search, Tally};
use crate::ledger::outbox::Outbox;
use crate::ledger::{
    Account, Beginning, Call, Commit, Gate, GateKey, Head, Hearing, Heartbeat, Keeping, Kept,
    KeptDocument, KeptSignal, KeptTold, KeyChange, Ledger, LedgerError, Listened, Met, NewCall,
    Piece, PlanText, REFUSALS, REFUSALS_OF_ONE, Refusal, SealedKey, Spent, States, Write,
    awaits_later_review,
};

/// Requests in memory.
#[derive(Debug, Default)]
pub struct MemoryLedger(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    requests: BTreeMap<RequestId, (Request, Vec<Event>)>,
    /// How many requests of each requester are pending.
    pending: HashMap<PrincipalId, u64>,
    calls: HashMap<Digest, (Call, Timestamp)>,
    access: BTreeMap<AccessId, Access>,
    begun: HashMap<RequestId, Digest>,
    spent: HashMap<Digest, Timestamp>,
    deliveries: HashMap<String, Timestamp>,
    plans: HashMap<Digest, (PlanText, BTreeSet<PrincipalId>)>,
    saved: HashMap<(Digest, PrincipalId), Digest>,
    signals: BTreeMap<String, KeptSignal>,
    told: Vec<(KeptTold, Timestamp)>,
    tokens: HashMap<Digest, Timestamp>,
    documents: BTreeMap<String, Vec<KeptDocument>>,
    keys: BTreeMap<KeyId, SealedKey>,
    heartbeats: BTreeMap<Listened, Heartbeat>,
    gates: BTreeMap<GateKey, Gate>,
    pieces: BTreeMap<(UploadId, u32), Piece>,
    uploads: HashMap<UploadId, (PrincipalId, u64)>,
    refusals: HashMap<RequestId, BTreeSet<(PrincipalId, Digest)>>,
    posts: outbox::Posts,
    accounts: BTreeMap<PrincipalId, Account>,
    links: Vec<Link>,
    seen: BTreeMap<AccessId, Timestamp>,
    absences: BTreeMap<AbsenceId, Absence>,
    opened: HashMap<(RequestId, PrincipalId), Timestamp>,
    passkeys: BTreeMap<PasskeyId, (Passkey, Vec<usize>)>,
    entries: Vec<Value>,
    /// Of which request each entry is, where it is of one.
    places: Vec<Option<RequestId>>,
    frontier: Frontier,
    last: Option<Timestamp>,
}

impl MemoryLedger {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // A writer that panicked has written nothing: every write below is whole or not begun.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn append(&mut self, entry: Value, at: Timestamp) {
        self.frontier.push(leaf_hash(&wire::entry_bytes(&entry)));
        self.entries.push(entry);
        self.places.push(None);
        self.last = Some(at);
    }

    fn commit(&mut self, write: &Write) -> Commit {
        let next = write.step.next();
        if let Some((call, _)) = write.call.as_ref().and_then(|call| self.calls.get(&call.key)) {
            return Commit::Repeated(*call);
        }
        let is_live = |id| self.passkeys.get(&id).is_some_and(|(passkey, _)| passkey.is_live());
        if write.step.signed_with().is_some_and(|passkey| !is_live(passkey)) {
            return Commit::Conflict;
        }
        let stored = self.requests.get(&next.id()).map(|(request, _)| request.version());
        if stored != write.step.expected() {
            return Commit::Conflict;
        }
        let requester = &next.requester().id;
        let runs = [next.run(), next.established_run()];
        let open = write.unless_open.then(|| self.open_with(next.digest(), requester, runs));
        if let Some(open) = open.flatten() {
            return Commit::Open(open);
        }
        let pending = self.pending.get(requester).copied().unwrap_or_default();
        let is_pending = matches!(next.state(), State::Pending(_));
        if stored.is_none() && is_pending && write.most_pending.is_some_and(|most| pending >= most)
        {
            return Commit::TooMany;
        }
        self.write(&write.step, write.call.as_ref());
        #[expect(clippy::disallowed_methods, reason = "this ledger has just written the step")]
        Commit::Done(assent_core::request::Receipt::for_committed(&write.step))
    }

    fn access(&mut self, step: &AccessStep) {
        let next = step.next().clone();
        let at = next.revoked_at.unwrap_or(next.created_at);
        self.append(step.event().clone(), at);
        self.access.insert(next.id, next);
    }

    fn open_with(
        &self,
        intent: Digest,
        requester: &PrincipalId,
        [own, established]: [Option<Digest>; 2],
    ) -> Option<RequestId> {
        let requests = self.requests.values().rev().map(|(request, _)| request);
        let mut same = requests.filter(|r| {
            let theirs = r.digest() == intent && r.requester().id == *requester;
            let run = r.run();
            let same = run == own || (run.is_some() && run == established);
            theirs && same && !self.begun.contains_key(&r.id())
        });
        same.find(|request| request.state().is_open()).map(Request::id)
    }

    fn keep(&mut self, keeping: Keeping) {
        let Keeping { what, by, at, entry } = keeping;
        match what {
            Kept::Plan { digest, text, saved } => {
                let held = self.plans.entry(digest).or_insert_with(|| (text, BTreeSet::new()));
                held.1.insert(by.clone());
                if let Some(saved) = saved {
                    self.saved.insert((saved, by), digest);
                }
            }
            Kept::Signal { name, value: None } => drop(self.signals.remove(&name)),
            Kept::Signal { name, value: Some(value) } => {
                let told = KeptSignal { name: name.clone(), value, by: by.to_string(), at };
                self.signals.insert(name, told);
            }
            Kept::Absence(absence) => drop(self.absences.insert(absence.id, absence)),
            Kept::Nothing => {}
            Kept::Document { name, text } => {
                let versions = self.documents.entry(name.clone()).or_default();
                let (version, by) = (versions.len() as u64 + 1, by.to_string());
                versions.push(KeptDocument { name, version, text, by, at });
            }
        }
        self.append(entry, at);
    }

    fn plan(&mut self, of: &Request, fact: &Fact) {
        if let Fact::PlanKept { upload, size, .. } = fact {
            self.uploads.insert(*upload, (of.requester().id.clone(), *size));
        }
        if let Fact::PlanRemoved { upload } = fact {
            self.uploads.remove(upload);
            self.pieces.retain(|(of, _), _| of != upload);
        }
    }

    fn note_refusal(&mut self, refusal: Refusal) -> bool {
        let noted = self.refusals.entry(refusal.request).or_default();
        let of_one = noted.iter().filter(|(who, _)| *who == refusal.by).count();
        if noted.len() >= REFUSALS || of_one >= REFUSALS_OF_ONE {
            return false;
        }
        let is_new = noted.insert((refusal.by, refusal.mark));
        if is_new {
            self.append(refusal.entry, refusal.at);
        }
        is_new
    }

    fn write(&mut self, step: &Step, call: Option<&NewCall>) {
        let next = step.next();
        for event in step.events() {
            self.append(wire::event_to_json(event), event.at);
            if let Some(place) = self.places.last_mut() {
                *place = Some(next.id());
            }
            self.plan(next, &event.fact);
        }
        let at = step.events().last().map(|event| event.at);
        if let (Some(new), Some(at)) = (call, at) {
            let call = Call {
                asked: new.asked,
                request: next.id(),
                version: next.version(),
                credential: new.credential,
            };
            self.calls.insert(new.key, (call, at));
        }
        self.listen(step);
        self.posts.post(step);
        self.count_pending(next);
        let slot = self.requests.entry(next.id()).or_insert_with(|| (next.clone(), Vec::new()));
        slot.0 = next.clone();
        slot.1.extend(step.events().iter().cloned());
    }
}

impl Inside {
    /// Before what is kept of the request is replaced by this.
    fn count_pending(&mut self, next: &Request) {
        let is_pending = |request: &Request| matches!(request.state(), State::Pending(_));
        let was = self.requests.get(&next.id()).is_some_and(|(request, _)| is_pending(request));
        let requester = &next.requester().id;
        match (was, is_pending(next)) {
            (false, true) => *self.pending.entry(requester.clone()).or_default() += 1,
            (true, false) => {
                if let Some(count) = self.pending.get_mut(requester) {
                    *count -= 1;
                }
                self.pending.retain(|_, count| *count > 0);
            }
            (true, true) | (false, false) => {}
        }
    }

    fn listen(&mut self, step: &Step) {
        let next = step.next();
        let (request, who) = (next.id(), Listened::Requester(next.id()));
        match (next.state(), next.heartbeat()) {
            (State::Pending(_), Some(every)) if step.expected().is_none() => {
                let (last, due) = (next.filed_at(), next.filed_at().plus(every));
                self.heartbeats.insert(who, Heartbeat { request, who, last, due });
            }
            (State::Pending(_), _) | (_, None) => {}
            (_, Some(_)) => {
                self.heartbeats.remove(&who);
            }
        }
        for event in step.events() {
            let Fact::Minted { credential, .. } = &event.fact else { continue };
            let every = next.credential(*credential).and_then(|issued| issued.heartbeat);
            let Some(every) = every else { continue };
            let who = Listened::Holder(*credential);
            let (last, due) = (event.at, event.at.plus(every));
            self.heartbeats.insert(who, Heartbeat { request, who, last, due });
        }
        for issued in next.credentials().iter().filter(|issued| issued.ended.is_some()) {
            self.heartbeats.remove(&Listened::Holder(issued.id));
        }
    }

    /// How often somebody is to be heard of, and until when at most: for the requester there is no
    /// such time but the request's.
    fn listened(&self, beat: &Heartbeat) -> Option<(Span, Option<Timestamp>)> {
        let (request, _) = self.requests.get(&beat.request)?;
        match beat.who {
            Listened::Requester(_) => Some((request.heartbeat()?, None)),
            Listened::Holder(credential) => {
                let issued = request.credential(credential)?;
                Some((issued.heartbeat?, Some(issued.expires_at)))
            }
        }
    }

    fn is_over(&self, beat: &Heartbeat, is_past: impl Fn(Timestamp) -> bool) -> bool {
        self.listened(beat).and_then(|(_, until)| until).is_some_and(is_past)
    }
}

fn is_wanted(request: &Request, search: &Search) -> bool {
    let (listed, intent) = (Listed::of(request), request.intent());
    let searched = listed.searched().to_lowercase();
    let filed = request.filed_at();
    search.words.iter().all(|word| searched.contains(&word.to_lowercase()))
        && (search.states.is_empty() || search.states.contains(&request.state().word()))
        && search.environment.as_ref().is_none_or(|name| intent.environment() == name)
        && search.kind.as_ref().is_none_or(|kind| intent.kind() == kind)
        && search.requester.as_ref().is_none_or(|who| request.requester().id == *who)
        && search.reviewer.as_ref().is_none_or(|who| listing::reviewers(request).contains(who))
        && search.rule.as_ref().is_none_or(|rule| request.ruling().rules.contains(rule))
        && search.naming.as_ref().is_none_or(|named| !named.is_disjoint(&request.names_all()))
        && search.since.is_none_or(|since| filed >= since)
        && search.until.is_none_or(|until| filed < until)
        && search.before.is_none_or(|before| request.id() < before)
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn load(
        &self,
        id: RequestId,
        at: Option<Version>,
    ) -> Result<Option<Request>, LedgerError> {
        let inside = self.inside();
        let Some((request, events)) = inside.requests.get(&id) else { return Ok(None) };
        match at {
            None => Ok(Some(request.clone())),
            Some(Version(version)) => {
                let count = usize::try_from(version).unwrap_or(usize::MAX);
                let replayed = Request::replay(events.iter().take(count));
                replayed.map(Some).map_err(|error| LedgerError::Corrupt(error.to_string()))
            }
        }
    }

    async fn commit(&self, write: Write) -> Result<Commit, LedgerError> {
        Ok(self.inside().commit(&write))
    }

    async fn remember(&self, met: Met) -> Result<(), LedgerError> {
        self.inside().calls.entry(met.key).or_insert((met.call, met.at));
        Ok(())
    }

    async fn commit_access(&self, step: AccessStep) -> Result<(), LedgerError> {
        self.inside().access(&step);
        Ok(())
    }

    async fn commit_exchange(
        &self,
        step: AccessStep,
        spent: Option<Spent>,
    ) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        if spent.is_some_and(|spent| inside.spent.contains_key(&spent.mark)) {
            return Ok(false);
        }
        inside.spent.extend(spent.map(|spent| (spent.mark, spent.until)));
        inside.access(&step);
        Ok(true)
    }

    async fn forget_exchanges(&self, before: Timestamp) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        inside.spent.retain(|_, until| *until >= before);
        inside.access.retain(|_, one| one.origin.is_none() || one.expires_at >= before);
        let over = |beat: &&Heartbeat| inside.is_over(beat, |until| until < before);
        let over: Vec<_> = inside.heartbeats.values().filter(over).copied().collect();
        for beat in over {
            inside.heartbeats.remove(&beat.who);
        }
        Ok(())
    }

    async fn remember_delivery(&self, id: &str, at: Timestamp) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        let is_first = !inside.deliveries.contains_key(id);
        inside.deliveries.entry(id.to_owned()).or_insert(at);
        Ok(is_first)
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.inside().deliveries.retain(|_, at| *at >= before);
        Ok(())
    }

    async fn recall(&self, key: Digest) -> Result<Option<Call>, LedgerError> {
        Ok(self.inside().calls.get(&key).map(|(call, _)| *call))
    }

    async fn newest_with(&self, intent: Digest) -> Result<Option<RequestId>, LedgerError> {
        let inside = self.inside();
        let mut newest = inside.requests.values().rev().map(|(request, _)| request);
        let found = newest.find(|r| r.digest() == intent || r.intent().stated().digest() == intent);
        Ok(found.map(Request::id))
    }

    async fn newest_of(
        &self,
        intent: Digest,
        who: &PrincipalId,
    ) -> Result<Option<RequestId>, LedgerError> {
        let inside = self.inside();
        let mut newest = inside.requests.values().rev().map(|(request, _)| request);
        let theirs = newest.find(|r| r.digest() == intent && r.requester().id == *who);
        Ok(theirs.map(Request::id))
    }

    async fn last_approved(
        &self,
        who: &PrincipalId,
        environment: &str,
        kind: &str,
    ) -> Result<Option<RequestId>, LedgerError> {
        let inside = self.inside();
        let theirs = inside.requests.values().filter(|(request, _)| {
            let intent = request.intent();
            request.requester().id == *who
                && intent.environment() == environment
                && intent.kind() == kind
        });
        let given = theirs.filter_map(|(request, events)| {
            let words = || events.iter().map(|event| (event.fact.word(), event.at));
            if words().any(|(word, _)| matches!(word, Some(Word::TakenBack))) {
                return None;
            }
            let given = words().find(|(word, _)| matches!(word, Some(Word::Given)));
            given.map(|(_, at)| (at, request.id()))
        });
        Ok(given.max().map(|(_, id)| id))
    }

    async fn begin(&self, beginning: Beginning) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        let Beginning { request, key, at, entry, .. } = beginning;
        if let Some(under) = inside.begun.get(&request) {
            return Ok(*under == key);
        }
        let found = inside.requests.get(&request);
        if found.is_none_or(|(request, _)| request.state().word() != "approved") {
            return Ok(false);
        }
        inside.begun.insert(request, key);
        inside.append(entry, at);
        Ok(true)
    }

    async fn request_of(&self, credential: CredentialId) -> Result<Option<RequestId>, LedgerError> {
        let inside = self.inside();
        let mut requests = inside.requests.values().map(|(request, _)| request);
        Ok(requests.find(|request| request.credential(credential).is_some()).map(Request::id))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().map(|(request, _)| request);
        let due =
            requests.filter_map(|r| r.due_at().filter(|at| *at <= now).map(|at| (at, r.id())));
        let mut due: Vec<_> = due.collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, id)| id).collect())
    }

    async fn closings(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().map(|(request, _)| request);
        let due =
            requests.filter_map(|r| r.closing_due().filter(|at| *at <= now).map(|at| (at, r.id())));
        let mut due: Vec<_> = due.collect();
        due.sort();
        Ok(due.into_iter().map(|(_, id)| id).collect())
    }

    async fn errands(&self) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().map(|(request, _)| request);
        Ok(requests.filter(|request| request.has_errands()).map(Request::id).collect())
    }

    async fn live(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().rev().map(|(request, _)| request);
        let is_live = |request: &&Request| {
            let is_closing = request.closing_due().is_some_and(|at| at <= now);
            request.live_until().is_some_and(|until| until > now) || is_closing
        };
        Ok(requests.filter(is_live).map(Request::id).collect())
    }

    async fn heard(
        &self,
        who: Listened,
        last: Timestamp,
        due: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        let Some(beat) = inside.heartbeats.get_mut(&who) else { return Ok(false) };
        (beat.last, beat.due) = (beat.last.max(last), beat.due.max(due));
        Ok(true)
    }

    async fn heartbeats(&self, request: RequestId) -> Result<Vec<Heartbeat>, LedgerError> {
        let inside = self.inside();
        let of = inside.heartbeats.values().filter(|beat| beat.request == request);
        Ok(of.copied().collect())
    }

    async fn silent(&self, now: Timestamp, limit: usize) -> Result<Vec<Heartbeat>, LedgerError> {
        let inside = self.inside();
        let is_good = |beat: &&Heartbeat| !inside.is_over(beat, |until| until <= now);
        let silent = inside.heartbeats.values().filter(|beat| beat.due <= now).filter(is_good);
        let mut silent: Vec<_> = silent.copied().collect();
        silent.sort_by_key(|beat| beat.due);
        silent.truncate(limit);
        Ok(silent)
    }

    async fn excuse(&self, now: Timestamp) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        let due = |beat: &Heartbeat| {
            let every = inside.listened(beat).map(|(every, _)| every);
            Heartbeat {
                due: every.map_or(beat.due, |every| beat.due.max(now.plus(every))),
                ..*beat
            }
        };
        let excused = inside.heartbeats.values().map(|beat| (beat.who, due(beat)));
        inside.heartbeats = excused.collect();
        Ok(())
    }

    async fn list(
        &self,
        states: States,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().rev().map(|(request, _)| request);
        let wanted = requests.filter(|request| {
            before.is_none_or(|before| request.id() < before)
                && match states {
                    States::Any => true,
                    States::Open => request.state().is_open(),
                    States::Only(word) => request.state().word() == word,
                }
        });
        Ok(wanted.take(limit).cloned().collect())
    }

    async fn open_requests(&self, limit: usize) -> Result<Vec<(RequestId, Version)>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().rev().map(|(request, _)| request);
        let open = requests.filter(|request| request.state().is_open());
        Ok(open.take(limit).map(|request| (request.id(), request.version())).collect())
    }

    async fn filed_by(
        &self,
        who: &PrincipalId,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<Request>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().rev().map(|(request, _)| request);
        let theirs = requests.filter(|request| {
            request.requester().id == *who && before.is_none_or(|before| request.id() < before)
        });
        Ok(theirs.take(limit).cloned().collect())
    }

    async fn history(&self, id: RequestId) -> Result<Vec<Event>, LedgerError> {
        Ok(self.inside().requests.get(&id).map(|(_, events)| events.clone()).unwrap_or_default())
    }

    async fn search(&self, search: Search) -> Result<Vec<Listed>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().rev().map(|(request, _)| request);
        let wanted = requests.filter(|request| is_wanted(request, &search)).map(Listed::of);
        Ok(wanted.take(search.limit).collect())
    }

    async fn tallies(
        &self,
        days: std::ops::RangeInclusive<i64>,
    ) -> Result<Vec<Tally>, LedgerError> {
        let inside = self.inside();
        let mut all: BTreeMap<Tally, u64> = BTreeMap::new();
        for (request, events) in inside.requests.values() {
            let opened = events.iter().flat_map(|event| {
                let who = event.by.clone().map(|who| (request.id(), who));
                let at = who.and_then(|key| inside.opened.get(&key).copied());
                listing::counted_opened(event, at)
            });
            let counted = listing::counted(events, request, false);
            for tally in counted.into_iter().chain(opened).filter(|t| days.contains(&t.day)) {
                *all.entry(Tally { count: 0, ..tally }).or_default() += tally.count;
            }
        }
        Ok(all.into_iter().map(|(tally, count)| Tally { count, ..tally }).collect())
    }

    async fn note_opening(&self, opening: Opening) -> Result<(), LedgerError> {
        let key = (opening.request, opening.who);
        self.inside().opened.entry(key).or_insert(opening.at);
        Ok(())
    }

    async fn search_log(&self, search: LogSearch) -> Result<Vec<(u64, Value)>, LedgerError> {
        let inside = self.inside();
        let newest = (0..).zip(&inside.entries).collect::<Vec<(u64, _)>>().into_iter().rev();
        let is = |entry: &Value, path: &str, wanted: &Option<String>| {
            let found = entry.pointer(path).and_then(Value::as_str);
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        };
        let (iss, sub) = (search.by.as_ref().map(|by| by.iss().to_owned()), search.by.as_ref());
        let sub = sub.map(|by| by.sub().to_owned());
        let request = search.request.map(|id| id.to_string());
        let wanted = newest.filter(|(index, entry)| {
            search.before.is_none_or(|before| *index < before)
                && is(entry, "/type", &search.kind)
                && is(entry, "/by/iss", &iss)
                && is(entry, "/by/sub", &sub)
                && is(entry, "/request", &request)
        });
        Ok(wanted.take(search.limit).map(|(index, entry)| (index, entry.clone())).collect())
    }

    async fn absences(&self) -> Result<Vec<Absence>, LedgerError> {
        Ok(self.inside().absences.values().rev().cloned().collect())
    }

    async fn entries(&self, from: u64, limit: usize) -> Result<Vec<Value>, LedgerError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.inside().entries.iter().skip(from).take(limit).cloned().collect())
    }

    async fn head(&self) -> Result<Head, LedgerError> {
        let inside = self.inside();
        let at = inside.last.unwrap_or(Timestamp::from_millis(0));
        Ok(Head::of(&inside.frontier, at))
    }

    async fn access(&self, id: AccessId) -> Result<Option<Access>, LedgerError> {
        Ok(self.inside().access.get(&id).cloned())
    }

    async fn accesses(&self) -> Result<Vec<Access>, LedgerError> {
        let inside = self.inside();
        let tokens = inside.access.values().rev().filter(|one| one.purpose == Purpose::Token);
        Ok(tokens.cloned().collect())
    }

    async fn accesses_of(&self, who: &PrincipalId) -> Result<Vec<Access>, LedgerError> {
        let inside = self.inside();
        let theirs = inside.access.values().rev().filter(|one| one.principal.id == *who);
        Ok(theirs.cloned().collect())
    }

    async fn accesses_by_sid(&self, sid: &str) -> Result<Vec<Access>, LedgerError> {
        let inside = self.inside();
        let is_of = |one: &&Access| {
            one.login.as_ref().is_some_and(|login| login.sid.as_deref() == Some(sid))
        };
        Ok(inside.access.values().filter(is_of).cloned().collect())
    }

    async fn see(&self, access: AccessId, at: Timestamp) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        let seen = inside.seen.entry(access).or_insert(at);
        *seen = at.max(*seen);
        Ok(())
    }

    async fn seen(&self) -> Result<Vec<(AccessId, Timestamp)>, LedgerError> {
        Ok(self.inside().seen.iter().map(|(access, at)| (*access, *at)).collect())
    }

    async fn keep_account(
        &self,
        account: Account,
        entry: Option<(Value, Timestamp)>,
    ) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        if let Some((entry, at)) = entry {
            inside.append(entry, at);
        }
        inside.accounts.insert(account.id.clone(), account);
        Ok(())
    }

    async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        Ok(self.inside().accounts.values().cloned().collect())
    }

    async fn keep_link(&self, link: Link, entry: Value, at: Timestamp) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        inside.append(entry, at);
        let key = |link: &Link| (link.person.clone(), link.account.clone(), link.since);
        inside.links.retain(|one| key(one) != key(&link));
        inside.links.push(link);
        inside.links.sort_by_key(|link| link.since);
        Ok(())
    }

    async fn links(&self) -> Result<Vec<Link>, LedgerError> {
        Ok(self.inside().links.clone())
    }

    async fn gate(&self, key: GateKey) -> Result<Option<Gate>, LedgerError> {
        Ok(self.inside().gates.get(&key).cloned())
    }

    async fn gate_of(&self, request: RequestId) -> Result<Option<Gate>, LedgerError> {
        let inside = self.inside();
        Ok(inside.gates.values().find(|gate| gate.request == Some(request)).cloned())
    }

    async fn open_gates(&self) -> Result<Vec<Gate>, LedgerError> {
        let inside = self.inside();
        let mut open: Vec<_> = inside.gates.values().filter(|gate| gate.open).cloned().collect();
        open.sort_by_key(|gate| gate.at);
        Ok(open)
    }

    async fn gates_of_run(&self, repository: u64, run: u64) -> Result<Vec<Gate>, LedgerError> {
        let inside = self.inside();
        let of = inside.gates.values();
        let of = of.filter(|gate| gate.key.repository == repository && gate.key.run == run);
        Ok(of.cloned().collect())
    }

    async fn guarded(&self) -> Result<Vec<(String, String, u64)>, LedgerError> {
        let inside = self.inside();
        let mut latest = BTreeMap::<u64, &Gate>::new();
        for gate in inside.gates.values() {
            let known = latest.entry(gate.key.repository).or_insert(gate);
            if known.at < gate.at {
                *known = gate;
            }
        }
        let named = |(id, gate): (u64, &Gate)| (gate.owner.clone(), gate.name.clone(), id);
        Ok(latest.into_iter().map(named).collect())
    }

    async fn keep_gate(&self, gate: Gate) -> Result<(), LedgerError> {
        self.inside().gates.insert(gate.key.clone(), gate);
        Ok(())
    }

    async fn forget_gates(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.inside().gates.retain(|_, gate| gate.at >= before);
        Ok(())
    }

    async fn later_reviews(&self) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().map(|(request, _)| request);
        Ok(requests.filter(|request| awaits_later_review(request)).map(Request::id).collect())
    }

    async fn keep(&self, keeping: Keeping) -> Result<(), LedgerError> {
        self.inside().keep(keeping);
        Ok(())
    }

    async fn plan(&self, digest: Digest) -> Result<Option<PlanText>, LedgerError> {
        Ok(self.inside().plans.get(&digest).map(|(text, _)| text.clone()))
    }

    async fn has_plan_of(&self, digest: Digest, who: &PrincipalId) -> Result<bool, LedgerError> {
        Ok(self.inside().plans.get(&digest).is_some_and(|(_, by)| by.contains(who)))
    }

    async fn plan_of_saved(
        &self,
        saved: Digest,
        who: &PrincipalId,
    ) -> Result<Option<Digest>, LedgerError> {
        Ok(self.inside().saved.get(&(saved, who.clone())).copied())
    }

    async fn signals(&self) -> Result<Vec<KeptSignal>, LedgerError> {
        Ok(self.inside().signals.values().cloned().collect())
    }

    async fn hear(&self, hearing: Hearing) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        let Hearing { signal, asked, token, at, entry } = hearing;
        let again = token.is_some_and(|token| inside.tokens.contains_key(&token.mark))
            || signal.is_some_and(|id| inside.told.iter().any(|(told, _)| told.id == id));
        if again {
            return Ok(false);
        }
        inside.tokens.extend(token.map(|token| (token.mark, token.until)));
        let told = signal.map(|id| KeptTold { id, asked, entry: entry.clone(), settled: false });
        inside.told.extend(told.map(|told| (told, at)));
        inside.append(entry, at);
        Ok(true)
    }

    async fn told(&self) -> Result<Vec<KeptTold>, LedgerError> {
        Ok(self.inside().told.iter().map(|(told, _)| told.clone()).collect())
    }

    async fn settle(&self, signals: Vec<SignalId>) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        let theirs = inside.told.iter_mut().filter(|(told, _)| signals.contains(&told.id));
        theirs.for_each(|(told, _)| told.settled = true);
        Ok(())
    }

    async fn forget_told(
        &self,
        before: Timestamp,
        but: Vec<SignalId>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        inside.told.retain(|(told, at)| !told.settled || *at >= before || but.contains(&told.id));
        inside.tokens.retain(|_, until| *until >= now);
        Ok(())
    }

    async fn within_reach(&self, now: Timestamp) -> Result<Vec<RequestId>, LedgerError> {
        let inside = self.inside();
        let requests = inside.requests.values().map(|(request, _)| request);
        let within = requests.filter(|request| {
            request.state().is_open() || request.live_until().is_some_and(|until| until > now)
        });
        Ok(within.map(Request::id).collect())
    }

    async fn documents(&self) -> Result<Vec<KeptDocument>, LedgerError> {
        Ok(self.inside().documents.values().filter_map(|all| all.last().cloned()).collect())
    }

    async fn document(&self, name: &str) -> Result<Vec<KeptDocument>, LedgerError> {
        Ok(self.inside().documents.get(name).cloned().unwrap_or_default())
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, LedgerError> {
        Ok(self.inside().keys.values().cloned().collect())
    }

    async fn commit_keys(&self, change: KeyChange) -> Result<(), LedgerError> {
        let KeyChange { keys, entries, at } = change;
        let mut inside = self.inside();
        inside.keys.extend(keys.into_iter().map(|key| (key.key.id.clone(), key)));
        entries.into_iter().for_each(|entry| inside.append(entry, at));
        Ok(())
    }

    async fn write_piece(&self, piece: Piece) -> Result<(), LedgerError> {
        self.inside().pieces.insert((piece.upload, piece.number), piece);
        Ok(())
    }

    async fn piece(&self, upload: UploadId, number: u32) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.inside().pieces.get(&(upload, number)).map(|piece| piece.sealed.clone()))
    }

    async fn kept_bytes(&self, who: &PrincipalId) -> Result<u64, LedgerError> {
        let inside = self.inside();
        let theirs = inside.uploads.values().filter(|(requester, _)| requester == who);
        Ok(theirs.map(|(_, size)| size).sum())
    }

    async fn forget_pieces(&self, before: Timestamp) -> Result<(), LedgerError> {
        let mut inside = self.inside();
        let Inside { pieces, uploads, .. } = &mut *inside;
        pieces.retain(|(upload, _), piece| piece.at >= before || uploads.contains_key(upload));
        Ok(())
    }

    async fn note_refusal(&self, refusal: Refusal) -> Result<bool, LedgerError> {
        Ok(self.inside().note_refusal(refusal))
    }

    fn outbox(&self) -> &dyn Outbox {
        self
    }

    async fn commit_passkey(&self, step: PasskeyStep) -> Result<bool, LedgerError> {
        let mut inside = self.inside();
        let next = step.next().clone();
        let stored = inside.passkeys.get(&next.id).map(|(passkey, _)| passkey);
        let mut others = inside.passkeys.values().filter(|(other, _)| other.id != next.id);
        if stored != step.before() || others.any(|(other, _)| other.credential == next.credential) {
            return Ok(false);
        }
        let at = inside.entries.len();
        inside.append(step.event().clone(), step.at());
        let slot = inside.passkeys.entry(next.id).or_insert_with(|| (next.clone(), Vec::new()));
        slot.0 = next;
        slot.1.push(at);
        Ok(true)
    }

    async fn passkeys_of(&self, who: &PrincipalId) -> Result<Vec<Passkey>, LedgerError> {
        let inside = self.inside();
        let all = inside.passkeys.values().map(|(passkey, _)| passkey);
        Ok(all.filter(|passkey| passkey.person == *who).cloned().collect())
    }

    async fn passkey(&self, id: PasskeyId) -> Result<Option<Passkey>, LedgerError> {
        Ok(self.inside().passkeys.get(&id).map(|(passkey, _)| passkey.clone()))
    }

    async fn passkey_with(&self, credential: &[u8]) -> Result<Option<Passkey>, LedgerError> {
        let inside = self.inside();
        let mut all = inside.passkeys.values().map(|(passkey, _)| passkey);
        Ok(all.find(|passkey| passkey.credential == credential).cloned())
    }

    async fn passkey_entries(&self, id: PasskeyId) -> Result<Vec<(u64, Value)>, LedgerError> {
        let inside = self.inside();
        let places = inside.passkeys.get(&id).into_iter().flat_map(|(_, places)| places);
        let entry = |at: &usize| Some((*at as u64, inside.entries.get(*at)?.clone()));
        Ok(places.filter_map(entry).collect())
    }

    async fn request_entries(&self, id: RequestId) -> Result<Vec<(u64, Value)>, LedgerError> {
        let inside = self.inside();
        let all = (0..).zip(inside.entries.iter().zip(&inside.places));
        let theirs = all.filter(|(_, (_, of))| **of == Some(id));
        Ok(theirs.map(|(at, (entry, _))| (at, entry.clone())).collect())
    }

    async fn leaves(&self, from: u64, limit: usize) -> Result<Vec<Digest>, LedgerError> {
        let entries = self.entries(from, limit).await?;
        Ok(entries.iter().map(|entry| leaf_hash(&wire::entry_bytes(entry))).collect())
    }

    async fn forget_calls(&self, before: Timestamp) -> Result<(), LedgerError> {
        self.inside().calls.retain(|_, (_, at)| *at >= before);
        Ok(())
    }
}

//! Stages that another organisation reviews: its authority is asked, waited for, watched, and told
//! how it ended.
//!
//! The record says what is still to be done there ([`Request::errands`]), so nothing is lost when the
//! server is. Every call carries a key that follows from the request and its stage: however often it
//! is sent, it has its effect once. Whoever is away there is asked again, and keeps nobody else
//! waiting. What comes back is believed only as far as it is signed, and proves what was asked.

mod partner;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_client::ErrorKind;
use assent_core::credential::{Secret, unverified_key_id};
use assent_core::digest::Digest;
use assent_core::endorsement::{EndorsementError, Evidence};
use assent_core::id::RequestId;
use assent_core::policy::partner::Partner;
use assent_core::request::{Abroad, ConsumeError, EndorseError, Errand, Request, State, Step};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::app::pauses::Pauses;
use crate::app::{AppError, Authority, Caller, TRIES};
use crate::ledger::Commit;
pub(super) use partner::PartnerError;
use partner::{Shown, There};

/// How often it is looked whether something is to be done; what a request leads to is done at once.
const EVERY: Duration = Duration::from_secs(1);
/// How long one look over there waits for something to change.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait at most after a try that failed.
const LONGEST_PAUSE: Span = Span::minutes(2);
/// How many calls to one partner are under way at once. What it answers is held in memory, and however
/// slow it is, it holds up no other.
const AT_ONCE: usize = 32;

/// One thing to be done at a partner.
type Task = (RequestId, String, Errand);

/// What is to be done, and at which partner: by its name in policy.
type Due = (Task, String);

/// What is to be done now, with how many others at the same partner.
type Begun = (Task, usize);

/// What is known of partners beyond the ledger. It can be lost: then everything is tried at once.
#[derive(Debug, Default)]
pub(super) struct Errands {
    due: Notify,
    state: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    under_way: HashMap<Task, String>,
    /// When each was begun last, in the order of their beginnings.
    begun: HashMap<Task, u64>,
    beginnings: u64,
    pauses: Pauses<Task>,
    /// What stands in the way, for people.
    problems: HashMap<(RequestId, String), String>,
    /// Access tokens there, each for one question.
    tokens: HashMap<(RequestId, String), (Secret, Timestamp)>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            under_way: HashMap::new(),
            begun: HashMap::new(),
            beginnings: 0,
            pauses: Pauses::new(LONGEST_PAUSE),
            problems: HashMap::new(),
            tokens: HashMap::new(),
        }
    }
}

impl Errands {
    /// Something may be to be done.
    pub(super) fn due(&self) {
        self.due.notify_one();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of this is to be begun now; it is under way from here on. Where a partner has no place for
    /// all of it, first comes what was not begun for longest.
    fn begin(&self, mut due: Vec<Due>, now: Timestamp) -> Vec<Begun> {
        let mut known = self.known();
        let Known { under_way, begun, beginnings, pauses, .. } = &mut *known;
        let still: HashSet<&Task> = due.iter().map(|(task, _)| task).collect();
        begun.retain(|task, _| still.contains(task));
        due.sort_by_key(|(task, _)| begun.get(task).copied());
        let mut asked: HashMap<&str, usize> = HashMap::new();
        due.iter().for_each(|(_, partner)| *asked.entry(partner).or_default() += 1);
        let mut busy: HashMap<String, usize> = HashMap::new();
        under_way.values().for_each(|partner| *busy.entry(partner.clone()).or_default() += 1);
        let mut now_begun = Vec::new();
        for (task, partner) in &due {
            let busy = busy.entry(partner.clone()).or_default();
            if pauses.is_pausing(task, now) || *busy >= AT_ONCE || under_way.contains_key(task) {
                continue;
            }
            *busy += 1;
            *beginnings += 1;
            begun.insert(task.clone(), *beginnings);
            under_way.insert(task.clone(), partner.clone());
            now_begun.push((task.clone(), asked.get(partner.as_str()).copied().unwrap_or(1)));
        }
        now_begun
    }

    /// Notes how a try ended.
    fn ended(&self, task: &Task, problem: Option<String>, now: Timestamp) {
        let mut known = self.known();
        known.under_way.remove(task);
        let (request, stage, errand) = task;
        let place = (*request, stage.clone());
        let Some(problem) = problem else {
            known.pauses.done(task);
            known.problems.remove(&place);
            if *errand == Errand::Tell {
                known.tokens.remove(&place);
            }
            return;
        };
        known.pauses.failed(task.clone(), now);
        // It may be what is refused.
        known.tokens.remove(&place);
        known.problems.insert(place, problem);
    }
}

impl Authority {
    /// Runs errands until the server stops. What is under way then is found again by the next start.
    pub async fn run_errands_until_closing(self: Arc<Self>) {
        let mut tasks = JoinSet::new();
        loop {
            match self.to_run().await {
                Ok(due) => {
                    for (task, crowd) in due {
                        let authority = Arc::clone(&self);
                        tasks.spawn(async move { authority.run(task, patience(crowd)).await });
                    }
                }
                Err(error) => tracing::warn!(%error, "errands at partners could not be looked for"),
            }
            tokio::select! {
                () = self.errands.due.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Runs everything that is to be done at partners, once and without waiting for anything there;
    /// says how many were run.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn run_errands(&self) -> Result<usize, AppError> {
        let due = self.to_run().await?;
        let count = due.len();
        for (task, _) in due {
            self.run(task, Duration::ZERO).await;
        }
        Ok(count)
    }

    /// What stands in the way at partners, by the name of the stage.
    pub fn problems_abroad(&self, request: RequestId) -> Vec<(String, String)> {
        let known = self.errands.known();
        let all = known.problems.iter().filter(|((id, _), _)| *id == request);
        all.map(|((_, stage), problem)| (stage.clone(), problem.clone())).collect()
    }

    async fn to_run(&self) -> Result<Vec<Begun>, AppError> {
        let mut due = Vec::new();
        for id in self.ledger.errands().await? {
            // One that cannot be read does not keep the others waiting.
            match self.current(id).await {
                Ok(request) => {
                    for (stage, errand) in request.errands(self.clock.now()) {
                        let mut asked = request.partnered().filter(|(one, _)| one.name == stage);
                        let Some((_, elsewhere)) = asked.next() else { continue };
                        due.push(((id, stage, errand), elsewhere.authority.clone()));
                    }
                }
                Err(error) => tracing::warn!(%id, %error, "an errand could not be looked up"),
            }
        }
        Ok(self.errands.begin(due, self.clock.now()))
    }

    async fn run(&self, task: Task, patience: Duration) {
        let (id, stage, errand) = &task;
        let done = self.do_errand(*id, stage, *errand, patience).await;
        if let Err(error) = &done {
            self.note_disbelief(*id, stage, error).await;
        }
        let problem = done.err().map(|error| error.to_string());
        if let Some(problem) = &problem {
            tracing::warn!(request = %id, stage, ?errand, problem, "not done at a partner yet");
        }
        self.errands.ended(&task, problem, self.clock.now());
    }

    async fn do_errand(
        &self,
        id: RequestId,
        stage: &str,
        errand: Errand,
        patience: Duration,
    ) -> Result<(), PartnerError> {
        let request = self.current(id).await?;
        if !request.errands(self.clock.now()).contains(&(stage.to_owned(), errand)) {
            return Ok(());
        }
        match errand {
            Errand::Ask => self.ask_there(&request, stage).await,
            Errand::Await => self.await_there(&request, stage, patience).await,
            Errand::Watch => self.watch_there(&request, stage, patience).await,
            Errand::Tell => self.tell_there(&request, stage).await,
        }
    }

    /// Puts on record what came from a partner and was not believed. That one is away is no lie.
    async fn note_disbelief(&self, id: RequestId, stage: &str, error: &PartnerError) {
        let Some(code) = error.disbelief() else { return };
        let noted = self.note_answer(id, stage, code, &error.to_string()).await;
        if let Err(unnoted) = noted {
            tracing::warn!(error = %unnoted, code, "a refusal could not be put on record");
        }
    }

    /// Files the question.
    async fn ask_there(&self, request: &Request, stage: &str) -> Result<(), PartnerError> {
        let there = self.there(request, stage, &self.base).await?;
        let question = request.question(stage, &self.base).ok_or(PartnerError::Unlisted)?;
        let filing = wire::Filing { intent: (&question).into(), reattach: true, heartbeat: None };
        let theirs: RequestId = {
            let filed = there.client.file(&filing, &there.key("file")).await?;
            if filed.digest != question.digest().to_string() {
                return Err(PartnerError::OtherAnswer("it took another question than was asked"));
            }
            let other = |_| PartnerError::OtherAnswer("its request has no id of ours");
            filed.id.parse().map_err(other)?
        };
        self.record(request.id(), |request, now| {
            request.asked_elsewhere(stage, &self.base, theirs, now)
        })
        .await
    }

    /// Looks whether it was decided, and takes the endorsement or the denial.
    async fn await_there(
        &self,
        request: &Request,
        stage: &str,
        patience: Duration,
    ) -> Result<(), PartnerError> {
        let abroad = request.abroad(stage).ok_or(PartnerError::Unlisted)?;
        let there = self.there(request, stage, &abroad.ours).await?;
        let shown = there.look(abroad, patience, |shown| shown.state == "pending").await?;
        let refused = match shown.state.as_str() {
            "pending" => return self.rest(patience).await,
            "approved" | "consumed" => {
                match self.collect(&there, request, stage, abroad, &shown).await {
                    Err(PartnerError::Unacceptable(reason)) => reason,
                    settled => return settled,
                }
            }
            _ => shown.ending,
        };
        self.record(request.id(), |request, now| {
            request.denied_elsewhere(stage, refused.clone(), now)
        })
        .await
    }

    /// Has the credential made there, checks it, and puts it on record.
    async fn collect(
        &self,
        there: &There,
        request: &Request,
        stage: &str,
        abroad: &Abroad,
        shown: &Shown,
    ) -> Result<(), PartnerError> {
        let audience = abroad.ours.clone();
        let wanted = wire::MintRequest { audience, ..wire::MintRequest::default() };
        let theirs = abroad.request.to_string();
        let given = there.client.mint(&theirs, &wanted, &there.key("mint")).await;
        let token = given.map(|given| given.token).map_err(|error| {
            // Somebody there has spent it, or it was given once and lost: it will not be given again.
            let over = matches!(error.kind, ErrorKind::Conflict | ErrorKind::Invalid);
            match over && shown.state == "consumed" {
                true => PartnerError::Unacceptable(format!(
                    "it was approved by `{}`, but its credential is not to be had any more",
                    there.name
                )),
                false => error.into(),
            }
        })?;
        let evidence = self.evidence(&there.partner, token).await?;
        for _ in 0..TRIES {
            let current = self.current(request.id()).await?;
            let (members, now) = (&self.membership(), self.clock.now());
            let step = match current.endorse(stage, evidence.clone(), members, now) {
                Ok(step) => step,
                Err(EndorseError::NotAwaited(_)) => return Ok(()),
                Err(EndorseError::Endorsement(error)) if !error.is_an_answer() => {
                    return Err(error.into());
                }
                Err(EndorseError::Endorsement(error)) => {
                    let said = format!("what `{}` says cannot count: {error}", there.name);
                    return Err(PartnerError::Unacceptable(said));
                }
            };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy.into())
    }

    /// The token, with the key of its issuer that it names.
    async fn evidence(&self, partner: &Partner, token: String) -> Result<Evidence, PartnerError> {
        let id = unverified_key_id(&token).map_err(EndorsementError::from)?;
        let now = self.clock.now();
        let keys = self.issuers.keys_of(partner.issuer(), partner.keys(), &id, now).await?;
        let key = keys.jwk(&id).cloned();
        Ok(Evidence { token, key: key.ok_or(PartnerError::UnknownKey)? })
    }

    /// Looks whether the endorsement was taken back.
    async fn watch_there(
        &self,
        request: &Request,
        stage: &str,
        patience: Duration,
    ) -> Result<(), PartnerError> {
        let abroad = request.abroad(stage).ok_or(PartnerError::Unlisted)?;
        let there = self.there(request, stage, &abroad.ours).await?;
        let shown = there.look(abroad, patience, |shown| !shown.is_withdrawn).await?;
        if !shown.is_withdrawn {
            return self.rest(patience).await;
        }
        let reason = shown.ending;
        self.record(request.id(), |request, now| {
            request.withdrawn_elsewhere(stage, reason.clone(), now)
        })
        .await
    }

    /// A partner that answers before anything has changed is not asked again at once.
    async fn rest(&self, patience: Duration) -> Result<(), PartnerError> {
        if !patience.is_zero() {
            tokio::time::sleep(EVERY).await;
        }
        Ok(())
    }

    /// Tells that nothing depends on it any more.
    async fn tell_there(&self, request: &Request, stage: &str) -> Result<(), PartnerError> {
        let abroad = request.abroad(stage).ok_or(PartnerError::Unlisted)?;
        match self.there(request, stage, &abroad.ours).await {
            Ok(there) => there.tell(request, abroad).await?,
            // Who is not listed any more is not called; there it ends by its own time.
            Err(PartnerError::Unlisted) => {
                tracing::warn!(request = %request.id(), stage, "a partner is told nothing: it is not listed");
            }
            Err(error) => return Err(error),
        }
        self.record(request.id(), |request, now| request.told_elsewhere(stage, now)).await
    }

    /// Commits what this decides on the request as it is; nothing where it decides on nothing.
    async fn record(
        &self,
        id: RequestId,
        decide: impl Fn(&Request, Timestamp) -> Option<Step>,
    ) -> Result<(), PartnerError> {
        for _ in 0..TRIES {
            let current = self.current(id).await?;
            let Some(step) = decide(&current, self.clock.now()) else { return Ok(()) };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy.into())
    }

    /// That what partners approved still stands, asked at the moment of use. Whoever cannot be asked
    /// cannot be answered for: then nothing is given out. Nobody but the requester would be given
    /// anything, so nobody is asked on behalf of others. This takes as long as a partner likes: never
    /// in a turn before the next signal.
    pub(super) async fn check_partners(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<(), AppError> {
        let is_granted = matches!(request.state(), State::Approved(_) | State::Consumed(_));
        if !is_granted || request.requester().id != caller.principal().id {
            return Ok(());
        }
        self.confirm_people(caller, request).await?;
        for (stage, elsewhere) in request.partnered() {
            let Some(abroad) = request.abroad(&stage.name) else { continue };
            let name = stage.name.clone();
            let there = match self.there(request, &stage.name, &abroad.ours).await {
                Err(PartnerError::Unlisted) => {
                    return Err(ConsumeError::NoLongerApproved { stage: name }.into());
                }
                there => there,
            };
            let away = |error: PartnerError| AppError::PartnerAway {
                authority: elsewhere.authority.clone(),
                problem: error.to_string(),
            };
            let there = there.map_err(away)?;
            let shown = there.look(abroad, Duration::ZERO, |_| false).await.map_err(away)?;
            if shown.is_withdrawn {
                let reason = shown.ending;
                let withdrawn = self.record(request.id(), |request, now| {
                    request.withdrawn_elsewhere(&name, reason.clone(), now)
                });
                withdrawn.await.map_err(away)?;
                return Err(ConsumeError::NoLongerApproved { stage: name }.into());
            }
        }
        Ok(())
    }
}

/// How long one look waits where so many are to be taken at the same partner: each has its turn about
/// as often, however many they are.
fn patience(crowd: usize) -> Duration {
    let (crowd, places) = (u32::try_from(crowd), u32::try_from(AT_ONCE));
    match (crowd, places) {
        (Ok(crowd), Ok(places)) if crowd > places => PATIENCE * places / crowd,
        _ => PATIENCE,
    }
}

/// A key for one call about one stage, the same however often it is sent.
fn call_key(request: RequestId, stage: &str, call: &str) -> Digest {
    let request = request.to_string();
    let parts = ["assent/errand/v1", request.as_str(), stage, call];
    let parts: Vec<&[u8]> =
        parts.iter().flat_map(|part| [part.as_bytes(), b"\0".as_slice()]).collect();
    Digest::of_parts(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn due(partner: &str, all: std::ops::Range<u8>) -> Vec<Due> {
        let task = |n| (RequestId::from_bytes([n; 16]), "owners".to_owned(), Errand::Await);
        all.map(|n| (task(n), partner.to_owned())).collect()
    }

    fn numbers(begun: &[Begun]) -> Vec<u8> {
        let number = |id: &RequestId| (0..=255).find(|n| *id == RequestId::from_bytes([*n; 16]));
        begun.iter().map(|((id, ..), _)| number(id).unwrap()).collect()
    }

    #[test]
    fn t61_a_partner_that_answers_nothing_has_so_many_calls_and_others_have_theirs() {
        let errands = Errands::default();
        let all = || [due("slow", 0..100), due("quick", 100..103)].concat();
        let begun = errands.begin(all(), at(0));
        let expected: Vec<u8> = (0..AT_ONCE as u8).chain(100..103).collect();
        assert_eq!(numbers(&begun), expected);
        assert!(errands.begin(all(), at(0)).is_empty(), "all of it is under way, or has no place");
        begun.iter().skip(AT_ONCE).for_each(|(task, _)| errands.ended(task, None, at(0)));
        assert_eq!(numbers(&errands.begin(all(), at(0))), [100, 101, 102]);
    }

    #[test]
    fn everything_at_a_partner_has_its_turn_and_none_twice_before_the_others() {
        let errands = Errands::default();
        let mut seen = Vec::new();
        for _ in 0..5 {
            let begun = errands.begin(due("busy", 0..100), at(0));
            begun.iter().for_each(|(task, _)| errands.ended(task, None, at(0)));
            seen.extend(numbers(&begun));
        }
        let wanted: Vec<u8> = (0..100).chain(0..60).collect();
        assert_eq!(seen, wanted);
        // What failed pauses, and what is no longer due is forgotten.
        let (task, _) = due("busy", 60..61).remove(0);
        errands.begin(due("busy", 60..61), at(0));
        errands.ended(&task, Some("away".to_owned()), at(0));
        assert!(errands.begin(due("busy", 60..61), at(0)).is_empty());
        assert_eq!(numbers(&errands.begin(due("busy", 60..61), at(1))), [60]);
        assert_eq!(errands.known().begun.len(), 1);
    }

    #[test]
    fn who_waits_with_many_waits_less() {
        let waits: Vec<u64> = [1, 32, 64, 320].map(|crowd| patience(crowd).as_secs()).into();
        assert_eq!(waits, [20, 20, 10, 2]);
    }
}

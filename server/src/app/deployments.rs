//! Deployments that this authority's GitHub App guards: a run that waits before an environment is one
//! request, however many of its jobs wait, and what becomes of the request is answered there.
//!
//! What GitHub tells is a hint where to look. What waits is read from its API, what was decided from
//! the ledger, and what was said there is kept; so nothing is lost with a webhook or with this process,
//! and whatever is looked at twice is answered once. The address that a webhook names is never called.

mod filing;
mod hint;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::id::RequestId;
use assent_core::request::{Request, State};
use assent_core::time::{Span, Timestamp};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::app::pauses::Pauses;
use crate::app::{AppError, Authority};
use crate::github::{
    Check, CheckState, Conclusion, Delivery, Github, GithubError, Repository, Reviewed, Run,
    Verdict,
};
use crate::ledger::{Gate, GateKey, Keeping, Kept};
use hint::Hint;

/// How often it is looked whether something is to be done; a hint is followed at once.
const EVERY: Duration = Duration::from_secs(1);
/// How often everything that waits is looked up at GitHub.
const SWEEP: Span = Span::minutes(1);
/// How long to wait at most after a try that failed.
const LONGEST_PAUSE: Span = Span::minutes(2);
/// How many are looked at at once.
const AT_ONCE: usize = 8;
/// How long what was just looked up is not looked up again for another hint: the jobs of a matrix ask
/// one by one.
const FRESH: Span = Span::seconds(10);
/// How many reports GitHub takes on a deployment ("Creating custom deployment protection rules").
const REPORTS: u32 = 10;
/// How long a gate is remembered: a run ends after 35 days ("Actions limits").
const REMEMBERED: Span = Span::hours(36 * 24);
/// By what a request that the App filed is told from others.
pub(super) const FILED_BY: &str = "github-app";

/// What is known of deployments beyond the ledger. It can be lost.
#[derive(Debug)]
pub(super) struct Deployments {
    due: Notify,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    hints: BTreeMap<GateKey, Hint>,
    changed: BTreeSet<RequestId>,
    pauses: Pauses<GateKey>,
    looked: BTreeMap<GateKey, Timestamp>,
    swept: Option<Timestamp>,
}

impl Default for Deployments {
    fn default() -> Self {
        let known = Known {
            hints: BTreeMap::new(),
            changed: BTreeSet::new(),
            pauses: Pauses::new(LONGEST_PAUSE),
            looked: BTreeMap::new(),
            swept: None,
        };
        Self { due: Notify::new(), known: Mutex::new(known) }
    }
}

impl Deployments {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written about a request: it may be one that a run waits for.
    pub(super) fn changed(&self, next: &Request) {
        let claims = &next.requester().claims;
        if claims.get("filed_by").is_some_and(|by| by == FILED_BY) {
            self.known().changed.insert(next.id());
            self.due.notify_one();
        }
    }

    fn hear(&self, hint: Hint) {
        self.known().hints.insert(hint.key(), hint);
        self.due.notify_one();
    }
}

/// Why a deployment was not done with.
#[derive(Debug, thiserror::Error)]
enum DeploymentError {
    /// GitHub.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// This authority.
    #[error(transparent)]
    App(#[from] AppError),
    /// GitHub took an answer for a part, perhaps.
    #[error("GitHub took the answer for some of what waits, perhaps")]
    Ambiguous,
}

impl From<crate::ledger::LedgerError> for DeploymentError {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self::App(error.into())
    }
}

impl Authority {
    /// Hears what GitHub tells of. It is a hint: what is lost of it, the next look at GitHub finds.
    pub(super) fn hear_github(&self, delivery: &Delivery) {
        match Hint::of(delivery) {
            Some(hint) => self.deployments.hear(hint),
            None => {
                let (id, event) = (&delivery.id, &delivery.event);
                tracing::debug!(
                    delivery = id,
                    event,
                    "a delivery of GitHub says nothing of a gate"
                );
            }
        }
    }

    /// Guards deployments until the server stops.
    pub async fn guard_deployments_until_closing(self: Arc<Self>) {
        loop {
            if let Err(error) = self.guard_deployments().await {
                tracing::warn!(%error, "deployments at GitHub could not be looked at");
            }
            tokio::select! {
                () = self.deployments.due.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Does everything that is to be done now about deployments; says how many were looked at.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn guard_deployments(self: &Arc<Self>) -> Result<usize, AppError> {
        let Some(github) = self.github() else { return Ok(0) };
        self.sweep_deployments(&github).await?;
        let hints = self.to_look_at().await?;
        let count = hints.len();
        let mut tasks = JoinSet::new();
        for hint in hints {
            while tasks.len() >= AT_ONCE {
                tasks.join_next().await;
            }
            let (authority, github) = (Arc::clone(self), github.clone());
            tasks.spawn(async move { authority.look_at(&github, hint).await });
        }
        tasks.join_all().await;
        Ok(count)
    }

    /// What was heard of, and the gates whose requests have changed.
    async fn to_look_at(&self) -> Result<Vec<Hint>, AppError> {
        let now = self.clock.now();
        let (mut hints, changed) = {
            let mut known = self.deployments.known();
            let held = |key: &GateKey| known.pauses.is_pausing(key, now);
            let later: Vec<_> = known.hints.keys().filter(|key| held(key)).cloned().collect();
            let mut hints = std::mem::take(&mut known.hints);
            for key in later {
                known.hints.extend(hints.remove(&key).map(|hint| (key, hint)));
            }
            (hints, std::mem::take(&mut known.changed))
        };
        for request in changed {
            if let Some(gate) = self.ledger.gate_of(request).await?.filter(|gate| gate.open) {
                hints.entry(gate.key.clone()).or_insert_with(|| Hint::of_gate(&gate)).now();
            }
        }
        Ok(hints.into_values().collect())
    }

    /// Once a minute, whatever was told: every gate that is open, and every run that waits in a
    /// repository where the App is installed.
    async fn sweep_deployments(&self, github: &Github) -> Result<(), AppError> {
        let now = self.clock.now();
        {
            let mut known = self.deployments.known();
            if known.swept.is_some_and(|last| last.until(now) < SWEEP) {
                return Ok(());
            }
            known.swept = Some(now);
            known.looked.retain(|_, at| at.until(now) < FRESH);
        }
        for gate in self.ledger.open_gates().await? {
            self.deployments.known().hints.entry(gate.key.clone()).or_insert(Hint::of_gate(&gate));
        }
        if let Err(error) = self.find_waiting(github).await {
            tracing::warn!(%error, "runs that wait at GitHub could not be listed");
        }
        Ok(self.ledger.forget_gates(now.before(REMEMBERED)).await?)
    }

    async fn find_waiting(&self, github: &Github) -> Result<(), GithubError> {
        for (owner, name, id) in github.repositories().await? {
            let repository = github.repository(&owner, &name).await?.in_background();
            for run in repository.waiting_runs().await? {
                for pending in repository.pending_deployments(run.id).await? {
                    let environment = pending.environment;
                    let hint = Hint::found(id, &owner, &name, run.id, environment);
                    self.deployments.known().hints.entry(hint.key()).or_insert(hint);
                }
            }
        }
        Ok(())
    }

    async fn look_at(&self, github: &Github, hint: Hint) {
        let key = hint.key();
        let done = self.follow(github, &hint).await;
        let now = self.clock.now();
        let mut known = self.deployments.known();
        match done {
            Ok(()) => {
                known.pauses.done(&key);
                known.looked.insert(key, now);
            }
            // Whoever cannot see it any more has nothing to answer there.
            Err(DeploymentError::Github(GithubError::NotFound(told))) => {
                tracing::warn!(run = key.run, told, "GitHub does not show a run that was told of");
                known.pauses.done(&key);
            }
            Err(error) => {
                tracing::warn!(run = key.run, %error, "a deployment at GitHub will be looked at again");
                known.pauses.failed(key.clone(), now);
                known.hints.entry(key).or_insert(hint);
            }
        }
    }

    /// Looks at what waits, and does what is to be done about it.
    async fn follow(&self, github: &Github, hint: &Hint) -> Result<(), DeploymentError> {
        let key = hint.key();
        let kept = self.ledger.gate(key.clone()).await?;
        let looked = self.deployments.known().looked.get(&key).copied();
        let is_fresh = looked.is_some_and(|at| at.until(self.clock.now()) < FRESH);
        if is_fresh && !hint.is_due && kept.is_some() {
            return Ok(());
        }
        let repository = github.repository(&hint.owner, &hint.name).await?;
        let run = repository.run(key.run).await?;
        if repository.id() != key.repository || run.repository_id != key.repository {
            let told = "the repository under that name is another one".to_owned();
            return Err(GithubError::NotFound(told).into());
        }
        let waiting = repository.pending_deployments(key.run).await?;
        let waiting = waiting
            .into_iter()
            .find(|one| GateKey::new(key.repository, key.run, &one.environment) == key);
        let (kept, before) = match kept {
            Some(gate) if gate.attempt == run.attempt => (Some(gate), None),
            other => (None, other),
        };
        // What an earlier attempt asked for is over.
        if let Some(request) = before.and_then(|gate| gate.request) {
            self.end_gate_request(request, "the run was started again at GitHub").await?;
        }
        match (kept, waiting) {
            (None, None) => Ok(()),
            (None, Some(waiting)) => {
                let gate = self.open_gate(&repository, &run, key, &waiting.environment).await?;
                self.answer(&repository, &run, gate, &waiting.environment).await
            }
            (Some(gate), Some(waiting)) => {
                self.answer(&repository, &run, gate, &waiting.environment).await
            }
            (Some(gate), None) if gate.open => self.passed(&repository, &run, gate).await,
            (Some(_), None) => Ok(()),
        }
    }

    /// Says at GitHub what has become of the request.
    async fn answer(
        &self,
        repository: &Repository,
        run: &Run,
        mut gate: Gate,
        environment: &str,
    ) -> Result<(), DeploymentError> {
        let Some(id) = gate.request else {
            let said = words::refused(run);
            return self.say(repository, gate, environment, (Verdict::Rejected, said)).await;
        };
        let request = self.current(id).await?;
        let shown = words::progress(&request, &self.membership(), self.clock.now(), &self.base);
        let verdict = match request.state() {
            State::Pending(_) => None,
            State::Approved(_) | State::Consumed(_) => Some(Verdict::Approved),
            State::Denied(_) | State::Expired(_) | State::Canceled(_) | State::Revoked(_) => {
                Some(Verdict::Rejected)
            }
        };
        if let Some(verdict) = verdict {
            self.show(repository, &mut gate, &request).await;
            return self.say(repository, gate, environment, (verdict, shown)).await;
        }
        // A report counts against GitHub's limit even where the answer to it was lost: it is written
        // down before it is sent.
        if gate.told != shown && gate.reports < REPORTS {
            gate.reports += 1;
            gate.told.clone_from(&shown);
            self.keep(&mut gate).await?;
            if let Err(error) = repository.report(gate.key.run, environment, &shown).await {
                tracing::warn!(run = gate.key.run, %error, "GitHub took no report on a deployment");
            }
        }
        self.show(repository, &mut gate, &request).await;
        Ok(self.keep(&mut gate).await?)
    }

    async fn say(
        &self,
        repository: &Repository,
        mut gate: Gate,
        environment: &str,
        (verdict, said): (Verdict, String),
    ) -> Result<(), DeploymentError> {
        match repository.review(gate.key.run, environment, verdict, &said).await? {
            Reviewed::Done | Reviewed::AlreadyDone => {}
            Reviewed::Ambiguous => return Err(DeploymentError::Ambiguous),
        }
        let word = match verdict {
            Verdict::Approved => "approved",
            Verdict::Rejected => "rejected",
        };
        (gate.answer, gate.open) = (Some(word.to_owned()), false);
        Ok(self.keep(&mut gate).await?)
    }

    /// Shows the request beside the commit. It decides nothing, so that it cannot be shown is no
    /// reason to wait.
    async fn show(&self, repository: &Repository, gate: &mut Gate, request: &Request) {
        let word = request.state().word();
        let shown = words::progress(request, &self.membership(), self.clock.now(), &self.base);
        if gate.shown == shown {
            return;
        }
        let (link, id) = (words::link(request, &self.base), request.id().to_string());
        let state = match request.state() {
            State::Pending(_) => CheckState::InProgress,
            State::Approved(_) | State::Consumed(_) => CheckState::Done(Conclusion::Success),
            State::Denied(_) | State::Revoked(_) => CheckState::Done(Conclusion::Failure),
            State::Expired(_) => CheckState::Done(Conclusion::TimedOut),
            State::Canceled(_) => CheckState::Done(Conclusion::Cancelled),
        };
        let name = format!("Assent: {}", request.intent().environment());
        let title = words::title(word);
        let check = Check {
            name: &name,
            details_url: &link,
            state,
            title: &title,
            summary: &shown,
            external_id: &id,
        };
        let sent = match gate.check_run {
            Some(number) => repository.update_check(number, &check).await.map(|()| number),
            None => repository.create_check(&gate.sha, &check).await,
        };
        match sent {
            Ok(number) => (gate.check_run, gate.shown) = (Some(number), shown),
            Err(error) => {
                tracing::warn!(request = id, %error, "GitHub shows no check of a request")
            }
        }
    }

    /// It waits no longer, and nothing was answered: somebody else has let it pass, or it is over.
    async fn passed(
        &self,
        repository: &Repository,
        run: &Run,
        mut gate: Gate,
    ) -> Result<(), DeploymentError> {
        if let Some(id) = gate.request {
            let request = self.current(id).await?;
            if request.state().is_open() && matches!(request.state(), State::Pending(_)) {
                let approvals = repository.approvals(run.id).await?;
                let is_for = |name: &String| name.to_lowercase() == gate.key.environment;
                let passed = approvals.iter().find(|approval| {
                    approval.state == "approved" && approval.environments.iter().any(is_for)
                });
                let ended =
                    run.status == "completed" && run.conclusion.as_deref() != Some("success");
                let reason = match (passed, ended) {
                    (Some(by), _) => format!("bypassed at GitHub by the account {}", by.user.id),
                    (None, false) => "bypassed at GitHub by an account it does not name".to_owned(),
                    (None, true) => "the run is over at GitHub".to_owned(),
                };
                if passed.is_some() || !ended {
                    self.alarm(&request, run, &reason).await?;
                }
                self.end_gate_request(id, &reason).await?;
            }
            let request = self.current(id).await?;
            self.show(repository, &mut gate, &request).await;
        }
        gate.open = false;
        Ok(self.keep(&mut gate).await?)
    }

    /// Somebody let a deployment pass that this authority had not decided on.
    async fn alarm(&self, request: &Request, run: &Run, reason: &str) -> Result<(), AppError> {
        let (id, at) = (request.id().to_string(), self.clock.now());
        tracing::warn!(request = id, run = run.id, reason, "a deployment passed without an answer");
        let by = request.requester().id.clone();
        let entry = json!({
            "v": 1, "type": "github_bypass", "at": at.to_string(), "by": by.to_json(),
            "bypassed": id, "run": run.id.to_string(), "reason": reason,
        });
        self.ledger.keep(Keeping { what: Kept::Nothing, by, at, entry }).await?;
        self.waiters.wake_log();
        Ok(())
    }

    async fn end_gate_request(&self, id: RequestId, reason: &str) -> Result<(), AppError> {
        for _ in 0..crate::app::TRIES {
            let request = self.current(id).await?;
            let now = self.clock.now();
            let Ok(step) = request.cancel(request.requester(), reason.to_owned(), now) else {
                return Ok(());
            };
            if let crate::ledger::Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy)
    }

    async fn keep(&self, gate: &mut Gate) -> Result<(), AppError> {
        gate.at = self.clock.now();
        Ok(self.ledger.keep_gate(gate.clone()).await?)
    }
}

//! Deployments that this authority's GitHub App guards: a run that waits before an environment is one
//! request, however many of its jobs wait, and what becomes of the request is answered there.
//!
//! What GitHub tells is a hint where to look. What waits is read from its API, what was decided from
//! the ledger, and what was said there is kept; so nothing is lost with a webhook or with this process,
//! and whatever is looked at twice is answered once. The address that a webhook names is never called.

mod answer;
mod filing;
mod hint;
mod passed;
mod show;
mod sweep;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::binding::{FILED_BY, GITHUB_APP};
use assent_core::id::RequestId;
use assent_core::request::{Request, Version};
use assent_core::time::{Span, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::app::pauses::Pauses;
use crate::app::{AppError, Authority};
use crate::github::{Delivery, Github, GithubError, Repository, Run};
use crate::ledger::{Gate, GateKey};
use hint::{Heard, Hint};
use sweep::Round;

/// How often it is looked whether something is to be done; a hint is followed at once.
const EVERY: Duration = Duration::from_secs(1);
/// How long to wait at most after a try that failed.
const LONGEST_PAUSE: Span = Span::minutes(2);
/// How long to wait at most where GitHub shows no such run, or takes no check of it.
const LONGEST_PAUSE_UNSEEN: Span = Span::minutes(10);
/// How many are looked at at once.
const AT_ONCE: usize = 8;
/// How long what was just looked up is not looked up again for another hint: the jobs of a matrix ask
/// one by one.
const FRESH: Span = Span::seconds(10);

/// What is known of deployments beyond the ledger. It can be lost.
#[derive(Debug)]
pub(super) struct Deployments {
    due: Notify,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    hints: BTreeMap<GateKey, Hint>,
    /// Requests about which something was written.
    changed: BTreeSet<RequestId>,
    /// Runs, each in its repository, of which GitHub told that something has become.
    moved: BTreeSet<(u64, u64)>,
    pauses: Pauses<GateKey>,
    /// Of what GitHub does not show.
    unseen: Pauses<GateKey>,
    /// Of checks that GitHub did not take.
    showing: Pauses<GateKey>,
    looked: BTreeMap<GateKey, Timestamp>,
    /// Since when a gate seems to have been passed without anybody's name.
    passing: BTreeMap<GateKey, Timestamp>,
    round: Round,
}

impl Default for Deployments {
    fn default() -> Self {
        let known = Known {
            hints: BTreeMap::new(),
            changed: BTreeSet::new(),
            moved: BTreeSet::new(),
            pauses: Pauses::new(LONGEST_PAUSE),
            unseen: Pauses::new(LONGEST_PAUSE_UNSEEN),
            showing: Pauses::new(LONGEST_PAUSE_UNSEEN),
            looked: BTreeMap::new(),
            passing: BTreeMap::new(),
            round: Round::default(),
        };
        Self { due: Notify::new(), known: Mutex::new(known) }
    }
}

impl Known {
    fn hear(&mut self, hint: Hint) {
        match self.hints.get_mut(&hint.key()) {
            Some(before) => before.join(hint),
            None => drop(self.hints.insert(hint.key(), hint)),
        }
    }

    /// Whether this is not to be looked at yet.
    fn is_held(&self, key: &GateKey, hint: &Hint, now: Timestamp) -> bool {
        let looked = self.looked.get(key).is_some_and(|at| at.until(now) < FRESH);
        // What GitHub has just told of it may show again.
        let is_unseen = !hint.is_asked && self.unseen.is_pausing(key, now);
        self.pauses.is_pausing(key, now) || is_unseen || (looked && !hint.is_due)
    }
}

impl Deployments {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was written about a request: it may be one that a run waits for. Whoever files one
    /// answers with what became of it at once.
    pub(super) fn changed(&self, next: &Request) {
        let claims = &next.requester().claims;
        if next.version() > Version(1) && claims.get(FILED_BY).is_some_and(|by| by == GITHUB_APP) {
            self.known().changed.insert(next.id());
            self.due.notify_one();
        }
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
    /// What GitHub says does not fit together yet.
    #[error("it is not settled at GitHub what became of the run")]
    Unsettled,
}

impl From<crate::ledger::LedgerError> for DeploymentError {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self::App(error.into())
    }
}

/// What is looked at: a run that waits, or did, before an environment.
#[derive(Clone, Copy)]
struct Seen<'a> {
    github: &'a Github,
    repository: &'a Repository,
    run: &'a Run,
    hint: &'a Hint,
}

impl Authority {
    /// Hears what GitHub tells of. It is a hint: what is lost of it, the next look at GitHub finds.
    pub(super) fn hear_github(&self, delivery: &Delivery) {
        let mut known = self.deployments.known();
        match Heard::of(delivery) {
            Some(Heard::Waits(hint)) => known.hear(hint),
            Some(Heard::Moved { repository, run }) => drop(known.moved.insert((repository, run))),
            None => {
                let (id, event) = (&delivery.id, &delivery.event);
                tracing::debug!(delivery = id, event, "a delivery of GitHub tells of no gate");
            }
        }
        self.deployments.due.notify_one();
    }

    /// Guards deployments until the server stops. Looking for what was not told of is slow where
    /// GitHub is, and nobody waits for it.
    pub async fn guard_deployments_until_closing(self: Arc<Self>) {
        let answering = async {
            loop {
                if let Err(error) = self.answer_deployments().await {
                    tracing::warn!(%error, "deployments at GitHub could not be looked at");
                }
                tokio::select! {
                    () = self.deployments.due.notified() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        };
        let sweeping = async {
            loop {
                if let Err(error) = self.sweep_deployments().await {
                    tracing::warn!(%error, "deployments at GitHub could not be looked for");
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            () = answering => {}
            () = sweeping => {}
            () = self.closing.cancelled() => {}
        }
    }

    /// Does everything that is to be done now about deployments; says how many were looked at.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn guard_deployments(self: &Arc<Self>) -> Result<usize, AppError> {
        self.sweep_deployments().await?;
        self.answer_deployments().await
    }

    async fn answer_deployments(self: &Arc<Self>) -> Result<usize, AppError> {
        let Some(github) = self.github() else { return Ok(0) };
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

    /// What was heard of, and the gates whose requests or runs have changed.
    async fn to_look_at(&self) -> Result<Vec<Hint>, AppError> {
        let now = self.clock.now();
        let (changed, moved) = {
            let mut known = self.deployments.known();
            (std::mem::take(&mut known.changed), std::mem::take(&mut known.moved))
        };
        let mut gates = Vec::new();
        for request in changed {
            gates.extend(self.ledger.gate_of(request).await?.filter(|gate| gate.open));
        }
        for (repository, run) in moved {
            let of_run = self.ledger.gates_of_run(repository, run).await?;
            gates.extend(of_run.into_iter().filter(passed::is_to_be_looked_at));
        }
        let mut known = self.deployments.known();
        gates.iter().for_each(|gate| known.hear(Hint::of_gate(gate)));
        let all = std::mem::take(&mut known.hints).into_iter();
        let (held, due) = all.partition(|(key, hint)| known.is_held(key, hint, now));
        known.hints = held;
        let due: BTreeMap<_, _> = due;
        Ok(due.into_values().collect())
    }

    async fn look_at(&self, github: &Github, hint: Hint) {
        let key = hint.key();
        let done = self.follow(github, &hint).await;
        let now = self.clock.now();
        let mut known = self.deployments.known();
        match done {
            Ok(()) => {
                known.pauses.done(&key);
                known.unseen.done(&key);
                known.looked.insert(key, now);
            }
            // Whoever cannot see it any more has nothing to answer there; the sweep looks again.
            Err(DeploymentError::Github(GithubError::NotFound(told))) => {
                tracing::warn!(run = key.run, told, "GitHub does not show a run that was told of");
                known.pauses.done(&key);
                known.unseen.failed(key, now);
            }
            Err(error) => {
                tracing::warn!(run = key.run, %error, "a deployment at GitHub will be looked at again");
                known.pauses.failed(key, now);
                known.hear(hint);
            }
        }
    }

    /// Looks at what waits, and does what is to be done about it.
    async fn follow(&self, github: &Github, hint: &Hint) -> Result<(), DeploymentError> {
        let key = hint.key();
        let repository = &github.repository(&hint.owner, &hint.name).await?;
        let run = &repository.run(key.run).await?;
        if repository.id() != key.repository || run.repository_id != key.repository {
            let told = "the repository under that name is another one".to_owned();
            return Err(GithubError::NotFound(told).into());
        }
        let waiting = repository.pending_deployments(key.run).await?;
        let is_it =
            |name: &str| GateKey::new(key.repository, key.run, name).environment == key.environment;
        let waiting = waiting.into_iter().find(|one| is_it(&one.environment));
        let seen = Seen { github, repository, run, hint };
        let kept = match self.ledger.gate(key).await? {
            Some(gate) if gate.attempt == run.attempt => Some(gate),
            Some(earlier) => {
                self.end_attempt(seen, earlier).await?;
                None
            }
            None => None,
        };
        match (kept, waiting) {
            (None, None) if hint.is_asked => self.passed_unseen(seen).await,
            (None, None) => Ok(()),
            (None, Some(waiting)) => match self.open_gate(seen, &waiting.environment).await? {
                Some(gate) => self.answer(seen, gate, &waiting.environment).await,
                None => Ok(()),
            },
            (Some(gate), Some(waiting)) => self.answer(seen, gate, &waiting.environment).await,
            (Some(gate), None) if passed::is_to_be_looked_at(&gate) => {
                self.passed(seen, gate).await
            }
            (Some(_), None) => Ok(()),
        }
    }

    async fn keep(&self, gate: &mut Gate) -> Result<(), AppError> {
        gate.at = self.clock.now();
        Ok(self.ledger.keep_gate(gate.clone()).await?)
    }
}

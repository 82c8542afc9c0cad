//! The workers, seen from the side that must not be lost.
//!
//! A question goes to one worker and waits for at most so long. A worker that is late, says too
//! much, says what makes no sense or is gone is killed and replaced, and the answer is
//! [`Opinion::Failed`]. A policy that does that again and again is not asked for a while.

mod breaker;
mod process;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Semaphore;

use crate::account::{Account, Coverage};
use crate::engine::Outcome;
use crate::frame::{Order, Reply};
use crate::opinion::{Opinion, failed};
use crate::policy::{Policy, Revision};
use crate::question::{MAX_INPUT_BYTES, MAX_INPUT_DEPTH, Question, is_shallow};
use crate::source::Fault;
use breaker::Breakers;
pub use breaker::{Breaker, FAULTS_TO_OPEN, OPEN_FOR};
pub use process::Launch;
use process::Worker;

/// What a pool may take of the machine and of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many workers there are at most.
    pub workers: usize,
    /// Address space of a worker, in bytes.
    pub memory: u64,
    /// Processor time of one order, in seconds.
    pub processor: u64,
    /// How long checking and loading a policy may take.
    pub load: Duration,
    /// How long an evaluation may take by the engine's own timer, which only looks between steps.
    pub timer: Duration,
    /// How long an evaluation may take, the way to the worker and back included.
    pub evaluation: Duration,
    /// How long a question waits for a worker to be free.
    pub turn: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 2,
            memory: 512 * 1024 * 1024,
            processor: 1,
            load: Duration::from_secs(2),
            timer: Duration::from_millis(20),
            evaluation: Duration::from_millis(120),
            turn: Duration::from_secs(2),
        }
    }
}

/// An opinion and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the policy says.
    pub opinion: Opinion,
    /// How that came about.
    pub account: Account,
}

/// Why a policy cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The policy is at fault; each fault has its file and line.
    #[error("{}", told(.0))]
    Faults(Vec<Fault>),
    /// Checking it did not come to an end within the limits.
    #[error("the policy could not be checked: {0}")]
    Contained(String),
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Workers that answer for policies. Cheap to clone; the workers end with the last clone.
#[derive(Clone, Debug)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    launch: Launch,
    limits: Limits,
    turns: Semaphore,
    idle: Mutex<Vec<Worker>>,
    breakers: Mutex<Breakers>,
}

/// What a worker could be brought to say.
enum Said {
    Evaluated {
        outcomes: BTreeMap<String, Outcome>,
        prints: Vec<String>,
        coverage: Vec<Coverage>,
    },
    Refused(Vec<Fault>),
    /// The worker was lost over the policy, and how.
    Lost(String),
    /// The policy was not asked, and why.
    Unasked(String),
}

impl Pool {
    /// A pool of workers that are started when they are needed.
    pub fn new(launch: Launch, limits: Limits) -> Self {
        let turns = Semaphore::new(limits.workers.max(1));
        let (idle, breakers) = (Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { launch, limits, turns, idle, breakers }) }
    }

    /// Asks a policy about a request.
    pub async fn ask(&self, policy: &Policy, question: &Question) -> Answer {
        self.answer(policy, question, false).await
    }

    /// Asks as [`Pool::ask`] does, and notes which lines were reached.
    pub async fn explain(&self, policy: &Policy, question: &Question) -> Answer {
        self.answer(policy, question, true).await
    }

    /// Asks a policy with an input as it is, for tests and for trying things out.
    pub async fn ask_with_input(&self, policy: &Policy, input: &Value, now_ms: i64) -> Answer {
        self.answer_for(policy, input, now_ms, true).await
    }

    /// Checks that a policy would be loaded.
    ///
    /// # Errors
    /// [`CheckError`] with every fault, or with what kept it from being checked.
    pub async fn check(&self, policy: &Policy) -> Result<(), CheckError> {
        match self.work(policy, None).await {
            Said::Evaluated { .. } => Ok(()),
            Said::Refused(faults) => Err(CheckError::Faults(faults)),
            Said::Lost(reason) | Said::Unasked(reason) => Err(CheckError::Contained(reason)),
        }
    }

    /// Whether a policy is being asked at present.
    pub fn breaker(&self, revision: &Revision) -> Breaker {
        lock(&self.shared.breakers).of(revision, Instant::now())
    }

    /// The processes that are idle at present. For tests and for health.
    pub fn idle_processes(&self) -> Vec<u32> {
        lock(&self.shared.idle).iter().filter_map(Worker::id).collect()
    }

    /// Ends the idle workers and waits until they are gone.
    pub async fn close(&self) {
        let workers = std::mem::take(&mut *lock(&self.shared.idle));
        for worker in workers {
            worker.end().await;
        }
    }

    async fn answer(&self, policy: &Policy, question: &Question, account: bool) -> Answer {
        match policy.dialect().input(question) {
            Ok(input) => self.answer_for(policy, &input, question.now_ms, account).await,
            Err(lacking) => Answer { opinion: failed(lacking), account: Account::default() },
        }
    }

    async fn answer_for(
        &self,
        policy: &Policy,
        input: &Value,
        now_ms: i64,
        account: bool,
    ) -> Answer {
        let begun = Instant::now();
        let mut said = Account::default();
        let opinion = match self.evaluated(policy, input, now_ms, account).await {
            Ok((outcomes, prints, coverage)) => {
                said.outcomes =
                    outcomes.iter().map(|(name, outcome)| line(name, outcome)).collect();
                (said.prints, said.coverage) = (prints, coverage);
                policy.dialect().opinion(&outcomes)
            }
            Err(reason) => failed(reason),
        };
        said.took = begun.elapsed();
        Answer { opinion, account: said }
    }

    async fn evaluated(
        &self,
        policy: &Policy,
        input: &Value,
        now_ms: i64,
        account: bool,
    ) -> Result<(BTreeMap<String, Outcome>, Vec<String>, Vec<Coverage>), String> {
        if !is_shallow(input, MAX_INPUT_DEPTH) {
            return Err(format!("the input nests deeper than {MAX_INPUT_DEPTH}"));
        }
        let now_ns = now_ms.checked_mul(1_000_000).ok_or("the time is out of range")?;
        let revision = policy.revision();
        if let Breaker::Open { last, .. } = self.breaker(revision) {
            return Err(format!("the policy is not asked for now, after repeated faults: {last}"));
        }
        let said = self.work(policy, Some((input, now_ns, account))).await;
        let mut breakers = lock(&self.shared.breakers);
        match said {
            Said::Evaluated { outcomes, prints, coverage } => {
                breakers.heal(revision);
                Ok((outcomes, prints, coverage))
            }
            Said::Refused(faults) => Err(format!("the policy is refused: {}", told(&faults))),
            Said::Unasked(reason) => Err(format!("the policy was not asked: {reason}")),
            Said::Lost(reason) => {
                breakers.fault(revision, &reason, Instant::now());
                Err(reason)
            }
        }
    }

    /// Has a worker load a policy, if it has not yet, and evaluate an input, if there is one.
    async fn work(&self, policy: &Policy, input: Option<(&Value, i64, bool)>) -> Said {
        let waited =
            tokio::time::timeout(self.shared.limits.turn, self.shared.turns.acquire()).await;
        let Ok(Ok(_turn)) = waited else {
            return Said::Unasked("no worker was free in time".to_owned());
        };
        let revision = policy.revision();
        let mut worker = match self.take(revision) {
            Ok(worker) => worker,
            Err(reason) => return Said::Unasked(reason),
        };
        match self.put_to(&mut worker, policy, revision, input).await {
            Ok(said) => {
                lock(&self.shared.idle).push(worker);
                said
            }
            Err(reason) => {
                let why = worker.end().await;
                Said::Lost(why.unwrap_or(reason))
            }
        }
    }

    /// A worker that has the policy, else any idle one, else a new one.
    fn take(&self, revision: &Revision) -> Result<Worker, String> {
        let mut idle = lock(&self.shared.idle);
        // Those that are not fit end here: dropping one kills it.
        idle.retain_mut(|worker| worker.is_fit(revision));
        let having = idle.iter().rposition(|worker| worker.has(revision));
        let taken = having.map(|at| idle.swap_remove(at)).or_else(|| idle.pop());
        drop(idle);
        taken.map_or_else(|| Worker::start(&self.shared.launch, &self.shared.limits), Ok)
    }

    /// # Errors
    /// Why the worker can no longer be trusted to answer.
    async fn put_to(
        &self,
        worker: &mut Worker,
        policy: &Policy,
        revision: &Revision,
        input: Option<(&Value, i64, bool)>,
    ) -> Result<Said, String> {
        let limits = &self.shared.limits;
        if !worker.has(revision) {
            let order = Order::Load { revision: revision.clone(), policy };
            match worker.obey::<&Policy, &Value>(&order, limits.load).await? {
                Reply::Loaded => worker.loaded(revision),
                Reply::Refused(faults) => return Ok(Said::Refused(faults)),
                Reply::Evaluated { .. } => return Err("the worker answered out of turn".to_owned()),
                Reply::Confused(why) => return Err(why),
            }
        }
        let Some((input, now_ns, account)) = input else {
            let (outcomes, prints, coverage) = Default::default();
            return Ok(Said::Evaluated { outcomes, prints, coverage });
        };
        let order = Order::Ask { revision: revision.clone(), input, now_ns, account };
        match worker.obey::<&Policy, &Value>(&order, limits.evaluation).await? {
            Reply::Evaluated { broken: true, outcomes, .. } => {
                let error = outcomes.into_values().rev().find_map(|outcome| match outcome {
                    Outcome::Error(error) => Some(error),
                    Outcome::Undefined | Outcome::Value(_) => None,
                });
                Err(error.unwrap_or_else(|| "the engine broke".to_owned()))
            }
            Reply::Evaluated { outcomes, prints, coverage, broken: false } => {
                Ok(Said::Evaluated { outcomes, prints, coverage })
            }
            Reply::Loaded | Reply::Refused(_) => Err("the worker answered out of turn".to_owned()),
            Reply::Confused(why) => Err(why),
        }
    }
}

/// One rule's outcome on one line.
pub(crate) fn line(name: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Undefined => format!("{name} is undefined"),
        Outcome::Value(value) => {
            format!("{name} = {}", value.to_string().chars().take(1_000).collect::<String>())
        }
        Outcome::Error(error) => format!("{name} failed: {error}"),
    }
}

/// Nothing here panics while it holds a lock, so a poisoned one holds what it should.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the input is short enough is known when it has been written.
pub(crate) fn fits(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_INPUT_BYTES
}

//! A run that waits no longer: it was answered, or is over, or somebody let it pass at GitHub.
//!
//! Administrators of a repository may pass the rules of its environments unless that is forbidden
//! there. GitHub does not tell it from what its own reviewers say: both are reviews of the run. A review
//! by somebody who is none of the environment's reviewers is a bypass, and so is that the run went on
//! although this App's rule guards the environment and has not said yes. What is only concluded must
//! hold for a while: what GitHub tells of one run may come late.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::id::RequestId;
use assent_core::principal::PrincipalId;
use assent_core::request::{Request, State};
use assent_core::time::Span;
use serde_json::json;

use super::answer::word;
use super::filing::new_gate;
use super::{DeploymentError, Seen};
use crate::app::{AppError, Authority, TRIES};
use crate::github::{Approval, Environment, GithubError, Run, Verdict};
use crate::ledger::{Commit, Gate, Keeping, Kept};

/// What stands for an answer where somebody else let the run pass.
const BYPASSED: &str = "bypassed";
/// How long what is only concluded must hold.
const SETTLED: Span = Span::seconds(20);
/// Ends of a run that did not go on.
const STOPPED: [&str; 4] = ["cancelled", "stale", "skipped", "action_required"];

/// What became of a run that waits no longer.
enum Passage {
    /// Somebody let it pass; who, where GitHub names anybody.
    Bypassed(Option<u64>),
    /// It is over, and this is why.
    Over(String),
}

/// What people have said of a gate at GitHub since it was found to wait.
struct Since {
    approved: Vec<u64>,
    rejected: Option<u64>,
}

/// Whether it may still be found that somebody let this pass.
pub(super) fn is_to_be_looked_at(gate: &Gate) -> bool {
    gate.open || is_rejected(gate)
}

fn is_rejected(gate: &Gate) -> bool {
    gate.answer.as_deref() == Some(word(Verdict::Rejected))
}

/// What was said of a gate at GitHub, as it is kept.
pub(super) fn said(approvals: &[Approval], environment: &str) -> String {
    let all: Vec<String> = of(approvals, environment).map(entry).collect();
    all.join(",")
}

fn of<'a>(approvals: &'a [Approval], environment: &str) -> impl Iterator<Item = &'a Approval> {
    let environment = environment.to_lowercase();
    approvals
        .iter()
        .filter(move |one| one.environments.iter().any(|name| name.to_lowercase() == environment))
}

fn entry(approval: &Approval) -> String {
    format!("{}:{}", approval.user.id, approval.state)
}

impl Since {
    /// In whatever order GitHub lists them: what was there before is left out as often as it was.
    fn of(approvals: &[Approval], gate: &Gate, slug: &str) -> Self {
        let mut before = BTreeMap::<&str, usize>::new();
        gate.said_before.split(',').for_each(|one| *before.entry(one).or_default() += 1);
        let our_bot = format!("{slug}[bot]");
        let is_new = |approval: &&Approval| match before.get_mut(entry(approval).as_str()) {
            Some(times) if *times > 0 => {
                *times -= 1;
                false
            }
            _ => !(approval.user.is_bot && approval.user.login == our_bot),
        };
        let new: Vec<_> = of(approvals, &gate.key.environment).filter(is_new).collect();
        let by = |state: &'static str| {
            new.iter().filter(move |one| one.state == state).map(|one| one.user.id)
        };
        Self { approved: by("approved").collect(), rejected: by("rejected").next() }
    }
}

impl Authority {
    /// It waits no longer.
    pub(super) async fn passed(
        &self,
        seen: Seen<'_>,
        mut gate: Gate,
    ) -> Result<(), DeploymentError> {
        if let Some(id) = gate.request {
            if gate.answer.is_none() || is_rejected(&gate) {
                let request = self.current(id).await?;
                match self.passage(seen, &gate, &request).await? {
                    Passage::Bypassed(by) => {
                        let reason = bypassed(by);
                        self.alarm(seen, Some(&request), by, &reason).await?;
                        gate.answer = Some(BYPASSED.to_owned());
                        self.keep(&mut gate).await?;
                        self.end_gate_request(id, &reason).await?;
                    }
                    Passage::Over(reason) => self.end_gate_request(id, &reason).await?,
                }
            }
            self.deployments.known().passing.remove(&gate.key);
            let request = self.current(id).await?;
            self.show_gate(seen, &mut gate, &request).await?;
        }
        if gate.open {
            gate.open = false;
            self.keep(&mut gate).await?;
        }
        Ok(())
    }

    /// Nothing waits of what was told of, and nobody had looked at it before: an administrator was
    /// quicker than this server, or nobody is to blame.
    pub(super) async fn passed_unseen(&self, seen: Seen<'_>) -> Result<(), DeploymentError> {
        let environment = &seen.hint.environment;
        let guarded = guarded(seen, environment).await?;
        let Some((found, true)) = guarded.filter(|_| went_on(seen.run)) else { return Ok(()) };
        let approvals = seen.repository.approvals(seen.run.id).await?;
        let mut gate = new_gate(seen, String::new(), self.clock.now());
        let approved = Since::of(&approvals, &gate, seen.github.slug()).approved;
        // Without a name it may have been this server's own word, of which it knows no more.
        let Some(by) = approved.into_iter().find(|id| !found.people.contains(id)) else {
            return Ok(());
        };
        self.alarm(seen, None, Some(by), &bypassed(Some(by))).await?;
        (gate.answer, gate.open) = (Some(BYPASSED.to_owned()), false);
        Ok(self.keep(&mut gate).await?)
    }

    /// That GitHub took an approval for the attempt that was approved, and for no later one.
    pub(super) async fn check_attempt(
        &self,
        seen: Seen<'_>,
        gate: &Gate,
    ) -> Result<(), DeploymentError> {
        let attempt = seen.repository.run(gate.key.run).await?.attempt;
        if attempt != gate.attempt
            && let Some(id) = gate.request
        {
            let request = self.current(id).await?;
            let reason = format!(
                "started again as attempt {attempt} while attempt {} was let pass",
                gate.attempt
            );
            self.alarm(seen, Some(&request), None, &reason).await?;
        }
        Ok(())
    }

    /// What an earlier attempt at the run asked for is over.
    pub(super) async fn end_attempt(
        &self,
        seen: Seen<'_>,
        mut gate: Gate,
    ) -> Result<(), DeploymentError> {
        let Some(id) = gate.request.filter(|_| gate.open) else { return Ok(()) };
        let request = self.current(id).await?;
        let again = "the run was started again at GitHub";
        let mut reason = again.to_owned();
        if gate.answer.is_none() || is_rejected(&gate) {
            let since = self.since(seen, &gate).await?;
            if let Some(by) = self.outsider(seen, &request, &since, false).await? {
                reason = bypassed(Some(by));
                self.alarm(seen, Some(&request), Some(by), &reason).await?;
                gate.answer = Some(BYPASSED.to_owned());
            }
        }
        self.end_gate_request(id, &reason).await?;
        gate.open = false;
        self.keep(&mut gate).await?;
        let request = self.current(id).await?;
        self.show_gate(seen, &mut gate, &request).await
    }

    async fn passage(
        &self,
        seen: Seen<'_>,
        gate: &Gate,
        request: &Request,
    ) -> Result<Passage, DeploymentError> {
        // What was read before it was seen that nothing waits may be older than that.
        let run = seen.repository.run(gate.key.run).await?;
        if run.attempt != gate.attempt {
            return Err(DeploymentError::Unsettled);
        }
        let (since, went_on) = (self.since(seen, gate).await?, went_on(&run));
        if let Some(by) = self.outsider(seen, request, &since, went_on).await? {
            return Ok(Passage::Bypassed(Some(by)));
        }
        if let Some(by) = since.rejected {
            return Ok(Passage::Over(format!("rejected at GitHub by the account {by}")));
        }
        // Where one job is rejected the others may go on.
        if !went_on || is_rejected(gate) {
            return Ok(Passage::Over("the run is over at GitHub".to_owned()));
        }
        let guarded = guarded(seen, request.intent().environment()).await?;
        if guarded.is_none_or(|(_, is_ours)| !is_ours) {
            let told = "the App's rule no longer guards the environment at GitHub";
            tracing::warn!(request = %request.id(), run = run.id, told, "nothing waits any more");
            return Ok(Passage::Over(told.to_owned()));
        }
        let now = self.clock.now();
        let mut known = self.deployments.known();
        let first = *known.passing.entry(gate.key.clone()).or_insert(now);
        match first.until(now) < SETTLED {
            true => Err(DeploymentError::Unsettled),
            false => Ok(Passage::Bypassed(since.approved.last().copied())),
        }
    }

    async fn since(&self, seen: Seen<'_>, gate: &Gate) -> Result<Since, GithubError> {
        let approvals = seen.repository.approvals(gate.key.run).await?;
        Ok(Since::of(&approvals, gate, seen.github.slug()))
    }

    /// Who has let it pass and is none of the environment's own reviewers. Who is in their teams is not
    /// known here: where there are some, it counts only if the run went on.
    async fn outsider(
        &self,
        seen: Seen<'_>,
        request: &Request,
        since: &Since,
        went_on: bool,
    ) -> Result<Option<u64>, GithubError> {
        if since.approved.is_empty() {
            return Ok(None);
        }
        let (people, teams) = match guarded(seen, request.intent().environment()).await? {
            Some((found, _)) => (found.people.clone(), found.reviewers > found.people.len()),
            None => (BTreeSet::new(), false),
        };
        let mut outsiders = since.approved.iter().filter(|id| !people.contains(id));
        Ok(outsiders.next().copied().filter(|_| went_on || !teams))
    }

    /// Somebody let a deployment pass that this authority had not said yes to, or had no request for.
    async fn alarm(
        &self,
        seen: Seen<'_>,
        request: Option<&Request>,
        by: Option<u64>,
        reason: &str,
    ) -> Result<(), AppError> {
        let (at, run, environment) = (self.clock.now(), seen.run.id, &seen.hint.environment);
        let id = request.map(|request| request.id().to_string());
        tracing::warn!(request = id, run, environment, reason, "a deployment passed at GitHub");
        let number = by.unwrap_or(seen.run.triggering_actor.id).to_string();
        let by = match (by, request) {
            (None, Some(request)) => request.requester().id.clone(),
            _ => PrincipalId::new(seen.github.people_issuer(), &number).map_err(|error| {
                AppError::Field { field: "account", problem: error.to_string() }
            })?,
        };
        let mut entry = json!({
            "v": 1, "type": "github_bypass", "at": at.to_string(), "by": by.to_json(),
            "run": run.to_string(), "reason": reason, "environment": environment,
            "repository": seen.run.repository_id.to_string(),
        });
        if let (Some(request), Some(entry)) = (request, entry.as_object_mut()) {
            entry.insert("bypassed".to_owned(), request.id().to_string().into());
            entry.insert("state".to_owned(), request.state().word().into());
        }
        self.ledger.keep(Keeping { what: Kept::Nothing, by, at, entry }).await?;
        self.waiters.wake_log();
        Ok(())
    }

    async fn end_gate_request(&self, id: RequestId, reason: &str) -> Result<(), AppError> {
        for _ in 0..TRIES {
            let request = self.current(id).await?;
            if !matches!(request.state(), State::Pending(_)) {
                return Ok(());
            }
            let now = self.clock.now();
            let Ok(step) = request.cancel(request.requester(), reason.to_owned(), now) else {
                return Ok(());
            };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy)
    }
}

/// An environment, and whether this App's rule holds up what deploys there. It is gone only where GitHub
/// shows neither it nor its rules.
pub(super) async fn guarded(
    seen: Seen<'_>,
    name: &str,
) -> Result<Option<(Environment, bool)>, GithubError> {
    let (environment, rules) =
        (seen.repository.environment(name).await, seen.repository.protection_rules(name).await);
    if let (Err(GithubError::NotFound(_)), Err(GithubError::NotFound(_))) = (&environment, &rules) {
        return Ok(None);
    }
    let (environment, ours) = (environment?, seen.github.app_id());
    let is_ours = rules?.iter().any(|rule| rule.enabled && rule.app_id == ours);
    Ok(Some((environment, is_ours)))
}

fn bypassed(by: Option<u64>) -> String {
    match by {
        Some(by) => format!("bypassed at GitHub by the account {by}"),
        None => "bypassed at GitHub by an account it does not name".to_owned(),
    }
}

/// Whether a run that waits no longer has gone on. One that ended badly has: of what still waits nothing
/// ends.
fn went_on(run: &Run) -> bool {
    let stopped = run.conclusion.as_deref().is_some_and(|word| STOPPED.contains(&word));
    run.status != "completed" || !stopped
}

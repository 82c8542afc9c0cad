//! The request that stands for a run before an environment.
//!
//! It is filed for the job that waits: under the name that the job's own token gives it, with the
//! claims that bind a request to its run, so that the job finds it once it goes on.

use std::collections::BTreeSet;

use assent_core::access::{Access, Purpose};
use assent_core::binding::{FILED_BY, GITHUB_APP};
use assent_core::digest::{Digest, commit_digest};
use assent_core::github::{DEPLOY, EVENTS, HEAD_BRANCH, WORKFLOW_PATH};
use assent_core::id::RequestId;
use assent_core::intent::{Intent, is_label};
use assent_core::policy::situation::Network;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::request::Request;
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use serde_json::{Map, Value};

use super::{DeploymentError, Seen, passed};
use crate::app::{AppError, Authority, Caller, Wish};
use crate::github::{Repository, Run};
use crate::ledger::{Gate, GateKey};

/// How many bytes of a run's title are told: a request's reason has 2000.
const TITLE: usize = 1_000;

impl Authority {
    /// Files what a run waits for, and keeps which request that is. Whatever happens between the two,
    /// the same run files the same request again. Nothing is opened that this App's rule does not guard:
    /// a run may wait for others.
    pub(super) async fn open_gate(
        &self,
        seen: Seen<'_>,
        environment: &str,
    ) -> Result<Option<Gate>, DeploymentError> {
        let Seen { repository, run, .. } = seen;
        match passed::guarded(seen, environment).await? {
            Some((found, true)) if found.can_admins_bypass => {
                let repository = repository.full_name();
                tracing::warn!(
                    repository,
                    environment,
                    "administrators may pass this gate at GitHub"
                );
            }
            Some((_, true)) => {}
            Some((_, false)) | None => return Ok(None),
        }
        let approvals = repository.approvals(run.id).await?;
        let request = match unfiled(run, environment) {
            None => Some(self.file_for(repository, run, environment).await?),
            Some(_) => None,
        };
        let said = passed::said(&approvals, environment);
        let mut gate = new_gate(seen, said, self.clock.now());
        gate.request = request;
        self.keep(&mut gate).await?;
        Ok(Some(gate))
    }

    async fn file_for(
        &self,
        repository: &Repository,
        run: &Run,
        environment: &str,
    ) -> Result<RequestId, DeploymentError> {
        let number = run.repository_id.to_string();
        let Some(github) = self.github() else { return Err(AppError::Busy.into()) };
        let sub = format!("repository:{number}:environment:{environment}");
        let id = PrincipalId::new(github.actions_issuer(), &sub).map_err(|error| {
            AppError::Field { field: "environment", problem: error.to_string() }
        })?;
        let what = (&id, environment, DEPLOY);
        let behind = self.people_behind(repository, run, what).await?;
        let principal = Principal {
            id,
            kind: PrincipalKind::Workload,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: claims(run, environment),
        };
        let caller = self.for_nobody_here(behind.of(principal))?;
        let subject = commit_digest(&number, &run.head_sha);
        let target = [
            ("repository", run.repository.clone()),
            ("repository_id", number.clone()),
            ("commit", run.head_sha.clone()),
        ];
        let intent = wire::Intent {
            kind: DEPLOY.to_owned(),
            environment: environment.to_owned(),
            target: target.map(|(name, value)| (name.to_owned(), value)).into(),
            digest: Some(subject.to_string()),
            reason: reason(run),
            ..wire::Intent::default()
        };
        let (run, attempt) = (run.id.to_string(), run.attempt.to_string());
        let environment = environment.to_lowercase();
        let key = [number, run, attempt, environment].join("\0");
        // The title of a run can be changed; its request is the same.
        let wish = Wish::new(&caller, "github", &key, key.as_bytes());
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        Ok(self.file(&caller, filing, wish).await?.request.id())
    }

    /// The open request that the App filed for the job that calls, if it asks for the same. A job says
    /// in other words why it asks; what it asks for is what was approved, to the last field.
    pub(in crate::app) async fn gate_request(
        &self,
        caller: &Caller,
        intent: &Intent,
    ) -> Result<Option<Request>, AppError> {
        let by = caller.principal();
        let number =
            |name: &str| by.claims.get(name).and_then(Value::as_str).and_then(|n| n.parse().ok());
        let (Some(repository), Some(run)) = (number("repository_id"), number("run_id")) else {
            return Ok(None);
        };
        let gate = self.ledger.gate(GateKey::new(repository, run, intent.environment())).await?;
        let Some(id) = gate.and_then(|gate| gate.request) else { return Ok(None) };
        let request = self.current(id).await?;
        let is_same = request.requester().id == by.id
            && request.check_run(by).is_ok()
            && request.intent().is_as(intent)
            && request.state().is_open();
        Ok(is_same.then_some(request))
    }

    /// A caller whom this authority speaks for itself: no token is made.
    fn for_nobody_here(&self, principal: Principal) -> Result<Caller, AppError> {
        let now = self.clock.now();
        let access = Access {
            id: self.chance.access_id(now)?,
            principal,
            administrator: false,
            purpose: Purpose::Token,
            parent: None,
            fingerprint: Digest::of(b""),
            created_at: now,
            expires_at: now.plus(Span::minutes(1)),
            revoked_at: None,
            origin: None,
            device: None,
            login: None,
            scope: None,
            label: None,
        };
        Ok(Caller { access, network: Network::default() })
    }
}

/// What is kept of a run before an environment, when people had said this of it at GitHub.
pub(super) fn new_gate(seen: Seen<'_>, said_before: String, at: Timestamp) -> Gate {
    let Seen { run, hint, .. } = seen;
    Gate {
        key: hint.key(),
        attempt: run.attempt,
        owner: hint.owner.clone(),
        name: hint.name.clone(),
        sha: run.head_sha.clone(),
        request: None,
        reports: 0,
        told: String::new(),
        check_run: None,
        shown: String::new(),
        answer: None,
        deployment: hint.deployment,
        stated: String::new(),
        said_before,
        open: true,
        at,
    }
}

/// Why nothing is filed for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfiled {
    /// Whoever owns a fork chooses what it does.
    Fork,
    /// More people may have started it than those who may write.
    Event,
    /// The environment has a name that no request can have.
    Name,
}

/// Why nothing is filed for this run, if nothing is.
pub(super) fn unfiled(run: &Run, environment: &str) -> Option<Unfiled> {
    if run.is_of_fork() {
        Some(Unfiled::Fork)
    } else if !EVENTS.contains(&run.event.as_str()) {
        Some(Unfiled::Event)
    } else if !is_label(environment) {
        Some(Unfiled::Name)
    } else {
        None
    }
}

/// What the job's own token will say of its run, as far as GitHub tells it the App.
fn claims(run: &Run, environment: &str) -> Map<String, Value> {
    let text = [
        ("repository_id", run.repository_id.to_string()),
        ("repository_owner_id", run.repository_owner_id.to_string()),
        ("repository", run.repository.clone()),
        ("sha", run.head_sha.clone()),
        ("run_id", run.id.to_string()),
        ("run_attempt", run.attempt.to_string()),
        ("environment", environment.to_owned()),
        ("event_name", run.event.clone()),
        ("actor", run.actor.login.clone()),
        ("actor_id", run.actor.id.to_string()),
        (FILED_BY, GITHUB_APP.to_owned()),
        (WORKFLOW_PATH, run.path.clone()),
    ];
    let branch = run.head_branch.iter().map(|branch| (HEAD_BRANCH, branch.clone()));
    text.into_iter()
        .chain(branch)
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect()
}

/// What the run calls itself, which anybody may have written. What an eye does not see in it stays: it is
/// shown where people read it.
fn reason(run: &Run) -> String {
    let mut title = String::new();
    for letter in run.display_title.trim().chars() {
        if title.len() + letter.len_utf8() > TITLE {
            break;
        }
        title.push(letter);
    }
    match title.as_str() {
        "" => format!("Deploy {}", run.repository),
        title => format!("Deploy {}: {title}", run.repository),
    }
}

//! The request that stands for a run before an environment.
//!
//! It is filed for the job that waits: under the name that the job's own token gives it, with the
//! claims that bind a request to its run, so that the job finds it once it goes on.

use std::collections::BTreeSet;

use assent_core::access::{Access, Purpose};
use assent_core::digest::Digest;
use assent_core::policy::situation::Network;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind, is_visible};
use assent_core::time::Span;
use assent_core::wire;
use serde_json::{Map, Value};

use super::{DeploymentError, FILED_BY};
use crate::app::{AppError, Authority, Caller, Wish};
use crate::github::{Repository, Run};
use crate::ledger::{Gate, GateKey};

/// The kind of what a run does before an environment.
const KIND: &str = "github.deploy";
/// The events of which only people with write access to the repository are the cause.
const EVENTS: [&str; 3] = ["push", "workflow_dispatch", "deployment"];
/// How much of a run's title is told.
const TITLE: usize = 500;

impl Authority {
    /// Files what a run waits for, and keeps which request that is. Whatever happens between the two,
    /// the same run files the same request again.
    pub(super) async fn open_gate(
        &self,
        repository: &Repository,
        run: &Run,
        key: GateKey,
        environment: &str,
    ) -> Result<Gate, DeploymentError> {
        let is_ours = run.head_repository_id == Some(run.repository_id);
        let request = match is_ours && EVENTS.contains(&run.event.as_str()) {
            true => Some(self.file_for(repository, run, environment).await?),
            false => None,
        };
        let full_name = repository.full_name();
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        let mut gate = Gate {
            key,
            attempt: run.attempt,
            owner: owner.to_owned(),
            name: name.to_owned(),
            sha: run.head_sha.clone(),
            request,
            reports: 0,
            told: String::new(),
            check_run: None,
            shown: String::new(),
            answer: None,
            open: true,
            at: self.clock.now(),
        };
        self.keep(&mut gate).await?;
        Ok(gate)
    }

    async fn file_for(
        &self,
        repository: &Repository,
        run: &Run,
        environment: &str,
    ) -> Result<assent_core::id::RequestId, DeploymentError> {
        let number = run.repository_id.to_string();
        let Some(github) = self.github() else { return Err(AppError::Busy.into()) };
        let sub = format!("repository:{number}:environment:{environment}");
        let id = PrincipalId::new(github.actions_issuer(), &sub).map_err(|error| {
            AppError::Field { field: "environment", problem: error.to_string() }
        })?;
        let what = (&id, environment, KIND);
        let behind = self.people_behind(repository, run, what).await?;
        let principal = Principal {
            id,
            kind: PrincipalKind::Workload,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: claims(run, environment),
        };
        let caller = self.for_nobody_here(behind.of(principal))?;
        let subject = Digest::of_parts(&[
            b"assent/commit/v1\0",
            number.as_bytes(),
            b"\0",
            run.head_sha.as_bytes(),
        ]);
        let target = [
            ("repository", run.repository.clone()),
            ("repository_id", number.clone()),
            ("commit", run.head_sha.clone()),
        ];
        let intent = wire::Intent {
            kind: KIND.to_owned(),
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
        };
        Ok(Caller { access, network: Network::default() })
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
        ("filed_by", FILED_BY.to_owned()),
    ];
    text.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// What the run calls itself, which anybody may have written.
fn reason(run: &Run) -> String {
    let title: String = run.display_title.chars().filter(|c| is_visible(*c)).take(TITLE).collect();
    match title.trim() {
        "" => format!("Deploy {}", run.repository),
        title => format!("Deploy {}: {title}", run.repository),
    }
}

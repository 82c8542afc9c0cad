//! Who is behind a change that a job of GitHub asks for. A job says who started it; everybody else
//! this server asks GitHub for, as its App, when the request is filed: who started the run and this
//! attempt at it, who opened the pull requests that the commit came by, who wrote their commits, the
//! commit itself, and everything since the last that was done for the same requester.
//!
//! A job is never taken at its word for whose change it is, and where GitHub cannot be asked nothing
//! is filed.

use std::collections::BTreeSet;

use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::trust::Shape;
use serde_json::Value;

use crate::app::{AppError, Authority, Caller};
use crate::github::{Commit, Github, GithubError, Repository, Run};
use crate::ledger::States;

/// Among how many of the newest requests that were carried out the last of a requester is looked for.
const LOOKED_AT: usize = 200;

/// Why it cannot be said who is behind a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BehindError {
    /// Somebody without rights in the repository wrote it.
    #[error("the run is of a fork: whoever owns that chooses what it does")]
    Fork,
    /// The token and GitHub speak of different things.
    #[error("the token's `{0}` is not what GitHub says of the run; ask again from a job of it")]
    OtherRun(&'static str),
    /// A token of GitHub Actions that does not say of which run it is.
    #[error("the token has no `{0}`, by which GitHub could be asked about its run")]
    NoClaim(&'static str),
    /// Nobody could be asked about the repository.
    #[error(
        "the GitHub App of this server does not see `{repository}`, so nobody can say who is behind the \
         change: install it there"
    )]
    NotInstalled {
        /// As the token names it.
        repository: String,
    },
    /// GitHub did not answer.
    #[error("it cannot be said now who is behind the change: {0}; ask again")]
    Away(GithubError),
}

impl From<GithubError> for BehindError {
    fn from(error: GithubError) -> Self {
        Self::Away(error)
    }
}

impl Authority {
    /// Who is behind what a caller asks for, beside those whom its token names. Nobody where it is no
    /// job of the GitHub whose App this server is.
    ///
    /// # Errors
    /// [`AppError::Behind`]; [`AppError::Ledger`].
    pub(super) async fn behind_caller(
        &self,
        caller: &Caller,
        environment: &str,
    ) -> Result<BTreeSet<PrincipalId>, AppError> {
        let requester = caller.principal();
        let Some(github) = self.github().filter(|github| self.is_job_of(caller, github)) else {
            return Ok(BTreeSet::new());
        };
        let full_name = claim(requester, "repository")?;
        let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
        let repository = match github.repository(owner, name).await {
            Err(GithubError::NotFound(_)) if !github.requires_app() => return Ok(BTreeSet::new()),
            Err(GithubError::NotFound(_)) => {
                let repository = full_name.chars().take(200).collect();
                return Err(BehindError::NotInstalled { repository }.into());
            }
            found => found.map_err(BehindError::from)?,
        };
        let number = claim(requester, "run_id")?;
        let number = number.parse().map_err(|_| BehindError::OtherRun("run_id"))?;
        let run = repository.run(number).await.map_err(BehindError::from)?;
        check_run(requester, &run)?;
        self.people_behind(&repository, &run, &requester.id, environment).await
    }

    fn is_job_of(&self, caller: &Caller, github: &Github) -> bool {
        let policy = self.policy();
        let trust = caller.access().origin.as_ref().and_then(|o| policy.trust(&o.trust));
        // An enterprise may have tokens of an issuer of its own, below the one of all.
        let own = github.actions_issuer();
        let is_theirs = |issuer: &str| {
            issuer.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        caller.principal().kind == PrincipalKind::Workload
            && trust.is_some_and(|trust| {
                trust.shape() == Some(Shape::GithubActions) && is_theirs(trust.issuer())
            })
    }

    /// Everybody behind what a run does for this requester in this environment, by the numbers of
    /// their accounts. Whoever calls this knows that the run is the one that asks.
    ///
    /// # Errors
    /// [`AppError::Behind`]: of a fork nothing is said, and of nobody else where GitHub cannot be
    /// asked. [`AppError::Ledger`].
    pub(super) async fn people_behind(
        &self,
        repository: &Repository,
        run: &Run,
        requester: &PrincipalId,
        environment: &str,
    ) -> Result<BTreeSet<PrincipalId>, AppError> {
        if run.head_repository_id != Some(run.repository_id) {
            return Err(BehindError::Fork.into());
        }
        let last = self.last_done(requester, environment).await?;
        let numbers = numbers(repository, run, last.as_deref()).await.map_err(BehindError::from)?;
        let Some(github) = self.github() else { return Ok(BTreeSet::new()) };
        let account = |number: u64| PrincipalId::new(github.people_issuer(), &number.to_string());
        let accounts: Result<_, _> = numbers.into_iter().map(account).collect();
        accounts.map_err(|error| BehindError::Away(GithubError::Away(error.to_string())).into())
    }

    /// The commit of the last request of this requester for this environment that was carried out.
    async fn last_done(
        &self,
        requester: &PrincipalId,
        environment: &str,
    ) -> Result<Option<String>, AppError> {
        let done = self.ledger.list(States::Only("consumed"), None, LOOKED_AT).await?;
        let last = done.iter().find(|request| {
            request.requester().id == *requester && request.intent().environment() == environment
        });
        let sha = last.and_then(|request| request.requester().claims.get("sha"));
        Ok(sha.and_then(Value::as_str).map(str::to_owned))
    }
}

/// The accounts of everybody behind a run, each by its number.
async fn numbers(
    repository: &Repository,
    run: &Run,
    last: Option<&str>,
) -> Result<BTreeSet<u64>, GithubError> {
    let mut all = BTreeSet::from([run.actor.id, run.triggering_actor.id]);
    let mut commits = vec![repository.commit(&run.head_sha).await?];
    for pull in repository.pulls_of(&run.head_sha).await? {
        commits.extend(repository.commits_of(&pull).await?);
        all.insert(pull.author.id);
    }
    if let Some(last) = last.filter(|last| *last != run.head_sha) {
        commits.extend(repository.compare(last, &run.head_sha).await?);
    }
    let accounts = |commit: Commit| commit.author.into_iter().chain(commit.committer);
    all.extend(commits.into_iter().flat_map(accounts).map(|account| account.id));
    Ok(all)
}

/// That a job's token is of this run as GitHub knows it: by numbers, its commit and its attempt.
fn check_run(requester: &Principal, run: &Run) -> Result<(), BehindError> {
    if run.head_repository_id != Some(run.repository_id) {
        return Err(BehindError::Fork);
    }
    let said = [
        ("repository_id", run.repository_id.to_string()),
        ("repository_owner_id", run.repository_owner_id.to_string()),
        ("run_id", run.id.to_string()),
        ("run_attempt", run.attempt.to_string()),
        ("sha", run.head_sha.clone()),
    ];
    for (name, known) in said {
        if claim(requester, name)? != known {
            return Err(BehindError::OtherRun(name));
        }
    }
    Ok(())
}

fn claim<'p>(requester: &'p Principal, name: &'static str) -> Result<&'p str, BehindError> {
    requester.claims.get(name).and_then(Value::as_str).ok_or(BehindError::NoClaim(name))
}

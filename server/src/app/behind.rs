//! Who is behind a change that a job of GitHub asks for. A job says who started it; everybody else
//! this server asks GitHub for, as its App, when the request is filed: who started the run and this
//! attempt at it, who opened the pull requests that the commit came by, who wrote their commits, the
//! commit itself, and everything since what people approved last for the same requester.
//!
//! A job is never taken at its word for whose change it is, and where GitHub cannot be asked nothing
//! is filed. Since when a change was looked at is on record with its requester, so that nobody is left
//! out unseen.

mod found;
mod kept;

use std::collections::BTreeSet;

use assent_core::github::{CHANGES_SINCE, UNKNOWN_AUTHORS};
use assent_core::intent::Intent;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::trust::Shape;
use serde_json::Value;

use crate::app::{AppError, Authority, Caller};
use crate::github::{Github, GithubError, Repository, Run};
use found::Found;
pub(super) use kept::Findings;
use kept::Wanted;

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

/// Who is behind a change, and since when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    accounts: BTreeSet<PrincipalId>,
    since: String,
    unknown: usize,
}

impl Behind {
    /// The requester with all of them, and with what was looked at.
    pub(super) fn of(&self, requester: Principal) -> Principal {
        let Principal { mut acts_for, mut claims, .. } = requester;
        acts_for.extend(self.accounts.iter().cloned());
        claims.insert(CHANGES_SINCE.to_owned(), Value::from(self.since.as_str()));
        if self.unknown > 0 {
            claims.insert(UNKNOWN_AUTHORS.to_owned(), Value::from(self.unknown.to_string()));
        }
        Principal { acts_for, claims, ..requester }
    }
}

impl Authority {
    /// Who is behind what a caller asks for, beside those whom its token names. Nobody is known where
    /// it is no job of the GitHub whose App this server is.
    ///
    /// # Errors
    /// [`AppError::Behind`]; [`AppError::Ledger`].
    pub(super) async fn behind_caller(
        &self,
        caller: &Caller,
        intent: &Intent,
    ) -> Result<Option<Behind>, AppError> {
        let requester = caller.principal();
        let Some(github) = self.github().filter(|github| self.is_job_of(caller, github)) else {
            return Ok(None);
        };
        let full_name = claim(requester, "repository")?;
        let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
        let number = |name| {
            let number = claim(requester, name)?.parse();
            number.map_err(|_| BehindError::OtherRun(name))
        };
        let wanted = Wanted {
            owner: owner.to_ascii_lowercase(),
            name: name.to_ascii_lowercase(),
            repository: number("repository_id")?,
            run: number("run_id")?,
            attempt: number("run_attempt")?,
            base: self.approved_before(&requester.id, intent.environment(), intent.kind()).await?,
        };
        match self.findings.find(&github, wanted, self.clock.now()).await {
            Ok(found) => {
                check_run(requester, &found.run)?;
                Ok(Some(behind(&github, &found)?))
            }
            Err(BehindError::NotInstalled { .. }) if !github.requires_app() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn is_job_of(&self, caller: &Caller, github: &Github) -> bool {
        let policy = self.policy();
        let trust = caller.access().origin.as_ref().and_then(|o| policy.trust(&o.trust));
        caller.principal().kind == PrincipalKind::Workload
            && trust.is_some_and(|trust| {
                trust.shape() == Some(Shape::GithubActions)
                    && github.is_actions_issuer(trust.issuer())
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
        (requester, environment, kind): (&PrincipalId, &str, &str),
    ) -> Result<Behind, AppError> {
        let Some(github) = self.github() else {
            let repository = repository.full_name();
            return Err(BehindError::NotInstalled { repository }.into());
        };
        let full_name = repository.full_name().to_ascii_lowercase();
        let (owner, name) = full_name.split_once('/').unwrap_or_default();
        let wanted = Wanted {
            owner: owner.to_owned(),
            name: name.to_owned(),
            repository: run.repository_id,
            run: run.id,
            attempt: run.attempt,
            base: self.approved_before(requester, environment, kind).await?,
        };
        let found = self.findings.find(&github, wanted, self.clock.now()).await?;
        Ok(behind(&github, &found)?)
    }

    /// The commit that people approved last for this requester, environment and kind, where who was
    /// behind that one was known: it is no base otherwise, because they may have approved their own.
    async fn approved_before(
        &self,
        requester: &PrincipalId,
        environment: &str,
        kind: &str,
    ) -> Result<Option<String>, AppError> {
        let last = self.ledger.last_approved(requester, environment, kind).await?;
        let Some(last) = last else { return Ok(None) };
        let request = self.ledger.load(last, None).await?;
        let claims = request.map(|request| request.requester().claims.clone()).unwrap_or_default();
        let sha = claims.get("sha").filter(|_| claims.contains_key(CHANGES_SINCE));
        Ok(sha.and_then(Value::as_str).map(str::to_owned))
    }
}

fn behind(github: &Github, found: &Found) -> Result<Behind, BehindError> {
    let accounts = found.numbers.iter().map(|number| github.account(*number));
    let accounts = accounts.collect::<Result<_, _>>()?;
    Ok(Behind { accounts, since: found.since.to_string(), unknown: found.unknown })
}

/// That a job's token is of this run as GitHub knows it: by numbers, its commit, its attempt and its
/// cause.
fn check_run(requester: &Principal, run: &Run) -> Result<(), BehindError> {
    let said = [
        ("repository_id", run.repository_id.to_string()),
        ("repository_owner_id", run.repository_owner_id.to_string()),
        ("run_id", run.id.to_string()),
        ("run_attempt", run.attempt.to_string()),
        ("sha", run.head_sha.clone()),
        ("event_name", run.event.clone()),
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

#[cfg(test)]
mod tests;

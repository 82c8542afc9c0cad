//! What GitHub says of a run: who had a hand in what it does.

use std::collections::BTreeSet;
use std::fmt;

use super::BehindError;
use crate::github::{Commit, GithubError, Repository, Run};

/// A run, and the accounts of everybody behind it, each by its number.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) run: Run,
    pub(super) numbers: BTreeSet<u64>,
    pub(super) since: Since,
    /// How many of the commits name an author or a committer whom GitHub does not know.
    pub(super) unknown: usize,
}

/// Since when the commits were looked at whose authors are behind a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Since this one, which people approved.
    Commit(String),
    /// All there are.
    Beginning,
    /// The newest alone: nothing was approved before, or it cannot be compared with that.
    Newest(usize),
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commit(sha) => f.write_str(sha),
            Self::Beginning => f.write_str("beginning"),
            Self::Newest(count) => write!(f, "newest-{count}"),
        }
    }
}

/// Everybody behind a run, where this commit is the one that was approved before.
pub(super) async fn find(
    repository: &Repository,
    run: Run,
    base: Option<&str>,
) -> Result<Found, BehindError> {
    if run.is_of_fork() {
        return Err(BehindError::Fork);
    }
    let head = &run.head_sha;
    let mut numbers = BTreeSet::from([run.actor.id, run.triggering_actor.id]);
    let mut commits = vec![repository.commit(head).await?];
    let mut is_whole = true;
    for pull in repository.pulls_of(head).await? {
        numbers.insert(pull.author.id);
        match told(repository.commits_of(&pull).await)? {
            Some(all) => commits.extend(all),
            None => is_whole = false,
        }
    }
    let compared = match base {
        Some(base) if base == head => Some(Vec::new()),
        Some(base) => told(repository.compare(base, head).await)?,
        None => None,
    };
    let since = match (compared, base) {
        (Some(since_then), Some(base)) if is_whole => {
            commits.extend(since_then);
            Since::Commit(base.to_owned())
        }
        (since_then, _) => {
            commits.extend(since_then.into_iter().flatten());
            let (newest, are_all) = repository.newest_commits(head).await?;
            let count = newest.len();
            commits.extend(newest);
            if are_all && is_whole { Since::Beginning } else { Since::Newest(count) }
        }
    };
    let is_of_unknown = |one: &&Commit| one.author.is_none() || one.committer.is_none();
    let nobodys: BTreeSet<_> =
        commits.iter().filter(is_of_unknown).map(|one| one.sha.clone()).collect();
    let accounts = |commit: Commit| commit.author.into_iter().chain(commit.committer);
    numbers.extend(commits.into_iter().flat_map(accounts).map(|account| account.id));
    Ok(Found { run, numbers, since, unknown: nobodys.len() })
}

/// A list, unless GitHub has no such thing any more or does not tell all of it: asking again would
/// change nothing. A branch that was pushed anew leaves its old commits to be swept away.
fn told(list: Result<Vec<Commit>, GithubError>) -> Result<Option<Vec<Commit>>, GithubError> {
    match list {
        Ok(all) => Ok(Some(all)),
        Err(GithubError::NotFound(_) | GithubError::Conflict(_) | GithubError::Partial(_)) => {
            Ok(None)
        }
        Err(
            error @ (GithubError::Refused(_) | GithubError::Limited { .. } | GithubError::Away(_)),
        ) => Err(error),
    }
}

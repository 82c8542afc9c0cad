//! What GitHub said of a run, asked for once: the jobs of a matrix all ask at the same time, and who is
//! behind an attempt at a run does not change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assent_core::time::{Span, Timestamp};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

use super::BehindError;
use super::found::{Found, find};
use crate::github::{Github, GithubError};

/// How long it is believed: no longer than that the App is installed.
const BELIEVED: Span = Span::minutes(10);
/// Of how many runs it is kept.
const KEPT: usize = 1_000;

/// What is wanted: an attempt at a run, compared with a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) repository: u64,
    pub(super) run: u64,
    pub(super) attempt: u64,
    pub(super) base: Option<String>,
}

type Finding = Shared<BoxFuture<'static, Result<Arc<Found>, BehindError>>>;

/// What was found, or is being asked for. It can be lost.
#[derive(Debug, Default)]
pub(in crate::app) struct Findings(Mutex<HashMap<Wanted, (Finding, Timestamp)>>);

impl Findings {
    /// Who is behind a run, from GitHub or from whoever asks or asked it the same. What went wrong is
    /// told to all who wait for it, and is not kept.
    ///
    /// # Errors
    /// [`BehindError`].
    pub(super) async fn find(
        &self,
        github: &Github,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Arc<Found>, BehindError> {
        let finding = self.begun(github, &wanted, now);
        let found = finding.clone().await;
        if found.is_err() {
            let mut all = self.open();
            if all.get(&wanted).is_some_and(|(kept, _)| kept.ptr_eq(&finding)) {
                all.remove(&wanted);
            }
        }
        found
    }

    fn begun(&self, github: &Github, wanted: &Wanted, now: Timestamp) -> Finding {
        let mut all = self.open();
        let is_believed = |at: Timestamp| now < at.plus(BELIEVED);
        if let Some((finding, _)) = all.get(wanted).filter(|(_, at)| is_believed(*at)) {
            return finding.clone();
        }
        if all.len() >= KEPT {
            all.retain(|_, (_, at)| is_believed(*at));
        }
        if all.len() >= KEPT {
            all.clear();
        }
        let finding = asked(github.clone(), wanted.clone()).boxed().shared();
        all.insert(wanted.clone(), (finding.clone(), now));
        finding
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Wanted, (Finding, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn asked(github: Github, wanted: Wanted) -> Result<Arc<Found>, BehindError> {
    let Wanted { owner, name, repository: number, run, attempt, base } = wanted;
    let repository = github.repository(&owner, &name).await.map_err(|error| match error {
        GithubError::NotFound(_) => {
            let repository = format!("{owner}/{name}").chars().take(200).collect();
            BehindError::NotInstalled { repository }
        }
        error @ (GithubError::Refused(_)
        | GithubError::Conflict(_)
        | GithubError::Limited { .. }
        | GithubError::Partial(_)
        | GithubError::Away(_)) => error.into(),
    })?;
    let run = match repository.run(run).await {
        Err(GithubError::NotFound(_)) => return Err(BehindError::OtherRun("run_id")),
        run => run?,
    };
    // What is of another repository or attempt is not kept under this one: that may come yet.
    if run.repository_id != number {
        return Err(BehindError::OtherRun("repository_id"));
    }
    if run.attempt != attempt {
        return Err(BehindError::OtherRun("run_attempt"));
    }
    Ok(Arc::new(find(&repository, run, base.as_deref()).await?))
}

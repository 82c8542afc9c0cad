//! What is asked and said of one repository.

use assent_core::github::is_commit;
use axum::http::Method;
use serde_json::{Value, json};

use super::calls::{Line, path};
use super::checks::{Check, DeploymentState};
use super::seen::{
    ApprovalForm, CommitForm, EnvironmentForm, PatternForm, PendingForm, PullForm, RuleForm,
    RunForm,
};
use super::{Approval, Commit, Environment, GithubError, Pending, Pull, Rule, Run};

/// GitHub lists no more commits of a pull request than these (*List commits on a pull request*).
const LISTED_COMMITS: usize = 250;

/// How many hundreds of commits [`Repository::newest_commits`] tells of.
const NEWEST: usize = 3;

/// A repository in which the App is installed. Names can move to another repository; whoever decides
/// by it compares [`Repository::id`], or the ids of what it is told.
#[derive(Clone, Debug)]
pub struct Repository {
    pub(super) line: Line,
    pub(super) id: u64,
    pub(super) owner_id: u64,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) default_branch: String,
    pub(super) permissions: std::collections::BTreeMap<String, String>,
}

/// What is answered to a deployment that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go on.
    Approved,
    /// It may not.
    Rejected,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// GitHub took it.
    Done,
    /// Nothing waits there for an answer any more: it was answered before, or is over.
    AlreadyDone,
    /// GitHub took it for some of what waits, perhaps. Read what is pending before saying it again.
    Ambiguous,
    /// The run was started again: nothing was sent.
    Moved,
}

impl Repository {
    /// Its number, which stays the same when it is renamed or given away.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of whose it is.
    pub fn owner_id(&self) -> u64 {
        self.owner_id
    }

    /// `OWNER/REPO`, as it was asked for.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The branch that people mean when they name none.
    pub fn default_branch(&self) -> &str {
        &self.default_branch
    }

    /// What the App may do here, such as `deployments` → `write`.
    pub fn permissions(&self) -> &std::collections::BTreeMap<String, String> {
        &self.permissions
    }

    /// The same, for what can be done later: it stops where little is left of the hour's calls.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { line: self.line.in_background(), ..self.clone() }
    }

    /// One run.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn run(&self, id: u64) -> Result<Run, GithubError> {
        let path = self.path(&["actions", "runs", &id.to_string()])?;
        Ok(self.line.get::<RunForm>(&path).await?.into())
    }

    /// The runs that wait for a rule of an environment.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn waiting_runs(&self) -> Result<Vec<Run>, GithubError> {
        let path = format!("{}?status=waiting", self.path(&["actions", "runs"])?);
        let all = self.line.list_in::<RunForm>(&path, Some("workflow_runs")).await?;
        Ok(all.into_iter().map(Run::from).collect())
    }

    /// The deployments of a run that wait for a rule.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn pending_deployments(&self, run: u64) -> Result<Vec<Pending>, GithubError> {
        let path = self.path(&["actions", "runs", &run.to_string(), "pending_deployments"])?;
        let all = self.line.list::<PendingForm>(&path).await?;
        Ok(all.into_iter().map(Pending::from).collect())
    }

    /// What was said to a run's deployments at GitHub.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn approvals(&self, run: u64) -> Result<Vec<Approval>, GithubError> {
        let path = self.path(&["actions", "runs", &run.to_string(), "approvals"])?;
        let all = self.line.list::<ApprovalForm>(&path).await?;
        Ok(all.into_iter().map(Approval::from).collect())
    }

    /// Answers what waits of this attempt at a run for an environment (*Review custom deployment
    /// protection rules for a workflow run*). GitHub takes an answer for whatever attempt waits when it
    /// arrives, so which one it is is read when nothing else is sent before.
    ///
    /// # Errors
    /// [`GithubError`]; after [`GithubError::Away`] it is not known whether it was taken.
    pub async fn review(
        &self,
        (run, attempt): (u64, u64),
        environment: &str,
        verdict: Verdict,
        comment: &str,
    ) -> Result<Reviewed, GithubError> {
        let state = match verdict {
            Verdict::Approved => "approved",
            Verdict::Rejected => "rejected",
        };
        let said = json!({"environment_name": environment, "state": state, "comment": comment});
        let turn = self.line.turn().await;
        if self.run(run).await?.attempt != attempt {
            return Ok(Reviewed::Moved);
        }
        match turn.write(Method::POST, &self.rule(run)?, &said).await {
            Ok(_) => Ok(Reviewed::Done),
            Err(GithubError::Conflict(told)) => after_conflict(told),
            Err(error) => Err(error),
        }
    }

    /// Says how far it is, without answering: at most ten times for a deployment, and in at most 1024
    /// characters, which the caller counts.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn report(
        &self,
        run: u64,
        environment: &str,
        comment: &str,
    ) -> Result<(), GithubError> {
        let said = json!({"environment_name": environment, "comment": comment});
        self.line.write(Method::POST, &self.rule(run)?, &said).await.map(drop)
    }

    fn rule(&self, run: u64) -> Result<String, GithubError> {
        self.path(&["actions", "runs", &run.to_string(), "deployment_protection_rule"])
    }

    /// The pull requests that a commit came by.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn pulls_of(&self, sha: &str) -> Result<Vec<Pull>, GithubError> {
        let path = self.path(&["commits", commit_name(sha)?, "pulls"])?;
        let listed = self.line.list::<PullForm>(&path).await?;
        let mut all = Vec::with_capacity(listed.len());
        for pull in listed {
            // A list does not say who merged.
            let number = Pull::from(pull).number.to_string();
            let path = self.path(&["pulls", &number])?;
            all.push(self.line.get::<PullForm>(&path).await?.into());
        }
        Ok(all)
    }

    /// The commits of a pull request, all of them.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn commits_of(&self, pull: &Pull) -> Result<Vec<Commit>, GithubError> {
        let path = self.path(&["pulls", &pull.number.to_string(), "commits"])?;
        let all = self.line.list::<CommitForm>(&path).await?;
        if all.len() >= LISTED_COMMITS {
            return self.compare(&pull.base_sha, &pull.head_sha).await;
        }
        Ok(all.into_iter().map(Commit::from).collect())
    }

    /// The commits that `head` has and `base` has not, all of them.
    ///
    /// # Errors
    /// [`GithubError`]; [`GithubError::Partial`] where GitHub counts more than it gives.
    pub async fn compare(&self, base: &str, head: &str) -> Result<Vec<Commit>, GithubError> {
        let range = format!("{}...{}", commit_name(base)?, commit_name(head)?);
        let path = self.path(&["compare", &range])?;
        let all = self.line.list_in::<CommitForm>(&path, Some("commits")).await?;
        let first: Counted = self.line.get(&format!("{path}?per_page=1")).await?;
        if first.total_commits != all.len() {
            let told = format!("{} of {} commits", all.len(), first.total_commits);
            return Err(GithubError::Partial(told));
        }
        Ok(all.into_iter().map(Commit::from).collect())
    }

    /// The newest commits that a commit stands on, itself the first of them, and whether these are
    /// all there are.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn newest_commits(&self, head: &str) -> Result<(Vec<Commit>, bool), GithubError> {
        let path = format!("{}?sha={}", self.path(&["commits"])?, commit_name(head)?);
        let (all, is_whole) = self.line.begin_of::<CommitForm>(&path, None, NEWEST).await?;
        Ok((all.into_iter().map(Commit::from).collect(), is_whole))
    }

    /// One commit.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn commit(&self, sha: &str) -> Result<Commit, GithubError> {
        let path = self.path(&["commits", commit_name(sha)?])?;
        Ok(self.line.get::<CommitForm>(&path).await?.into())
    }

    /// An environment's settings.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn environment(&self, name: &str) -> Result<Environment, GithubError> {
        let path = self.path(&["environments", name])?;
        Ok(self.line.get::<EnvironmentForm>(&path).await?.into())
    }

    /// The names of its environments.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn environments(&self) -> Result<Vec<String>, GithubError> {
        let path = self.path(&["environments"])?;
        let all = self.line.list_in::<EnvironmentForm>(&path, Some("environments")).await?;
        Ok(all.into_iter().map(|form| Environment::from(form).name).collect())
    }

    /// The patterns of which an environment takes branches and tags, where it does so.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn branch_patterns(&self, name: &str) -> Result<Vec<String>, GithubError> {
        let path = self.path(&["environments", name, "deployment-branch-policies"])?;
        let all = self.line.list_in::<PatternForm>(&path, Some("branch_policies")).await?;
        Ok(all.into_iter().map(|form| form.name).collect())
    }

    /// The custom protection rules of an environment, enabled or not.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn protection_rules(&self, name: &str) -> Result<Vec<Rule>, GithubError> {
        let path = self.path(&["environments", name, "deployment_protection_rules"])?;
        let field = "custom_deployment_protection_rules";
        let all = self.line.list_in::<RuleForm>(&path, Some(field)).await?;
        Ok(all.into_iter().map(Rule::from).collect())
    }

    /// Makes a check run; its number.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_check(&self, sha: &str, check: &Check<'_>) -> Result<u64, GithubError> {
        let mut body = check.written();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("head_sha".to_owned(), Value::from(commit_name(sha)?));
        }
        let path = self.path(&["check-runs"])?;
        let made = self.line.write(Method::POST, &path, &body).await?;
        Ok(made.read::<super::seen::Numbered>()?.id)
    }

    /// The number of our newest check run of this name at a commit by which we know this again, if there
    /// is one (*List check runs for a Git reference*).
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn find_check(
        &self,
        sha: &str,
        name: &str,
        external_id: &str,
    ) -> Result<Option<u64>, GithubError> {
        let path = self.path(&["commits", commit_name(sha)?, "check-runs"])?;
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = format!("{path}?check_name={name}&filter=all");
        let all = self.line.list_in::<super::seen::CheckForm>(&path, Some("check_runs")).await?;
        let ours = all.into_iter().filter(|one| one.external_id.as_deref() == Some(external_id));
        Ok(ours.map(|one| one.id).max())
    }

    /// Puts a check run into this state.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn update_check(&self, id: u64, check: &Check<'_>) -> Result<(), GithubError> {
        let path = self.path(&["check-runs", &id.to_string()])?;
        self.line.write(Method::PATCH, &path, &check.written()).await.map(drop)
    }

    /// Says how far a deployment is.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn create_deployment_status(
        &self,
        deployment: u64,
        state: DeploymentState,
        description: &str,
        log_url: &str,
    ) -> Result<(), GithubError> {
        let path = self.path(&["deployments", &deployment.to_string(), "statuses"])?;
        let body = json!({
            "state": state.word(), "description": description, "log_url": log_url,
            "auto_inactive": false,
        });
        self.line.write(Method::POST, &path, &body).await.map(drop)
    }

    fn path(&self, rest: &[&str]) -> Result<String, GithubError> {
        let begin = ["repos", self.owner.as_str(), self.name.as_str()];
        let bad = || GithubError::NotFound("a name that cannot stand in a path".to_owned());
        path(begin.into_iter().chain(rest.iter().copied())).ok_or_else(bad)
    }
}

#[derive(serde::Deserialize)]
struct Counted {
    total_commits: usize,
}

/// A commit's full name. What else could stand there, a branch or a range, names something that moves.
fn commit_name(sha: &str) -> Result<&str, GithubError> {
    match is_commit(sha) {
        true => Ok(sha),
        false => Err(GithubError::NotFound("a commit without its full name".to_owned())),
    }
}

/// How GitHub words that there is nothing to answer, and that only some of it was answered. No code
/// tells them apart.
fn after_conflict(told: String) -> Result<Reviewed, GithubError> {
    let lower = told.to_ascii_lowercase();
    if lower.contains("no pending deployment requests") || lower.contains("already been reviewed") {
        Ok(Reviewed::AlreadyDone)
    } else if lower.contains("problem approving one of the gates") {
        Ok(Reviewed::Ambiguous)
    } else {
        Err(GithubError::Conflict(told))
    }
}

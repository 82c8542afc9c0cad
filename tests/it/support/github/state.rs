//! What it holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::app::is_app;
use super::{Asked, Reply, Route, message, our_rule};

/// Everything there is.
#[derive(Default)]
pub(crate) struct State {
    /// What its links begin with.
    pub(crate) url: String,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) runs: BTreeMap<u64, Run>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) gates: Vec<Gate>,
    /// Who passed which run's gate to which environment, how, and what they said.
    pub(crate) approvals: Vec<(u64, String, &'static str, u64, String)>,
    pub(crate) commits: BTreeMap<String, Commit>,
    pub(crate) pulls: Vec<Pull>,
    /// The members of teams, by organization and slug.
    pub(crate) teams: BTreeMap<(String, String), Vec<u64>>,
    /// Teams below others: organization, the upper one's slug, the lower one's.
    pub(crate) teams_below: Vec<(String, String, String)>,
    /// Names of accounts; the others are called by their id.
    pub(crate) logins: BTreeMap<u64, String>,
    pub(crate) checks: BTreeMap<u64, Value>,
    pub(crate) deployment_statuses: Vec<(u64, Value)>,
    pub(crate) files: BTreeMap<String, String>,
    /// The patterns of branches of environments that are limited by such.
    pub(crate) patterns: BTreeMap<u64, Vec<String>>,
    /// For how many minutes environments hold back what comes to them.
    pub(crate) wait_timers: BTreeMap<u64, u64>,
    /// Environments with reviewers who may review what they started.
    pub(crate) own_reviews: BTreeSet<u64>,
    /// What became of deliveries, the newest first.
    pub(crate) deliveries: Vec<(String, u16)>,
    /// What the App was granted, if not what it asks for.
    pub(crate) granted: Option<Value>,
    /// When the hour of calls is over, in seconds since 1970, where it is not by the machine's clock.
    pub(crate) resets_at: Option<i64>,
    /// Whether somebody starts a run again at the moment in which its gate is answered.
    pub(crate) runs_again_then: bool,
    pub(super) tokens: BTreeSet<String>,
}

/// A repository that the App is installed on, or not.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: String,
    pub(crate) owner_id: u64,
    pub(crate) name: String,
    pub(crate) installed: bool,
}

/// A repository of acme in which the App is installed.
pub(crate) fn repository(id: u64, name: &str) -> Repository {
    let (owner, name) = ("acme".to_owned(), name.to_owned());
    Repository { id, owner, owner_id: 90, name, installed: true }
}

/// An environment of acme/shop that is closed: only the App's rule lets anything pass.
pub(crate) fn closed(id: u64, name: &str) -> Environment {
    Environment {
        id,
        repository: 900,
        name: name.to_owned(),
        can_admins_bypass: false,
        prevent_self_review: true,
        branches: Some("protected"),
        rules: vec![our_rule(true)],
    }
}

/// A run of a workflow.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: u64,
    pub(crate) attempt: u64,
    pub(crate) repository: u64,
    /// Where its commit comes from; `None` where that repository is gone.
    pub(crate) head_repository: Option<u64>,
    pub(crate) event: String,
    pub(crate) head_sha: String,
    pub(crate) head_branch: Option<String>,
    pub(crate) path: String,
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) actor: u64,
    pub(crate) triggering_actor: u64,
    pub(crate) title: String,
}

/// An environment of a repository.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) id: u64,
    pub(crate) repository: u64,
    pub(crate) name: String,
    pub(crate) can_admins_bypass: bool,
    pub(crate) prevent_self_review: bool,
    /// `protected`, `custom` or nothing.
    pub(crate) branches: Option<&'static str>,
    /// Rules of Apps: whether they are enabled, and of which App.
    pub(crate) rules: Vec<(bool, u64, String)>,
}

/// A run that waits before an environment.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) run: u64,
    pub(crate) environment: String,
    /// What the App said: `approved` or `rejected`.
    pub(crate) verdict: Option<String>,
    pub(crate) comment: String,
    /// What it reported without a verdict.
    pub(crate) reports: Vec<String>,
    /// How often a verdict was taken.
    pub(crate) verdicts: usize,
    /// Whether something else than the App keeps the run waiting too.
    pub(crate) others: bool,
    /// Whether it stands in the run's way.
    pub(crate) waiting: bool,
}

/// A commit, and whose accounts it is attributed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) author: Option<u64>,
    pub(crate) committer: Option<u64>,
    pub(crate) message: String,
    pub(crate) parent: Option<String>,
}

/// A pull request.
#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    pub(crate) author: u64,
    pub(crate) merged_by: Option<u64>,
    pub(crate) merge_commit: String,
    pub(crate) commits: Vec<String>,
}

/// What somebody else does to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// An administrator of the repository starts what waits.
    Bypassed(u64),
    /// It is canceled.
    Canceled,
    /// It is run again, and waits again.
    RunAgain,
}

impl State {
    pub(super) fn answer(
        &mut self,
        route: Route,
        path: &[&str],
        query: &str,
        asked: &Asked,
    ) -> Reply {
        let path = path.strip_prefix(&["api", "v3"]).unwrap_or(path);
        match route.is_of_app() {
            true => {
                if let Err(problem) = is_app(asked) {
                    return message(401, problem);
                }
            }
            false if !self.is_installation(asked) => return message(401, "Bad credentials"),
            false => {}
        }
        match (route, path) {
            (Route::App, _) => self.app(),
            (Route::Deliveries, _) => self.deliveries_told(),
            (Route::Installations, _) => self.installations(query),
            (Route::InstallationOfOrganization, [_, owner, _]) => self.installation_of(owner),
            (Route::InstallationToken, [_, _, installation, _]) => {
                self.installation_token(installation, asked)
            }
            (Route::Repositories, _) => self.installed(query),
            (Route::TeamMembers, [_, owner, _, slug, _]) => self.team_members(owner, slug, query),
            (_, ["repos", owner, name, rest @ ..]) => match self.repository(owner, name) {
                Some(found) => self.of_repository(&found, route, rest, query, asked),
                None => message(404, "Not Found"),
            },
            _ => message(404, "Not Found"),
        }
    }

    fn of_repository(
        &mut self,
        found: &Repository,
        route: Route,
        rest: &[&str],
        query: &str,
        asked: &Asked,
    ) -> Reply {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
        match (route, rest) {
            (Route::InstallationOfRepository, _) => self.installation_of(&found.owner),
            (Route::Repository, _) => Reply::new(200, self.whole_repository(found).to_string()),
            (Route::Runs, _) => self.runs_of(found, query),
            (Route::Run, [_, _, run]) => self.run_of(found, run),
            (Route::Pending, [_, _, run, _]) => self.pending(found, run),
            (Route::Callback, [_, _, run, _]) => self.callback(found, run, &body),
            (Route::Approvals, [_, _, run, _]) => self.approvals_of(found, run),
            (Route::Environments, _) => self.environments_of(found, query),
            (Route::BranchPatterns, [_, name, _]) => self.patterns_of(found, name, query),
            (Route::Environment, [_, name]) => self.environment_of(found, name),
            (Route::Rules, [_, name, _]) => self.rules_of(found, name),
            (Route::CreateCheck, _) => self.create_check(found, &body),
            (Route::UpdateCheck, [_, id]) => self.update_check(id, &body),
            (Route::ChecksOfCommit, [_, sha, _]) => self.checks_of(sha, query),
            (Route::Commit, [_, sha]) => self.commit_of(found, sha),
            (Route::Commits, _) => self.commits_from(found, query),
            (Route::PullsOfCommit, [_, sha, _]) => self.pulls_of(found, sha, query),
            (Route::Pull, [_, number]) => self.pull_of(found, number),
            (Route::CommitsOfPull, [_, number, _]) => self.commits_of(found, number, query),
            (Route::Compare, [_, pair]) => self.compare(found, pair, query),
            (Route::CreateDeploymentStatus, [_, id, _]) => {
                self.create_deployment_status(found, id, &body)
            }
            (Route::Content, [_, file @ ..]) => self.content(found, &file.join("/")),
            _ => message(404, "Not Found"),
        }
    }

    /// The repository of this name, in whatever letters, where the App is installed.
    pub(super) fn repository(&self, owner: &str, name: &str) -> Option<Repository> {
        let mut all = self.repositories.iter();
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let found =
            all.find(|one| one.installed && same(&one.owner, owner) && same(&one.name, name));
        found.cloned()
    }
}

//! Whether the deployments of a repository at GitHub are held up, as its settings are now.

use assent_core::github::is_repository;
use assent_core::trust::Trust;
use assent_core::wire;

use super::{AppError, Authority, Caller};
use crate::github::{
    BranchPolicy, Environment, GithubError, Repository, Seen, SeenEnvironment, SeenTrust, examine,
    not_installed, unknown,
};
use crate::policy::kept_in;

/// Of how many environments at most the settings are read: each costs three calls.
const MOST: usize = 50;

impl Authority {
    /// What weakens the gates of a repository, or of one environment of it. Nothing where this server
    /// is no App. Only for administrators: it says where a gate is open.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`].
    pub async fn examine_github(
        &self,
        caller: &Caller,
        repository: &str,
        environment: Option<&str>,
    ) -> Result<Option<wire::GithubCheckup>, AppError> {
        caller.check_administrator()?;
        let Some(github) = self.github() else { return Ok(None) };
        let bad = || AppError::Field {
            field: "repository",
            problem: "expected OWNER/REPO, as GitHub has it".to_owned(),
        };
        let parts = repository.split_once('/').filter(|_| is_repository(repository));
        let (owner, name) = parts.ok_or_else(bad)?;
        if environment.is_some_and(|name| name.is_empty() || name.chars().count() > 255) {
            let problem = "expected the name of an environment".to_owned();
            return Err(AppError::Field { field: "environment", problem });
        }
        let mut checkup = wire::GithubCheckup {
            repository: repository.to_owned(),
            environments: Vec::new(),
            findings: Vec::new(),
        };
        let found = match github.repository_as_it_is(owner, name).await {
            Ok(found) => found,
            Err(GithubError::NotFound(_)) => {
                let told = not_installed(github.people_issuer(), github.slug(), repository);
                checkup.findings.push(told);
                return Ok(Some(checkup));
            }
            Err(error) => {
                checkup.findings.push(unknown("installed", "the repository", &error));
                return Ok(Some(checkup));
            }
        };
        let named = match environment {
            Some(name) => Ok(vec![name.to_owned()]),
            None => found.environments().await,
        };
        let mut names = match named {
            Ok(names) => names,
            Err(error) => {
                checkup.findings.push(unknown("environments", "its environments", &error));
                return Ok(Some(checkup));
            }
        };
        if names.len() > MOST {
            let left = GithubError::Partial(format!("{MOST} of {}; name one", names.len()));
            checkup.findings.push(unknown("environments", "all of its environments", &left));
            names.truncate(MOST);
        }
        let policy = self.policy();
        let is_of_it = |trust: &&Trust| github.is_actions_issuer(trust.issuer());
        let placed = |trust| {
            let file = policy.trust_file(Trust::name(trust));
            SeenTrust { trust, file: file.filter(|file| kept_in(file).is_none()) }
        };
        let seen = Seen {
            place: github.people_issuer(),
            app_id: github.app_id(),
            slug: github.slug(),
            owner,
            name,
            id: found.id(),
            owner_id: found.owner_id(),
            default_branch: found.default_branch(),
            permissions: found.permissions(),
            own: github.own().await,
            deliveries: github.deliveries().await,
            environments: environments(&found, &names).await,
            trusts: policy.trusts().filter(is_of_it).map(placed).collect(),
        };
        checkup.findings.extend(examine(&seen));
        checkup.environments = names;
        Ok(Some(checkup))
    }
}

async fn environments(repository: &Repository, names: &[String]) -> Vec<SeenEnvironment> {
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let settings = repository.environment(name).await;
        let has_patterns = |one: &Environment| one.branch_policy == BranchPolicy::Custom;
        let patterns = match settings.as_ref().is_ok_and(has_patterns) {
            true => repository.branch_patterns(name).await,
            false => Ok(Vec::new()),
        };
        let rules = match settings.is_ok() {
            true => repository.protection_rules(name).await,
            false => Ok(Vec::new()),
        };
        all.push(SeenEnvironment { name: name.clone(), settings, patterns, rules });
    }
    all
}

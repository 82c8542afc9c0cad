//! GitHub, as a GitHub App sees it: runs and what waits of them, who is behind a commit, who is in a
//! team, and what is said beside a commit.
//!
//! Webhooks are hints; what counts is read from the API. Names are what people are called now and
//! repositories are found by; who and what they are, ids say. A write is sent once.

mod budget;
mod calls;
mod checks;
mod doctor;
mod error;
mod repository;
mod seen;
mod settings;
mod setup;
mod webhook;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assent_core::principal::PrincipalId;
use assent_core::time::{Span, Timestamp};
use axum::http::HeaderMap;
use octocrab::models::{AppId, InstallationId};
use octocrab::{EncodingKey, Octocrab};
use reqwest::Certificate;
use reqwest::redirect::Policy;
use serde::Deserialize;

use crate::clock::Clock;
use calls::{Line, path};
use seen::RepositoryForm;
use webhook::Prover;

pub use checks::{Check, CheckState, Conclusion, DeploymentState};
pub(crate) use doctor::{Seen, SeenEnvironment, SeenTrust, examine, not_installed, unknown};
pub use error::GithubError;
pub use repository::{Repository, Reviewed, Verdict};
pub use seen::{
    Account, Approval, BranchPolicy, Commit, Environment, Own, Owner, Pending, Pull, Rule, Run,
    Sent,
};
pub(crate) use settings::is_slug;
pub use settings::{Place, Settings};
pub use setup::{Kept, KeptError, Made, PERMISSIONS, Permission, SetupError, manifest};
pub(crate) use webhook::is_signed;
pub use webhook::{Delivery, LARGEST as LARGEST_DELIVERY, Unverified};

/// How long it is believed that the App is installed in a repository without asking again.
const BELIEVED: Span = Span::minutes(10);
/// Of how many repositories that is remembered.
const REMEMBERED: usize = 10_000;

/// A GitHub App. Cheap to clone; clones share what is known.
#[derive(Clone, Debug)]
pub struct Github(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app_id: u64,
    slug: String,
    place: Place,
    require_app: bool,
    deployment_statuses: bool,
    between_writes: Duration,
    clock: Clock,
    prover: Prover,
    octocrab: Octocrab,
    app: Line,
    installations: Mutex<HashMap<u64, Line>>,
    repositories: Mutex<HashMap<(String, String), (Repository, Timestamp)>>,
}

/// Why the App cannot be used: its key, or how to reach GitHub.
#[derive(Debug, thiserror::Error)]
#[error("the GitHub App cannot be used: {0}")]
pub struct Unusable(String);

#[derive(Deserialize)]
struct Installation {
    id: u64,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(flatten)]
    repository: RepositoryForm,
    #[serde(default)]
    default_branch: String,
}

#[derive(Deserialize)]
struct Member {
    id: u64,
    /// Some answers say it; who is only invited is no member yet.
    state: Option<String>,
}

impl Github {
    /// The App that is set up like this. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Unusable`]: its key, its secret or its certificates.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, Unusable> {
        settings.check_secret().map_err(Unusable)?;
        let key = EncodingKey::from_rsa_pem(settings.private_key.expose().as_bytes());
        let no_key = |_| Unusable("its private key is no RSA key as PEM".to_owned());
        let client = client(settings.ca_file.as_deref(), settings.patience)?;
        let unusable = |_| Unusable("no calls can be made".to_owned());
        let octocrab = Octocrab::builder()
            .base_uri(settings.place.api.as_str())
            .map_err(unusable)?
            .app(AppId(settings.app_id), key.map_err(no_key)?)
            .build_with_reqwest(client)
            .map_err(unusable)?;
        let Settings { app_id, slug, webhook_secret, place, require_app, .. } = settings;
        let Settings { between_writes, deployment_statuses, .. } = settings;
        let (api, pause) = (place.api.clone(), between_writes);
        let app = Line::new(octocrab.clone(), api, clock.clone(), pause, false);
        Ok(Self(Arc::new(Inner {
            app_id,
            slug,
            place,
            require_app,
            deployment_statuses,
            between_writes,
            clock,
            prover: Prover::new(&webhook_secret),
            octocrab,
            app,
            installations: Mutex::default(),
            repositories: Mutex::default(),
        })))
    }

    /// The App's number.
    pub fn app_id(&self) -> u64 {
        self.0.app_id
    }

    /// The App's name in addresses.
    pub fn slug(&self) -> &str {
        &self.0.slug
    }

    /// The issuer of its people's accounts: `https://github.com`, or that of a server of one's own.
    pub fn people_issuer(&self) -> &str {
        &self.0.place.url
    }

    /// The issuer of its Actions' tokens.
    pub fn actions_issuer(&self) -> &str {
        &self.0.place.actions_issuer
    }

    /// Whether its Actions' tokens have this issuer: their own, or one below it, which an enterprise
    /// may have for itself.
    pub fn is_actions_issuer(&self, issuer: &str) -> bool {
        let rest = issuer.strip_prefix(self.actions_issuer());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The account with this number.
    ///
    /// # Errors
    /// [`GithubError::Away`] where the issuer cannot have accounts.
    pub fn account(&self, number: u64) -> Result<PrincipalId, GithubError> {
        let account = PrincipalId::new(self.people_issuer(), &number.to_string());
        account.map_err(|error| GithubError::Away(error.to_string()))
    }

    /// Where its API is.
    pub fn api(&self) -> &url::Url {
        &self.0.place.api
    }

    /// Whether a workload of GitHub Actions is refused where the App is not installed.
    pub fn requires_app(&self) -> bool {
        self.0.require_app
    }

    /// Whether it states beside a deployment how far its request is.
    pub fn states_deployments(&self) -> bool {
        self.0.deployment_statuses
    }

    /// A delivery of its webhook, proven over the bytes as they came.
    ///
    /// # Errors
    /// [`Unverified`].
    pub fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, Unverified> {
        self.0.prover.verify(headers, body)
    }

    /// A repository in which it is installed, believed for some minutes.
    ///
    /// # Errors
    /// [`GithubError::NotFound`] where it is not installed, and the others.
    pub async fn repository(&self, owner: &str, name: &str) -> Result<Repository, GithubError> {
        let key = (owner.to_ascii_lowercase(), name.to_ascii_lowercase());
        let now = self.0.clock.now();
        let known = lock(&self.0.repositories).get(&key).cloned();
        match known.filter(|(_, until)| now < *until) {
            Some((repository, _)) => Ok(repository),
            None => self.repository_as_it_is(owner, name).await,
        }
    }

    /// The same, asked for now.
    ///
    /// # Errors
    /// As [`Self::repository`].
    pub async fn repository_as_it_is(
        &self,
        owner: &str,
        name: &str,
    ) -> Result<Repository, GithubError> {
        let bad = || GithubError::NotFound("no name of a repository".to_owned());
        let base = path(["repos", owner, name]).ok_or_else(bad)?;
        let found = self.0.app.get::<Installation>(&format!("{base}/installation")).await;
        let installation = installed(found, &format!("the repository {owner}/{name}"))?;
        let line = self.line(installation.id)?;
        let Whole { repository: form, default_branch } = line.get(&base).await?;
        let repository = Repository {
            line,
            id: form.id,
            owner_id: form.owner.id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            default_branch,
            permissions: installation.permissions,
        };
        let key = (owner.to_ascii_lowercase(), name.to_ascii_lowercase());
        let now = self.0.clock.now();
        let mut all = lock(&self.0.repositories);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(key, (repository.clone(), now.plus(BELIEVED)));
        Ok(repository)
    }

    /// The App itself.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn own(&self) -> Result<Own, GithubError> {
        self.0.app.get("/app").await
    }

    /// What became of the newest deliveries of its webhook, the newest first, at most a hundred (*List
    /// deliveries for an app webhook*).
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn deliveries(&self) -> Result<Vec<Sent>, GithubError> {
        self.0.app.get("/app/hook/deliveries?per_page=100").await
    }

    /// The repositories that it is installed in, as `(OWNER, REPO, id)`. For what can be done later.
    ///
    /// # Errors
    /// [`GithubError`].
    pub async fn repositories(&self) -> Result<Vec<(String, String, u64)>, GithubError> {
        let app = self.0.app.in_background();
        let mut all = Vec::new();
        for installation in app.list::<Installation>("/app/installations").await? {
            if installation.suspended_at.is_some() {
                continue;
            }
            let line = self.line(installation.id)?.in_background();
            let list =
                line.list_in::<RepositoryForm>("/installation/repositories", Some("repositories"));
            all.extend(list.await?.into_iter().filter_map(|form| {
                let (owner, name) = form.full_name.split_once('/')?;
                Some((owner.to_owned(), name.to_owned(), form.id))
            }));
        }
        Ok(all)
    }

    /// The numbers of who is in a team or in one below it, invited ones not counted (*List team
    /// members*).
    ///
    /// # Errors
    /// [`GithubError`]: also where the App does not see the team.
    pub async fn team_members(&self, org: &str, slug: &str) -> Result<Vec<u64>, GithubError> {
        let bad = || GithubError::NotFound("no name of a team".to_owned());
        let organization = path(["orgs", org, "installation"]).ok_or_else(bad)?;
        let members = path(["orgs", org, "teams", slug, "members"]).ok_or_else(bad)?;
        let found = self.0.app.get::<Installation>(&organization).await;
        let installation = installed(found, &format!("the organization {org}"))?;
        let line = self.line(installation.id)?.in_background();
        let all = line.list::<Member>(&members).await?;
        let is_active = |member: &Member| member.state.as_deref().is_none_or(|s| s == "active");
        Ok(all.into_iter().filter(is_active).map(|member| member.id).collect())
    }

    fn line(&self, installation: u64) -> Result<Line, GithubError> {
        let mut all = lock(&self.0.installations);
        if let Some(line) = all.get(&installation) {
            return Ok(line.clone());
        }
        let octocrab = self.0.octocrab.installation(InstallationId(installation));
        let unusable =
            |_| GithubError::Refused("no call can be made as an installation".to_owned());
        let (api, clock) = (self.0.place.api.clone(), self.0.clock.clone());
        let line = Line::new(octocrab.map_err(unusable)?, api, clock, self.0.between_writes, true);
        all.insert(installation, line.clone());
        Ok(line)
    }
}

/// An installation that may be used.
fn installed(
    found: Result<Installation, GithubError>,
    what: &str,
) -> Result<Installation, GithubError> {
    let absent = |why: &str| GithubError::NotFound(format!("the App is {why} for {what}"));
    match found {
        Ok(installation) if installation.suspended_at.is_some() => Err(absent("suspended")),
        Ok(installation) => Ok(installation),
        Err(GithubError::NotFound(_)) => Err(absent("not installed")),
        Err(error) => Err(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The way out: no redirects, no proxy, in time.
fn client(
    ca_file: Option<&std::path::Path>,
    patience: Duration,
) -> Result<reqwest::Client, Unusable> {
    let certificates = match ca_file {
        None => Vec::new(),
        Some(path) => {
            let unreadable =
                |error| Unusable(format!("{} cannot be read: {error}", path.display()));
            let pem = std::fs::read(path).map_err(unreadable)?;
            let all = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if all.is_empty() {
                let problem = format!("{} holds no certificate", path.display());
                return Err(Unusable(problem));
            }
            all
        }
    };
    let client = reqwest::Client::builder()
        .user_agent(concat!("assent/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(Policy::none())
        .timeout(patience)
        .tls_certs_merge(certificates)
        .build();
    client.map_err(|error| Unusable(crate::unreached::cause(&error)))
}

#[cfg(test)]
mod tests;

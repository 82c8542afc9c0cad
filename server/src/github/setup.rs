//! Making the App by a manifest (*Registering a GitHub App from a manifest*), and keeping it sealed.

use std::path::{Path, PathBuf};

use assent_core::credential::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::Unusable;
use super::settings::{Place, Settings, is_slug};
use crate::broker::outside::short;
use crate::sealing::{SealError, Sealer};
use crate::{private, unreached};

/// For what the App is sealed.
const PURPOSE: &str = "assent/github-app/v1";
/// The file it is kept in, in the data directory.
const FILE: &str = "github-app";
/// The largest answer that is read: a key, two secrets and what the App is.
const LARGEST: usize = 256 * 1024;

/// Something the App asks to be allowed, and why.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// As GitHub's API calls it.
    pub name: &'static str,
    /// As its pages call it.
    pub shown: &'static str,
    /// `read` or `write`.
    pub level: &'static str,
    /// For what.
    pub why: &'static str,
}

/// What it hears of: that something waits, and what becomes of a run.
pub(super) const EVENTS: [&str; 2] = ["deployment_protection_rule", "workflow_run"];

/// All that the App asks to be allowed.
pub const PERMISSIONS: &[Permission] = &[
    Permission {
        name: "actions",
        shown: "Actions",
        level: "read",
        why: "to read the run that waits: its commit, its attempt, and who started it",
    },
    Permission {
        name: "checks",
        shown: "Checks",
        level: "write",
        why: "to show a request's state beside the commit",
    },
    Permission {
        name: "contents",
        shown: "Contents",
        level: "read",
        why: "to read who wrote and committed what is deployed; no file is read",
    },
    Permission {
        name: "deployments",
        shown: "Deployments",
        level: "write",
        why: "to approve or reject what waits for this App's rule",
    },
    Permission {
        name: "environments",
        shown: "Environments",
        level: "read",
        why: "to see whether an environment can be bypassed; nothing of it is changed",
    },
    Permission {
        name: "members",
        shown: "Members (organization)",
        level: "read",
        why: "to know who is in the teams that policy names",
    },
    Permission { name: "metadata", shown: "Metadata", level: "read", why: "every App has it" },
    Permission {
        name: "pull_requests",
        shown: "Pull requests",
        level: "read",
        why: "to read who opened the pull requests that a commit came by",
    },
];

/// The manifest: what is to be made, for the authority at this address.
pub fn manifest(base: &str) -> Value {
    let permissions: serde_json::Map<String, Value> =
        PERMISSIONS.iter().map(|one| (one.name.to_owned(), Value::from(one.level))).collect();
    json!({
        "name": "Assent",
        "url": base,
        "hook_attributes": {"url": format!("{base}/webhooks/github"), "active": true},
        "redirect_url": format!("{base}/admin/github/callback"),
        "public": false,
        "default_permissions": permissions,
        "default_events": EVENTS,
    })
}

/// An App that GitHub made.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its number.
    pub app_id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its private key, as PEM.
    pub private_key: Secret,
    /// What its webhooks are signed with.
    pub webhook_secret: Secret,
    /// Where.
    pub place: Place,
}

/// Why GitHub's code did not become an App.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// GitHub did not give it.
    #[error("GitHub did not give the App for its code: {0}; begin again")]
    Away(String),
    /// What it gave cannot be used.
    #[error("GitHub gave an App that cannot be used: {0}")]
    Unusable(String),
    /// It could not be kept.
    #[error("the App was made and could not be kept; delete it at GitHub and begin again")]
    Kept(#[from] KeptError),
}

#[derive(Deserialize)]
struct Conversion {
    id: u64,
    slug: String,
    pem: String,
    webhook_secret: Option<String>,
}

impl Place {
    /// Where the form with the manifest goes: to this person's settings, or to an organization's.
    pub fn form(&self, organization: Option<&str>, state: &str) -> Option<String> {
        let path = match organization {
            None => "/settings/apps/new".to_owned(),
            Some(name) if is_slug(name) => format!("/organizations/{name}/settings/apps/new"),
            Some(_) => return None,
        };
        Some(format!("{}{path}?state={state}", self.url))
    }

    /// The App for the code that GitHub sent back. The code is good once.
    ///
    /// # Errors
    /// [`SetupError`].
    pub async fn convert(self, code: &str) -> Result<Made, SetupError> {
        let away = |problem: &str| SetupError::Away(short(problem));
        if !is_slug(code) {
            return Err(away("it sent no code"));
        }
        let client = super::client(None, super::settings::PATIENCE)
            .map_err(|_| away("no call can be made"))?;
        let base = self.api.as_str().trim_end_matches('/');
        let url: Url = format!("{base}/app-manifests/{code}/conversions")
            .parse()
            .map_err(|_| away("its address is none"))?;
        let request = client.post(url).header("accept", "application/vnd.github+json");
        let lost = |error: reqwest::Error| away(&unreached::cause(&error));
        let mut response = request.send().await.map_err(lost)?;
        if response.status().as_u16() != 201 {
            return Err(away(&format!("it answered {}", response.status())));
        }
        let mut body = Zeroizing::new(Vec::with_capacity(LARGEST));
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(away("its answer is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        let unusable = |problem: &str| SetupError::Unusable(problem.to_owned());
        let made: Conversion = serde_json::from_slice(&body)
            .map_err(|_| unusable("its answer names no App with a key"))?;
        let secret = made.webhook_secret.ok_or_else(|| unusable("its webhook has no secret"))?;
        if !is_slug(&made.slug) {
            return Err(unusable("its name is none"));
        }
        Ok(Made {
            app_id: made.id,
            slug: made.slug,
            private_key: Secret::new(made.pem),
            webhook_secret: Secret::new(secret),
            place: self,
        })
    }
}

/// Where the App is kept that setup made.
#[derive(Clone, Debug)]
pub struct Kept {
    path: PathBuf,
    sealer: Sealer,
}

/// Why the App that was kept is not to be had, or was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It does not open.
    #[error("the GitHub App in {} does not open: {problem}", path.display())]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// Why.
        problem: SealError,
    },
    /// It is of another form.
    #[error("what {} holds is of another form; remove it and set the App up again", .0.display())]
    Form(PathBuf),
    /// The App cannot be used.
    #[error(transparent)]
    Settings(#[from] Unusable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    id: u64,
    slug: String,
    key: String,
    secret: String,
    url: String,
}

impl Kept {
    /// In this data directory, sealed with this.
    pub fn in_directory(data: &Path, sealer: Sealer) -> Self {
        Self { path: data.join(FILE), sealer }
    }

    /// The App that was kept, if one was.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn load(&self) -> Result<Option<Settings>, KeptError> {
        let path = || self.path.clone();
        let sealed = match private::read(&self.path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeptError::File { path: path(), source }),
        };
        let opened = self.sealer.open(PURPOSE, &sealed);
        let opened = opened.map_err(|problem| KeptError::Sealed { path: path(), problem })?;
        let form = || KeptError::Form(path());
        let stored: Stored = serde_json::from_slice(&opened).map_err(|_| form())?;
        let place = Place::at(&stored.url).map_err(|_| form())?;
        Ok(Some(Settings::of_made(Made {
            app_id: stored.id,
            slug: stored.slug,
            private_key: Secret::new(stored.key),
            webhook_secret: Secret::new(stored.secret),
            place,
        })))
    }

    /// Keeps an App, sealed, and durably.
    ///
    /// # Errors
    /// [`KeptError`]: then it is not kept.
    pub fn keep(&self, made: &Made) -> Result<(), KeptError> {
        let path = || self.path.clone();
        let stored = Zeroizing::new(
            json!({
                "id": made.app_id, "slug": made.slug, "key": made.private_key.expose(),
                "secret": made.webhook_secret.expose(), "url": made.place.url,
            })
            .to_string(),
        );
        let sealed = self.sealer.seal(PURPOSE, stored.as_bytes());
        let sealed = sealed.map_err(|problem| KeptError::Sealed { path: path(), problem })?;
        private::write(&self.path, &sealed)
            .map_err(|source| KeptError::File { path: path(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Made {
        Made {
            app_id: 7,
            slug: "assent".to_owned(),
            private_key: Secret::new("canary-key".to_owned()),
            webhook_secret: Secret::new("canary-secret-0123".to_owned()),
            place: Place::at("https://ghes.example.com").unwrap(),
        }
    }

    #[test]
    fn an_app_is_kept_sealed_and_found_again() {
        let data = tempfile::tempdir().unwrap();
        let sealer = Sealer::default();
        let kept = Kept::in_directory(data.path(), sealer.clone());
        assert!(kept.load().unwrap().is_none());
        kept.keep(&made()).unwrap();
        let bytes = std::fs::read(data.path().join(FILE)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("canary"));
        let settings = Kept::in_directory(data.path(), sealer).load().unwrap().unwrap();
        assert_eq!(settings.private_key.expose(), "canary-key");
        assert_eq!(settings.place.api.as_str(), "https://ghes.example.com/api/v3");
        let other = Kept::in_directory(data.path(), Sealer::default()).load().unwrap_err();
        assert!(matches!(other, KeptError::Sealed { .. }), "{other}");
    }

    #[test]
    fn the_form_goes_to_that_github_and_nowhere_else() {
        let place = Place::at("https://github.com").unwrap();
        assert_eq!(place.form(None, "s").unwrap(), "https://github.com/settings/apps/new?state=s");
        assert_eq!(
            place.form(Some("acme"), "s").unwrap(),
            "https://github.com/organizations/acme/settings/apps/new?state=s"
        );
        for bad in ["", "a/b", "..", "a?b", "a b"] {
            assert_eq!(place.form(Some(bad), "s"), None, "{bad}");
        }
    }

    /// What is asked is what is explained: nothing is asked that no reason is given for.
    #[test]
    fn the_manifest_asks_for_what_is_explained_and_no_administration() {
        let manifest = manifest("https://assent.example.com");
        let asked = manifest["default_permissions"].as_object().unwrap();
        assert_eq!(asked.len(), PERMISSIONS.len());
        let writes = asked.iter().filter(|(_, level)| *level == "write").map(|(name, _)| name);
        assert_eq!(writes.collect::<Vec<_>>(), ["checks", "deployments"]);
        assert!(PERMISSIONS.iter().all(|one| !one.why.is_empty()));
        assert_eq!(
            manifest["hook_attributes"]["url"],
            "https://assent.example.com/webhooks/github"
        );
        assert_eq!(manifest["public"], false);
    }
}

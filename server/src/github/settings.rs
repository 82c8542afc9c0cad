//! How the App is set up: by a file, or by what `assent admin github setup` kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assent_core::credential::Secret;
use serde::Deserialize;
use url::Url;

use crate::broker::outside::address;
use crate::settings::{self, SettingsError};

/// The shortest secret of a webhook: whoever guesses it sends what they like.
const SHORTEST_SECRET: usize = 16;
/// How long after a write the next is sent, where nothing else is said (*Best practices for using the
/// REST API*).
const BETWEEN_WRITES: Duration = Duration::from_secs(1);
/// How long one call may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The App and where it lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The App's number.
    pub app_id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// Its private key, as PEM.
    pub private_key: Secret,
    /// What its webhooks are signed with.
    pub webhook_secret: Secret,
    /// Where GitHub is.
    pub place: Place,
    /// Whether a workload of GitHub Actions is refused where the App is not installed, since nobody
    /// can say who is behind it.
    pub require_app: bool,
    /// How long after a write the next is sent.
    pub between_writes: Duration,
    /// How long one call may take.
    pub patience: Duration,
    /// Whether it states beside a deployment how far its request is.
    pub deployment_statuses: bool,
    /// The certificates, as PEM, of those who may vouch for it beside the system's.
    pub ca_file: Option<PathBuf>,
}

/// A GitHub: github.com, a tenant of ghe.com or a server of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where people look, without a slash at the end. Their accounts are of this issuer.
    pub url: String,
    /// Where its REST API is.
    pub api: Url,
    /// Who issues the tokens of its Actions.
    pub actions_issuer: String,
}

impl Place {
    /// The GitHub that people find there; its API and issuer are where such a GitHub has them.
    ///
    /// # Errors
    /// Why that is no place for secrets.
    pub fn at(url: &str) -> Result<Self, String> {
        let url = address(url)?;
        if url.path() != "/" {
            return Err("where people find GitHub, without a path".to_owned());
        }
        let whole = url.as_str().trim_end_matches('/').to_owned();
        let (api, actions_issuer) = match url.host_str() {
            Some("github.com") => (
                "https://api.github.com".to_owned(),
                "https://token.actions.githubusercontent.com".to_owned(),
            ),
            Some(host) if host.ends_with(".ghe.com") => {
                (format!("https://api.{host}"), format!("https://token.actions.{host}"))
            }
            _ => (format!("{whole}/api/v3"), format!("{whole}/_services/token")),
        };
        Ok(Self { url: whole, api: address(&api)?, actions_issuer })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    app: App,
    #[serde(default = "yes")]
    require_app: bool,
    #[serde(default)]
    deployment_statuses: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct App {
    id: u64,
    slug: String,
    private_key_file: PathBuf,
    webhook_secret_file: PathBuf,
    url: Option<String>,
    api_url: Option<String>,
    actions_issuer: Option<String>,
    ca_file: Option<PathBuf>,
    seconds_between_writes: Option<u64>,
}

fn yes() -> bool {
    true
}

impl Settings {
    /// As a file says. Files it names are beside it, or where an absolute path leads.
    ///
    /// # Errors
    /// [`SettingsError`], which never holds a secret.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let field = |field: &str, problem: String| SettingsError::at(path, field, problem);
        let Document { app, require_app, deployment_statuses } = settings::read(path, "GitHub")?;
        let url = app.url.as_deref().unwrap_or("https://github.com");
        let mut place = Place::at(url).map_err(|problem| field("app.url", problem))?;
        if let Some(api) = &app.api_url {
            place.api = address(api).map_err(|problem| field("app.apiUrl", problem))?;
        }
        if let Some(issuer) = app.actions_issuer {
            address(&issuer).map_err(|problem| field("app.actionsIssuer", problem))?;
            place.actions_issuer = issuer;
        }
        if !is_slug(&app.slug) {
            return Err(field("app.slug", "the App's name as it stands in addresses".to_owned()));
        }
        let settings = Self {
            app_id: app.id,
            slug: app.slug,
            private_key: settings::secret(path, &app.private_key_file)?,
            webhook_secret: settings::secret(path, &app.webhook_secret_file)?,
            place,
            require_app,
            between_writes: app.seconds_between_writes.map_or(BETWEEN_WRITES, Duration::from_secs),
            patience: PATIENCE,
            deployment_statuses,
            ca_file: app.ca_file.map(|file| settings::beside(path, &file)),
        };
        let problem = settings.check_secret();
        problem.map_err(|problem| field("app.webhookSecretFile", problem))?;
        Ok(settings)
    }

    /// An App that was just made, or is kept.
    pub(crate) fn of_made(made: super::Made) -> Self {
        let super::Made { app_id, slug, private_key, webhook_secret, place } = made;
        Self {
            app_id,
            slug,
            private_key,
            webhook_secret,
            place,
            require_app: true,
            between_writes: BETWEEN_WRITES,
            patience: PATIENCE,
            deployment_statuses: false,
            ca_file: None,
        }
    }

    pub(super) fn check_secret(&self) -> Result<(), String> {
        match self.webhook_secret.expose().len() >= SHORTEST_SECRET {
            true => Ok(()),
            false => Err(format!("a secret of at least {SHORTEST_SECRET} characters")),
        }
    }
}

/// Whether it can be the name of an App, of an organization or of a code in an address.
pub(crate) fn is_slug(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=100).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: assent/v1
kind: GitHub
app:
  id: 12345
  slug: assent
  privateKeyFile: key.pem
  webhookSecretFile: secret
";

    fn read(text: &str, secret: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("github.yaml");
        std::fs::write(&file, text).unwrap();
        crate::private::write(&folder.path().join("key.pem"), b"canary-key").unwrap();
        crate::private::write(&folder.path().join("secret"), secret.as_bytes()).unwrap();
        Settings::read(&file).map_err(|error| error.to_string())
    }

    const SECRET: &str = "canary-secret-0123456789\n";

    #[test]
    fn a_file_is_read_with_the_places_of_github_com() {
        let settings = read(GOOD, SECRET).unwrap();
        assert_eq!((settings.app_id, settings.slug.as_str()), (12345, "assent"));
        assert_eq!(settings.webhook_secret.expose(), "canary-secret-0123456789");
        assert_eq!(settings.place.url, "https://github.com");
        assert_eq!(settings.place.api.as_str(), "https://api.github.com/");
        let issuer = "https://token.actions.githubusercontent.com";
        assert_eq!(settings.place.actions_issuer, issuer);
        assert!(settings.require_app && !settings.deployment_statuses);
        assert!(!format!("{settings:?}").contains("canary"));
    }

    #[test]
    fn a_server_of_ones_own_has_its_api_and_issuer_below_it() {
        for (url, api, issuer) in [
            (
                "https://ghes.example.com",
                "https://ghes.example.com/api/v3",
                "https://ghes.example.com/_services/token",
            ),
            (
                "https://octo.ghe.com/",
                "https://api.octo.ghe.com/",
                "https://token.actions.octo.ghe.com",
            ),
        ] {
            let settings = read(&format!("{GOOD}  url: {url}\n"), SECRET).unwrap();
            assert_eq!(settings.place.url, url.trim_end_matches('/'));
            assert_eq!(settings.place.api.as_str(), api);
            assert_eq!(settings.place.actions_issuer, issuer);
        }
        let text = format!(
            "{GOOD}  apiUrl: http://127.0.0.1:7/api/v3\n  secondsBetweenWrites: 0\nrequireApp: false\n\
             deploymentStatuses: true\n"
        );
        let settings = read(&text, SECRET).unwrap();
        assert_eq!(settings.place.api.as_str(), "http://127.0.0.1:7/api/v3");
        assert!(!settings.require_app && settings.between_writes.is_zero());
        assert!(settings.deployment_statuses);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_secrets() {
        for (text, secret, wanted) in [
            (GOOD.replace("id: 12345", "id: x"), SECRET, "app.id"),
            (GOOD.replace("  slug: assent\n", ""), SECRET, "slug"),
            (GOOD.replace("slug: assent", "slug: a/b"), SECRET, "app.slug"),
            (GOOD.replace("kind: GitHub", "kind: Brokers"), SECRET, "kind"),
            (format!("{GOOD}  apiUrl: http://api.github.com\n"), SECRET, "app.apiUrl"),
            (format!("{GOOD}  url: https://github.com/acme\n"), SECRET, "app.url"),
            (format!("{GOOD}  color: red\n"), SECRET, "color"),
            (GOOD.replace("key.pem", "none.pem"), SECRET, "none.pem"),
            (GOOD.to_owned(), "canary", "app.webhookSecretFile"),
            (GOOD.to_owned(), "\n", "app.webhookSecretFile"),
        ] {
            let told = read(&text, secret).unwrap_err();
            assert!(told.contains(wanted) && !told.contains("canary"), "{told}");
        }
    }
}

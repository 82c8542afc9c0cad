//! How a GitHub broker is set up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assent_core::credential::Secret;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::app::App;
use crate::broker::outside::{Outside, address};
use crate::broker::settings::{Roles, SettingsFault, bad};

/// To how many repositories a token may be narrowed: the answer has each of them whole.
const REPOSITORIES: usize = 100;

/// As it is written in a file of brokers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubSettings {
    /// Where the REST API is: another place than github.com's for GitHub Enterprise.
    #[serde(default = "api_url")]
    api_url: String,
    /// The certificates, as PEM, of those who may vouch for it beside the system's.
    ca_file: Option<PathBuf>,
    /// The App's client id, or its id.
    app: String,
    /// The file that holds the App's private key.
    private_key_file: Option<PathBuf>,
    /// The environment variable that holds it.
    private_key_env: Option<String>,
    /// Which of the App's installations.
    installation: u64,
    /// What may be granted, under the names that rules know it by.
    roles: BTreeMap<String, RoleSettings>,
}

/// One role, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleSettings {
    repositories: Repositories,
    permissions: BTreeMap<String, Level>,
}

/// In which repositories.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "`repositories`: the ids of repositories, or `all`")]
enum Repositories {
    /// Those of these ids.
    Of(BTreeSet<u64>),
    /// All that the installation has.
    All(All),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum All {
    All,
}

/// How much of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Read,
    Write,
    Admin,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

fn api_url() -> String {
    "https://api.github.com".to_owned()
}

/// An installation, and how it is called.
#[derive(Debug)]
pub(super) struct Target {
    /// The REST API's address, without a slash at the end.
    pub(super) api: String,
    /// Where people and `gh` find it.
    pub(super) host: String,
    pub(super) installation: u64,
    pub(super) app: App,
    pub(super) outside: Outside,
    pub(super) roles: Roles<Role>,
}

/// What a token may do.
#[derive(Debug)]
pub(super) struct Role {
    repositories: Repositories,
    permissions: BTreeMap<String, Level>,
}

impl GithubSettings {
    /// As they can be used, or what is wrong with them.
    pub(super) fn settled(
        self,
        variable: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<Target, SettingsFault> {
        let api = address(&self.api_url).map_err(|problem| bad("api_url", problem))?;
        let host = host(&api).ok_or_else(|| bad("api_url", "it names no host"))?;
        let outside = Outside::believing(self.ca_file.as_deref());
        let outside = outside.map_err(|problem| bad("ca_file", problem))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=64).contains(&self.app.len()) || !self.app.chars().all(fits) {
            return Err(bad("app", "the App's client id, such as Iv23liAbCdEf, or its id"));
        }
        if self.installation == 0 {
            return Err(bad("installation", "the installation's id"));
        }
        let (field, key) = match (self.private_key_file, self.private_key_env) {
            (Some(path), None) => ("private_key_file", in_file(&path)),
            (None, Some(name)) => {
                let missing = || format!("`{name}` is not set");
                ("private_key_env", variable(&name).ok_or_else(missing))
            }
            (None, None) | (Some(_), Some(_)) => {
                let problem = "say where the App's private key is, once: `private_key_file` or \
                    `private_key_env`";
                return Err(bad("private_key_file", problem));
            }
        };
        let app = key.and_then(|key| App::new(self.app, key.expose().as_bytes()));
        let app = app.map_err(|problem| bad(field, problem))?;
        let roles = Roles::settled(self.roles, RoleSettings::settled)?;
        let api = api.as_str().trim_end_matches('/').to_owned();
        Ok(Target { api, host, installation: self.installation, app, outside, roles })
    }
}

impl RoleSettings {
    fn settled(self, place: &str) -> Result<Role, SettingsFault> {
        let Self { repositories, permissions } = self;
        let field = |name: &str| format!("{place}.{name}");
        if let Repositories::Of(ids) = &repositories
            && (ids.contains(&0) || !(1..=REPOSITORIES).contains(&ids.len()))
        {
            let problem = format!(
                "the ids of 1 to {REPOSITORIES} repositories, or `all` that the installation has"
            );
            return Err(bad(field("repositories"), problem));
        }
        let fits = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_name = |name: &String| (1..=64).contains(&name.len()) && name.chars().all(fits);
        if permissions.is_empty() || !permissions.keys().all(is_name) {
            let problem = "at least one permission, such as `contents: read`";
            return Err(bad(field("permissions"), problem));
        }
        Ok(Role { repositories, permissions })
    }
}

impl Role {
    /// As GitHub is asked.
    pub(super) fn asked(&self) -> Value {
        let permissions = self.permissions.iter();
        let permissions: Map<String, Value> =
            permissions.map(|(name, level)| (name.clone(), json!(level.word()))).collect();
        match &self.repositories {
            Repositories::Of(ids) => json!({"repository_ids": ids, "permissions": permissions}),
            Repositories::All(All::All) => json!({"permissions": permissions}),
        }
    }

    /// Whether a token is for exactly these repositories, and may do exactly this. To read what
    /// they are called is in every token.
    pub(super) fn is_what_was_asked(&self, answer: &Value) -> Result<(), &'static str> {
        let given = answer.get("permissions").and_then(Value::as_object);
        let given = given.ok_or("a token that does not say what it may do")?;
        let asked = |name: &str| self.permissions.get(name).map(|level| level.word());
        let fits = |(name, level): (&String, &Value)| match asked(name) {
            Some(asked) => level.as_str() == Some(asked),
            None => name == "metadata" && level.as_str() == Some("read"),
        };
        if !given.iter().all(fits) || !self.permissions.keys().all(|name| given.contains_key(name))
        {
            return Err("a token that may do something else");
        }
        let Repositories::Of(ids) = &self.repositories else { return Ok(()) };
        let selected = answer.get("repository_selection").and_then(Value::as_str);
        let given = answer.get("repositories").and_then(Value::as_array);
        let id = |repository: &Value| repository.get("id").and_then(Value::as_u64);
        let given: Option<BTreeSet<u64>> = given.and_then(|all| all.iter().map(id).collect());
        match selected == Some("selected") && given.as_ref() == Some(ids) {
            true => Ok(()),
            false => Err("a token for other repositories"),
        }
    }
}

/// Where people find what has its API there: `api.` stands before github.com and before the names
/// of GitHub Enterprise Cloud, and nothing before a server of one's own.
fn host(api: &Url) -> Option<String> {
    let name = api.host_str()?;
    let cloud = name.strip_prefix("api.");
    let cloud = cloud.filter(|rest| *rest == "github.com" || rest.ends_with(".ghe.com"));
    Some(match (cloud, api.port()) {
        (Some(cloud), _) => cloud.to_owned(),
        (None, Some(port)) => format!("{name}:{port}"),
        (None, None) => name.to_owned(),
    })
}

fn in_file(path: &Path) -> Result<Secret, String> {
    let told = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let bytes = crate::private::read(path).map_err(|error| told(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| told(&error))?;
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> Role {
        let settings = json!({
            "repositories": [7, 8], "permissions": {"contents": "read", "deployments": "write"},
        });
        serde_json::from_value::<RoleSettings>(settings).unwrap().settled("roles.x").unwrap()
    }

    fn answer() -> Value {
        json!({
            "permissions": {"contents": "read", "deployments": "write", "metadata": "read"},
            "repository_selection": "selected",
            "repositories": [{"id": 8, "name": "b"}, {"id": 7}],
        })
    }

    #[test]
    fn a_token_is_for_exactly_what_was_asked() {
        let (role, good) = (role(), answer());
        role.is_what_was_asked(&good).unwrap();
        let asked = json!({
            "repository_ids": [7, 8], "permissions": {"contents": "read", "deployments": "write"},
        });
        assert_eq!(role.asked(), asked);
        for (pointer, value) in [
            ("/permissions", json!(null)),
            ("/permissions", json!({"contents": "read"})),
            ("/permissions/contents", json!("write")),
            ("/permissions/metadata", json!("write")),
            ("/permissions/deployments", json!("admin")),
            ("/permissions/contents", json!(["read"])),
            ("/repository_selection", json!("all")),
            ("/repositories", json!([])),
            ("/repositories", json!([{"id": 7}])),
            ("/repositories", json!([{"id": 7}, {"id": 9}])),
            ("/repositories", json!([{"id": 7}, {"id": 8}, {"id": 9}])),
            ("/repositories", json!([{"id": 7}, {"id": 8}, {}])),
            ("/repositories", json!(null)),
        ] {
            let mut wrong = good.clone();
            *wrong.pointer_mut(pointer).unwrap() = value.clone();
            assert!(role.is_what_was_asked(&wrong).is_err(), "{pointer} {value}");
        }
        let mut wider = good.clone();
        wider["permissions"]["administration"] = json!("read");
        assert!(role.is_what_was_asked(&wider).is_err());
    }

    #[test]
    fn people_find_it_beside_its_api() {
        for (api, wanted) in [
            ("https://api.github.com", "github.com"),
            ("https://api.octo.ghe.com", "octo.ghe.com"),
            ("https://ghes.example.com/api/v3", "ghes.example.com"),
            ("https://api.example.com/api/v3", "api.example.com"),
            ("http://127.0.0.1:4401", "127.0.0.1:4401"),
        ] {
            assert_eq!(host(&api.parse().unwrap()).unwrap(), wanted);
        }
    }
}

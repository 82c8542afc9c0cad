//! The file of sign-in: strict YAML, and secrets only by where they stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assent_core::credential::Secret;
use assent_core::membership::{Approver, is_name_character};
use assent_core::principal::LOCAL_ISSUER;
use serde::Deserialize;

use super::github::ComesIn;
use super::oidc::{ClientAuth, Groups};
use super::{Github, Kind, Oidc, Provider, Readers, SignIn};
use crate::broker::outside::address;
use crate::github::{Place, is_slug};
use crate::private;
use crate::settings::{self, SettingsError};

const KIND: &str = "SignIn";

/// Names that are no provider's: pages have them.
const TAKEN: [&str; 2] = ["again", "passkey"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    providers: BTreeMap<String, Written>,
    #[serde(default)]
    administrators: Vec<String>,
    #[serde(default)]
    readers: WrittenReaders,
    #[serde(default)]
    auditors: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenReaders {
    #[default]
    Everyone,
    Asked,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Written {
    Oidc(Box<WrittenOidc>),
    Github(Box<WrittenGithub>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOidc {
    title: Option<String>,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    #[serde(default)]
    client_auth: WrittenAuth,
    #[serde(default)]
    scopes: Vec<String>,
    groups: Option<WrittenGroups>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenAuth {
    #[default]
    Basic,
    Post,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGroups {
    claim: String,
    of: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGithub {
    title: Option<String>,
    url: Option<String>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    client_secret_env: Option<String>,
    organizations: Option<BTreeSet<String>>,
    anyone: Option<bool>,
}

/// What is wrong, and with which part of a provider.
type Read<T> = Result<T, (&'static str, String)>;
type Variable<'a> = &'a dyn Fn(&str) -> Option<Secret>;

impl SignIn {
    /// The providers of this file. What it says of environment variables, `variable` knows.
    ///
    /// # Errors
    /// [`SettingsError`], which never holds a secret.
    pub fn read(path: &Path, variable: Variable<'_>) -> Result<Self, SettingsError> {
        Self::of_document(path, settings::read(path, KIND)?, variable)
    }

    /// The same of a text that stands in this file.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn of_text(path: &Path, text: &str, variable: Variable<'_>) -> Result<Self, SettingsError> {
        Self::of_document(path, settings::of_text(path, text, KIND)?, variable)
    }

    fn of_document(
        path: &Path,
        document: Document,
        variable: Variable<'_>,
    ) -> Result<Self, SettingsError> {
        let field = |field: String, problem: String| SettingsError::at(path, field, problem);
        let mut providers = BTreeMap::new();
        for (name, written) in document.providers {
            let place = |part: &str| format!("providers.{name}{part}");
            if !is_name(&name) {
                let problem = "name a provider in 1 to 32 of a-z, 0-9 and `-`, and not `again` or \
                    `passkey`";
                return Err(field(place(""), problem.to_owned()));
            }
            let made = match written {
                Written::Oidc(written) => oidc(&name, *written, variable),
                Written::Github(written) => github(*written, variable),
            };
            let provider =
                made.map_err(|(part, problem)| field(place(&format!(".{part}")), problem))?;
            providers.insert(name, provider);
        }
        let readers = match document.readers {
            WrittenReaders::Everyone => Readers::Everyone,
            WrittenReaders::Asked => Readers::Asked,
        };
        let sign_in = Self { providers, readers, ..Self::default() };
        let wrong = |(part, problem): (&str, String)| field(part.to_owned(), problem);
        sign_in.check_apart().map_err(wrong)?;
        let administrators = sign_in.named("administrators", &document.administrators);
        let auditors = sign_in.named("auditors", &document.auditors);
        let (administrators, auditors) = (administrators.map_err(wrong)?, auditors.map_err(wrong)?);
        Ok(Self { administrators, auditors, ..sign_in })
    }

    /// That no two providers speak of the same people or groups.
    fn check_apart(&self) -> Read<()> {
        if self.providers.is_empty() {
            return Err(("providers", "name at least one".to_owned()));
        }
        let mut issuers = BTreeSet::new();
        let mut groups = BTreeSet::new();
        for provider in self.providers.values() {
            if !issuers.insert(provider.issuer()) {
                return Err(("providers", format!("two are of `{}`", provider.issuer())));
            }
            for group in provider.groups().into_iter().flatten() {
                if !groups.insert(group) {
                    return Err(("providers", format!("two vouch for the group `{group}`")));
                }
            }
        }
        Ok(())
    }

    /// Those named by a part. Auditors may be of a group that policy lists, which is not known here.
    fn named(&self, part: &'static str, all: &[String]) -> Read<BTreeSet<Approver>> {
        let one = |text: &String| {
            let told = |problem: String| (part, problem);
            let named: Approver = text.parse().map_err(|error| told(format!("{error}")))?;
            let is_known = match &named {
                Approver::Person(person) => {
                    self.providers.values().any(|provider| provider.issuer() == person.iss())
                }
                Approver::Group(_) if part == "auditors" => true,
                Approver::Group(group) => self
                    .providers
                    .values()
                    .any(|provider| provider.groups().is_some_and(|all| all.contains(group))),
            };
            match is_known {
                true => Ok(named),
                false => Err(told(format!("no provider vouches for `{text}`"))),
            }
        };
        all.iter().map(one).collect()
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=32).contains(&name.len()) && name.chars().all(fits) && !TAKEN.contains(&name)
}

fn title(title: Option<String>, other: &str) -> Read<String> {
    let title = title.unwrap_or_else(|| other.to_owned());
    let fits = |c: char| assent_core::principal::is_visible(c);
    match (1..=60).contains(&title.chars().count()) && title.chars().all(fits) {
        true => Ok(title),
        false => Err(("title", "1 to 60 letters that can be seen".to_owned())),
    }
}

fn client_id(id: String) -> Read<String> {
    let fits = |c: char| c.is_ascii_graphic();
    match (1..=255).contains(&id.len()) && id.chars().all(fits) {
        true => Ok(id),
        false => Err(("client_id", "1 to 255 letters without spaces".to_owned())),
    }
}

fn client_secret(
    file: Option<PathBuf>,
    name: Option<String>,
    variable: Variable<'_>,
) -> Read<Secret> {
    match (file, name) {
        (Some(file), None) => {
            let told =
                |problem: String| ("client_secret_file", format!("{}: {problem}", file.display()));
            let bytes = private::read(&file).map_err(|error| told(error.to_string()))?;
            let text = std::str::from_utf8(&bytes).map_err(|_| told("it is no text".to_owned()))?;
            match text.trim() {
                "" => Err(told("it is empty".to_owned())),
                text => Ok(Secret::new(text.to_owned())),
            }
        }
        (None, Some(name)) => variable(&name)
            .ok_or_else(|| ("client_secret_env", format!("the variable `{name}` is not set"))),
        (Some(_), Some(_)) | (None, None) => {
            let problem = "say where the secret is: `client_secret_file` or `client_secret_env`";
            Err(("client_secret_file", problem.to_owned()))
        }
    }
}

fn oidc(name: &str, written: WrittenOidc, variable: Variable<'_>) -> Read<Provider> {
    address(&written.issuer).map_err(|problem| ("issuer", problem))?;
    if written.issuer.len() > 255 || written.issuer == LOCAL_ISSUER {
        return Err(("issuer", "at most 255 bytes".to_owned()));
    }
    let secret = client_secret(written.client_secret_file, written.client_secret_env, variable)?;
    let mut scopes = written.scopes;
    let is_scope = |scope: &String| {
        !scope.is_empty() && scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
    };
    if !scopes.iter().all(is_scope) {
        return Err(("scopes", "names without spaces".to_owned()));
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    let groups = written.groups.map(|groups| {
        let is_group =
            |name: &String| (1..=128).contains(&name.len()) && name.chars().all(is_name_character);
        match !groups.of.is_empty() && groups.of.iter().all(is_group) && !groups.claim.is_empty() {
            true => Ok(Groups { claim: groups.claim, of: groups.of }),
            false => Err(("groups", "a claim, and the groups it is believed about".to_owned())),
        }
    });
    Ok(Provider {
        title: title(written.title, name)?,
        kind: Kind::Oidc(Oidc {
            issuer: written.issuer,
            client: client_id(written.client_id)?,
            secret,
            auth: match written.client_auth {
                WrittenAuth::Basic => ClientAuth::Basic,
                WrittenAuth::Post => ClientAuth::Post,
            },
            scopes,
            groups: groups.transpose()?,
        }),
    })
}

fn github(written: WrittenGithub, variable: Variable<'_>) -> Read<Provider> {
    let url = written.url.as_deref().unwrap_or("https://github.com");
    let place = Place::at(url).map_err(|problem| ("url", problem))?;
    let comes_in = match (written.organizations, written.anyone) {
        (Some(all), None | Some(false))
            if !all.is_empty() && all.iter().all(|one| is_slug(one)) =>
        {
            ComesIn::MembersOf(all)
        }
        (None, Some(true)) => ComesIn::Anyone,
        _ => {
            let problem = "name the organizations whose people come in, or say `anyone: true`";
            return Err(("organizations", problem.to_owned()));
        }
    };
    let secret = client_secret(written.client_secret_file, written.client_secret_env, variable)?;
    Ok(Provider {
        title: title(written.title, "GitHub")?,
        kind: Kind::Github(Github {
            place,
            client: client_id(written.client_id)?,
            secret,
            comes_in,
        }),
    })
}

#[cfg(test)]
mod tests;

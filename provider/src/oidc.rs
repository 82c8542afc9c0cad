//! Who a run is by its platform's account: an identity token that the server exchanges.
//!
//! GitHub Actions and HCP Terraform tell a run who it is by themselves, each in its own variables;
//! any other platform can be told to use ours. The token is got and exchanged by `assent-client`,
//! when the server is first needed; here it is only settled where it comes from.

use std::path::PathBuf;

use assent_client::{Identity, IdentitySource, Secret, Url};

use crate::diagnostic::{Diagnostic, Path};
use crate::value::Value;

/// The arguments that each name a source.
const SOURCES: [&str; 3] = ["token", "token_file", "request_url"];

/// What the environment says about identity tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `ASSENT_OIDC_AUDIENCE`.
    audience: Option<String>,
    /// `ASSENT_OIDC_TOKEN`.
    token: Option<Secret>,
    /// `ASSENT_OIDC_TOKEN_FILE`.
    token_file: Option<String>,
    /// `ASSENT_OIDC_REQUEST_URL` and `ASSENT_OIDC_REQUEST_TOKEN`.
    endpoint: (Option<String>, Option<Secret>),
    /// HCP Terraform's token: the one that is tagged for Assent, else the one for all.
    /// <https://developer.hashicorp.com/terraform/cloud-docs/workspaces/dynamic-provider-credentials/manual-generation>
    hcp: Option<Secret>,
    /// Where a job of GitHub Actions requests its token, and what it presents there.
    /// <https://docs.github.com/en/actions/reference/security/oidc>
    github: (Option<String>, Option<Secret>),
    /// Whether this is a run of HCP Terraform.
    is_hcp: bool,
    /// Whether this is a job of GitHub Actions.
    is_github: bool,
}

impl Surroundings {
    /// What these variables say.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let secret = |name: &str| variable(name).map(Secret::new);
        Self {
            audience: variable("ASSENT_OIDC_AUDIENCE"),
            token: secret("ASSENT_OIDC_TOKEN"),
            token_file: variable("ASSENT_OIDC_TOKEN_FILE"),
            endpoint: (variable("ASSENT_OIDC_REQUEST_URL"), secret("ASSENT_OIDC_REQUEST_TOKEN")),
            hcp: secret("TFC_WORKLOAD_IDENTITY_TOKEN_ASSENT")
                .or_else(|| secret("TFC_WORKLOAD_IDENTITY_TOKEN")),
            github: (
                variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
                secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
            ),
            is_hcp: variable("TFC_RUN_ID").is_some(),
            is_github: variable("GITHUB_ACTIONS").is_some(),
        }
    }

    /// What a platform that gives no token must be told so that it does.
    pub(crate) fn advice(&self) -> Option<&'static str> {
        if self.is_github {
            Some(
                "This job of GitHub Actions gets an identity token if it has `permissions: \
                 id-token: write`.",
            )
        } else if self.is_hcp {
            Some(
                "This run of HCP Terraform gets an identity token if its workspace has the \
                 environment variable TFC_WORKLOAD_IDENTITY_AUDIENCE_ASSENT.",
            )
        } else {
            None
        }
    }

    /// The source that the environment names, if any.
    fn source(&self) -> Result<Option<(String, IdentitySource)>, Diagnostic> {
        if let Some(token) = &self.token {
            return Ok(Some(given("the identity token in ASSENT_OIDC_TOKEN", token)));
        }
        if let Some(file) = &self.token_file {
            return Ok(Some(in_file(file)));
        }
        let ours = ["ASSENT_OIDC_REQUEST_URL", "ASSENT_OIDC_REQUEST_TOKEN"];
        if let Some(source) = endpoint(&self.endpoint, ours)? {
            return Ok(Some(("the identity token".to_owned(), source)));
        }
        if let Some(token) = &self.hcp {
            return Ok(Some(given("the workload identity token of HCP Terraform", token)));
        }
        let theirs = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"];
        let source = endpoint(&self.github, theirs)?;
        Ok(source.map(|source| ("the identity token of GitHub Actions".to_owned(), source)))
    }
}

/// What is wrong with the argument `oidc`, as far as it is known.
pub(crate) fn faults(oidc: &Value) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let at = |name: &str| Path::attribute("oidc").then_attribute(name);
    let is_set = |name: &&&str| !oidc.attribute(name).is_null();
    let set: Vec<_> = SOURCES.iter().filter(is_set).collect();
    if set.len() > 1 {
        let all: Vec<_> = set.iter().map(|name| format!("`oidc.{name}`")).collect();
        let detail = format!("Only one of {} can be set; leave the others out.", all.join(" and "));
        let fault = Diagnostic::error("More than one identity token", detail);
        faults.extend(set.iter().map(|name| fault.clone().at(at(name))));
    }
    for name in ["audience", "token", "token_file", "request_token"] {
        if oidc.attribute(name).as_text().given().is_some_and(|text| text.trim().is_empty()) {
            let detail = "It is empty; leave it out, or set it to null.";
            faults.push(Diagnostic::error(format!("Invalid `oidc.{name}`"), detail).at(at(name)));
        }
    }
    if let Some(text) = oidc.attribute("request_url").as_text().given()
        && let Err(problem) = address(&text)
    {
        faults.push(Diagnostic::error("Invalid `oidc.request_url`", problem).at(at("request_url")));
    }
    for (name, other) in [("request_url", "request_token"), ("request_token", "request_url")] {
        if !oidc.attribute(name).is_null() && oidc.attribute(other).is_null() {
            let detail = format!("It is of use only together with `oidc.{other}`.");
            faults.push(Diagnostic::error(format!("Invalid `oidc.{name}`"), detail).at(at(name)));
        }
    }
    faults
}

/// The identity that the argument `oidc` names, or that is found; none if it is neither.
///
/// # Errors
/// The argument asks for one and there is none, or the environment is at odds with itself.
pub(crate) fn find(oidc: &Value, around: &Surroundings) -> Result<Option<Identity>, Diagnostic> {
    let text = |name: &str| oidc.attribute(name).as_text().given();
    let audience = text("audience").or_else(|| around.audience.clone());
    let token = text("token").map(Secret::new);
    let asked = (text("request_url"), text("request_token").map(Secret::new));
    let found = if let Some(token) = token {
        Some(given("the identity token in `oidc.token`", &token))
    } else if let Some(file) = text("token_file") {
        Some(in_file(&file))
    } else {
        match endpoint(&asked, ["`oidc.request_url`", "`oidc.request_token`"])? {
            Some(source) => Some(("the identity token".to_owned(), source)),
            None => around.source()?,
        }
    };
    match found {
        Some((name, source)) => Ok(Some(Identity { name, source, audience })),
        None if oidc.is_null() => Ok(None),
        None => Err(missing(around)),
    }
}

/// That `oidc` is asked for and nothing is found.
fn missing(around: &Surroundings) -> Diagnostic {
    let advice = around.advice().unwrap_or(
        "This is neither a job of GitHub Actions nor a run of HCP Terraform. Set `token_file`, or \
         the environment variable ASSENT_OIDC_TOKEN or ASSENT_OIDC_TOKEN_FILE.",
    );
    let detail = format!("There is no identity token to be found. {advice}");
    Diagnostic::error("No identity token", detail).at(Path::attribute("oidc"))
}

fn given(name: &str, token: &Secret) -> (String, IdentitySource) {
    (name.to_owned(), IdentitySource::Given(token.clone()))
}

fn in_file(file: &str) -> (String, IdentitySource) {
    ("the identity token".to_owned(), IdentitySource::File(PathBuf::from(file)))
}

/// An endpoint, if both of its halves are there; `names` are where they come from.
fn endpoint(
    (url, bearer): &(Option<String>, Option<Secret>),
    names: [&str; 2],
) -> Result<Option<IdentitySource>, Diagnostic> {
    let [name, other] = names;
    match (url, bearer) {
        (None, None) => Ok(None),
        (Some(text), Some(bearer)) => match address(text) {
            Ok(url) => Ok(Some(IdentitySource::Endpoint { url, bearer: bearer.clone() })),
            Err(problem) => Err(Diagnostic::error(format!("Invalid {name}"), problem)),
        },
        (Some(_), None) | (None, Some(_)) => {
            let detail = format!("Of {name} and {other}, one is set and the other is not.");
            Err(Diagnostic::error("No identity token", detail))
        }
    }
}

/// Where a token is requested.
fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("It is not a URL ({error})."))?;
    if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err("It must name a host, and no user or password.".to_owned());
    }
    Ok(url)
}

//! The process environment, read once at the start.

use std::path::PathBuf;

use assent_client::Secret;

use crate::oidc::Surroundings;

/// Everything the provider takes from its environment.
#[derive(Debug)]
pub(crate) struct Environment {
    /// `TF_PLUGIN_MAGIC_COOKIE`: proof that Terraform started this process.
    pub(crate) cookie: Option<String>,
    /// `PLUGIN_PROTOCOL_VERSIONS`: what Terraform speaks.
    pub(crate) versions: Option<String>,
    /// `PLUGIN_CLIENT_CERT`: the only certificate that may connect; absent when
    /// a person started the process to attach Terraform to it.
    pub(crate) client_certificate: Option<String>,
    /// Whether `PLUGIN_MULTIPLEX_GRPC` asks for one more field in the handshake.
    pub(crate) asks_for_multiplexing: bool,
    /// `ASSENT_PROVIDER_TRACE`: the file that calls are traced to.
    pub(crate) trace: Option<PathBuf>,
    /// What stands in for arguments that the provider block leaves out.
    pub(crate) defaults: Defaults,
}

/// Stands in for arguments that the configuration leaves out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    /// `ASSENT_URL`.
    pub(crate) url: Option<String>,
    /// `ASSENT_TOKEN`.
    pub(crate) token: Option<Secret>,
    /// `ASSENT_TOKEN_FILE`.
    pub(crate) token_file: Option<String>,
    /// What is said of identity tokens.
    pub(crate) oidc: Surroundings,
    /// `ASSENT_CA_BUNDLE`.
    pub(crate) ca_bundle: Option<String>,
    /// `ASSENT_APPLYING`.
    pub(crate) applying: Option<String>,
    /// `ASSENT_TIMEOUT`.
    pub(crate) timeout: Option<String>,
    /// `ASSENT_RETRY_ATTEMPTS`.
    pub(crate) retry_attempts: Option<String>,
    /// `ASSENT_RETRY_MAX_WAIT`.
    pub(crate) retry_max_wait: Option<String>,
    /// `ASSENT_PLAN_DIGEST`: the digest of the saved plan that is applied.
    pub(crate) plan_digest: Option<String>,
}

impl Environment {
    /// Reads the environment of this process. Empty is the same as absent.
    pub(crate) fn read() -> Self {
        Self {
            cookie: variable("TF_PLUGIN_MAGIC_COOKIE"),
            versions: variable("PLUGIN_PROTOCOL_VERSIONS"),
            client_certificate: variable("PLUGIN_CLIENT_CERT"),
            asks_for_multiplexing: variable("PLUGIN_MULTIPLEX_GRPC").is_some(),
            trace: variable("ASSENT_PROVIDER_TRACE").map(PathBuf::from),
            defaults: Defaults {
                url: variable("ASSENT_URL"),
                token: variable("ASSENT_TOKEN").map(Secret::new),
                token_file: variable("ASSENT_TOKEN_FILE"),
                oidc: Surroundings::of(variable),
                ca_bundle: variable("ASSENT_CA_BUNDLE"),
                applying: variable("ASSENT_APPLYING"),
                timeout: variable("ASSENT_TIMEOUT"),
                retry_attempts: variable("ASSENT_RETRY_ATTEMPTS"),
                retry_max_wait: variable("ASSENT_RETRY_MAX_WAIT"),
                plan_digest: variable("ASSENT_PLAN_DIGEST"),
            },
        }
    }
}

/// One variable, if it is set to something.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

//! The provider block: where the server is, who asks, and whether this is apply.
//!
//! Configuring never contacts the server: the plan of a configuration that also
//! creates the server, or of one that cannot reach it, must still work. So a
//! token is got when it is first needed, and only what is written down here is
//! read and checked at once.

mod address;
mod limits;
mod roots;
mod said;
mod schema;
mod token;

use assent_client::{Client, Settings};

pub(crate) use address::address;
pub(crate) use schema::schema;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::environment::Defaults;
use crate::intent::sentence;
use crate::value::{Argument, Value};

/// How the provider names itself to the server.
const USER_AGENT: &str = concat!("terraform-provider-assent/", env!("CARGO_PKG_VERSION"));

/// Which server the provider is configured for.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// Terraform has not configured the provider.
    Unconfigured,
    /// The provider block holds something that is known only at apply.
    NotYetKnown,
    /// This one.
    Known(Client),
}

/// What the provider block says.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    /// The server.
    pub(crate) reach: Reach,
    /// Whether this is apply; `None` if the block does not say.
    pub(crate) applying: Option<bool>,
}

impl Configured {
    /// Before Terraform has said anything.
    pub(crate) const NOT_YET: Self = Self { reach: Reach::Unconfigured, applying: None };

    /// The way to the server, for calls that make no sense without one.
    ///
    /// # Errors
    /// What to do when there is none.
    pub(crate) fn server(&self) -> Result<&Client, Diagnostic> {
        match &self.reach {
            Reach::Known(server) => Ok(server),
            Reach::Unconfigured => Err(Diagnostic::error(
                "Provider not configured",
                "Terraform has not configured the provider `assent` before this call.",
            )),
            Reach::NotYetKnown => Err(Diagnostic::error(
                "Server not known yet",
                "The provider block of `assent` holds a value that is known only after apply, so \
                 the server cannot be asked now. Give `url` and `token` values that are known at \
                 plan, or set ASSENT_URL and ASSENT_TOKEN. A data source can wait for apply: add \
                 `depends_on` with the resource that makes the server.",
            )),
        }
    }
}

/// Checks a provider block as far as it is known.
pub(crate) fn validate(config: &Value) -> Diagnostics {
    let nothing = Defaults::default();
    let mut told = Diagnostics::default();
    told.note(address::read(config, &nothing).map_err(Diagnostics::from));
    told.note(token::check(config));
    told.note(roots::check_text(config).map_err(Diagnostics::from));
    told.note(limits::read(config, &nothing));
    told
}

/// Takes a provider block, with the environment for what it leaves out; and what to know about it.
///
/// # Errors
/// Every fault there is.
pub(crate) fn configure(
    config: &Value,
    defaults: &Defaults,
) -> Result<(Configured, Diagnostics), Diagnostics> {
    let mut told = Diagnostics::default();
    let applying = told.note(applying(config, defaults).map_err(Diagnostics::from)).flatten();
    if is_partly_unknown(config) {
        told.append(validate(config));
        let configured = Configured { reach: Reach::NotYetKnown, applying };
        return told.ok_or_all(configured).map(|configured| (configured, Diagnostics::default()));
    }
    let address = address::read(config, defaults)
        .and_then(|url| url.ok_or_else(address::missing))
        .map_err(Diagnostics::from);
    let address = told.note(address);
    let token = token::read(config, defaults)
        .and_then(|asking| asking.ok_or_else(|| token::missing(defaults).into()));
    let token = told.note(token);
    let roots = told.note(roots::read(config, defaults).map_err(Diagnostics::from));
    let limits = told.note(limits::read(config, defaults));
    let (Some(url), Some(asking), Some(roots), Some(limits), false) =
        (address, token, roots, limits, told.has_errors())
    else {
        return Err(told);
    };
    told.append(asking.told);
    let usual = Settings::new(url, USER_AGENT);
    let timeout = limits.timeout.unwrap_or(usual.timeout);
    let settings = Settings { token: asking.source, roots, timeout, retry: limits.retry, ..usual };
    let server = Client::new(settings).map_err(|error| {
        let detail = sentence(&error.to_string());
        Diagnostic::error("Invalid server address", detail).at(Path::attribute("url"))
    })?;
    Ok((Configured { reach: Reach::Known(server), applying }, told))
}

/// Whether this is apply, if that is said.
fn applying(config: &Value, defaults: &Defaults) -> Result<Option<bool>, Diagnostic> {
    match (config.attribute("applying").as_bool(), defaults.applying.as_deref()) {
        (Argument::Given(applying), _) => Ok(Some(applying)),
        (Argument::Unknown, _) | (Argument::Absent, None) => Ok(None),
        (Argument::Absent, Some("true")) => Ok(Some(true)),
        (Argument::Absent, Some("false")) => Ok(Some(false)),
        (Argument::Absent, Some(_)) => {
            Err(Diagnostic::error("Invalid ASSENT_APPLYING", "It must be `true` or `false`."))
        }
    }
}

/// Whether something in a block is not known, beside whether this is apply.
fn is_partly_unknown(config: &Value) -> bool {
    match config {
        Value::Unknown => true,
        Value::Map(attributes) => attributes
            .iter()
            .any(|(name, value)| name.as_str() != "applying" && is_partly_unknown(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_) => {
            false
        }
    }
}

#[cfg(test)]
#[path = "configure/tests.rs"]
mod tests;

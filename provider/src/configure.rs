//! The provider block: where the server is, who asks, and whether this is apply.
//!
//! Configuring never contacts the server: the plan of a configuration that also
//! creates the server, or of one that cannot reach it, must still work.

use assent_client::{Client, Secret, Settings};
use url::Url;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::environment::Defaults;
use crate::intent::sentence;
use crate::schema::{Attribute, Schema};
use crate::value::{Argument, Type, Value};

/// How the provider names itself to the server.
const USER_AGENT: &str = concat!("terraform-provider-assent/", env!("CARGO_PKG_VERSION"));

/// The schema of the provider block.
pub(crate) fn schema() -> Schema {
    Schema::new(
        "Just-in-time approval for infrastructure: an action is stated, policy decides, people \
         approve exactly that, and a short-lived credential is minted for it alone.",
        vec![
            Attribute::optional(
                "url",
                Type::String,
                "Address of the Assent server, such as `https://assent.example.com`. \
                 Taken from the environment variable `ASSENT_URL` if it is not set.",
            ),
            Attribute::optional(
                "token",
                Type::String,
                "Access token of whoever asks. Taken from the environment variable \
                 `ASSENT_TOKEN` if it is not set, which keeps it out of files.",
            )
            .sensitive(),
            Attribute::optional(
                "applying",
                Type::Bool,
                "Set this to `terraform.applying`. It is how the provider tells plan from apply: \
                 credentials are minted only at apply. Required by `assent_credential`.",
            ),
        ],
    )
}

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
                 plan, or set ASSENT_URL and ASSENT_TOKEN.",
            )),
        }
    }
}

/// Checks a provider block as far as it is known.
pub(crate) fn validate(config: &Value) -> Diagnostics {
    let mut told = Diagnostics::default();
    if let Argument::Given(url) = config.attribute("url").as_text()
        && let Err(fault) = address(&url)
    {
        told.push(fault.at(Path::attribute("url")));
    }
    if let Argument::Given(token) = config.attribute("token").as_text()
        && token.trim().is_empty()
    {
        told.push(missing_token());
    }
    told
}

/// Takes a provider block, with the environment for what it leaves out.
///
/// # Errors
/// Every fault there is.
pub(crate) fn configure(config: &Value, defaults: &Defaults) -> Result<Configured, Diagnostics> {
    let applying = config.attribute("applying").as_bool().given();
    let (url, token) = (config.attribute("url").as_text(), config.attribute("token").as_text());
    if url.is_unknown() || token.is_unknown() {
        let faults = validate(config);
        return faults.ok_or_all(Configured { reach: Reach::NotYetKnown, applying });
    }
    let url = url.given().or_else(|| defaults.url.clone());
    let token = token.given().map(Secret::new).or_else(|| defaults.token.clone());
    let server = connect(url, token)?;
    Ok(Configured { reach: Reach::Known(server), applying })
}

/// The way to the server at this address, for the holder of this token.
fn connect(url: Option<String>, token: Option<Secret>) -> Result<Client, Diagnostics> {
    let mut faults = Diagnostics::default();
    let address = url.ok_or_else(missing_url).and_then(|url| address(&url));
    let address = address.map_err(|fault| faults.push(fault.at(Path::attribute("url")))).ok();
    if token.as_ref().is_none_or(|token| token.expose().trim().is_empty()) {
        faults.push(missing_token());
    }
    let (Some(address), false) = (address, faults.has_errors()) else {
        return Err(faults);
    };
    let settings = Settings { url: address, token, user_agent: USER_AGENT.to_owned() };
    Client::new(settings).map_err(|error| {
        let detail = sentence(&error.to_string());
        Diagnostic::error("Invalid server address", detail).at(Path::attribute("url")).into()
    })
}

/// The address of a server.
fn address(text: &str) -> Result<Url, Diagnostic> {
    let fault = |problem: &str| {
        let example = "expected something like https://assent.example.com";
        Diagnostic::error("Invalid server address", format!("`{text}` {problem}; {example}."))
    };
    let url = Url::parse(text).map_err(|error| fault(&format!("is not a URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(fault("is not an http or https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // The text is not repeated: it holds a password.
        let detail = "The address must not hold a user name or password; use `token`.";
        return Err(Diagnostic::error("Invalid server address", detail));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("has a query or a fragment"));
    }
    Ok(url)
}

fn missing_url() -> Diagnostic {
    Diagnostic::error(
        "No server address",
        "Set `url` in the provider block of `assent`, or the environment variable ASSENT_URL.",
    )
}

fn missing_token() -> Diagnostic {
    let detail = "Set the environment variable ASSENT_TOKEN, or `token` in the provider block of \
                  `assent`. `assent admin token create` makes one.";
    Diagnostic::error("No access token", detail).at(Path::attribute("token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(url: Value, token: Value) -> Value {
        Value::object([("url", url), ("token", token), ("applying", Value::Bool(false))])
    }

    fn paths(faults: &Diagnostics) -> Vec<String> {
        let paths = faults.list().iter().filter_map(|fault| fault.path.as_ref());
        paths.map(ToString::to_string).collect()
    }

    #[test]
    fn every_attribute_is_described() {
        crate::schema::tests::check(&schema());
    }

    #[test]
    fn an_empty_block_takes_the_environment() {
        let defaults = Defaults {
            url: Some("http://127.0.0.1:8420/".into()),
            token: Some(Secret::new("secret".to_owned())),
        };
        let configured = configure(&block(Value::Null, Value::Null), &defaults).unwrap();
        assert_eq!(configured.server().unwrap().base(), "http://127.0.0.1:8420");
        assert_eq!(configured.applying, Some(false));
        assert!(!format!("{configured:?}").contains("secret"));
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let faults = configure(&block(Value::Null, Value::Null), &Defaults::default());
        assert_eq!(paths(&faults.unwrap_err()), ["url", "token"]);
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let block = block(Value::text("http://assent.example.com"), Value::text("hunter2"));
        let faults = configure(&block, &Defaults::default()).unwrap_err();
        assert_eq!(paths(&faults), ["url"]);
        assert!(!format!("{faults:?}").contains("hunter2"));
    }

    #[test]
    fn unknown_values_are_no_fault() {
        let configured = configure(&block(Value::Unknown, Value::Null), &Defaults::default());
        let configured = configured.unwrap();
        assert!(matches!(configured.reach, Reach::NotYetKnown));
        assert!(configured.server().is_err());
    }

    #[test]
    fn wrong_addresses_are_refused() {
        let wrong = [
            "",
            "assent",
            "ftp://a",
            "https://",
            "https://a?b=1",
            "https://a#b",
            "https://user:hunter2@a",
        ];
        for text in wrong {
            let faults = validate(&block(Value::text(text), Value::Null));
            assert_eq!(paths(&faults), ["url"], "{text}");
            assert!(!format!("{faults:?}").contains("hunter2"));
        }
        let right = block(Value::text("https://a/assent"), Value::text("t"));
        assert_eq!(validate(&right), Diagnostics::default());
    }
}

//! Where the server is.

use url::Url;

use super::said::{Said, anywhere};
use crate::diagnostic::{Diagnostic, Path};
use crate::environment::Defaults;
use crate::value::Value;

/// The server's address, if one is set.
///
/// # Errors
/// It is none that tokens can be sent to.
pub(super) fn read(config: &Value, defaults: &Defaults) -> Result<Option<Url>, Diagnostic> {
    let said = anywhere(config, &["url"], "ASSENT_URL", defaults.url.as_ref());
    let Some(Said { what, place }) = said else { return Ok(None) };
    address(&what).map(Some).map_err(|fault| place.told(fault))
}

/// The address of a server.
pub(crate) fn address(text: &str) -> Result<Url, Diagnostic> {
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

/// That no address is set.
pub(super) fn missing() -> Diagnostic {
    let detail =
        "Set `url` in the provider block of `assent`, or the environment variable ASSENT_URL.";
    Diagnostic::error("No server address", detail).at(Path::attribute("url"))
}

//! Who else may vouch for the server.

use assent_client::Roots;

use super::said::{Said, anywhere};
use crate::diagnostic::Diagnostic;
use crate::environment::Defaults;
use crate::intent::sentence;
use crate::value::Value;

/// By what PEM text is told from a path.
const PEM: &str = "-----BEGIN ";

/// The largest file that is taken for a bundle.
const LARGEST_BUNDLE: u64 = 8 * 1024 * 1024;

/// What is set, if it is PEM text and not a path.
///
/// # Errors
/// It holds no certificates.
pub(super) fn check_text(config: &Value) -> Result<(), Diagnostic> {
    let said = anywhere(config, &["ca_bundle"], "", None);
    match said.filter(|said| said.what.contains(PEM)) {
        Some(Said { what, place }) => match Roots::from_pem(what.as_bytes()) {
            Ok(_) => Ok(()),
            Err(error) => Err(place.fault(sentence(&error.to_string()))),
        },
        None => Ok(()),
    }
}

/// The authorities that are set; none if none are.
///
/// # Errors
/// The file cannot be read, or holds no certificates.
pub(super) fn read(config: &Value, defaults: &Defaults) -> Result<Roots, Diagnostic> {
    let said = anywhere(config, &["ca_bundle"], "ASSENT_CA_BUNDLE", defaults.ca_bundle.as_ref());
    let Some(Said { what, place }) = said else { return Ok(Roots::default()) };
    let roots = if what.contains(PEM) {
        Roots::from_pem(what.as_bytes()).map_err(|error| error.to_string())
    } else {
        let of_file = |problem: String| format!("`{what}`: {problem}");
        file(&what)
            .and_then(|text| Roots::from_pem(&text).map_err(|e| e.to_string()))
            .map_err(of_file)
    };
    roots.map_err(|problem| place.fault(sentence(&problem)))
}

/// What is in a file that is not too large.
fn file(path: &str) -> Result<Vec<u8>, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > LARGEST_BUNDLE {
        return Err("this is no file of a bundle's size".to_owned());
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

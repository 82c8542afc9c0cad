//! In which way it is said who asks: by a token, a file with one, or an identity.

use std::path::{Path as File, PathBuf};

use assent_client::{Secret, TokenSource};

use super::said::{Place, Said, in_block, in_variable};
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::environment::Defaults;
use crate::oidc;
use crate::value::Value;

/// The arguments that each say who asks.
const WAYS: [&str; 3] = ["token", "token_file", "oidc"];

/// What was said of who asks.
#[derive(Debug)]
pub(super) struct Asking {
    /// Where the access token comes from.
    pub(super) source: TokenSource,
    /// What to know about that.
    pub(super) told: Diagnostics,
}

/// Checks what the block says, as far as it is known.
///
/// # Errors
/// Each argument that contradicts another or can be no token.
pub(super) fn check(config: &Value) -> Result<(), Diagnostics> {
    let mut faults = contradictions(config);
    for names in [&["token"][..], &["token_file"]] {
        if let Some(said) = in_block(config, names).filter(|said| said.what.trim().is_empty()) {
            faults.push(said.place.fault("It is empty; leave it out, or set it to null."));
        }
    }
    for fault in oidc::faults(config.attribute("oidc")) {
        faults.push(fault);
    }
    faults.ok_or_all(())
}

/// Where the access token comes from, if that is said at all: by the block, else by the
/// environment.
///
/// # Errors
/// What was said cannot be used.
pub(super) fn read(config: &Value, defaults: &Defaults) -> Result<Option<Asking>, Diagnostics> {
    check(config)?;
    if let Some(said) = in_block(config, &["token"]) {
        return Ok(Some(given(Secret::new(said.what))));
    }
    if let Some(said) = in_block(config, &["token_file"]) {
        return Ok(Some(file(said)));
    }
    let oidc = config.attribute("oidc");
    if oidc.is_null() {
        if let Some(token) = &defaults.token {
            return Ok(Some(given(token.clone())));
        }
        if let Some(said) = in_variable("ASSENT_TOKEN_FILE", defaults.token_file.clone()) {
            return Ok(Some(file(said)));
        }
    }
    let found = oidc::find(oidc, &defaults.oidc).map_err(Diagnostics::from)?;
    Ok(found.map(|identity| Asking {
        source: TokenSource::Exchanged(identity),
        told: Diagnostics::default(),
    }))
}

/// That nobody said who asks.
pub(super) fn missing(defaults: &Defaults) -> Diagnostic {
    let mut detail =
        "Set the environment variable ASSENT_TOKEN, or `token` or `token_file` in the \
                      provider block of `assent`. `assent admin token create` makes a token."
            .to_owned();
    if let Some(advice) = defaults.oidc.advice() {
        detail = format!("{detail} {advice}");
    }
    Diagnostic::error("No access token", detail).at(Path::attribute("token"))
}

/// That more than one way is taken, told at each of them.
fn contradictions(config: &Value) -> Diagnostics {
    let set = WAYS.into_iter().filter(|way| !config.attribute(way).is_null());
    let set: Vec<_> = set.collect();
    let mut faults = Diagnostics::default();
    if set.len() > 1 {
        let all: Vec<_> = set.iter().map(|way| format!("`{way}`")).collect();
        let detail = format!("Only one of {} can be set; leave the others out.", all.join(" and "));
        let fault = Diagnostic::error("More than one way to say who asks", detail);
        set.iter().for_each(|way| faults.push(fault.clone().at(Path::attribute(way))));
    }
    faults
}

fn given(token: Secret) -> Asking {
    Asking { source: TokenSource::Given(token), told: Diagnostics::default() }
}

/// A token in a file, with what is wrong with the file now. It is read when it is needed, and may
/// be there by then.
fn file(said: Said<String>) -> Asking {
    let mut told = Diagnostics::default();
    let file = PathBuf::from(&said.what);
    if let Some(problem) = doubt(&file) {
        let detail = format!("`{}` {problem}", said.what);
        let warning = Diagnostic::warning("The token file is not as it should be", detail);
        told.push(said.place.told(match &said.place {
            Place::Attribute(_) => warning,
            Place::Variable(name) => {
                let detail = format!("{} It is named by {name}.", warning.detail);
                Diagnostic { detail, ..warning }
            }
        }));
    }
    Asking { source: TokenSource::File(file), told }
}

/// What is wrong with a file that is to hold a token.
fn doubt(file: &File) -> Option<String> {
    match std::fs::metadata(file) {
        Err(error) => {
            Some(format!("cannot be read now ({error}). It is tried again when it is needed."))
        }
        Ok(about) if is_public(&about) => Some(
            "can be read by everybody on this machine. Whoever reads it can ask as you do; take \
             the right away with `chmod o-r`."
                .to_owned(),
        ),
        Ok(_) => None,
    }
}

/// Whether everybody may read a file. Files that a container's platform mounts belong to a group.
#[cfg(unix)]
fn is_public(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    about.permissions().mode() & 0o004 != 0
}

/// Whether everybody may read a file: here it cannot be told.
#[cfg(not(unix))]
fn is_public(_: &std::fs::Metadata) -> bool {
    false
}

//! One setting and where it was made: in the block, or else in the environment.

use crate::diagnostic::{Diagnostic, Path};
use crate::value::{Argument, Value};

/// A setting that was made.
#[derive(Clone, Debug)]
pub(super) struct Said<T> {
    /// The setting.
    pub(super) what: T,
    /// Where it was made.
    pub(super) place: Place,
}

/// Where a setting was made.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At this attribute of the block.
    Attribute(Path),
    /// In this environment variable.
    Variable(&'static str),
}

impl Place {
    /// What is wrong with the setting, told there.
    pub(super) fn fault(&self, detail: impl Into<String>) -> Diagnostic {
        self.told(Diagnostic::error(format!("Invalid {self}"), detail))
    }

    /// Something about the setting, told there.
    pub(super) fn told(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self {
            Self::Attribute(path) => diagnostic.at(path.clone()),
            Self::Variable(_) => diagnostic,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Attribute(path) => write!(f, "`{path}`"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// The path to an attribute of the block: of its root, or of an object in it.
pub(super) fn path(names: &[&str]) -> Path {
    names.iter().fold(Path::default(), |path, name| path.then_attribute(name))
}

/// The value at an attribute of the block.
pub(super) fn value<'a>(config: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().fold(config, |value, name| value.attribute(name))
}

/// A text of the block. What is not known is not set here.
pub(super) fn in_block(config: &Value, names: &[&str]) -> Option<Said<String>> {
    match value(config, names).as_text() {
        Argument::Given(what) => Some(Said { what, place: Place::Attribute(path(names)) }),
        Argument::Absent | Argument::Unknown => None,
    }
}

/// A text of the block, or else of the environment.
pub(super) fn anywhere(
    config: &Value,
    names: &[&str],
    variable: &'static str,
    in_environment: Option<&String>,
) -> Option<Said<String>> {
    in_block(config, names).or_else(|| in_variable(variable, in_environment.cloned()))
}

/// A setting of the environment.
pub(super) fn in_variable<T>(variable: &'static str, what: Option<T>) -> Option<Said<T>> {
    what.map(|what| Said { what, place: Place::Variable(variable) })
}

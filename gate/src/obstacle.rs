//! What stands in the way of a step, in words for whoever wanted it.

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

use assent_client::ClientError;

use crate::clean;

/// What stands in the way.
#[derive(Clone, Debug)]
pub enum Obstacle {
    /// The authority did not give an answer of its kind, or could not be asked.
    Call(Box<ClientError>),
    /// Something here.
    Here(Box<Told>),
}

/// What is told of it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Of which sort it is.
    pub sort: Sort,
    /// What could not be done.
    pub message: String,
    /// What lies behind it.
    pub causes: Vec<String>,
    /// What may be done about it.
    pub hints: Vec<String>,
}

/// Of which sort it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// What was given is wrong.
    Wrong,
    /// It is not allowed.
    Refused,
    /// It could not be found out.
    Unknown,
}

impl Obstacle {
    /// What was given is wrong.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(Sort::Wrong, message.into())
    }

    /// It is not allowed.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Sort::Refused, message.into())
    }

    /// It could not be found out.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(Sort::Unknown, message.into())
    }

    /// A file that could not be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::wrong(format!("`{}`", path.display())).because(error)
    }

    fn new(sort: Sort, message: String) -> Self {
        Self::Here(Box::new(Told { sort, message, causes: Vec::new(), hints: Vec::new() }))
    }

    /// With what lies behind it.
    #[must_use]
    pub fn because(mut self, cause: impl Display) -> Self {
        if let Self::Here(told) = &mut self {
            told.causes.push(cause.to_string());
        }
        self
    }

    /// With what may be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Here(told) = &mut self {
            told.hints.push(hint.into());
        }
        self
    }
}

impl From<ClientError> for Obstacle {
    fn from(error: ClientError) -> Self {
        Self::Call(Box::new(error))
    }
}

impl Display for Obstacle {
    /// All of it on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => f.write_str(&clean(&error.message)),
            Self::Here(told) => {
                f.write_str(&clean(&told.message))?;
                told.causes.iter().try_for_each(|cause| write!(f, ": {}", clean(cause)))?;
                told.hints.iter().try_for_each(|hint| write!(f, "; {}", clean(hint)))
            }
        }
    }
}

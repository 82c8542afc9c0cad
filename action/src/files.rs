//! The runner's environment files: outputs, state and variables of later steps (GitHub, "Workflow
//! commands", "Environment files").
//!
//! A value ends where its delimiter stands, so the delimiter is one that nobody can guess, and a value
//! that holds it all the same is refused.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

/// Why a value was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// It would end before its end, or its name would.
    #[error("`{0}` cannot be told to the runner: it holds its own delimiter")]
    Delimiter(String),
    /// The file cannot be written.
    #[error("the runner's file cannot be written: {0}")]
    File(#[from] io::Error),
    /// There is no chance to be had.
    #[error("the operating system gives no random bytes")]
    NoChance,
}

/// 128 bits that nobody can guess, as hex digits.
pub(crate) fn unguessable() -> Result<String, WriteError> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| WriteError::NoChance)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Adds a value under a name to one of the runner's files.
pub(crate) fn add(file: &Path, name: &str, value: &str) -> Result<(), WriteError> {
    let entry = entry(name, value, &format!("ghadelimiter_{}", unguessable()?))?;
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    Ok(file.write_all(entry.as_bytes())?)
}

fn entry(name: &str, value: &str, delimiter: &str) -> Result<String, WriteError> {
    let is_plain = |text: &str| !text.contains(delimiter);
    match is_plain(name) && is_plain(value) && !name.contains(['\n', '\r']) {
        true => Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n")),
        false => Err(WriteError::Delimiter(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t40_a_value_ends_where_its_delimiter_stands() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("output");
        add(&file, "state", "approved\nEOF\nforged=1").unwrap();
        add(&file, "url", "u").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let delimiter = lines[0].strip_prefix("state<<ghadelimiter_").unwrap();
        assert_eq!(delimiter.len(), 32);
        assert_eq!(lines[1..4], ["approved", "EOF", "forged=1"]);
        assert_eq!(lines[4], format!("ghadelimiter_{delimiter}"));
        assert_ne!(lines[5].strip_prefix("url<<ghadelimiter_").unwrap(), delimiter);
    }

    #[test]
    fn t40_a_value_that_holds_its_delimiter_is_refused() {
        for (name, value) in [("a", "x\nd1\nforged"), ("d1", "x"), ("a\nb=1", "x")] {
            assert!(entry(name, value, "d1").is_err(), "{name:?}");
        }
    }

    #[test]
    fn two_delimiters_differ() {
        assert_ne!(unguessable().unwrap(), unguessable().unwrap());
    }
}

//! Files that set something up: strict YAML, one kind each, and secrets only by where they stand.

use std::path::{Path, PathBuf};

use assent_core::credential::Secret;
use assent_core::policy::document::{Fault, strict_yaml};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::private;

/// Why something cannot be set up so. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file, or one that it names.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no strict YAML.
    #[error(transparent)]
    Syntax(#[from] Fault),
    /// The file as a whole.
    #[error("{}: {problem}", path.display())]
    Whole {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Something in it.
    #[error("{}: `{field}`: {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

impl SettingsError {
    /// What is wrong with a part of the file.
    pub(crate) fn at(path: &Path, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { path: path.to_owned(), field: field.into(), problem: problem.into() }
    }
}

/// What a file of this kind says.
///
/// # Errors
/// [`SettingsError`].
pub(crate) fn read<D: DeserializeOwned>(path: &Path, kind: &str) -> Result<D, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })?;
    of_text(path, &text, kind)
}

/// The same of a text that stands in this file.
///
/// # Errors
/// As [`read`].
pub(crate) fn of_text<D: DeserializeOwned>(
    path: &Path,
    text: &str,
    kind: &str,
) -> Result<D, SettingsError> {
    let whole = |problem: String| SettingsError::Whole { path: path.to_owned(), problem };
    let Value::Object(mut members) = strict_yaml(&path.display().to_string(), text)? else {
        return Err(whole(format!("it does not say `kind: {kind}`")));
    };
    for (field, wanted) in [("apiVersion", "assent/v1"), ("kind", kind)] {
        if members.remove(field).as_ref().and_then(Value::as_str) != Some(wanted) {
            return Err(SettingsError::at(path, field, format!("write `{field}: {wanted}`")));
        }
    }
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| {
        let problem = error.inner().to_string();
        match error.path().iter().next() {
            None => whole(problem),
            Some(_) => SettingsError::at(path, error.path().to_string(), problem),
        }
    })
}

/// Where a file is that the settings of this path name: beside them, or where an absolute path leads.
pub(crate) fn beside(path: &Path, file: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(file)
}

/// The secret in a file that the settings of this path name.
///
/// # Errors
/// [`SettingsError::Unreadable`]: it is not there, others may read it, or it is no text.
pub(crate) fn secret(path: &Path, file: &Path) -> Result<Secret, SettingsError> {
    let path = beside(path, file);
    let unreadable = |source| SettingsError::Unreadable { path: path.clone(), source };
    let bytes = private::read(&path).map_err(unreadable)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Secret::new(text.trim_ascii().to_owned())),
        Err(_) => Err(unreadable(std::io::Error::other("it is no text"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        books: BTreeMap<String, u8>,
    }

    fn told(text: &str) -> Result<Shelf, String> {
        of_text(Path::new("shelf.yaml"), text, "Shelf").map_err(|error| error.to_string())
    }

    const GOOD: &str = "apiVersion: assent/v1\nkind: Shelf\nbooks: {a: 1}\n";

    #[test]
    fn a_file_says_what_it_is_before_anything_else() {
        assert_eq!(told(GOOD).unwrap().books["a"], 1);
        for (from, to, wanted) in [
            ("assent/v1", "assent/v2", "shelf.yaml: `apiVersion`: write `apiVersion: assent/v1`"),
            ("apiVersion: assent/v1\n", "", "shelf.yaml: `apiVersion`: write"),
            ("Shelf", "Brokers", "shelf.yaml: `kind`: write `kind: Shelf`"),
            ("Shelf", "[Shelf]", "shelf.yaml: `kind`: write `kind: Shelf`"),
            ("books: {a: 1}", "", "shelf.yaml: missing field `books`"),
            ("a: 1", "a: x", "shelf.yaml: `books.a`: invalid type"),
            ("books:", "cups: 1\nbooks:", "`cups`"),
            ("a: 1", "a: 1, a: 2", "shelf.yaml:3:"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let told = told(&GOOD.replace(from, to)).unwrap_err();
            assert!(told.contains(wanted), "{to}: {told}");
        }
        for empty in ["", "- a\n", "Shelf\n"] {
            assert_eq!(told(empty).unwrap_err(), "shelf.yaml: it does not say `kind: Shelf`");
        }
    }

    #[test]
    fn a_secret_stands_beside_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shelf.yaml");
        crate::private::write(&folder.path().join("key"), b" canary\n").unwrap();
        assert_eq!(secret(&file, Path::new("key")).unwrap().expose(), "canary");
        let absolute = folder.path().join("key");
        assert_eq!(
            secret(Path::new("elsewhere/shelf.yaml"), &absolute).unwrap().expose(),
            "canary"
        );
        assert!(secret(&file, Path::new("none")).unwrap_err().to_string().contains("none"));
        crate::private::write(&folder.path().join("bytes"), b"\xff").unwrap();
        assert!(secret(&file, Path::new("bytes")).is_err());
    }
}

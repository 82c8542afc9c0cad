//! Policy documents from a directory.

use std::io;
use std::path::Path;

use assent_core::policy::document::PolicyDocument;

/// The largest document that is read.
const LARGEST: u64 = 1024 * 1024;

/// Every `*.yaml` and `*.yml` of a directory, hidden ones left out, in order of name.
///
/// # Errors
/// When the directory or a document cannot be read, is too large or is not UTF-8; when there is no
/// document, or a directory within, whose documents would go unread.
pub fn read_directory(directory: &Path) -> io::Result<Vec<PolicyDocument>> {
    let named = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| named(directory, error))? {
        let path = entry.map_err(|error| named(directory, error))?.path();
        if is_document(&path) {
            documents.push(read(&path).map_err(|error| named(&path, error))?);
        } else if path.is_dir() && !is_hidden(&path) {
            let error =
                io::Error::new(io::ErrorKind::InvalidInput, "policies lie in one directory");
            return Err(named(&path, error));
        }
    }
    if documents.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no policy document (*.yaml) is there");
        return Err(named(directory, error));
    }
    documents.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(documents)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('.'))
}

/// By its name alone: one that turns out to be no file, or cannot be read, is a fault and not passed
/// over, because a rule that is not read may be the one that denies.
fn is_document(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_yaml = ["yaml", "yml"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    !is_hidden(path) && is_yaml
}

fn read(path: &Path) -> io::Result<PolicyDocument> {
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 1 MiB"));
    }
    let text = std::fs::read_to_string(path)?;
    Ok(PolicyDocument { file: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_cannot_be_read_is_a_fault_and_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        assert!(read_directory(place).is_err(), "no document at all");
        std::fs::write(place.join("a.yaml"), "a").unwrap();
        std::fs::write(place.join("B.YML"), "b").unwrap();
        std::fs::write(place.join(".hidden.yaml"), "c").unwrap();
        std::fs::write(place.join("README.md"), "d").unwrap();
        assert_eq!(read_directory(place).unwrap().len(), 2);
        std::fs::create_dir(place.join("more")).unwrap();
        assert!(read_directory(place).is_err(), "a directory within");
        std::fs::remove_dir(place.join("more")).unwrap();
        std::fs::create_dir(place.join("deny.yaml")).unwrap();
        assert!(read_directory(place).is_err(), "a directory of a document's name");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("allow.yaml"), "a").unwrap();
        std::os::unix::fs::symlink("gone", folder.path().join("freeze.yaml")).unwrap();
        assert!(read_directory(folder.path()).is_err());
    }
}

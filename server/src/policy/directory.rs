//! Policy files from a directory.

use std::io;
use std::path::Path;

use assent_core::policy::document::PolicyDocument;

use super::{MOST_FILES, belongs, largest};

/// How deep directories are within one another.
const DEEPEST: usize = 16;

/// Every `*.yaml`, `*.yml`, `*.rego` and `*.json` of a directory and those within, hidden ones left
/// out, in order of name.
///
/// # Errors
/// When the directory or a file cannot be read, is too large or is not UTF-8, and when there is no
/// policy document.
pub fn read_directory(directory: &Path) -> io::Result<Vec<PolicyDocument>> {
    let mut documents = Vec::new();
    gather(directory, DEEPEST, &mut documents)?;
    if documents.iter().all(|file| file.is_attachment() || file.is_test()) {
        let error = io::Error::new(io::ErrorKind::NotFound, "no policy document (*.yaml) is there");
        return Err(named(directory, error));
    }
    documents.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(documents)
}

fn gather(directory: &Path, deeper: usize, documents: &mut Vec<PolicyDocument>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory).map_err(|error| named(directory, error))? {
        let path = entry.map_err(|error| named(directory, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let error = io::Error::new(io::ErrorKind::InvalidData, "its name is not UTF-8");
            return Err(named(&path, error));
        };
        // Atomic volume mounts keep their versions in hidden directories, and link to them.
        if name.starts_with('.') {
            continue;
        }
        if belongs(name) {
            // By its name alone: one that turns out to be no file, or cannot be read, is a fault and
            // not passed over, because a rule that is not read may be the one that denies.
            let document = read(&path, largest(name)).map_err(|error| named(&path, error))?;
            documents.push(document);
        } else if path.is_dir() {
            let deeper = deeper.checked_sub(1).ok_or_else(|| {
                named(&path, io::Error::new(io::ErrorKind::InvalidInput, "too deep"))
            })?;
            gather(&path, deeper, documents)?;
        }
        if documents.len() > MOST_FILES {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "more than 10000 files");
            return Err(named(directory, error));
        }
    }
    Ok(())
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn read(path: &Path, largest: u64) -> io::Result<PolicyDocument> {
    if std::fs::metadata(path)?.len() > largest {
        let problem = format!("larger than {} MiB", largest / (1024 * 1024));
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
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
        std::fs::create_dir_all(place.join("more/of/it")).unwrap();
        std::fs::write(place.join("more/of/it/plan.rego"), "package main").unwrap();
        std::fs::write(place.join("more/data.json"), "{}").unwrap();
        assert_eq!(read_directory(place).unwrap().len(), 4, "directories within are read too");
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

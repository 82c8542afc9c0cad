//! Policy documents from a directory.

use std::io;
use std::path::Path;

use assent_core::policy::document::PolicyDocument;

/// The largest document that is read.
const LARGEST: u64 = 1024 * 1024;

/// Every `*.yaml` and `*.yml` of a directory, hidden ones left out, in order of name.
///
/// # Errors
/// When the directory or a document cannot be read, is too large or is not UTF-8.
pub fn read_directory(directory: &Path) -> io::Result<Vec<PolicyDocument>> {
    let named = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| named(directory, error))? {
        let path = entry.map_err(|error| named(directory, error))?.path();
        if is_document(&path) {
            documents.push(read(&path).map_err(|error| named(&path, error))?);
        }
    }
    documents.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(documents)
}

fn is_document(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str());
    !name.starts_with('.') && matches!(ending, Some("yaml" | "yml")) && path.is_file()
}

fn read(path: &Path) -> io::Result<PolicyDocument> {
    if std::fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than 1 MiB"));
    }
    let text = std::fs::read_to_string(path)?;
    Ok(PolicyDocument { file: path.display().to_string(), text })
}

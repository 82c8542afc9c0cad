//! The files of a policy directory: what rules, what is tested, and the plans that cases name.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use assent_core::policy::document::PolicyDocument;

use crate::failure::Failure;

/// The largest document or attachment.
const LARGEST: u64 = 1 << 20;
/// The largest plan.
const LARGEST_PLAN: u64 = 32 << 20;
/// How deep directories lie within one another.
const MAX_DEPTH: usize = 8;

/// What lies in a directory.
#[derive(Debug)]
pub(super) struct Files {
    /// Documents, cases, Rego modules and data.
    pub(super) documents: Vec<PolicyDocument>,
}

impl Files {
    /// Every document of the directory, and every Rego module and data file in it or below.
    pub(super) fn read(directory: &Path) -> Result<Self, Failure> {
        super::super::is_no_file(directory)?;
        let mut documents = Vec::new();
        for path in below(directory)? {
            let is_at_top = path.parent() == Some(directory);
            match ending(&path).as_str() {
                "yaml" | "yml" if is_at_top => documents.push(document(&path)?),
                "yaml" | "yml" => {
                    let message = "policy documents lie in one directory, not below it";
                    return Err(unread(&path, message));
                }
                "rego" => documents.push(document(&path)?),
                // A larger one can only be a plan; a rule that names it is told that it is missing.
                "json" if is_attachment(&path)? => documents.push(document(&path)?),
                _ => {}
            }
        }
        if documents.is_empty() {
            let directory = directory.display();
            return Err(Failure::usage(format!("`{directory}` holds no .yaml or .yml file")));
        }
        Ok(Self { documents })
    }

    /// The bytes of a plan that a case names.
    pub(super) fn plan(&self, file: &str) -> Result<Vec<u8>, String> {
        bytes(Path::new(file), LARGEST_PLAN).map_err(|error| error.to_string())
    }
}

/// Every file in a directory and below, hidden ones left out, in order.
pub(super) fn below(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut open = vec![(directory.to_owned(), 0)];
    while let Some((place, depth)) = open.pop() {
        if depth > MAX_DEPTH {
            return Err(unread(&place, format!("more than {MAX_DEPTH} directories deep")));
        }
        for entry in fs::read_dir(&place).map_err(|error| unread(&place, error))? {
            let path = entry.map_err(|error| unread(&place, error))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.starts_with('.')) {
                continue;
            }
            // A link to a directory is not followed: it could lead round in circles.
            let is_directory = path.is_dir() && !path.is_symlink();
            if is_directory { open.push((path, depth + 1)) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

fn is_attachment(path: &Path) -> Result<bool, Failure> {
    let found = fs::metadata(path).map_err(|error| unread(path, error))?;
    Ok(found.len() <= LARGEST)
}

fn document(path: &Path) -> Result<PolicyDocument, Failure> {
    let bytes = bytes(path, LARGEST).map_err(|error| unread(path, error))?;
    let text = String::from_utf8(bytes).map_err(|_| unread(path, "not UTF-8"))?;
    Ok(PolicyDocument { file: path.display().to_string(), text })
}

/// The whole file; one that is larger is refused, never cut.
fn bytes(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        let message = format!("larger than {} MiB", largest >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}

fn unread(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage("the policy cannot be read").because(format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lie_at_the_top_and_attachments_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::create_dir_all(place.join("rego/more")).unwrap();
        let files =
            ["a.yaml", "b_test.YML", "rego/more/x.rego", "data.json", ".hidden.yaml", "notes.md"];
        for file in files {
            fs::write(place.join(file), "x").unwrap();
        }
        fs::write(place.join("plan.json"), vec![b' '; (LARGEST + 1) as usize]).unwrap();
        let read = Files::read(place).unwrap();
        let names: Vec<_> = read
            .documents
            .iter()
            .map(|d| Path::new(&d.file).strip_prefix(place).unwrap().display().to_string())
            .collect();
        assert_eq!(names, ["a.yaml", "b_test.YML", "data.json", "rego/more/x.rego"]);
        let plan = place.join("plan.json").display().to_string();
        assert_eq!(read.plan(&plan).unwrap().len() as u64, LARGEST + 1);
        fs::write(place.join("rego/deny.yaml"), "x").unwrap();
        assert!(Files::read(place).is_err(), "a document that would go unread");
    }
}

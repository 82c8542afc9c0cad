//! `assent policy fmt`

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use assent_core::policy::document::PolicyDocument;
use assent_core::policy::format::{self, FormatError};

use crate::args::FmtArgs;
use crate::commands::counted;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;
/// What is formed, and nothing else.
const EXPECTED: &str = "give files *.yaml or *.yml that say `apiVersion: assent/v1`";

/// Writes each file in its canonical form, or says which is not in it.
pub(crate) fn run(args: &FmtArgs, output: &Output) -> Result<Exit, Failure> {
    let mut formed = Vec::new();
    for path in documents(&args.files)? {
        // All are read before any is written: a fault in one leaves the others as they are too.
        let text = read(&path)?;
        let name = path.display().to_string();
        let told = |error| told(error, &name, &text, output);
        if !format::is_document(&name, &text).map_err(told)? {
            let problem = format!("`{name}` is no policy document");
            return Err(Failure::usage(problem).hint(EXPECTED));
        }
        let form = format::format(&name, &text).map_err(told)?;
        if form != text {
            formed.push((path, form));
        }
    }
    for (path, form) in &formed {
        if !args.check {
            write(path, form)?;
        }
        output.data(clean(&path.display().to_string()))?;
    }
    if args.check && !formed.is_empty() {
        let files = counted(formed.len(), "file is", "files are");
        return Err(Failure::refused(format!("{files} not in canonical form"))
            .hint("write them with `assent policy fmt`"));
    }
    Ok(Exit::Granted)
}

/// The files to be formed: those that are named, and the documents of directories that are named.
fn documents(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let is_yaml = |path: &Path| path.extension().is_some_and(|it| it == "yaml" || it == "yml");
    let mut all = Vec::new();
    for path in named {
        if !path.is_dir() {
            if !is_yaml(path) {
                let problem = format!("`{}` is no policy document", path.display());
                return Err(Failure::usage(problem).hint(EXPECTED));
            }
            all.push(path.clone());
            continue;
        }
        let fault = |error: std::io::Error| Failure::file(path, &error);
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(fault)? {
            found.push(entry.map_err(fault)?.path());
        }
        found.retain(|path| is_yaml(path) && path.is_file());
        if found.is_empty() {
            let problem = format!("`{}` holds no .yaml or .yml file", path.display());
            return Err(Failure::usage(problem));
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

fn read(path: &Path) -> Result<String, Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    if fs::metadata(path).map_err(fault)?.len() > LARGEST {
        return Err(Failure::usage(format!("`{}` is larger than 1 MiB", path.display())));
    }
    fs::read_to_string(path).map_err(fault)
}

/// Beside the file first, then over it: a policy is never half written.
fn write(path: &Path, form: &str) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    // What is written over is the file itself, not a link to it.
    let path = path.canonicalize().map_err(fault)?;
    let permissions = fs::metadata(&path).map_err(fault)?.permissions();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::File::create_new(&beside)
        .and_then(|mut file| {
            file.write_all(form.as_bytes())?;
            file.set_permissions(permissions)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&beside, &path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        fault(error)
    })
}

fn told(error: FormatError, name: &str, text: &str, output: &Output) -> Failure {
    if let FormatError::Unreadable(fault) = &error {
        let document = PolicyDocument { file: name.to_owned(), text: text.to_owned() };
        super::tell_each(std::slice::from_ref(fault), &[document], output);
        return Failure::usage("the policy has 1 fault");
    }
    Failure::usage(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    fn formed(files: Vec<PathBuf>) -> Result<Exit, Failure> {
        run(&FmtArgs { check: false, files }, &Output::new(&Environment::default()))
    }

    #[test]
    fn documents_alone_are_formed_and_of_a_directory_all() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let loose = "apiVersion: assent/v1\nkind: Policy\nrules:\n- id: a\n  allow: {}\n";
        let form = loose.replace("- id: a\n  allow", "  - id: a\n    allow");
        std::fs::write(at("a.yaml"), loose).unwrap();
        std::fs::write(at("b.rego"), "package x\n").unwrap();
        assert!(formed(vec![directory.path().to_owned()]).is_ok());
        assert_eq!(std::fs::read_to_string(at("a.yaml")).unwrap(), form);
        std::fs::write(at("pod.yaml"), "apiVersion: v1\nkind: Pod\na:\n- b\n").unwrap();
        std::fs::write(at("a.yaml"), loose).unwrap();
        std::fs::write(at("c.json"), "{}\n").unwrap();
        for other in ["b.rego", "c.json", "pod.yaml"] {
            assert!(formed(vec![at("a.yaml"), at(other)]).is_err(), "{other}");
        }
        assert_eq!(std::fs::read_to_string(at("a.yaml")).unwrap(), loose, "all or none");
    }
}

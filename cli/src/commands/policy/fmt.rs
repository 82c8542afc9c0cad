//! `assent policy fmt`

use std::fs;
use std::io::Write as _;
use std::path::Path;

use assent_core::policy::document::PolicyDocument;
use assent_core::policy::format::{self, FormatError};

use crate::args::FmtArgs;
use crate::commands::policy::check::counted;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// Writes each file in its canonical form, or says which is not in it.
pub(crate) fn run(args: &FmtArgs, output: &Output) -> Result<Exit, Failure> {
    let mut formed = Vec::new();
    for path in &args.files {
        // All are read before any is written: a fault in one leaves the others as they are too.
        let text = read(path)?;
        let name = path.display().to_string();
        let form =
            format::format(&name, &text).map_err(|error| told(error, &name, &text, output))?;
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

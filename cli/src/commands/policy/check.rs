//! `assent policy check`

use crate::args::CheckArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Compiles a directory's policy and prints what it is, or every fault.
pub(crate) fn run(args: &CheckArgs, output: &Output) -> Result<Exit, Failure> {
    let documents = super::documents(&args.directory)?;
    let policy = super::compiled(&documents, output)?;
    let (files, rules) = (documents.len(), policy.rule_count());
    let files = counted(files, "file", "files");
    let rules = counted(rules, "rule", "rules");
    output.data(format!("ok: {rules} in {files}, revision {}", policy.revision()))?;
    Ok(Exit::Granted)
}

pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

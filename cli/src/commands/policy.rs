//! `assent policy`

pub(super) mod approved;
mod change;
mod check;
mod diff;
mod engines;
mod explain;
mod export;
mod fmt;
mod list;
mod put;
mod recorded;
mod remove;
mod schema;
mod show;
mod simulate;
mod status;
mod test;

use std::path::Path;

use assent_client::Client;
use assent_core::policy::Policy;
use assent_core::policy::document::{Fault, PolicyDocument};
pub(crate) use explain::asked;
pub(crate) use recorded::principal;

use crate::args::PolicyCommand;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean};

/// Checks, explains, tests, compares; and what a server rules by, reads and changes.
pub(crate) async fn run(
    command: PolicyCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Diff(args) => diff::run(&args, output),
        PolicyCommand::Simulate(args) => simulate::run(&args, client, output).await,
        PolicyCommand::Fmt(args) => fmt::run(&args, output),
        PolicyCommand::Schema => schema::run(output),
        PolicyCommand::Check(args) => check::run(&args, output).await,
        PolicyCommand::Explain(args) if args.online => {
            explain::run_online(&args, &client()?, output).await
        }
        PolicyCommand::Explain(args) => explain::run(&args, output).await,
        PolicyCommand::Status(printing) => status::run(printing, &client()?, output).await,
        PolicyCommand::List(printing) => list::run(printing, &client()?, output).await,
        PolicyCommand::Show(args) => show::run(&args, &client()?, output).await,
        PolicyCommand::Put(args) => put::run(&args, &client()?, output).await,
        PolicyCommand::Remove(args) => remove::run(&args, &client()?, output).await,
        PolicyCommand::Test(args) => test::run(&args, output).await,
        PolicyCommand::Export(args) => export::run(&args, output),
    }
}

/// The documents of a directory: at least one.
pub(crate) fn documents(directory: &Path) -> Result<Vec<PolicyDocument>, Failure> {
    is_no_file(directory)?;
    let documents = assent_server::policy::read_directory(directory);
    let documents =
        documents.map_err(|e| Failure::usage("the policy cannot be read").because(e))?;
    if documents.is_empty() {
        let directory = directory.display();
        return Err(Failure::usage(format!("`{directory}` holds no .yaml or .yml file")));
    }
    Ok(documents)
}

/// A policy is a directory: one of its files alone may name what another one defines.
fn is_no_file(path: &Path) -> Result<(), Failure> {
    if !path.is_file() {
        return Ok(());
    }
    let directory = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = directory.unwrap_or(Path::new(".")).display();
    Err(Failure::usage(format!("`{}` is a file", path.display()))
        .hint(format!("give the directory of the policy: `{directory}`")))
}

/// The policy, or a failure after every fault was told.
pub(crate) fn compiled(documents: &[PolicyDocument], output: &Output) -> Result<Policy, Failure> {
    Policy::compile(documents).map_err(|faults| {
        tell_each(&faults, documents, output);
        let count = faults.len();
        let things = if count == 1 { "fault" } else { "faults" };
        Failure::usage(format!("the policy has {count} {things}"))
    })
}

/// Tells of faults that a server has found in this directory.
pub(crate) fn tell_faults(faults: &[Fault], directory: &Path, output: &Output) {
    // A directory that can no longer be read leaves the faults without their lines.
    let documents = assent_server::policy::read_directory(directory).unwrap_or_default();
    tell_each(faults, &documents, output);
}

fn tell_each(faults: &[Fault], documents: &[PolicyDocument], output: &Output) {
    for fault in faults {
        output.talk(fault_text(fault, documents, output.talk_paint()));
    }
}

/// `file:line:column: message`, the line, and a caret below the place.
fn fault_text(fault: &Fault, documents: &[PolicyDocument], paint: Paint) -> String {
    let place = &fault.place;
    let at = format!("{}:{}:{}:", clean(&place.file), place.line, place.column);
    let head = format!("{} {}", paint.strong(&at), clean(&fault.message));
    let document = documents.iter().find(|document| document.file == place.file);
    let line = document.and_then(|document| document.text.lines().nth(place.line.checked_sub(1)?));
    let Some(line) = line else { return head };
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let before = place.column.saturating_sub(1);
    // What stands before the place is cleaned as the line is, so that the caret stands below it.
    let before: String = line.chars().take(before).collect();
    let indent = " ".repeat(clean(&before).chars().count());
    format!("{head}\n {number} | {}\n {margin} | {indent}{}", clean(line), paint.bad("^"))
}

#[cfg(test)]
mod tests {
    use assent_core::policy::document::Place;

    use super::*;

    #[test]
    fn a_fault_stands_below_its_place() {
        let file = "policy/a.yaml".to_owned();
        let text = "rules:\n  - id: x\n\tbad: 1\n".to_owned();
        let documents = [PolicyDocument { file: file.clone(), text }];
        let fault = |line, column| Fault {
            place: Place { file: file.clone(), line, column },
            message: "unknown key `id`".to_owned(),
        };
        let text = |line, column| fault_text(&fault(line, column), &documents, Paint::new(false));
        let wanted = "policy/a.yaml:2:5: unknown key `id`\n 2 |   - id: x\n   |     ^";
        assert_eq!(text(2, 5), wanted);
        assert!(text(3, 2).ends_with("|  bad: 1\n   |  ^"));
        assert_eq!(text(9, 1), "policy/a.yaml:9:1: unknown key `id`");
    }
}

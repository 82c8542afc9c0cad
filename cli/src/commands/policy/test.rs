//! `assent policy test`

mod cases;
mod files;
mod json;
mod junit;
mod report;
mod watch;

use std::time::Duration;

use assent_core::policy::cases::{Case, Question};
use assent_core::policy::coverage::Coverage;

use crate::args::{TestArgs, TestFormat};
use crate::clock;
use crate::commands::policy::engines::Engines;
use crate::commands::policy::test::cases::Results;
use crate::commands::policy::test::files::Files;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How often the files are looked at while they are watched.
const TICK: Duration = Duration::from_millis(500);

/// Runs the cases of a directory, once or whenever one of its files changes.
pub(crate) async fn run(args: &TestArgs, output: &Output) -> Result<Exit, Failure> {
    let engines = Engines::new();
    if !args.watch {
        return once(args, &engines, output);
    }
    let pass = || {
        output.talk(format!("\n{}", clock::now()));
        match once(args, &engines, output) {
            Err(Failure::OutputClosed) => Err(Failure::OutputClosed),
            // What is wrong now may be put right in a moment: it is told, and ends nothing.
            Err(failure) => {
                output.failure(&failure);
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    };
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let tick = async || {
        tokio::select! {
            _ = interrupted.as_mut() => false,
            () = tokio::time::sleep(TICK) => true,
        }
    };
    watch::watch(|| watch::Look::at(&args.directory), pass, tick).await?;
    Ok(Exit::Granted)
}

/// One pass over all cases.
fn once(args: &TestArgs, engines: &Engines, output: &Output) -> Result<Exit, Failure> {
    let files = Files::read(&args.directory)?;
    let policy = super::compiled(&files.documents, output)?;
    let read = Case::read(&files.documents, &policy, &|file| files.plan(file));
    let cases = read.map_err(|faults| {
        super::tell_each(&faults, &files.documents, output);
        Failure::usage(format!(
            "the test cases have {}",
            crate::commands::counted(faults.len(), "fault", "faults")
        ))
    })?;
    if cases.is_empty() {
        let directory = args.directory.display();
        return Err(Failure::usage(format!("`{directory}` holds no test case"))
            .hint("write them under `tests` of a policy document, or in a file *_test.yaml"));
    }
    let chosen = |case: &Case| args.case.as_ref().is_none_or(|glob| glob.matches(&case.name));
    let ask = |question: &Question<'_>| {
        Some(engines.ask(&policy, question.ask, question.situation, question.plan))
    };
    let results = Results::of(cases.into_iter().filter(chosen), &policy, &ask);
    if results.is_empty() {
        return Err(Failure::usage("no test case has a name like that of --case"));
    }
    let coverage = (args.coverage || args.fail_under.is_some()).then_some(&results.coverage);
    match args.output {
        TestFormat::Table => {
            output.data(report::text(&results, args.coverage, output.data_paint()))?;
        }
        TestFormat::Json => output.json(&json::Report::of(&results, coverage))?,
        TestFormat::Junit => output.data(junit::text(&results))?,
    }
    let is_under =
        args.fail_under.is_some_and(|least| told_under(&results.coverage, least, output));
    Ok(if results.passed() && !is_under { Exit::Granted } else { Exit::Refused })
}

/// Whether too little was covered, which is told.
fn told_under(coverage: &Coverage, least: u8, output: &Output) -> bool {
    let percent = coverage.percent();
    let is_under = percent < least;
    if is_under {
        output.talk(format!("the coverage of {percent} % is under {least} %"));
    }
    is_under
}

#[cfg(test)]
mod tests;

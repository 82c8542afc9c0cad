//! `assent policy diff`

use std::path::{Path, PathBuf};

use assent_core::policy::Policy;
use assent_core::principal::PrincipalKind;
use serde::Serialize;

use crate::args::DiffArgs;
use crate::clock;
use crate::commands::counted;
use crate::commands::policy::change::{self, Change};
use crate::commands::policy::recorded::{self, Assumed, Recorded};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Rules on every recorded intent by both policies and prints what comes out otherwise.
pub(crate) fn run(args: &DiffArgs, output: &Output) -> Result<Exit, Failure> {
    let [old, new] = [&args.old, &args.new].map(|directory| {
        let documents = super::documents(directory)?;
        super::compiled(&documents, output)
    });
    let (old, new): (Policy, Policy) = (old?, new?);
    let requester = recorded::principal(&args.requester, PrincipalKind::Person)?;
    let assumed = Assumed { requester, at: args.now.unwrap_or_else(clock::now) };
    let mut report = Report { intents: 0, differing: Vec::new() };
    for path in files(&args.intents)? {
        let lines = path.extension().is_some_and(|ending| ending == "jsonl");
        recorded::each_in(&path, lines, |name, value| {
            let read = Recorded::read(name, value, &assumed);
            let bad = |why| Failure::usage(format!("`{name}` records no intent")).because(why);
            if let Some(recorded) = read.map_err(bad)? {
                report.hear(&recorded, &old, &new);
            }
            Ok(())
        })?;
    }
    if report.intents == 0 {
        let problem = format!("`{}` holds no recorded intent", args.intents.display());
        return Err(Failure::usage(problem).hint("write each as JSON into a .json file"));
    }
    match args.printing.is_json() {
        true => output.json(&report)?,
        false => report.print(output)?,
    }
    Ok(if report.differing.is_empty() { Exit::Granted } else { Exit::Refused })
}

/// The JSON files of a directory, in order of name.
fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fault = |error: std::io::Error| Failure::file(directory, &error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.extension().is_some_and(|ending| ending == "json" || ending == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What came out otherwise.
#[derive(Serialize)]
struct Report {
    intents: usize,
    differing: Vec<Differing>,
}

/// One intent that is ruled otherwise.
#[derive(Serialize)]
struct Differing {
    name: String,
    requester: String,
    kind: String,
    environment: String,
    changes: Vec<Change>,
    #[serde(skip)]
    headline: String,
}

impl Report {
    fn hear(&mut self, recorded: &Recorded, old: &Policy, new: &Policy) {
        self.intents += 1;
        let changes = change::between(&recorded.ruling(old), &recorded.ruling(new));
        if !changes.is_empty() {
            self.differing.push(Differing {
                name: recorded.name.clone(),
                requester: recorded.requester.id.to_string(),
                kind: recorded.intent.kind().to_owned(),
                environment: recorded.intent.environment().to_owned(),
                changes,
                headline: change::headline(recorded),
            });
        }
    }

    fn print(&self, output: &Output) -> Result<(), Failure> {
        let paint = output.data_paint();
        for differing in &self.differing {
            let head =
                format!("{} ({})", paint.strong(&clean(&differing.name)), differing.headline);
            output.data(format!("{head}\n{}\n", change::text(&differing.changes, paint)))?;
        }
        let intents = counted(self.intents, "recorded intent", "recorded intents");
        output.data(match self.differing.len() {
            0 => format!("{intents}, all ruled as before"),
            some => format!("{intents}, {some} ruled otherwise"),
        })
    }
}

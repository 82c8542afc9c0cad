//! `assent policy check`

use assent_core::policy::Policy;
use assent_core::policy::document::{Fault, PolicyDocument};
use assent_core::policy::lint::{Finding, Severity};
use serde::Serialize;

use crate::args::CheckArgs;
use crate::clock;
use crate::commands::counted;
use crate::commands::policy::engines::Engines;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Compiles a directory's policy, looks for what is probably a mistake in it, and prints what it is.
pub(crate) async fn run(args: &CheckArgs, output: &Output) -> Result<Exit, Failure> {
    let documents = super::documents(&args.directory)?;
    let now = args.now.unwrap_or_else(clock::now);
    let mut found = Policy::lint(&documents, Some(now));
    if let Ok(policy) = Policy::compile(&documents) {
        // What rules ask of engines is read by those.
        let faults = Engines::new().faults(&policy).await;
        if !faults.is_empty() {
            found = Err(faults);
        }
    }
    let report = Report::of(&documents, &found, args.strict.then_some(&args.accepted));
    if args.printing.is_json() {
        output.json(&report)?;
        return Ok(report.exit());
    }
    match &found {
        Err(faults) => super::tell_each(faults, &documents, output),
        Ok(findings) => findings.iter().for_each(|f| tell(f, &documents, output)),
    }
    match report.failure() {
        Some(failure) => Err(failure),
        None => {
            output.data(report.text())?;
            Ok(Exit::Granted)
        }
    }
}

fn tell(finding: &Finding, documents: &[PolicyDocument], output: &Output) {
    let (word, place) = (finding.severity.word(), finding.fault.place.clone());
    let message = format!("{word}[{}]: {}", finding.code, finding.fault.message);
    let fault = Fault { place, message };
    output.talk(super::fault_text(&fault, documents, output.talk_paint()));
}

/// What a policy is, or what is wrong with it.
#[derive(Serialize)]
struct Report {
    ok: bool,
    files: usize,
    rules: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    faults: usize,
    warnings: usize,
    findings: Vec<Shown>,
}

/// One thing that is wrong, or probably so.
#[derive(Serialize)]
struct Shown {
    severity: &'static str,
    code: &'static str,
    file: String,
    line: usize,
    column: usize,
    message: String,
}

impl Report {
    fn of(
        documents: &[PolicyDocument],
        found: &Result<Vec<Finding>, Vec<Fault>>,
        strict: Option<&Vec<String>>,
    ) -> Self {
        let told = |severity: Severity, code: &'static str, fault: &Fault| Shown {
            severity: severity.word(),
            code,
            file: fault.place.file.clone(),
            line: fault.place.line,
            column: fault.place.column,
            message: fault.message.clone(),
        };
        let findings: Vec<Shown> = match found {
            Err(faults) => faults.iter().map(|f| told(Severity::Fault, "invalid", f)).collect(),
            Ok(all) => all.iter().map(|f| told(f.severity, f.code, &f.fault)).collect(),
        };
        let count = |word: &str| findings.iter().filter(|found| found.severity == word).count();
        let (faults, warnings) = (count("fault"), count("warning"));
        let is_unaccepted = |told: &&Shown| {
            let accepts = |accepted: &Vec<String>| accepted.iter().any(|code| code == told.code);
            told.severity == "warning" && strict.is_some_and(|accepted| !accepts(accepted))
        };
        let refused = findings.iter().filter(is_unaccepted).count();
        let policy = Policy::compile(documents).ok();
        Self {
            ok: faults == 0 && refused == 0,
            files: documents.iter().filter(|document| !document.is_test()).count(),
            rules: policy.as_ref().map_or(0, Policy::rule_count),
            revision: policy.map(|policy| policy.revision().to_string()),
            faults,
            warnings,
            findings,
        }
    }

    fn exit(&self) -> Exit {
        if self.ok { Exit::Granted } else { Exit::Usage }
    }

    fn failure(&self) -> Option<Failure> {
        let faults = counted(self.faults, "fault", "faults");
        let warnings = counted(self.warnings, "warning", "warnings");
        let told = match (self.ok, self.faults, self.warnings) {
            (true, ..) => return None,
            (false, _, 0) => faults,
            (false, 0, _) => warnings,
            (false, ..) => format!("{faults} and {warnings}"),
        };
        Some(Failure::usage(format!("the policy has {told}")))
    }

    fn text(&self) -> String {
        let rules = counted(self.rules, "rule", "rules");
        let files = counted(self.files, "file", "files");
        let warnings = match self.warnings {
            0 => String::new(),
            count => format!(", {}", counted(count, "warning", "warnings")),
        };
        let revision = self.revision.as_deref().unwrap_or_default();
        format!("ok: {rules} in {files}{warnings}, revision {revision}")
    }
}

//! `assent policy export`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use assent_core::policy::export;
use assent_core::policy::situation::Situation;
use assent_core::principal::PrincipalKind;

use crate::args::PolicyExportArgs;
use crate::clock;
use crate::commands::policy::recorded::{self, Assumed, Recorded};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Writes the policy as a Rego module, or a situation as the input that such a module reads.
pub(crate) fn run(args: &PolicyExportArgs, output: &Output) -> Result<Exit, Failure> {
    let text = match &args.input {
        Some(path) => input(path, args)?,
        None => module(args, output)?,
    };
    match &args.file {
        Some(path) => to_file(path, &text)?,
        None => output.data(text.trim_end())?,
    }
    Ok(Exit::Granted)
}

fn module(args: &PolicyExportArgs, output: &Output) -> Result<String, Failure> {
    let missing = || Failure::usage("name the directory of the policy");
    let documents = super::documents(args.directory.as_deref().ok_or_else(missing)?)?;
    Ok(super::compiled(&documents, output)?.to_rego())
}

fn input(path: &Path, args: &PolicyExportArgs) -> Result<String, Failure> {
    let requester = recorded::principal(&args.requester, PrincipalKind::Person)?;
    let assumed = Assumed { requester, at: args.now.unwrap_or_else(clock::now) };
    let name = path.display().to_string();
    let bad = || Failure::usage(format!("`{name}` is not an intent, nor a record of one"));
    let read = Recorded::read(&name, &recorded::json(path)?, &assumed);
    let Recorded { intent, requester, known, at: now, .. } =
        read.map_err(|why| bad().because(why))?.ok_or_else(bad)?;
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let input = export::input(&situation);
    Ok(format!("{input:#}\n"))
}

fn to_file(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::file(path, &error))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_record_is_written_with_all_it_knows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("intent.json");
        let record = json!({
            "intent": {"kind": "helm.upgrade", "environment": "prod", "reason": "41", "duration": "15m"},
            "known": {"signals": {"freeze": false}},
            "at": "2026-11-20T10:00:00Z",
        });
        std::fs::write(&path, record.to_string()).unwrap();
        let args = PolicyExportArgs {
            directory: None,
            rego: false,
            input: Some(path.clone()),
            requester: "alice".to_owned(),
            now: None,
            file: None,
        };
        let told: Value = serde_json::from_str(&input(&path, &args).unwrap()).unwrap();
        assert_eq!(told["intent"]["duration"], 900);
        assert_eq!(told["requester"]["id"], "assent:local#alice");
        assert_eq!(told["signals"], json!({"freeze": false}));
        assert_eq!(told["now"], "2026-11-20T10:00:00.000Z");
        assert_eq!(told.get("plan"), None, "what is not known is not there");
    }

    #[test]
    fn a_file_that_is_there_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.rego");
        assert!(to_file(&path, "one\n").is_ok());
        assert!(to_file(&path, "two\n").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    }
}

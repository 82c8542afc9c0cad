//! What the runner says of the run, and where it is told something.

use std::path::PathBuf;

use assent_gate::plan::Terraform;

use crate::environment::Environment;
use crate::event::{self, Commit};
use crate::files::{self, WriteError};

/// The run that this step belongs to, and the files of its runner. Where it has none, as on another
/// machine, nothing is written.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    output: Option<PathBuf>,
    state: Option<PathBuf>,
    variables: Option<PathBuf>,
    summary: Option<PathBuf>,
    /// Where what a job needs for itself lies, and is removed with it.
    pub(crate) temp: PathBuf,
    /// What is run.
    pub(crate) commit: Commit,
    /// The number of its repository.
    pub(crate) repository_id: Option<String>,
    /// Why it is run, in somebody's words.
    pub(crate) reason: String,
    /// The pull request that it belongs to.
    pub(crate) pull_request: Option<u64>,
    /// Where the forge's API is.
    pub(crate) api: Option<String>,
    /// The program that shows saved plans.
    pub(crate) terraform: Terraform,
}

impl Runner {
    /// What this environment says.
    pub(crate) fn of(environment: &Environment) -> Self {
        let text = |name| environment.get(name).unwrap_or_default().to_owned();
        let commit = Commit {
            repository: text("GITHUB_REPOSITORY"),
            name: text("GITHUB_REF_NAME"),
            sha: text("GITHUB_SHA"),
        };
        let event = environment.path("GITHUB_EVENT_PATH").and_then(|file| event::read(&file));
        Self {
            output: environment.path("GITHUB_OUTPUT"),
            state: environment.path("GITHUB_STATE"),
            variables: environment.path("GITHUB_ENV"),
            summary: environment.path("GITHUB_STEP_SUMMARY"),
            temp: environment.path("RUNNER_TEMP").unwrap_or_else(std::env::temp_dir),
            pull_request: event
                .as_ref()
                .and_then(|event| event.pointer("/pull_request/number")?.as_u64()),
            api: environment.get("GITHUB_API_URL").map(|url| url.trim_end_matches('/').to_owned()),
            reason: event::reason(&commit, event.as_ref()),
            commit,
            repository_id: environment.get("GITHUB_REPOSITORY_ID").map(str::to_owned),
            terraform: terraform(environment),
        }
    }

    /// Gives an output of the step.
    pub(crate) fn output(&self, name: &str, value: &str) -> Result<(), WriteError> {
        self.output.as_deref().map_or(Ok(()), |file| files::add(file, name, value))
    }

    /// Leaves something for the end of the job.
    pub(crate) fn remember(&self, name: &str, value: &str) -> Result<(), WriteError> {
        self.state.as_deref().map_or(Ok(()), |file| files::add(file, name, value))
    }

    /// Sets a variable for later steps.
    pub(crate) fn set(&self, name: &str, value: &str) -> Result<(), WriteError> {
        self.variables.as_deref().map_or(Ok(()), |file| files::add(file, name, value))
    }

    /// Shows this as the summary of the step, instead of what was shown before. What a command has
    /// added there stays behind it.
    pub(crate) fn summarize(&self, markdown: &str, before: &str) -> Result<(), WriteError> {
        let Some(file) = &self.summary else { return Ok(()) };
        let there = std::fs::read(file).unwrap_or_default();
        let added = there.strip_prefix(before.as_bytes()).unwrap_or_default();
        Ok(std::fs::write(file, [markdown.as_bytes(), added].concat())?)
    }
}

fn terraform(environment: &Environment) -> Terraform {
    let mut terraform = Terraform::named(environment.get("TERRAFORM").unwrap_or("terraform"));
    terraform.kept_back.extend(environment.own().map(str::to_owned));
    terraform
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_adds_to_the_summary_stays() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("summary");
        let environment = Environment::from([("GITHUB_STEP_SUMMARY", file.to_str().unwrap())]);
        let runner = Runner::of(&environment);
        let shown = || std::fs::read_to_string(&file).unwrap();
        runner.summarize("one\n", "").unwrap();
        runner.summarize("two\n", "one\n").unwrap();
        assert_eq!(shown(), "two\n");
        std::fs::write(&file, "two\nadded\n").unwrap();
        runner.summarize("three\n", "two\n").unwrap();
        assert_eq!(shown(), "three\nadded\n");
        std::fs::write(&file, "replaced\n").unwrap();
        runner.summarize("four\n", "three\n").unwrap();
        assert_eq!(shown(), "four\n");
    }

    #[test]
    fn what_proves_who_the_job_is_is_kept_from_terraform() {
        let set = [("INPUT_GITHUB-TOKEN", "t"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t")];
        let kept_back = Runner::of(&Environment::from(set)).terraform.kept_back;
        for name in ["ASSENT_TOKEN", "INPUT_GITHUB-TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
            assert!(kept_back.iter().any(|kept| kept == name), "{name}");
        }
    }
}

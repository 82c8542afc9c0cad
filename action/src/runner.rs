//! What the runner says of the run, and where it is told something.

use std::path::PathBuf;

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
    pub(crate) terraform: String,
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
            terraform: environment.get("TERRAFORM").unwrap_or("terraform").to_owned(),
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

    /// Shows this as the summary of the step, instead of what was there.
    pub(crate) fn summarize(&self, markdown: &str) -> Result<(), WriteError> {
        match &self.summary {
            Some(file) => Ok(std::fs::write(file, markdown)?),
            None => Ok(()),
        }
    }
}

//! A step that uses the action's program, with what a runner gives one.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::github::{AUDIENCE, BEARER, Github};

/// A job that waits in such a step. It ends when this is dropped.
pub(super) struct Runner {
    child: Child,
    folder: TempDir,
}

impl Runner {
    /// The step begins; its run has this number.
    pub(super) fn start(program: &Path, url: &str, github: &Github, number: u64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for file in ["output", "state", "summary", "env", "log"] {
            std::fs::write(at(file), "")?;
        }
        std::fs::write(at("event.json"), "{}")?;
        let mut command = Command::new(program);
        command.arg("main").env_clear().kill_on_drop(true).current_dir(folder.path());
        command.envs([
            ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token/{number}?version=2", github.url)),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", BEARER.to_owned()),
            ("INPUT_URL", url.to_owned()),
            ("INPUT_OIDC-AUDIENCE", AUDIENCE.to_owned()),
            ("INPUT_ENVIRONMENT", "production".to_owned()),
            ("INPUT_COMMENT", "off".to_owned()),
            ("GITHUB_REPOSITORY", "acme/shop".to_owned()),
            ("GITHUB_REPOSITORY_ID", "4711".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            ("GITHUB_RUN_ID", number.to_string()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_SHA", "8f4b7f84864484a7bf31766abe9204da3cbe65b3".to_owned()),
        ]);
        command.envs([
            ("GITHUB_EVENT_PATH", at("event.json")),
            ("GITHUB_OUTPUT", at("output")),
            ("GITHUB_STATE", at("state")),
            ("GITHUB_STEP_SUMMARY", at("summary")),
            ("GITHUB_ENV", at("env")),
            ("RUNNER_TEMP", folder.path().to_owned()),
        ]);
        let log = std::fs::File::options().append(true).open(at("log"))?;
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        Ok(Self { child: command.spawn()?, folder })
    }

    /// When the next step can begin.
    pub(super) async fn goes_on(mut self) -> Result<Instant> {
        let status = self.child.wait().await?;
        let ended = Instant::now();
        let log = std::fs::read_to_string(self.folder.path().join("log")).context("no log")?;
        ensure!(status.success(), "the step failed: {status}\n{log}");
        Ok(ended)
    }
}

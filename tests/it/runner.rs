//! What GitHub's runner gives an action, and what it does to one: inputs as variables, files for outputs
//! and state, an OpenID endpoint, a log that it reads for commands, the stages, and a cancellation with its
//! own timing. Sources: the documentation of workflow commands, and `actions/runner` (`ProcessInvoker`,
//! `ActionCommand`, `FileCommandManager`).

mod definition;
mod files;
mod log;
mod oidc;
mod step;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use definition::{Definition, evaluated, yaml};
pub(crate) use oidc::Oidc;
pub(crate) use step::{Ended, Running, Step, Stopped};

use log::Masks;

/// The commit of every run here.
pub(crate) const SHA: &str = "8f4b7f84864484a7bf31766abe9204da3cbe65b3";

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An action in a folder of its own.
pub(crate) struct Action {
    pub(crate) folder: PathBuf,
    pub(crate) definition: Definition,
}

impl Action {
    /// As it is shipped with this binary.
    pub(crate) fn packaged(binary: &Path, folder: &Path) -> Self {
        let script = root().join("scripts/package-action.sh");
        let packed = Command::new(script).args([binary, folder]).output().unwrap();
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        let definition = Definition::read(&folder.join("action.yml"));
        Self { folder: folder.to_owned(), definition }
    }
}

impl Action {
    /// Its binary for this machine.
    pub(crate) fn binary(&self) -> PathBuf {
        let mut platforms = std::fs::read_dir(self.folder.join("bin")).unwrap();
        platforms.next().unwrap().unwrap().path().join("assent-action")
    }
}

/// A job on a runner.
pub(crate) struct Job {
    directory: TempDir,
    /// What contexts say when a stage begins, by what stands in `${{ }}`.
    contexts: Mutex<BTreeMap<&'static str, String>>,
    variables: Mutex<BTreeMap<String, String>>,
    masks: Arc<Masks>,
}

impl Job {
    /// Of a push to `acme/orders`, without an OpenID token.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).display().to_string();
        for folder in ["workspace", "temp", "tools", "home"] {
            std::fs::create_dir(directory.path().join(folder)).unwrap();
        }
        let contexts = [
            ("github.token", "ghs_thisjobs0000000000000000000000000000"),
            ("job.status", "success"),
            ("strategy.job-total", "1"),
        ];
        let workflow = "acme/orders/.github/workflows/deploy.yml@refs/heads/main";
        let variables = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTOR", "octocat".to_owned()),
            ("GITHUB_ACTOR_ID", "583231".to_owned()),
            ("GITHUB_API_URL", "http://127.0.0.1:9".to_owned()),
            ("GITHUB_EVENT_NAME", "push".to_owned()),
            ("GITHUB_EVENT_PATH", at("event.json")),
            ("GITHUB_JOB", "deploy".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_REF_NAME", "main".to_owned()),
            ("GITHUB_REPOSITORY", "acme/orders".to_owned()),
            ("GITHUB_REPOSITORY_ID", "4711".to_owned()),
            ("GITHUB_REPOSITORY_OWNER", "acme".to_owned()),
            ("GITHUB_REPOSITORY_OWNER_ID", "17".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_RUN_ID", "99".to_owned()),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_SHA", SHA.to_owned()),
            ("GITHUB_TRIGGERING_ACTOR", "octocat".to_owned()),
            ("GITHUB_WORKFLOW", "Deploy".to_owned()),
            ("GITHUB_WORKFLOW_REF", workflow.to_owned()),
            ("GITHUB_WORKFLOW_SHA", SHA.to_owned()),
            ("GITHUB_WORKSPACE", at("workspace")),
            ("HOME", at("home")),
            ("RUNNER_ARCH", "X64".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", at("temp")),
            ("RUNNER_TOOL_CACHE", at("tools")),
        ];
        let job = Self {
            contexts: Mutex::new(contexts.map(|(name, value)| (name, value.to_owned())).into()),
            variables: Mutex::new(variables.map(|(name, value)| (name.to_owned(), value)).into()),
            masks: Arc::default(),
            directory,
        };
        job.event(&json!({"head_commit": {"id": SHA, "message": "Add an index\n\nIt was slow."}}));
        job
    }

    /// With a token of this endpoint to be had.
    pub(crate) fn with_oidc(self, oidc: &Oidc) -> Self {
        self.set("ACTIONS_ID_TOKEN_REQUEST_URL", &oidc.url());
        self.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", Oidc::BEARER);
        self
    }

    /// From now on its environment says so.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.variables.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// From now on `${{ name }}` is this.
    pub(crate) fn context(&self, name: &'static str, value: &str) {
        self.contexts.lock().unwrap().insert(name, value.to_owned());
    }

    /// It was started by an event of this content.
    pub(crate) fn event(&self, content: &Value) {
        std::fs::write(self.directory.path().join("event.json"), content.to_string()).unwrap();
    }

    /// A file of it: below `workspace`, `temp`, `tools` or `home`.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a step of it that is a script, by `bash -e` as the runner does, with these variables besides.
    pub(crate) async fn shell(&self, script: &str, more: &BTreeMap<String, String>) -> Output {
        let file = self.at("temp/script.sh");
        std::fs::write(&file, script).unwrap();
        let mut command = tokio::process::Command::new("bash");
        command.arg("-e").arg(file).current_dir(self.at("workspace")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(&*self.variables.lock().unwrap()).envs(more);
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap()
    }

    /// A step of it that uses this action with these inputs.
    pub(crate) fn step<'a>(&'a self, action: &'a Action, with: &[(&str, &str)]) -> Step<'a> {
        let known = &action.definition.inputs;
        for (name, _) in with {
            assert!(known.contains_key(*name), "action.yml has no input `{name}`");
        }
        let with = with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Step::new(self, action, with.collect())
    }
}

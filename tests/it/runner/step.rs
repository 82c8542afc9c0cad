//! One step: its stages as processes, watched and canceled as the runner does.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::definition::evaluated;
use super::log::{Log, Masks};
use super::{Action, Job, files};
use crate::support::{eventually, signal, tools};

/// After a cancellation: how long an action has after SIGINT, and then after SIGTERM, before everything is
/// killed (`ProcessInvoker`: `SigintTimeout`, `SigtermTimeout`).
const AFTER_SIGINT: Duration = Duration::from_millis(7_500);
const AFTER_SIGTERM: Duration = Duration::from_millis(2_500);

/// How long anything may take before the test gives up.
const LONG: Duration = Duration::from_secs(60);

/// How long the dead of a process group may be counted among it.
const BURIAL: Duration = Duration::from_secs(5);

/// A step of a job.
pub(crate) struct Step<'a> {
    job: &'a Job,
    action: &'a Action,
    with: BTreeMap<String, String>,
    state: BTreeMap<String, String>,
    /// The files it writes, of each stage.
    folder: PathBuf,
}

/// What ended a canceled stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    Interrupted,
    Terminated,
    Killed,
}

/// A stage that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: Log,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) state: BTreeMap<String, String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) summary: String,
}

impl Ended {
    /// The stage, which must have ended with this code and printed nothing that was masked.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{:#?}", self.log.raw);
        assert!(self.log.leaks.is_empty(), "{:#?}", self.log.raw);
        self
    }

    /// One of its outputs.
    #[track_caller]
    pub(crate) fn output(&self, name: &str) -> &str {
        let found = self.outputs.get(name).map(String::as_str);
        found.unwrap_or_else(|| panic!("no output `{name}` in {:?}", self.outputs))
    }
}

/// A stage that goes on.
pub(crate) struct Running {
    child: Child,
    group: String,
    log: Arc<Mutex<Log>>,
    heard: Arc<Notify>,
    readers: JoinSet<()>,
    files: PathBuf,
}

impl<'a> Step<'a> {
    pub(super) fn new(job: &'a Job, action: &'a Action, with: BTreeMap<String, String>) -> Self {
        let folder = job.at("temp/_runner_file_commands");
        fs::create_dir_all(&folder).unwrap();
        Self { job, action, with, state: BTreeMap::new(), folder }
    }

    /// Starts the main stage.
    pub(crate) fn start(&self) -> Running {
        self.start_stage("main")
    }

    /// Runs the main stage to its end, and keeps its state.
    pub(crate) async fn main(&mut self) -> Ended {
        let ended = self.start().end().await;
        self.keep(&ended);
        ended
    }

    /// Keeps the state that its main stage left.
    pub(crate) fn keep(&mut self, main: &Ended) {
        self.state.clone_from(&main.state);
    }

    /// Its main stage was begun, and was killed before it could keep more.
    pub(crate) fn began(&mut self) {
        self.state = [("shim".to_owned(), "started".to_owned())].into();
    }

    /// Runs the post stage to its end.
    pub(crate) async fn post(&self) -> Ended {
        self.start_stage("post").end().await
    }

    /// Starts a stage.
    pub(crate) fn start_stage(&self, stage: &str) -> Running {
        let mut command = Command::new(tools::node());
        command.arg(self.action.folder.join(&self.action.definition.runs[stage]));
        self.started(command, stage)
    }

    /// Starts a stage as a plain step does: the binary without the shim.
    pub(crate) fn start_bare(&self, stage: &str) -> Running {
        let mut command = Command::new(self.action.binary());
        command.arg(stage);
        self.started(command, stage)
    }

    /// Inputs are evaluated anew for each stage.
    fn started(&self, mut command: Command, stage: &str) -> Running {
        let files = tempfile::tempdir_in(&self.folder).unwrap().keep();
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(&*self.job.variables.lock().unwrap());
        let contexts = self.job.contexts.lock().unwrap();
        for (name, default) in &self.action.definition.inputs {
            let value =
                self.with.get(name).map_or_else(|| evaluated(default, &contexts), String::clone);
            command.env(format!("INPUT_{}", name.to_uppercase().replace(' ', "_")), value);
        }
        if stage != "main" {
            command.envs(self.state.iter().map(|(name, value)| (format!("STATE_{name}"), value)));
        }
        for name in ["OUTPUT", "STATE", "STEP_SUMMARY", "ENV", "PATH"] {
            let file = files.join(name);
            fs::write(&file, "").unwrap();
            command.env(format!("GITHUB_{name}"), file);
        }
        command.current_dir(self.job.at("workspace")).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::watching(command.spawn().unwrap(), files, &self.job.masks)
    }

    /// Everything that was masked in the job.
    pub(crate) fn masked(&self) -> Vec<String> {
        self.job.masks.all()
    }
}

impl Running {
    fn watching(mut child: Child, files: PathBuf, masks: &Arc<Masks>) -> Self {
        let (log, heard) = (Arc::<Mutex<Log>>::default(), Arc::<Notify>::default());
        let mut readers = JoinSet::new();
        let out = child.stdout.take().unwrap();
        readers.spawn(reading(out, Arc::clone(&log), Arc::clone(masks), Arc::clone(&heard)));
        let err = child.stderr.take().unwrap();
        readers.spawn(reading(err, Arc::clone(&log), Arc::clone(masks), Arc::clone(&heard)));
        let group = format!("-{}", child.id().unwrap());
        Self { child, group, log, heard, readers, files }
    }

    /// Until a line holds this.
    pub(crate) async fn says(&self, part: &str) {
        let said = async {
            loop {
                let heard = self.heard.notified();
                if self.log.lock().unwrap().raw.iter().any(|line| line.contains(part)) {
                    return;
                }
                heard.await;
            }
        };
        let told = tokio::time::timeout(LONG, said).await;
        assert!(told.is_ok(), "`{part}` is not said: {:#?}", self.log.lock().unwrap().raw);
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Ended {
        let status = tokio::time::timeout(LONG, self.child.wait()).await;
        let Ok(status) = status else {
            panic!("it does not end: {:#?}", self.log.lock().unwrap().raw)
        };
        self.ended(status.unwrap()).await
    }

    /// Sends the process that was started, and none that it started, a signal.
    pub(crate) async fn signal(&self, name: &str) {
        let entry = self.child.id().expect("it has ended").to_string();
        assert!(signal(name, &entry).await, "signal {name} cannot be sent");
    }

    /// Cancels it: SIGINT to the process that was started, after 7.5 s SIGTERM, after 2.5 s more the end of
    /// everything.
    pub(crate) async fn cancel(mut self) -> (Stopped, Ended) {
        self.signal("INT").await;
        if let Ok(status) = tokio::time::timeout(AFTER_SIGINT, self.child.wait()).await {
            return (Stopped::Interrupted, self.ended(status.unwrap()).await);
        }
        self.signal("TERM").await;
        if let Ok(status) = tokio::time::timeout(AFTER_SIGTERM, self.child.wait()).await {
            return (Stopped::Terminated, self.ended(status.unwrap()).await);
        }
        let status = self.kill().await;
        (Stopped::Killed, self.ended(status).await)
    }

    /// Everything of it is killed at once, also what has a group of its own; what it had written until then.
    pub(crate) async fn killed(mut self) -> Ended {
        let status = self.kill().await;
        self.ended(status).await
    }

    async fn kill(&mut self) -> ExitStatus {
        // Nobody of them finds the others dead and does something about it.
        let entry = self.child.id().expect("it has ended");
        let mut tree = vec![entry];
        let mut known = 0;
        while let Some(parent) = tree.get(known).copied() {
            signal("STOP", &parent.to_string()).await;
            tree.extend(children(parent));
            known += 1;
        }
        // Parents last: a stopped group that loses its parent is sent SIGHUP and goes on.
        for process in tree.into_iter().rev() {
            signal("KILL", &process.to_string()).await;
        }
        self.child.wait().await.unwrap()
    }

    async fn ended(mut self, status: ExitStatus) -> Ended {
        // Whoever was killed may have to be buried yet.
        let is_gone = async || (!signal("0", &self.group).await).then_some(());
        let gone = tokio::time::timeout(BURIAL, eventually("the end of all of it", is_gone)).await;
        assert!(gone.is_ok(), "it left somebody behind: {:#?}", self.log.lock().unwrap().raw);
        while self.readers.join_next().await.is_some() {}
        let text = |name: &str| fs::read_to_string(self.files.join(name)).unwrap();
        let log = self.log.lock().unwrap().clone();
        Ended {
            code: status.code(),
            log,
            outputs: files::read(&text("OUTPUT")),
            state: files::read(&text("STATE")),
            variables: files::read(&text("ENV")),
            summary: text("STEP_SUMMARY"),
        }
    }
}

/// What a test that failed had not ended is ended with it, whole.
impl Drop for Running {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            let mut kill = std::process::Command::new("sh");
            kill.args(["-c", "kill -s KILL -- \"$0\"", &self.group]).stderr(Stdio::null());
            let _ = kill.status();
        }
    }
}

/// The processes that this one has started and that have not ended (`proc(5)`).
fn children(parent: u32) -> Vec<u32> {
    let tasks = format!("/proc/{parent}/task");
    let tasks = fs::read_dir(tasks).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    texts
        .flat_map(|text| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

async fn reading(
    stream: impl AsyncRead + Unpin,
    log: Arc<Mutex<Log>>,
    masks: Arc<Masks>,
    heard: Arc<Notify>,
) {
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        log.lock().unwrap().read(line.trim_end_matches('\r'), &masks);
        heard.notify_waiters();
    }
}

//! One worker process and the pipes to it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{Limits, fits};
use crate::frame::{MAX_ANSWER_BYTES, Order, Reply, framed};
use crate::policy::Revision;
use crate::worker::ARGUMENT;

/// How much of a worker's stderr is kept.
const MAX_STDERR_BYTES: usize = 4 * 1024;
/// How many policies one worker holds before it is replaced.
const MAX_POLICIES: usize = 32;

/// How long a worker that has fallen silent has to be gone.
const GRACE: Duration = Duration::from_millis(50);

/// The signals by which the system ends a process that has had its processor time (signal(7)).
const XCPU: i32 = nix::libc::SIGXCPU;
const KILL: i32 = nix::libc::SIGKILL;

/// How a worker is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Launch {
    /// The running program itself, which must call [`crate::run_if_worker`] first thing in `main`.
    ///
    /// The link names the very file that runs, even when another version has taken its place.
    pub fn this_program() -> Self {
        Self::program("/proc/self/exe")
    }

    /// Another program that calls [`crate::run_if_worker`] first thing in `main`.
    pub fn program(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// With arguments of its own before those of a worker, for a program that is a worker in
    /// another way.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    orders: ChildStdin,
    replies: ChildStdout,
    stderr: ChildStderr,
    said: Vec<u8>,
    policies: BTreeSet<Revision>,
    /// It was given up on while it still ran.
    late: bool,
}

impl Worker {
    pub(super) fn start(launch: &Launch, limits: &Limits) -> Result<Self, String> {
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .arg(ARGUMENT)
            .arg(limits.memory.to_string())
            .arg(limits.processor.to_string())
            .arg(limits.timer.as_millis().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("no worker could be started: {e}"))?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(orders), Some(replies), Some(stderr)) => {
                let (said, policies) = Default::default();
                Ok(Self { child, orders, replies, stderr, said, policies, late: false })
            }
            _ => Err("the worker has no pipes".to_owned()),
        }
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn has(&self, revision: &Revision) -> bool {
        self.policies.contains(revision)
    }

    pub(super) fn loaded(&mut self, revision: &Revision) {
        self.policies.insert(revision.clone());
    }

    /// Whether it can be given another order: it runs, and does not hold all that it may.
    pub(super) fn is_fit(&mut self, revision: &Revision) -> bool {
        let has_room = self.has(revision) || self.policies.len() < MAX_POLICIES;
        has_room && matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends an order and reads the answer.
    ///
    /// # Errors
    /// Why there is none. The worker must not be used again.
    pub(super) async fn obey<P: Serialize, I: Serialize>(
        &mut self,
        order: &Order<P, I>,
        within: Duration,
    ) -> Result<Reply, String> {
        let bytes = framed(order).map_err(|e| format!("the order cannot be written: {e}"))?;
        if !fits(&bytes) {
            return Err("the input is too long".to_owned());
        }
        let (orders, replies) = (&mut self.orders, &mut self.replies);
        let (stderr, said) = (&mut self.stderr, &mut self.said);
        let talk = async {
            orders.write_all(&bytes).await.map_err(|_| "the engine ended without an answer")?;
            orders.flush().await.map_err(|_| "the engine ended without an answer")?;
            read(replies).await
        };
        let told = tokio::time::timeout(within, async {
            tokio::select! {
                reply = talk => reply,
                never = listen(stderr, said) => match never {},
            }
        });
        match told.await {
            Ok(Ok(bytes)) => serde_json::from_slice(&bytes)
                .map_err(|_| "the engine's answer makes no sense".to_owned()),
            Ok(Err(reason)) => Err(reason.to_owned()),
            Err(_) => {
                self.late = true;
                Err(format!("the engine gave no answer within {} ms", within.as_millis()))
            }
        }
    }

    /// Kills it, waits until it is gone, and tells why it ended, where that can be told.
    pub(super) async fn end(mut self) -> Option<String> {
        let ended_itself = match self.late {
            true => None,
            false => tokio::time::timeout(GRACE, self.child.wait()).await.ok().and_then(Result::ok),
        };
        let _ = self.child.kill().await;
        let rest = drain(&mut self.stderr, &mut self.said);
        let _ = tokio::time::timeout(GRACE, rest).await;
        let status = ended_itself.filter(|status| !status.success())?;
        Some(why(status, &String::from_utf8_lossy(&self.said)))
    }
}

/// Why a worker ended, in words that are the same each time: requesters read them, and they are
/// recorded. What the worker itself says names threads and sizes.
fn why(status: ExitStatus, said: &str) -> String {
    let known = [
        ("memory allocation of", "the engine needed more memory than it may have"),
        ("has overflowed its stack", "the engine went deeper than it may"),
    ];
    if let Some((_, why)) = known.iter().find(|(sign, _)| said.contains(sign)) {
        return (*why).to_owned();
    }
    if let Some(line) = said.lines().find(|line| line.starts_with("the worker ")) {
        return line.chars().take(200).collect();
    }
    match status.signal() {
        Some(XCPU | KILL) => "the engine took more processor time than it may".to_owned(),
        Some(_) | None => format!("the engine ended without an answer ({status})"),
    }
}

async fn read(replies: &mut ChildStdout) -> Result<Vec<u8>, &'static str> {
    let length = replies.read_u32().await.map_err(|_| "the engine ended without an answer")?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ANSWER_BYTES {
        return Err("the engine's answer is too long");
    }
    let mut bytes = vec![0; length];
    replies.read_exact(&mut bytes).await.map_err(|_| "the engine ended within its answer")?;
    Ok(bytes)
}

/// Keeps what a worker says on stderr, for as long as it is polled.
async fn listen(stderr: &mut ChildStderr, said: &mut Vec<u8>) -> Infallible {
    drain(stderr, said).await;
    std::future::pending().await
}

/// Reads what a worker says on stderr until it says no more, and keeps the beginning.
async fn drain(stderr: &mut (impl AsyncRead + Unpin), said: &mut Vec<u8>) {
    let mut bytes = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut bytes).await {
        let room = MAX_STDERR_BYTES.saturating_sub(said.len()).min(read);
        said.extend(bytes.get(..room).unwrap_or_default());
    }
}

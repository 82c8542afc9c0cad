//! One worker process and the pipes to it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
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

    pub(super) fn is_full(&self) -> bool {
        self.policies.len() >= MAX_POLICIES
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
            orders.write_all(&bytes).await.map_err(|_| "the worker ended")?;
            orders.flush().await.map_err(|_| "the worker ended")?;
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
                .map_err(|_| "the worker's answer makes no sense".to_owned()),
            Ok(Err(reason)) => Err(reason.to_owned()),
            Err(_) => {
                self.late = true;
                Err(format!("no answer within {} ms", within.as_millis()))
            }
        }
    }

    /// Kills it, waits until it is gone, and tells how it ended and what it said last.
    pub(super) async fn end(mut self) -> String {
        let ended_itself = match self.late {
            true => None,
            false => tokio::time::timeout(GRACE, self.child.wait()).await.ok().and_then(Result::ok),
        };
        let _ = self.child.kill().await;
        let rest = drain(&mut self.stderr, &mut self.said);
        let _ = tokio::time::timeout(GRACE, rest).await;
        let said = String::from_utf8_lossy(&self.said);
        let last = said
            .lines()
            .rfind(|line| !line.trim().is_empty() && !line.starts_with("note: "))
            .unwrap_or_default();
        let mut told: Vec<String> =
            ended_itself.map(|status| status.to_string()).into_iter().collect();
        told.extend((!last.is_empty()).then(|| last.chars().take(200).collect()));
        told.join(": ")
    }
}

async fn read(replies: &mut ChildStdout) -> Result<Vec<u8>, &'static str> {
    let length = replies.read_u32().await.map_err(|_| "the worker ended without an answer")?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_ANSWER_BYTES {
        return Err("the worker's answer is too long");
    }
    let mut bytes = vec![0; length];
    replies.read_exact(&mut bytes).await.map_err(|_| "the worker ended within its answer")?;
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

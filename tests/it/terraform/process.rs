//! The three programs: where they are, and how one of them is run.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

pub(super) use crate::support::{eventually, signal};

/// How long anything may take before the test gives up.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// A program that was built before the tests: named by a variable, or beside the tests.
#[expect(clippy::disallowed_methods, reason = "where a program is, is said in the environment")]
pub(super) fn built(variable: &str, name: &str, package: &str) -> PathBuf {
    if let Ok(said) = std::env::var(variable) {
        return PathBuf::from(said);
    }
    let here = std::env::current_exe().unwrap();
    // target/PROFILE/deps/it-…
    let profile = here.parent().and_then(Path::parent).unwrap();
    let file = profile.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        file.is_file(),
        "`{name}` is missing: run `cargo build -p {package}`, or set {variable}"
    );
    file
}

/// The `assent` binary.
pub(super) fn assent() -> PathBuf {
    built("ASSENT_BIN", "assent", "assent-cli")
}

/// The provider.
pub(super) fn provider() -> PathBuf {
    built("ASSENT_PROVIDER_BIN", "terraform-provider-assent", "assent-provider")
}

/// A finished run.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    /// What it printed, each run of spaces and line ends as one space: terraform wraps its lines.
    pub(super) said: String,
}

impl Ran {
    /// The run, which must have ended with this code.
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.said);
        self
    }

    /// The run, which must have said all of this.
    #[track_caller]
    pub(super) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.said.contains(part), "`{part}` is not in: {}", self.said);
        }
        self
    }

    /// The run, which must have said this neither twice nor never.
    #[track_caller]
    pub(super) fn says_once(self, part: &str) -> Self {
        assert_eq!(self.said.matches(part).count(), 1, "`{part}` in: {}", self.said);
        self
    }

    /// The run, which must have said none of this.
    #[track_caller]
    pub(super) fn never_says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(!self.said.contains(part), "`{part}` is in: {}", self.said);
        }
        self
    }
}

/// A run that goes on.
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it in a process group of its own, printing into this file.
    #[track_caller]
    pub(super) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = OpenOptions::new().create_new(true).append(true).open(&log).unwrap();
        let program = command.as_std().get_program().display().to_string();
        let started = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let child = started.unwrap_or_else(|error| {
            panic!(
                "`{program}` is missing or cannot be run ({error}): install it and have it in PATH"
            )
        });
        Self { child, log }
    }

    /// Waits for its end.
    pub(super) async fn end(mut self) -> Ran {
        let status = tokio::time::timeout(LONG, self.child.wait()).await;
        let Ok(status) = status else { panic!("it does not end: {}", self.said()) };
        let status: ExitStatus = status.unwrap();
        Ran { code: status.code(), said: self.said() }
    }

    /// What it has printed so far.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Sends it, and nobody else in its group, a signal: `INT`, `KILL`.
    pub(super) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it has ended");
        assert!(signal(name, &pid.to_string()).await, "signal {name} cannot be sent");
    }

    /// Sends everybody in its group a signal, as a terminal does.
    pub(super) async fn signal_group(&self, name: &str) {
        let pid = self.child.id().expect("it has ended");
        assert!(signal(name, &format!("-{pid}")).await, "signal {name} cannot be sent");
    }
}

//! `assent` as people type it, and what it did.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

use super::program;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Did {
    pub(crate) code: Option<i32>,
    /// What it printed on stdout.
    pub(crate) data: String,
    /// And on stderr.
    pub(crate) talk: String,
}

impl Did {
    /// What was done, which must have ended with this code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The data, which must be JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The data's lines, each run of spaces as one.
    pub(crate) fn lines(&self) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.data.lines().map(words).collect()
    }
}

/// Commands of a guide, as a shell of these arguments runs them: in this folder, which is its home, with
/// `assent` to be found and nothing else of this machine's settings.
pub(crate) fn shell(program_and_arguments: &[&str], folder: &Path) -> Command {
    let assent = super::program();
    let mut places = vec![assent.parent().unwrap().to_owned()];
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let path = std::env::join_paths(places).unwrap();
    let mut shell = Command::new(program_and_arguments[0]);
    shell.args(&program_and_arguments[1..]).current_dir(folder).env_clear().env("PATH", path);
    shell.env("HOME", folder).stdin(Stdio::null()).kill_on_drop(true);
    shell
}

/// `assent` with these words, by whoever has this token at this server.
pub(crate) async fn assent(base: &str, token: &str, words: &[&str]) -> Did {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(program());
    command.args(words).env_clear().env("HOME", home.path()).stdin(Stdio::null());
    command.env("ASSENT_URL", base).env("ASSENT_TOKEN", token).kill_on_drop(true);
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Did { code: status.code(), data: text(stdout), talk: text(stderr) }
}

/// Sends a process a signal; `0` asks whether it is there.
pub(crate) async fn signal(name: &str, pid: &str) -> bool {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$0\" -- \"$1\"", name, pid]).stderr(Stdio::null());
    kill.status().await.unwrap().success()
}

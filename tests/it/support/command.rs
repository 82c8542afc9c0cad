//! `assent` as people type it, and what it did.

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

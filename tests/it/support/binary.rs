//! The real `assent` binary, run as its users run it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{Caller, fresh_key};

/// A running `assent serve --dev`.
pub(crate) struct Binary {
    child: Child,
    pub(crate) base: String,
    /// Of the people of `--dev`, by name; they are told at the first start on a directory.
    pub(crate) tokens: BTreeMap<String, String>,
    /// For the first administrator, where there is none and nobody else either.
    code: Option<String>,
}

/// Whom it begins with.
#[derive(Clone, Copy, Debug)]
enum Begun {
    /// Three people to try things with, and no administrator.
    Dev,
    /// Nobody: a code lets the first administrator in.
    Bare,
}

/// Where the `assent` binary is.
#[expect(clippy::disallowed_methods, reason = "where the binary is, is said in the environment")]
pub(crate) fn program() -> PathBuf {
    if let Ok(said) = std::env::var("ASSENT_BIN") {
        return PathBuf::from(said);
    }
    let here = std::env::current_exe().unwrap();
    // target/PROFILE/deps/it-…
    let profile = here.parent().and_then(Path::parent).unwrap();
    let target = profile.parent().unwrap();
    let name = format!("assent{}", std::env::consts::EXE_SUFFIX);
    let places =
        [profile.join(&name), target.join("release").join(&name), target.join("debug").join(&name)];
    let found = places.iter().find(|place| place.is_file()).cloned();
    found.unwrap_or_else(|| {
        panic!("the `assent` binary is missing: run `cargo build -p assent-cli`, or set ASSENT_BIN")
    })
}

/// How often a loop that kills the server does so.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a run shall be, is said in the environment"
)]
pub(crate) fn cycles(default: usize) -> usize {
    std::env::var("ASSENT_CRASH_CYCLES").map_or(default, |text| text.parse().unwrap())
}

/// A directory of policy at this place, which holds this document.
pub(crate) fn policy_in(folder: &Path, text: &str) {
    std::fs::create_dir(folder).unwrap();
    std::fs::write(folder.join("policy.yaml"), text).unwrap();
}

impl Binary {
    /// Starts it on these directories and waits until it answers.
    pub(crate) async fn start(data: &Path, policy: &Path) -> Self {
        Self::start_with(data, policy, &[]).await
    }

    /// The same at this place.
    pub(crate) async fn start_at(place: SocketAddr, data: &Path, policy: &Path) -> Self {
        Self::start_listening(&place.to_string(), Begun::Dev, data, policy, &[]).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_at_with(
        place: SocketAddr,
        data: &Path,
        policy: &Path,
        more: &[&Path],
    ) -> Self {
        Self::start_listening(&place.to_string(), Begun::Dev, data, policy, more).await
    }

    /// The same, where others find it at this URL.
    pub(crate) async fn start_behind(
        place: SocketAddr,
        url: &str,
        data: &Path,
        policy: &Path,
    ) -> Self {
        let more = [Path::new("--public-url"), Path::new(url)];
        Self::start_listening(&place.to_string(), Begun::Dev, data, policy, &more).await
    }

    /// The same with more arguments.
    pub(crate) async fn start_with(data: &Path, policy: &Path, more: &[&Path]) -> Self {
        Self::start_listening("127.0.0.1:0", Begun::Dev, data, policy, more).await
    }

    /// The same on a new directory, with an administrator, `root`, whose token this gives too.
    pub(crate) async fn start_governed(
        data: &Path,
        policy: &Path,
        more: &[&Path],
    ) -> (Self, String) {
        let bare = Self::start_listening("127.0.0.1:0", Begun::Bare, data, policy, more);
        let mut bare = bare.await;
        let code = bare.code.take().expect("there is an administrator already");
        let nobody = Caller::new(&bare.base, None);
        let root = nobody.client.bootstrap(&code, "root", &fresh_key()).await.unwrap();
        bare.kill().await;
        // A server keeps the people of `--dev` out of a ledger that is meant; this one is not.
        std::fs::write(data.join("made-for-dev"), "for tests\n").unwrap();
        (Self::start_with(data, policy, more).await, root.token)
    }

    async fn start_listening(
        place: &str,
        begun: Begun,
        data: &Path,
        policy: &Path,
        more: &[&Path],
    ) -> Self {
        let mut command = Command::new(program());
        command
            .args(["serve", "--listen", place, "--output", "json"])
            .args(matches!(begun, Begun::Dev).then_some("--dev"))
            .arg("--data")
            .arg(data)
            .arg("--policy")
            .arg(policy)
            .args(more)
            // Tests open its ledger beside it.
            .env("ASSENT_SEALING_KEY", super::SEALING_KEY)
            .env("ASSENT_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut tokens, mut code) = (BTreeMap::new(), None);
        let begun = async {
            loop {
                let line = lines.next_line().await.unwrap();
                let line = line.expect("`assent serve` ended before it answered");
                let said: Value = serde_json::from_str(&line).unwrap();
                let text = |name: &str| said[name].as_str().unwrap().to_owned();
                match said["type"].as_str() {
                    Some("dev_token") => drop(tokens.insert(text("name"), text("token"))),
                    Some("bootstrap") => code = Some(text("code")),
                    Some("listening") => return text("url"),
                    _ => {}
                }
            }
        };
        let waiting = tokio::time::timeout(Duration::from_secs(60), begun);
        let base = waiting.await.expect("`assent serve` does not say that it listens");
        Self { child, base, tokens, code }
    }

    /// Somebody of `--dev`.
    pub(crate) fn person(&self, name: &str) -> Caller {
        self.holder_of(&self.tokens[name])
    }

    /// Whoever has this token.
    pub(crate) fn holder_of(&self, token: &str) -> Caller {
        Caller::new(&self.base, Some(token))
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }
}

//! `assent watch`: a table on a terminal, lines anywhere else.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::world::filed;
use crate::support::{Server, approve, program};

fn watch(server: &Server, token: &str, home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("watch").args(words).env_clear().env("HOME", home);
    command.env("ASSENT_URL", server.base()).env("ASSENT_TOKEN", token).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The next line of what it prints.
async fn line(lines: &mut tokio::io::Lines<BufReader<tokio::process::ChildStdout>>) -> String {
    let next = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    next.expect("it prints nothing").unwrap().expect("it ended")
}

fn lines(child: &mut Child) -> tokio::io::Lines<BufReader<tokio::process::ChildStdout>> {
    BufReader::new(child.stdout.take().unwrap()).lines()
}

#[tokio::test]
async fn each_change_of_what_waits_for_me_is_one_line() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let first = filed(&server, "one", "there already").await;
    let mut child = watch(&server, bob.token(), home.path(), &["-o", "json"]).spawn().unwrap();
    let mut printed = lines(&mut child);
    let json = |line: String| -> (String, String, String) {
        let value: Value = serde_json::from_str(&line).unwrap();
        let text = |at: &str| value.pointer(at).unwrap().as_str().unwrap().to_owned();
        (text("/change"), text("/request/id"), text("/request/state"))
    };
    let told =
        |change: &str, id: &str, state: &str| (change.to_owned(), id.to_owned(), state.to_owned());
    assert_eq!(json(line(&mut printed).await), told("waits", &first.id, "pending"));
    let second = filed(&server, "production", "comes later").await;
    assert_eq!(json(line(&mut printed).await), told("waits", &second.id, "pending"));
    approve(&carol, &second).await.unwrap();
    assert_eq!(json(line(&mut printed).await), told("changed", &second.id, "pending"));
    approve(&carol, &first).await.unwrap();
    assert_eq!(json(line(&mut printed).await), told("over", &first.id, "approved"));
}

#[tokio::test]
async fn without_json_a_line_is_for_people_and_all_is_what_is_open() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let request = filed(&server, "staging", "resize\u{202e}").await;
    let alice = server.person("alice").await;
    let mut child = watch(&server, alice.token(), home.path(), &["--all"]).spawn().unwrap();
    let told = line(&mut lines(&mut child)).await;
    assert!(
        told.starts_with(&format!("waits {} approved alice wants to do", request.id)),
        "{told}"
    );
    assert!(!told.contains('\u{202e}'), "{told:?}");
}

#[tokio::test]
async fn a_desktop_is_told_of_what_newly_waits_and_of_nothing_else() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let bob = server.person("bob").await;
    let told = home.path().join("told");
    let program = home.path().join("notify-send");
    std::fs::write(&program, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> {}\n", told.display()))
        .unwrap();
    let mut mode = std::fs::metadata(&program).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    filed(&server, "one", "there already").await;
    let mut command = watch(&server, bob.token(), home.path(), &["--notify"]);
    let path = format!("{}:/usr/bin:/bin", home.path().display());
    let mut child = command.env("PATH", path).spawn().unwrap();
    let mut printed = lines(&mut child);
    line(&mut printed).await;
    filed(&server, "one", "comes later").await;
    line(&mut printed).await;
    let text = std::fs::read_to_string(&told).unwrap();
    assert!(text.contains("Approval wanted") && text.contains("comes later"), "{text}");
    assert!(!text.contains("there already"), "{text}");
}

/// On a terminal, as `script` makes one: a table that is given back with q.
#[tokio::test]
async fn a_terminal_shows_a_table_until_q_and_gets_its_screen_back() {
    let server = Server::start().await;
    let home = tempfile::tempdir().unwrap();
    let bob = server.person("bob").await;
    filed(&server, "one", "first").await;
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{} watch", program().display()), "/dev/null"]);
    command.env("HOME", home.path()).env("ASSENT_URL", server.base()).env("NO_COLOR", "1");
    command.env("ASSENT_TOKEN", bob.token()).env("TERM", "xterm").kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut shown = String::new();
    let mut until = async |what: &str| {
        let look = async {
            let mut bytes = [0; 4096];
            while !shown.contains(what) {
                let count = screen.read(&mut bytes).await.unwrap();
                assert!(count > 0, "it ended: {shown:?}");
                shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(30), look).await;
        seen.unwrap_or_else(|_| panic!("no `{what}` in {shown:?}"));
    };
    until("\u{1b}[?1049h").await;
    until("1 waiting for you").await;
    until("alice          first").await;
    filed(&server, "one", "second").await;
    until("2 waiting for you").await;
    child.stdin.as_mut().unwrap().write_all(b"q").await.unwrap();
    until("\u{1b}[?1049l").await;
    let status = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
    assert!(status.unwrap().unwrap().success());
    assert!(!shown.contains("\u{1b}[1m") && !shown.contains("\u{1b}[33m"), "NO_COLOR: {shown:?}");
}

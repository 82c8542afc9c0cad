//! The action in a container: the same inputs and outputs, and stages that are the binary itself.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use tokio::process::Command;

use crate::runner::{Definition, root, yaml};

#[test]
fn the_container_takes_and_gives_what_the_action_does() {
    let files = ["action.yml", "container/action.yml"].map(|file| root().join("action").join(file));
    let [action, said] = files.each_ref().map(|file| yaml(&fs::read_to_string(file).unwrap()));
    // With what is said of each.
    assert_eq!(action["inputs"], said["inputs"]);
    assert_eq!(action["outputs"], said["outputs"]);
    let container = Definition::read(&files[1]);
    assert_eq!(container.runs["using"], "docker");
    let image = fs::read_to_string(root().join("action/container/Dockerfile")).unwrap();
    for (stage, entry) in
        [("pre-entrypoint", "pre"), ("entrypoint", "main"), ("post-entrypoint", "post")]
    {
        assert_eq!(container.runs[stage], format!("/usr/local/bin/{entry}.sh"));
        assert!(image.contains(&format!(" {entry}.sh")), "{entry}.sh is not in the image");
    }
}

/// A shell that stayed would sit out the signals of a cancellation.
#[tokio::test]
async fn the_binary_takes_the_place_of_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("assent-action");
    fs::write(&binary, "#!/bin/sh\necho \"$$ $* $RUNNER_TEMP\"\n").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let usual = std::env::var_os("PATH").unwrap();
    let path = format!("{}:{}", folder.path().display(), usual.display());
    for stage in ["main", "post"] {
        let script = root().join(format!("action/container/{stage}.sh"));
        let mut command = Command::new(script);
        command.env("PATH", &path).env("HOME", "/github/home").stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let id = child.id().unwrap();
        let said = child.wait_with_output().await.unwrap().stdout;
        assert_eq!(String::from_utf8(said).unwrap(), format!("{id} {stage} /github/home\n"));
    }
}

#[tokio::test]
async fn a_job_without_a_token_is_told_before_its_first_step() {
    let script = root().join("action/container/pre.sh");
    for (url, warns) in [("", true), ("https://token.example", false)] {
        let mut command = Command::new(&script);
        let said = command.env("ACTIONS_ID_TOKEN_REQUEST_URL", url).output().await.unwrap();
        let text = String::from_utf8(said.stdout).unwrap();
        assert!(said.status.success());
        assert_eq!(text.contains("::warning") && text.contains("id-token: write"), warns, "{text}");
    }
}

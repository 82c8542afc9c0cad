//! The shim, with something in place of the binary: what it runs, what it refuses to run, and that it
//! passes everything on.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::runner::{Action, Job, Stopped};
use crate::support::{Reply, StandIn, Ways};

const NOTHING: [(&str, &str); 1] = [("url", "https://assent.example.com")];
const PLATFORM: &str = "linux-x64";

/// An action whose binary is a script, in a folder of its own.
struct Shipped {
    folder: TempDir,
    action: Action,
}

impl Shipped {
    fn with(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("built");
        program(&binary, script);
        let action = Action::packaged(&binary, &folder.path().join("action"));
        Self { folder, action }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.action.folder.join(name)
    }

    fn binary(&self) -> PathBuf {
        self.at("bin").join(PLATFORM).join("assent-action")
    }

    /// Changes what its release says.
    fn release(&self, change: impl FnOnce(&mut Value)) {
        let mut release =
            serde_json::from_slice(&fs::read(self.at("release.json")).unwrap()).unwrap();
        change(&mut release);
        fs::write(self.at("release.json"), release.to_string()).unwrap();
    }

    /// Its binary is not in it any more, and is to be had from here.
    fn is_at(&self, base: &str) {
        fs::remove_dir_all(self.at("bin")).unwrap();
        self.release(|release| release["base"] = json!(base));
    }

    /// A file that a script of it makes when it is run.
    fn mark(&self) -> PathBuf {
        self.folder.path().join("was-run")
    }
}

fn program(place: &Path, script: &str) {
    fs::write(place, format!("#!/usr/bin/env bash\n{script}\n")).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What a place for releases answers: this text, for what is asked of it.
async fn releases(body: String) -> StandIn {
    StandIn::start(move |_| {
        let body = body.clone();
        Box::pin(async move { Reply::new(200, body) })
    })
    .await
}

#[tokio::test]
async fn the_binary_gets_what_the_runner_gives() {
    let shipped = Shipped::with(
        "echo \"stage: $*\"; pwd; env | grep -a '^INPUT_PLAN-FILE=\\|^INPUT_GITHUB-TOKEN=\\|^GITHUB_SHA='\n\
         printf 'a=b\\n' >>\"$GITHUB_OUTPUT\"; echo '# Asked' >>\"$GITHUB_STEP_SUMMARY\"; echo told >&2",
    );
    let job = Job::new();
    let mut step = job.step(&shipped.action, &[("plan-file", "out of.tfplan")]);
    let ended = step.main().await.exits(0);
    let text = ended.log.text();
    let workspace = job.at("workspace").canonicalize().unwrap();
    for wanted in [
        "stage: main",
        workspace.to_str().unwrap(),
        "INPUT_PLAN-FILE=out of.tfplan",
        "INPUT_GITHUB-TOKEN=ghs_thisjobs",
        "GITHUB_SHA=8f4b7f8",
        "told",
    ] {
        assert!(text.contains(wanted), "`{wanted}` is not in {text}");
    }
    assert_eq!((ended.output("a"), ended.summary.as_str()), ("b", "# Asked\n"));
    // Nothing of it is left for later steps.
    let left = fs::read_dir(job.at("temp")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["_runner_file_commands"]);
}

#[tokio::test]
async fn it_ends_as_the_binary_ends() {
    for (script, code) in [("exit 0", 0), ("exit 5", 5), ("kill -KILL $$", 137)] {
        let shipped = Shipped::with(script);
        Job::new().step(&shipped.action, &NOTHING).main().await.exits(code);
    }
}

#[tokio::test]
async fn post_says_post_and_finds_what_main_kept() {
    let script = "echo \"$1 $STATE_request ${INPUT_JOB-STATUS}\"; printf 'request=req_1\\n' >>\"$GITHUB_STATE\"";
    // No variable of bash has a dash in its name.
    let script = script.replace("${INPUT_JOB-STATUS}", "$(env | grep -a ^INPUT_JOB-STATUS=)");
    let shipped = Shipped::with(&script);
    let job = Job::new();
    let mut step = job.step(&shipped.action, &NOTHING);
    assert_eq!(step.main().await.exits(0).log.text(), "main  INPUT_JOB-STATUS=success");
    job.context("job.status", "cancelled");
    assert_eq!(step.post().await.exits(0).log.text(), "post req_1 INPUT_JOB-STATUS=cancelled");
}

#[tokio::test]
async fn post_does_nothing_where_main_never_ran_anything() {
    let shipped = Shipped::with("echo ran");
    let job = Job::new();
    let mut step = job.step(&shipped.action, &NOTHING);
    let listed = fs::read(shipped.at("release.json")).unwrap();
    shipped.release(|release| release["binaries"] = json!({}));
    step.main().await.exits(3);
    fs::write(shipped.at("release.json"), listed).unwrap();
    assert!(step.post().await.exits(0).log.raw.is_empty());
}

#[tokio::test]
async fn a_cancellation_reaches_the_binary_first() {
    let script = "trap 'echo heard; kill $!; exit 7' INT; sleep 60 & echo ready; wait";
    let shipped = Shipped::with(script);
    let job = Job::new();
    for stage in ["main", "post"] {
        let mut step = job.step(&shipped.action, &NOTHING);
        if stage == "post" {
            step.began();
        }
        let running = step.start_stage(stage);
        running.says("ready").await;
        let (by, ended) = running.cancel().await;
        assert_eq!(by, Stopped::Interrupted);
        assert_eq!(ended.exits(7).log.text(), "ready\nheard");
    }
}

/// The runner's own timing, to its end: this takes ten seconds.
#[tokio::test]
async fn every_signal_reaches_a_binary_that_stays() {
    let script =
        "trap 'echo INT' INT; trap 'echo TERM' TERM; echo ready; while :; do sleep 0.1; done";
    let shipped = Shipped::with(script);
    let job = Job::new();
    let running = job.step(&shipped.action, &NOTHING).start();
    running.says("ready").await;
    let (by, ended) = running.cancel().await;
    assert_eq!(by, Stopped::Killed);
    assert_eq!(ended.log.text(), "ready\nINT\nTERM");
}

#[tokio::test]
async fn a_binary_that_is_not_the_listed_one_is_not_run() {
    let shipped = Shipped::with("echo ran");
    program(&shipped.binary(), &format!("touch {}", shipped.mark().display()));
    let job = Job::new();
    let mut step = job.step(&shipped.action, &NOTHING);
    let ended = step.main().await.exits(3);
    let [(level, said)] = ended.log.annotations()[..] else { panic!("{:?}", ended.log) };
    assert!(level == "error" && said.contains("SHA-256") && said.contains("was not run"), "{said}");
    assert!(!shipped.mark().exists());
    step.post().await.exits(0);
    assert!(!shipped.mark().exists());
}

#[tokio::test]
async fn where_nothing_is_listed_for_the_platform_it_says_so() {
    let shipped = Shipped::with("touch /nowhere/was-run");
    for (binaries, others) in [
        (json!({}), "none: this is not a release"),
        (
            json!({"darwin-arm64": {"file": "a", "sha256": "b"}, "win32-x64": {}}),
            "darwin-arm64, win32-x64",
        ),
    ] {
        shipped.release(|release| release["binaries"] = binaries);
        let ended = Job::new().step(&shipped.action, &NOTHING).main().await.exits(3);
        let said = ended.log.annotations()[0].1;
        assert!(said.contains("lists no binary for linux-x64") && said.contains(others), "{said}");
        assert_eq!(ended.output("outcome"), "unreachable");
    }
}

#[tokio::test]
async fn a_release_that_is_not_as_it_was_made_is_not_followed() {
    let shipped = Shipped::with("echo ran");
    let changes: [(&str, Value); 4] = [
        ("/binaries/linux-x64/sha256", json!("")),
        ("/binaries/linux-x64/sha256", json!("A".repeat(64))),
        ("/binaries/linux-x64/file", json!("../../other/x")),
        ("/version", json!("../..")),
    ];
    let listed = fs::read(shipped.at("release.json")).unwrap();
    for (place, value) in changes {
        shipped.release(|release| *release.pointer_mut(place).unwrap() = value.clone());
        let ended = Job::new().step(&shipped.action, &NOTHING).main().await.exits(3);
        assert!(
            ended.log.annotations()[0].1.contains("cannot be read"),
            "{place}: {:?}",
            ended.log
        );
        fs::write(shipped.at("release.json"), &listed).unwrap();
    }
}

#[tokio::test]
async fn no_variable_says_what_is_run() {
    let shipped = Shipped::with("echo ours");
    let job = Job::new();
    let other = job.at("home/assent-action");
    program(&other, "echo theirs");
    fs::create_dir_all(job.at("tools/assent-action/0.1.0/linux-x64")).unwrap();
    fs::copy(&other, job.at("tools/assent-action/0.1.0/linux-x64/assent-action")).unwrap();
    let there = other.display().to_string();
    for name in
        ["ASSENT_ACTION_BINARY", "ASSENT_BIN", "ASSENT_ACTION", "INPUT_BINARY", "STATE_binary"]
    {
        job.set(name, &there);
    }
    let usual = std::env::var_os("PATH").unwrap();
    job.set("PATH", &format!("{}:{}", job.at("home").display(), usual.display()));
    assert_eq!(job.step(&shipped.action, &NOTHING).main().await.exits(0).log.text(), "ours");
    shipped.release(|release| release["binaries"] = json!({}));
    assert!(job.step(&shipped.action, &NOTHING).main().await.exits(3).log.shown.is_empty());
}

#[tokio::test]
async fn a_binary_is_downloaded_checked_and_kept_for_the_next_job() {
    let shipped = Shipped::with("echo downloaded");
    let releases = releases(fs::read_to_string(shipped.binary()).unwrap()).await;
    shipped.is_at(&format!("{}/v0.1.0", releases.url));
    let job = Job::new();
    for _ in 0..2 {
        let ended = job.step(&shipped.action, &NOTHING).main().await.exits(0);
        assert_eq!(ended.log.text(), "downloaded");
    }
    let asked = releases.asked();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(asked.path, "/v0.1.0/assent-action_0.1.0_linux-x64");
    assert!(asked.header("authorization").is_empty());

    // Whoever could write there changed it: it is not run, and had anew.
    let kept = job.at("tools/assent-action/0.1.0/linux-x64/assent-action");
    program(&kept, &format!("touch {}", shipped.mark().display()));
    assert_eq!(job.step(&shipped.action, &NOTHING).main().await.exits(0).log.text(), "downloaded");
    assert_eq!((releases.asked().len(), shipped.mark().exists()), (2, false));
}

/// Machines that many jobs share: what is no file there keeps nobody waiting.
#[tokio::test]
async fn what_others_put_where_the_binary_is_kept_stops_no_job() {
    let shipped = Shipped::with("echo downloaded");
    let releases = releases(fs::read_to_string(shipped.binary()).unwrap()).await;
    shipped.is_at(&format!("{}/v0.1.0", releases.url));
    for put in ["mkfifo", "mkdir"] {
        let job = Job::new();
        let place = job.at("tools/assent-action/0.1.0/linux-x64");
        fs::create_dir_all(&place).unwrap();
        let made = Command::new(put).arg(place.join("assent-action")).status().unwrap();
        assert!(made.success());
        let ended = job.step(&shipped.action, &NOTHING).main().await.exits(0);
        assert_eq!(ended.log.text(), "downloaded", "{put}");
    }
}

#[tokio::test]
async fn what_is_downloaded_is_run_only_if_it_is_the_listed_binary() {
    let shipped = Shipped::with("echo ran");
    let mark = shipped.mark();
    let releases = releases(format!("#!/bin/sh\ntouch {}\n", mark.display())).await;
    shipped.is_at(&releases.url);
    let job = Job::new();
    let ended = job.step(&shipped.action, &NOTHING).main().await.exits(3);
    assert!(ended.log.annotations()[0].1.contains("what was downloaded from"), "{:?}", ended.log);
    assert!(!mark.exists() && fs::read_dir(job.at("tools")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_place_for_releases_that_fails_is_tried_again_and_one_that_refuses_is_not() {
    for (status, times) in [(503, 3), (404, 1)] {
        let shipped = Shipped::with("echo ran");
        let releases = releases(String::new()).await;
        releases.behave(Ways::Saying(Reply::new(status, "")));
        shipped.is_at(&releases.url);
        let ended = Job::new().step(&shipped.action, &NOTHING).main().await.exits(3);
        let said = ended.log.annotations()[0].1;
        assert!(said.contains(&format!("it answered {status}")), "{said}");
        assert_eq!(releases.asked().len(), times);
    }
}

#[tokio::test]
async fn binaries_come_over_https_or_from_this_machine() {
    let shipped = Shipped::with("echo ran");
    shipped.is_at("http://assent.example.com/v0.1.0");
    let ended = Job::new().step(&shipped.action, &NOTHING).main().await.exits(3);
    assert!(ended.log.annotations()[0].1.contains("over https alone"), "{:?}", ended.log);
}

#[tokio::test]
async fn a_cancellation_ends_a_download() {
    let shipped = Shipped::with("echo ran");
    let releases = releases(String::new()).await;
    releases.behave(Ways::StoppingBefore);
    shipped.is_at(&releases.url);
    let job = Job::new();
    let running = job.step(&shipped.action, &NOTHING).start();
    releases.stopped().await;
    let (by, ended) = running.cancel().await;
    assert_eq!((by, ended.code), (Stopped::Interrupted, Some(130)));
}

#[tokio::test]
async fn t40_what_the_shim_says_is_one_command() {
    let shipped = Shipped::with("echo ran");
    shipped.is_at("http://a.example/\n::add-mask::x%0A::error::y");
    let ended = Job::new().step(&shipped.action, &NOTHING).main().await.exits(3);
    assert_eq!(ended.log.commands(), ["error"], "{:?}", ended.log);
    assert_eq!(ended.log.raw.len(), 1);
}

//! `assent plan`, with plans of `tests/plans` and a Terraform made of shell.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn plans() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "plans", "own"].iter().collect()
}

fn assent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assent"));
    command.args(arguments).current_dir(plans()).stdin(Stdio::null());
    command.env("TERRAFORM", "/nonexistent/terraform");
    command
}

fn ended(command: &mut Command) -> (i32, String, String) {
    told(&command.output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A program in place of Terraform.
fn terraform(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("terraform");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_plan_in_json_is_shown_as_json() {
    let (code, out, err) =
        ended(&mut assent(&["plan", "show", "made-many.json", "--output", "json"]));
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(shown["facts"]["deletes"], json!(1));
    assert_eq!(shown["changes"][0]["address"], json!("terraform_data.gone"));
    assert!(!out.contains("CANARY"), "{out}");
}

#[test]
fn t41_no_secret_is_printed() {
    for name in ["made-many.json", "made-create.json", "made-errored.json"] {
        let (code, out, err) = ended(&mut assent(&["plan", "show", name]));
        assert_eq!(code, 0, "{err}");
        assert!(!format!("{out}{err}").contains("CANARY"), "{out}{err}");
    }
}

#[test]
fn a_plan_is_read_from_stdin() {
    let mut child = assent(&["plan", "show", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let plan = std::fs::read(plans().join("made-target.json")).unwrap();
    child.stdin.take().unwrap().write_all(&plan).unwrap();
    let (code, out, _) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, 0);
    assert!(out.contains("not complete: something of the configuration is left out"), "{out}");
}

#[test]
fn what_is_no_plan_is_wrong_input() {
    let (code, out, err) = ended(&mut assent(&["plan", "show", "not-a-plan-state.json"]));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("this looks like a state file"), "{err}");
    let (code, ..) = ended(&mut assent(&["plan", "digest", "not-a-plan-log.json"]));
    assert_eq!(code, 2);
}

#[test]
fn t38_a_file_beyond_the_limit_is_not_read_to_its_end() {
    let mut command = assent(&["plan", "digest", "/dev/zero"]);
    let (code, _, err) = ended(&mut command);
    assert_eq!(code, 2);
    assert!(err.contains("`/dev/zero` has more than 33554432 bytes"), "{err}");
}

#[test]
fn a_digest_is_of_the_bytes_and_says_of_what() {
    for (name, of) in [("made-many.json", "plan in JSON"), ("not-a-plan-saved.bin", "saved plan")] {
        let bytes = std::fs::read(plans().join(name)).unwrap();
        let digest = assent_core::digest::Digest::of(&bytes).to_string();
        let (code, out, err) = ended(&mut assent(&["plan", "digest", name]));
        assert_eq!((code, out, err), (0, format!("{digest}\n"), format!("of a {of}\n")));
        let (_, out, _) = ended(&mut assent(&["plan", "digest", name, "--output", "json"]));
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value, json!({"digest": digest, "of": of}));
    }
}

#[test]
fn a_saved_plan_is_shown_by_terraform_under_its_own_digest() {
    let folder = TempDir::new().unwrap();
    let json = plans().join("made-outputs-only.json");
    let script = format!(
        r#"test "$*" = "show -no-color -json ./not-a-plan-saved.bin" && test -z "$ASSENT_TOKEN" && cat '{}'"#,
        json.display()
    );
    let path = terraform(folder.path(), &script);
    let mut command = assent(&["plan", "show", "not-a-plan-saved.bin", "--output", "json"]);
    let (code, out, err) = ended(command.env("TERRAFORM", path).env("ASSENT_TOKEN", "x"));
    assert_eq!(code, 0, "{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    let bytes = std::fs::read(plans().join("not-a-plan-saved.bin")).unwrap();
    assert_eq!(shown["digest"], json!(assent_core::digest::Digest::of(&bytes).to_string()));
    assert_eq!(shown["facts"]["outputs"], json!(1));
}

#[test]
fn what_terraform_says_of_its_failure_is_passed_on() {
    let folder = TempDir::new().unwrap();
    let path = terraform(folder.path(), "echo 'no such provider' >&2; exit 1");
    let mut command = assent(&["plan", "show", "not-a-plan-saved.bin"]);
    let (code, out, err) = ended(command.env("TERRAFORM", path));
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("no such provider") && err.contains("terraform init"), "{err}");
}

#[test]
fn without_terraform_a_saved_plan_is_not_guessed_at() {
    let (code, _, err) = ended(&mut assent(&["plan", "show", "not-a-plan-saved.bin"]));
    assert_eq!(code, 3);
    assert!(err.contains("`/nonexistent/terraform` is not there"), "{err}");
}

#[test]
fn t39_a_saved_plan_that_changes_meanwhile_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let saved = folder.path().join("plan.bin");
    std::fs::write(&saved, b"PK\x03\x04one").unwrap();
    let json = plans().join("made-outputs-only.json");
    let script =
        format!("printf 'PK\\003\\004two' > '{}'; cat '{}'", saved.display(), json.display());
    let path = terraform(folder.path(), &script);
    let mut command = assent(&["plan", "show", saved.to_str().unwrap()]);
    let (code, out, err) = ended(command.env("TERRAFORM", path));
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("changed while it was read"), "{err}");
}

/// Terraform itself can only be asked where it is installed, as the whole-system tests demand.
#[test]
fn a_saved_plan_is_shown_by_the_real_terraform() {
    let folder = TempDir::new().unwrap();
    let config = "output \"a\" {\n  value = 1\n}\n";
    std::fs::write(folder.path().join("main.tf"), config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(folder.path()).env("CHECKPOINT_DISABLE", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["init", "-input=false"]);
    run(&["plan", "-input=false", "-out=-plan"]);
    let mut command = assent(&["plan", "show", "--", "-plan"]);
    command.current_dir(folder.path()).env("TERRAFORM", "terraform");
    let (code, out, err) = ended(&mut command);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("outputs a (create)"), "{out}");
}

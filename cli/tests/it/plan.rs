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
fn a_scan_of_a_saved_plan_names_the_digest_of_its_file() {
    let folder = TempDir::new().unwrap();
    let json = plans().join("made-outputs-only.json");
    let path = terraform(folder.path(), &format!("cat '{}'", json.display()));
    std::fs::write(folder.path().join("policy.yaml"), BY_ACTION).unwrap();
    let mut command = assent(&["plan", "scan", "not-a-plan-saved.bin", "--output", "json"]);
    command.arg("--policy").arg(folder.path()).env("TERRAFORM", path);
    let (_, out, err) = ended(&mut command);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {err}"));
    let bytes = std::fs::read(plans().join("not-a-plan-saved.bin")).unwrap();
    assert_eq!(report["plan"], json!(assent_core::digest::Digest::of(&bytes).to_string()));
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

/// Two people for what ends something, one for what alters something, nobody for what is made.
const BY_ACTION: &str = r#"
apiVersion: assent/v1
kind: Policy
metadata: {name: by-action}
groups:
  dba: [person:bob, person:carol]
rules:
  - id: making
    when: {plan.change_count: {gte: 0}}
    allow: {}
  - id: altering
    when: {plan.updates: {gt: 0}}
    require:
      stages: [{name: dba, approvals: 1, from: [group:dba]}]
  - id: ending
    when: {any: [{plan.deletes: {gt: 0}}, {plan.replaces: {gt: 0}}]}
    require:
      stages: [{name: dba, approvals: 2, from: [group:dba]}]
"#;

/// `assent plan scan` of a plan in `tests/plans/coverage` under this policy.
fn scan(policy: &str, plan: &Path, more: &[&str]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let mut command = assent(&["plan", "scan", plan.to_str().unwrap(), "--policy"]);
    command.arg(folder.path()).args(["--now", "2026-11-20T10:00:00Z"]).args(more);
    ended(&mut command)
}

fn coverage(name: &str) -> PathBuf {
    plans().join("..").join("coverage").join(name)
}

fn scanned(policy: &str, plan: &Path, more: &[&str]) -> (i32, Value) {
    let (code, out, err) = scan(policy, plan, &[more, &["--output", "json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}")))
}

fn line<'a>(report: &'a Value, address: &str) -> &'a Value {
    let mut lines = report["changes"].as_array().unwrap().iter();
    lines.find(|line| line["address"] == json!(address)).unwrap()
}

#[test]
fn a_scan_tells_of_each_change_what_policy_says_and_whether_it_waits() {
    let (code, report) = scanned(BY_ACTION, &coverage("later.json"), &[]);
    assert_eq!(code, 1);
    assert_eq!(report["ruling"]["outcome"], json!("require"));
    assert_eq!(report["together"], json!([]));
    let depends = line(&report, "terraform_data.depends");
    assert_eq!(depends["outcome"], json!("require"));
    assert_eq!(depends["rules"], json!(["altering", "making"]));
    assert_eq!(depends["stages"][0]["approvals"], json!(1));
    assert_eq!(depends["covered_by"], json!(["assent_approval.release"]));
    assert_eq!((&depends["covered"], &depends["why_not"]), (&json!(true), &Value::Null));
    let gone = line(&report, "terraform_data.gone");
    assert_eq!(gone["rules"], json!(["ending", "making"]));
    assert_eq!((&gone["covered"], &gone["protected"]), (&json!(false), &json!(true)));
    assert!(gone["why_not"].as_str().unwrap().contains("not in the configuration any more"));
    // What nothing is done to is left out, and what ends something comes first.
    let changes = report["changes"].as_array().unwrap();
    assert!(changes.iter().all(|line| line["address"] != json!("assent_approval.old")));
    assert_eq!(changes[0]["actions"][0], json!("delete"));
    let uncovered =
        changes.iter().filter(|it| it["protected"] == json!(true) && it["covered"] == json!(false));
    assert_eq!(report["uncovered"], json!(uncovered.count()));
}

#[test]
fn t44_a_scan_ends_well_only_while_the_approval_is_there() {
    let plan = std::fs::read(coverage("later.json")).unwrap();
    let mut plan: Value = serde_json::from_slice(&plan).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plan.json");
    let kept = [
        "terraform_data.depends",
        "terraform_data.gated",
        "assent_approval.release",
        "assent_gate.gate",
    ];
    let changes = plan["resource_changes"].as_array_mut().unwrap();
    changes.retain(|change| kept.contains(&change["address"].as_str().unwrap()));
    std::fs::write(&file, plan.to_string()).unwrap();
    let (code, report) = scanned(BY_ACTION, &file, &[]);
    assert_eq!((code, &report["uncovered"]), (0, &json!(0)));
    assert_eq!(report["ruling"]["outcome"], json!("require"));
    // The same without the approval.
    let changes = plan["resource_changes"].as_array_mut().unwrap();
    changes.retain(|change| change["type"] != json!("assent_approval"));
    std::fs::write(&file, plan.to_string()).unwrap();
    let (code, report) = scanned(BY_ACTION, &file, &[]);
    assert_eq!((code, &report["uncovered"]), (1, &json!(1)));
}

#[test]
fn nobody_is_asked_for_what_policy_permits() {
    let (code, report) = scanned(BY_ACTION, &coverage("first.json"), &[]);
    assert_eq!((code, &report["uncovered"]), (0, &json!(0)));
    assert_eq!(line(&report, "terraform_data.bare")["protected"], json!(false));
    let refusing = BY_ACTION.replace("allow: {}", "deny: {message: \"not today\"}");
    let (code, report) = scanned(&refusing, &coverage("first.json"), &[]);
    assert_eq!((code, &report["ruling"]["outcome"]), (1, &json!("refuse")));
}

#[test]
fn what_only_the_whole_plan_does_protects_each_change() {
    let many = BY_ACTION.replace("{plan.updates: {gt: 0}}", "{plan.creates: {gt: 30}}");
    let (code, report) = scanned(&many, &coverage("first.json"), &[]);
    assert_eq!((code, &report["together"]), (1, &json!(["altering"])));
    let bare = line(&report, "terraform_data.bare");
    assert_eq!((&bare["outcome"], &bare["protected"]), (&json!("permit"), &json!(true)));
    assert!(report["uncovered"].as_u64().unwrap() > 0);
}

#[test]
fn a_rule_sees_what_was_typed_and_which_provider_counts() {
    let where_from = BY_ACTION.replace(
        "{plan.updates: {gt: 0}}",
        "{intent.environment: staging, intent.target.workspace: orders, requester.sub: alice}",
    );
    let typed = ["--environment", "staging", "--target", "workspace=orders", "--as", "alice"];
    let (code, report) = scanned(&where_from, &coverage("first.json"), &typed);
    assert_eq!((code, &report["ruling"]["outcome"]), (1, &json!("require")));
    let of_release = |report: &Value| line(report, "terraform_data.depends")["covered"].clone();
    assert_eq!(of_release(&report), json!(true));
    let other = [&typed[..], &["--provider", "registry.terraform.io/other/assent"]].concat();
    let (_, report) = scanned(&where_from, &coverage("first.json"), &other);
    assert_eq!(of_release(&report), json!(false));
    let (_, report) = scanned(&where_from, &coverage("first.json"), &[]);
    assert_eq!(report["ruling"]["outcome"], json!("permit"));
}

#[test]
fn a_scan_is_told_in_groups_with_what_is_not_covered_first() {
    let (code, out, err) = scan(BY_ACTION, &coverage("later.json"), &[]);
    assert_eq!((code, err.as_str()), (1, ""));
    let at = |text: &str| out.find(text).unwrap_or_else(|| panic!("{text}: {out}"));
    assert!(at("\nnot covered\n") < at("\ncovered\n") && at("\ncovered\n") < at("\npermitted\n"));
    assert!(at("terraform_data.gone") < at("terraform_data.bare"), "{out}");
    let wanted = "\nupdate    terraform_data.depends\n          alone: require 1 of group:dba \
                  (altering, making)\n          waits for: assent_approval.release\n";
    assert!(out.contains(wanted), "{out}");
    assert!(out.contains("not covered: it depends on no assent_approval\n"), "{out}");
}

#[test]
fn t37_a_scan_shows_hidden_characters() {
    let plan = std::fs::read_to_string(coverage("first.json")).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("plan.json");
    let hostile = plan
        .replace(r#"terraform_data.each[\"c\"]"#, r#"terraform_data.each[\"\u202e\u001b[2J\"]"#);
    assert_ne!(plan, hostile);
    std::fs::write(&file, hostile).unwrap();
    let (_, out, _) = scan(BY_ACTION, &file, &[]);
    assert!(
        out.contains(r#"terraform_data.each["\u{202e}\u{1b}[2J"] (hidden characters)"#),
        "{out}"
    );
    assert!(!out.contains(['\u{202e}', '\u{1b}']));
}

#[test]
fn what_cannot_be_scanned_is_wrong_input() {
    let (code, out, err) = scan("rules: 1\n", &coverage("first.json"), &[]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let (code, ..) = scan(BY_ACTION, &plans().join("not-a-plan-state.json"), &[]);
    assert_eq!(code, 2);
    let (code, ..) = scan(BY_ACTION, &coverage("first.json"), &["--environment", "two words"]);
    assert_eq!(code, 2);
    let twice = ["--target", "a=1", "--target", "a=2"];
    assert_eq!(scan(BY_ACTION, &coverage("first.json"), &twice).0, 2);
}

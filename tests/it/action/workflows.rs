//! Workflows that people copy: those of `examples/github` and those that the guide shows. Linters that we
//! did not write have nothing to say of them, and they use inputs that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::runner::{Definition, root, yaml};
use crate::support::tools;

const GUIDE: &str = "docs/guides/github-actions.md";

/// Around steps that the guide shows without their job.
const JOB: &str = "on: {push: {branches: [main]}}
permissions: {}
concurrency: {group: deploy, cancel-in-progress: false}
jobs:
  deploy:
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    environment: production
    permissions: {id-token: write}
    steps:
";

/// A workflow, and where it stands.
struct Shown {
    name: String,
    text: String,
}

fn examples() -> Vec<Shown> {
    let entries = fs::read_dir(root().join("examples/github")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yml"));
    paths.sort();
    let shown = |path: PathBuf| Shown {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(path).unwrap(),
    };
    paths.into_iter().map(shown).collect()
}

/// The workflows of the guide: whole ones, and steps in a job.
fn of_the_guide(guide: &str) -> Vec<Shown> {
    let blocks = guide.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let is_ours = |block: &&str| !block.contains("apiVersion: assent/v1");
    let shown = |(number, block): (usize, &str)| {
        let begins = block.lines().find(|line| !line.starts_with('#')).unwrap();
        let text = match begins {
            line if line.starts_with("- ") => {
                let steps = block.lines().map(|line| format!("      {line}\n"));
                JOB.to_owned() + &steps.collect::<String>()
            }
            line if line.starts_with("permissions:") => {
                let job = block.lines().map(|line| format!("    {line}\n"));
                let without = JOB.replace("    permissions: {id-token: write}\n    steps:\n", "");
                without + &job.collect::<String>()
            }
            _ => format!("{block}\n"),
        };
        Shown { name: format!("guide-{number}.yml"), text }
    };
    blocks.filter(is_ours).enumerate().map(shown).collect()
}

fn all() -> Vec<Shown> {
    let mut all = examples();
    all.extend(of_the_guide(&fs::read_to_string(root().join(GUIDE)).unwrap()));
    all
}

/// Writes them where linters look for workflows.
fn written(shown: &[Shown], folder: &Path) -> Vec<PathBuf> {
    let place = folder.join(".github/workflows");
    fs::create_dir_all(&place).unwrap();
    let write = |shown: &Shown| {
        let path = place.join(&shown.name);
        fs::write(&path, &shown.text).unwrap();
        path
    };
    shown.iter().map(write).collect()
}

fn schema(name: &str, files: &[PathBuf]) -> Result<(), String> {
    let mut command = Command::new(tools::python("check-jsonschema"));
    command.args(["--builtin-schema", name]).args(files);
    let checked = command.output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    checked.status.success().then_some(()).ok_or(said)
}

fn zizmor(files: &[PathBuf]) -> Result<(), String> {
    let mut command = Command::new(tools::python("zizmor"));
    command.args(["--offline", "--no-config", "--no-progress", "--strict-collection"]).args(files);
    let checked = command.env_remove("GH_TOKEN").output().unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    checked.status.success().then_some(()).ok_or(String::from_utf8_lossy(&said).into_owned())
}

/// Each step of a workflow that uses the action, and each job that uses a workflow of examples.
fn uses(workflow: &Value) -> Vec<(String, BTreeSet<String>)> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    let steps = jobs.flat_map(|job| {
        let steps = job["steps"].as_array().cloned().unwrap_or_default();
        steps.into_iter().chain([job.clone()])
    });
    let named = steps.filter_map(|step| {
        let with = step["with"].as_object().map(|with| with.keys().cloned().collect());
        Some((step["uses"].as_str()?.to_owned(), with.unwrap_or_default()))
    });
    named.collect()
}

#[test]
fn the_issue_has_its_six_examples() {
    let names: Vec<_> = examples().into_iter().map(|example| example.name).collect();
    let wanted = [
        "database-migration.yml",
        "deploy-gate.yml",
        "matrix.yml",
        "protection-rule.yml",
        "reusable-workflow.yml",
        "terraform.yml",
    ];
    for name in wanted {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
}

#[test]
fn actions_and_workflows_are_what_their_schemas_say() {
    let folder = tempfile::tempdir().unwrap();
    let actions =
        ["action/action.yml", "action/container/action.yml"].map(|file| root().join(file));
    schema("vendor.github-actions", &actions).unwrap();
    let files = written(&all(), folder.path());
    assert!(files.len() > 8, "only {} were found", files.len());
    schema("vendor.github-workflows", &files).unwrap();
    schema("custom.github-workflows-require-timeout", &files).unwrap();
}

#[test]
fn the_security_linter_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    zizmor(&["action/action.yml", "action/container/action.yml"].map(|file| root().join(file)))
        .unwrap();
    zizmor(&written(&all(), folder.path())).unwrap();
}

#[test]
fn linters_see_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |name: &str, steps: &str| {
        let block = format!("```yaml\n{steps}\n```\n");
        let mut shown = of_the_guide(&block);
        shown[0].name = format!("{name}.yml");
        written(&shown, folder.path())
    };
    let unpinned = wrong("unpinned", "- uses: assent-dev/assent/action@main");
    assert!(schema("vendor.github-workflows", &unpinned).is_ok());
    assert!(zizmor(&unpinned).unwrap_err().contains("unpinned-uses"));
    let injected = wrong("injected", "- run: echo ${{ github.event.head_commit.message }}");
    assert!(zizmor(&injected).unwrap_err().contains("template-injection"));
    let misspelt = wrong("misspelt", "- use: assent-dev/assent/action@main");
    assert!(schema("vendor.github-workflows", &misspelt).is_err());
}

#[test]
fn every_input_that_is_used_exists_and_every_one_is_explained() {
    let action = Definition::read(&root().join("action/action.yml"));
    let (mut used, mut wrong) = (0, Vec::new());
    for shown in all() {
        let workflow = yaml(&shown.text);
        for (what, with) in uses(&workflow) {
            if !what.starts_with("assent-dev/assent/action@") {
                continue;
            }
            used += 1;
            let unknown = with.iter().filter(|name| !action.inputs.contains_key(*name));
            wrong.extend(unknown.map(|name| format!("{}: `{name}`", shown.name)));
        }
        let outputs = shown.text.split(".outputs.").skip(1);
        let outputs = outputs.filter(|_| shown.text.contains("steps.gate.outputs."));
        for output in outputs {
            let name = output.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap();
            if shown.text.contains(&format!("steps.gate.outputs.{name}"))
                && !action.outputs.iter().any(|known| known == name)
            {
                wrong.push(format!("{}: output `{name}`", shown.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(used > 8, "the action is used only {used} times");
    let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
    for name in action.inputs.keys().chain(&action.outputs) {
        assert!(guide.contains(&format!("| `{name}` |")), "the guide does not explain `{name}`");
    }
}

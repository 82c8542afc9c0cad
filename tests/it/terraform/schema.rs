//! What the provider offers, held against the copy that documentation is made from.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::process::Running;
use super::world::World;
use super::{HEAD, POLICY};

/// A directory of the workspace.
pub(super) fn workspace(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

/// Every attribute below, with its path.
fn attributes(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    let Some(members) = value.as_object() else { return };
    for (name, member) in members {
        let path = format!("{path}/{name}");
        if name == "attributes" {
            for (attribute, content) in member.as_object().unwrap() {
                found.push((format!("{path}/{attribute}"), content.clone()));
            }
        }
        attributes(member, &path, found);
    }
}

#[tokio::test]
async fn the_schema_is_the_one_on_record_and_everything_is_described() {
    let world = World::under(POLICY, HEAD).await;
    let shown = world.terraform(&["providers", "schema", "-json"]).output().await.unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let ours = &shown["provider_schemas"]["registry.terraform.io/assent-dev/assent"];
    let mut found = Vec::new();
    attributes(ours, "", &mut found);
    assert!(found.len() > 30, "{found:?}");
    for (path, attribute) in found {
        let described = attribute["description"].as_str().is_some_and(|text| text.ends_with('.'));
        assert!(described, "{path} is not described");
    }
    let shown = format!("{ours:#}\n");
    let record = workspace("tests/golden/provider-schema.json");
    if std::env::var_os("ASSENT_UPDATE_GOLDEN").is_some() {
        std::fs::write(&record, &shown).unwrap();
    }
    let recorded = std::fs::read_to_string(&record).unwrap_or_default();
    assert!(
        shown == recorded,
        "the schema has changed; if that is meant, run this test with ASSENT_UPDATE_GOLDEN=1"
    );
}

#[tokio::test]
async fn the_examples_are_formatted() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("terraform");
    command.args(["fmt", "-check", "-recursive", "-diff"]).arg(workspace("examples"));
    command.env("CHECKPOINT_DISABLE", "1").env("TF_CLI_CONFIG_FILE", directory.path().join("none"));
    std::fs::write(directory.path().join("none"), "").unwrap();
    Running::start(command, directory.path().join("log")).end().await.exits(0);
}

#[tokio::test]
async fn the_quickstart_runs_as_it_stands() {
    let read =
        |name: &str| std::fs::read_to_string(workspace("examples/quickstart").join(name)).unwrap();
    let world = World::under(&read("policy/release.yaml"), &read("main.tf")).await;
    std::fs::copy(workspace("examples/quickstart/resize.sh"), world.work("resize.sh")).unwrap();
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    apply.end().await.exits(0);
    let done = std::fs::read_to_string(world.work("orders.txt")).unwrap();
    assert_eq!(done, "orders is now large\n");
    assert_eq!(world.request(&asked.id).await.credentials[0].status, "revoked");
    world.apply().await.exits(0);
}

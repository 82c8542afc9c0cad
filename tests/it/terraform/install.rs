//! The packages: what the Registry takes, and a mirror from which `terraform init` installs.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::guarded;
use super::process::{Ran, Running, provider};
use super::schema::workspace;
use super::world::World;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The packaging script, of the provider that the tests run, into this directory.
async fn package(what: &str, into: &Path) -> Ran {
    let mut command = Command::new(workspace("scripts/package.sh"));
    command.arg(what).arg(into).env("PROVIDER", provider()).env_remove("SIGNING_KEY");
    let log = into.with_extension("log");
    Running::start(command, log).end().await
}

/// A command that must succeed, and what it prints.
async fn told(program: &str, arguments: &[&str], within: &Path) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(within).output().await;
    let output = output.unwrap_or_else(|error| panic!("`{program}` is missing: {error}"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// <https://developer.hashicorp.com/terraform/registry/providers/publishing#manually-preparing-a-release>
#[tokio::test]
async fn the_archive_is_what_the_registry_takes() {
    let directory = tempfile::tempdir().unwrap();
    let dist = directory.path().join("dist");
    package("archive", &dist).await.exits(0);
    let name = format!("terraform-provider-assent_{VERSION}");
    let mut names: Vec<_> =
        fs::read_dir(&dist).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    let (sums, manifest) = (format!("{name}_SHA256SUMS"), format!("{name}_manifest.json"));
    let archive = names.iter().map(|name| name.to_str().unwrap()).find(|it| it.ends_with(".zip"));
    let archive = archive.unwrap().to_owned();
    assert_eq!(names, [sums.as_str(), archive.as_str(), manifest.as_str()]);
    let platform = archive.trim_start_matches(&format!("{name}_")).trim_end_matches(".zip");
    assert_eq!(platform.split('_').count(), 2, "{archive}");

    told("sha256sum", &["--check", "--strict", &sums], &dist).await;
    let listed = fs::read_to_string(dist.join(&sums)).unwrap();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains(&archive) && listed.contains(&manifest), "{listed}");
    assert_eq!(
        fs::read(dist.join(&manifest)).unwrap(),
        fs::read(workspace("terraform-registry-manifest.json")).unwrap()
    );

    told("unzip", &["-q", &archive, "-d", "unpacked"], &dist).await;
    let held: Vec<_> = fs::read_dir(dist.join("unpacked")).unwrap().collect();
    assert_eq!(held.len(), 1);
    let binary = dist.join(format!("unpacked/terraform-provider-assent_v{VERSION}"));
    assert_eq!(fs::read(binary).unwrap(), fs::read(provider()).unwrap());
}

/// A world whose terraform knows the provider from a mirror only, and that mirror.
async fn with_mirror() -> (World, PathBuf) {
    let world = World::new(&guarded("staging", "")).await;
    let mirror = world.at("mirror");
    package("mirror", &mirror).await.exits(0);
    let settings =
        format!("provider_installation {{\n  filesystem_mirror {{ path = {mirror:?} }}\n}}\n");
    fs::write(world.at("terraform.rc"), settings).unwrap();
    (world, mirror)
}

#[tokio::test]
async fn terraform_installs_from_the_mirror_and_runs_it() {
    let (world, _) = with_mirror().await;
    world.run(&["init", "-input=false"]).await.exits(0).says(&[&format!("v{VERSION}")]);
    let lock = fs::read_to_string(world.work(".terraform.lock.hcl")).unwrap();
    assert!(lock.contains("registry.terraform.io/assent-dev/assent"), "{lock}");
    assert!(lock.contains("\"h1:"), "{lock}");
    world.apply().await.exits(0).says(&["assent_approval.release: Creation complete"]);
    fs::remove_dir_all(world.work(".terraform")).unwrap();
    world.run(&["init", "-input=false", "-lockfile=readonly"]).await.exits(0);
    world.plan().await.exits(0);
}

#[tokio::test]
async fn another_binary_than_the_locked_one_is_refused() {
    let (world, mirror) = with_mirror().await;
    world.run(&["init", "-input=false"]).await.exits(0);
    fs::remove_dir_all(world.work(".terraform")).unwrap();
    let (_, found) = walk(&mirror).pop().unwrap();
    fs::write(found, "#!/bin/sh\n").unwrap();
    world.run(&["init", "-input=false"]).await.exits(1).says(&["checksums"]);
}

/// The files below a directory, with their paths in it.
fn walk(directory: &Path) -> Vec<(PathBuf, PathBuf)> {
    let mut open = vec![directory.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((path.strip_prefix(directory).unwrap().to_owned(), path));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_mirror_is_laid_out_as_terraform_looks_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mirror = directory.path().join("mirror");
    package("mirror", &mirror).await.exits(0);
    let files: Vec<_> = walk(&mirror).into_iter().map(|(path, _)| path).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let parts: Vec<_> = file.iter().map(|part| part.to_str().unwrap()).collect();
    let [host, namespace, name, version, platform, binary] = parts[..] else { panic!("{parts:?}") };
    assert_eq!([host, namespace, name], ["registry.terraform.io", "assent-dev", "assent"]);
    assert_eq!(version, VERSION);
    assert_eq!(platform.split('_').count(), 2);
    assert_eq!(binary, format!("terraform-provider-assent_v{VERSION}"));
}

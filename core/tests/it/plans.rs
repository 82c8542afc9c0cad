//! Plans: real ones, small ones, broken ones.

mod coverage;
mod given;
mod mutated;
mod redaction;
mod shapes;

use std::path::PathBuf;

use assent_core::plan::{Change, Limits, Plan, PlanError};
use serde_json::{Value, json};

/// The bytes of a plan in `tests/plans`.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The names of the plans in `tests/plans`, with their folder.
pub(crate) fn names() -> Vec<String> {
    let mut names = Vec::new();
    for folder_name in ["given", "own"] {
        for entry in std::fs::read_dir(folder().join(folder_name)).unwrap() {
            let file = entry.unwrap().file_name();
            names.push(format!("{folder_name}/{}", file.to_str().unwrap()));
        }
    }
    names.sort();
    names
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "plans"].iter().collect()
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Plan, PlanError> {
    Plan::parse(bytes, &Limits::default())
}

/// The plan that this JSON is.
pub(crate) fn plan(value: &Value) -> Plan {
    parse(value.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

/// A plan of Terraform 1.11 with these changes.
pub(crate) fn plan_of(changes: Value) -> Value {
    json!({
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "planned_values": {"root_module": {}},
        "resource_changes": changes,
        "configuration": {"root_module": {}},
        "complete": true, "applyable": true, "errored": false,
    })
}

/// One change of an AWS resource, without marks.
pub(crate) fn change(address: &str, actions: &[&str], before: Value, after: Value) -> Value {
    let (kind, name) = address.split_once('.').unwrap();
    json!({
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": actions,
            "before": before,
            "after": after,
            "after_unknown": {},
            "before_sensitive": {},
            "after_sensitive": {},
        },
    })
}

/// The only change of a plan with this one.
pub(crate) fn only(change: Value) -> Change {
    plan(&plan_of(json!([change]))).changes.remove(0)
}

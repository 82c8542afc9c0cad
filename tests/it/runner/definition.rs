//! What an action's `action.yml` says.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::tools;

/// What the file says of an action.
pub(crate) struct Definition {
    /// Each input's default, by its name.
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) outputs: Vec<String>,
    /// Which file a stage begins with.
    pub(crate) runs: BTreeMap<String, String>,
}

/// A document of YAML 1.2, in which `on` is a word.
pub(crate) fn yaml(text: &str) -> Value {
    let script = "import json, sys; from ruamel.yaml import YAML; \
        json.dump(YAML(typ='safe', pure=True).load(sys.stdin), sys.stdout, default=str)";
    let mut python = Command::new(tools::python("python"))
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let read = python.wait_with_output().unwrap();
    assert!(read.status.success(), "this is no YAML: {text}");
    serde_json::from_slice(&read.stdout).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Definition {
    /// Reads it.
    pub(crate) fn read(file: &Path) -> Self {
        let said = yaml(&std::fs::read_to_string(file).unwrap());
        let members = |name: &str| said[name].as_object().unwrap().clone();
        let default = |input: &Value| input.get("default").map(text).unwrap_or_default();
        Self {
            inputs: members("inputs")
                .iter()
                .map(|(n, input)| (n.clone(), default(input)))
                .collect(),
            outputs: members("outputs").keys().cloned().collect(),
            runs: members("runs").iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        }
    }
}

/// The text with every `${{ name }}` as it is at this moment.
pub(crate) fn evaluated<K: Borrow<str> + Ord>(
    text: &str,
    contexts: &BTreeMap<K, String>,
) -> String {
    let mut parts = text.split("${{");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("an expression ends");
        let value = contexts.get(name.trim());
        whole += value.unwrap_or_else(|| panic!("this runner does not know `{}`", name.trim()));
        whole += rest;
    }
    whole
}

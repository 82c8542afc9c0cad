//! Generated policies, each with the ruling that OPA 1.20 gives: mostly negations over values that
//! are or are not there, of the wrong type, iterated, overridden with `with`.
//!
//! Where OPA rules, the engine must rule the same, or fail where a case says so: OPA by default
//! goes on without a value when a builtin errs, here that is fatal.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Engine, Outcome};
use crate::{Dialect, Module, Policy, Version};

#[derive(Deserialize)]
struct Corpus {
    prelude: String,
    inputs: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rule: String,
    input: usize,
    opa: String,
    /// `error` where it is one here.
    here: Option<String>,
}

/// What becomes of a rule `data.t.allow`: `undefined`, a JSON value, `refused` or `error`.
pub(crate) fn ruling(text: &str, version: Version, input: &Value) -> String {
    let module = match Module::new("t.rego", text, version) {
        Ok(module) => module,
        Err(fault) => return format!("refused: {fault}"),
    };
    let policy = Policy::new(Dialect::HcpTerraform, vec![module]).unwrap();
    let policy = policy.with_query("data.t.allow").unwrap();
    let mut engine = match Engine::load(&policy, Duration::from_secs(20)) {
        Ok(engine) => engine,
        Err(faults) => return format!("refused: {faults:?}"),
    };
    let input = serde_json::from_value(input.clone()).unwrap();
    let done = engine.evaluate(input, 1_000_000_000, false);
    match done.outcomes.get("query").unwrap() {
        Outcome::Undefined => "undefined".to_owned(),
        Outcome::Value(value) => value.to_string(),
        Outcome::Error(error) => format!("error: {error}"),
    }
}

#[test]
fn t49_generated_policies_are_ruled_as_by_opa() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/negation.json");
    let corpus: Corpus = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let cases = &corpus.cases;
    assert!(cases.len() > 500, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for Case { rule, input, opa, here } in cases {
        let input = &corpus.inputs[*input];
        let found = ruling(&format!("{}{rule}", corpus.prelude), Version::V1, input);
        let is_error = found.starts_with("error: ");
        if !(here.is_none() && found == *opa || here.as_deref() == Some("error") && is_error) {
            wrong.push(format!("OPA {opa}, here {found}: {input}\n{rule}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n---\n"));
}

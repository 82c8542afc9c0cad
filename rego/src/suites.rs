//! Other people's suites: OPA's published cases, and the example policies of other products with
//! their own tests. They are not part of the project; two variables say where they are:
//!
//! - `ASSENT_OPA_CASES`: a folder laid out as OPA's `test/cases/testdata`, or its parts `v0`, `v1`.
//! - `ASSENT_REGO_LIBRARIES`: a folder with `tests.json`, `decisions.json` and the policies.
//!
//! What passes stands in `tests/suites/*.txt`. A name that is listed must pass and one that is not
//! must fail, so that a list can neither rot nor be forgotten. `tests/suites/README.md` says why
//! the others fail.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::{Module, Version};

/// Where a suite is, if anybody said so.
fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: {variable} names no folder");
    }
    folder
}

/// Holds what passed against what is listed.
#[track_caller]
fn hold(list: &str, outcomes: &BTreeMap<String, Result<(), String>>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites").join(list);
    let listed = std::fs::read_to_string(&file).unwrap();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let mut wrong = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) if !listed.contains(name.as_str()) => wrong.push(format!("PASSES {name}")),
            Err(why) if listed.contains(name.as_str()) => {
                wrong.push(format!("FAILS {name}: {why}"))
            }
            Ok(()) => {}
            Err(why) => println!("UNLISTED {name}: {why}"),
        }
    }
    for name in listed {
        if !outcomes.contains_key(name) {
            wrong.push(format!("MISSING {name}"));
        }
    }
    assert!(wrong.is_empty(), "{list}:\n{}", wrong.join("\n"));
}

fn engine(modules: &[(String, String)], version: Version, data: &Value) -> Result<Engine, String> {
    let modules = modules.iter().map(|(name, text)| Module::new(name, text, version));
    let modules: Vec<Module> = modules.collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let data = if data.is_null() { regorus::Value::new_object() } else { value(data) };
    Engine::bare(&modules, data).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        told.join("; ")
    })
}

fn value(json: &Value) -> regorus::Value {
    serde_json::from_value(json.clone()).unwrap()
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    note: String,
    query: String,
    #[serde(default)]
    modules: Vec<String>,
    #[serde(default)]
    data: Value,
    input: Option<Value>,
    input_term: Option<String>,
    want_result: Option<Vec<Map<String, Value>>>,
    want_defined: Option<bool>,
    want_error: Option<String>,
    want_error_code: Option<String>,
    #[serde(default)]
    sort_bindings: bool,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn cases_of_opa_pass_as_listed() {
    let Some(folder) = folder("ASSENT_OPA_CASES") else { return };
    let mut found = Vec::new();
    files(&folder, &mut found);
    assert!(!found.is_empty(), "no cases in {}", folder.display());
    let mut outcomes = BTreeMap::new();
    for file in found {
        let text = std::fs::read_to_string(&file).unwrap();
        let read = regorus::Value::from_yaml_str(&text).and_then(|yaml| yaml.to_json_str());
        let cases = read.map_err(|e| e.to_string());
        let cases =
            cases.and_then(|json| serde_json::from_str::<Cases>(&json).map_err(|e| e.to_string()));
        let is_v0 = file.components().any(|part| part.as_os_str() == "v0");
        let version = if is_v0 { Version::V0 } else { Version::V1 };
        match cases {
            Ok(cases) => {
                for case in cases.cases {
                    let name = format!("{}/{}", if is_v0 { "v0" } else { "v1" }, case.note);
                    outcomes.insert(name, passes(&case, version));
                }
            }
            Err(why) => panic!("{}: {why}", file.display()),
        }
    }
    hold("cases.txt", &outcomes);
}

fn passes(case: &Case, version: Version) -> Result<(), String> {
    let named = case.modules.iter().enumerate();
    let modules: Vec<(String, String)> =
        named.map(|(at, text)| (format!("{at}.rego"), text.clone())).collect();
    let wants_error = case.want_error.is_some() || case.want_error_code.is_some();
    let found = engine(&modules, version, &case.data).and_then(|mut engine| {
        let input = match (&case.input, &case.input_term) {
            (Some(input), _) => value(input),
            (None, Some(term)) => {
                let read = engine.query(term, regorus::Value::new_object())?;
                let read = read.result.first().and_then(|result| result.expressions.first());
                read.map(|expression| expression.value.clone()).ok_or("no such input")?
            }
            (None, None) => regorus::Value::Undefined,
        };
        engine.query(&case.query, input)
    });
    let found = match (found, wants_error) {
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err("no error was raised".to_owned()),
        (Err(why), false) => return Err(why.lines().last().unwrap_or_default().to_owned()),
        (Ok(found), false) => found,
    };
    if let Some(defined) = case.want_defined {
        let same = defined != found.result.is_empty();
        return same
            .then_some(())
            .ok_or_else(|| "defined where it should not be, or not".to_owned());
    }
    let bindings = |value: &regorus::Value| -> Value {
        serde_json::from_str(&value.to_json_str().unwrap_or_default()).unwrap_or_default()
    };
    let mut found: Vec<Value> =
        found.result.iter().map(|result| bindings(&result.bindings)).collect();
    let wanted = case.want_result.clone().unwrap_or_default();
    let mut wanted: Vec<Value> = wanted.into_iter().map(Value::Object).collect();
    if case.sort_bindings {
        found.iter_mut().for_each(sort);
        wanted.iter_mut().for_each(sort);
    }
    found.sort_by_key(ToString::to_string);
    wanted.sort_by_key(ToString::to_string);
    if same(&Value::from(found.clone()), &Value::from(wanted.clone())) {
        Ok(())
    } else {
        let told = |values: &[Value]| {
            Value::from(values).to_string().chars().take(160).collect::<String>()
        };
        Err(format!("wanted {}, found {}", told(&wanted), told(&found)))
    }
}

/// Puts the elements of the lists that are bound in order.
fn sort(bindings: &mut Value) {
    for value in bindings.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Value::Array(items) = value {
            items.sort_by_key(ToString::to_string);
        }
    }
}

/// Equal with numbers compared as numbers: 1.0 is 1.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Policies of one product with what they are asked and what OPA answers.
#[derive(Deserialize)]
struct Published {
    modules: Vec<String>,
    #[serde(default)]
    data: Value,
    rego: Version,
    /// Tests of the policies' own.
    #[serde(default)]
    tests: BTreeMap<String, Value>,
    package: Option<String>,
    /// A question, and what OPA answers.
    query: Option<String>,
    #[serde(default)]
    input: Value,
    want: Option<Map<String, Value>>,
}

enum Wanted {
    Value(Value),
    Undefined,
    Error,
}

#[test]
fn example_policies_of_other_products_answer_as_listed() {
    let Some(folder) = folder("ASSENT_REGO_LIBRARIES") else { return };
    let mut outcomes = BTreeMap::new();
    for list in ["tests.json", "decisions.json"] {
        let read = std::fs::read(folder.join(list)).unwrap();
        let published: Vec<Published> = serde_json::from_slice(&read).unwrap();
        for (at, each) in published.iter().enumerate() {
            ask(&folder, list, at, each, &mut outcomes);
        }
    }
    hold("libraries.txt", &outcomes);
}

fn ask(
    folder: &Path,
    list: &str,
    at: usize,
    published: &Published,
    outcomes: &mut BTreeMap<String, Result<(), String>>,
) {
    let modules: Vec<(String, String)> = published
        .modules
        .iter()
        .map(|name| (name.clone(), std::fs::read_to_string(folder.join(name)).unwrap()))
        .collect();
    let first = published.modules.first().unwrap();
    let asked = |query: &str, input: &Value| {
        let mut engine = engine(&modules, published.rego, &published.data)?;
        let found = engine.query(query, value(input));
        found.map(|found| {
            let found = found.result.first().and_then(|result| result.expressions.first());
            found.map(|expression| expression.value.clone()).unwrap_or(regorus::Value::Undefined)
        })
    };
    for (name, wanted) in &published.tests {
        let package = published.package.as_deref().unwrap_or_default();
        let wanted = match (wanted.as_bool(), wanted.as_str()) {
            (Some(true), _) => Wanted::Value(Value::Bool(true)),
            (_, Some("undefined")) => Wanted::Undefined,
            (_, _) => Wanted::Error,
        };
        let found = asked(&format!("data.{package}.{name}"), &Value::Null);
        outcomes.insert(format!("{first}: {name}"), compare(found, &wanted));
    }
    if let (Some(query), Some(wanted)) = (&published.query, &published.want) {
        let wanted = match wanted.get("value") {
            Some(value) => Wanted::Value(value.clone()),
            None if wanted.contains_key("error") => Wanted::Error,
            None => Wanted::Undefined,
        };
        let found = asked(query, &published.input);
        outcomes.insert(format!("{list} {at:03} {first}: {query}"), compare(found, &wanted));
    }
}

fn compare(found: Result<regorus::Value, String>, wanted: &Wanted) -> Result<(), String> {
    let said = |why: &str| Err(why.lines().last().unwrap_or_default().to_owned());
    match (found, wanted) {
        (Err(_), Wanted::Error) => Ok(()),
        (Err(why), Wanted::Value(_) | Wanted::Undefined) => said(&why),
        (Ok(regorus::Value::Undefined), Wanted::Undefined) => Ok(()),
        (Ok(found), Wanted::Value(wanted)) => {
            let mut found: Value =
                serde_json::from_str(&found.to_json_str().unwrap_or_default()).unwrap_or_default();
            let mut wanted = wanted.clone();
            for value in [&mut found, &mut wanted] {
                if let Value::Array(items) = value {
                    items.sort_by_key(ToString::to_string);
                }
            }
            if same(&found, &wanted) {
                Ok(())
            } else {
                said(&format!("wanted {wanted}, found {found}"))
            }
        }
        (Ok(found), Wanted::Undefined | Wanted::Error) => said(&format!("found {found:?}")),
    }
}

//! What a gate tells apart, and when it asks.

use std::sync::Arc;

use serde_json::json;

use super::note::{Note, Operation};
use super::*;
use crate::configure::{Configured, Reach};
use crate::environment::Defaults;
use crate::plugin::Lifetime;

/// A session whose server is known only at apply.
fn session(applying: bool) -> Session {
    let session = Session::new(Defaults::default(), Arc::new(Lifetime::default()));
    session.configure(Configured { applying: Some(applying), ..Configured::NOT_YET });
    session
}

/// A configuration with these arguments.
fn config<'a>(changes: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let Type::Object(attributes) = schema().value_type() else { panic!() };
    let nothing = Value::Map(attributes.into_keys().map(|name| (name, Value::Null)).collect());
    let right = nothing
        .with("environment", Value::text("production"))
        .with("reason", Value::text("orders"));
    changes.into_iter().fold(right, |config, (name, value)| config.with(name, value))
}

/// The state of a gate that was made from a configuration.
async fn made(config: Value) -> Value {
    let change =
        Change { prior: Value::Null, proposed: config.clone(), config, private: Vec::new() };
    let planned = plan::plan(&session(false), change).await.unwrap();
    planned.state.with("id", Value::text("gate_1")).with("asks", Value::Null)
}

/// The plan of a step from a state to a configuration.
async fn step(prior: &Value, config: Value) -> Planned {
    let kept = |name: &str| prior.attribute(name).clone();
    let proposed = config.clone().with("id", kept("id")).with("asks", kept("asks"));
    let change = Change { prior: prior.clone(), proposed, config, private: Vec::new() };
    plan::plan(&session(false), change).await.unwrap()
}

/// The plan of the end of a gate.
async fn end(prior: &Value, applying: bool) -> Planned {
    let change = Change {
        prior: prior.clone(),
        proposed: Value::Null,
        config: Value::Null,
        private: Vec::new(),
    };
    plan::plan(&session(applying), change).await.unwrap()
}

fn words(words: &[&str]) -> Value {
    Value::texts(words.iter().map(|word| (*word).to_owned()))
}

#[tokio::test]
async fn what_nobody_is_asked_about_changes_in_place() {
    let prior = made(config([])).await;
    let timeouts = Value::object([("delete", Value::text("1h"))]);
    for (name, value) in
        [("reason", Value::text("other")), ("wait", Value::Bool(false)), ("timeouts", timeouts)]
    {
        let planned = step(&prior, config([(name, value)])).await;
        assert_eq!(planned.requires_replace, [], "{name}");
        assert_eq!(planned.state.attribute("id"), &Value::text("gate_1"));
    }
    let other_order = config([("gate_on", words(&["update", "destroy"]))]);
    assert_eq!(step(&prior, other_order).await.requires_replace, []);
}

#[tokio::test]
async fn a_change_of_who_is_asked_is_a_change_of_the_gate_and_always_asked() {
    let prior = made(config([("gate_on", words(&["destroy"]))])).await;
    let changes = [
        ("kind", Value::text("terraform.destroy")),
        ("environment", Value::text("staging")),
        ("target", Value::object([("db", Value::text("orders"))])),
        ("duration", Value::text("1h")),
        ("context", Value::text("{}")),
        ("gate_on", words(&["update"])),
        ("environment", Value::Unknown),
    ];
    for (name, value) in changes {
        let config = config([("gate_on", words(&["destroy"])), (name, value)]);
        let planned = step(&prior, config).await;
        assert_eq!(planned.requires_replace, [Path::attribute(name)]);
        let operation = Operation::of(&prior, &planned.private);
        assert!(matches!(&operation, Operation::ChangeGate(next) if next.contains_key(name)));
        assert!(operation.is_asked(&prior), "{name}");
    }
}

#[tokio::test]
async fn a_change_of_triggers_is_an_update_that_shows_both() {
    let triggers = |size: &str| ("triggers", Value::object([("size", Value::text(size))]));
    let prior = made(config([triggers("small")])).await;
    let planned = step(&prior, config([triggers("large")])).await;
    assert_eq!(planned.requires_replace, [Path::attribute("triggers")]);
    let operation = Operation::of(&prior, &planned.private);
    let intent = deletion::intent(&prior, &operation).unwrap().unwrap();
    let expected = json!({
        "gate": {"id": "gate_1", "operation": "update", "next_triggers": {"size": "large"}},
        "triggers": {"size": "small"},
    });
    assert_eq!(Json::Object(intent.context().clone()), expected);
}

#[tokio::test]
async fn gate_on_tells_update_from_destroy_and_what_is_neither_asks() {
    for (gate_on, update, destroy) in
        [(&["update"][..], true, false), (&["destroy"], false, true), (&OPERATIONS, true, true)]
    {
        let config = config([("gate_on", words(gate_on))]);
        let prior = made(config.clone()).await;
        let again = Note::made(&prior).to_bytes();
        assert_eq!(Operation::of(&prior, &again).is_asked(&prior), update);
        let gone = end(&prior, false).await.private;
        assert_eq!(Operation::of(&prior, &gone).is_asked(&prior), destroy);
        let late = end(&prior, true).await.private;
        for strange in [&late[..], b"", b"\"going\"", b"{}", b"{\"made\":1}", b"\xff"] {
            assert!(Operation::of(&prior, strange).is_asked(&prior), "{strange:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_gate_that_does_not_ask_is_told() {
    let prior = made(config([("gate_on", words(&["update"]))])).await;
    let told = end(&prior, false).await.diagnostics;
    assert_eq!(told.list()[0].summary, "A gate goes without asking");
    let prior = made(config([])).await;
    let told = end(&prior, false).await.diagnostics;
    assert_eq!(told.list()[0].summary, "Approval may be required");
}

#[test]
fn two_gates_never_ask_the_same() {
    let gate =
        |id: &str| config([("id", Value::text(id)), ("kind", Value::text("terraform.apply"))]);
    let digest = |id: &str| {
        let intent = deletion::intent(&gate(id), &Operation::Destroy).unwrap().unwrap();
        intent.digest()
    };
    assert_ne!(digest("gate_1"), digest("gate_2"));
    assert_eq!(digest("gate_1"), digest("gate_1"));
}

#[test]
fn all_faults_are_told_at_once_each_at_its_argument() {
    let wrong = config([
        ("context", Value::text(r#"{"gate":{}}"#)),
        ("gate_on", words(&["create"])),
        ("timeouts", Value::object([("delete", Value::text("soon"))])),
    ]);
    let faults = validate(&wrong);
    let paths: Vec<_> = faults.list().iter().filter_map(|fault| fault.path.as_ref()).collect();
    let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["context", "timeouts", "gate_on"]);
    assert!(validate(&config([("gate_on", Value::List(Vec::new()))])).has_errors());
    assert!(validate(&config([("context", Value::text("[]"))])).has_errors());
    let unknown = ["environment", "context", "gate_on", "timeouts", "triggers"];
    let unknown = unknown.map(|name| (name, Value::Unknown));
    assert_eq!(validate(&config(unknown)), Diagnostics::default());
    assert!(matches!(session(false).configured().reach, Reach::Unconfigured));
}

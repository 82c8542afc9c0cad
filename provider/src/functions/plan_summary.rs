//! `plan_summary`: what a plan does, read from its JSON.

use std::collections::BTreeSet;

use assent_core::plan::{Change, Facts, Limits, Plan, Risk};

use crate::functions::text;
use crate::intent::sentence;
use crate::offer::{Function, Parameter, WrongArgument};
use crate::value::{Number, Type, Value};

/// How many changes are listed.
const MOST: usize = 50;

/// The function.
pub(super) fn function() -> Function {
    Function {
        name: "plan_summary",
        summary: "What a plan does, riskiest changes first",
        description: "Reads what `terraform show -json PLAN` prints and gives what the server reads \
                      of it: its `digest`, `counts` of what is done, the `types`, `providers` and \
                      `actions`, the facts that policy tests, and the 50 riskiest `changes`, each \
                      with its `address`, `type`, `actions`, `risk` and the `paths` that change. \
                      `more` is how many changes are not listed. Facts that cannot be known are \
                      null. No value of the plan is in it.",
        parameters: vec![Parameter {
            name: "json",
            of: Type::String,
            nullable: false,
            description: "The plan's JSON, such as `file(\"plan.json\")`.",
        }],
        gives: summary_type(),
        call,
    }
}

/// The facts that are counted, by name.
fn counts(facts: &Facts) -> [(&'static str, u64); 12] {
    [
        ("creates", facts.creates),
        ("updates", facts.updates),
        ("deletes", facts.deletes),
        ("replaces", facts.replaces),
        ("reads", facts.reads),
        ("imports", facts.imports),
        ("moves", facts.moves),
        ("forgets", facts.forgets),
        ("drifts", facts.drifts),
        ("deferred", facts.deferred),
        ("outputs", facts.outputs),
        ("changes", facts.change_count),
    ]
}

/// The facts that hold or do not, by name.
fn answers(facts: &Facts) -> [(&'static str, Option<bool>); 7] {
    [
        ("complete", facts.complete),
        ("applyable", facts.applyable),
        ("errored", facts.errored),
        ("tags_only", facts.tags_only),
        ("touches_iam", facts.touches_iam),
        ("public_exposure", facts.public_exposure),
        ("provisioners", facts.provisioners),
    ]
}

/// The type of the summary.
fn summary_type() -> Type {
    let none = Facts::default();
    let counted = counts(&none).map(|(name, _)| (name, Type::Number));
    let answered = answers(&none).map(|(name, _)| (name, Type::Bool));
    let change = Type::object([
        ("address", Type::String),
        ("type", Type::String),
        ("actions", Type::texts()),
        ("risk", Type::String),
        ("paths", Type::texts()),
    ]);
    let others = [
        ("digest", Type::String),
        ("format_version", Type::String),
        ("terraform_version", Type::String),
        ("counts", Type::object(counted)),
        ("types", Type::texts()),
        ("providers", Type::texts()),
        ("actions", Type::texts()),
        ("changes", Type::List(Box::new(change))),
        ("more", Type::Number),
    ];
    Type::object(answered.into_iter().chain(others))
}

fn call(arguments: &[Value]) -> Result<Value, WrongArgument> {
    let json = text(arguments, 0)?;
    let plan = Plan::parse(json.as_bytes(), &Limits::default()).map_err(|error| {
        let advice = "Give the function what `terraform show -json PLAN` prints.";
        WrongArgument { index: 0, text: format!("{} {advice}", sentence(&error.to_string())) }
    })?;
    Ok(summary(&plan))
}

/// What a plan does.
fn summary(plan: &Plan) -> Value {
    let Plan { digest, facts, changes, .. } = plan;
    let counted = counts(facts).map(|(name, count)| (name, whole(count)));
    let answered =
        answers(facts).map(|(name, answer)| (name, answer.map_or(Value::Null, Value::Bool)));
    let texts = |texts: &BTreeSet<String>| Value::texts(texts.iter().cloned());
    let done: Vec<_> = changes.iter().filter(|change| change.does_something()).collect();
    let more = u64::try_from(done.len().saturating_sub(MOST)).unwrap_or(u64::MAX);
    let version = facts.terraform_version.clone();
    let others = [
        ("digest", Value::text(digest.to_string())),
        ("format_version", Value::text(&facts.format_version)),
        ("terraform_version", version.map_or(Value::Null, Value::String)),
        ("counts", Value::object(counted)),
        ("types", texts(&facts.types)),
        ("providers", texts(&facts.providers)),
        ("actions", texts(&facts.actions)),
        ("changes", Value::List(done.into_iter().take(MOST).map(change).collect())),
        ("more", whole(more)),
    ];
    Value::object(answered.into_iter().chain(others))
}

/// One change.
fn change(change: &Change) -> Value {
    Value::object([
        ("address", Value::text(&change.address)),
        ("type", Value::text(&change.type_name)),
        ("actions", Value::texts(change.actions.iter().cloned())),
        ("risk", Value::text(word(change.risk()))),
        ("paths", Value::texts(change.paths.iter().cloned())),
    ])
}

/// Why a change should be looked at, in a word.
fn word(risk: Risk) -> &'static str {
    match risk {
        Risk::Destroys => "destroys",
        Risk::Replaces => "replaces",
        Risk::Rights => "rights",
        Risk::Exposes => "exposes",
        Risk::Provisions => "provisions",
        Risk::Forgets => "forgets",
        Risk::Deferred => "deferred",
        Risk::Updates => "updates",
        Risk::Creates => "creates",
        Risk::Moves => "moves",
        Risk::Reads => "reads",
        Risk::Nothing => "nothing",
    }
}

/// A count.
fn whole(count: u64) -> Value {
    Value::Number(Number::Unsigned(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plan that creates this many and destroys one.
    fn plan(creates: usize) -> String {
        let change = |name: String, action: &str| {
            serde_json::json!({
                "address": format!("terraform_data.{name}"), "mode": "managed",
                "type": "terraform_data", "name": name,
                "provider_name": "terraform.io/builtin/terraform",
                "change": {"actions": [action], "before": null, "after": {"input": "secret"},
                           "after_unknown": {}, "before_sensitive": false, "after_sensitive": {}},
            })
        };
        let mut changes: Vec<_> =
            (0..creates).map(|at| change(format!("n{at}"), "create")).collect();
        let mut gone = change("gone".to_owned(), "delete");
        gone["change"]["before"] = serde_json::json!({"input": "secret"});
        gone["change"]["after"] = serde_json::Value::Null;
        changes.push(gone);
        serde_json::json!({
            "format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": changes,
            "configuration": {}, "complete": true, "applyable": true, "errored": false,
        })
        .to_string()
    }

    #[test]
    fn the_riskiest_stand_first_and_what_is_left_out_is_counted() {
        let json = plan(60);
        let summary = call(&[Value::text(&json)]).unwrap();
        let Value::List(changes) = summary.attribute("changes") else { panic!("{summary:?}") };
        assert_eq!(changes.len(), MOST);
        assert_eq!(changes[0].attribute("address"), &Value::text("terraform_data.gone"));
        assert_eq!(changes[0].attribute("risk"), &Value::text("destroys"));
        assert_eq!(summary.attribute("more"), &whole(11));
        assert_eq!(summary.attribute("counts").attribute("creates"), &whole(60));
        assert_eq!(summary.attribute("counts").attribute("changes"), &whole(61));
        let digest = assent_core::digest::Digest::of(json.as_bytes()).to_string();
        assert_eq!(summary.attribute("digest"), &Value::text(digest));
        assert!(!format!("{summary:?}").contains("secret"));
    }

    #[test]
    fn the_summary_is_of_its_type() {
        let summary = call(&[Value::text(plan(2))]).unwrap();
        let bytes = crate::value::encode_msgpack(&summary).unwrap();
        let read = crate::value::decode_msgpack(&bytes, &summary_type()).unwrap();
        assert_eq!(crate::value::encode_msgpack(&read).unwrap(), bytes);
    }

    #[test]
    fn what_is_no_plan_is_told_with_its_place() {
        let wrong = call(&[Value::text("{\"resource_changes\": [")]).unwrap_err();
        assert!(wrong.text.starts_with("The JSON ends at `$.resource_changes"), "{}", wrong.text);
        assert!(wrong.text.ends_with("what `terraform show -json PLAN` prints."), "{}", wrong.text);
        assert!(call(&[Value::text("")]).is_err());
    }
}

//! The resource `assent_gate`: its Delete asks people and blocks until they have approved.
//!
//! It stands after what it guards (`depends_on`, `replace_triggered_by`). Terraform deletes it
//! before it touches what it guards, so a change, a replacement and a destroy of that wait for
//! people. Create files nothing and waits for nobody. What is asked is made of the arguments in
//! the state: whoever changes the configuration of a gate does not choose who is asked about it.

mod deletion;
mod note;
mod plan;

use assent_client::IdempotencyKey;
use serde_json::{Map, Value as Json};

use crate::asking::Patience;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::intent;
use crate::offer::{Change, Made, Planned, PlannedChange, Resource};
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Type, Value};

/// The resource's type name.
const NAME: &str = "assent_gate";

/// Where the gate stands in an intent's context, so that approvers and policy see what happens.
const MEMBER: &str = "gate";

/// What `gate_on` may hold, in the order in which Terraform keeps sets of text.
const OPERATIONS: [&str; 2] = ["destroy", "update"];

/// The resource `assent_gate`.
#[derive(Debug)]
pub(crate) struct Gate;

#[tonic::async_trait]
impl Resource for Gate {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn plan(&self, session: &Session, change: Change) -> Result<Planned, Diagnostics> {
        plan::plan(session, change).await
    }

    async fn apply(&self, session: &Session, change: PlannedChange) -> Result<Made, Diagnostics> {
        let PlannedChange { prior, planned, private, .. } = change;
        if planned.is_null() {
            deletion::delete(session, &prior, &private).await?;
            return Ok(Made::quiet(Value::Null));
        }
        if prior.is_null() {
            let id = format!("gate_{}", IdempotencyKey::fresh().as_str());
            let made = planned.with("id", Value::String(id)).with("asks", Value::Null);
            let asks = deletion::foreseen(session, &made).await?;
            return Ok(Made::quiet(made.with("asks", asks.unwrap_or(Value::Null))));
        }
        // Only what nobody has to be asked about changes in place.
        Ok(Made::quiet(planned))
    }

    /// A gate exists in the state alone. What can be found out is who would be asked now.
    async fn read(
        &self,
        session: &Session,
        current: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let asks = deletion::foreseen(session, &current).await.ok().flatten();
        let current = match asks {
            Some(asks) => current.with("asks", asks),
            None => current,
        };
        Ok((current, Diagnostics::default()))
    }

    async fn import(&self, _: &Session, id: &str) -> Result<Value, Diagnostics> {
        let detail = format!(
            "`{id}` is not on record anywhere: a gate exists in Terraform's state alone. Write it \
             into the configuration and apply; creating it asks nobody."
        );
        Err(Diagnostic::error("A gate cannot be imported", detail).into())
    }
}

/// The resource's schema.
fn schema() -> Schema {
    Schema::new(
        "A gate behind what it guards: it lists that under `depends_on` and `replace_triggered_by`. \
         Terraform then deletes the gate before it changes, replaces or destroys what it guards, \
         and deleting it asks people and waits until they have approved. Creating it asks nobody. \
         If `ASSENT_PLAN_DIGEST` is set, as `assent apply` does, the approval is of that saved plan \
         alone; Terraform hands no arguments to a deletion, so there is no argument for it. It does not \
         stand in the way of `-target` of what it guards in an apply, of `terraform state rm`, or \
         of a `removed` block with `destroy = false`; never put it under `create_before_destroy`.",
        attributes(),
    )
}

/// What the configuration says, and what the provider finds out.
fn attributes() -> Vec<Attribute> {
    let delete = Attribute::optional(
        "delete",
        Type::String,
        "How long to wait for approval, such as `30m` or `1h30m`. `30m` if it is not set.",
    );
    let mut attributes = intent::attributes();
    attributes.extend([
        Patience::attribute(),
        Attribute::required(
            "reason",
            Type::String,
            "What is guarded and why, for the people who approve. It changes without asking.",
        ),
        Attribute::optional(
            "context",
            Type::String,
            "More about the intent, as a JSON object; use `jsonencode`. Policy and approvers see \
             it. The keys `triggers` and `gate` are reserved.",
        ),
        Attribute::optional(
            "triggers",
            Type::text_map(),
            "Values whose change is a change of what is guarded, and is asked about. Approvers see \
             them as they were and as they will be.",
        ),
        Attribute::defaulted(
            "gate_on",
            Type::text_set(),
            "What people are asked about. `update`: the gate is replaced, because what it guards \
             changes or is replaced. `destroy`: the gate goes, alone or with what it guards. Both \
             if it is not set. With `update` alone whoever may take the gate out of the \
             configuration may then change what it guards. A change of the gate's own arguments \
             always asks.",
        ),
        Attribute::nested("timeouts", vec![delete], "How long operations may take."),
        Attribute::computed(
            "id",
            Type::String,
            "Id of the gate; each one that is made has another.",
        ),
        Attribute::computed(
            "asks",
            Type::text_map(),
            "Who must approve, for each of `gate_on`, by the policy at the last refresh.",
        ),
    ]);
    attributes
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = deletion::faults(config);
    if let Some(fault) = Patience::fault(config, "delete") {
        faults.push(fault);
    }
    if let Some(fault) = fault_of_operations(config.attribute("gate_on")) {
        let fault = Diagnostic::error("Invalid `gate_on`", fault);
        faults.push(fault.at(Path::attribute("gate_on")));
    }
    faults
}

/// What is wrong with a set of operations, if it is set.
fn fault_of_operations(gate_on: &Value) -> Option<String> {
    let Value::List(given) = gate_on else { return None };
    if given.is_empty() {
        return Some("A gate that asks about nothing is none; name `update` or `destroy`.".into());
    }
    let mut wrong = given.iter().filter_map(|word| word.as_text().given());
    let wrong = wrong.find(|word| !OPERATIONS.contains(&word.as_str()))?;
    Some(format!("`{wrong}` is not one of `update`, `destroy`."))
}

/// A value without marks and types, if all of it is known.
fn plain(value: &Value) -> Option<Json> {
    match value {
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::String(text) => Some(Json::String(text.clone())),
        Value::List(elements) => elements.iter().map(plain).collect::<Option<_>>().map(Json::Array),
        Value::Map(elements) => {
            let elements = elements.iter().map(|(key, value)| Some((key.clone(), plain(value)?)));
            elements.collect::<Option<Map<_, _>>>().map(Json::Object)
        }
        // No argument of a gate is a number.
        Value::Unknown | Value::Number(_) => None,
    }
}

#[cfg(test)]
#[path = "gate/tests.rs"]
mod tests;

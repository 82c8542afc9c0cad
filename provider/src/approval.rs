//! The resource `assent_approval`: Create blocks until people have approved.
//!
//! Its arguments state an intent. Plan says what will be asked, without filing
//! anything; Create files the intent and waits for its end; Read looks where the
//! request stands; Delete says that the action is over, and waits for nobody.
//! Nothing secret is ever in its state.

mod ending;
mod import;
mod plan;

use assent_core::intent::Intent;

use crate::asking::{self, Patience, Question};
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::duration;
use crate::intent::{Stated, sentence};
use crate::offer::{Change, Made, Planned, PlannedChange, Resource};
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Type, Value};

/// The resource's type name.
const NAME: &str = "assent_approval";

/// The resource `assent_approval`.
#[derive(Debug)]
pub(crate) struct Approval;

#[tonic::async_trait]
impl Resource for Approval {
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
        let PlannedChange { prior, planned, .. } = change;
        if planned.is_null() {
            ending::delete(session, &prior).await?;
            return Ok(Made::quiet(Value::Null));
        }
        if prior.is_null() {
            let question = Question::new(&intent(&planned)?, Patience::of(&planned, "create")?);
            let standing = asking::granted(session, question).await?;
            return Ok(Made::quiet(standing.found_out(planned)));
        }
        // Only how long to wait changes in place; the server has no part in that.
        Ok(Made::quiet(planned))
    }

    async fn read(
        &self,
        session: &Session,
        current: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        ending::read(session, current).await
    }

    async fn import(&self, session: &Session, id: &str) -> Result<Value, Diagnostics> {
        import::import(session, id).await
    }
}

/// The resource's schema.
fn schema() -> Schema {
    let mut attributes = arguments();
    attributes.extend(results());
    Schema::new(
        "An approval. Creating it files a request for exactly what its arguments state and blocks \
         until the request is granted; everything that depends on it waits. Changing an argument \
         asks anew. On its own it is a courtesy that whoever edits the configuration can remove; \
         the lock is an `assent_credential` minted from it.",
        attributes,
    )
}

/// What the configuration says.
fn arguments() -> Vec<Attribute> {
    let create = Attribute::optional(
        "create",
        Type::String,
        "How long to wait for approval, such as `30m` or `1h30m`. `30m` if it is not set.",
    );
    vec![
        Attribute::defaulted(
            "kind",
            Type::String,
            "What is done, as a dotted name. `terraform.apply` if it is not set.",
        ),
        Attribute::required("environment", Type::String, "Where it is done, such as `production`."),
        Attribute::optional(
            "target",
            Type::text_map(),
            "What it is done to: repository, workspace, database and the like.",
        ),
        Attribute::required("reason", Type::String, "Why, for the people who approve."),
        Attribute::optional(
            "duration",
            Type::String,
            "How long the access is wanted for, such as `15m`. Policy decides if it is not set.",
        ),
        Attribute::optional(
            "context",
            Type::String,
            "More about the intent, as a JSON object; use `jsonencode`. Policy and approvers see \
             it. The key `triggers` is reserved.",
        ),
        Attribute::optional(
            "triggers",
            Type::text_map(),
            "Values whose change asks for a new approval. They stand in the intent's context under \
             `triggers`, so approvers see them.",
        ),
        Attribute::optional(
            "digest",
            Type::String,
            "SHA-256 of the exact thing that is approved, such as a saved plan: `sha256:` and 64 \
             hex digits.",
        ),
        Attribute::defaulted(
            "wait",
            Type::Bool,
            "Whether to wait for people. If `false`, an apply that is not approved yet fails at \
             once with the request's address, and the next apply continues with the same request. \
             `true` if it is not set.",
        ),
        Attribute::nested("timeouts", vec![create], "How long operations may take."),
    ]
}

/// What the provider finds out.
fn results() -> Vec<Attribute> {
    vec![
        Attribute::computed("id", Type::String, "Id of the request."),
        Attribute::computed(
            "url",
            Type::String,
            "Address at which the request can be seen and approved. Known at plan: it depends on \
             the arguments alone.",
        ),
        Attribute::computed(
            "intent_digest",
            Type::String,
            "SHA-256 of what was approved: `sha256:` and 64 hex digits. Known at plan.",
        ),
        Attribute::computed(
            "state",
            Type::String,
            "Where the request stands: `pending`, `approved`, `consumed`, `denied`, `expired`, \
             `canceled` or `revoked`.",
        ),
        Attribute::computed("approved_by", Type::texts(), "Who approved it."),
        Attribute::computed(
            "ruling",
            Type::String,
            "What policy said when it was filed: `permit`, `require` or `refuse`.",
        ),
    ]
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = Stated::of(config).faults();
    let timeout = config.attribute("timeouts").attribute("create");
    if let Some(text) = timeout.as_text().given()
        && let Err(error) = duration::parse(&text)
    {
        let path = Path::attribute("timeouts").then_attribute("create");
        let detail = sentence(&error.to_string());
        faults.push(Diagnostic::error("Invalid `timeouts.create`", detail).at(path));
    }
    faults
}

/// The intent that a planned state is about.
fn intent(planned: &Value) -> Result<Intent, Diagnostics> {
    let unknown = || {
        let detail = "Some of the arguments are still not known at apply.";
        Diagnostic::error("The intent is not known", detail).into()
    };
    Stated::of(planned).intent()?.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_timeout_is_told_at_its_path() {
        let timeouts = Value::object([("create", Value::text("soon"))]);
        let config = Value::object([
            ("environment", Value::text("production")),
            ("reason", Value::text("resize")),
            ("timeouts", timeouts),
        ]);
        let faults = validate(&config);
        let paths: Vec<_> = faults.list().iter().filter_map(|fault| fault.path.as_ref()).collect();
        assert_eq!(paths[0].to_string(), "timeouts.create");
    }

    #[test]
    fn what_is_still_unknown_is_not_asked() {
        let planned =
            Value::object([("environment", Value::text("production")), ("reason", Value::Unknown)]);
        assert!(intent(&planned).is_err());
    }

    #[test]
    fn a_configuration_that_is_not_known_yet_is_no_fault() {
        let config = Value::object(
            ["environment", "reason", "context", "timeouts", "digest", "duration"]
                .map(|name| (name, Value::Unknown)),
        );
        assert_eq!(validate(&config), Diagnostics::default());
    }
}

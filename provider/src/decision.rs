//! The data source `assent_decision`: what policy would say, with nothing filed.

use assent_client::wire;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::failure;
use crate::intent::{DEFAULT_KIND, Stated};
use crate::offer::DataSource;
use crate::ruling;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Number, Type, Value};

/// The data source `assent_decision`.
#[derive(Debug)]
pub(crate) struct Decision;

#[tonic::async_trait]
impl DataSource for Decision {
    fn name(&self) -> &'static str {
        "assent_decision"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        Ok((read(session, config).await?, Diagnostics::default()))
    }
}

/// What is asked for if the configuration gives no reason.
const NO_REASON: &str = "a preview; no reason given";

/// The data source's schema.
fn schema() -> Schema {
    Schema::new(
        "What policy would say of an intent now. Nothing is filed and nobody is asked. The answer \
         can change before apply.",
        vec![
            Attribute::optional(
                "kind",
                Type::String,
                "What would be done, as a dotted name. `terraform.apply` if it is not set.",
            ),
            Attribute::required("environment", Type::String, "Where it would be done."),
            Attribute::optional("target", Type::text_map(), "What it would be done to."),
            Attribute::optional("reason", Type::String, "Why."),
            Attribute::optional(
                "context",
                Type::String,
                "More about the intent, as a JSON object; use `jsonencode`.",
            ),
            Attribute::computed("ruling", Type::String, "`permit`, `require` or `refuse`."),
            Attribute::computed("rule_ids", Type::texts(), "The rules that decided."),
            Attribute::computed("summary", Type::String, "The ruling in words."),
            Attribute::computed(
                "stages",
                Type::List(Box::new(stage_type())),
                "Who would have to approve: each stage with its `name`, how many `approvals` it \
                 needs and `from` whom.",
            ),
        ],
    )
}

/// The type of one stage.
fn stage_type() -> Type {
    Type::object([("name", Type::String), ("approvals", Type::Number), ("from", Type::texts())])
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    Stated::with_default_reason(config, NO_REASON).faults()
}

/// Asks what policy would say.
///
/// # Errors
/// The server could not be asked.
async fn read(session: &Session, config: Value) -> Result<Value, Diagnostics> {
    let intent = Stated::with_default_reason(&config, NO_REASON).intent()?.ok_or_else(|| {
        let detail = "Some of the arguments are not known yet.";
        Diagnostic::error("The intent is not known", detail)
    })?;
    let filing = wire::Filing { intent: wire::Intent::from(&intent), reattach: false };
    let configured = session.configured();
    let decision = configured.server()?.decide(&filing).await;
    let decision = decision.map_err(|error| failure::told(&error, "Policy cannot be asked"))?;
    Ok(with_ruling(config, &decision.ruling))
}

/// The configuration with the answer filled in.
fn with_ruling(config: Value, ruling: &wire::Ruling) -> Value {
    let kind = config.attribute("kind").as_text().given();
    let summary = summary(&kind.unwrap_or_else(|| DEFAULT_KIND.to_owned()), ruling);
    config
        .with("ruling", Value::text(ruling.outcome.word()))
        .with("rule_ids", Value::texts(ruling.rules.iter().cloned()))
        .with("summary", Value::String(summary))
        .with("stages", Value::List(ruling.stages.iter().map(stage).collect()))
}

/// The ruling in words.
fn summary(kind: &str, ruling: &wire::Ruling) -> String {
    match ruling.outcome {
        wire::Said::Permit => format!("{kind} is permitted; nobody needs to be asked"),
        wire::Said::Require => format!("{kind} needs approval by {}", ruling::asked(ruling)),
        wire::Said::Refuse => format!("{kind} is refused: {}", ruling::refused(ruling)),
    }
}

/// One stage as a value.
fn stage(stage: &wire::Stage) -> Value {
    Value::object([
        ("name", Value::text(&stage.name)),
        ("approvals", Value::Number(Number::Unsigned(stage.approvals.into()))),
        ("from", Value::texts(stage.from.iter().cloned())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ruling::tests::{a_stage, ruling};

    #[test]
    fn no_reason_is_needed() {
        let config = Value::object([("environment", Value::text("production"))]);
        assert_eq!(validate(&config), Diagnostics::default());
    }

    #[test]
    fn the_answer_fits_the_schema() {
        let mut asked = ruling(wire::Said::Require);
        asked.stages = vec![a_stage(2, &["group:release-managers"])];
        let config = Value::object(
            ["kind", "environment", "target", "reason", "context"].map(|name| (name, Value::Null)),
        );
        let state = with_ruling(config, &asked);
        let bytes = crate::value::encode_msgpack(&state).unwrap();
        let read = crate::value::decode_msgpack(&bytes, &schema().value_type()).unwrap();
        let words = "terraform.apply needs approval by 2 of release-managers (rule prod-apply)";
        assert_eq!(read.attribute("summary"), &Value::text(words));
        assert_eq!(read.attribute("ruling"), &Value::text("require"));
    }
}

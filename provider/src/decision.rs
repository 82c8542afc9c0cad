//! The data source `assent_decision`: what policy would say, with nothing filed.

use assent_client::wire;
use assent_core::digest::Digest;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::intent::{DEFAULT_KIND, Stated, sentence};
use crate::offer::DataSource;
use crate::ruling;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Type, Value};

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
    let mut attributes = arguments();
    attributes.extend(results());
    Schema::new(
        "What policy would say of an intent now. Nothing is filed and nobody is asked. Read at plan, \
         the answer is part of the plan and stays what it was until the next one; whether an apply \
         goes through is decided by policy as it is then.",
        attributes,
    )
}

/// What the configuration says.
fn arguments() -> Vec<Attribute> {
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
            "duration",
            Type::String,
            "How long the access would be wanted for, such as `15m`.",
        ),
        Attribute::optional(
            "context",
            Type::String,
            "More about the intent, as a JSON object; use `jsonencode`. The key `triggers` is \
             reserved.",
        ),
        Attribute::optional(
            "triggers",
            Type::text_map(),
            "What an `assent_approval` would have under `triggers`.",
        ),
        Attribute::optional(
            "digest",
            Type::String,
            "SHA-256 of the exact thing, such as a saved plan: `sha256:` and 64 hex digits.",
        ),
        Attribute::optional(
            "plan",
            Type::String,
            "SHA-256 of the JSON of a plan that the server has taken in, so that rules can look at \
             what it does: `sha256:` and 64 hex digits.",
        ),
    ]
}

/// What the provider finds out.
fn results() -> Vec<Attribute> {
    vec![
        Attribute::computed("ruling", Type::String, "`permit`, `require` or `refuse`."),
        Attribute::computed("rule_ids", Type::texts(), "The rules that decided."),
        Attribute::computed("summary", Type::String, "The ruling in words."),
        Attribute::computed(
            "stages",
            ruling::stages_type(),
            "Who would have to approve: each stage with its `name`, how many `approvals` it \
             needs and `from` whom.",
        ),
        Attribute::computed(
            "explanation",
            Type::List(Box::new(account_type())),
            "What became of each rule that is for such intents: its id as `rule`, its `place` \
             (`policy/prod.yaml:12:5`, or `api:/prod.yaml:12:5` for what the server keeps), its \
             `effect` (`deny`, `require` or `allow`) and its `result` (`matched`, `not matched` or \
             `indeterminate`).",
        ),
        Attribute::computed("policy", Type::String, "Revision of the policy that spoke."),
        Attribute::computed(
            "intent_digest",
            Type::String,
            "SHA-256 of the intent that was looked at: `sha256:` and 64 hex digits.",
        ),
    ]
}

/// The type of what became of one rule.
fn account_type() -> Type {
    Type::object(["rule", "place", "effect", "result"].map(|name| (name, Type::String)))
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = Stated::with_default_reason(config, NO_REASON).faults();
    if let Some(text) = config.attribute("plan").as_text().given()
        && let Err(error) = text.parse::<Digest>()
    {
        let detail = sentence(&error.to_string());
        faults.push(Diagnostic::error("Invalid `plan`", detail).at(Path::attribute("plan")));
    }
    faults
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
    let plan = config.attribute("plan").as_text().given();
    let intent = wire::Intent { plan, ..wire::Intent::from(&intent) };
    let filing = wire::Filing { intent, reattach: false, heartbeat: None };
    let configured = session.configured();
    let decision = configured.server()?.decide(&filing).await;
    let decision =
        decision.map_err(|error| failure::told_of_intent(&error, "Policy cannot be asked"))?;
    Ok(with_answer(config, &decision))
}

/// The configuration with the answer filled in.
fn with_answer(config: Value, decision: &wire::Decision) -> Value {
    let ruling = &decision.ruling;
    let kind = config.attribute("kind").as_text().given();
    let summary = ruling::summary(&kind.unwrap_or_else(|| DEFAULT_KIND.to_owned()), ruling);
    config
        .with("ruling", Value::text(ruling.outcome.word()))
        .with("rule_ids", Value::texts(ruling.rules.iter().cloned()))
        .with("summary", Value::String(summary))
        .with("stages", ruling::stages(ruling))
        .with("explanation", Value::List(decision.explanation.iter().map(account).collect()))
        .with("policy", Value::text(&ruling.policy))
        .with("intent_digest", Value::text(&decision.digest))
}

/// What became of one rule, as a value.
fn account(account: &wire::Account) -> Value {
    Value::object([
        ("rule", Value::text(&account.rule)),
        ("place", account.place.clone().map_or(Value::Null, Value::String)),
        ("effect", Value::text(&account.effect)),
        ("result", Value::text(&account.result)),
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
    fn a_plan_is_named_by_its_digest() {
        let config = Value::object([("environment", Value::text("production"))]);
        let faults = validate(&config.with("plan", Value::text("plan.json")));
        assert_eq!(faults.list()[0].path, Some(Path::attribute("plan")));
    }

    #[test]
    fn the_answer_fits_the_schema() {
        let mut asked = ruling(wire::Said::Require);
        asked.stages = vec![a_stage(2, &["group:release-managers"])];
        let decision: wire::Decision = serde_json::from_value(serde_json::json!({
            "digest": "sha256:00", "ruling": asked, "explanation": [{
                "rule": "prod-apply", "effect": "require", "result": "matched", "waived": false,
                "conditions": [],
            }],
        }))
        .unwrap();
        let Type::Object(attributes) = schema().value_type() else { panic!("no object") };
        let config = Value::Map(attributes.into_keys().map(|name| (name, Value::Null)).collect());
        let state = with_answer(config, &decision);
        let bytes = crate::value::encode_msgpack(&state).unwrap();
        let read = crate::value::decode_msgpack(&bytes, &schema().value_type()).unwrap();
        let words = "terraform.apply needs approval by 2 of release-managers (rule prod-apply)";
        assert_eq!(read.attribute("summary"), &Value::text(words));
        assert_eq!(read.attribute("ruling"), &Value::text("require"));
        assert_eq!(read.attribute("intent_digest"), &Value::text("sha256:00"));
    }
}

//! The resource `assent_approval`: Create blocks until people have approved.
//!
//! Its arguments state an intent. Plan says what will be asked, and files nothing
//! unless the configuration wants that; Create files the intent, of the saved plan
//! that is applied if there is one, and waits for its end; Read looks where the
//! request stands; Delete says that the action is over, and waits for nobody.
//! Nothing secret is ever in its state.

mod ending;
mod import;
mod plan;

use assent_core::intent::Intent;

use crate::asking::{self, Asked, Patience, Question};
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::exact::{self, Exact};
use crate::intent::{self, Stated};
use crate::offer::{Change, Made, Planned, PlannedChange, Resource};
use crate::ruling;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::standing::Standing;
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
        let PlannedChange { prior, planned, config, .. } = change;
        if planned.is_null() {
            ending::delete(session, &prior).await?;
            return Ok(Made::quiet(Value::Null));
        }
        if prior.is_null() {
            return create(session, planned, &config).await;
        }
        // Only how people are asked changes in place; the server has no part in that.
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

/// Asks, and waits until it is granted.
async fn create(session: &Session, planned: Value, config: &Value) -> Result<Made, Diagnostics> {
    let patience = Patience::of(&planned, "create")?;
    let exact = exact::asked(session, stated(&planned)?, config).await?;
    let question = Question::exact(&exact, patience);
    let (question, unused) = match (RequestAt::of(&planned), &exact) {
        (RequestAt::Apply, _) => (question, None),
        (RequestAt::Plan, Exact::Stated(_)) => (question.asked(Asked::AtPlan), None),
        (RequestAt::Plan, Exact::OfPlan(_)) => (question, Some(asked_too_early())),
    };
    let standing = asking::granted(session, question).await?;
    let mut diagnostics: Diagnostics = unused.map(Diagnostics::from).unwrap_or_default();
    if let Some(told) = otherwise(&planned, &standing) {
        diagnostics.push(told);
    }
    Ok(Made { diagnostics, ..Made::quiet(standing.found_out(planned)) })
}

/// When people are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestAt {
    /// When Terraform creates the approval.
    Apply,
    /// When Terraform plans to.
    Plan,
}

impl RequestAt {
    /// What a state says of it.
    fn of(state: &Value) -> Self {
        match state.attribute("request_at").as_text().given().as_deref() {
            Some("plan") => Self::Plan,
            Some(_) | None => Self::Apply,
        }
    }
}

/// What was asked at plan cannot name a saved plan that did not exist yet.
fn asked_too_early() -> Diagnostic {
    let detail = "What was asked at plan is about no saved plan, so it did not serve this apply of \
                  one: people were asked again. Leave `request_at` out where saved plans are \
                  approved.";
    Diagnostic::warning("Asked twice", detail).at(Path::attribute("request_at"))
}

/// That policy said something else than what the plan showed, if it did.
fn otherwise(planned: &Value, standing: &Standing) -> Option<Diagnostic> {
    let foreseen = planned.attribute("foreseen").as_text().given()?;
    let said = standing.summary();
    let detail = format!(
        "The plan foresaw: {foreseen}. When request {} was filed, policy said: {said}. What was \
         said then counts.\n\n{}",
        standing.id, standing.url,
    );
    let told = Diagnostic::warning("Policy said something else than foreseen", detail);
    (said != foreseen).then(|| told.at(Path::attribute("foreseen")))
}

/// The resource's schema.
fn schema() -> Schema {
    let mut attributes = arguments();
    attributes.extend(ways());
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
    let mut arguments = intent::attributes();
    arguments.extend([
        Attribute::required("reason", Type::String, "Why, for the people who approve."),
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
        exact::attribute(),
    ]);
    arguments
}

/// How people are asked: no part of the intent, so a change asks nobody.
fn ways() -> Vec<Attribute> {
    let create = Attribute::optional(
        "create",
        Type::String,
        "How long to wait for approval, such as `30m` or `1h30m`. `30m` if it is not set.",
    );
    vec![
        Patience::attribute(),
        Attribute::optional(
            "request_at",
            Type::String,
            "`apply`, or `plan` to file the request as soon as the plan shows that it will be \
             needed: the same request then serves the plan, its apply and every retry. If it is \
             denied, or ends in another way without a grant, apply says so and does not ask again; \
             another plan does. Interrupting the apply leaves it open. Needs `applying` in the \
             provider block, so that plan is told from apply. `apply` if it is not set.",
        ),
        Attribute::optional(
            "renew_when_expired",
            Type::Bool,
            "Whether the plan replaces an approval that has expired or was denied, canceled or \
             revoked, which asks anew. Otherwise a warning tells of it. One that was used up is \
             neither. `false` if it is not set.",
        ),
        Attribute::optional(
            "foreseen",
            Type::String,
            "What policy is expected to say, usually the `summary` of an `assent_decision`: the \
             plan then shows it as a known value. If policy says something else when the request \
             is filed, that counts, and a warning tells both. It keeps what was foreseen then.",
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
            "SHA-256 of what the arguments state: `sha256:` and 64 hex digits. Known at plan.",
        ),
        Attribute::computed(
            "approved_digest",
            Type::String,
            "SHA-256 of exactly what was approved. It is the `intent_digest`, unless the approval \
             is of one saved plan (`plan_digest`).",
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
            "What policy said when it was filed: `permit`, `require` or `refuse`. Known after \
             apply only: Terraform plans a second time at apply and refuses what differs from the \
             first, and policy may have changed by then. `foreseen` shows at plan what is expected, \
             and a warning tells it.",
        ),
        Attribute::computed(
            "stages",
            ruling::stages_type(),
            "Who had to approve: each stage with its `name`, how many `approvals` it needed and \
             `from` whom. Known after apply only, as `ruling` is.",
        ),
    ]
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = Stated::of(config).faults();
    let others = exact::check(config).into_iter().chain(check_request_at(config));
    others.for_each(|fault| faults.push(fault));
    if let Some(fault) = Patience::fault(config, "create") {
        faults.push(fault);
    }
    faults
}

/// Checks when people shall be asked.
fn check_request_at(config: &Value) -> Option<Diagnostic> {
    let said = config.attribute("request_at").as_text().given()?;
    let of_plan = config.attribute("plan_digest").as_text().given().is_some();
    let problem = match said.as_str() {
        "apply" => return None,
        "plan" if !of_plan => return None,
        "plan" => "What is asked at plan cannot be about a saved plan, which does not exist yet.",
        _ => "Expected `apply` or `plan`.",
    };
    let fault = Diagnostic::error("Invalid `request_at`", problem);
    Some(fault.at(Path::attribute("request_at")))
}

/// The intent that a planned state is about.
fn stated(planned: &Value) -> Result<Intent, Diagnostics> {
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
        assert_eq!(paths[0].to_string(), "timeouts");
    }

    #[test]
    fn people_are_asked_at_apply_or_at_plan_and_at_plan_about_no_saved_plan() {
        let plan_digest = Value::text(format!("sha256:{}", "0".repeat(64)));
        let faults = |request_at: &str, plan_digest: Value| {
            let config = Value::object([
                ("environment", Value::text("production")),
                ("reason", Value::text("resize")),
                ("request_at", Value::text(request_at)),
                ("plan_digest", plan_digest),
            ]);
            validate(&config).list().len()
        };
        assert_eq!(faults("apply", plan_digest.clone()), 0);
        assert_eq!(faults("plan", Value::Null), 0);
        assert_eq!(faults("plan", Value::Unknown), 0);
        assert_eq!(faults("plan", plan_digest), 1);
        assert_eq!(faults("never", Value::Null), 1);
    }

    #[test]
    fn what_was_foreseen_is_held_against_what_was_said() {
        let standing = Standing::of(&crate::standing::tests::request("approved")).unwrap();
        let foreseen = |text: Value| otherwise(&Value::object([("foreseen", text)]), &standing);
        assert_eq!(foreseen(Value::Null), None);
        assert_eq!(foreseen(Value::text(standing.summary())), None);
        let told = foreseen(Value::text("terraform.apply is permitted")).unwrap();
        assert!(told.detail.starts_with("The plan foresaw: terraform.apply is permitted. When"));
        assert!(told.detail.contains(&standing.summary()), "{}", told.detail);
    }

    #[test]
    fn what_is_still_unknown_is_not_asked() {
        let planned =
            Value::object([("environment", Value::text("production")), ("reason", Value::Unknown)]);
        assert!(stated(&planned).is_err());
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

//! The exact saved plan that is applied, where there is one: what is asked then is about that plan.
//!
//! Terraform tells its providers nothing about the plan it applies, so whoever applies it says the
//! SHA-256 of its bytes: in the argument `plan_digest`, or in the environment, as `assent apply`
//! does. An approval of one saved plan is no approval of another, and serves one apply of it.

use assent_core::digest::Digest;
use assent_core::intent::Intent;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::environment::Defaults;
use crate::failure;
use crate::intent::sentence;
use crate::schema::Attribute;
use crate::session::Session;
use crate::value::{Type, Value};

/// The argument.
const ARGUMENT: &str = "plan_digest";

/// The variable that stands in for it.
const VARIABLE: &str = "ASSENT_PLAN_DIGEST";

/// What is asked for a stated intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exact {
    /// What is stated, whatever plan it is part of.
    Stated(Intent),
    /// The same, of one saved plan, once.
    OfPlan(Intent),
}

/// The argument of a resource that asks people.
pub(crate) fn attribute() -> Attribute {
    Attribute::optional(
        ARGUMENT,
        Type::String,
        "SHA-256 of the saved plan that is applied: `sha256:` and 64 hex digits. What people are \
         asked is then about exactly that plan, and their approval serves one apply of it. Leave it \
         out and use `assent apply plan.out`, which sets `ASSENT_PLAN_DIGEST`; or give an ephemeral \
         variable that is empty at `terraform plan` and says it at `terraform apply`. It is kept \
         nowhere.",
    )
    .write_only()
}

/// What is wrong with the argument, as far as it is known.
pub(crate) fn check(config: &Value) -> Option<Diagnostic> {
    // Terraform takes a variable at apply only if it was set at plan too, when there is no plan yet.
    let text = config.attribute(ARGUMENT).as_text().given().filter(|text| !text.is_empty())?;
    let told = match text.parse::<Digest>() {
        Err(error) => fault(&sentence(&error.to_string())),
        Ok(_) if config.attribute("digest").is_null() => return None,
        Ok(_) => fault(TWO_THINGS),
    };
    Some(told.at(Path::attribute(ARGUMENT)))
}

/// Why two digests are refused.
const TWO_THINGS: &str = "An approval is of one exact thing, but `digest` and the saved plan are \
                          two. Put what `digest` says into `triggers`, where approvers see it too.";

/// What to ask at apply for what a configuration states.
///
/// # Errors
/// The digest of the saved plan is none, or the intent is about another thing already; the server
/// could not be asked what was handed in for it.
pub(crate) async fn asked(
    session: &Session,
    stated: Intent,
    config: &Value,
) -> Result<Exact, Diagnostics> {
    let Some(saved) = plan_digest(config, &session.defaults)? else {
        return Ok(Exact::Stated(stated));
    };
    if stated.subject().is_some_and(|subject| subject != saved) {
        return Err(fault(TWO_THINGS).at(Path::attribute("digest")).into());
    }
    let plan = session.configured().server()?.plan_of_saved(&saved.to_string()).await;
    let plan = plan.map_err(|error| failure::told(&error, "The plan cannot be looked up"))?;
    let plan = plan.map(|text| text.parse::<Digest>()).transpose().map_err(|error| {
        let detail = format!("The server names a plan by no digest: {error}.");
        Diagnostic::error("The plan cannot be looked up", detail)
    })?;
    Ok(Exact::OfPlan(stated.bound_to(saved, plan)))
}

/// The digest of the saved plan that is applied: the argument, or what stands in for it.
fn plan_digest(config: &Value, defaults: &Defaults) -> Result<Option<Digest>, Diagnostic> {
    let said = config.attribute(ARGUMENT).as_text().given();
    let Some(text) = said.clone().or_else(|| defaults.plan_digest.clone()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: assent_core::digest::NotADigest| {
        let problem = sentence(&error.to_string());
        match said {
            Some(_) => fault(&problem).at(Path::attribute(ARGUMENT)),
            None => Diagnostic::error(format!("Invalid {VARIABLE}"), problem),
        }
    })
}

fn fault(problem: &str) -> Diagnostic {
    Diagnostic::error(format!("Invalid `{ARGUMENT}`"), problem)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::intent::Stated;
    use crate::plugin::Lifetime;

    fn config(digest: Value, plan_digest: Value) -> Value {
        Value::object([
            ("environment", Value::text("production")),
            ("reason", Value::text("resize")),
            ("digest", digest),
            (ARGUMENT, plan_digest),
        ])
    }

    fn text_of(bytes: &[u8]) -> Value {
        Value::text(Digest::of(bytes).to_string())
    }

    /// What is asked where the environment says this, by a provider without a server.
    async fn ask(config: &Value, variable: Option<&str>) -> Result<Exact, Diagnostics> {
        let plan_digest = variable.map(str::to_owned);
        let defaults = Defaults { plan_digest, ..Defaults::default() };
        let session = Session::new(defaults, Arc::new(Lifetime::default()));
        asked(&session, Stated::of(config).intent().unwrap().unwrap(), config).await
    }

    /// The first thing that is told.
    fn first(told: &Diagnostics) -> (String, Option<String>) {
        let told = &told.list()[0];
        (told.summary.clone(), told.path.as_ref().map(ToString::to_string))
    }

    #[tokio::test]
    async fn without_a_plan_s_digest_what_is_stated_is_asked() {
        let config = config(Value::Null, Value::Null);
        let stated = Stated::of(&config).intent().unwrap().unwrap();
        assert_eq!(ask(&config, None).await, Ok(Exact::Stated(stated)));
    }

    #[tokio::test]
    async fn what_is_no_digest_is_told_where_it_was_said() {
        let wrong = config(Value::Null, Value::text("sha256:12"));
        let told = ask(&wrong, None).await.unwrap_err();
        let (at, summary) = ("plan_digest".to_owned(), "Invalid `plan_digest`".to_owned());
        assert_eq!(first(&told), (summary, Some(at)));
        assert_eq!(check(&wrong).as_ref(), told.list().first());
        let told = ask(&config(Value::Null, Value::Null), Some("nonsense")).await.unwrap_err();
        assert_eq!(first(&told), ("Invalid ASSENT_PLAN_DIGEST".to_owned(), None));
    }

    #[tokio::test]
    async fn an_empty_digest_is_said_later_but_not_after_apply() {
        let empty = config(Value::Null, Value::text(""));
        assert_eq!(check(&empty), None);
        let told = ask(&empty, Some(&Digest::of(b"plan").to_string())).await.unwrap_err();
        assert_eq!(first(&told).0, "Invalid `plan_digest`");
    }

    #[tokio::test]
    async fn an_intent_about_another_thing_is_not_bound_to_a_plan() {
        let both = config(text_of(b"image"), text_of(b"plan"));
        assert_eq!(first(&check(&both).unwrap().into()).1.as_deref(), Some("plan_digest"));
        assert_eq!(first(&ask(&both, None).await.unwrap_err()).1.as_deref(), Some("digest"));
        let said = Digest::of(b"plan").to_string();
        let told = ask(&config(text_of(b"image"), Value::Null), Some(&said)).await.unwrap_err();
        assert_eq!(first(&told).1.as_deref(), Some("digest"));
    }

    #[tokio::test]
    async fn a_plan_is_looked_up_and_never_left_out() {
        let told = ask(&config(Value::Null, text_of(b"plan")), None).await.unwrap_err();
        assert_eq!(first(&told).0, "Provider not configured");
    }
}

//! Planning: what will change, and what people will be asked.
//!
//! Terraform plans again at apply and holds the second plan against the first,
//! and policy may change in between. So only what depends on the arguments alone
//! is planned as known; what policy says is told in a warning and never planned.
//! Nothing is filed unless the configuration says `request_at = "plan"`.

use assent_client::wire;

use super::RequestAt;
use crate::asking;
use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::intent::{ARGUMENTS, DEFAULT_KIND, Stated, sentence};
use crate::offer::{Change, Planned};
use crate::ruling;
use crate::session::Session;
use crate::standing::{Standing, State};
use crate::value::Value;

/// What the provider finds out when the request is filed.
const FOUND_OUT: [&str; 8] =
    ["id", "url", "intent_digest", "approved_digest", "state", "approved_by", "ruling", "stages"];

/// Plans a change.
///
/// # Errors
/// Every fault in the arguments.
pub(super) async fn plan(session: &Session, change: Change) -> Result<Planned, Diagnostics> {
    let Change { prior, proposed, config, private } = change;
    if proposed.is_null() {
        return Ok(Planned::quiet(proposed, private));
    }
    let state = with_defaults(proposed, &config);
    if prior.is_null() {
        return plan_create(session, state, private).await;
    }
    let changed =
        ARGUMENTS.into_iter().filter(|name| state.attribute(name) != prior.attribute(name));
    let mut requires_replace: Vec<_> = changed.map(Path::attribute).collect();
    if renew(&state) && State::of(&prior).is_some_and(State::is_over_unused) {
        requires_replace.push(Path::attribute("state"));
    }
    if requires_replace.is_empty() {
        return Ok(Planned::quiet(as_foreseen_then(state, &prior), private));
    }
    Ok(Planned { requires_replace, ..plan_create(session, state, private).await? })
}

/// Whether an approval that ended is asked for anew.
fn renew(state: &Value) -> bool {
    state.attribute("renew_when_expired").as_bool().given().unwrap_or(false)
}

/// The state with what was foreseen when people were asked: what would be foreseen now is about
/// another request. Terraform lets a plan keep a prior value.
fn as_foreseen_then(state: Value, prior: &Value) -> Value {
    let (now, then) = (state.attribute("foreseen"), prior.attribute("foreseen").clone());
    if now.is_null() || then.is_null() { state } else { state.with("foreseen", then) }
}

/// Plans a create, and says what will be asked.
///
/// For a replacement Terraform asks twice, first with the prior state and then
/// without it, and shows only the warnings of the first answer.
async fn plan_create(
    session: &Session,
    state: Value,
    private: Vec<u8>,
) -> Result<Planned, Diagnostics> {
    let state = to_be_found_out(state, session)?;
    let diagnostics = foresee(session, &state).await?;
    Ok(Planned { diagnostics, ..Planned::quiet(state, private) })
}

/// The proposed state with the defaults of arguments that are not set.
///
/// Terraform proposes the prior value for them; a removed argument must go back
/// to its default instead.
fn with_defaults(proposed: Value, config: &Value) -> Value {
    let or = |name: &str, default: Value| {
        let set = config.attribute(name);
        if set.is_null() { default } else { set.clone() }
    };
    let kind = or("kind", Value::text(DEFAULT_KIND));
    let wait = or("wait", Value::Bool(true));
    // What is only written is in no plan.
    proposed.with("kind", kind).with("wait", wait).with("plan_digest", Value::Null)
}

/// The state with everything unknown that is found out when the request is
/// filed, except for what depends on the arguments alone.
fn to_be_found_out(state: Value, session: &Session) -> Result<Value, Diagnostics> {
    let intent = Stated::of(&state).intent()?;
    let state = FOUND_OUT.into_iter().fold(state, |state, name| state.with(name, Value::Unknown));
    let Some(digest) = intent.map(|intent| intent.digest()) else { return Ok(state) };
    let state = state.with("intent_digest", Value::text(digest.to_string()));
    match &session.configured().reach {
        Reach::Known(server) => {
            let url = format!("{}/intents/{}", server.base(), digest.hex());
            Ok(state.with("url", Value::String(url)))
        }
        Reach::NotYetKnown | Reach::Unconfigured => Ok(state),
    }
}

/// Says what will be asked, as far as that can be known, and asks it already if
/// it shall be asked at plan. At apply it is about to be asked for real, and
/// nothing needs to be foreseen.
async fn foresee(session: &Session, state: &Value) -> Result<Diagnostics, Diagnostics> {
    let configured = session.configured();
    let request_at = RequestAt::of(state);
    if request_at == RequestAt::Plan && configured.applying.is_none() {
        return Err(plan_or_apply().into());
    }
    if configured.applying == Some(true) {
        return Ok(Diagnostics::default());
    }
    let Reach::Known(server) = &configured.reach else {
        return Ok(cannot_foresee("The server is known only after apply.").into());
    };
    let Some(intent) = Stated::of(state).intent()? else {
        return Ok(cannot_foresee("Some arguments are known only after apply.").into());
    };
    let filing =
        wire::Filing { intent: wire::Intent::from(&intent), reattach: true, heartbeat: None };
    let url = state.attribute("url").as_text().given().unwrap_or_default();
    let told = match server.decide(&filing).await {
        Ok(decision) if decision.ruling.outcome == wire::Said::Require => {
            let asked = match request_at {
                RequestAt::Apply => format!("Terraform will file it at apply: {url}"),
                RequestAt::Plan => match asking::ahead(server, &intent).await {
                    Ok(standing) => filed(&standing),
                    Err(told) => return Ok(cannot_ask_now(told).into()),
                },
            };
            tell(&decision.ruling, &asked)
        }
        Ok(decision) => tell(&decision.ruling, ""),
        Err(error) => Some(cannot_foresee(&failure::why(&error))),
    };
    Ok(told.map(Diagnostics::from).unwrap_or_default())
}

/// That what will be asked is asked already.
fn filed(standing: &Standing) -> String {
    let Standing { id, state, url, .. } = standing;
    format!("Request {id} is {state}, and apply continues with it: {url}")
}

/// Nothing may be filed where plan cannot be told from apply: Terraform plans at both.
fn plan_or_apply() -> Diagnostic {
    let detail = "Asking at plan needs `applying = terraform.applying` in the provider block of \
                  `assent`, so that the provider can tell plan from apply.";
    Diagnostic::error("Plan cannot be told from apply", detail).at(Path::attribute("request_at"))
}

/// That nothing could be asked at plan; apply will ask.
fn cannot_ask_now(told: Diagnostic) -> Diagnostic {
    let detail = format!("{} Terraform will ask when it applies.", told.detail);
    Diagnostic::warning("Nothing could be asked at plan", detail)
}

/// What a person should know of a ruling before apply, and where it is asked; nothing if it
/// permits.
fn tell(ruling: &wire::Ruling, asked: &str) -> Option<Diagnostic> {
    match ruling.outcome {
        wire::Said::Permit => None,
        wire::Said::Require => {
            let detail = format!(
                "{} The requester does not count. {asked}",
                sentence(&ruling::asked(ruling)),
            );
            Some(Diagnostic::warning("Approval required", detail))
        }
        wire::Said::Refuse => {
            let detail = format!(
                "Policy refuses this: {}. Apply will fail; change what is asked for, or have the \
                 policy changed.",
                ruling::refused(ruling),
            );
            Some(Diagnostic::warning("Apply will be refused", detail))
        }
    }
}

/// That nothing can be said before apply.
fn cannot_foresee(why: &str) -> Diagnostic {
    let detail = format!(
        "{why} Terraform will ask when it applies; whether people must approve, and who, is not \
         known now."
    );
    Diagnostic::warning("Approval may be required", detail)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

//! Planning: what happens to a gate, and who will be asked about it. Nothing is filed.

use super::deletion::{decide, intent};
use super::note::{DEFINING, Note, Operation};
use super::{NAME, OPERATIONS};
use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::intent::{DEFAULT_KIND, sentence};
use crate::offer::{Change, Planned};
use crate::ruling;
use crate::session::Session;
use crate::value::Value;
use assent_client::wire;

/// Plans a change.
///
/// # Errors
/// Every fault in the arguments.
pub(super) async fn plan(session: &Session, change: Change) -> Result<Planned, Diagnostics> {
    let Change { prior, proposed, config, .. } = change;
    if proposed.is_null() {
        return plan_end(session, &prior).await;
    }
    let state = with_defaults(proposed, &config);
    let note = Note::made(&state).to_bytes();
    if prior.is_null() {
        // Also the second half of a replacement, or of what is tainted: the note is then for the
        // deletion of the gate that goes. Terraform shows no warnings of this half.
        let applying = session.configured().applying == Some(true);
        let diagnostics = if applying { Diagnostics::default() } else { not_yet().into() };
        return Ok(Planned { diagnostics, ..Planned::quiet(to_be_made(state)?, note) });
    }
    let names = DEFINING.into_iter().chain(["triggers"]);
    let changed = names.filter(|name| !is_same(state.attribute(name), prior.attribute(name)));
    let requires_replace: Vec<_> = changed.map(Path::attribute).collect();
    if requires_replace.is_empty() {
        return Ok(Planned::quiet(state, note));
    }
    let diagnostics = foresee(session, &prior, &Operation::of(&prior, &note)).await?;
    let state = to_be_made(state)?;
    Ok(Planned { requires_replace, diagnostics, ..Planned::quiet(state, note) })
}

/// Plans the end of a gate.
async fn plan_end(session: &Session, prior: &Value) -> Result<Planned, Diagnostics> {
    // Terraform plans an end while it applies only for what `create_before_destroy` left behind.
    let applying = session.configured().applying == Some(true);
    let note = if applying { Note::GoneLate } else { Note::Gone }.to_bytes();
    let diagnostics = foresee(session, prior, &Operation::of(prior, &note)).await?;
    Ok(Planned { diagnostics, ..Planned::quiet(Value::Null, note) })
}

/// The proposed state with the defaults of arguments that are not set. Terraform proposes the
/// prior value for them; a removed argument must go back to its default instead.
fn with_defaults(proposed: Value, config: &Value) -> Value {
    let or = |name: &str, default: Value| {
        let set = config.attribute(name);
        if set.is_null() { default } else { set.clone() }
    };
    let kind = or("kind", Value::text(DEFAULT_KIND));
    let wait = or("wait", Value::Bool(true));
    let gate_on = or("gate_on", Value::texts(OPERATIONS.map(str::to_owned)));
    proposed.with("kind", kind).with("wait", wait).with("gate_on", gate_on)
}

/// The state of a gate that is to be made.
///
/// # Errors
/// Its arguments make no intent: then it could never be deleted.
fn to_be_made(state: Value) -> Result<Value, Diagnostics> {
    let state = state.with("id", Value::Unknown).with("asks", Value::Unknown);
    intent(&state, &Operation::Destroy)?;
    Ok(state)
}

/// Whether an argument is the same, in whatever order a set came.
fn is_same(planned: &Value, prior: &Value) -> bool {
    match (planned, prior) {
        (Value::List(planned), Value::List(prior)) => {
            planned.len() == prior.len() && planned.iter().all(|element| prior.contains(element))
        }
        (planned, prior) => planned == prior,
    }
}

/// Says who will be asked, as far as that can be known. At apply people are about to be asked for
/// real.
async fn foresee(
    session: &Session,
    prior: &Value,
    operation: &Operation,
) -> Result<Diagnostics, Diagnostics> {
    let configured = session.configured();
    if configured.applying == Some(true) {
        return Ok(Diagnostics::default());
    }
    let id = prior.attribute("id").as_text().given().unwrap_or_default();
    if !operation.is_asked(prior) {
        return Ok(unasked(&id, operation).map(Diagnostics::from).unwrap_or_default());
    }
    let Reach::Known(server) = &configured.reach else {
        return Ok(cannot_foresee(&id, "The server is known only after apply.").into());
    };
    let Some(intent) = intent(prior, operation)? else { return Ok(Diagnostics::default()) };
    let url = format!("{}/intents/{}", server.base(), intent.digest().hex());
    let told = match decide(server, &intent).await {
        Ok(ruling) => tell(&ruling, &id, &url),
        Err(why) => Some(cannot_foresee(&id, &why)),
    };
    Ok(told.map(Diagnostics::from).unwrap_or_default())
}

/// What a person should know of a ruling before apply; nothing if it permits.
fn tell(ruling: &wire::Ruling, id: &str, url: &str) -> Option<Diagnostic> {
    match ruling.outcome {
        wire::Said::Permit => None,
        wire::Said::Require => {
            let detail = format!(
                "{} The requester does not count. {NAME} {id} will file it at apply, before what \
                 it guards is touched: {url}",
                sentence(&ruling::asked(ruling)),
            );
            Some(Diagnostic::warning("Approval required", detail))
        }
        wire::Said::Refuse => {
            let detail = format!(
                "Policy refuses this: {}. Apply will fail at {NAME} {id}, before what it guards is \
                 touched; have the policy changed.",
                ruling::refused(ruling),
            );
            Some(Diagnostic::warning("Apply will be refused", detail))
        }
    }
}

/// That a gate goes and nobody is asked.
fn unasked(id: &str, operation: &Operation) -> Option<Diagnostic> {
    let Operation::Destroy = operation else { return None };
    let detail = format!(
        "{NAME} {id} goes, and nobody is asked: its `gate_on` does not have `destroy`. From then \
         on what it guarded can be changed freely."
    );
    Some(Diagnostic::warning("A gate goes without asking", detail))
}

/// That a gate is made, and so is not there yet: for the first time, or because the change that it
/// went for has failed.
fn not_yet() -> Diagnostic {
    let detail = format!(
        "An {NAME} is made by this plan, so nobody is asked about what the plan does to what it \
         guards. From then on people are asked."
    );
    Diagnostic::warning("A gate is not there yet", detail)
}

/// That nothing can be said before apply.
fn cannot_foresee(id: &str, why: &str) -> Diagnostic {
    let detail = format!(
        "{why} {NAME} {id} will ask at apply; whether people must approve, and who, is not known \
         now."
    );
    Diagnostic::warning("Approval may be required", detail)
}

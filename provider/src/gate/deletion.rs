//! Deleting a gate: what is asked, and asking it.

use std::collections::BTreeMap;

use assent_client::{Client, IdempotencyKey, wire};
use assent_core::intent::Intent;
use serde_json::{Map, Value as Json};

use super::note::Operation;
use super::{MEMBER, NAME, OPERATIONS};
use crate::asking::{self, Patience, Question};
use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::exact;
use crate::failure;
use crate::intent::Stated;
use crate::log::{Level, log};
use crate::ruling;
use crate::session::Session;
use crate::standing::Standing;
use crate::value::Value;

/// Deletes a gate, which is to ask whether what it guards may be touched.
///
/// The request is completed before Terraform hears of the grant: one approval, one deletion.
///
/// # Errors
/// It was not granted, or could not be completed; Terraform then keeps the gate, and does not
/// touch what it guards.
pub(super) async fn delete(
    session: &Session,
    prior: &Value,
    noted: &[u8],
) -> Result<(), Diagnostics> {
    let operation = Operation::of(prior, noted);
    if !operation.is_asked(prior) {
        log(Level::Info, format!("{} asks nobody about {}", named(prior), operation.word()));
        return Ok(());
    }
    let told = |faults: Diagnostics| faults.about(&stays(prior, &operation));
    let known = intent(prior, &operation).and_then(|intent| intent.ok_or_else(not_known));
    let intent = known.map_err(told)?;
    let patience = Patience::of(prior, "delete").map_err(told)?;
    // Terraform hands no configuration to a deletion, so only the environment can name the plan.
    let exact = exact::asked(session, intent, &Value::Null).await.map_err(told)?;
    let question = Question::exact(&exact, patience);
    let standing = asking::granted(session, question).await.map_err(told)?;
    complete(session, &standing).await.map_err(told)
}

/// The intent to delete a gate, or `None` while an argument is unknown.
///
/// # Errors
/// Every fault in the arguments.
pub(super) fn intent(state: &Value, operation: &Operation) -> Result<Option<Intent>, Diagnostics> {
    let id = state.attribute("id").as_text().given().unwrap_or_default();
    let stated = with_gate(state, operation.to_context(&id))?;
    Stated::of(&stated).intent()
}

/// Every fault in the arguments as far as they are known.
pub(super) fn faults(config: &Value) -> Diagnostics {
    let mut faults = Stated::of(config).faults();
    if let Err(fault) = with_gate(config, Operation::Destroy.to_context("")) {
        faults.push(fault);
    }
    faults
}

/// Who would be asked now about each operation that the gate asks about; `None` if it cannot be
/// found out now.
///
/// # Errors
/// Every fault in the arguments.
pub(super) async fn foreseen(
    session: &Session,
    state: &Value,
) -> Result<Option<Value>, Diagnostics> {
    let configured = session.configured();
    let Reach::Known(server) = &configured.reach else { return Ok(None) };
    let mut asks = BTreeMap::new();
    for (word, operation) in
        OPERATIONS.into_iter().zip([Operation::Destroy, Operation::Update(None)])
    {
        let Some(intent) = intent(state, &operation)? else { return Ok(None) };
        if !operation.is_asked(state) {
            continue;
        }
        match decide(server, &intent).await {
            Ok(ruling) => asks.insert(word.to_owned(), Value::String(who(&ruling))),
            Err(error) => {
                log(Level::Warn, format!("who {} asks is not known: {}", named(state), error));
                return Ok(None);
            }
        };
    }
    Ok(Some(Value::Map(asks)))
}

/// What policy says of an intent now. Nothing is filed.
pub(super) async fn decide(server: &Client, intent: &Intent) -> Result<wire::Ruling, String> {
    let filing =
        wire::Filing { intent: wire::Intent::from(intent), reattach: true, heartbeat: None };
    let decision = server.decide(&filing).await.map_err(|error| failure::why(&error))?;
    Ok(decision.ruling)
}

/// Who must approve, by a ruling.
fn who(ruling: &wire::Ruling) -> String {
    match ruling.outcome {
        wire::Said::Permit => "nobody: policy permits it".to_owned(),
        wire::Said::Require => ruling::asked(ruling),
        wire::Said::Refuse => format!("refused: {}", ruling::refused(ruling)),
    }
}

/// The arguments with the gate put into their context. An unknown context stays unknown, and one
/// that is no JSON object is told elsewhere.
fn with_gate(state: &Value, gate: Json) -> Result<Value, Diagnostic> {
    let context = state.attribute("context");
    let mut members = match context.as_text().given() {
        Some(text) => match serde_json::from_str(&text) {
            Ok(Json::Object(members)) => members,
            _ => return Ok(state.clone()),
        },
        None if context.is_unknown() => return Ok(state.clone()),
        None => Map::new(),
    };
    if members.insert(MEMBER.to_owned(), gate).is_some() {
        let detail = "The key `gate` is reserved: it says which gate asks, and about what.";
        let fault = Diagnostic::error("Invalid `context`", detail);
        return Err(fault.at(Path::attribute("context")));
    }
    Ok(state.clone().with("context", Value::String(Json::Object(members).to_string())))
}

/// Uses the grant up, so that it opens nothing else.
async fn complete(session: &Session, standing: &Standing) -> Result<(), Diagnostics> {
    let configured = session.configured();
    let server = configured.server()?;
    match server.complete(&standing.id, &IdempotencyKey::fresh()).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let summary = format!("Request {} cannot be completed", standing.id);
            Err(failure::told(&error, &summary).into())
        }
    }
}

/// The gate in words. Terraform adds no place to what a deletion tells.
fn named(prior: &Value) -> String {
    let text = |name: &str| prior.attribute(name).as_text().given().unwrap_or_default();
    let (id, environment, reason) = (text("id"), text("environment"), text("reason"));
    format!("{NAME} {id} ({environment}: {reason})")
}

/// What stays as it was when there is no grant.
fn stays(prior: &Value, operation: &Operation) -> String {
    let gate = named(prior);
    match operation {
        Operation::Late => format!(
            "{gate} is under `create_before_destroy`, so what it guards was changed before it \
             could ask. Take that out of its `lifecycle`."
        ),
        Operation::Update(_)
        | Operation::ChangeGate(_)
        | Operation::Destroy
        | Operation::Unknown => format!("{gate} stays, and what it guards is not touched."),
    }
}

/// That a gate in the state cannot say what it asks.
fn not_known() -> Diagnostics {
    let detail = "Some of its arguments in the state are unknown.";
    Diagnostic::error("The intent is not known", detail).into()
}

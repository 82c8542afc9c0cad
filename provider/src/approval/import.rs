//! Import: an approval whose request was filed elsewhere.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::failure;
use crate::session::Session;
use crate::standing::Standing;
use crate::value::Value;

/// The state of the request with this id.
///
/// # Errors
/// The server could not be asked, or does not know the request.
pub(crate) async fn import(session: &Session, id: &str) -> Result<Value, Diagnostics> {
    let configured = session.configured();
    let server = configured.server()?;
    let request = server.request(id).await.map_err(|error| {
        let summary = format!("Request {id} cannot be imported");
        Diagnostics::from(failure::told(&error, &summary))
    })?;
    let standing = Standing::of(&request)?;
    let intent = request.intent.verify().map_err(|_| {
        let detail = "The server's answer breaks the rules for intents; upgrade the provider.";
        Diagnostic::error(format!("Request {id} cannot be imported"), detail)
    })?;
    // Only a saved plan that was applied is named beside its file; no argument states that.
    let intent = if intent.plan().is_some() { intent.stated() } else { intent };
    let arguments = crate::intent::arguments(&intent);
    let url = format!("{}/intents/{}", server.base(), intent.digest().hex());
    let unset = super::schema().value_type().unset();
    let state = arguments
        .into_iter()
        .fold(unset, |state, (name, value)| state.with(name, value))
        .with("wait", Value::Bool(true))
        .with("url", Value::String(url))
        .with("intent_digest", Value::text(intent.digest().to_string()));
    Ok(standing.found_out(state))
}

//! Read and Delete: where a request stands, and that its action is over.

use assent_client::{ErrorKind, IdempotencyKey};

use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::failure;
use crate::session::Session;
use crate::standing::Standing;
use crate::value::Value;

/// Looks where a request stands now.
///
/// While the server is not known yet, the state stays as it is.
///
/// # Errors
/// The server could not be asked.
pub(crate) async fn read(
    session: &Session,
    current: Value,
) -> Result<(Value, Diagnostics), Diagnostics> {
    let configured = session.configured();
    let Some(id) = current.attribute("id").as_text().given() else {
        return Ok((current, Diagnostics::default()));
    };
    let server = match &configured.reach {
        Reach::NotYetKnown => return Ok((current, Diagnostics::default())),
        Reach::Known(_) | Reach::Unconfigured => configured.server()?,
    };
    match server.request(&id).await {
        Ok(request) => {
            let standing = Standing::of(&request)?;
            let renewed = current.attribute("renew_when_expired") == &Value::Bool(true);
            let told = (standing.state.is_over_unused() && !renewed).then(|| over(&standing));
            let told = told.map(Diagnostics::from).unwrap_or_default();
            Ok((standing.refresh(current), told))
        }
        Err(error) if error.kind == ErrorKind::NotFound => Ok((Value::Null, lost(&id).into())),
        Err(error) => {
            let summary = format!("Request {id} cannot be looked up");
            Err(failure::told(&error, &summary).into())
        }
    }
}

/// An approval ended, and nothing is planned for that.
fn over(standing: &Standing) -> Diagnostic {
    let Standing { id, state, url, .. } = standing;
    let detail = format!(
        "Request {id} is {state}, so nothing can be done under it any more. To ask anew, set \
         `renew_when_expired = true`, or plan with -replace.\n\n{url}"
    );
    Diagnostic::warning(format!("Approval is {state}"), detail)
}

/// The server does not know a request that is in the state.
fn lost(id: &str) -> Diagnostic {
    let detail = format!(
        "The server does not know request {id}, or does not show it to whoever asks. It is removed \
         from the state; the next apply asks anew."
    );
    Diagnostic::warning("Approval not found", detail)
}

/// Says that the action is over, so that nothing more can be minted and a later
/// create asks anew. A request that ended already, or is gone, is over too.
///
/// # Errors
/// The server could not be told; Terraform then keeps the resource.
pub(super) async fn delete(session: &Session, prior: &Value) -> Result<(), Diagnostics> {
    let Some(id) = prior.attribute("id").as_text().given() else { return Ok(()) };
    let configured = session.configured();
    let server = configured.server()?;
    let key = IdempotencyKey::fresh();
    let pending = prior.attribute("state") == &Value::text("pending");
    let ended = if pending {
        server.cancel(&id, "removed from the configuration", &key).await
    } else {
        server.complete(&id, &key).await
    };
    match ended {
        Ok(_) => Ok(()),
        Err(error) if failure::is_over(&error) => Ok(()),
        Err(error) => {
            // Terraform adds no place to the diagnostics of a delete.
            let summary = format!("{} {id} cannot be completed", super::NAME);
            Err(failure::told(&error, &summary).into())
        }
    }
}

//! A change of policy that may have to be approved first.

use assent_client::{Client, ClientError, IdempotencyKey, wire};

use crate::args::ApprovedArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Makes the change; where it must be approved, files it, and makes it if that is granted at once.
pub(crate) async fn change(
    args: &ApprovedArgs,
    client: &Client,
    output: &Output,
    make: impl AsyncFn(Option<String>) -> Result<(), ClientError>,
) -> Result<Exit, Failure> {
    let error = match make(args.approval.clone()).await {
        Ok(()) => return Ok(Exit::Granted),
        Err(error) => error,
    };
    let intent = error.problem.as_ref().and_then(|problem| problem.intent.as_deref());
    let Some(intent) = intent.filter(|_| error.code() == Some("approval_required")) else {
        return Err(error.into());
    };
    let Some(reason) = &args.reason else {
        return Err(Failure::refused("policy wants this change approved")
            .hint("say why with `--reason TEXT`, and it is filed"));
    };
    let intent = wire::Intent { reason: reason.clone(), ..intent.clone() };
    let filing = wire::Filing { intent, reattach: true, heartbeat: None };
    let request = client.file(&filing, &IdempotencyKey::fresh()).await?;
    if request.state == "approved" {
        make(Some(request.id)).await?;
        return Ok(Exit::Granted);
    }
    let id = clean(&request.id);
    output.talk(format!("{id} is {}", clean(&request.state)));
    if request.state == "pending" {
        output.talk(format!(
            "once it is approved, send the same change with `--approval {id}`; `assent wait {id}` \
             waits for it"
        ));
    }
    Ok(Exit::Refused)
}

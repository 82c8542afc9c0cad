//! The bytes of a saved plan, handed over to be kept for the run that applies it.

use std::path::Path;

use assent_client::Client;
use assent_client::wire::{PlanBytes, Request};
use assent_core::digest::Digest;

use crate::commands::plan::{Given, HandedIn, named, read};
use crate::failure::Failure;
use crate::output::{Output, clean};

/// Hands over the saved plan in this file as the exact plan of a request.
pub(super) async fn send(
    path: &Path,
    id: &str,
    client: &Client,
    output: &Output,
) -> Result<Request, Failure> {
    let Given::Saved(bytes) = read(path)? else {
        let message = format!("{} is no saved plan", named(path));
        return Err(Failure::usage(message).hint("make one: terraform plan -out FILE"));
    };
    send_bytes(bytes, id, client, output).await
}

/// Hands over the saved plan that was handed in for this request, if it is the exact thing that the
/// request is about and is to be had still.
pub(crate) async fn hand_over(
    path: &Path,
    plan: &HandedIn,
    request: &Request,
    client: &Client,
    output: &Output,
) -> Result<(), Failure> {
    let is_open = matches!(request.state.as_str(), "pending" | "approved");
    let is_exact = request.intent.digest == Some(plan.file.to_string());
    // Sent before, for the same request met again.
    let given = |plan: &PlanBytes| plan.status == "kept" || plan.fetched_at.is_some();
    let is_there = request.plan_bytes.as_ref().is_some_and(given);
    if !plan.is_saved || !is_open || !is_exact || is_there {
        return Ok(());
    }
    match read(path)? {
        Given::Saved(bytes) if Digest::of(&bytes) == plan.file => {
            send_bytes(bytes, &request.id, client, output).await.map(drop)
        }
        Given::Saved(_) | Given::Json(_) => {
            Err(Failure::usage("the saved plan changed while it was asked about"))
        }
    }
}

async fn send_bytes(
    bytes: Vec<u8>,
    id: &str,
    client: &Client,
    output: &Output,
) -> Result<Request, Failure> {
    let size = bytes.len();
    let request = client.send_plan(id, bytes).await?;
    let until =
        request.plan_bytes.as_ref().map(|plan| format!(", until {} at the latest", plan.until));
    output.talk(clean(&format!("{size} bytes of the plan are kept{}", until.unwrap_or_default())));
    Ok(request)
}

//! The bytes of a saved plan, handed over to be kept for the run that applies it.

use std::path::Path;

use assent_client::Client;
use assent_client::wire::{PlanBytes, Request};
use assent_core::digest::Digest;

use crate::Obstacle;
use crate::plan::{Given, HandedIn, named, read};

/// Hands over the saved plan in this file as the exact plan of a request.
///
/// # Errors
/// [`Obstacle`].
pub async fn send_exact(path: &Path, id: &str, client: &Client) -> Result<Request, Obstacle> {
    let Given::Saved(bytes) = read(path)? else {
        let message = format!("{} is no saved plan", named(path));
        return Err(Obstacle::wrong(message).hint("make one: terraform plan -out FILE"));
    };
    Ok(client.send_plan(id, bytes).await?)
}

/// Hands over the saved plan that was handed in for this request, if it is the exact thing that the
/// request is about and is to be had still. The request as it is then, if something was sent.
///
/// # Errors
/// [`Obstacle`], also where the file has changed since it was handed in.
pub async fn hand_over(
    path: &Path,
    plan: &HandedIn,
    request: &Request,
    client: &Client,
) -> Result<Option<Request>, Obstacle> {
    let is_open = matches!(request.state.as_str(), "pending" | "approved");
    let is_exact = request.intent.digest == Some(plan.file.to_string());
    // Sent before, for the same request met again.
    let given = |plan: &PlanBytes| plan.status == "kept" || plan.fetched_at.is_some();
    let is_there = request.plan_bytes.as_ref().is_some_and(given);
    if !plan.is_saved || !is_open || !is_exact || is_there {
        return Ok(None);
    }
    match read(path)? {
        Given::Saved(bytes) if Digest::of(&bytes) == plan.file => {
            Ok(Some(client.send_plan(&request.id, bytes).await?))
        }
        Given::Saved(_) | Given::Json(_) => {
            Err(Obstacle::wrong("the saved plan changed while it was asked about"))
        }
    }
}

//! The bytes of a saved plan, handed over to be kept for the run that applies it.

use std::path::Path;

use assent_client::Client;
use assent_client::wire::Request;
use assent_gate::plan::{self, HandedIn};

use crate::failure::Failure;
use crate::output::{Output, clean};

/// Hands over the saved plan in this file as the exact plan of a request.
pub(super) async fn send(
    path: &Path,
    id: &str,
    client: &Client,
    output: &Output,
) -> Result<Request, Failure> {
    let request = plan::send_exact(path, id, client).await?;
    say(&request, output);
    Ok(request)
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
    if let Some(request) = plan::hand_over(path, plan, request, client).await? {
        say(&request, output);
    }
    Ok(())
}

fn say(request: &Request, output: &Output) {
    if let Some(plan) = &request.plan_bytes {
        let text =
            format!("{} bytes of the plan are kept, until {} at the latest", plan.size, plan.until);
        output.talk(clean(&text));
    }
}

//! `assent trust remove`

use assent_client::Client;
use serde_json::json;

use super::show;
use crate::args::TrustRemoveArgs;
use crate::commands::policy::approved;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Removes a trust that came over the API.
pub(super) async fn run(
    args: &TrustRemoveArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let removed = approved::change(&args.approved, client, output, async |by| {
        client.remove_trust(&args.name, by.as_deref()).await
    })
    .await;
    let exit = match removed {
        Ok(exit) => exit,
        Err(failure) => return Err(in_a_file(&args.name, client).await.unwrap_or(failure)),
    };
    if exit == Exit::Granted && args.printing.is_json() {
        output.json(&json!({"removed": args.name}))?;
    }
    Ok(exit)
}

/// What stands in a file, the API knows nothing of: that is said instead of that there is none.
async fn in_a_file(name: &str, client: &Client) -> Option<Failure> {
    let trust = show::ruling(name, client).await.ok()?;
    let file = trust.file?;
    let message = format!("the trust `{name}` stands in the policy file `{file}`");
    Some(Failure::usage(message).hint("take it out of that file; the server reads it again"))
}

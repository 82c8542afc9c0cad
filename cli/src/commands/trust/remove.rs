//! `assent trust remove`

use assent_client::Client;

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
    approved::change(&args.approved, client, output, async |by| {
        client.remove_trust(&args.name, by.as_deref()).await
    })
    .await
}

//! `assent revoke`

use assent_client::{Client, IdempotencyKey};

use crate::args::RevokeArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Takes a grant and its credentials back.
pub(crate) async fn run(
    args: RevokeArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.revoke(&id, &args.reason, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

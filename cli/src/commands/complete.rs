//! `assent complete`

use assent_client::{Client, IdempotencyKey};

use crate::args::CompleteArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Says that the action is over.
pub(crate) async fn run(
    args: CompleteArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let request = client.complete(&args.id.to_string(), &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

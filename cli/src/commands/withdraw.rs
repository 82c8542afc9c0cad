//! `assent withdraw`

use assent_client::{Client, IdempotencyKey};

use crate::args::WithdrawArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Takes one's own review of a pending request back.
pub(crate) async fn run(
    args: WithdrawArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.withdraw(&id, &args.reason, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

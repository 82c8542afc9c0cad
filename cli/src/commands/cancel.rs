//! `assent cancel`

use assent_client::{Client, IdempotencyKey};

use crate::args::CancelArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Withdraws a pending request.
pub(crate) async fn run(
    args: CancelArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.cancel(&id, &args.reason, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

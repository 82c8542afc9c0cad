//! `assent wait`

use assent_client::Client;
use assent_client::wire::Request;

use crate::args::WaitArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::standing::{self, Standing};
use crate::waiting;

/// Waits until a request is decided.
pub(crate) async fn run(args: WaitArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = waiting::until_settled(client, &id, args.timeout, output).await?;
    let standing = Standing::of(&request)?;
    super::print_moved(&request, args.printing, output)?;
    match standing {
        Standing::Pending => Err(still_pending(&request)),
        Standing::Granted | Standing::Ended => Ok(standing::exit(standing)),
    }
}

/// The time was up and nobody had decided.
pub(crate) fn still_pending(request: &Request) -> Failure {
    Failure::refused(format!("the time to wait is over and {} is still pending", request.id))
        .hint(format!("go on waiting with `assent wait {}`", request.id))
}

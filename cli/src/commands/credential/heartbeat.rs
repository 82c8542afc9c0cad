//! `assent credential heartbeat`

use assent_client::Client;

use crate::args::HeartbeatArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Sends one sign of life, and says when the next is due.
pub(crate) async fn run(
    args: HeartbeatArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let heard = client.heartbeat(&args.id.to_string()).await?;
    match heard.heartbeat_due {
        Some(due) => output.data(clean(&due))?,
        None => output.talk("nobody listens: the credential does not end with its holder"),
    }
    Ok(Exit::Granted)
}

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
    if args.printing.is_json() {
        output.json(&heard)?;
        return Ok(Exit::Granted);
    }
    match (heard.heartbeat, heard.heartbeat_due) {
        (Some(every), Some(due)) => {
            output.data(clean(&due))?;
            output.talk(format!("heard; the next sign of life is due within {}", clean(&every)));
        }
        (Some(_), None) | (None, _) => {
            output.talk("nobody listens: the credential does not end with its holder");
        }
    }
    Ok(Exit::Granted)
}

//! `assent policy show`

use assent_client::Client;

use crate::args::{Kept, PolicyShowArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Prints one thing that came over the API: a document as it was written, anything else as JSON.
pub(crate) async fn run(
    args: &PolicyShowArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match &args.name {
        Kept::Document(name) => {
            let document = client.policy_document(name).await?;
            match (args.printing.is_json(), &document.text) {
                (true, _) => output.json(&document)?,
                (false, Some(text)) => output.data(text.trim_end())?,
                (false, None) => {
                    return Err(Failure::usage(format!("`{name}` was removed"))
                        .hint("`--output json` tells its versions"));
                }
            }
        }
        Kept::Group(name) => output.json(&client.policy_group(name).await?)?,
        Kept::Calendar(name) => output.json(&client.policy_calendar(name).await?)?,
        Kept::Trust(name) => output.json(&client.policy_trust(name).await?)?,
    }
    Ok(Exit::Granted)
}

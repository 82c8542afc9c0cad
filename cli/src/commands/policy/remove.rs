//! `assent policy remove`

use assent_client::Client;

use crate::args::{Kept, PolicyRemoveArgs};
use crate::commands::policy::approved;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Removes a document, a group or a calendar.
pub(crate) async fn run(
    args: &PolicyRemoveArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    approved::change(&args.approved, client, output, async |by| match &args.name {
        Kept::Document(name) => client.remove_document(name, by.as_deref()).await,
        Kept::Group(name) => client.remove_group(name, by.as_deref()).await,
        Kept::Calendar(name) => client.remove_calendar(name, by.as_deref()).await,
        Kept::Trust(name) => client.remove_trust(name, by.as_deref()).await,
    })
    .await
}

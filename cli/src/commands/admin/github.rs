//! `assent admin github`

use assent_client::Client;
use url::form_urlencoded::byte_serialize;

use crate::args::{GithubCommand, GithubSetupArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Says where the App is made.
pub(crate) fn run(
    command: GithubCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let GithubCommand::Setup(GithubSetupArgs { organization }) = command;
    let page = format!("{}/admin/github", client.base().trim_end_matches('/'));
    let page = match organization {
        None => page,
        Some(name) => {
            let name: String = byte_serialize(name.as_bytes()).collect();
            format!("{page}?organization={name}")
        }
    };
    output
        .talk("open this in a browser, signed in as an administrator; it says what the App may do");
    output.data(page)?;
    Ok(Exit::Granted)
}

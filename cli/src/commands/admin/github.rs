//! `assent admin github`

mod doctor;

use assent_client::Client;
use url::form_urlencoded::byte_serialize;

use crate::args::{GithubCommand, GithubSetupArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Says where the App is made, or what weakens its gates.
pub(crate) async fn run(
    command: GithubCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        GithubCommand::Setup(args) => setup(args, client, output),
        GithubCommand::Doctor(args) => doctor::run(&args, client, output).await,
    }
}

fn setup(args: GithubSetupArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let page = format!("{}/admin/github", client.base().trim_end_matches('/'));
    let page = match args.organization {
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

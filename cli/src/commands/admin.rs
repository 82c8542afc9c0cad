//! `assent admin`

mod github;
mod init;
mod key;
mod notices;
mod token;

use crate::args::{AdminCommand, ServerArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, Server};

/// Makes the first administrator, or deals with access tokens and signing keys.
pub(crate) async fn run(
    command: AdminCommand,
    server: &ServerArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        AdminCommand::Init(args) => init::run(args, server, environment, output).await,
        AdminCommand::Github(command) => {
            let client = Server::settle(server, environment)?.client(server)?;
            github::run(command, &client, output).await
        }
        AdminCommand::Key(command) => {
            let client = Server::settle(server, environment)?.client(server)?;
            key::run(command, &client, output).await
        }
        AdminCommand::Notices(command) => {
            let client = Server::settle(server, environment)?.client(server)?;
            notices::run(command, &client, output).await
        }
        AdminCommand::Token(command) => {
            let client = Server::settle(server, environment)?.client(server)?;
            token::run(command, &client, output).await
        }
    }
}

//! `assent trust`

mod add;
mod check;
mod list;
mod remove;
mod show;

use assent_client::Client;

use crate::args::TrustCommand;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Whose tokens the server believes.
pub(crate) async fn run(
    command: TrustCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        TrustCommand::List(printing) => list::run(printing, client, output).await,
        TrustCommand::Show(args) => show::run(&args, client, output).await,
        TrustCommand::Add(args) => add::run(&args, client, output).await,
        TrustCommand::Check(args) => check::run(&args, client, output).await,
        TrustCommand::Remove(args) => remove::run(&args, client, output).await,
    }
}

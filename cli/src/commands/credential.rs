//! `assent credential`

mod heartbeat;
mod inspect;
mod list;
mod mint;
mod proof;
mod verify;

use std::io::{self, Read as _};

use assent_client::{Client, Secret};

use crate::args::CredentialCommand;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Longer than any token.
const MAX_STDIN: u64 = 65_536;

/// Lists, mints, keeps, inspects or verifies.
pub(crate) async fn run(
    command: CredentialCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        CredentialCommand::List(args) => list::run(args, &client()?, output).await,
        CredentialCommand::Heartbeat(args) => heartbeat::run(args, &client()?, output).await,
        CredentialCommand::Mint(args) => mint::run(args, &client()?, output).await,
        CredentialCommand::Proof(args) => proof::run(args, output),
        CredentialCommand::Inspect(args) => inspect::run(args, output),
        CredentialCommand::Verify(args) => verify::run(args, &client()?, output).await,
    }
}

/// The token that was given: as it is, or on stdin for `-`.
fn given(token: Option<Secret>) -> Result<Secret, Failure> {
    let token = token.filter(|token| !token.expose().is_empty());
    let token = token.ok_or_else(|| {
        Failure::usage("no token is given").hint("name it, `-` for stdin, or set ASSENT_CREDENTIAL")
    })?;
    if token.expose() != "-" {
        return Ok(token);
    }
    let mut text = String::new();
    let read = io::stdin().take(MAX_STDIN).read_to_string(&mut text);
    read.map_err(|e| Failure::usage("stdin cannot be read").because(e))?;
    Ok(Secret::new(text.trim().to_owned()))
}

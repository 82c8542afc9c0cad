//! `assent apply`: a saved plan is applied, and the approval is of exactly its bytes.
//!
//! Terraform tells its providers nothing about the plan it applies. So the bytes are copied to where
//! nobody else can change them, that copy is shown, handed in and applied, and the provider learns
//! its digest from the environment. Nothing is decided here: the provider asks, the server answers.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use assent_client::Client;
use assent_core::digest::Digest;
use assent_gate::Signals;
use assent_gate::child::{self, Reach};
use tempfile::TempDir;
use tokio::process::Command;

use crate::args::{ApplyArgs, ServerArgs};
use crate::commands::plan::{self, Given};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;

/// Applies a saved plan.
pub(crate) async fn run(
    args: ApplyArgs,
    server: &ServerArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let copy = Copy::of(&args.file)?;
    tokio::select! {
        sent = plan::send_saved(&copy.file, copy.digest, client, environment, output) => sent?,
        // What Terraform is asked meanwhile ends with this program.
        ask = signals.next() => return Ok(ask.into()),
    };
    let mut command = Command::new(environment.terraform());
    command
        .arg("apply")
        .args(&args.arguments)
        .arg(&copy.file)
        .env("ASSENT_PLAN_DIGEST", copy.digest.to_string());
    // What was given to this command is given on. A saved login is a person's own, and may do more
    // than what a provider needs.
    if let Some(url) = &server.server {
        command.env("ASSENT_URL", url);
    }
    if let Some(token) = &server.token {
        command.env("ASSENT_TOKEN", token.expose());
    }
    if let Some(bundle) = &server.ca_bundle {
        command.env("ASSENT_CA_BUNDLE", bundle);
    }
    let ended = child::to_its_end(command, Reach::Command, &mut signals).await;
    super::run::as_ended(ended)
}

/// A plan's bytes, in a directory of its owner alone that goes with this value.
struct Copy {
    file: PathBuf,
    digest: Digest,
    _directory: TempDir,
}

impl Copy {
    /// A copy of the saved plan in this file.
    fn of(path: &Path) -> Result<Self, Failure> {
        let bytes = match plan::read(path)? {
            Given::Saved(bytes) => bytes,
            Given::Json(_) => {
                let message = format!("{} is no saved plan", plan::named(path));
                return Err(Failure::usage(message).hint("make one: terraform plan -out FILE"));
            }
        };
        let failed =
            |error: io::Error| Failure::unknown("the plan cannot be copied").because(error);
        let mut directory = tempfile::Builder::new();
        directory.prefix("assent-apply-").permissions(Permissions::from_mode(0o700));
        let directory = directory.tempdir();
        let directory = directory.map_err(failed)?;
        let file = directory.path().join("plan.out");
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&file);
        made.and_then(|mut made| made.write_all(&bytes)).map_err(failed)?;
        Ok(Self { digest: Digest::of(&bytes), file, _directory: directory })
    }
}

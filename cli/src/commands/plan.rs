//! `assent plan`

mod digest;
mod saved;
mod show;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use assent_core::digest::Digest;
use assent_core::plan::{Limits, PlanError};

use crate::args::PlanCommand;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::Environment;

/// Shows or digests. No server is asked.
pub(crate) async fn run(
    command: PlanCommand,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        PlanCommand::Show(args) => show::run(&args, environment, output).await,
        PlanCommand::Digest(args) => digest::run(&args, output),
    }
}

/// What a file holds.
enum Given {
    /// JSON, or what is taken for it.
    Json(Vec<u8>),
    /// What `terraform plan -out` writes: a ZIP archive.
    Saved(Digest),
}

/// Reads a file, or stdin for `-`.
fn read(path: &Path, limits: &Limits) -> Result<Given, Failure> {
    // One byte more than is taken, so that a longer file is seen to be.
    let limit = u64::try_from(limits.bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let done = match path == Path::new("-") {
        true => io::stdin().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    done.map_err(|error| Failure::file(path, &error))?;
    if bytes.len() > limits.bytes {
        let message = format!("{} has more than {} bytes", named(path), limits.bytes);
        return Err(Failure::usage(message).hint("split the change into several plans"));
    }
    match bytes.starts_with(b"PK\x03\x04") {
        true => Ok(Given::Saved(Digest::of(&bytes))),
        false => Ok(Given::Json(bytes)),
    }
}

/// A plan that is not read.
fn unread(path: &Path, error: &PlanError) -> Failure {
    Failure::usage(format!("{} cannot be read as a plan", named(path))).because(error)
}

fn named(path: &Path) -> String {
    match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => format!("`{}`", clean(&path.display().to_string())),
    }
}

//! `assent plan`

mod digest;
mod exact;
mod fetch;
mod saved;
mod scan;
mod send;
mod show;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use assent_client::Client;
use assent_client::wire::Request;
use assent_core::digest::Digest;
use assent_core::plan::{Limits, Plan, PlanError};

use crate::args::PlanCommand;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::Environment;

pub(crate) use exact::hand_over;

/// Shows, scans, digests or sends. Only to send one a server is asked.
pub(crate) async fn run(
    command: PlanCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        PlanCommand::Send(args) => send::run(&args, &client()?, environment, output).await,
        PlanCommand::Fetch(args) => fetch::run(&args, &client()?, output).await,
        PlanCommand::Show(args) => show::run(&args, environment, output).await,
        PlanCommand::Scan(args) => scan::run(&args, environment, output).await,
        PlanCommand::Digest(args) => digest::run(&args, output),
    }
}

/// A plan that the server has taken in.
pub(crate) struct HandedIn {
    /// The digest of its JSON, by which the server knows it.
    pub(crate) plan: Digest,
    /// The digest of the file's bytes: what will be applied.
    pub(crate) file: Digest,
    /// Whether the file is a saved plan, which can be applied.
    pub(crate) is_saved: bool,
}

/// Hands a plan in; a saved plan file is shown by Terraform first.
pub(crate) async fn hand_in(
    path: &Path,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<HandedIn, Failure> {
    let limits = Limits::default();
    match read(path)? {
        Given::Json(json) => {
            let file = Digest::of(&json);
            let plan = send(path, json, None, client, output).await?;
            Ok(HandedIn { plan, file, is_saved: false })
        }
        Given::Saved(bytes) => {
            let file = Digest::of(&bytes);
            let json = shown_of(path, file, environment, &limits).await?;
            let plan = send(path, json, Some(file), client, output).await?;
            Ok(HandedIn { plan, file, is_saved: true })
        }
    }
}

/// Hands in the plan of a saved plan file whose bytes have this digest.
pub(super) async fn send_saved(
    path: &Path,
    file: Digest,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Digest, Failure> {
    let json = shown_of(path, file, environment, &Limits::default()).await?;
    send(path, json, Some(file), client, output).await
}

/// Hands the JSON of the plan in this file in; `saved` is the digest of the saved plan that it is
/// of. What comes back is the digest by which the server knows it.
async fn send(
    path: &Path,
    json: Vec<u8>,
    saved: Option<Digest>,
    client: &Client,
    output: &Output,
) -> Result<Digest, Failure> {
    // A plan that cannot be read is refused here, before it is sent anywhere.
    let parsed = Plan::parse(&json, &Limits::default());
    let plan = parsed.map_err(|error| unread(path, &error))?.digest;
    let saved = saved.map(|digest| digest.to_string());
    let taken = client.hand_in_plan(json, saved.as_deref()).await?;
    if taken.digest != plan.to_string() {
        let message = format!("the server took in {} instead of {plan}", clean(&taken.digest));
        return Err(Failure::unknown(message));
    }
    let count = taken.facts.change_count;
    let changes = if count == 1 { "change" } else { "changes" };
    output.talk(format!("plan {plan} (of its JSON): {count} {changes}"));
    Ok(plan)
}

/// The plan in a file of JSON, for policy to look at, and its bytes.
pub(super) fn of_json(path: &Path) -> Result<(Plan, Vec<u8>), Failure> {
    let limits = Limits::default();
    match read(path)? {
        Given::Json(json) => {
            let plan = Plan::parse(&json, &limits).map_err(|error| unread(path, &error))?;
            Ok((plan, json))
        }
        Given::Saved(_) => Err(Failure::usage(format!("{} is a saved plan", named(path)))
            .hint("give its JSON: `terraform show -json FILE`")),
    }
}

/// Tells what the plan does that a request names, so that nobody decides on what they did not see.
pub(crate) async fn tell(
    request: &Request,
    client: &Client,
    output: &Output,
) -> Result<(), Failure> {
    let Some(digest) = &request.intent.plan else { return Ok(()) };
    let plan = Plan::try_from(client.plan(digest).await?)
        .map_err(|error| Failure::unknown("the server's summary of the plan").because(error))?;
    output.talk(crate::show::plan(&plan, output.talk_paint()));
    Ok(())
}

/// The JSON of a plan, and the digest of its file, which is what will be applied. A saved plan file
/// is shown by Terraform.
async fn json_of(
    path: &Path,
    environment: &Environment,
    limits: &Limits,
) -> Result<(Digest, Vec<u8>), Failure> {
    match read(path)? {
        Given::Json(json) => Ok((Digest::of(&json), json)),
        Given::Saved(bytes) => {
            let file = Digest::of(&bytes);
            Ok((file, shown_of(path, file, environment, limits).await?))
        }
    }
}

/// The JSON of a saved plan file whose bytes have this digest.
async fn shown_of(
    path: &Path,
    file: Digest,
    environment: &Environment,
    limits: &Limits,
) -> Result<Vec<u8>, Failure> {
    let json = saved::shown(path, environment.terraform(), limits).await?;
    // Terraform has read the file anew.
    match read(path)? {
        Given::Saved(after) if Digest::of(&after) == file => Ok(json),
        Given::Saved(_) | Given::Json(_) => {
            Err(Failure::usage("the saved plan changed while it was read"))
        }
    }
}

/// What a file holds.
pub(super) enum Given {
    /// JSON, or what is taken for it.
    Json(Vec<u8>),
    /// What `terraform plan -out` writes: a ZIP archive.
    Saved(Vec<u8>),
}

/// Reads a file, or stdin for `-`.
pub(super) fn read(path: &Path) -> Result<Given, Failure> {
    let limits = Limits::default();
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
        true => Ok(Given::Saved(bytes)),
        false => Ok(Given::Json(bytes)),
    }
}

/// A plan that is not read.
fn unread(path: &Path, error: &PlanError) -> Failure {
    Failure::usage(format!("{} cannot be read as a plan", named(path))).because(error)
}

pub(super) fn named(path: &Path) -> String {
    match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => format!("`{}`", clean(&path.display().to_string())),
    }
}

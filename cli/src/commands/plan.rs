//! `assent plan`

mod digest;
mod exact;
mod fetch;
mod scan;
mod send;
mod show;

use std::path::Path;

use assent_client::Client;
use assent_client::wire::Request;
use assent_core::digest::Digest;
use assent_core::plan::{Limits, Plan};
use assent_gate::plan as gate;

use crate::args::PlanCommand;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;

pub(crate) use assent_gate::plan::HandedIn;
pub(crate) use exact::hand_over;
pub(super) use gate::{Given, Terraform, json_of, named, read, unread};

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

/// Hands a plan in; a saved plan file is shown by Terraform first.
pub(crate) async fn hand_in(
    path: &Path,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<HandedIn, Failure> {
    let taken = gate::hand_in(path, client, &Terraform::named(environment.terraform())).await?;
    say(&taken, output);
    Ok(taken)
}

/// Hands in the plan of a saved plan file whose bytes have this digest.
pub(super) async fn send_saved(
    path: &Path,
    file: Digest,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Digest, Failure> {
    let taken =
        gate::send_saved(path, file, client, &Terraform::named(environment.terraform())).await?;
    say(&taken, output);
    Ok(taken.plan)
}

fn say(taken: &HandedIn, output: &Output) {
    let HandedIn { plan, changes: count, .. } = taken;
    let changes = if *count == 1 { "change" } else { "changes" };
    output.talk(format!("plan {plan} (of its JSON): {count} {changes}"));
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

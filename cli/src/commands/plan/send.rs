//! `assent plan send`

use assent_client::Client;
use serde_json::json;

use crate::args::PlanSendArgs;
use crate::commands::plan::{exact, hand_in};
use crate::commands::print_moved;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;

/// Hands a plan in and prints the digest by which the server knows it; or hands a saved plan over
/// for a request.
pub(crate) async fn run(
    args: &PlanSendArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    if let Some(id) = args.request {
        let request = exact::send(&args.file, &id.to_string(), client, output).await?;
        return print_moved(&request, args.printing, output).map(|()| Exit::Granted);
    }
    let taken = hand_in(&args.file, client, environment, output).await?;
    let (plan, file) = (taken.plan.to_string(), taken.file.to_string());
    match args.printing.is_json() {
        true => output.json(&json!({"plan": plan, "file": file}))?,
        false => output.data(plan)?,
    }
    Ok(Exit::Granted)
}

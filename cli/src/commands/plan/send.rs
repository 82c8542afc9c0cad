//! `assent plan send`

use assent_client::Client;
use serde_json::json;

use crate::args::PlanSendArgs;
use crate::commands::plan::hand_in;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;

/// Hands a plan in and prints the digest by which the server knows it.
pub(crate) async fn run(
    args: &PlanSendArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let taken = hand_in(&args.file, client, environment, output).await?;
    let (plan, file) = (taken.plan.to_string(), taken.file.to_string());
    match args.printing.is_json() {
        true => output.json(&json!({"plan": plan, "file": file}))?,
        false => output.data(plan)?,
    }
    Ok(Exit::Granted)
}

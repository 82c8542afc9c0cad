//! `assent plan show`

use assent_core::plan::{Limits, Plan};
use assent_core::wire;

use crate::args::PlanShowArgs;
use crate::commands::plan::{Terraform, json_of, unread};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;
use crate::show;

/// Prints what a plan does.
pub(crate) async fn run(
    args: &PlanShowArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let limits = Limits::default();
    let (digest, json) =
        json_of(&args.file, &Terraform::named(environment.terraform()), &limits).await?;
    let plan = Plan::parse(&json, &limits).map_err(|error| unread(&args.file, &error))?;
    let plan = Plan { digest, ..plan };
    match args.printing.is_json() {
        true => output.json(&wire::plan::Plan::from(&plan))?,
        false => output.data(show::plan(&plan, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

//! `assent plan show`

use assent_core::plan::{Limits, Plan};
use assent_core::wire;

use crate::args::PlanShowArgs;
use crate::commands::plan::{Given, read, saved, unread};
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
    let parse = |bytes: &[u8]| Plan::parse(bytes, &limits).map_err(|e| unread(&args.file, &e));
    let plan = match read(&args.file, &limits)? {
        Given::Json(bytes) => parse(&bytes)?,
        Given::Saved(digest) => {
            let bytes = saved::shown(&args.file, environment.terraform(), &limits).await?;
            let plan = Plan { digest, ..parse(&bytes)? };
            // Terraform has read the file anew.
            match read(&args.file, &limits)? {
                Given::Saved(after) if after == digest => plan,
                Given::Saved(_) | Given::Json(_) => {
                    return Err(Failure::usage("the saved plan changed while it was read"));
                }
            }
        }
    };
    match args.printing.is_json() {
        true => output.json(&wire::plan::Plan::from(&plan))?,
        false => output.data(show::plan(&plan, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

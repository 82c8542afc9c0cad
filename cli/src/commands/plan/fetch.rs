//! `assent plan fetch`

use assent_client::Client;
use assent_gate::plan::{self, Fetched};
use serde_json::json;

use crate::args::PlanFetchArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Fetches the saved plan of a request, holds it against the digest that was approved, and writes it
/// where it shall be: whole, and for its owner alone.
pub(crate) async fn run(
    args: &PlanFetchArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let Fetched { digest, size } =
        plan::fetch(&args.request.to_string(), &args.out, client).await?;
    match args.printing.is_json() {
        true => output.json(&json!({"digest": digest.to_string(), "size": size}))?,
        false => output.data(digest)?,
    }
    Ok(Exit::Granted)
}

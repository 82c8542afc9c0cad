//! `assent show`

use assent_client::Client;

use crate::args::ShowArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::{clock, show};

/// Shows one request.
pub(crate) async fn run(args: ShowArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let request = client.request(&args.id.to_string()).await?;
    match args.printing.is_json() {
        true => output.json(&request)?,
        false => output.data(show::full(&request, clock::now(), output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

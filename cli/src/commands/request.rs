//! `assent request`

use assent_client::{Client, IdempotencyKey};

use crate::args::RequestArgs;
use crate::commands::plan;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;
use crate::standing::{self, Standing};
use crate::{clock, settings, show, waiting};

/// Files an intent, and waits for the decision if that is wished.
pub(crate) async fn run(
    args: RequestArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let RequestArgs { intent, reason, reattach, wait, printing } = args;
    let file = intent.plan.clone();
    let handed_in = match &file {
        None => None,
        Some(file) => Some(plan::hand_in(file, client, environment, output).await?),
    };
    let filing = settings::filing(intent, handed_in.as_ref(), reason, reattach)?;
    let mut request = client.file(&filing, &IdempotencyKey::fresh()).await?;
    if let (Some(file), Some(handed_in)) = (&file, &handed_in) {
        plan::hand_over(file, handed_in, &request, client, output).await?;
    }
    if Standing::of(&request)? == Standing::Pending
        && let Some(limit) = wait
    {
        // Whoever waits wants to know at once where to send those who decide.
        output.talk(show::brief(&request, clock::now(), output.talk_paint()));
        request = waiting::until_settled(client, &request.id, limit, output).await?;
    }
    match printing.is_json() {
        true => output.json(&request)?,
        false => output.data(show::brief(&request, clock::now(), output.data_paint()))?,
    }
    let standing = Standing::of(&request)?;
    match (standing, wait) {
        (Standing::Pending, None) => Ok(Exit::Granted),
        (Standing::Pending, Some(_)) => Err(super::wait::still_pending(&request)),
        (Standing::Granted | Standing::Ended, _) => Ok(standing::exit(standing)),
    }
}

//! `assent deny`

use assent_client::Client;
use assent_client::wire::{NewReview, Verdict};

use crate::args::DenyArgs;
use crate::commands::review;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::Environment;
use crate::show;

/// Denies a request. That ends it, whoever has approved before.
pub(crate) async fn run(
    args: DenyArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    if args.comment.trim().is_empty() {
        return Err(Failure::usage("a denial needs a comment that says why"));
    }
    let id = args.id.to_string();
    let request = client.request(&id).await?;
    output.talk(format!("denying: {}", show::sentence(&request)));
    let digest = review::computed(&request)?.to_string();
    let (verdict, comment, signature) = (Verdict::Deny, args.comment, None);
    let said = NewReview { verdict, comment, digest, signature };
    let by = (client, environment, output);
    let request = review::cast(&request, said, &args.browser, by).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

//! `assent approve`

use assent_client::wire::{NewReview, Verdict};
use assent_client::{Client, IdempotencyKey};

use crate::args::ApproveArgs;
use crate::commands::plan;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::show;

/// Approves exactly what is shown: the review names the digest of the request as it was fetched.
pub(crate) async fn run(
    args: ApproveArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.request(&id).await?;
    output.talk(format!("approving: {}", show::sentence(&request)));
    if let Some(thing) = &request.intent.digest {
        output.talk(format!("the exact thing: {}", clean(thing)));
    }
    if !request.intent.context.is_empty() {
        let context = serde_json::to_string(&request.intent.context).unwrap_or_default();
        output.talk(format!("the requester adds: {}", clean(&context)));
    }
    plan::tell(&request, client, output).await?;
    output.talk(format!("digest: {}", clean(&request.digest)));
    let review =
        NewReview { verdict: Verdict::Approve, comment: args.comment, digest: request.digest };
    let request = client.review(&id, &review, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

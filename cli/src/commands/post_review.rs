//! `assent post-review`

use assent_client::wire::{NewReview, Verdict};
use assent_client::{Client, IdempotencyKey};

use crate::args::PostReviewArgs;
use crate::commands::plan;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::show;

/// Says of a grant that nobody was asked for whether it was right: of exactly what is shown.
pub(crate) async fn run(
    args: PostReviewArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.request(&id).await?;
    output.talk(format!("looking back at: {}", show::sentence(&request)));
    plan::tell(&request, client, output).await?;
    output.talk(format!("digest: {}", clean(&request.digest)));
    let verdict = if args.approve { Verdict::Approve } else { Verdict::Deny };
    let review =
        NewReview { verdict, comment: args.comment, digest: request.digest, signature: None };
    let request = client.review_afterwards(&id, &review, &IdempotencyKey::fresh()).await?;
    match args.printing.is_json() {
        true => output.json(&request)?,
        false => {
            let line = |after: &assent_client::wire::Afterwards| {
                format!("later review by {}: {}", clean(&after.rule), clean(&after.status))
            };
            output.data(request.afterwards.iter().map(line).collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(Exit::Granted)
}

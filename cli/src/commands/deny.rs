//! `assent deny`

use assent_client::wire::{NewReview, Verdict};
use assent_client::{Client, IdempotencyKey};

use crate::args::DenyArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::show;

/// Denies a request. That ends it, whoever has approved before.
pub(crate) async fn run(args: DenyArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    if args.comment.trim().is_empty() {
        return Err(Failure::usage("a denial needs a comment that says why"));
    }
    let id = args.id.to_string();
    let request = client.request(&id).await?;
    output.talk(format!("denying: {}", show::sentence(&request)));
    let review = NewReview {
        verdict: Verdict::Deny,
        comment: args.comment,
        digest: request.digest,
        signature: None,
    };
    let request = client.review(&id, &review, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

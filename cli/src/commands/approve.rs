//! `assent approve`

use assent_client::Client;
use assent_client::wire::{NewReview, Request, Verdict};
use assent_core::policy::changes::KIND;
use serde_json::Value;

use crate::args::ApproveArgs;
use crate::commands::{plan, review};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::Environment;
use crate::show;

/// Approves exactly what is shown: the review names the digest of the request as it was fetched.
pub(crate) async fn run(
    args: ApproveArgs,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.id.to_string();
    let request = client.request(&id).await?;
    output.talk(format!("approving: {}", show::sentence(&request)));
    if let Some(thing) = &request.intent.digest {
        output.talk(format!("the exact thing: {}", clean(thing)));
    }
    tell_context(&request, output);
    plan::tell(&request, client, output).await?;
    let digest = review::computed(&request)?;
    output.talk(format!("digest: {digest}"));
    let review = NewReview {
        verdict: Verdict::Approve,
        comment: args.comment,
        digest: digest.to_string(),
        signature: None,
    };
    let by = (client, environment, output);
    let request = review::cast(&request, review, &args.browser, by).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

/// What the requester adds; a change of policy line by line.
fn tell_context(request: &Request, output: &Output) {
    let mut context = request.intent.context.clone();
    let diff = context.get("diff").and_then(Value::as_str).map(str::to_owned);
    if let Some(diff) = diff.filter(|_| request.intent.kind == KIND) {
        context.remove("diff");
        output.talk("the change of policy:");
        diff.lines().for_each(|line| output.talk(format!("  {}", clean(line))));
    }
    if !context.is_empty() {
        let context = serde_json::to_string(&context).unwrap_or_default();
        output.talk(format!("the requester adds: {}", clean(&context)));
    }
}

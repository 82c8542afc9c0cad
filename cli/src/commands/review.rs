//! `assent review`, and what `approve` and `deny` share: what is decided is computed here, and not
//! believed from a page.

use std::path::Path;
use std::time::Duration;

use assent_client::wire::{NewReview, Request, Verdict};
use assent_client::{Client, IdempotencyKey, Url};
use assent_core::digest::Digest;
use assent_core::statement::words;
use assent_core::time::Span;
use serde_json::json;

use crate::args::{BrowserArgs, ReviewArgs};
use crate::browser;
use crate::commands::plan;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::Environment;
use crate::{clock, show};

/// How long a review in the browser is waited for where nothing is said.
const PATIENCE: Span = Span::minutes(10);
/// One leg of that.
const LEG: Duration = Duration::from_secs(25);

/// Shows exactly what would be approved, with its digest as it is computed here.
pub(crate) async fn run(
    args: ReviewArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let request = client.request(&args.id.to_string()).await?;
    let digest = computed(&request)?;
    if let Some(path) = &args.plan {
        check_plan(path, &request, output)?;
    }
    if args.printing.is_json() {
        output.json(&json!({
            "id": request.id, "state": request.state, "intent": request.intent,
            "digest": digest.to_string(), "words": words(&digest),
            "policy": request.ruling.policy, "url": page_text(client, &request),
        }))?;
        return Ok(Exit::Granted);
    }
    output.data(show::full(&request, clock::now(), output.data_paint()))?;
    plan::tell(&request, client, output).await?;
    output.data(format!("\ncomputed here: {digest}"))?;
    output.data(format!("in words:      {}", words(&digest)))?;
    let page = page_text(client, &request);
    output.talk(format!(
        "the page at {} must show the same digest, and the same words where you sign: if it does not, \
         do not decide there",
        clean(&page)
    ));
    if args.plan.is_none() && (request.intent.digest.is_some() || request.intent.plan.is_some()) {
        output.talk("with `--plan FILE` it is compared with a plan that you have");
    }
    Ok(Exit::Granted)
}

/// The digest of the intent as it was fetched, which must be the one that the server says.
///
/// # Errors
/// Refused where it is not: then what is shown is not what would be approved.
pub(crate) fn computed(request: &Request) -> Result<Digest, Failure> {
    let intent = request.intent.clone().verify().map_err(|faults| {
        let problem = faults.first().map(ToString::to_string).unwrap_or_default();
        Failure::refused("the server shows an intent that is none").because(problem)
    })?;
    let digest = intent.digest();
    match digest.to_string() == request.digest {
        true => Ok(digest),
        false => Err(Failure::refused(format!(
            "the server says {}, but what it shows has the digest {digest}: do not decide on it",
            clean(&request.digest)
        ))),
    }
}

fn check_plan(path: &Path, request: &Request, output: &Output) -> Result<(), Failure> {
    let given = plan::read(path)?;
    let own = given.digest().to_string();
    let (wanted, what) = match given.is_saved() {
        true => (&request.intent.digest, "exact thing"),
        false => (&request.intent.plan, "plan"),
    };
    match wanted {
        Some(wanted) if *wanted == own => {
            output.talk(format!("{}: it is the {what} that this asks for", path.display()));
            Ok(())
        }
        Some(wanted) => Err(Failure::refused(format!(
            "{} is {own}, but this asks for the {what} {}",
            path.display(),
            clean(wanted)
        ))),
        None => Err(Failure::refused(format!("this names no {what} to compare with"))),
    }
}

/// Casts a review; where a passkey or a fresh sign-in is needed, in the browser, and waits for it.
pub(crate) async fn cast(
    request: &Request,
    review: NewReview,
    browser: &BrowserArgs,
    (client, environment, output): (&Client, &Environment, &Output),
) -> Result<Request, Failure> {
    let verdict = review.verdict;
    let error = match client.review(&request.id, &review, &IdempotencyKey::fresh()).await {
        Ok(request) => return Ok(request),
        Err(error) => error,
    };
    let in_browser = matches!(error.code(), Some("signature_needed" | "sign_in_again"));
    let server: Url = match client.base().parse() {
        Ok(server) if in_browser => server,
        Ok(_) | Err(_) => return Err(error.into()),
    };
    let Some(page) = browser::ours(&page_text(client, request), &server) else {
        return Err(error.into());
    };
    output.talk(clean(&error.message));
    output.talk(format!("its words, computed here: {}", words(&computed(request)?)));
    browser::show(&page, browser.browser.as_deref(), environment, output);
    let decided = await_review(request, browser.timeout.unwrap_or(PATIENCE), client).await?;
    match decided.1 == verdict {
        true => Ok(decided.0),
        false => Err(Failure::refused("you decided otherwise in the browser")),
    }
}

/// Waits until the caller has reviewed it, wherever they did.
async fn await_review(
    request: &Request,
    limit: Span,
    client: &Client,
) -> Result<(Request, Verdict), Failure> {
    let me = client.whoami().await?.principal;
    let me = show::principal(&me.iss, &me.sub);
    let deadline = clock::deadline(limit);
    let mut seen = request.version;
    loop {
        let left = deadline.saturating_duration_since(clock::deadline(Span::ZERO));
        if left.is_zero() {
            return Err(Failure::refused("the time to wait is over, and you have not decided")
                .hint(format!("decide at {}", page_text(client, request))));
        }
        let next = client.wait(&request.id, seen, left.min(LEG)).await?;
        if let Some(own) = next.reviews.iter().find(|review| clean(&review.reviewer) == me) {
            let verdict = own.verdict;
            return Ok((next, verdict));
        }
        if next.state != "pending" {
            return Err(Failure::refused(format!("it was {} meanwhile", clean(&next.state))));
        }
        seen = next.version;
    }
}

fn page_text(client: &Client, request: &Request) -> String {
    format!("{}/requests/{}", client.base(), request.id)
}

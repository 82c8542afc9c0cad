//! `assent revoke`

use assent_client::wire::{Revocation, Revoked};
use assent_client::{Client, IdempotencyKey};

use crate::args::{MatchingArgs, RevokeArgs};
use crate::commands::counted;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::show;

/// Takes a grant and its credentials back, or all that fit.
pub(crate) async fn run(
    args: RevokeArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let Some(id) = args.id else { return all(args, client, output).await };
    if args.matching.says_anything() {
        let problem = "one request is revoked by its id alone";
        return Err(Failure::usage(problem).hint("for all that fit, say --all and no id"));
    }
    let id = id.to_string();
    let request = client.revoke(&id, &args.reason, &IdempotencyKey::fresh()).await?;
    super::print_moved(&request, args.printing, output)?;
    Ok(Exit::Granted)
}

/// Shows what would end, and ends it if that is said.
async fn all(args: RevokeArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let MatchingArgs { environment, kind, requester } = args.matching;
    let reason = args.reason;
    let counted = Revocation { environment, kind, requester, all: true, reason, dry_run: true };
    let would = client.revoke_all(&counted, &IdempotencyKey::fresh()).await?;
    if !args.yes {
        match args.printing.is_json() {
            true => output.json(&would)?,
            false => output.data(summary("would end", &would))?,
        }
        if would.grants + would.credentials > 0 {
            output.talk("nothing was done; say --yes to do it");
        }
        return Ok(Exit::Granted);
    }
    output.talk(summary("ending", &would));
    let wanted = Revocation { dry_run: false, ..counted };
    let done = client.revoke_all(&wanted, &IdempotencyKey::fresh()).await?;
    match args.printing.is_json() {
        true => output.json(&done)?,
        false => output.data(summary("ended", &done))?,
    }
    if !done.open_outside.is_empty() {
        output.talk("what is open outside: `assent credential list --live` says when it is closed");
    }
    // What is not known to have ended is no success.
    Ok(if done.failed.is_empty() { Exit::Granted } else { Exit::Unknown })
}

fn summary(what: &str, told: &Revoked) -> String {
    let mut lines = vec![match told.grants + told.credentials {
        0 => format!("{what}: nothing"),
        _ => format!(
            "{what}: {} and {} of {}",
            counted(told.grants, "grant", "grants"),
            counted(told.credentials, "credential", "credentials"),
            counted(told.requests, "request", "requests"),
        ),
    }];
    for open in &told.open_outside {
        let (credential, what) = (clean(&open.credential), show::brokered(&open.brokered));
        lines.push(format!("open outside: {credential}: {what}"));
    }
    for failed in &told.failed {
        lines.push(format!("not ended: {}: {}", clean(&failed.request), clean(&failed.problem)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_still_is_told() {
        let told: Revoked = serde_json::from_value(serde_json::json!({
            "dry_run": false, "requests": 2, "grants": 1, "credentials": 2,
            "open_outside": [{"request": "req_1", "credential": "crd_1", "brokered":
                {"broker": "aws", "status": "outlives", "only_expires": true, "outlives": "T"}}],
            "failed": [{"request": "req_2", "problem": "the ledger is unavailable"}],
        }))
        .unwrap();
        let wanted = "ended: 1 grant and 2 credentials of 2 requests\n\
            open outside: crd_1: aws: works until T, cannot be taken back\n\
            not ended: req_2: the ledger is unavailable";
        assert_eq!(summary("ended", &told), wanted);
    }
    #[test]
    fn where_nothing_fits_nothing_ends() {
        assert_eq!(summary("would end", &Revoked::default()), "would end: nothing");
    }
}

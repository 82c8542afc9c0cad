//! `assent evidence`

use std::path::{Path, PathBuf};

use assent_client::Client;
use assent_client::wire::{self, Evidence};
use assent_core::canonical;
use assent_core::credential::KeySet;
use assent_core::evidence::{self, ProvenReview};
use assent_core::id::RequestId;
use assent_core::request::{Fact, Review, Verdict};
use assent_core::statement::words;
use serde_json::{Value, json};

use crate::args::{EvidenceCommand, EvidenceShowArgs, EvidenceVerifyArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Table, clean};

/// Shows or verifies. Only to show what a server has, one is asked.
pub(crate) async fn run(
    command: EvidenceCommand,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        EvidenceCommand::Show(args) => show(args, client, output).await,
        EvidenceCommand::Verify(args) => verify(&args, output),
    }
}

async fn show(
    args: EvidenceShowArgs,
    client: impl FnOnce() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let evidence = match args.what.parse::<RequestId>() {
        Ok(id) => client()?.evidence(&id.to_string()).await?,
        Err(_) => read(&PathBuf::from(&args.what))?,
    };
    if args.printing.is_json() {
        output.json(&evidence)?;
        return Ok(Exit::Granted);
    }
    let mut reviews = Vec::new();
    for entry in &evidence.entries {
        let event = wire::event_from_json(&entry.entry).map_err(|error| {
            Failure::refused(format!("entry {} does not read", entry.index)).because(error)
        })?;
        if let Fact::Reviewed(review) = event.fact {
            reviews.push(review);
        }
    }
    output.data(format!("request  {}", clean(&evidence.request)))?;
    output.data(format!("server   {}", clean(&evidence.server)))?;
    output.data(as_of(&evidence))?;
    output.data(table(reviews.iter(), output))?;
    for review in &reviews {
        if let Some(signature) = &review.signature {
            let text = String::from_utf8_lossy(&signature.recorded().statement).into_owned();
            output.data(format!("\n{} signed:\n{}", review.reviewer, clean(&text)))?;
        }
    }
    output.talk("nothing of this is believed yet: `assent evidence verify FILE --trust KEYS`");
    Ok(Exit::Granted)
}

fn verify(args: &EvidenceVerifyArgs, output: &Output) -> Result<Exit, Failure> {
    let evidence = read(&args.file)?;
    let keys = KeySet::read(&json_of(&args.trust)?);
    let proven = evidence::verify(&evidence, &keys)
        .map_err(|error| Failure::refused("this proves nothing").because(error))?;
    let request = &proven.request;
    if args.printing.is_json() {
        let review = |proven: &ProvenReview| {
            json!({
                "reviewer": proven.review.reviewer.to_string(),
                "verdict": verdict(&proven.review),
                "at": proven.review.at.to_string(),
                "signed": proven.strength.is_some(),
                "device_bound": proven.strength.map(|strength| strength.device_bound),
                "vouched_by": proven.voucher.as_ref().map(|who| who.iss().to_owned()),
            })
        };
        output.json(&json!({
            "ok": true,
            "request": request.id().to_string(),
            "state": request.state().word(),
            "digest": request.digest().to_string(),
            "words": words(&request.digest()),
            "policy": request.ruling().policy.to_string(),
            "server": proven.checkpoint.issuer,
            "as_of": evidence.entries.last().map(|entry| entry.index),
            "log": {"size": proven.checkpoint.size, "root": proven.checkpoint.root.to_string()},
            "reviews": proven.reviews.iter().map(review).collect::<Vec<_>>(),
        }))?;
        return Ok(Exit::Granted);
    }
    output.data(format!("request  {} is {}", request.id(), request.state().word()))?;
    output.data(format!("server   {}", clean(&proven.checkpoint.issuer)))?;
    output.data(format!("digest   {}", request.digest()))?;
    output.data(format!("words    {}", words(&request.digest())))?;
    output.data(format!("policy   {}", request.ruling().policy))?;
    let log = &proven.checkpoint;
    output.data(as_of(&evidence))?;
    output.data(format!("log      {} entries, root {}, {}", log.size, log.root, log.at))?;
    output.data(table(proven.reviews.iter().map(|proven| &proven.review), output))?;
    output.talk("all of it holds");
    Ok(Exit::Granted)
}

/// How far it goes. Nothing proves that it holds what was written after its last entry, such as that the
/// grant was taken back.
fn as_of(evidence: &Evidence) -> String {
    let last = evidence.entries.last().map_or(0, |entry| entry.index);
    format!("as of    entry {last} of the log; what came later is not in here")
}

fn table<'r>(reviews: impl Iterator<Item = &'r Review>, output: &Output) -> String {
    let head = ["reviewer", "verdict", "at", "signed with"];
    let mut table = Table::new(&head, output.data_paint());
    for review in reviews {
        let signed = review.signature.as_ref().map_or_else(
            || "nothing: the server alone says so".to_owned(),
            |signature| {
                let strength = signature.strength();
                let bound = if strength.device_bound { "device-bound" } else { "synced" };
                let vouched = if strength.vouched { ", vouched for" } else { "" };
                format!("{} ({bound}{vouched})", signature.passkey())
            },
        );
        let reviewer = clean(&review.reviewer.to_string());
        table.row([
            Cell::text(&reviewer),
            Cell::text(verdict(review)),
            Cell::text(&review.at.to_string()),
            Cell::text(&signed),
        ]);
    }
    table.text()
}

fn verdict(review: &Review) -> &'static str {
    match review.verdict {
        Verdict::Approve => "approve",
        Verdict::Deny => "deny",
    }
}

fn read(path: &Path) -> Result<Evidence, Failure> {
    serde_json::from_value(json_of(path)?)
        .map_err(|error| Failure::usage(format!("`{}`", path.display())).because(error))
}

fn json_of(path: &Path) -> Result<Value, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
    canonical::parse(&bytes)
        .map_err(|error| Failure::usage(format!("`{}`", path.display())).because(error))
}

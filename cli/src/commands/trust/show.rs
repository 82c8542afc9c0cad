//! `assent trust show`

use std::collections::BTreeSet;

use assent_client::Client;
use assent_client::wire::RulingTrust;

use crate::args::TrustShowArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};

/// Shows one trust that rules.
pub(super) async fn run(
    args: &TrustShowArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let trust = ruling(&args.name, client).await?;
    match args.printing.is_json() {
        true => output.json(&trust)?,
        false => output.data(text(&trust, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

/// The trust of this name.
pub(super) async fn ruling(name: &str, client: &Client) -> Result<RulingTrust, Failure> {
    let all = client.trusts().await?.trusts;
    all.into_iter().find(|trust| trust.name == name).ok_or_else(|| {
        Failure::usage(format!("no trust `{name}` rules"))
            .hint("`assent trust list` lists those that do")
    })
}

/// Where it was written.
pub(super) fn origin(trust: &RulingTrust) -> String {
    match &trust.file {
        Some(file) => format!("the policy file `{}`", clean(file)),
        None => "the API".to_owned(),
    }
}

fn text(trust: &RulingTrust, paint: Paint) -> String {
    let list = |texts: &BTreeSet<String>| {
        let texts: Vec<_> = texts.iter().map(|text| clean(text)).collect();
        if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
    };
    let claims = trust.claims.iter().map(|(name, values)| {
        let values: Vec<_> = values.iter().map(|value| clean(value)).collect();
        format!("{} is {}", clean(name), values.join(" or "))
    });
    let people = trust.people.iter().map(|(id, who)| format!("{} is {}", clean(id), clean(who)));
    let people: Vec<_> = people.collect();
    let mut lines = vec![
        ("name", clean(&trust.name)),
        ("issuer", clean(&trust.issuer)),
        ("audience", clean(&trust.audience)),
        ("shape", clean(trust.shape.as_deref().unwrap_or("none"))),
        ("claims", claims.collect::<Vec<_>>().join("\n")),
        ("principal", clean(&trust.principal)),
        ("people", if people.is_empty() { "none".to_owned() } else { people.join("\n") }),
        ("groups", list(&trust.groups)),
        ("kinds", list(&trust.may_ask.kinds)),
        ("environments", list(&trust.may_ask.environments)),
        ("token lives", clean(&trust.lifetime)),
        ("good once", if trust.single_use { "yes" } else { "no" }.to_owned()),
        ("keys", clean(&trust.keys)),
        ("from", origin(trust)),
    ];
    lines.extend(trust.concerns.iter().map(|concern| ("warning", clean(concern))));
    facts(&lines, paint)
}

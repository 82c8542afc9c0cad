//! `assent whoami`

use assent_client::Client;
use assent_client::wire::{Kind, Whoami};

use crate::args::Printing;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};
use crate::show;

/// Shows who the server takes the caller for.
pub(crate) async fn run(
    printing: Printing,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let whoami = client.whoami().await?;
    match printing.is_json() {
        true => output.json(&whoami)?,
        false => output.data(text(&whoami, client.base(), output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

fn text(whoami: &Whoami, base: &str, paint: Paint) -> String {
    let principal = &whoami.principal;
    let kind = match principal.kind {
        Kind::Person => "person",
        Kind::Workload => "workload",
    };
    let groups: Vec<_> = whoami.groups.iter().map(|group| clean(group)).collect();
    let mut lines = vec![
        ("name", show::principal(&principal.iss, &principal.sub)),
        ("kind", kind.to_owned()),
        ("groups", if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }),
        ("administrator", if whoami.administrator { "yes" } else { "no" }.to_owned()),
        ("server", clean(base)),
    ];
    if !principal.acts_for.is_empty() {
        let people = principal.acts_for.iter().map(|id| show::principal(&id.iss, &id.sub));
        lines.push(("acts for", people.collect::<Vec<_>>().join(", ")));
    }
    if let Some(at) = &whoami.expires_at {
        lines.push(("token ends", clean(at)));
    }
    facts(&lines, paint)
}

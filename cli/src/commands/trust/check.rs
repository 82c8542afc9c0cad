//! `assent trust check`

use assent_client::wire::TokenTried;
use assent_client::{Client, Secret};

use crate::args::TrustCheckArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};
use crate::{show, terminal};

/// Says what the server would make of a token of somebody else's.
pub(super) async fn run(
    args: &TrustCheckArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let given = args.subject.clone().filter(|token| !matches!(token.expose(), "" | "-"));
    let token = match given {
        Some(token) => token,
        None => Secret::new(terminal::secret_line("token", output)?),
    };
    let tried = client.try_token(&token).await?;
    match args.printing.is_json() {
        true => output.json(&tried)?,
        false => output.data(text(&tried, output.data_paint()))?,
    }
    Ok(if tried.accepted { Exit::Granted } else { Exit::Refused })
}

fn text(tried: &TokenTried, paint: Paint) -> String {
    let mut lines = Vec::new();
    let verdict = if tried.accepted { "would be exchanged" } else { "would be refused" };
    lines.push(("the token", verdict.to_owned()));
    lines.extend(tried.problem.iter().map(|problem| ("because", clean(problem))));
    lines.extend(tried.issuer.iter().map(|issuer| ("issuer", clean(issuer))));
    let audiences: Vec<_> = tried.audiences.iter().map(|audience| clean(audience)).collect();
    if !audiences.is_empty() {
        lines.push(("audience", audiences.join(", ")));
    }
    if let Some(who) = &tried.principal {
        lines.push(("would be", show::principal(&who.iss, &who.sub)));
        let people = who.acts_for.iter().map(|id| show::principal(&id.iss, &id.sub));
        lines.extend(people.map(|person| ("acts for", person)));
    }
    for verdict in &tried.trusts {
        let said = match &verdict.problem {
            None => "takes it".to_owned(),
            Some(problem) => format!("refuses it: {}", clean(problem)),
        };
        lines.push(("trust", format!("{} {said}", clean(&verdict.trust))));
    }
    facts(&lines, paint)
}

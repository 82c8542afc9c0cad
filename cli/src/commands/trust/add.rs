//! `assent trust add`

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use assent_client::{Client, wire};
use assent_core::canonical;
use assent_core::trust::Shape;
use serde::de::DeserializeOwned;

use super::show;
use crate::args::TrustAddArgs;
use crate::commands::policy::approved;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Writes a trust. The server refuses one that is too wide; of one that may be, it warns.
pub(super) async fn run(
    args: &TrustAddArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let trust = match &args.file {
        Some(file) => json(file)?,
        None => typed(args, client.base())?,
    };
    let exit = approved::change(&args.approved, client, output, async |by| {
        client.write_trust(&args.name, &trust, by.as_deref()).await.map(drop)
    })
    .await?;
    if exit == Exit::Granted {
        let written = show::ruling(&args.name, client).await?;
        for concern in &written.concerns {
            output.talk(format!("warning: {}", clean(concern)));
        }
        if args.printing.is_json() {
            output.json(&written)?;
        }
    }
    Ok(exit)
}

/// The trust that was typed. What is wrong with it, the server says, all of it at once.
fn typed(args: &TrustAddArgs, base: &str) -> Result<wire::NewTrust, Failure> {
    let known = || {
        let shape = args.shape.as_deref()?;
        let (_, shape) = Shape::ALL.iter().find(|(word, _)| *word == shape)?;
        shape.known_issuer().map(str::to_owned)
    };
    let issuer = args.issuer.clone().or_else(known).ok_or_else(|| {
        Failure::usage("whose tokens are to be believed is not said").hint("give --issuer URL")
    })?;
    Ok(wire::NewTrust {
        issuer,
        audience: args.audience.clone().unwrap_or_else(|| base.to_owned()),
        shape: args.shape.clone(),
        claims: claims(&args.claims),
        principal: args.principal.clone(),
        people: args.people.iter().cloned().collect(),
        groups: args.groups.iter().cloned().collect(),
        may_ask: wire::MayAsk {
            kinds: args.kinds.iter().cloned().collect(),
            environments: args.environments.iter().cloned().collect(),
        },
        lifetime: args.lifetime.clone(),
        single_use: args.single_use,
        jwks: args.jwks.as_deref().map(json).transpose()?,
        jwks_uri: args.jwks_uri.clone(),
    })
}

/// A claim that was named once is one value; one that was named again, any of them.
fn claims(pairs: &[(String, String)]) -> BTreeMap<String, wire::ClaimIs> {
    let mut claims = BTreeMap::new();
    for (name, value) in pairs {
        let is = match claims.remove(name) {
            None => wire::ClaimIs::Exactly(value.clone()),
            Some(wire::ClaimIs::Exactly(other)) => {
                wire::ClaimIs::OneOf(wire::ClaimIn { values: [other, value.clone()].into() })
            }
            Some(wire::ClaimIs::OneOf(mut several)) => {
                several.values.insert(value.clone());
                wire::ClaimIs::OneOf(several)
            }
        };
        claims.insert(name.clone(), is);
    }
    claims
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let fault = |error: std::io::Error| Failure::file(path, &error);
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(fault)?;
        bytes
    } else {
        std::fs::read(path).map_err(fault)?
    };
    let bad = || Failure::usage(format!("`{}` is not what was named", path.display()));
    let value = canonical::parse(&bytes).map_err(|error| bad().because(error))?;
    serde_json::from_value(value).map_err(|error| bad().because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_named_again_may_have_either_value() {
        let pairs = [("ref", "main"), ("event_name", "push"), ("ref", "release"), ("ref", "main")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let claims = claims(&pairs);
        let either = ["main".to_owned(), "release".to_owned()].into();
        assert_eq!(claims["ref"], wire::ClaimIs::OneOf(wire::ClaimIn { values: either }));
        assert_eq!(claims["event_name"], wire::ClaimIs::Exactly("push".to_owned()));
    }
}

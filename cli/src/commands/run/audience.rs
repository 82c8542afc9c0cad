//! For whom the credential shall be good, when nobody says.

use std::collections::BTreeSet;

use assent_client::Client;
use assent_client::wire::{Filing, Said};

use crate::failure::Failure;
use crate::output::clean;

/// The one audience that policy allows for this intent. Nothing is stored by asking.
pub(super) async fn find(filing: &Filing, client: &Client) -> Result<String, Failure> {
    let ruling = client.decide(filing).await?.ruling;
    if ruling.outcome == Said::Refuse {
        let reasons: Vec<_> =
            ruling.reasons.iter().map(|r| format!("{} ({})", r.message, r.rule)).collect();
        return Err(Failure::refused("policy refuses this").because(reasons.join("; ")));
    }
    only(ruling.credential.and_then(|terms| terms.audiences))
}

fn only(audiences: Option<BTreeSet<String>>) -> Result<String, Failure> {
    let failure = Failure::usage("it is not clear for whom the credential shall be good");
    let Some(audiences) = audiences else {
        return Err(failure.hint("policy allows any audience; name one with --audience"));
    };
    let all: Vec<_> = audiences.iter().map(|audience| clean(audience)).collect();
    match <[String; 1]>::try_from(audiences.into_iter().collect::<Vec<_>>()) {
        Ok([audience]) => Ok(audience),
        Err(_) if all.is_empty() => Err(Failure::refused("policy allows no audience at all")),
        Err(_) => Err(failure.hint(format!("name one with --audience: {}", all.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_audience_goes_without_saying() {
        let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(only(set(&["a"])).unwrap(), "a");
        assert!(only(set(&["a", "b"])).is_err());
        assert!(only(set(&[])).is_err());
        assert!(only(None).is_err());
    }
}

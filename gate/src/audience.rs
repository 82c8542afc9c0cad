//! For whom the credential shall be good, when nobody says.

use std::collections::BTreeSet;

use assent_client::Client;
use assent_client::wire::{Filing, Said};

use crate::{Obstacle, clean};

/// The one audience that policy allows for this intent. Nothing is stored by asking.
/// `by` is what names another one.
///
/// # Errors
/// [`Obstacle`] where policy refuses the intent, or allows none, any or several.
pub async fn only_audience(filing: &Filing, client: &Client, by: &str) -> Result<String, Obstacle> {
    let ruling = client.decide(filing).await?.ruling;
    if ruling.outcome == Said::Refuse {
        let reasons: Vec<_> =
            ruling.reasons.iter().map(|r| format!("{} ({})", r.message, r.rule)).collect();
        return Err(Obstacle::refused("policy refuses this").because(reasons.join("; ")));
    }
    only(ruling.credential.and_then(|terms| terms.audiences), by)
}

fn only(audiences: Option<BTreeSet<String>>, by: &str) -> Result<String, Obstacle> {
    let failure = Obstacle::wrong("it is not clear for whom the credential shall be good");
    let Some(audiences) = audiences else {
        return Err(failure.hint(format!("policy allows any audience; name one with {by}")));
    };
    let all: Vec<_> = audiences.iter().map(|audience| clean(audience)).collect();
    match <[String; 1]>::try_from(audiences.into_iter().collect::<Vec<_>>()) {
        Ok([audience]) => Ok(audience),
        Err(_) if all.is_empty() => Err(Obstacle::refused("policy allows no audience at all")),
        Err(_) => Err(failure.hint(format!("name one with {by}: {}", all.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_audience_goes_without_saying() {
        let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(only(set(&["a"]), "x").unwrap(), "a");
        assert!(only(set(&["a", "b"]), "x").is_err());
        assert!(only(set(&[]), "x").is_err());
        assert!(only(None, "x").is_err());
    }
}

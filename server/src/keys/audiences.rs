//! Which audience gets which algorithm.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::credential::Algorithm;

/// Where nothing is said.
const DEFAULT: Algorithm = Algorithm::Es256;
/// Microsoft Entra takes RS256 alone (*Important considerations and restrictions for federated
/// identity credentials*); these are its audiences, one for each of its clouds.
const ENTRA: [&str; 3] = [
    "api://AzureADTokenExchange",
    "api://AzureADTokenExchangeUSGov",
    "api://AzureADTokenExchangeChina",
];

/// The audiences that do not get ES256.
#[derive(Clone, Debug)]
pub struct Audiences(BTreeMap<String, Algorithm>);

impl Default for Audiences {
    fn default() -> Self {
        Self(ENTRA.into_iter().map(|audience| (audience.to_owned(), Algorithm::Rs256)).collect())
    }
}

impl Audiences {
    /// The same, and these as they are told.
    #[must_use]
    pub fn with(mut self, told: impl IntoIterator<Item = (String, Algorithm)>) -> Self {
        self.0.extend(told);
        self
    }

    /// What tokens for this audience are signed with.
    pub fn algorithm(&self, audience: &str) -> Algorithm {
        self.0.get(audience).copied().unwrap_or(DEFAULT)
    }

    /// What there must be keys for.
    pub fn needed(&self) -> BTreeSet<Algorithm> {
        self.0.values().copied().chain([DEFAULT]).collect()
    }

    /// Who gets this algorithm by name.
    pub fn that_get(&self, algorithm: Algorithm) -> Vec<String> {
        let all = self.0.iter().filter(|(_, gets)| **gets == algorithm);
        all.map(|(audience, _)| audience.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn azure_gets_what_it_takes_and_everybody_else_what_is_told() {
        let told = [("https://own.example.com".to_owned(), Algorithm::EdDsa)];
        let audiences = Audiences::default().with(told);
        assert_eq!(audiences.algorithm("api://AzureADTokenExchange"), Algorithm::Rs256);
        assert_eq!(audiences.algorithm("api://azureadtokenexchange"), Algorithm::Es256);
        assert_eq!(audiences.algorithm("sts.amazonaws.com"), Algorithm::Es256);
        assert_eq!(audiences.algorithm("https://own.example.com"), Algorithm::EdDsa);
        assert_eq!(audiences.needed().len(), 3);
        assert_eq!(audiences.that_get(Algorithm::EdDsa), ["https://own.example.com"]);
    }
}

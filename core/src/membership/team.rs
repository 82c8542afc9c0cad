//! A team of a GitHub organisation, as policy names one.

use std::fmt;
use std::str::FromStr;

/// Which team: the organisation and the team's slug, as they stand in its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Team {
    /// The organisation.
    pub organization: String,
    /// The team in it.
    pub slug: String,
}

/// The text names no team.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` names no team of GitHub; write ORGANIZATION/TEAM as in the team's address", .0.escape_debug())]
pub struct NotATeam(String);

impl FromStr for Team {
    type Err = NotATeam;

    /// Both become parts of an address at GitHub, so nothing else may stand in them.
    fn from_str(text: &str) -> Result<Self, NotATeam> {
        let fits = |part: &str, also: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || also.contains(c);
            (1..=100).contains(&part.len())
                && part.chars().all(known)
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        let parts = text.split_once('/').filter(|(org, slug)| fits(org, "_") && fits(slug, "_."));
        let (organization, slug) = parts.ok_or_else(|| NotATeam(text.to_owned()))?;
        // GitHub has no two that differ in case alone; neither have we.
        let (organization, slug) = (organization.to_lowercase(), slug.to_lowercase());
        Ok(Self { organization, slug })
    }
}

impl fmt::Display for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.organization, self.slug)
    }
}

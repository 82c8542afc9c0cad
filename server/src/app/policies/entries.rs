//! Groups, calendars, trusts and whatever else is kept as an entry of its own: one thing of one section of a
//! policy document, under the name `SECTION/NAME`.
//!
//! An entry is kept as the policy document that says the same, in JSON, which is YAML. So it rules,
//! is versioned and is recorded like every other document.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::membership::is_name_character;
use assent_core::wire;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::app::policies::change::{Change, missing};
use crate::app::{AppError, Authority, Caller};
use crate::ledger::{KeptDocument, LedgerError};

/// What can be kept as an entry of its own.
pub(crate) trait Entry: Sized + Send + 'static {
    /// The section of policy documents in which it would stand. Its name begins with it.
    const SECTION: &'static str;
    /// What stands there.
    type Value: Serialize + DeserializeOwned + Send;
    /// What is told of one that is kept.
    type Kept: Serialize + Send;
    /// What is told of all of them.
    type List: Serialize + Send;

    /// What stands in the document.
    ///
    /// # Errors
    /// [`AppError::Field`] where it could not.
    fn to_value(self) -> Result<Self::Value, AppError>;

    /// What is told of one.
    fn kept(name: String, value: Self::Value, written: KeptDocument) -> Self::Kept;

    /// What is told of all.
    fn list(all: BTreeMap<String, Self::Kept>) -> Self::List;
}

/// The people of a group, or who else knows them.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum GroupValue {
    Lists(BTreeSet<String>),
    Vouched { identity: bool },
    Team { github_team: String },
}

impl Entry for wire::NewGroup {
    const SECTION: &'static str = "groups";
    type Value = GroupValue;
    type Kept = wire::Group;
    type List = wire::Groups;

    fn to_value(self) -> Result<GroupValue, AppError> {
        let is_vouched = self.identity.unwrap_or_default();
        match (self.members.is_empty(), is_vouched, self.github_team) {
            (false, false, None) => Ok(GroupValue::Lists(self.members)),
            (true, true, None) => Ok(GroupValue::Vouched { identity: true }),
            (true, false, Some(github_team)) => Ok(GroupValue::Team { github_team }),
            (true, false, None)
            | (false, true, None)
            | (false, _, Some(_))
            | (_, true, Some(_)) => {
                let problem =
                    "a group lists its people, at least one, or has `identity: true`, or \
                    a `github_team`: one of them"
                        .to_owned();
                Err(AppError::Field { field: "members", problem })
            }
        }
    }

    fn kept(name: String, value: GroupValue, written: KeptDocument) -> wire::Group {
        let (members, identity, github_team) = match value {
            GroupValue::Lists(members) => (members, None, None),
            GroupValue::Vouched { identity } => (BTreeSet::new(), Some(identity), None),
            GroupValue::Team { github_team } => (BTreeSet::new(), None, Some(github_team)),
        };
        let KeptDocument { version, at, by, .. } = written;
        wire::Group { name, members, identity, github_team, version, at: at.to_string(), by }
    }

    fn list(groups: BTreeMap<String, wire::Group>) -> wire::Groups {
        wire::Groups { groups }
    }
}

impl Entry for wire::NewCalendar {
    const SECTION: &'static str = "calendars";
    type Value = Self;
    type Kept = wire::Calendar;
    type List = wire::Calendars;

    fn to_value(self) -> Result<Self, AppError> {
        Ok(self)
    }

    fn kept(name: String, calendar: Self, written: KeptDocument) -> wire::Calendar {
        let KeptDocument { version, at, by, .. } = written;
        wire::Calendar { name, calendar, version, at: at.to_string(), by }
    }

    fn list(calendars: BTreeMap<String, wire::Calendar>) -> wire::Calendars {
        wire::Calendars { calendars }
    }
}

impl Entry for wire::NewTrust {
    const SECTION: &'static str = "trusts";
    type Value = Self;
    type Kept = wire::Trust;
    type List = wire::Trusts;

    fn to_value(self) -> Result<Self, AppError> {
        Ok(self)
    }

    fn kept(name: String, trust: Self, written: KeptDocument) -> wire::Trust {
        let KeptDocument { version, at, by, .. } = written;
        wire::Trust { name, trust, version, at: at.to_string(), by }
    }

    fn list(trusts: BTreeMap<String, wire::Trust>) -> wire::Trusts {
        wire::Trusts { trusts }
    }
}

impl Authority {
    /// Every entry of this kind. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub(crate) async fn entries_kept<E: Entry>(
        &self,
        caller: &Caller,
    ) -> Result<E::List, AppError> {
        caller.check_reader()?;
        let mut all = BTreeMap::new();
        for held in self.ledger.documents().await? {
            let Some((section, name)) = held.name.split_once('/') else { continue };
            if section == E::SECTION && held.text.is_some() {
                let name = name.to_owned();
                all.insert(name.clone(), read::<E>(name, held)?);
            }
        }
        Ok(E::list(all))
    }

    /// One entry. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::NotFound`], also where it was removed.
    pub(crate) async fn entry<E: Entry>(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<E::Kept, AppError> {
        caller.check_reader()?;
        let full = full_name::<E>(name);
        let newest = self.ledger.document(&full).await?.pop();
        let newest = newest.filter(|held| held.text.is_some());
        read::<E>(name.to_owned(), newest.ok_or_else(|| missing(&full))?)
    }

    /// Writes an entry, and rules by it from now on. Only for administrators.
    ///
    /// # Errors
    /// As [`Authority::write_document`].
    pub(crate) async fn write_entry<E: Entry>(
        &self,
        caller: &Caller,
        name: &str,
        sent: E,
        approval: Option<&str>,
    ) -> Result<E::Kept, AppError> {
        caller.check_administrator()?;
        self.make(caller, entry_change(name, Some(sent))?, approval).await?;
        self.entry::<E>(caller, name).await
    }

    /// Removes an entry. Only for administrators.
    ///
    /// # Errors
    /// As [`Authority::remove_document`].
    pub(crate) async fn remove_entry<E: Entry>(
        &self,
        caller: &Caller,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), AppError> {
        caller.check_administrator()?;
        let change = Change { name: full_name::<E>(name), text: None };
        self.make(caller, change, approval).await
    }
}

fn full_name<E: Entry>(name: &str) -> String {
    format!("{}/{name}", E::SECTION)
}

/// The change that this entry is.
pub(super) fn entry_change<E: Entry>(name: &str, entry: Option<E>) -> Result<Change, AppError> {
    check_name(name)?;
    let text = match entry {
        Some(entry) => Some(text::<E>(name, entry.to_value()?)),
        None => None,
    };
    Ok(Change { name: full_name::<E>(name), text })
}

/// The names of what policy documents define. One that ends like a file's would be taken for a test
/// or for a module, and would not rule.
fn check_name(name: &str) -> Result<(), AppError> {
    let fits = (1..=63).contains(&name.len()) && name.chars().all(is_name_character);
    let lower = name.to_ascii_lowercase();
    let is_file = [".yaml", ".yml", ".rego", ".json"].iter().any(|ending| lower.ends_with(ending));
    if fits && !is_file {
        return Ok(());
    }
    let problem = "a name of 1 to 63 letters, digits, `-`, `_`, `.` or `/` that does not end in \
        .yaml, .yml, .rego or .json"
        .to_owned();
    Err(AppError::Field { field: "name", problem })
}

/// One entry as a policy document. Written anew, it is the same bytes: maps are in order of key.
#[derive(Serialize, Deserialize)]
struct Document<V> {
    #[serde(rename = "apiVersion")]
    version: String,
    kind: String,
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    section: BTreeMap<String, BTreeMap<String, V>>,
}

fn text<E: Entry>(name: &str, value: E::Value) -> String {
    let full = full_name::<E>(name);
    let document = Document {
        version: "assent/v1".to_owned(),
        kind: "Policy".to_owned(),
        metadata: BTreeMap::from([("name".to_owned(), full)]),
        section: BTreeMap::from([(
            E::SECTION.to_owned(),
            BTreeMap::from([(name.to_owned(), value)]),
        )]),
    };
    // Texts and maps of them are always JSON; an empty document would be refused.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn read<E: Entry>(name: String, held: KeptDocument) -> Result<E::Kept, AppError> {
    let corrupt = || LedgerError::Corrupt(format!("`{}` is not what was written", held.name));
    let text = held.text.as_deref().unwrap_or_default();
    let document: Document<E::Value> = serde_json::from_str(text).map_err(|_| corrupt())?;
    let section = document.section.into_values().next();
    let value = section.and_then(|mut section| section.remove(&name));
    Ok(E::kept(name, value.ok_or_else(corrupt)?, held))
}

#[cfg(test)]
mod tests {
    use assent_core::policy::Policy;
    use assent_core::policy::document::PolicyDocument;

    use super::*;

    #[test]
    fn an_entry_is_kept_as_a_document_that_says_the_same() {
        let calendar = wire::NewCalendar {
            zone: Some("Europe/Berlin".to_owned()),
            windows: vec![wire::CalendarWindow {
                days: vec!["monday".to_owned()],
                from: Some("09:00".to_owned()),
                to: Some("17:00".to_owned()),
            }],
            include: vec![
                wire::CalendarDates::On("2026-12-24".to_owned()),
                wire::CalendarDates::Between(wire::CalendarSpan {
                    from: "2026-12-28".to_owned(),
                    to: "2026-12-31".to_owned(),
                }),
            ],
            ..wire::NewCalendar::default()
        };
        let group = wire::NewGroup {
            members: ["person:bob".to_owned(), "person:https://id.example.com#\"8f\"".to_owned()]
                .into(),
            ..wire::NewGroup::default()
        };
        let vouched = wire::NewGroup { identity: Some(true), ..wire::NewGroup::default() };
        let team = wire::NewGroup {
            github_team: Some("acme/release-managers".to_owned()),
            ..wire::NewGroup::default()
        };
        let trust = wire::NewTrust {
            issuer: "https://token.actions.githubusercontent.com".to_owned(),
            audience: "https://assent.example.com".to_owned(),
            shape: Some("github-actions".to_owned()),
            claims: [
                ("repository_id", wire::ClaimIs::Exactly("1".to_owned())),
                ("repository_owner_id", wire::ClaimIs::Exactly("2".to_owned())),
                (
                    "ref",
                    wire::ClaimIs::OneOf(wire::ClaimIn {
                        values: ["refs/heads/main".to_owned()].into(),
                    }),
                ),
            ]
            .map(|(name, is)| (name.to_owned(), is))
            .into(),
            may_ask: wire::MayAsk {
                kinds: ["terraform.apply".to_owned()].into(),
                environments: ["production".to_owned()].into(),
            },
            ..wire::NewTrust::default()
        };
        let changes = [
            entry_change("acme", Some(trust)).unwrap(),
            entry_change("office", Some(calendar)).unwrap(),
            entry_change("dba", Some(group)).unwrap(),
            entry_change("team/on.call", Some(vouched)).unwrap(),
            entry_change("release", Some(team)).unwrap(),
        ];
        let files: Vec<_> = changes
            .iter()
            .map(|change| PolicyDocument {
                file: change.name.clone(),
                text: change.text.clone().unwrap(),
            })
            .collect();
        assert!(Policy::compile(&files).is_ok(), "{:#?}", Policy::compile(&files).err());
        assert_eq!(changes[3].name, "groups/team/on.call");
        let policy = Policy::compile(&files).unwrap();
        let teams: Vec<_> = policy.teams().map(|(group, team)| (group, team.to_string())).collect();
        assert_eq!(teams, [("release", "acme/release-managers".to_owned())]);
    }

    #[test]
    fn no_name_makes_a_test_or_a_module_of_an_entry() {
        for name in ["", "a b", "x.yaml", "x_test.YAML", "x.Rego", "x.json", &"x".repeat(64)] {
            let group = wire::NewGroup { identity: Some(true), ..wire::NewGroup::default() };
            assert!(entry_change(name, Some(group)).is_err(), "{name}");
        }
    }
}

//! Absences as they are asked for, shown, stored and put on record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::absence::{self, Ended};
use crate::time::Timestamp;
use crate::wire::PrincipalId;

/// Somebody says that they are out of office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAbsence {
    /// Who stands in: a person of the policy, as `NAME` or `ISSUER#SUBJECT`.
    pub to: String,
    /// From when on (RFC 3339); now where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when (RFC 3339).
    pub until: String,
}

/// Somebody is out of office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Absence {
    /// `abs_` and a ULID.
    pub id: String,
    /// Who is away.
    pub who: PrincipalId,
    /// Who stands in.
    pub to: PrincipalId,
    /// From when on.
    pub from: String,
    /// Until when.
    pub until: String,
    /// When it was said.
    pub made_at: String,
    /// When it was taken back, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<PrincipalId>,
}

/// Absences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Absences {
    /// Newest first.
    pub absences: Vec<Absence>,
}

/// It is no absence of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an absence: {0}")]
pub struct NotAnAbsence(String);

impl From<&absence::Absence> for Absence {
    fn from(absence: &absence::Absence) -> Self {
        Self {
            id: absence.id.to_string(),
            who: (&absence.who).into(),
            to: (&absence.to).into(),
            from: absence.from.to_string(),
            until: absence.until.to_string(),
            made_at: absence.made_at.to_string(),
            ended_at: absence.ended.as_ref().map(|ended| ended.at.to_string()),
            ended_by: absence.ended.as_ref().map(|ended| (&ended.by).into()),
        }
    }
}

impl TryFrom<Absence> for absence::Absence {
    type Error = NotAnAbsence;

    fn try_from(stored: Absence) -> Result<Self, NotAnAbsence> {
        let bad = |error: &dyn std::fmt::Display| NotAnAbsence(error.to_string());
        let time = |text: &str| text.parse::<Timestamp>().map_err(|error| bad(&error));
        let person = |id: PrincipalId| {
            crate::principal::PrincipalId::try_from(id).map_err(|error| bad(&error))
        };
        let ended = match (stored.ended_at, stored.ended_by) {
            (Some(at), Some(by)) => Some(Ended { at: time(&at)?, by: person(by)? }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(NotAnAbsence("an end without a time or a person".to_owned()));
            }
        };
        Ok(Self {
            id: stored.id.parse().map_err(|error| bad(&error))?,
            who: person(stored.who)?,
            to: person(stored.to)?,
            from: time(&stored.from)?,
            until: time(&stored.until)?,
            made_at: time(&stored.made_at)?,
            ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::AbsenceId;

    #[test]
    fn what_is_written_reads_back() {
        let at = |millis: i64| Timestamp::from_millis(1_795_000_000_000 + millis);
        let person = |name| crate::principal::PrincipalId::local(name).unwrap();
        let mut absence = absence::Absence {
            id: AbsenceId::new(at(0), [3; 10]),
            who: person("bob"),
            to: person("carol"),
            from: at(1),
            until: at(2),
            made_at: at(0),
            ended: None,
        };
        for ended in [None, Some(Ended { at: at(1), by: person("root") })] {
            absence.ended = ended;
            let text = serde_json::to_string(&Absence::from(&absence)).unwrap();
            let read: Absence = serde_json::from_str(&text).unwrap();
            assert_eq!(absence::Absence::try_from(read).unwrap(), absence, "{text}");
        }
    }
}

//! What the settings of brokers have in common: faults that name their place, and roles of which the
//! rules name one.

use std::collections::BTreeMap;

/// What is wrong with the settings of a broker.
#[derive(Debug, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct SettingsFault {
    field: String,
    problem: String,
}

pub(super) fn bad(field: impl Into<String>, problem: impl ToString) -> SettingsFault {
    SettingsFault { field: field.into(), problem: problem.to_string() }
}

/// What may be granted, under the names that rules know it by.
#[derive(Debug)]
pub(super) struct Roles<R>(BTreeMap<String, R>);

impl<R> Roles<R> {
    /// Those that were written, each settled with its place.
    ///
    /// # Errors
    /// [`SettingsFault`] where there is none, and the first of a role.
    pub(super) fn settled<W>(
        written: BTreeMap<String, W>,
        settled: impl Fn(W, &str) -> Result<R, SettingsFault>,
    ) -> Result<Self, SettingsFault> {
        if written.is_empty() {
            return Err(bad("roles", "name at least one role that may be granted"));
        }
        let each = written.into_iter().map(|(name, role)| {
            let role = settled(role, &format!("roles.{name}"))?;
            Ok((name, role))
        });
        each.collect::<Result<_, _>>().map(Self)
    }

    /// The role that the rules name; the only one, where they name none.
    ///
    /// # Errors
    /// Why it is not clear which is meant.
    pub(super) fn named(&self, name: Option<&str>) -> Result<&R, String> {
        let mut all = self.0.values();
        match (name, all.next(), all.next()) {
            (Some(name), ..) => self.0.get(name).ok_or_else(|| {
                format!("the rules name the role `{name}`, which it does not grant")
            }),
            (None, Some(role), None) => Ok(role),
            (None, ..) => Err("it grants several roles, and the rules name none".to_owned()),
        }
    }
}

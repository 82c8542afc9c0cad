//! Signals about a subject: as they are sent, told of and kept.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PrincipalId;
use crate::principal::PrincipalIdError;
use crate::signal::{self, Concern, OnGranted, OnPending, Reactions, Says, Teller};

/// What a signal is about: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SignalSubject {
    /// Somebody.
    Person(PrincipalId),
    /// A program.
    Workload(PrincipalId),
    /// Everything that is done in this environment.
    Environment(String),
}

/// A signal that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignal {
    /// What it is about.
    pub about: SignalSubject,
    /// `suspended`, `risky`, `flagged`, `incident`, or `clear` to take back what was told.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Until when it holds: RFC 3339, or a span such as `4h`. Without it, until it is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A signal as it is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToldSignal {
    /// Its id; what was stopped names it.
    pub id: String,
    /// When it was heard.
    pub at: String,
    /// What it is about.
    pub about: SignalSubject,
    /// What it says.
    pub state: String,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why.
    pub reason: String,
    /// Whose word it is: `administrator`, `source:NAME` or `transmitter:NAME`.
    pub teller: String,
    /// What of the teller's it replaces or clears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// When the teller says that it happened.
    pub told_at: String,
    /// What becomes of requests that wait: `keep`, `reconsider` or `stop`.
    pub pending: String,
    /// What becomes of what was granted to the subject, or in it: `keep` or `revoke`.
    pub granted: String,
    /// What becomes of what the subject approved: `keep` or `revoke`.
    pub approved: String,
}

/// An entry that tells of a signal does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signal of this format: {0}")]
pub struct SignalError(String);

fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> String {
    let found = words.iter().find(|(_, known)| known == value);
    found.map_or("", |(word, _)| word).to_owned()
}

fn read<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, SignalError> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| SignalError(format!("`{text}`")))
}

pub(super) fn read_concern(text: &str) -> Result<Concern, SignalError> {
    read(&Concern::ALL, text)
}

impl From<&signal::Subject> for SignalSubject {
    fn from(subject: &signal::Subject) -> Self {
        match subject {
            signal::Subject::Person(id) => Self::Person(id.into()),
            signal::Subject::Workload(id) => Self::Workload(id.into()),
            signal::Subject::Environment(name) => Self::Environment(name.clone()),
        }
    }
}

impl TryFrom<SignalSubject> for signal::Subject {
    type Error = PrincipalIdError;

    fn try_from(sent: SignalSubject) -> Result<Self, PrincipalIdError> {
        Ok(match sent {
            SignalSubject::Person(id) => Self::Person(id.try_into()?),
            SignalSubject::Workload(id) => Self::Workload(id.try_into()?),
            SignalSubject::Environment(name) => Self::Environment(name),
        })
    }
}

/// What a text says: a concern, or that there is none.
///
/// # Errors
/// [`SignalError`].
pub fn says(text: &str) -> Result<Says, SignalError> {
    match text {
        "clear" => Ok(Says::Clear),
        concern => Ok(Says::Is(read_concern(concern)?)),
    }
}

impl From<&signal::Signal> for ToldSignal {
    fn from(signal: &signal::Signal) -> Self {
        let Reactions { pending, granted, approved } = signal.reactions;
        Self {
            id: signal.id.to_string(),
            at: signal.at.to_string(),
            about: (&signal.about).into(),
            state: signal.concern().map_or("clear", Concern::word).to_owned(),
            until: signal.until.map(|until| until.to_string()),
            reason: signal.reason.clone(),
            teller: signal.teller.to_string(),
            topic: signal.topic.clone(),
            told_at: signal.told_at.to_string(),
            pending: word(&OnPending::ALL, &pending),
            granted: word(&OnGranted::ALL, &granted),
            approved: word(&OnGranted::ALL, &approved),
        }
    }
}

impl TryFrom<ToldSignal> for signal::Signal {
    type Error = SignalError;

    fn try_from(sent: ToldSignal) -> Result<Self, SignalError> {
        let bad = |error: &dyn std::fmt::Display| SignalError(error.to_string());
        let time = |text: &str| text.parse().map_err(|e| bad(&e));
        let teller = match sent.teller.split_once(':') {
            None if sent.teller == "administrator" => Teller::Administrator,
            Some(("source", name)) => Teller::Source(name.to_owned()),
            Some(("transmitter", name)) => Teller::Transmitter(name.to_owned()),
            None | Some(_) => return Err(SignalError(sent.teller)),
        };
        Ok(Self {
            id: sent.id.parse().map_err(|e| bad(&e))?,
            at: time(&sent.at)?,
            about: sent.about.try_into().map_err(|e| bad(&e))?,
            says: says(&sent.state)?,
            until: sent.until.as_deref().map(time).transpose()?,
            reason: sent.reason,
            teller,
            topic: sent.topic,
            told_at: time(&sent.told_at)?,
            reactions: Reactions {
                pending: read(&OnPending::ALL, &sent.pending)?,
                granted: read(&OnGranted::ALL, &sent.granted)?,
                approved: read(&OnGranted::ALL, &sent.approved)?,
            },
        })
    }
}

/// The entry of the audit log that tells of a signal. `by` is who sent it; `token` what is known of
/// the security event token that it came in.
pub fn signal_entry(
    signal: &signal::Signal,
    by: Option<&crate::principal::PrincipalId>,
    token: Option<Value>,
) -> Value {
    let mut entry = json!({
        "v": 1, "type": "signal_heard", "at": signal.at.to_string(), "signal": ToldSignal::from(signal),
    });
    let by = by.map(crate::principal::PrincipalId::to_json);
    if let Value::Object(entry) = &mut entry {
        entry.extend(by.map(|by| ("by".to_owned(), by)));
        entry.extend(token.map(|token| ("token".to_owned(), token)));
    }
    entry
}

/// The signal that an entry tells of; `None` where it tells of something else.
///
/// # Errors
/// [`SignalError`] for an entry that says it does and does not read.
pub fn signal_from_entry(entry: &Value) -> Result<Option<signal::Signal>, SignalError> {
    if entry.get("type").and_then(Value::as_str) != Some("signal_heard") {
        return Ok(None);
    }
    let told = entry.get("signal").ok_or_else(|| SignalError("no `signal`".to_owned()))?;
    let told = ToldSignal::deserialize(told).map_err(|error| SignalError(error.to_string()))?;
    told.try_into().map(Some)
}

/// Everything that is told: by name, and of subjects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signals {
    /// Each by its name.
    pub signals: BTreeMap<String, super::Signal>,
    /// What holds of persons, workloads and environments.
    #[serde(default)]
    pub about: Vec<ToldSignal>,
}

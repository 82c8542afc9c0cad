//! Intents as they were recorded: alone, with who asked and what was known, or as an event of the
//! audit log.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use assent_client::wire;
use assent_core::canonical;
use assent_core::intent::Intent;
use assent_core::policy::Policy;
use assent_core::policy::ruling::Ruling;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::request::Fact;
use assent_core::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;

/// More than the largest record: an intent, what was known, and a ruling.
const MAX_RECORD: u64 = 16 << 20;

/// An intent, who asked, what was known, and when.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The file, the line of it, or the request.
    pub(super) name: String,
    pub(super) intent: Intent,
    pub(super) requester: Principal,
    pub(super) known: Known,
    pub(super) at: Timestamp,
    /// What policy said then, where that is on record.
    pub(super) ruled: Option<Ruling>,
}

/// What holds where a record does not say.
#[derive(Clone, Debug)]
pub(super) struct Assumed {
    pub(super) requester: Principal,
    pub(super) at: Timestamp,
}

/// A record as it is written by hand, or taken out of an export.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    intent: wire::Intent,
    #[serde(default)]
    requester: Option<wire::Principal>,
    #[serde(default)]
    known: wire::Known,
    #[serde(default)]
    at: Option<String>,
}

impl Recorded {
    /// What policy says of it.
    pub(super) fn ruling(&self, policy: &Policy) -> Ruling {
        let Self { intent, requester, known, at, .. } = self;
        policy.rule(&Situation { intent, requester, known, now: *at })
    }

    /// What this JSON records; `None` for what is no filing: the head of an export, a review.
    pub(super) fn read(
        name: &str,
        value: &Value,
        assumed: &Assumed,
    ) -> Result<Option<Self>, String> {
        if value.get("checkpoint").is_some() {
            return Ok(None);
        }
        if let Some(event) = value.get("event") {
            return Self::of_event(event);
        }
        let written = match value.get("intent") {
            Some(_) => shaped::<Written>(value)?,
            None => Written {
                intent: shaped(value)?,
                requester: None,
                known: wire::Known::default(),
                at: None,
            },
        };
        let intent = written.intent.verify().map_err(|faults| {
            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        let requester = written.requester.map(Principal::try_from).transpose();
        let at = written.at.map(|at| at.parse()).transpose().map_err(told)?;
        Ok(Some(Self {
            name: name.to_owned(),
            intent,
            requester: requester.map_err(told)?.unwrap_or_else(|| assumed.requester.clone()),
            known: written.known.try_into().map_err(told)?,
            at: at.unwrap_or(assumed.at),
            ruled: None,
        }))
    }

    /// The filing that an event of the audit log tells of.
    fn of_event(event: &Value) -> Result<Option<Self>, String> {
        if event.get("type").and_then(Value::as_str) != Some("filed") {
            return Ok(None);
        }
        let event = wire::event_from_json(event).map_err(told)?;
        let (name, at) = (event.request.to_string(), event.at);
        let Fact::Filed { intent, requester, ruling, known, .. } = event.fact else {
            return Ok(None);
        };
        Ok(Some(Self { name, intent, requester, known, at, ruled: Some(ruling) }))
    }
}

fn shaped<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A person, or a workload, of the authority's own, by name.
pub(crate) fn principal(name: &str, kind: PrincipalKind) -> Result<Principal, Failure> {
    let id = PrincipalId::local(name);
    let id = id.map_err(|e| Failure::usage("--as names nobody").because(e))?;
    Ok(Principal {
        id,
        kind,
        groups: Default::default(),
        acts_for: Default::default(),
        claims: Default::default(),
    })
}

/// The JSON of a file, strictly: a member that stands twice would say one thing to us and another
/// to the next.
pub(super) fn json(path: &Path) -> Result<Value, Failure> {
    let mut bytes = Vec::new();
    opened(path)?
        .take(MAX_RECORD)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::file(path, &error))?;
    canonical::parse(&bytes)
        .map_err(|e| Failure::usage(format!("`{}` is not JSON", path.display())).because(e))
}

/// Everything in a file: one record, or one on each line where its name ends in `.jsonl`.
pub(super) fn each_in(
    path: &Path,
    lines: bool,
    mut take: impl FnMut(&str, &Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    if !lines {
        return take(&name, &json(path)?);
    }
    for (number, line) in (1_u64..).zip(BufReader::new(opened(path)?).lines()) {
        let line = line.map_err(|error| Failure::file(path, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let at = format!("{name}:{number}");
        let value = canonical::parse(line.as_bytes())
            .map_err(|e| Failure::usage(format!("`{at}` is not JSON")).because(e))?;
        take(&at, &value)?;
    }
    Ok(())
}

fn opened(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    File::open(path)
        .map(|file| Box::new(file) as Box<dyn Read>)
        .map_err(|error| Failure::file(path, &error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Option<Recorded>, String> {
        let requester = principal("nobody", PrincipalKind::Person).unwrap();
        Recorded::read("x", value, &Assumed { requester, at: Timestamp::from_millis(0) })
    }

    #[test]
    fn an_intent_is_recorded_alone_or_with_who_asked_and_when() {
        let intent = json!({"kind": "a.b", "environment": "prod", "reason": "why"});
        let alone = read(&intent).unwrap().unwrap();
        assert_eq!((alone.requester.id.sub(), alone.at.as_millis()), ("nobody", 0));
        let requester = json!({"iss": "https://ci", "sub": "x", "kind": "workload"});
        let record =
            json!({"intent": intent, "requester": requester, "at": "2026-11-20T10:00:00Z"});
        let whole = read(&record).unwrap().unwrap();
        assert_eq!(whole.requester.id.to_string(), "https://ci#x");
        assert_eq!(whole.at.to_string(), "2026-11-20T10:00:00.000Z");
        assert!(whole.ruled.is_none());
    }

    #[test]
    fn what_is_no_record_is_refused_and_what_is_no_filing_is_passed_over() {
        for wrong in [
            json!({}),
            json!([]),
            json!({"kind": "a.b", "environment": "prod", "reason": "why", "who": "me"}),
            json!({"intent": {"kind": "A B", "environment": "prod", "reason": "why"}}),
            json!({"index": 0, "event": {"type": "filed"}}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
        for other in [
            json!({"checkpoint": {"size": 0, "root": ""}}),
            json!({"index": 0, "event": {"v": 1, "type": "started"}}),
        ] {
            assert!(read(&other).unwrap().is_none(), "{other}");
        }
    }
}

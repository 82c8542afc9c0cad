//! What plan notes for the deletion of a gate, and what the deletion makes of it.
//!
//! Terraform does not say why it deletes something. But what is noted when it plans reaches the
//! deletion: for a destroy the note of the plan of that destroy, for a replacement the note of the
//! plan of the next gate. So the two can be told apart, and the next gate's arguments be compared
//! with those of the gate that goes.

use serde_json::{Map, Value as Json, json};

use super::plain;
use crate::value::Value;

/// The arguments that say who is asked, and about what. `triggers` stand for what is guarded.
pub(super) const DEFINING: [&str; 6] =
    ["kind", "environment", "target", "duration", "context", "gate_on"];

/// What is noted at plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Note {
    /// A gate with these arguments will be made; those that are not known yet are left out.
    Made(Map<String, Json>),
    /// The gate goes for good.
    Gone,
    /// The gate goes after the next one was made, which is too late.
    GoneLate,
}

/// Why a gate is deleted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operation {
    /// What it guards changes or is replaced; the triggers of the next gate, as far as known.
    Update(Option<Json>),
    /// The gate itself becomes another: these arguments change, to this as far as known.
    ChangeGate(Map<String, Json>),
    /// It goes, alone or with what it guards.
    Destroy,
    /// It goes after what it guards was changed.
    Late,
    /// It cannot be told.
    Unknown,
}

impl Note {
    /// That a gate with this planned state will be made.
    pub(super) fn made(state: &Value) -> Self {
        let names = DEFINING.into_iter().chain(["triggers"]);
        Self::Made(names.filter_map(|name| known(state, name)).collect())
    }

    /// The note as Terraform carries it.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let json = match self {
            Self::Made(next) => json!({"made": next}),
            Self::Gone => json!("gone"),
            Self::GoneLate => json!("gone late"),
        };
        json.to_string().into_bytes()
    }

    /// The note that was carried; `None` if there is none that this version understands.
    fn read(bytes: &[u8]) -> Option<Self> {
        let note: Json = serde_json::from_slice(bytes).ok()?;
        if let Some(next) = note.get("made") {
            return next.as_object().cloned().map(Self::Made);
        }
        match note.as_str()? {
            "gone" => Some(Self::Gone),
            "gone late" => Some(Self::GoneLate),
            _ => None,
        }
    }
}

/// An argument by its name, if it is known.
fn known(state: &Value, name: &str) -> Option<(String, Json)> {
    Some((name.to_owned(), plain(state.attribute(name))?))
}

impl Operation {
    /// Why the gate with this state is deleted, by what was noted at plan.
    pub(super) fn of(prior: &Value, noted: &[u8]) -> Self {
        match Note::read(noted) {
            Some(Note::Made(next)) => Self::between(prior, &next),
            Some(Note::Gone) => Self::Destroy,
            Some(Note::GoneLate) => Self::Late,
            None => Self::Unknown,
        }
    }

    /// What the step from a gate to the next one is.
    fn between(prior: &Value, next: &Map<String, Json>) -> Self {
        let changed = DEFINING.into_iter().filter(|name| {
            let before = plain(prior.attribute(name));
            before.is_none() || before.as_ref() != next.get(*name)
        });
        let changed: Map<_, _> = changed
            .map(|name| (name.to_owned(), next.get(name).cloned().unwrap_or(Json::Null)))
            .collect();
        if changed.is_empty() {
            Self::Update(next.get("triggers").cloned())
        } else {
            Self::ChangeGate(changed)
        }
    }

    /// The word for it in an intent.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Update(_) => "update",
            Self::ChangeGate(_) => "change_gate",
            Self::Destroy => "destroy",
            Self::Late | Self::Unknown => "unknown",
        }
    }

    /// Whether a gate with this state asks about it. Whatever is neither a plain update nor a
    /// plain destroy is asked about, whatever `gate_on` says.
    pub(super) fn is_asked(&self, prior: &Value) -> bool {
        match self {
            Self::Update(_) | Self::Destroy => {
                let Value::List(gate_on) = prior.attribute("gate_on") else { return true };
                gate_on.contains(&Value::text(self.word()))
            }
            Self::ChangeGate(_) | Self::Late | Self::Unknown => true,
        }
    }

    /// What stands in the intent's context about it.
    pub(super) fn to_context(&self, gate: &str) -> Json {
        let mut context = json!({"id": gate, "operation": self.word()});
        if let Json::Object(members) = &mut context {
            match self {
                Self::Update(Some(triggers)) if !triggers.is_null() => {
                    members.insert("next_triggers".to_owned(), triggers.clone());
                }
                Self::ChangeGate(next) => {
                    members.insert("next".to_owned(), Json::Object(next.clone()));
                }
                Self::Update(_) | Self::Destroy | Self::Late | Self::Unknown => {}
            }
        }
        context
    }
}

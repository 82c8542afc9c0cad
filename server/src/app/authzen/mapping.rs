//! From an evaluation to the intent that policy rules on.
//!
//! | evaluation | intent |
//! |---|---|
//! | `action.name` | `kind` |
//! | `resource.properties.environment` | `environment` |
//! | `resource.type`, `resource.id` | `target`, one entry: the type names it |
//! | other properties of the resource that are text | `target`, an entry each |
//! | `context` | `context` |
//! | subject, action, resource, whole | `context.authzen` |
//! | `context.reason` or `context.business_justification` | `reason` |

use std::collections::{BTreeMap, BTreeSet};

use assent_core::intent::{Intent, IntentFault, UnverifiedIntent};
use assent_core::membership::is_name_character;
use assent_core::time::Span;
use assent_core::wire::authzen::Evaluation;
use serde_json::{Map, Value, json};

use crate::app::authzen::Authzen;

/// The member of an intent's context that holds the evaluation. A caller cannot set it.
const AUTHZEN: &str = "authzen";
/// The member of that which holds what only the request says.
const REQUEST: &str = "request";
/// Members of a context that carry the access request profile and are no circumstances.
const MACHINERY: [&str; 5] =
    ["approval", "access_request", "evaluation_id", "evaluated_at", "reason"];
/// A circumstance that never comes twice, so nothing is bound to it.
const VOLATILE: &str = "time";

/// An intent in the making.
pub(super) struct Mapping {
    stated: UnverifiedIntent,
    faults: Vec<IntentFault>,
}

impl Mapping {
    pub(super) fn of(evaluation: &Evaluation, settings: &Authzen) -> Self {
        let mut faults = Vec::new();
        let mut fault = |field: &str, problem: &str| {
            faults.push(IntentFault { field: field.to_owned(), problem: problem.to_owned() });
        };
        let environment = environment(evaluation, settings).unwrap_or_else(|| {
            fault("resource.properties.environment", "say in which environment the resource is");
            // Any name that reads: the fault above refuses it in any case.
            "unknown".to_owned()
        });
        let target = target(evaluation).unwrap_or_else(|| {
            fault("resource.properties", "a property has the name of the resource's own type");
            BTreeMap::new()
        });
        if evaluation.context.contains_key(AUTHZEN) {
            fault("context.authzen", "this name is taken: the evaluation itself stands there");
        }
        let mut context = evaluation.context.clone();
        if settings.access_request {
            context.retain(|name, _| !MACHINERY.contains(&name.as_str()));
        }
        let itself = json!({
            "subject": evaluation.subject.without_actor(),
            "action": evaluation.action,
            "resource": evaluation.resource,
        });
        context.insert(AUTHZEN.to_owned(), itself);
        let stated = UnverifiedIntent {
            kind: evaluation.action.name.clone(),
            environment,
            target,
            context,
            reason: reason(evaluation),
            ..UnverifiedIntent::default()
        };
        Self { stated, faults }
    }

    /// The intent that is filed: without what never comes twice, with what only the request says,
    /// for this reason and so long.
    pub(super) fn filed(
        mut self,
        said: Map<String, Value>,
        reason: String,
        duration: Option<Span>,
    ) -> Self {
        self.stated.context.remove(VOLATILE);
        if let Some(Value::Object(itself)) = self.stated.context.get_mut(AUTHZEN)
            && !said.is_empty()
        {
            itself.insert(REQUEST.to_owned(), Value::Object(said));
        }
        self.stated.reason = reason;
        self.stated.duration = duration;
        self
    }

    pub(super) fn verify(self) -> Result<Intent, Vec<IntentFault>> {
        match self.stated.verify() {
            Ok(intent) if self.faults.is_empty() => Ok(intent),
            Ok(_) => Err(self.faults),
            Err(more) => Err(self.faults.into_iter().chain(more).collect()),
        }
    }
}

fn environment(evaluation: &Evaluation, settings: &Authzen) -> Option<String> {
    let properties = evaluation.resource.properties.as_ref();
    match properties.and_then(|properties| properties.get("environment")) {
        Some(stated) => stated.as_str().map(str::to_owned),
        None => settings.environment.clone(),
    }
}

/// Properties that cannot be entries are left to the context: a rule that looks for one finds it
/// absent, and absence never permits. `None` where one would take the place of the id.
fn target(evaluation: &Evaluation) -> Option<BTreeMap<String, String>> {
    let resource = &evaluation.resource;
    let fits = |name: &str, text: &str| {
        let named = (1..=63).contains(&name.len()) && name.chars().all(is_name_character);
        named && (1..=512).contains(&text.len()) && name != "environment"
    };
    let properties = resource.properties.iter().flatten();
    let texts = properties.filter_map(|(name, value)| Some((name, value.as_str()?)));
    let texts = texts.filter(|(name, text)| fits(name, text));
    let mut target: BTreeMap<_, _> =
        texts.map(|(name, text)| (name.clone(), text.to_owned())).collect();
    let taken = target.insert(resource.type_.clone(), resource.id.clone());
    taken.is_none_or(|text| text == resource.id).then_some(target)
}

/// Why, in the caller's words where there are any.
pub(super) fn reason(evaluation: &Evaluation) -> String {
    let stated = ["business_justification", "reason"].into_iter();
    let stated = stated.filter_map(|name| evaluation.context.get(name)?.as_str());
    let stated = stated.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned);
    stated.unwrap_or_else(|| {
        let (action, resource) = (&evaluation.action.name, &evaluation.resource);
        let text = format!("{action} on {} {}", resource.type_, resource.id);
        text.chars().take(500).collect()
    })
}

/// The members of a context that a denial is bound to: all but the profile's own and the time.
pub(super) fn bound_members(context: &Map<String, Value>) -> BTreeSet<String> {
    let is_bound = |name: &&String| !MACHINERY.contains(&name.as_str()) && *name != VOLATILE;
    context.keys().filter(is_bound).cloned().collect()
}

/// Whether what was approved is what is about to be done: everything that was stated is the same,
/// but for why, how long and when.
pub(super) fn is_same(approved: &Intent, asked: &Intent) -> bool {
    approved.kind() == asked.kind()
        && approved.environment() == asked.environment()
        && approved.target() == asked.target()
        && approved.subject() == asked.subject()
        && approved.plan() == asked.plan()
        && circumstances(approved) == circumstances(asked)
}

fn circumstances(intent: &Intent) -> Map<String, Value> {
    let mut context = intent.context().clone();
    context.remove(VOLATILE);
    if let Some(Value::Object(itself)) = context.get_mut(AUTHZEN) {
        itself.remove(REQUEST);
    }
    context
}

/// What the request alone says, as it is on record.
pub(super) fn said_of(intent: &Intent) -> Option<&Map<String, Value>> {
    intent.context().get(AUTHZEN)?.get(REQUEST)?.as_object()
}

/// Every fault, in one line.
pub(super) fn told(faults: &[IntentFault]) -> String {
    let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
    format!("this cannot be ruled on: {}", lines.join("; "))
}

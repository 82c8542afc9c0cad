//! The situation as the JSON that the module reads, with nothing in it that is not known.

use std::collections::BTreeSet;

use serde_json::{Map, Number, Value, json};

use crate::plan::{Change, Facts};
use crate::policy::attribute::is_whole;
use crate::policy::opinion::Opinion;
use crate::policy::situation::Situation;
use crate::principal::{PrincipalId, PrincipalKind};
use crate::signal::Concern;
use crate::time::Span;

/// What the module reads: `intent`, `requester`, `environment`, `plan`, `context`, `signals`,
/// `suspended`, `opinions` and `now`. Members that are left out are unknown.
pub fn input(situation: &Situation<'_>) -> Value {
    let Situation { intent, requester, known, now } = situation;
    let network = json!({
        "ip": known.network.ip.map(|ip| ip.to_canonical()),
        "country": known.network.country,
    });
    let opinions = known.opinions.iter().map(|(rule, said)| (rule.clone(), opinion(said)));
    doubles(known_only(json!({
        "intent": known_only(json!({
            "kind": intent.kind(),
            "environment": intent.environment(),
            "target": intent.target(),
            "reason": intent.reason(),
            "digest": intent.subject().map(|digest| digest.to_string()),
            "duration": intent.duration().map(Span::as_seconds),
        })),
        "requester": {
            "id": full_name(&requester.id),
            "iss": requester.id.iss(),
            "sub": requester.id.sub(),
            "kind": match requester.kind {
                PrincipalKind::Person => "person",
                PrincipalKind::Workload => "workload",
            },
            "groups": requester.groups,
            "states": words(&known.concerns.requester),
            "claims": requester.claims,
            "network": known_only(network),
        },
        "environment": {"states": words(&known.concerns.environment)},
        "plan": known.plan.as_ref().map(|plan| plan_json(&plan.facts, plan.changes.as_deref())),
        "context": intent.context(),
        "signals": known.signals,
        "suspended": known.suspended,
        "opinions": opinions.collect::<Map<_, _>>(),
        "now": now.to_string(),
    })))
}

/// Issuer and subject in one text: neither holds a `#`.
pub(super) fn full_name(id: &PrincipalId) -> String {
    format!("{}#{}", id.iss(), id.sub())
}

fn words(concerns: &BTreeSet<Concern>) -> Vec<&'static str> {
    concerns.iter().map(|concern| concern.word()).collect()
}

fn opinion(opinion: &Opinion) -> Value {
    match opinion {
        Opinion::Answered { denies, warns, allows } => {
            json!({"denies": denies, "warns": warns, "allows": allows})
        }
        Opinion::Failed { reason } => json!({"failed": reason}),
    }
}

/// A plan as conditions see it; what is unknown is left out.
pub fn plan_json(facts: &Facts, changes: Option<&[Change]>) -> Value {
    let Facts {
        creates,
        updates,
        deletes,
        replaces,
        reads,
        imports,
        moves,
        forgets,
        drifts,
        deferred,
        outputs,
        change_count,
        types,
        providers,
        actions,
        tags_only,
        touches_iam,
        public_exposure,
        provisioners,
        complete,
        applyable,
        errored,
        terraform_version,
        format_version,
    } = facts;
    known_only(json!({
        "creates": creates,
        "updates": updates,
        "deletes": deletes,
        "replaces": replaces,
        "reads": reads,
        "imports": imports,
        "moves": moves,
        "forgets": forgets,
        "drifts": drifts,
        "deferred": deferred,
        "outputs": outputs,
        "change_count": change_count,
        "types": types,
        "providers": providers,
        "actions": actions,
        "tags_only": tags_only,
        "touches_iam": touches_iam,
        "public_exposure": public_exposure,
        "provisioners": provisioners,
        "complete": complete,
        "applyable": applyable,
        "errored": errored,
        "terraform_version": terraform_version,
        "format_version": format_version,
        "changes": changes.map(|all| all.iter().map(change).collect::<Vec<_>>()),
    }))
}

fn change(change: &Change) -> Value {
    known_only(json!({
        "address": change.address,
        // The root is known, and has no name.
        "module": change.module.as_deref().unwrap_or_default(),
        "mode": change.mode,
        "type": change.type_name,
        "name": change.name,
        "provider": change.provider,
        "actions": change.actions,
        "paths": change.paths,
        "replace_reasons": change.replace_reasons,
        "previous_address": change.previous_address,
        "importing": change.importing,
        "deferred": change.deferred,
        "tags_only": change.tags_only,
        "touches_iam": change.touches_iam,
        "public_exposure": change.public_exposure,
    }))
}

/// The members that are known: not those in which something is hidden or left out.
fn known_only(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| is_known(value));
    }
    value
}

fn is_known(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => is_whole(text),
        Value::Array(items) => items.iter().all(|item| item.as_str().is_none_or(is_whole)),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

/// The same with every number as the double that conditions see, and whole ones written as such:
/// some engines compare numbers by all the digits they are written with.
fn doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => self::number(number.as_f64().unwrap_or_default()),
        Value::Array(items) => items.into_iter().map(doubles).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, doubles(value))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other,
    }
}

/// A double as it stands in the module and in its input.
pub(super) fn number(double: f64) -> Value {
    const EXACT: f64 = (1_u64 << 53) as f64;
    if double.fract() == 0.0 && double.abs() < EXACT {
        return Value::from(double as i64);
    }
    Number::from_f64(double).map_or(Value::Null, Value::Number)
}

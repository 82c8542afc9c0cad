//! What the documents say, but for conditions, as the JSON that the module's fixed part reads.
//! What a rule does not say is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::policy::calendar::{Calendar, Dates, Window};
use crate::policy::document::Limits;
use crate::policy::export::conditions::regex;
use crate::policy::export::input::full_name;
use crate::policy::record::VERBS;
use crate::policy::ruling::{Dpop, Escalation, PostReview, SignatureDemand, Stage};
use crate::policy::{Effect, Policy, Requiring, Rule};
use crate::time::Span;

pub(super) fn of(policy: &Policy, calendars: &[Arc<Calendar>]) -> Value {
    let records = &policy.records;
    let environments = records.environments.iter().map(|(name, on_file)| {
        (name.clone(), said([("tier", json!(on_file.tier)), ("labels", json!(on_file.labels))]))
    });
    let members = policy.membership.names().filter_map(|group| {
        let people = policy.membership.members(group)?;
        Some((group.to_owned(), people.iter().map(full_name).collect()))
    });
    let owners = records.owners.iter().map(|entry| {
        let target = entry.target.iter().map(|(key, glob)| (key, regex(glob)));
        json!({"target": target.collect::<BTreeMap<_, _>>(), "owners": words(&entry.owners)})
    });
    let kinds = records.kinds.iter().map(|(kind, category)| (kind.as_str(), category.word()));
    let verbs = VERBS.iter().map(|(verb, category)| (*verb, category.word()));
    let weights = policy.factors.iter().map(|factor| (factor.id.as_str(), factor.weight));
    let defaults = &policy.defaults;
    json!({
        "rules": policy.rules.iter().map(|rule| (rule.id.clone(), rule_of(rule))).collect::<Map<_, _>>(),
        "defaults": {
            "max_ttl": defaults.terms.max_ttl.as_seconds(),
            "uses": defaults.terms.uses,
            "grant_window": defaults.terms.grant_window.as_seconds(),
            "expires_after": defaults.request_expires.as_seconds(),
        },
        "environments": environments.collect::<Map<_, _>>(),
        "kinds": kinds.collect::<BTreeMap<_, _>>(),
        "verbs": verbs.collect::<BTreeMap<_, _>>(),
        "members": members.collect::<Map<String, Value>>(),
        "owners": owners.collect::<Vec<_>>(),
        "weights": weights.collect::<BTreeMap<_, _>>(),
        "zone": records.zone.name(),
        "calendars": calendars.iter().map(|calendar| calendar_of(calendar)).collect::<Vec<_>>(),
    })
}

fn rule_of(rule: &Rule) -> Value {
    let effect = ("effect", json!(rule.effect.word()));
    match &rule.effect {
        Effect::Deny { message, waivable, notify } => said([
            effect,
            ("message", json!(message)),
            ("waivable", json!(waivable.then_some(true))),
            ("notify", words(notify)),
        ]),
        Effect::Require(what) => said([
            effect,
            ("stages", stages(what)),
            ("limits", limits(&what.limits, what.expires_after)),
            ("notify", words(&what.notify)),
        ]),
        Effect::Allow { waives, limits: terms, notify, post_review } => said([
            effect,
            ("waives", json!(waives)),
            ("limits", limits(terms, None)),
            ("notify", words(notify)),
            ("post_review", post_review.as_ref().map_or(Value::Null, review)),
        ]),
        Effect::Ask(asking) => {
            said([effect, ("stages", stages(&asking.stages)), ("waives", json!(asking.waives))])
        }
    }
}

fn stages(what: &Requiring) -> Value {
    let stage = |stage: &Stage| {
        said([
            ("name", json!(stage.name)),
            ("approvals", json!(stage.approvals)),
            ("from", words(&stage.from)),
            ("authority", json!(stage.elsewhere.as_ref().map(|to| &to.authority))),
            ("owners", json!(what.owners.contains(&stage.name).then_some(true))),
            ("exclude", words(&stage.exclude)),
            ("after", json!(stage.after)),
            ("login_within", seconds(stage.login_within)),
            ("signature", stage.signature.as_ref().map_or(Value::Null, signature)),
            ("acr", lists(&stage.means.acr)),
            ("amr", lists(&stage.means.amr)),
            ("expires_after", seconds(stage.expires_after)),
            ("remind", seconds(stage.remind)),
            ("escalate", stage.escalate.as_ref().map_or(Value::Null, escalation)),
        ])
    };
    what.stages.iter().map(stage).collect()
}

fn signature(demand: &SignatureDemand) -> Value {
    said([
        ("device_bound", json!(demand.device_bound)),
        ("enrolled_for", seconds(demand.enrolled_for)),
        ("vouched", json!(demand.vouched)),
    ])
}

/// Of each of which one is wanted; nothing where there is none.
fn lists(all: &BTreeSet<BTreeSet<String>>) -> Value {
    if all.is_empty() { Value::Null } else { json!(all) }
}

fn escalation(escalation: &Escalation) -> Value {
    said([
        ("after", json!(escalation.after.as_seconds())),
        ("to", words(&escalation.to)),
        ("then_expire_after", seconds(escalation.then_expire_after)),
    ])
}

fn limits(limits: &Limits, expires_after: Option<Span>) -> Value {
    said([
        ("max_ttl", seconds(limits.max_ttl)),
        ("uses", json!(limits.uses)),
        ("grant_window", seconds(limits.grant_window)),
        ("expires_after", seconds(expires_after)),
        ("audiences", json!(limits.audiences)),
        ("broker", json!(limits.broker)),
        ("role", json!(limits.role)),
        ("heartbeat", seconds(limits.heartbeat)),
        ("reuse_within_run", json!(limits.reuse_within_run)),
        ("dpop", json!(limits.dpop.map(Dpop::word))),
    ])
}

fn review(review: &PostReview) -> Value {
    json!({
        "rule": review.rule,
        "approvals": review.approvals,
        "by": words(&review.by),
        "within": review.within.as_seconds(),
        "suspend": review.suspend,
        "notify": words(&review.notify),
    })
}

fn calendar_of(calendar: &Calendar) -> Value {
    let dates = |all: &[Dates]| -> Value {
        all.iter()
            .map(|dates| json!([dates.first().to_string(), dates.last().to_string()]))
            .collect()
    };
    said([
        ("zone", json!(calendar.zone().name())),
        ("windows", calendar.windows().iter().map(window).collect()),
        ("include", dates(calendar.include())),
        ("exclude", dates(calendar.exclude())),
    ])
}

/// Minutes of the day, the last not included.
fn window(window: &Window) -> Value {
    let (from, to) = match window.hours() {
        Some((from, to)) => (from.minute_of_day(), to.minute_of_day()),
        None => (0, 24 * 60),
    };
    let days: Vec<&str> = window.days().iter().map(|day| day.name()).collect();
    json!({"days": days, "from": from, "to": to})
}

fn seconds(span: Option<Span>) -> Value {
    json!(span.map(Span::as_seconds))
}

fn words<T: ToString>(all: impl IntoIterator<Item = T>) -> Value {
    all.into_iter().map(|one| one.to_string()).collect()
}

/// These, without what says nothing. An empty list of audiences would say something, but
/// documents cannot hold one.
fn said<const N: usize>(members: [(&str, Value); N]) -> Value {
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    let members = members.into_iter().filter(|(_, value)| says(value));
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).collect())
}

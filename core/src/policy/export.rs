//! A policy as a Rego module that rules the same.
//!
//! Each condition becomes two rules, one for "true" and one for "false", and unknown is neither: so
//! nothing in the module negates what may be undefined, where engines of Rego disagree. The module
//! is of the language's version 1, asks nobody and reads only `input`, which [`input`] writes.

mod calendars;
mod terms;
mod tests_of;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::plan;
use crate::policy::condition::Condition;
use crate::policy::export::tests_of::Conditions;
use crate::policy::situation::Situation;
use crate::policy::{Effect, Policy, Rule};
use crate::principal::{PrincipalId, PrincipalKind};

/// The package of the module; its decision is `data.assent.ruling`.
pub const PACKAGE: &str = "assent";

impl Policy {
    /// The module. What it gives at `data.assent.ruling` is `{ruling, rules, stages, max_ttl …}`,
    /// durations in seconds.
    pub fn to_rego(&self) -> String {
        let mut module = Module::default();
        module.line(&format!("# Made by `assent policy export --rego` from revision {}.", self.revision));
        module.line("# Its input is what `assent policy explain --output rego-input` writes.");
        module.line(&format!("package {PACKAGE}\n"));
        module.records(self);
        let mut conditions = Conditions::default();
        if self.factors.is_empty() {
            module.constant("factor", &json!({}));
        }
        if self.rules.is_empty() {
            module.constant("status", &json!({}));
        }
        for factor in &self.factors {
            let root = conditions.all(&factor.when);
            module.status("factor", &factor.id, root);
        }
        for rule in &self.rules {
            let root = conditions.all(&rule.when);
            module.status("status", &rule.id, root);
        }
        module.line(&calendars::module(conditions.calendars()));
        module.line(tests_of::NEEDED);
        module.line(conditions.text());
        module.rules(self);
        module.line(terms::MODULE);
        module.text
    }
}

#[derive(Default)]
struct Module {
    text: String,
}

impl Module {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn constant(&mut self, name: &str, value: &Value) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{name} := {value}\n");
    }

    /// Whether the conditions of a rule or factor hold: `true`, `false` or `unknown`.
    fn status(&mut self, of: &str, id: &str, root: usize) {
        let id = Value::from(id);
        self.line(&format!(
            "{of}[{id}] := \"true\" if t{root}\n\n{of}[{id}] := \"false\" if f{root}\n"
        ));
    }

    fn records(&mut self, policy: &Policy) {
        let records = &policy.records;
        let environments: Map<String, Value> = records
            .environments
            .iter()
            .map(|(name, on_file)| {
                let mut value = json!({"labels": on_file.labels});
                if let (Some(tier), Some(object)) = (&on_file.tier, value.as_object_mut()) {
                    object.insert("tier".to_owned(), json!(tier));
                }
                (name.clone(), value)
            })
            .collect();
        self.constant("environments", &Value::Object(environments));
        let kinds = records.kinds.iter().map(|(kind, category)| (kind, category.word()));
        self.constant("kinds", &json!(kinds.collect::<BTreeMap<_, _>>()));
        let verbs = crate::policy::record::VERBS.iter().map(|(verb, c)| (*verb, c.word()));
        self.constant("verbs", &json!(verbs.collect::<BTreeMap<_, _>>()));
        let named = |people: &std::collections::BTreeSet<PrincipalId>| -> Vec<String> {
            people.iter().map(full_name).collect()
        };
        let groups: BTreeMap<&str, Vec<String>> = policy
            .membership
            .names()
            .filter_map(|group| Some((group, named(policy.membership.members(group)?))))
            .collect();
        self.constant("members", &json!(groups));
        let owners: Vec<Value> = records
            .owners
            .iter()
            .map(|entry| {
                let target = entry.target.iter().map(|(key, glob)| (key, tests_of::regex(glob)));
                let owners = entry.owners.iter().map(ToString::to_string);
                json!({
                    "target": target.collect::<BTreeMap<_, _>>(),
                    "owners": owners.collect::<Vec<_>>(),
                })
            })
            .collect();
        self.constant("ownership", &Value::Array(owners));
        self.constant("zone", &json!(records.zone.name()));
        let weights: BTreeMap<&str, u32> =
            policy.factors.iter().map(|factor| (factor.id.as_str(), factor.weight)).collect();
        self.constant("weights", &json!(weights));
    }

    fn rules(&mut self, policy: &Policy) {
        let of = |pick: &dyn Fn(&Rule) -> Option<Value>| -> Value {
            let each = policy.rules.iter().filter_map(|rule| Some((rule.id.clone(), pick(rule)?)));
            Value::Object(each.collect())
        };
        self.constant("denies", &of(&|rule| match &rule.effect {
            Effect::Deny { message, waivable, .. } => {
                Some(json!({"message": message, "waivable": waivable}))
            }
            Effect::Require(_) | Effect::Allow { .. } | Effect::Ask(_) => None,
        }));
        self.constant("requires", &of(&|rule| match &rule.effect {
            Effect::Require(what) => Some(terms::stages(what)),
            Effect::Deny { .. } | Effect::Allow { .. } | Effect::Ask(_) => None,
        }));
        self.constant("asks", &of(&|rule| match &rule.effect {
            Effect::Ask(asking) => {
                Some(json!({"stages": terms::stages(&asking.stages), "waives": asking.waives}))
            }
            Effect::Deny { .. } | Effect::Require(_) | Effect::Allow { .. } => None,
        }));
        self.constant("allows", &of(&|rule| match &rule.effect {
            Effect::Allow { waives, .. } => Some(json!(waives)),
            Effect::Deny { .. } | Effect::Require(_) | Effect::Ask(_) => None,
        }));
        self.constant("limits", &of(&|rule| match &rule.effect {
            Effect::Require(what) => Some(terms::limits(&what.limits, what.expires_after)),
            Effect::Allow { limits, .. } => Some(terms::limits(limits, None)),
            Effect::Ask(_) => Some(json!({})),
            Effect::Deny { .. } => None,
        }));
        self.constant("told", &of(&|rule| match &rule.effect {
            Effect::Deny { notify, .. }
            | Effect::Allow { notify, .. }
            | Effect::Require(super::Requiring { notify, .. }) => {
                Some(json!(notify.iter().map(ToString::to_string).collect::<Vec<_>>()))
            }
            Effect::Ask(_) => None,
        }));
        self.constant("looked_at", &of(&|rule| match &rule.effect {
            Effect::Allow { post_review: Some(_), .. } => Some(json!(true)),
            Effect::Deny { .. }
            | Effect::Require(_)
            | Effect::Allow { post_review: None, .. }
            | Effect::Ask(_) => None,
        }));
        let defaults = &policy.defaults;
        self.constant(
            "defaults",
            &json!({
                "max_ttl": defaults.terms.max_ttl.as_seconds(),
                "uses": defaults.terms.uses,
                "grant_window": defaults.terms.grant_window.as_seconds(),
                "expires_after": defaults.request_expires.as_seconds(),
            }),
        );
    }
}

/// Issuer and subject in one text: neither holds a `#`.
fn full_name(id: &PrincipalId) -> String {
    format!("{}#{}", id.iss(), id.sub())
}

/// What the module reads: the situation as JSON, with nothing in it that is not known.
pub fn input(situation: &Situation<'_>) -> Value {
    let Situation { intent, requester, known, now } = situation;
    let mut intent_json = intent.to_json();
    if let Some(object) = intent_json.as_object_mut() {
        object.remove("context");
        if let Some(span) = intent.duration() {
            object.insert("duration".to_owned(), json!(span.as_seconds()));
        }
    }
    let mut network = Map::new();
    network.extend(known.network.ip.map(|ip| ("ip".to_owned(), json!(ip.to_canonical()))));
    network.extend(known.network.country.iter().map(|c| ("country".to_owned(), json!(c))));
    let mut input = json!({
        "intent": intent_json,
        "requester": {
            "iss": requester.id.iss(),
            "sub": requester.id.sub(),
            "kind": match requester.kind {
                PrincipalKind::Person => "person",
                PrincipalKind::Workload => "workload",
            },
            "groups": requester.groups,
            "claims": requester.claims,
            "network": network,
        },
        "context": intent.context(),
        "signals": known.signals,
        "suspended": known.suspended,
        "now": now.to_string(),
        "opinions": known.opinions.iter().map(|(rule, o)| (rule.clone(), opinion(o)))
            .collect::<Map<_, _>>(),
    });
    if let (Some(plan), Some(object)) = (&known.plan, input.as_object_mut()) {
        object.insert("plan".to_owned(), plan_json(&plan.facts, plan.changes.as_deref()));
    }
    input
}

fn opinion(opinion: &crate::policy::opinion::Opinion) -> Value {
    use crate::policy::opinion::Opinion;
    match opinion {
        Opinion::Answered { denies, warns, allows } => {
            json!({"denies": denies, "warns": warns, "allows": allows})
        }
        Opinion::Failed { reason } => json!({"failed": reason}),
    }
}

/// A plan as conditions see it; what is unknown is left out.
pub fn plan_json(facts: &plan::Facts, changes: Option<&[plan::Change]>) -> Value {
    let mut all = json!({
        "creates": facts.creates,
        "updates": facts.updates,
        "deletes": facts.deletes,
        "replaces": facts.replaces,
        "reads": facts.reads,
        "imports": facts.imports,
        "moves": facts.moves,
        "forgets": facts.forgets,
        "drifts": facts.drifts,
        "deferred": facts.deferred,
        "outputs": facts.outputs,
        "change_count": facts.change_count,
        "types": facts.types,
        "providers": facts.providers,
        "actions": facts.actions,
        "tags_only": facts.tags_only,
        "touches_iam": facts.touches_iam,
        "public_exposure": facts.public_exposure,
        "provisioners": facts.provisioners,
        "complete": facts.complete,
        "applyable": facts.applyable,
        "errored": facts.errored,
        "terraform_version": facts.terraform_version,
        "format_version": facts.format_version,
    });
    if let (Some(changes), Some(object)) = (changes, all.as_object_mut()) {
        object.insert("changes".to_owned(), changes.iter().map(change_json).collect());
    }
    known_only(all)
}

fn change_json(change: &plan::Change) -> Value {
    known_only(json!({
        "address": change.address,
        "module": change.module,
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

fn known_only(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    value
}

/// Whether all of these hold, as one condition.
fn together(conditions: &[Condition]) -> Condition {
    Condition::All(vec![conditions.to_vec()])
}

//! The rules as Cedar.

use crate::policy::rules::{Demand, Effect, Rule};

/// Cedar, each policy with its rule's id. What we ask people for is a permit: Cedar has no third
/// answer, but says which policies decided.
pub(super) fn written(rules: &[Rule]) -> Vec<(String, String)> {
    let write = |Rule { id, effect, tests }: &Rule| {
        let effect = if *effect == Effect::Deny { "forbid" } else { "permit" };
        let action = tests.iter().find_map(cedar_action).unwrap_or_else(|| "action".to_owned());
        let others = tests.iter().filter(|test| cedar_action(test).is_none());
        let tests: Vec<String> = others.map(|(path, demand)| cedar_test(path, demand)).collect();
        let when = match tests.as_slice() {
            [] => String::new(),
            tests => format!("\nwhen {{ {} }}", tests.join(" && ")),
        };
        (id.clone(), format!("{effect} (principal, {action}, resource){when};"))
    };
    rules.iter().map(write).collect()
}

/// Kinds are Cedar's actions, which stand in the scope: what is quickest for it.
fn cedar_action((path, demand): &(&str, Demand)) -> Option<String> {
    match demand {
        Demand::Is(kind) if *path == "intent.kind" => Some(format!("action == Action::{kind:?}")),
        Demand::OneOf(kinds) if *path == "intent.kind" => {
            let kinds: Vec<String> = kinds.iter().map(|kind| format!("Action::{kind:?}")).collect();
            Some(format!("action in [{}]", kinds.join(", ")))
        }
        Demand::Is(_)
        | Demand::OneOf(_)
        | Demand::Begins(_)
        | Demand::Has(_)
        | Demand::AtLeast(_)
        | Demand::Below(_)
        | Demand::Holds(_) => None,
    }
}

fn cedar_test(path: &str, demand: &Demand) -> String {
    match demand {
        Demand::Is(value) => format!("context.{path} == {value:?}"),
        Demand::OneOf(values) => format!("{values:?}.contains(context.{path})"),
        Demand::Begins(prefix) => format!("context.{path} like \"{prefix}*\""),
        Demand::Has(item) => format!("context.{path}.contains({item:?})"),
        Demand::AtLeast(least) => format!("context.{path} >= {least}"),
        Demand::Below(most) => format!("context.{path} < {most}"),
        Demand::Holds(value) => format!("context.{path} == {value}"),
    }
}

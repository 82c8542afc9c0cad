//! Ten thousand broken plans: none panics, none gives away what it marks as sensitive.
//!
//! Canaries stand in marked values of real plans. Whether a canary is still marked after a mutation
//! is judged here by a reading of the marks that shares no code with the domain.

use std::collections::BTreeSet;

use assent_core::plan::{Limits, Plan, PlanError, redacted};
use serde_json::{Map, Value, json};

use super::{bytes, names, parse};

/// Each seed gives so many plans; there are eight.
const EACH: usize = 1250;

/// A small generator, so that a failure can be had again by its seed (Vigna's xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % end.max(1)
    }

    fn one<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Real plans that are small, with canaries.
fn planted() -> Vec<Value> {
    let mut plans = Vec::new();
    for name in names().iter().filter(|name| !name.contains("not-a-plan")) {
        let bytes = bytes(name);
        if bytes.len() > 8_000 {
            continue;
        }
        let Ok(mut plan) = serde_json::from_slice::<Value>(&bytes) else { continue };
        plant(&mut plan, plans.len());
        plans.push(plan);
    }
    assert!(plans.len() > 20);
    plans
}

fn plant(plan: &mut Value, number: usize) {
    let mut count = 0;
    let mut canary = |place: &str| {
        count += 1;
        format!("CANARY-{number}-{count}-{place}")
    };
    for change in plan["resource_changes"].as_array_mut().into_iter().flatten() {
        for (side, mark) in [("before", "before_sensitive"), ("after", "after_sensitive")] {
            let change = &mut change["change"];
            if let Some(values) = change[side].as_object_mut() {
                values.insert("planted".to_owned(), json!({"deep": ["x", canary(side)]}));
                values.insert("whole".to_owned(), json!({canary("key"): canary("whole")}));
                if !change[mark].is_object() {
                    change[mark] = json!({});
                }
                change[mark]["planted"] = json!({"deep": [false, true]});
                change[mark]["whole"] = json!(true);
            }
        }
    }
    for resource in
        plan["planned_values"]["root_module"]["resources"].as_array_mut().into_iter().flatten()
    {
        resource["values"] = json!({"planted": canary("values"), "open": 1});
        resource["sensitive_values"] = json!({"planted": true});
    }
    plan["variables"]["planted"] = json!({"value": [canary("variable")]});
    plan["configuration"]["root_module"]["variables"]["planted"] =
        json!({"sensitive": true, "default": canary("default")});
    plan["planned_values"]["outputs"]["planted"] =
        json!({"sensitive": true, "value": canary("output")});
    plan["output_changes"]["planted"] = json!({
        "actions": ["update"], "before": canary("old"), "after": {"x": canary("new")},
        "before_sensitive": true, "after_sensitive": {"x": true},
    });
}

/// The canaries that this plan marks, or names as keys of what it marks.
fn marked(plan: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for list in ["resource_changes", "resource_drift"] {
        for change in plan[list].as_array().into_iter().flatten() {
            marked_change(&change["change"], &mut found);
        }
    }
    for (_, change) in plan["output_changes"].as_object().into_iter().flatten() {
        marked_change(change, &mut found);
    }
    for resource in
        plan["planned_values"]["root_module"]["resources"].as_array().into_iter().flatten()
    {
        under(&resource["values"], &resource["sensitive_values"], &mut found);
    }
    for (_, output) in plan["planned_values"]["outputs"].as_object().into_iter().flatten() {
        under(&output["value"], &output["sensitive"], &mut found);
    }
    let declared = &plan["configuration"]["root_module"]["variables"];
    for (name, declared) in declared.as_object().into_iter().flatten() {
        under(&plan["variables"][name]["value"], &declared["sensitive"], &mut found);
        under(&declared["default"], &declared["sensitive"], &mut found);
    }
    found
}

fn marked_change(change: &Value, found: &mut BTreeSet<String>) {
    under(&change["before"], &change["before_sensitive"], found);
    under(&change["after"], &change["after_sensitive"], found);
}

fn under(value: &Value, mark: &Value, found: &mut BTreeSet<String>) {
    match (value, mark) {
        (value, Value::Bool(true)) => canaries(value, found),
        (Value::Object(values), Value::Object(marks)) => {
            for (name, value) in values {
                under(value, marks.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(values), Value::Array(marks)) => {
            values.iter().zip(marks).for_each(|(value, mark)| under(value, mark, found));
        }
        _ => {}
    }
}

fn canaries(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.contains("CANARY") => _ = found.insert(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| canaries(item, found)),
        Value::Object(members) => {
            let names = members.keys().filter(|name| name.contains("CANARY"));
            found.extend(names.cloned());
            members.values().for_each(|member| canaries(member, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Changes the bytes somewhere.
fn break_bytes(bytes: &mut Vec<u8>, chance: &mut Chance) {
    const TOKENS: [&[u8]; 12] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\",
        b"\xff",
        b"null",
        b"\\ud800",
        b"1e999999",
    ];
    for _ in 0..=chance.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = chance.below(bytes.len());
        match chance.below(5) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => _ = bytes.remove(at),
            2 => bytes.truncate(at.max(1)),
            3 => _ = bytes.splice(at..at, chance.one(&TOKENS).iter().copied()),
            _ => {
                let end = (at + chance.below(60)).min(bytes.len());
                let copied = bytes[at..end].to_vec();
                let to = chance.below(bytes.len());
                bytes.splice(to..to, copied);
            }
        }
    }
}

/// Changes one value somewhere.
fn break_structure(value: &mut Value, chance: &mut Chance) {
    let stop = chance.below(6) == 0;
    match value {
        Value::Object(members) if !members.is_empty() && !stop => {
            let names: Vec<_> = members.keys().cloned().collect();
            let name = chance.one(&names).clone();
            match chance.below(12) {
                0 => _ = members.remove(&name),
                1 => rename(members, &name, chance),
                _ => break_structure(members.get_mut(&name).unwrap(), chance),
            }
        }
        Value::Array(items) if !items.is_empty() && !stop => {
            let at = chance.below(items.len());
            match chance.below(12) {
                0 => _ = items.remove(at),
                1 => items.push(items[at].clone()),
                _ => break_structure(&mut items[at], chance),
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => *value = other(chance, value.take()),
    }
}

fn rename(members: &mut Map<String, Value>, name: &str, chance: &mut Chance) {
    let value = members.remove(name).unwrap();
    let new =
        ["change", "after", "before", "actions", "values", "x\u{202e}", "", "sensitive_values"];
    members.insert((*chance.one(&new)).to_owned(), value);
}

fn other(chance: &mut Chance, old: Value) -> Value {
    match chance.below(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(u64::MAX),
        3 => json!([]),
        4 => json!({}),
        5 => json!("\u{1b}[2J\u{202e}x"),
        6 => json!([old]),
        7 => json!({"sensitive": old}),
        _ => (0..chance.below(80)).fold(old, |inner, _| json!([inner])),
    }
}

/// What is read of these bytes gives no canary away that they mark.
fn check(bytes: &[u8], seed: u64) -> bool {
    let parsed = parse(bytes);
    let shown = redacted(bytes, &Limits::default());
    assert_eq!(parsed.as_ref().err(), shown.as_ref().err(), "seed {seed}");
    let (plan, shown) = match (parsed, shown) {
        (Ok(plan), Ok(shown)) => (plan, shown),
        (Err(error), _) | (_, Err(error)) => {
            let told = format!("{error} {error:?}");
            assert!(!told.contains("CANARY"), "seed {seed}: {told}");
            if matches!(error, PlanError::Syntax { .. } | PlanError::Truncated { .. }) {
                let other = serde_json::from_slice::<Value>(bytes);
                assert!(other.is_err(), "seed {seed}: {told}");
            }
            return false;
        }
    };
    let told = format!("{plan:?}");
    // What we take for JSON is JSON to others, but for numbers of any size.
    let given = match serde_json::from_slice::<Value>(bytes) {
        Ok(given) => given,
        Err(error) if error.to_string().starts_with("number out of range") => return true,
        Err(error) => panic!("seed {seed}: {error}"),
    };
    count(&plan, &given, seed);
    for canary in marked(&given) {
        assert!(!told.contains(&canary), "seed {seed}: {canary} in {told}");
        assert!(!shown.contains(&canary), "seed {seed}: {canary} in {shown} of {given}");
    }
    true
}

/// The facts agree with another count.
fn count(plan: &Plan, given: &Value, seed: u64) {
    let all: Vec<_> = given["resource_changes"].as_array().into_iter().flatten().collect();
    let deferred = given["deferred_changes"].as_array().map_or(0, Vec::len);
    assert_eq!(plan.changes.len(), all.len() + deferred, "seed {seed}");
    let with = |actions: &[&[&str]]| {
        let is_one =
            |change: &&&Value| actions.iter().any(|it| change["change"]["actions"] == json!(it));
        u64::try_from(all.iter().filter(is_one).count()).unwrap()
    };
    let facts = &plan.facts;
    let replaces = with(&[
        &["create", "delete"],
        &["delete", "create"],
        &["create", "forget"],
        &["forget", "create"],
    ]);
    assert_eq!(facts.creates, with(&[&["create"]]), "seed {seed}");
    assert_eq!(facts.updates, with(&[&["update"]]), "seed {seed}");
    assert_eq!(facts.deletes, with(&[&["delete"]]), "seed {seed}");
    assert_eq!(facts.replaces, replaces, "seed {seed}");
    let sum = facts.creates + facts.updates + facts.deletes + facts.replaces + facts.forgets;
    assert_eq!(facts.change_count, sum, "seed {seed}");
}

fn run(seed: u64) {
    let planted = planted();
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut read = 0;
    for _ in 0..EACH {
        let mut plan = chance.one(&planted).clone();
        let mut bytes = match chance.below(2) {
            0 => plan.to_string().into_bytes(),
            _ => {
                (0..=chance.below(3)).for_each(|_| break_structure(&mut plan, &mut chance));
                plan.to_string().into_bytes()
            }
        };
        if chance.below(3) > 0 {
            break_bytes(&mut bytes, &mut chance);
        }
        read += usize::from(check(&bytes, seed));
    }
    // Both ways are walked often.
    assert!((EACH / 10..EACH * 9 / 10).contains(&read), "seed {seed}: {read} read");
}

#[test]
fn t41_plans_with_canaries_are_clean_before_they_are_broken() {
    for plan in planted() {
        assert!(marked(&plan).len() >= 4, "{plan}");
        assert!(check(plan.to_string().as_bytes(), 0));
    }
}

#[test]
fn t41_broken_plans_leak_nothing_1() {
    run(1);
}

#[test]
fn t41_broken_plans_leak_nothing_2() {
    run(2);
}

#[test]
fn t41_broken_plans_leak_nothing_3() {
    run(3);
}

#[test]
fn t41_broken_plans_leak_nothing_4() {
    run(4);
}

#[test]
fn t41_broken_plans_leak_nothing_5() {
    run(5);
}

#[test]
fn t41_broken_plans_leak_nothing_6() {
    run(6);
}

#[test]
fn t41_broken_plans_leak_nothing_7() {
    run(7);
}

#[test]
fn t41_broken_plans_leak_nothing_8() {
    run(8);
}

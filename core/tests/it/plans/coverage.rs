//! Which changes wait for an approval: plans of the real Terraform with the real provider in
//! `tests/plans/coverage`, and small ones of which somebody hopes too much.

use std::collections::BTreeMap;

use assent_core::plan::{Coverage, Gap, Limits, Scanned, scan};
use serde_json::{Value, json};

use super::bytes;

const OURS: &str = "registry.terraform.io/acme/assent";

fn scanned(bytes: &[u8]) -> Scanned {
    scan(bytes, &Limits::default(), None).unwrap_or_else(|e| panic!("{e}"))
}

/// Of each change that does something: what it waits for, or a word for why it does not wait.
fn told(scanned: &Scanned) -> BTreeMap<String, String> {
    let Scanned { plan, coverage } = scanned;
    assert_eq!(plan.changes.len(), coverage.len());
    let all = plan.changes.iter().zip(coverage).filter(|(change, _)| change.does_something());
    all.map(|(change, coverage)| (change.address.clone(), word(coverage))).collect()
}

fn word(coverage: &Coverage) -> String {
    let gap = match coverage {
        Coverage::By(by) => return by.iter().cloned().collect::<Vec<_>>().join(" "),
        Coverage::Not(gap) => gap,
    };
    match gap {
        Gap::NoConfiguration => "no configuration".to_owned(),
        Gap::NotConfigured => "not configured".to_owned(),
        Gap::NoApproval { is_hidden: false } => "no approval".to_owned(),
        Gap::NoApproval { is_hidden: true } => "hidden".to_owned(),
        Gap::NotAsked(by) => {
            format!("not asked: {}", by.iter().cloned().collect::<Vec<_>>().join(" "))
        }
        Gap::DestroyedFirst => "destroyed first".to_owned(),
        Gap::StateOnly => "state only".to_owned(),
        Gap::PutOff => "put off".to_owned(),
    }
}

fn of_file(name: &str) -> BTreeMap<String, String> {
    told(&scanned(&bytes(&format!("coverage/{name}.json"))))
}

fn check(name: &str, wanted: &[(&str, &str)]) {
    let told = of_file(name);
    for (address, word) in wanted {
        let found = told.get(*address).map(String::as_str);
        assert_eq!(found, Some(*word), "{name}: {address}");
    }
}

const RELEASE: &str = "assent_approval.release";
const HIDDEN: &str = "module.ask.assent_approval.hidden";

#[test]
fn what_depends_on_an_approval_that_the_plan_asks_is_covered() {
    let wanted = [
        ("assent_approval.release", RELEASE),
        ("terraform_data.depends", RELEASE),
        ("terraform_data.refers", RELEASE),
        ("terraform_data.chained", RELEASE),
        ("terraform_data.through_data", RELEASE),
        ("terraform_data.counted[0]", RELEASE),
        ("terraform_data.provisioned", RELEASE),
        ("terraform_data.replaced_late", RELEASE),
        ("terraform_data.output", HIDDEN),
        ("terraform_data.whole_module", HIDDEN),
        ("module.given.terraform_data.inner", RELEASE),
        ("module.waits[0].terraform_data.inner", RELEASE),
        ("module.waits[1].terraform_data.plain", RELEASE),
    ];
    check("first", &wanted);
    check("later", &wanted);
}

#[test]
fn t44_what_only_seems_to_depend_on_an_approval_is_not_covered() {
    for name in ["first", "later"] {
        check(
            name,
            &[
                ("terraform_data.bare", "no approval"),
                // It depends on a resource that is named `assent_approval`.
                ("terraform_data.named", "no approval"),
                ("terraform_data.assent_approval", "no approval"),
                // Its constant looks like a list of references.
                ("terraform_data.constant", "no approval"),
                // The module has an approval, but the output is of something beside it.
                ("terraform_data.other_output", "no approval"),
                ("module.ask.terraform_data.beside", "no approval"),
                // The module is given the approval, but this does not use it.
                ("module.given.terraform_data.plain", "no approval"),
                ("module.alone.terraform_data.inner", "no approval"),
                ("terraform_data.through_local", "hidden"),
            ],
        );
    }
}

#[test]
fn t44_an_approval_that_asks_nobody_covers_nothing() {
    let old = "not asked: assent_approval.old";
    check("later", &[("terraform_data.granted_before", old)]);
    let release = "not asked: assent_approval.release";
    check(
        "unasked",
        &[
            ("terraform_data.granted_before", old),
            ("terraform_data.depends", release),
            ("terraform_data.chained", release),
            ("module.given.terraform_data.inner", release),
        ],
    );
    assert!(of_file("unasked").values().all(|word| word != RELEASE && word != HIDDEN));
}

#[test]
fn t44_of_several_approvals_the_one_of_the_same_key_must_ask() {
    let each = "assent_approval.each";
    check("first", &[("terraform_data.each[\"a\"]", each), ("terraform_data.each[\"c\"]", each)]);
    check(
        "later",
        &[
            ("terraform_data.each[\"a\"]", each),
            ("terraform_data.each[\"b\"]", "not asked: assent_approval.each"),
            ("terraform_data.each[\"c\"]", "not asked: assent_approval.each"),
        ],
    );
}

#[test]
fn t44_what_is_destroyed_before_an_approval_asks_is_not_covered() {
    check(
        "later",
        &[
            ("terraform_data.replaced", "destroyed first"),
            ("terraform_data.gone", "not configured"),
        ],
    );
    let destroy = of_file("destroy");
    let waits: Vec<_> =
        destroy.iter().filter(|(_, word)| word.contains("assent_")).map(|(at, _)| at).collect();
    assert_eq!(waits, ["assent_gate.gate", "terraform_data.gated"]);
}

#[test]
fn a_gate_that_is_destroyed_covers_what_it_depends_on() {
    let gate = "assent_gate.gate";
    check("later", &[("terraform_data.gated", gate), (gate, gate)]);
    check("destroy", &[("terraform_data.gated", gate)]);
    // It asks when it is destroyed, and the first plan only makes it.
    check("first", &[("terraform_data.gated", "no approval"), (gate, "no approval")]);
}

#[test]
fn t44_a_gate_that_does_not_ask_first_covers_nothing() {
    let case = |actions: &[&str], deposed: Option<&str>| {
        let mut gate = made("managed", "assent_gate", "g", OURS);
        gate["change"]["actions"] = json!(actions);
        let blocks = json!([
            block("managed", "terraform_data", "a", &[]),
            block("managed", "assent_gate", "g", &["terraform_data.a"]),
        ]);
        let mut plan = plan(blocks, json!([gate]), json!({}));
        if let Some(key) = deposed {
            plan["resource_changes"][0]["change"]["actions"] = json!(["delete"]);
            plan["resource_changes"][0]["deposed"] = json!(key);
        }
        of_a(&plan)
    };
    for actions in [&["delete", "create"][..], &["delete"]] {
        assert_eq!(case(actions, None), "assent_gate.g");
        assert_eq!(case(actions, Some("00000000")), "destroyed first");
    }
    for actions in [&["no-op"][..], &["update"], &["create"], &["create", "delete"], &["forget"]] {
        assert_eq!(case(actions, None), "no approval", "{actions:?}");
    }
}

#[test]
fn only_the_named_provider_asks() {
    let bytes = bytes("coverage/first.json");
    let of = |provider| told(&scan(&bytes, &Limits::default(), Some(provider)).unwrap());
    assert_eq!(of(OURS), of_file("first"));
    let other = of("registry.terraform.io/other/assent");
    assert!(other.values().all(|word| !word.starts_with("assent_")), "{other:?}");
}

/// One `terraform_data.a` that is updated, and whatever else stands beside it.
fn plan(blocks: Value, changes: Value, more: Value) -> Value {
    let mut all = vec![json!({
        "address": "terraform_data.a", "mode": "managed", "type": "terraform_data", "name": "a",
        "provider_name": "terraform.io/builtin/terraform",
        "change": {"actions": ["update"], "before": {"input": 1}, "after": {"input": 2}},
    })];
    all.extend(changes.as_array().unwrap().clone());
    let mut root = json!({"resources": blocks});
    root.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "format_version": "1.2", "terraform_version": "1.11.4",
        "planned_values": {"root_module": {}},
        "resource_changes": all,
        "configuration": {"root_module": root},
        "complete": true, "applyable": true, "errored": false,
    })
}

fn block(mode: &str, kind: &str, name: &str, depends_on: &[&str]) -> Value {
    let prefix = if mode == "data" { "data." } else { "" };
    json!({
        "address": format!("{prefix}{kind}.{name}"), "mode": mode, "type": kind, "name": name,
        "provider_config_key": "p", "depends_on": depends_on,
    })
}

fn made(mode: &str, kind: &str, name: &str, provider: &str) -> Value {
    let prefix = if mode == "data" { "data." } else { "" };
    let action = if mode == "data" { "read" } else { "create" };
    json!({
        "address": format!("{prefix}{kind}.{name}"), "mode": mode, "type": kind, "name": name,
        "provider_name": provider,
        "change": {"actions": [action], "before": null, "after": {}},
    })
}

fn of_a(plan: &Value) -> String {
    told(&scanned(plan.to_string().as_bytes())).remove("terraform_data.a").unwrap()
}

#[test]
fn t44_nothing_but_a_managed_approval_of_the_provider_asks() {
    let guarded = |on: &str| block("managed", "terraform_data", "a", &[on]);
    let case = |mode, kind, provider, on: &str| {
        let blocks = json!([guarded(on), block(mode, kind, "x", &[])]);
        of_a(&plan(blocks, json!([made(mode, kind, "x", provider)]), json!({})))
    };
    let ours = case("managed", "assent_approval", OURS, "assent_approval.x");
    assert_eq!(ours, "assent_approval.x");
    let data = case("data", "assent_approval", OURS, "data.assent_approval.x");
    assert_eq!(data, "no approval");
    let mixed = case("data", "assent_approval", OURS, "assent_approval.x");
    assert_eq!(mixed, "no approval");
    let stranger =
        case("managed", "assent_approval", "evil.example/acme/other", "assent_approval.x");
    assert_eq!(stranger, "not asked: assent_approval.x");
    let longer = case("managed", "assent_approval_x", OURS, "assent_approval_x.x");
    assert_eq!(longer, "no approval");
}

#[test]
fn t44_a_configuration_that_says_two_things_is_not_believed() {
    let blocks = json!([
        block("managed", "terraform_data", "a", &["assent_approval.x"]),
        block("managed", "terraform_data", "a", &[]),
        block("managed", "assent_approval", "x", &[]),
    ]);
    let changes = json!([made("managed", "assent_approval", "x", OURS)]);
    assert_eq!(of_a(&plan(blocks, changes.clone(), json!({}))), "not configured");
    // A block whose address is not that of its type and name is none.
    for on in ["terraform_data.x", "assent_approval.x"] {
        let mut other = block("managed", "terraform_data", "x", &[]);
        other["type"] = json!("assent_approval");
        let blocks = json!([block("managed", "terraform_data", "a", &[on]), other]);
        assert_eq!(of_a(&plan(blocks, changes.clone(), json!({}))), "no approval");
    }
    let mut without = plan(json!([]), changes, json!({}));
    without.as_object_mut().unwrap().remove("configuration");
    assert_eq!(of_a(&without), "no configuration");
}

#[test]
fn t44_constants_are_no_references() {
    let mut guarded = block("managed", "terraform_data", "a", &[]);
    let changes = json!([made("managed", "assent_approval", "x", OURS)]);
    let mut case = |expressions: Value| {
        guarded["expressions"] = expressions;
        let blocks = json!([guarded, block("managed", "assent_approval", "x", &[])]);
        of_a(&plan(blocks, changes.clone(), json!({})))
    };
    let real = json!({"references": ["assent_approval.x.id", "assent_approval.x"]});
    assert_eq!(case(json!({"input": real})), "assent_approval.x");
    assert_eq!(case(json!({"block": [{"references": [{"deep": real}]}]})), "assent_approval.x");
    assert_eq!(case(json!({"input": {"constant_value": real}})), "no approval");
    assert_eq!(case(json!({"b": [{"c": {"constant_value": [real]}}]})), "no approval");
    let key = json!({"references": ["terraform_data.o[\"assent_approval.x\"].id"]});
    assert_eq!(case(json!({"input": key})), "no approval");
}

#[test]
fn an_instance_of_an_approval_that_only_ends_does_not_count() {
    let instance = |key: &str, action: &str| {
        let mut change = made("managed", "assent_approval", "x", OURS);
        change["address"] = json!(format!("assent_approval.x[\"{key}\"]"));
        change["change"]["actions"] = json!([action]);
        change
    };
    let case = |changes: Value| {
        let blocks = json!([
            block("managed", "terraform_data", "a", &["assent_approval.x"]),
            block("managed", "assent_approval", "x", &[]),
        ]);
        of_a(&plan(blocks, changes, json!({})))
    };
    let not_asked = "not asked: assent_approval.x";
    let (made, gone) = (instance("k", "create"), instance("l", "delete"));
    assert_eq!(case(json!([made, gone])), "assent_approval.x");
    assert_eq!(case(json!([made, instance("l", "no-op")])), not_asked);
    assert_eq!(case(json!([gone])), not_asked);
    assert_eq!(case(json!([])), not_asked);
}

#[test]
fn t44_taking_an_approval_away_is_not_covered_by_it() {
    let gone = |address: &str, actions: &[&str]| {
        let mut change = made("managed", "assent_approval", "x", OURS);
        change["change"]["actions"] = json!(actions);
        let blocks = json!([block("managed", "terraform_data", "a", &["assent_approval.x"])]);
        told(&scanned(plan(blocks, json!([change]), json!({})).to_string().as_bytes()))
            .remove(address)
            .unwrap()
    };
    assert_eq!(gone("assent_approval.x", &["delete"]), "not configured");
    assert_eq!(gone("assent_approval.x", &["forget"]), "not configured");
    assert_eq!(gone("terraform_data.a", &["delete"]), "no approval");
    // One that the plan makes, but the configuration does not have, is not depended on either.
    assert_eq!(gone("terraform_data.a", &["create"]), "no approval");
}

#[test]
fn an_approval_within_a_circle_is_found_once() {
    let blocks = json!([
        block("managed", "terraform_data", "a", &["terraform_data.b", "module.m"]),
        block("managed", "terraform_data", "b", &["terraform_data.a", "assent_approval.x"]),
        block("managed", "assent_approval", "x", &["terraform_data.a"]),
    ]);
    let changes = json!([made("managed", "assent_approval", "x", OURS)]);
    let more = json!({"module_calls": {"m": {"depends_on": ["module.m"], "module": {}}}});
    assert_eq!(of_a(&plan(blocks, changes, more)), "assent_approval.x");
}

#[test]
fn t43_what_changes_in_the_state_only_waits_for_nothing() {
    let blocks = json!([
        block("managed", "terraform_data", "a", &["assent_approval.x"]),
        block("managed", "assent_approval", "x", &[]),
    ]);
    let mut plan = plan(blocks, json!([made("managed", "assent_approval", "x", OURS)]), json!({}));
    plan["resource_changes"][0]["change"]["actions"] = json!(["no-op"]);
    plan["resource_changes"][0]["previous_address"] = json!("terraform_data.old");
    assert_eq!(of_a(&plan), "state only");
    plan["resource_changes"][0]["change"]["actions"] = json!(["forget"]);
    assert_eq!(of_a(&plan), "state only");
    plan["resource_changes"][0]["change"]["actions"] = json!(["delete"]);
    plan["resource_changes"][0]["deposed"] = json!("00000000");
    assert_eq!(of_a(&plan), "destroyed first");
}

#[test]
fn the_facts_of_one_change_are_those_of_a_plan_that_holds_it_alone() {
    let scanned = scanned(&bytes("coverage/later.json"));
    let plan = scanned.plan;
    let of = |address: &str| {
        let change = plan.changes.iter().find(|change| change.address == address).unwrap();
        plan.facts_of(change)
    };
    let gone = of("terraform_data.gone");
    assert_eq!((gone.deletes, gone.updates, gone.change_count), (1, 0, 1));
    assert_eq!(gone.types.len(), 1);
    assert_eq!((gone.complete, &gone.format_version), (Some(true), &plan.facts.format_version));
    let total: u64 = plan.changes.iter().map(|change| plan.facts_of(change).change_count).sum();
    assert_eq!(total, plan.facts.change_count);
    let alone = of("terraform_data.assent_approval");
    assert_eq!((alone.touches_iam, alone.public_exposure), (Some(false), Some(false)));
}

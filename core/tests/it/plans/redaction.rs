//! What is marked as sensitive is nowhere to be seen.

use assent_core::plan::{Limits, MARKER, redacted};
use serde_json::{Value, json};

use super::{bytes, change, names, parse, plan, plan_of};

fn view(value: &Value) -> Value {
    let text = redacted(value.to_string().as_bytes(), &Limits::default()).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn t41_no_secret_of_a_real_plan_is_kept_or_shown() {
    let mut checked = 0;
    for name in names().iter().filter(|name| name.starts_with("own/made-")) {
        let bytes = bytes(name);
        assert!(!String::from_utf8_lossy(&bytes).contains(MARKER), "{name}");
        let Ok(plan) = parse(&bytes) else { panic!("{name}") };
        let shown = redacted(&bytes, &Limits::default()).unwrap();
        checked += usize::from(String::from_utf8_lossy(&bytes).contains("CANARY"));
        assert!(!shown.contains("CANARY"), "{name}: {shown}");
        assert!(!format!("{plan:?}").contains("CANARY"), "{name}: {plan:?}");
    }
    assert_eq!(checked, 8);
}

#[test]
fn a_plan_without_secrets_is_shown_as_it_is() {
    for name in ["given/tf-numerics.json", "given/tf-has_checks.json", "own/made-outputs-only.json"]
    {
        let bytes = bytes(name);
        let given: Value = serde_json::from_slice(&bytes).unwrap();
        let shown = redacted(&bytes, &Limits::default()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), given, "{name}");
    }
}

#[test]
fn the_view_of_a_plan_is_a_plan_with_the_same_addresses() {
    for name in names().iter().filter(|name| !name.contains("not-a-plan")) {
        let bytes = bytes(name);
        let Ok(plan) = parse(&bytes) else { continue };
        let shown = redacted(&bytes, &Limits::default()).unwrap();
        let again = parse(shown.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let addresses = |plan: &assent_core::plan::Plan| {
            let mut all: Vec<_> = plan.changes.iter().map(|it| it.address.clone()).collect();
            all.sort();
            all
        };
        assert_eq!(addresses(&plan), addresses(&again), "{name}");
        assert_eq!(redacted(shown.as_bytes(), &Limits::default()).unwrap(), shown, "{name}");
    }
}

#[test]
fn marks_hide_exactly_what_they_mark() {
    let mut altered = change(
        "aws_x.a",
        &["update"],
        json!({"a": "seen", "m": {"p": "s3cr3t-old", "q": 1}, "l": ["x", "s3cr3t-l"]}),
        json!({"a": "seen", "m": {"p": "s3cr3t-new", "q": 2}, "l": ["x", 77_777]}),
    );
    let marks = json!({"m": {"p": true}, "l": [false, true]});
    altered["change"]["before_sensitive"] = marks.clone();
    altered["change"]["after_sensitive"] = marks;
    let shown = view(&plan_of(json!([altered])));
    let change = &shown["resource_changes"][0]["change"];
    let wanted = json!({"a": "seen", "m": {"p": MARKER, "q": 1}, "l": ["x", MARKER]});
    assert_eq!(change["before"], wanted);
    let wanted = json!({"a": "seen", "m": {"p": MARKER, "q": 2}, "l": ["x", MARKER]});
    assert_eq!(change["after"], wanted);
}

#[test]
fn marks_that_do_not_fit_hide_the_whole() {
    let mut made = change("aws_x.a", &["create"], json!(null), json!({"a": "text", "b": [1]}));
    made["change"]["after_sensitive"] = json!({"a": {"x": true}, "b": {"y": true}});
    let shown = view(&plan_of(json!([made])));
    let wanted = json!({"a": MARKER, "b": MARKER});
    assert_eq!(shown["resource_changes"][0]["change"]["after"], wanted);
}

#[test]
fn a_change_without_marks_is_hidden_where_terraform_writes_them() {
    let mut made = change("aws_x.a", &["create"], json!(null), json!({"a": "text"}));
    made["change"].as_object_mut().unwrap().remove("after_sensitive");
    let mut value = plan_of(json!([made]));
    assert_eq!(view(&value)["resource_changes"][0]["change"]["after"], json!(MARKER));
    value["format_version"] = json!("0.1");
    assert_eq!(view(&value)["resource_changes"][0]["change"]["after"], json!({"a": "text"}));
}

#[test]
fn variables_and_outputs_are_shown_only_if_declared_open() {
    let mut value = plan_of(json!([]));
    value["variables"] = json!({
        "open": {"value": "seen"}, "closed": {"value": "s3cr3t-a"}, "stray": {"value": "s3cr3t-b"}
    });
    value["planned_values"]["outputs"] = json!({
        "open": {"sensitive": false, "value": "seen"},
        "closed": {"sensitive": true, "value": "s3cr3t-c"},
        "unsaid": {"value": "s3cr3t-d"},
    });
    value["output_changes"] = json!({
        "closed": {"actions": ["create"], "before": null, "after": "s3cr3t-c",
                   "before_sensitive": false, "after_sensitive": true}
    });
    value["configuration"]["root_module"]["variables"] =
        json!({"open": {}, "closed": {"sensitive": true, "default": "s3cr3t-e"}});
    value["configuration"]["root_module"]["module_calls"] = json!({"m": {
        "expressions": {"pin": {"constant_value": "123"}, "name": {"constant_value": "seen"}},
        "module": {"variables": {"pin": {"sensitive": true}, "name": {}}},
    }});
    value["configuration"]["provider_config"] = json!({"aws": {"name": "aws", "expressions": {
        "region": {"constant_value": "eu-1"}, "secret_key": {"constant_value": "s3cr3t-f"},
    }}});
    let shown = view(&value);
    assert_eq!(shown["variables"]["open"], json!({"value": "seen"}));
    let expressions = &shown["configuration"]["root_module"]["module_calls"]["m"]["expressions"];
    assert_eq!(
        expressions,
        &json!({"pin": {"constant_value": MARKER}, "name": {"constant_value": "seen"}})
    );
    let text = shown.to_string();
    assert!(!text.contains("s3cr3t") && text.contains("eu-1"), "{text}");
}

#[test]
fn t41_a_secret_is_found_where_it_has_no_mark() {
    let secret = "hunter2-\"<5>";
    let mut made = change("aws_x.a", &["update"], json!({"names": {}}), json!({}));
    made["change"]["after"] = json!({
        "password": secret,
        "text": format!("postgres://u:{secret}@h/"),
        "json": json!({"inner": secret}).to_string(),
        "names": {secret: "new"},
        "fine": "hunter",
    });
    made["change"]["after_sensitive"] = json!({"password": true});
    let mut each = change("aws_x.b", &["create"], json!(null), json!({}));
    let key = serde_json::to_string(secret).unwrap();
    each["address"] = json!(format!("aws_x.b[{key}]"));
    each["index"] = json!(secret);
    let mut value = plan_of(json!([made, each]));
    value["checks"] = json!([{"problems": [{"message": format!("bad: {secret}")}]}]);
    value["later_member"] = json!({"unmarked": "who knows"});
    let text = view(&value).to_string();
    assert!(!text.contains("hunter2") && !text.contains("who knows"), "{text}");
    assert!(text.contains("\"fine\":\"hunter\""), "{text}");
    let plan = plan(&value);
    assert!(!format!("{plan:?}").contains("hunter2"), "{plan:?}");
    let shown: Vec<_> = plan.changes.iter().map(|it| it.address.as_str()).collect();
    assert_eq!(shown, ["aws_x.a", "aws_x.b[\"(sensitive)\"]"]);
    assert!(plan.changes[0].paths.contains(&"names[\"(sensitive)\"]".to_owned()), "{plan:?}");
}

#[test]
fn a_constant_of_a_marked_attribute_is_hidden_however_short() {
    let mut made = change("aws_x.a", &["create"], json!(null), json!({"pin": "7"}));
    made["address"] = json!("module.m[0].aws_x.a[\"k\"]");
    made["module_address"] = json!("module.m[0]");
    made["change"]["after_sensitive"] = json!({"pin": true});
    let mut value = plan_of(json!([made]));
    value["configuration"]["root_module"]["module_calls"] = json!({"m": {"module": {"resources": [
        {"address": "aws_x.a", "mode": "managed", "type": "aws_x", "name": "a",
         "expressions": {"pin": {"constant_value": "7"}, "size": {"constant_value": "7"}}}
    ]}}});
    let shown = view(&value);
    let module = &shown["configuration"]["root_module"]["module_calls"]["m"]["module"];
    let wanted = json!({"pin": {"constant_value": MARKER}, "size": {"constant_value": "7"}});
    assert_eq!(module["resources"][0]["expressions"], wanted);
}

#[test]
fn a_short_secret_is_found_as_a_whole_text_only() {
    let after =
        json!({"pin": "p1n7", "same": "p1n7", "other": "xp1n7x", "number": 4711, "n": 4711});
    let mut made = change("aws_x.a", &["create"], json!(null), after);
    made["change"]["after_sensitive"] = json!({"pin": true, "n": true});
    let shown = view(&plan_of(json!([made])));
    let wanted =
        json!({"pin": MARKER, "same": MARKER, "other": "xp1n7x", "number": MARKER, "n": MARKER});
    assert_eq!(shown["resource_changes"][0]["change"]["after"], wanted);
}

#[test]
fn keys_of_a_sensitive_map_are_hidden_in_addresses() {
    let mut made = change("aws_x.a", &["create"], json!(null), json!({"alice": "new"}));
    made["address"] = json!("module.m[\"bob_b\"].aws_x.a[\"alice_a\"]");
    made["module_address"] = json!("module.m[\"bob_b\"]");
    made["index"] = json!("alice_a");
    let mut value = plan_of(json!([made]));
    value["planned_values"]["outputs"]["people"] = json!({
        "sensitive": true, "value": {"alice_a": "x", "bob_b": "y"},
        "type": ["object", {"alice_a": "string", "bob_b": "string"}],
    });
    let plan = plan(&value);
    let told = format!("{plan:?} {}", view(&value));
    assert!(!told.contains("alice_a") && !told.contains("bob_b"), "{told}");
    assert_eq!(plan.changes[0].address, "module.m[\"(sensitive)\"].aws_x.a[\"(sensitive)\"]");
}

#[test]
fn what_ill_fitting_marks_hide_is_hidden_elsewhere_too() {
    let after = json!({"a": ["s3cr3t-long"], "b": "is s3cr3t-long"});
    let mut made = change("aws_x.a", &["create"], json!(null), after);
    made["change"]["after_sensitive"] = json!({"a": {"x": true}});
    let shown = view(&plan_of(json!([made])));
    let wanted = json!({"a": MARKER, "b": MARKER});
    assert_eq!(shown["resource_changes"][0]["change"]["after"], wanted);
}

#[test]
fn values_of_terraform_0_15_are_hidden_by_the_marks_of_their_changes() {
    let mut made = change("aws_x.a", &["create"], json!(null), json!({"pin": "7", "size": "7"}));
    made["change"]["after_sensitive"] = json!({"pin": true});
    let mut value = plan_of(json!([made]));
    value["format_version"] = json!("0.1");
    value["planned_values"]["root_module"]["resources"] =
        json!([{"address": "aws_x.a", "values": {"pin": "7", "size": "7"}}]);
    let shown = view(&value);
    let values = &shown["planned_values"]["root_module"]["resources"][0]["values"];
    assert_eq!(values, &json!({"pin": MARKER, "size": "7"}));
}

#[test]
fn t41_a_key_below_a_mark_is_in_no_path() {
    let side = |key: &str| json!({"m": {key: {"x": 1}}, "l": [{"k": {"kv": 1}}], "open": {"z": 1}});
    for (before_mark, after_mark) in [
        (json!({"m": true, "l": true}), json!({})),
        (json!({}), json!({"m": true, "l": [{"k": true}]})),
        // Marks that do not fit hide the whole.
        (json!({"m": ["x", true], "l": {"x": true}}), json!({})),
    ] {
        let mut altered =
            change("aws_x.a", &["delete", "create"], side("k1"), json!({"m": {"k2": {"x": 2}}}));
        altered["change"]["before_sensitive"] = before_mark.clone();
        altered["change"]["after_sensitive"] = after_mark;
        altered["change"]["after_unknown"] = json!({"m": {"k3": true}});
        altered["change"]["replace_paths"] =
            json!([["m", "k1", "x"], ["m", "k2"], ["l", 0, "k", "kv"], ["open", "z"]]);
        let value = plan_of(json!([altered]));
        let told = &plan(&value).changes[0];
        assert!(told.paths.contains(&"m".to_owned()), "{before_mark} {told:?}");
        assert_eq!(told.replace_reasons[..2], ["m", "m"], "{before_mark}");
        assert_eq!(told.replace_reasons[3], "open.z");
        let all = format!("{:?} {:?} {}", told.paths, told.replace_reasons, view(&value));
        for key in ["k1", "k2", "k3", "kv"] {
            assert!(!all.contains(key), "{before_mark}: {all}");
        }
    }
}

#[test]
fn t41_what_is_marked_on_one_side_is_hidden_on_both() {
    let before = json!({"p": "x1", "m": {"ky": "v"}, "open": "seen"});
    let after = json!({"p": "x2", "m": {"ky": "v", "kz": "w"}, "open": "seen"});
    let mut altered = change("aws_x.a", &["update"], before, after);
    altered["change"]["before_sensitive"] = json!({"p": true, "m": true});
    let shown = view(&plan_of(json!([altered])));
    let wanted = json!({"p": MARKER, "m": MARKER, "open": "seen"});
    let change = &shown["resource_changes"][0]["change"];
    assert_eq!((&change["before"], &change["after"]), (&wanted, &wanted));
}

#[test]
fn t41_a_variable_that_becomes_a_secret_below_is_one() {
    let mut value = plan_of(json!([]));
    value["variables"] = json!({"pw": {"value": "p1"}, "size": {"value": "s1"}});
    let inner = json!({"variables": {"pin": {"sensitive": true}, "size": {}}});
    let middle = json!({
        "variables": {"word": {"default": "d1"}, "size": {}},
        "module_calls": {"inner": {
            "expressions": {"pin": {"references": ["var.word.x", "var.word"]},
                            "size": {"references": ["var.size"]}},
            "module": inner,
        }},
    });
    value["configuration"]["root_module"] = json!({
        "variables": {"pw": {"default": "d2"}, "size": {"default": "seen"}},
        "module_calls": {"middle": {
            "expressions": {"word": {"references": ["var.pw"]}, "size": {"references": ["var.size"]}},
            "module": middle,
        }},
    });
    let shown = view(&value);
    assert_eq!(shown["variables"], json!({"pw": {"value": MARKER}, "size": {"value": "s1"}}));
    let text = shown.to_string();
    assert!(!text.contains("d1") && !text.contains("d2") && text.contains("seen"), "{text}");
}

#[test]
fn t41_constants_of_providers_that_are_called_secrets_are_hidden() {
    let mut value = plan_of(json!([]));
    let constant = |text: &str| json!({"constant_value": text});
    value["configuration"]["provider_config"] = json!({"pg": {"name": "pg", "expressions": {
        "passwd": constant("q1"), "pat": constant("q2"), "github_pat": constant("q3"),
        "connection_string": constant("q4"), "path": constant("seen"),
    }}});
    let shown = view(&value);
    let expressions = &shown["configuration"]["provider_config"]["pg"]["expressions"];
    for name in ["passwd", "pat", "github_pat", "connection_string"] {
        assert_eq!(expressions[name], constant(MARKER), "{name}");
    }
    assert_eq!(expressions["path"], constant("seen"));
}

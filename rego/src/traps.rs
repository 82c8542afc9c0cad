//! Every trap that is known in the engine or in its differences from OPA, with the ruling that OPA
//! gives. Those that end or stall a process are in `tests/it/hostile.rs`.

use serde_json::{Value, json};

use crate::Version;
use crate::corpus::ruling;

const FUNCTIONS: &str = "package t\nf(x) if x == \"a\"\ng(x, y) if x == y\np if input.nope\n";

/// A rule's body after `allow if`, with two functions and an undefined rule about.
#[track_caller]
fn body(body: &str, input: &Value, expected: &str) {
    let text = format!("{FUNCTIONS}allow if {body}\n");
    assert_eq!(ruling(&text, Version::V1, input), expected, "{body}");
    // As before OPA 1.0, where `if` has to be imported.
    let imports = "import future.keywords\n";
    let text = text.replacen("package t\n", &format!("package t\n{imports}"), 1);
    assert_eq!(ruling(&text, Version::V0, input), expected, "{body}, as v0");
}

#[track_caller]
fn bodies(bodies: &[&str], expected: &str) {
    for each in bodies {
        body(each, &json!({}), expected);
    }
}

#[track_caller]
fn policy(text: &str, input: &Value, expected: &str) {
    let found = ruling(&format!("package t\n{text}\n"), Version::V1, input);
    assert!(found.contains(expected), "{text}\nexpected {expected}, found {found}");
}

#[test]
fn t49_a_negated_call_or_comparison_of_something_missing_is_undefined() {
    bodies(
        &[
            r#"not startswith(input.user, "ext-")"#,
            "not f(input.user)",
            r#"not g(input.user, "a")"#,
            r#"not input.user in {"x"}"#,
            r#"not "x" in input.groups"#,
            "not input.n > 3",
            r#"not input.user != "x""#,
            "not input.user != input.owner",
            "not is_null(input.user)",
            r#"not regex.match("^x", input.user)"#,
        ],
        "undefined",
    );
}

#[test]
fn t49_operands_of_operands_are_taken_out_too() {
    bodies(
        &[
            r#"not lower(input.user) == "x""#,
            r#"not lower(upper(input.user)) == "x""#,
            "not input.n + 1 == 2",
            "not (input.n + 1) * 2 > 3",
            "not count(input.groups) > 2",
            "not f([input.user])",
            r#"not f({"k": input.user})"#,
            r#"not f(sprintf("%v", [input.user]))"#,
            r#"not contains(concat(",", input.groups), "x")"#,
            r#"not input.set - {"x"} == {"y"}"#,
            r#"not {"u": input.user} == {"u": "x"}"#,
            r#"not [input.user] == ["x"]"#,
        ],
        "undefined",
    );
}

#[test]
fn t49_a_negated_plain_reference_or_equality_of_something_missing_holds() {
    bodies(
        &[
            r#"not input.user == "x""#,
            "not input.user == input.owner",
            "not input.user",
            "not input.a.b.c == 1",
            "not input.xs[0] == 1",
            "not p",
            r#"not object.get(input, "user", "y") == "x""#,
            "not count({z | some z in input.groups}) > 0",
        ],
        "true",
    );
}

#[test]
fn t49_a_variable_of_something_missing_is_undefined() {
    bodies(
        &[
            "{ u := input.user; not u == \"x\" }",
            "{ u := input.user; not startswith(u, \"ext-\") }",
            "{ id := input.user; not id in {\"mallory\"} }",
        ],
        "undefined",
    );
}

#[test]
fn t49_iterating_over_something_missing_is_undefined() {
    bodies(
        &[
            "{ some z in input.groups; not startswith(z, input.p) }",
            "every z in input.groups { not startswith(z, input.p) }",
            r#"not contains(input.msg, "x") with input.msg as input.other"#,
        ],
        "undefined",
    );
}

/// Not in the first list of traps: OPA takes out what stands in brackets as well, and a rule's name
/// is a reference although it looks like a variable.
#[test]
fn t49_indices_and_rules_that_are_missing_are_taken_out() {
    bodies(
        &[
            "not input.xs[input.i] == 1",
            "not input.xs[input.i]",
            "not input.a[{\"x\": input.b}]",
            "not input.xs[count(input.y)]",
            "not [input.z][0] == 1",
            "not {\"a\": input.z}.a == 1",
            "not {input.x}",
            "not -input.n",
            "not (input.a == 1) == true",
            "not f(p)",
            "not g(p, 1)",
            "not p != 1",
            "not p in {1}",
        ],
        "undefined",
    );
    bodies(&["not [x | x := input.z][0] == 1", "not input.a = 3"], "true");
}

#[test]
fn t49_a_wildcard_under_not_is_refused() {
    let input = json!({"xs": ["a", "b"]});
    for negated in ["f(input.xs[_])", "input.xs[_] == \"a\"", "f(input.xs[i])", "[_] == input.xs"] {
        policy(&format!("{}allow if not {negated}", &FUNCTIONS[10..]), &input, "refused");
    }
    // With the index given a value outside, as OPA has it.
    let some = "allow if { some i in [0, 1]; not startswith(input.xs[i], \"a\") }";
    policy(some, &input, "true");
    // Only inside a comprehension is not outside.
    let inside = "allow if { c := {i | input.xs[i]}; not startswith(input.xs[i], \"a\") }";
    policy(inside, &input, "refused");
    // In a comprehension that is negated it is no wildcard of the negation.
    policy("allow if not count([x | x := input.xs[_]; x == \"c\"]) > 0", &input, "true");
}

#[test]
fn t49_what_is_negated_keeps_its_lines_strings_and_objects() {
    // Two members: the engine's own span of the object begins at the last one.
    policy("allow if not {\"a\": 1, \"b\": input.x} == {\"a\": 1}", &json!({"x": 2}), "true");
    policy(
        "allow if not {\"a\": 1, \"b\": input.x} == {\"a\": 1, \"b\": 2}",
        &json!({"x": 2}),
        "undefined",
    );
    // A statement that ends in a string: its span stops before the quote.
    policy("allow if not input.a != \"x\"\ndeny := 1", &json!({"a": "x"}), "true");
    // The names that are made do not meet those that are there.
    policy("__n0 := \"q\"\nallow if not startswith(input.a, __n0)", &json!({"a": "r"}), "true");
    // Nothing moves to another line.
    let spread =
        "allow if {\n  not startswith(\n    input.a,\n    \"b\"\n  )\n  to_number(input.a) > 1\n}";
    policy(spread, &json!({"a": "c"}), "t.rego:7: ");
}

#[test]
fn t49_an_error_of_a_builtin_is_never_a_missing_value() {
    let abc = json!({"s": "abc"});
    policy("bad if to_number(input.s) > 3\nallow if not bad", &abc, "error");
    policy(
        "deny contains \"d\" if to_number(input.s) > 3\nallow if count(deny) == 0",
        &abc,
        "error",
    );
    policy("x := 1 / input.z\nallow if not x > 2", &json!({"z": 0}), "error");
    policy("allow if not regex.match(input.re, \"aaa\")", &json!({"re": "("}), "error");
}

/// Not in the first list of traps: some functions of the engine have no value for arguments that
/// make no sense, where OPA has an error.
#[test]
fn t49_a_function_without_a_value_for_its_arguments_is_an_error() {
    let deny = |test: &str| format!("deny contains 1 if {test}\nallow if count(deny) == 0");
    for test in [
        "net.cidr_contains(\"10.0.0.0/8\", input.ip)",
        "strings.any_prefix_match(input.ip, 7)",
        "strings.any_suffix_match([1], \"x\")",
        "bits.and(1.5, input.n) == 1",
        "substring(input.ip, -1, 2) == \"x\"",
        "array.slice([1], 0.5, 1) == [1]",
        "regex.replace(\"a\", \"(\", \"b\") == \"a\"",
    ] {
        policy(&deny(test), &json!({"ip": "not an address", "n": 1}), "error: t.rego:2");
        policy(&format!("allow if not {test}"), &json!({"ip": "x", "n": 1}), "error: t.rego:2");
    }
    policy(
        &deny("net.cidr_contains(\"10.0.0.0/8\", input.ip)"),
        &json!({"ip": "11.0.0.1"}),
        "true",
    );
}

#[test]
fn t49_a_conflict_is_an_error() {
    policy("x := 1 if true\nx := 2 if true\nallow if not x", &json!({}), "error");
    policy("x := 1 if true\nx := 2 if true\nallow := x", &json!({}), "error");
    policy("f(_) := 1\nf(_) := 2\nallow if f(0) == 1", &json!({}), "error");
    policy("o[\"k\"] := 1\no[\"k\"] := 2\nallow := o", &json!({}), "error");
}

#[test]
fn t49_a_function_over_a_missing_value_is_undefined() {
    policy("f(_) := y if { x := input.nope; y := 1 }\nallow := f(0)", &json!({}), "undefined");
    policy(
        "f(_) := y if { x := input.nope; y := 1 }\nallow if not f(0) == 1",
        &json!({}),
        "undefined",
    );
}

#[test]
fn t49_a_function_that_is_unknown_or_banned_is_refused_wherever_it_stands() {
    let elsewhere = "allow := true\nnever if { false; nosuch(1) }";
    policy(elsewhere, &json!({}), "neither a function of this policy nor one that is known");
    for call in [
        "http.send({\"method\": \"get\", \"url\": \"http://x\"})",
        "opa.runtime()",
        "rand.intn(\"a\", 3)",
        "uuid.rfc4122(\"a\")",
        "net.lookup_ip_addr(\"a\")",
        "rego.parse_module(\"a\", \"b\")",
        "trace(\"a\")",
        "io.jwt.decode(\"a\")",
        "rego.metadata.chain()",
    ] {
        policy(&format!("allow if not {call}"), &json!({}), "refused");
        policy(
            &format!("allow := true\nnever := {{x | false; x := {call}}}"),
            &json!({}),
            "refused",
        );
    }
    policy("allow if lower(\"A\") == 1 with lower as http.send", &json!({}), "refused");
}

#[test]
fn t49_a_function_that_comes_back_to_itself_is_refused() {
    policy("f(x) := y if { y := f(x + 1) }\nallow := f(1)", &json!({}), "comes back to itself");
    policy("f(x) := g(x)\ng(x) := f(x)\nallow := f(1)", &json!({}), "comes back to itself");
    policy("f(_) := r\nr := f(1)\nallow := r", &json!({}), "comes back to itself");
    policy("f(_) := count(data.t)\nr := f(1)\nallow := r", &json!({}), "comes back to itself");
    policy(
        "f(x) := y if { y := g(x) with g as f }\ng(x) := x\nallow := f(1)",
        &json!({}),
        "comes back",
    );
    // Rules that need each other are the engine's to refuse.
    policy("a := b\nb := a\nallow := a", &json!({}), "error");
}

#[test]
fn t49_a_panic_of_the_engine_is_an_error() {
    policy("allow := strings.count(input.a, \"\")", &json!({"a": "aaa"}), "error");
}

#[test]
fn t49_nested_literals_are_refused_before_they_are_parsed() {
    let nested = format!("allow := {}1{}", "[".repeat(30), "]".repeat(30));
    policy(&nested, &json!({}), "t.rego:2: brackets nest deeper than 12");
}

#[test]
fn t49_a_name_that_is_a_rule_too_is_refused_or_an_error() {
    policy("g := 1\nallow if { some g in [1, 2]; g == 2 }", &json!({}), "used before definition");
}

#[test]
fn t49_a_minus_before_a_sum_is_refused() {
    policy("allow if -input.a + 3 == 2", &json!({"a": 1}), "refused");
    policy("allow if 0 - input.a + 3 == 2", &json!({"a": 1}), "true");
    policy("allow if -1 + 3 == 2", &json!({}), "true");
}

#[test]
fn t49_time_is_that_of_the_question_and_chance_is_refused() {
    policy("allow := time.now_ns()", &json!({}), "1000000000");
    policy("allow if { time.now_ns() == time.now_ns() }", &json!({}), "true");
    policy("allow := x if { x := time.now_ns() with time.now_ns as 5 }", &json!({}), "5");
}

#[test]
fn t49_a_value_inside_that_is_missing_is_never_a_text() {
    policy("allow := [input.nope]", &json!({}), "undefined");
    policy("allow := {\"a\": input.nope}", &json!({}), "undefined");
    policy("allow contains input.nope", &json!({}), "[]");
    policy("allow if \"<undefined>\" == sprintf(\"%v\", [input.nope])", &json!({}), "undefined");
}

#[test]
fn annotations_are_written_out_where_the_policy_asks_for_them() {
    let text = "\n# METADATA\n# title: T\n# description: no public buckets\n# custom:\n#   level: 3\n\nallow := m if { m := rego.metadata.rule() }";
    let object =
        r#"{"custom":{"level":3},"description":"no public buckets","scope":"rule","title":"T"}"#;
    policy(text, &json!({}), object);
    let message =
        "# METADATA\n# description: d\nallow contains rego.metadata.rule().description if true";
    policy(message, &json!({}), r#"["d"]"#);
    policy("allow := rego.metadata.rule()", &json!({}), "no `# METADATA` stands above");
    policy("# METADATA\n# scope: package\nallow := rego.metadata.rule()", &json!({}), "refused");
    policy("allow := \"rego.metadata.rule()\"", &json!({}), "\"rego.metadata.rule()\"");
}

/// A difference that stays: OPA orders objects before sets, the engine sets before objects.
#[test]
fn sets_and_objects_are_ordered_otherwise_than_in_opa() {
    policy("allow if { x := {1}; x > {\"a\": 1} }", &json!({}), "undefined");
}
